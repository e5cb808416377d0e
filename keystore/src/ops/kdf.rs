//! A device's symmetric key and the content keys made of it.
//!
//! profile.md §3: `key = HKDF-SHA-256(salt = empty, ikm = master, info("Key", L), L)`, `base_iv` the same with "IV", where
//! `info(type, L) = CBOR ["paperknife-1", kid, kid-context / null, alg, type, L]`. HKDF is RFC 5869.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA512, KeyType, Prk, Salt};
use zeroize::Zeroizing;

use crate::cbor;
use crate::key::{Algorithm, KeyRef};
use crate::ops::aead::ContentKey;
use crate::private_key::Symmetric;
use crate::recipe::Hash;

/// Content keys kept per device key: a device has one algorithm and one kid context at a time, and a few when it restarts.
const KEPT: usize = 4;

/// A device's symmetric key, with the content keys that have opened messages.
pub(crate) struct Master {
    key: Arc<Symmetric>,
    made: RwLock<Vec<Kept>>,
}

struct Kept {
    algorithm: Algorithm,
    kid_context: Option<Box<[u8]>>,
    content: Arc<ContentKey>,
}

impl Master {
    pub(crate) fn new(key: Symmetric) -> Self {
        Self { key: Arc::new(key), made: RwLock::default() }
    }

    /// The same key with nothing made of it: for another kid, which derives other keys.
    pub(crate) fn share(&self) -> Self {
        Self { key: Arc::clone(&self.key), made: RwLock::default() }
    }

    /// Bytes.
    pub(crate) fn length(&self) -> usize {
        self.key.k.len()
    }

    /// The key itself, unless its record says that keys are derived from it and never itself used.
    pub(crate) fn as_it_is(&self, key: &KeyRef) -> Option<Zeroizing<Vec<u8>>> {
        (!key.policy.derive).then(|| self.key.k.clone())
    }

    /// The content key for this algorithm and kid context, if it has opened a message before.
    pub(crate) fn kept(&self, algorithm: Algorithm, kid_context: Option<&[u8]>) -> Option<Arc<ContentKey>> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        let kept = made.iter().find(|kept| kept.is(algorithm, kid_context))?;
        Some(Arc::clone(&kept.content))
    }

    /// Keeps a content key that opened a message; the oldest gives way.
    pub(crate) fn keep(&self, algorithm: Algorithm, kid_context: Option<Box<[u8]>>, content: Arc<ContentKey>) {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        if made.iter().any(|kept| kept.is(algorithm, kid_context.as_deref())) {
            return;
        }
        if made.len() == KEPT {
            made.remove(0);
        }
        made.push(Kept { algorithm, kid_context, content });
    }

    /// Derives, or takes the key as it is, as its record says. Without derivation there is no kid context (profile.md §3).
    pub(crate) fn content_key(
        &self,
        key: &KeyRef,
        algorithm: Algorithm,
        kid_context: Option<&[u8]>,
    ) -> Option<ContentKey> {
        if key.policy.derive {
            derive(&self.key.k, &key.kid, algorithm, kid_context)
        } else {
            let base_iv = self.key.base_iv.as_ref().map_or(&[][..], |base_iv| base_iv.as_slice());
            ContentKey::new(algorithm, &self.key.k, base_iv)
        }
    }
}

impl Kept {
    fn is(&self, algorithm: Algorithm, kid_context: Option<&[u8]>) -> bool {
        self.algorithm == algorithm && self.kid_context.as_deref() == kid_context
    }
}

fn derive(master: &[u8], kid: &[u8], algorithm: Algorithm, kid_context: Option<&[u8]>) -> Option<ContentKey> {
    let sizes = algorithm.content()?;
    // A master is at least as long as the keys it yields (profile.md §3).
    if master.len() < sizes.key {
        return None;
    }
    let prk = Salt::none(HKDF_SHA256).extract(master);
    let key = expand(&prk, &[&info(kid, kid_context, algorithm, "Key", sizes.key)], sizes.key)?;
    let base_iv = expand(&prk, &[&info(kid, kid_context, algorithm, "IV", sizes.nonce)], sizes.nonce)?;
    ContentKey::new(algorithm, &key, &base_iv)
}

fn info(kid: &[u8], kid_context: Option<&[u8]>, algorithm: Algorithm, what: &str, length: usize) -> Vec<u8> {
    cbor::build(48 + kid.len(), |out| {
        out.array(6)?.str("paperknife-1")?.bytes(kid)?;
        match kid_context {
            Some(kid_context) => out.bytes(kid_context)?,
            None => out.null()?,
        };
        out.i64(algorithm.cose())?.str(what)?.u64(length as u64)?.ok()
    })
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `HKDF(hash, salt, secret, info, length)` (RFC 5869 §2); without salt, zeros of the hash's length.
pub(crate) fn hkdf(
    hash: Hash,
    salt: Option<&[u8]>,
    secret: &[u8],
    info: &[&[u8]],
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = match hash {
        Hash::Sha256 => HKDF_SHA256,
        Hash::Sha512 => HKDF_SHA512,
    };
    expand(&Salt::new(algorithm, salt.unwrap_or_default()).extract(secret), info, length)
}

/// `HKDF-Expand(prk, info, length)` (RFC 5869 §2.3).
fn expand(prk: &Prk, info: &[&[u8]], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(vec![0; length]);
    prk.expand(info, Length(length)).and_then(|okm| okm.fill(&mut out)).ok()?;
    Some(out)
}
