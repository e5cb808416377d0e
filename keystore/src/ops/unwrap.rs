//! Key unwrap: AES (RFC 3394) on aws-lc-rs, which lacks AES-192, and there on `aes-kw`; triple DES (RFC 3217); under a
//! password (RFC 3211). What does not belong to the KEK is told by the check in it, in constant time.

use aes_kw::{KeyInit, KwAes192};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::Secret;
use crate::ops::cbc::{Cbc, DES_BLOCK};

/// Shortest wrapped key: two blocks of 64 bits and the integrity check.
const SHORTEST: usize = 24;

/// IV of the outer encryption (RFC 3217 §3.2).
const DES_IV: [u8; DES_BLOCK] = [0x4a, 0xdd, 0xa2, 0x2c, 0x79, 0xe8, 0x21, 0x05];

/// The key that was wrapped, if the KEK has the algorithm's length.
pub(crate) fn unwrap(wrap: Algorithm, kek: &[u8], wrapped: &[u8]) -> Option<Secret> {
    if wrap.wrap()? != kek.len() || wrapped.len() < SHORTEST || !wrapped.len().is_multiple_of(8) {
        return None;
    }
    let mut key = Zeroizing::new(vec![0; wrapped.len() - 8]);
    let unwrapped = match wrap {
        Algorithm::A128Kw => AesKek::new(&AES_128, kek).and_then(|kek| kek.unwrap(wrapped, &mut key).map(drop)).is_ok(),
        Algorithm::A256Kw => AesKek::new(&AES_256, kek).and_then(|kek| kek.unwrap(wrapped, &mut key).map(drop)).is_ok(),
        _ => KwAes192::new_from_slice(kek).is_ok_and(|kek| kek.unwrap_key(wrapped, &mut key).is_ok()),
    };
    unwrapped.then_some(key)
}

/// RFC 3217 §3.2: decrypted under the fixed IV, turned round, decrypted under the IV that is then in front; the first eight
/// bytes of SHA-1 over the key follow it.
pub(crate) fn unwrap_des(kek: &[u8], wrapped: &[u8]) -> Option<Secret> {
    let kek = Cbc::new(Algorithm::Des3Cbc, kek)?;
    let mut whole = Zeroizing::new(wrapped.to_vec());
    kek.decrypt(&DES_IV, &mut whole)?;
    whole.reverse();
    let (iv, inner) = whole.split_at_mut_checked(DES_BLOCK)?;
    kek.decrypt(iv, inner)?;
    let (key, check) = inner.split_at(inner.len().checked_sub(DES_BLOCK)?);
    let expected = digest(&SHA1_FOR_LEGACY_USE_ONLY, key);
    let holds = expected.as_ref().get(..DES_BLOCK)?.ct_eq(check);
    bool::from(holds).then(|| Zeroizing::new(key.to_vec()))
}

/// RFC 3211 §2.3.2: the last block, decrypted under the one before it, is the IV of the outer encryption; the IV on the wire
/// is that of the inner one. Then `length ‖ complement of the key's first three bytes ‖ key ‖ padding`.
pub(crate) fn unwrap_password(
    algorithm: Algorithm,
    kek: &[u8],
    iv: &[u8],
    wrapped: &[u8],
    length: usize,
) -> Option<Secret> {
    let kek = Cbc::new(algorithm, kek)?;
    let block = kek.block();
    if wrapped.len() < 2 * block || length < 3 || wrapped.len() < 4 + length {
        return None;
    }
    let mut whole = Zeroizing::new(wrapped.to_vec());
    let (before, last) = whole.split_at_mut(wrapped.len() - block);
    kek.decrypt(&wrapped[before.len() - block..before.len()], last)?;
    kek.decrypt(last, before)?;
    kek.decrypt(iv, &mut whole)?;
    let mut stated = [0; 4];
    stated[0] = u8::try_from(length).ok()?;
    stated[1..].iter_mut().zip(&whole[4..7]).for_each(|(check, byte)| *check = !byte);
    let holds = whole[..4].ct_eq(&stated);
    bool::from(holds).then(|| Zeroizing::new(whole[4..4 + length].to_vec()))
}
