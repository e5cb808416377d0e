//! AES key unwrap (RFC 3394): on aws-lc-rs, which lacks AES-192, and there on `aes-kw`.

use aes_kw::{KeyInit, KwAes192};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use zeroize::Zeroizing;

use crate::key::Algorithm;
use crate::ops::Secret;

/// Shortest wrapped key: two blocks of 64 bits and the integrity check.
const SHORTEST: usize = 24;

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
