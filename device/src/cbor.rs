//! Deterministic CBOR into a vector: definite lengths, shortest forms (RFC 8949 §4.2.1), by `minicbor`.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::encode::{Encoder, Error};

/// An encoder that cannot fail to write.
pub(crate) type Writer<'a> = Encoder<&'a mut Vec<u8>>;

/// The bytes that `build` writes.
#[expect(clippy::expect_used, reason = "a vector takes every write")]
pub(crate) fn bytes(build: impl FnOnce(&mut Writer<'_>) -> Result<(), Error<Infallible>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    build(&mut Encoder::new(&mut bytes)).expect("a vector takes every write");
    bytes
}
