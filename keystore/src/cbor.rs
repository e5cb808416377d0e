//! Deterministic CBOR (RFC 8949 §4.2.1) for what the keystore alone writes: additional data, KDF info, key records.
//! minicbor writes shortest forms; the callers keep maps sorted. No message format is read here.

use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::encode::Error;
use zeroize::Zeroizing;

/// Writer handed to [`build`].
pub(crate) type Writer = Encoder<Vec<u8>>;

/// What `write` writes. `capacity` is reserved first, so that bytes of a secret are not left behind by a reallocation.
#[expect(clippy::expect_used, reason = "writing to a Vec cannot fail")]
pub(crate) fn build(capacity: usize, write: impl FnOnce(&mut Writer) -> Result<(), Error<Infallible>>) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(capacity));
    write(&mut encoder).expect("a Vec takes every byte");
    encoder.into_writer()
}

/// One byte string, of bytes that are secret.
pub(crate) fn byte_string(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(build(bytes.len() + 9, |out| out.bytes(bytes)?.ok()))
}
