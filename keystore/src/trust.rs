//! Who a certificate is: pinned, or on a path to an anchor of the tenant's (RFC 5280 §6), and then the device that its
//! names say. What rustls-webpki does not look at is looked at here: key usage, the size of the key, the state of the
//! CRLs that are recorded.
//!
//! Certificates of a message are candidates and no more: nothing of them is trusted but what an anchor signed.

mod key;
pub(crate) mod known;
mod path;
pub(crate) mod paths;
pub(crate) mod policy;
pub(crate) mod recording;
pub(crate) mod revocation;

use std::sync::Arc;

use rusqlite::Connection;

use crate::certificate::Certificate;
use crate::error::{AdminError, OpenError};
use crate::import::draft::jwk_thumbprint;
use crate::import::pem;
use crate::key::{KeyRef, Name, Status};
use crate::ops::Material;
use crate::records::device;
use crate::records::key::Found;
use crate::records::name::recorded;
use crate::rest::Ring;
use crate::trust::known::Known;
use crate::trust::path::Path;
use crate::trust::paths::Paths;
use crate::{Keystore, records};

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
    /// It was pinned, and its record is destroyed.
    #[error("it was pinned, and is no more")]
    Withdrawn,
}

impl Keystore {
    /// The key of a certificate and whose it is, at that time (milliseconds since the epoch).
    pub fn certified(&self, tenant: &str, chain: &Chain<'_>, at: i64) -> Result<Certified, OpenError> {
        let large = |der: &[u8]| der.len() > CERTIFICATE_MAX;
        if chain.others.len() > CHAIN_MAX || large(chain.leaf) || chain.others.iter().any(|der| large(der)) {
            return Ok(Certified::Unusable(Flaw::TooLarge));
        }
        let (epoch, name) = (self.cache.epoch(), Paths::name(tenant, chain));
        if let Some(key) = self.paths.find(epoch, &name, at) {
            return Ok(Certified::Known(key));
        }
        let Some(leaf) = Certificate::read(chain.leaf) else { return Ok(Certified::Unusable(Flaw::Unreadable)) };
        let found = match self.pinned(tenant, &leaf, chain, at)? {
            Some(pinned) => Some(pinned),
            None => self.on_path(tenant, &leaf, chain, at)?,
        };
        Ok(match found {
            None => Certified::Unknown,
            Some(Err(flaw)) => Certified::Unusable(flaw),
            Some(Ok(Holds { key, from, until })) => {
                self.paths.keep(epoch, name, (from, until), &key);
                Certified::Known(key)
            }
        })
    }

    /// The same where nothing proves that this certificate is the one that was meant: only a pin counts.
    pub fn certified_by_pin(&self, tenant: &str, chain: &Chain<'_>, at: i64) -> Result<Certified, OpenError> {
        if chain.leaf.len() > CERTIFICATE_MAX {
            return Ok(Certified::Unusable(Flaw::TooLarge));
        }
        let Some(leaf) = Certificate::read(chain.leaf) else { return Ok(Certified::Unknown) };
        Ok(match self.pinned(tenant, &leaf, chain, at)? {
            None => Certified::Unknown,
            Some(Err(flaw)) => Certified::Unusable(flaw),
            Some(Ok(holds)) => Certified::Known(holds.key),
        })
    }

    /// Certificates that are recorded as candidates for a path under that name, DER: the signer's, where a message leaves
    /// it out. None of them is trusted for being there.
    pub fn candidates(&self, tenant: &str, name: Name<'_>) -> Result<Vec<Vec<u8>>, OpenError> {
        let Some(name) = recorded(&name) else { return Ok(Vec::new()) };
        let known = self.known(tenant)?;
        Ok(known.named(&name).map(|certificate| certificate.der.clone()).collect())
    }

