//! X.509 certificates, pinned: the sender's public key, known also by the certificate's names. No path is built and no
//! signature of an issuer is looked at here: the operator vouches for what is imported.

use aws_lc_rs::digest::{Algorithm as Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use p256::pkcs8::der::{Decode, Encode};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::time::Time;

use crate::import::draft::{Certified, Offered};
use crate::import::{Fault, Placed, pem};
use crate::key::Name;
use crate::records::name::recorded;

/// Hashes of x5t by their COSE number. SHA-1 and the truncated SHA-256 choose among pinned certificates and prove nothing.
const HASHES: &[(i64, &Digest, usize)] = &[
    (-14, &SHA1_FOR_LEGACY_USE_ONLY, 20),
    (-15, &SHA256, 8),
    (-16, &SHA256, 32),
    (-43, &SHA384, 48),
    (-44, &SHA512, 64),
];

/// None if this is no certificate.
pub(super) fn read(der: &[u8]) -> Option<Placed> {
    let certificate = Certificate::from_der(der).ok()?;
    let ski = subject_key_identifier(&certificate);
    Some(Placed { kid: None, offered: offered(der, &certificate, ski.as_deref()) })
}

fn offered(der: &[u8], certificate: &Certificate, ski: Option<&[u8]>) -> Result<Offered, Fault> {
    let body = certificate.tbs_certificate();
    let key = body.subject_public_key_info().to_der().ok().and_then(|spki| pem::public(&spki));
    let mut offered =
        pem::offered(key.ok_or_else(|| Fault::unsupported("certificate", "has a key that is not supported"))?);
    offered.owner.stated.names = names(der, certificate, ski);
    offered.certified = Some(Certified {
        kid: ski.map_or_else(|| digest(&SHA256, der).as_ref().to_vec(), <[u8]>::to_vec),
        not_before: milliseconds(&body.validity().not_before),
        not_after: milliseconds(&body.validity().not_after),
    });
    Ok(offered)
}

fn names(der: &[u8], certificate: &Certificate, ski: Option<&[u8]>) -> Vec<String> {
    let mut names = Vec::new();
    for (hash, algorithm, length) in HASHES {
        let value = digest(algorithm, der);
        names.extend(recorded(&Name::Thumbprint { hash: *hash, value: &value.as_ref()[..*length] }));
    }
    let body = certificate.tbs_certificate();
    if let Ok(issuer) = body.issuer().to_der() {
        names.extend(recorded(&Name::IssuerSerial { issuer: &issuer, serial: body.serial_number().as_bytes() }));
    }
    names.extend(ski.and_then(|ski| recorded(&Name::Ski(ski))));
    names
}

fn subject_key_identifier(certificate: &Certificate) -> Option<Vec<u8>> {
    let (_, SubjectKeyIdentifier(ski)) = certificate.tbs_certificate().get_extension().ok()??;
    Some(ski.as_bytes().to_vec())
}

fn milliseconds(time: &Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX)
}
