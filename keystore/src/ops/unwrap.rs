//! AES key unwrap (RFC 3394).

use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use zeroize::Zeroizing;

use crate::key::Algorithm;

/// Bytes of the KEK that this algorithm wraps with; none if it wraps nothing.
pub(crate) const fn kek_length(wrap: Algorithm) -> Option<usize> {
    match wrap {
        Algorithm::EcdhEsA128Kw => Some(16),
        Algorithm::EcdhEsA256Kw => Some(32),
        _ => None,
    }
}

/// The CEK, which has exactly the content algorithm's length.
pub(crate) fn cek(wrap: Algorithm, kek: &[u8], wrapped: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    if wrapped.len() != length + 8 {
        return None;
    }
    let cipher = if kek_length(wrap)? == 16 { &AES_128 } else { &AES_256 };
    let mut cek = Zeroizing::new(vec![0; length]);
    AesKek::new(cipher, kek).and_then(|kek| kek.unwrap(wrapped, &mut cek).map(drop)).ok()?;
    Some(cek)
}