    /// The record of the certificate, or of its key alone. A pin replaces the path, not validity, usage, size of the key.
    fn pinned(
        &self,
        tenant: &str,
        leaf: &Certificate,
        chain: &Chain<'_>,
        at: i64,
    ) -> Result<Option<Result<Holds, Flaw>>, OpenError> {
        let Some(found) = self.records.read(|connection| pin(connection, &self.ring, tenant, leaf))? else {
            return Ok(None);
        };
        let row = found.map_err(OpenError::Tampered)?;
        if row.status == Status::Destroyed {
            return Ok(Some(Err(Flaw::Withdrawn)));
        }
        let key = self.key_ref(row).map_err(OpenError::Tampered)?;
        let fits = match chain.usage {
            Usage::Agrees => matches!(key.0.material, Material::Static(_)),
            Usage::Signs => matches!(key.0.material, Material::Verify(_)),
        };
        let sound = path::valid(leaf, at).and_then(|()| path::may(leaf, chain.usage)).and_then(|()| {
            let purpose = chain.any_purpose || path::has_purpose(leaf);
            if purpose { fits.then_some(()).ok_or(Flaw::Key) } else { Err(Flaw::Purpose) }
        });
        Ok(Some(sound.map(|()| Holds { key, from: leaf.not_before, until: leaf.not_after })))
    }

    /// The key as its anchor's owner allows it, under the device that the certificate names.
    fn on_path(
        &self,
        tenant: &str,
        leaf: &Certificate,
        chain: &Chain<'_>,
        at: i64,
    ) -> Result<Option<Result<Holds, Flaw>>, OpenError> {
        let known = self.known(tenant)?;
        let found = match path::find(&known, leaf, chain, at) {
            Some(Ok(path)) => Some(self.certify(tenant, leaf, chain, &path)?),
            Some(Err(flaw)) => Some(Err(flaw)),
            None => None,
        };
        match (found, known.tampered.first()) {
            // A CRL among them may be the one that names this certificate, an anchor the one that leads to it.
            (_, Some(row)) => Err(OpenError::Tampered(row.clone())),
            (found, None) => Ok(found),
        }
    }

    fn certify(
        &self,
        tenant: &str,
        leaf: &Certificate,
        chain: &Chain<'_>,
        path: &Path<'_>,
    ) -> Result<Result<Holds, Flaw>, OpenError> {
        if let Err(flaw) = path::may(leaf, chain.usage) {
            return Ok(Err(flaw));
        }
        let device = match leaf.device(&path.anchor.policy.sources()) {
            Ok(Some(device)) => device,
            // A bare tool has no registry.
            Ok(None) if self.offline => leaf.subject_text(),
            Ok(None) => return Ok(Err(Flaw::NoDevice)),
            Err(_) => return Ok(Err(Flaw::Unreadable)),
        };
        let revoked = self.records.read(|connection| device::named(connection, &self.ring, tenant, &device));
        let revoked = revoked.map_err(|error| match error {
            AdminError::Tampered(what) => OpenError::Tampered(what),
            other => OpenError::Failed(other.to_string()),
        })?;
        if revoked.is_some_and(|row| row.revoked) {
            return Ok(Err(Flaw::NoDevice));
        }
        let key = key::of(leaf, chain, &path.anchor.policy, &self.defaults, (tenant, device));
        Ok(key.map(|key| Holds { key, from: path.from, until: path.until }).ok_or(Flaw::Key))
    }

    /// Anchors, candidates and CRLs of a tenant.
    pub(crate) fn known(&self, tenant: &str) -> Result<Arc<Known>, OpenError> {
        self.paths.known(self.cache.epoch(), tenant, || {
            let rows = self.records.read(|connection| records::certificate::known(connection, &self.ring, tenant))?;
            Ok(Known::new(rows))
        })
    }
}

/// A key, and while what leads to it holds: milliseconds since the epoch.
struct Holds {
    key: KeyRef,
    from: i64,
    until: i64,
}

/// The row of a sender's key that is pinned: by its certificate, else by the key itself, whatever certificate it is in.
fn pin(
    connection: &Connection,
    ring: &Ring,
    tenant: &str,
    leaf: &Certificate,
) -> Result<Option<Found>, rusqlite::Error> {
    let is_sender = |found: &Found| found.as_ref().map_or(true, |row| row.tenant == tenant && row.device.is_some());
    let name = recorded(&Name::Thumbprint { hash: SHA_256, value: &leaf.fingerprint });
    let by_name = name.map(|name| records::key::by_name(connection, ring, tenant, &name, 1)).transpose()?;
    if let Some(found) = by_name.and_then(|mut found| found.pop()).filter(is_sender) {
        return Ok(Some(found));
    }
    let Some(key) = pem::public(&leaf.spki) else { return Ok(None) };
    let found = records::key::by_thumbprint(connection, ring, &jwk_thumbprint(&key), false)?;
    Ok(found.filter(is_sender))
}

/// COSE number of SHA-256 (RFC 9054).
const SHA_256: i64 = -16;

#[cfg(test)]
mod tests;
