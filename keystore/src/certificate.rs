//! An X.509 certificate as this crate reads it (RFC 5280 §4), for what is recorded and for what rustls-webpki leaves to us.
//! Names stay the bytes that were received: they are compared, never encoded again. No signature is looked at here.

pub(crate) mod der;
mod device;

use aws_lc_rs::digest::{Algorithm as Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use x509_cert::Version;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};
use x509_cert::time::Time;

use crate::key::Name;
use crate::records::name::recorded;

pub(crate) use device::Source;

/// Hashes of x5t by their COSE number. SHA-1 and the truncated SHA-256 choose among recorded certificates and prove
/// nothing.
const HASHES: &[(i64, &Digest, usize)] = &[
    (-14, &SHA1_FOR_LEGACY_USE_ONLY, 20),
    (-15, &SHA256, 8),
    (-16, &SHA256, 32),
    (-43, &SHA384, 48),
    (-44, &SHA512, 64),
];

/// A certificate, read. Its key is read where it is needed: not every one is supported.
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    /// SHA-256.
    pub(crate) fingerprint: [u8; 32],
    /// Contents of the issuer's Name, as received.
    pub(crate) issuer: Vec<u8>,
    /// Contents of the subject's Name, as received.
    pub(crate) subject: Vec<u8>,
    /// SubjectPublicKeyInfo, as received.
    pub(crate) spki: Vec<u8>,
    pub(crate) ski: Option<Vec<u8>>,
    /// Milliseconds since the epoch.
    pub(crate) not_before: i64,
    /// Milliseconds since the epoch.
    pub(crate) not_after: i64,
    pub(crate) is_ca: bool,
    pub(crate) usage: Option<KeyUsage>,
    /// extendedKeyUsage: the contents of its OIDs.
    pub(crate) purposes: Option<Vec<Vec<u8>>>,
    parsed: x509_cert::Certificate,
}

impl Certificate {
    /// None for what is no certificate, or has a standard extension that does not parse or stands twice.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(bytes).ok()?;
        let raw = der::Tbs::read(bytes)?;
        let body = parsed.tbs_certificate();
        let ski = body.get_extension::<SubjectKeyIdentifier>().ok()?;
        let constraints = body.get_extension::<BasicConstraints>().ok()?;
        let usage = body.get_extension::<KeyUsage>().ok()?;
        let purposes = body.get_extension::<ExtendedKeyUsage>().ok()?;
        Some(Self {
            fingerprint: sha256(bytes),
            issuer: raw.issuer.to_vec(),
            subject: raw.subject.to_vec(),
            spki: raw.spki.to_vec(),
            ski: ski.map(|(_, SubjectKeyIdentifier(ski))| ski.as_bytes().to_vec()),
            not_before: milliseconds(&body.validity().not_before),
            not_after: milliseconds(&body.validity().not_after),
            is_ca: constraints.is_some_and(|(_, constraints)| constraints.ca),
            usage: usage.map(|(_, usage)| usage),
            purposes: purposes.map(|(_, listed)| listed.0.iter().map(|oid| oid.as_bytes().to_vec()).collect()),
            der: bytes.to_vec(),
            parsed,
        })
    }

    /// Its id here: SHA-256 in lower-case hex.
    pub(crate) fn id(&self) -> String {
        hex::encode(self.fingerprint)
    }

    /// Whether it is of version 1, which has no extensions.
    pub(crate) fn is_version_1(&self) -> bool {
        self.parsed.tbs_certificate().version() == Version::V1
    }

    /// Whether it names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The names that it can be asked for by, in the form that they are recorded in.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (hash, algorithm, length) in HASHES {
            let value = digest(algorithm, &self.der);
            names.extend(recorded(&Name::Thumbprint { hash: *hash, value: &value.as_ref()[..*length] }));
        }
        let issuer = der::sequence(&self.issuer);
        names.extend(recorded(&Name::IssuerSerial { issuer: &issuer, serial: self.serial() }));
        names.extend(self.ski.as_deref().and_then(|ski| recorded(&Name::Ski(ski))));
        names
    }

    /// Contents of the INTEGER.
    pub(crate) fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// The kid that its key is recorded under where the operator names none: its SKI, else its SHA-256.
    pub(crate) fn kid(&self) -> Vec<u8> {
        self.ski.clone().unwrap_or_else(|| self.fingerprint.to_vec())
    }

    /// The subject as text (RFC 4514).
    pub(crate) fn subject_text(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    /// The issuer as text (RFC 4514).
    pub(crate) fn issuer_text(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// The device that the first of these sources names. Err where names are there that cannot be read.
    pub(crate) fn device(&self, sources: &[Source]) -> Result<Option<String>, device::Unreadable> {
        device::named(self.parsed.tbs_certificate(), sources)
    }
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Milliseconds since the epoch.
pub(crate) fn milliseconds(time: &Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX)
}
