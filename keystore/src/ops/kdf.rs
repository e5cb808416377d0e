//! A device's symmetric key and the content keys made of it, and the derivations of all formats.
//!
//! profile.md §3: `key = HKDF-SHA-256(salt = empty, ikm = master, info("Key", L), L)`, `base_iv` the same with "IV", where
//! `info(type, L) = CBOR ["paperknife-1", kid, kid-context / null, alg, type, L]`. HKDF is RFC 5869.

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512};
use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA384, HKDF_SHA512, KeyType, Prk, Salt};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
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

    /// The password that it is, for the KDF of passwords.
    pub(crate) fn password(&self) -> &[u8] {
        &self.key.k
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
    let (sizes, number) = (algorithm.content()?, algorithm.cose()?);
    // A master is at least as long as the keys it yields (profile.md §3).
    if master.len() < sizes.key {
        return None;
    }
    let prk = Salt::none(HKDF_SHA256).extract(master);
    let key = expand(&prk, &[&info(kid, kid_context, number, "Key", sizes.key)], sizes.key)?;
    let base_iv = expand(&prk, &[&info(kid, kid_context, number, "IV", sizes.nonce)], sizes.nonce)?;
    ContentKey::new(algorithm, &key, &base_iv)
}

fn info(kid: &[u8], kid_context: Option<&[u8]>, algorithm: i64, what: &str, length: usize) -> Vec<u8> {
    cbor::build(48 + kid.len(), |out| {
        out.array(6)?.str("paperknife-1")?.bytes(kid)?;
        match kid_context {
            Some(kid_context) => out.bytes(kid_context)?,
            None => out.null()?,
        };
        out.i64(algorithm)?.str(what)?.u64(length as u64)?.ok()
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
        Hash::Sha384 => HKDF_SHA384,
        Hash::Sha512 => HKDF_SHA512,
        Hash::Sha1 | Hash::Sha224 => return None,
    };
    expand(&Salt::new(algorithm, salt.unwrap_or_default()).extract(secret), info, length)
}

/// `HKDF-Expand(prk, info, length)` (RFC 5869 §2.3).
pub(super) fn expand(prk: &Prk, info: &[&[u8]], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(vec![0; length]);
    prk.expand(info, Length(length)).and_then(|okm| okm.fill(&mut out)).ok()?;
    Some(out)
}

/// Longest key that any algorithm here takes, bytes; what is asked for beyond it is no key.
const LONGEST: usize = 64;

/// Most iterations of one PBKDF2 (keystore.md §6).
const ITERATIONS_MAX: u32 = 1_000_000;

/// Salt of CEK-HKDF-SHA256 (RFC 9709 §2).
const CEK_SALT: &[u8] = b"The Cryptographic Message Syntax";

/// `H(1 ‖ Z ‖ OtherInfo) ‖ H(2 ‖ Z ‖ OtherInfo) …`, SHA-256, where OtherInfo is AlgorithmID, PartyUInfo and PartyVInfo, each
/// after its length, and the key's bits (RFC 7518 §4.6.2).
pub(crate) fn concat(secret: &[u8], id: &str, apu: &[u8], apv: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let prefix = |bytes: &[u8]| u32::try_from(bytes.len()).ok().map(u32::to_be_bytes);
    let bits = u32::try_from(length.checked_mul(8)?).ok()?.to_be_bytes();
    let id = id.as_bytes();
    let [of_id, of_apu, of_apv] = [prefix(id)?, prefix(apu)?, prefix(apv)?];
    counted(Hash::Sha256, &[], &[secret, &of_id, id, &of_apu, apu, &of_apv, apv, &bits], length)
}

/// `H(Z ‖ 1 ‖ SharedInfo) ‖ H(Z ‖ 2 ‖ SharedInfo) …` (SEC 1 §3.6.1).
pub(crate) fn x963(hash: Hash, secret: &[u8], info: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    counted(hash, &[secret], &[info], length)
}

/// Hashes of what stands before a counter, the counter from 1 on and what stands after it, cut to `length` bytes.
fn counted(hash: Hash, before: &[&[u8]], after: &[&[u8]], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = digest_of(hash);
    if length > LONGEST {
        return None;
    }
    let mut out = Zeroizing::new(Vec::with_capacity(length + algorithm.output_len()));
    for counter in 1_u32.. {
        if out.len() >= length {
            break;
        }
        let mut context = digest::Context::new(algorithm);
        before.iter().for_each(|part| context.update(part));
        context.update(&counter.to_be_bytes());
        after.iter().for_each(|part| context.update(part));
        out.extend_from_slice(context.finish().as_ref());
    }
    out.truncate(length);
    Some(out)
}

/// The hash itself.
pub(crate) const fn digest_of(hash: Hash) -> &'static digest::Algorithm {
    match hash {
        Hash::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => &SHA224,
        Hash::Sha256 => &SHA256,
        Hash::Sha384 => &SHA384,
        Hash::Sha512 => &SHA512,
    }
}

/// `PBKDF2(password, salt, iterations, length)` with HMAC of this hash (RFC 8018 §5.2).
pub(crate) fn password(
    hash: Hash,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = match hash {
        Hash::Sha1 => PBKDF2_HMAC_SHA1,
        Hash::Sha256 => PBKDF2_HMAC_SHA256,
        Hash::Sha384 => PBKDF2_HMAC_SHA384,
        Hash::Sha512 => PBKDF2_HMAC_SHA512,
        Hash::Sha224 => return None,
    };
    let iterations = NonZeroU32::new(iterations).filter(|iterations| iterations.get() <= ITERATIONS_MAX)?;
    if length == 0 || length > LONGEST {
        return None;
    }
    let mut out = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(algorithm, iterations, salt, password, &mut out);
    Some(out)
}

/// CEK-HKDF-SHA256 (RFC 9709 §2): the content key of a content algorithm, as long as the one at hand.
pub(crate) fn content_bound(cek: &[u8], info: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    hkdf(Hash::Sha256, Some(CEK_SALT), cek, &[info], cek.len())
}
