//! CRLs (RFC 5280 §5). One that is recorded is meant: where it is stale, badly signed or unreadable, nothing of its issuer
//! is trusted. rustls-webpki reads fewer than x509-cert does, so both read each.

use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

use crate::certificate::der::{PublicKey, Signed, crl_issuer};
use crate::certificate::{milliseconds, sha256};

/// A CRL, read.
pub(crate) struct Crl {
    pub(crate) der: Vec<u8>,
    /// Contents of the issuer's Name, as received.
    pub(crate) issuer: Vec<u8>,
    /// The issuer as text (RFC 4514).
    pub(crate) issuer_text: String,
    /// Milliseconds since the epoch.
    pub(crate) this_update: i64,
    /// Milliseconds since the epoch; none: it never goes stale, and rustls-webpki does not read it.
    pub(crate) next_update: Option<i64>,
    /// How many certificates it names.
    pub(crate) revoked: usize,
    /// None where rustls-webpki cannot read it: an older version, a delta, an indirect one.
    pub(crate) list: Option<CertRevocationList<'static>>,
}

impl Crl {
    /// None for what is no CRL.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let parsed = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(der).ok()?;
        let body = &parsed.tbs_cert_list;
        Some(Self {
            issuer: crl_issuer(der)?.to_vec(),
            issuer_text: body.issuer.to_string(),
            this_update: milliseconds(&body.this_update),
            next_update: body.next_update.as_ref().map(milliseconds),
            revoked: body.revoked_certificates.as_ref().map_or(0, Vec::len),
            list: OwnedCertRevocationList::from_der(der).ok().map(CertRevocationList::from),
            der: der.to_vec(),
        })
    }

    /// What its row is named by: SHA-256 of the contents of the issuer's Name, hex.
    pub(crate) fn id(&self) -> String {
        hex::encode(sha256(&self.issuer))
    }

    /// Whether that key signed it.
    pub(crate) fn is_signed_by(&self, spki: &[u8]) -> bool {
        let (Some(signed), Some(key)) = (Signed::read(&self.der), PublicKey::read(spki)) else { return false };
        let fitting = webpki::ALL_VERIFICATION_ALGS.iter().filter(|algorithm| {
            algorithm.signature_alg_id().as_ref() == signed.algorithm
                && algorithm.public_key_alg_id().as_ref() == key.algorithm
        });
        fitting.into_iter().any(|algorithm| algorithm.verify_signature(key.key, signed.body, signed.signature).is_ok())
    }
}
