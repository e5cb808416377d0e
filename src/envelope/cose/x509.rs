//! Certificates in headers (RFC 9360): hints at a key. They are bounded and shown; a name made of them may select a key
//! that is pinned already, and nothing is ever fetched.
//!
//! Imports its neighbours and minicbor.

use std::ops::Range;

use minicbor::Decoder;
use minicbor::data::Type;

use super::headers::{byte_string, sized};
use crate::envelope::Fault;
use crate::item::Reason;

/// Most certificates of a chain or bag, and bytes of one (cose.md §6).
const CERTIFICATES: u64 = 8;
const CERTIFICATE: usize = 16 * 1024;
/// Longest digest, bytes.
const DIGEST: usize = 64;
/// Longest URL, bytes.
const URL: usize = 1024;

/// Certificates in DER, the end-entity's first where they are a chain.
pub(super) type Certificates = Vec<Range<usize>>;

/// Digest of a certificate in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbprint {
    /// Hash algorithm; none where it is named by a text.
    pub algorithm: Option<i64>,
    /// Digest.
    pub digest: Range<usize>,
}

/// A byte string, or an array of at least two (RFC 9360 §2).
pub(super) fn certificates(decoder: &mut Decoder<'_>, base: usize) -> Result<Certificates, Fault> {
    if matches!(decoder.datatype(), Ok(Type::Bytes)) {
        return Ok(vec![byte_string(decoder, base, 1..=CERTIFICATE)?]);
    }
    let count = decoder.array().ok().flatten().ok_or(Fault::malformed("certificates are byte strings"))?;
    if count < 2 {
        return Err(Fault::malformed("an array of less than two certificates"));
    }
    if count > CERTIFICATES {
        return Err(Fault { reason: Reason::TooLarge, detail: "too many certificates" });
    }
    (0..count).map(|_| byte_string(decoder, base, 1..=CERTIFICATE)).collect()
}

/// `[hash algorithm, digest]`.
pub(super) fn thumbprint(decoder: &mut Decoder<'_>, base: usize) -> Result<Thumbprint, Fault> {
    const FAULT: Fault = Fault::malformed("a thumbprint is an algorithm and a digest");
    if decoder.array().ok().flatten() != Some(2) {
        return Err(FAULT);
    }
    let algorithm = match decoder.datatype() {
        Ok(Type::String) => decoder.str().map(|_| None).map_err(|_| FAULT)?,
        _ => Some(decoder.i64().map_err(|_| FAULT)?),
    };
    Ok(Thumbprint { algorithm, digest: byte_string(decoder, base, 1..=DIGEST)? })
}

/// A text, tagged as a URI or not.
pub(super) fn url(decoder: &mut Decoder<'_>, base: usize) -> Result<Range<usize>, Fault> {
    const FAULT: Fault = Fault::malformed("a URI is a text");
    if matches!(decoder.datatype(), Ok(Type::Tag)) {
        decoder.tag().map_err(|_| FAULT)?;
    }
    let length = decoder.str().map_err(|_| FAULT)?.len();
    sized(decoder, base, length, 1..=URL)
}
