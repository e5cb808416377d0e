//! The typed walk over bytes that the scan found well-formed: elements of a message, its buckets, recipients, signers.
//!
//! Imports its neighbours, `envelope` and minicbor. What compat names allow inside a protected bucket is read from a
//! strict copy behind the message's own bytes; the bucket itself stays verbatim.

use std::ops::Range;
use std::sync::Arc;

use minicbor::Decoder;
use minicbor::data::Type;

use super::algorithm::Algorithm;
use super::headers::{self, Bucket, Headers, Level};
use super::recipient::{LAYERS, Recipient, Signer};
use super::{Message, Place, lenient, scan};
use crate::envelope::{Fault, Reading};
use crate::item::{CoseType, Reason};

/// Most recipients of a message, on all layers, and most signers (cose.md §6).
const RECIPIENTS: usize = 64;
const SIGNERS: usize = 16;
/// Most countersignatures of a message.
const COUNTERSIGNATURES: usize = 16;

/// Reads the array at `start`.
pub(super) fn message(
    bytes: &Arc<[u8]>,
    structure: CoseType,
    place: Place,
    start: usize,
    reading: &Reading<'_>,
) -> Result<Message, Fault> {
    let mut walk = Walk::at(bytes, start, reading);
    walk.array()?;
    let (protected, headers) = walk.buckets(Level::Body)?;
    let (content, detached) = walk.content()?;
    let authenticator = match structure {
        CoseType::Mac | CoseType::Mac0 | CoseType::Sign1 => walk.byte_string()?,
        CoseType::Encrypt | CoseType::Encrypt0 | CoseType::Sign => 0..0,
    };
    let recipients = match structure {
        CoseType::Encrypt | CoseType::Mac => walk.recipients(1)?,
        _ => Vec::new(),
    };
    let signers = if structure == CoseType::Sign { walk.signers()? } else { Vec::new() };
    let algorithm = headers.alg.as_ref().and_then(|alg| alg.value).and_then(Algorithm::of);
    let algorithm = algorithm.filter(|_| structure != CoseType::Sign);
    let bytes =
        if walk.beside.is_empty() { Arc::clone(bytes) } else { Arc::from([bytes, walk.beside.as_slice()].concat()) };
    let message = Message {
        bytes,
        structure,
        place,
        protected,
        headers,
        algorithm,
        content,
        detached,
        authenticator,
        recipients,
        signers,
        compat: reading.compat.kept(),
    };
    if message.countersignatures().nth(COUNTERSIGNATURES).is_some() {
        return Err(Fault { reason: Reason::TooLarge, detail: "too many countersignatures" });
    }
    Ok(message)
}

struct Walk<'a> {
    bytes: &'a [u8],
    decoder: Decoder<'a>,
    reading: &'a Reading<'a>,
    /// Bytes that ranges may refer to beside the message's own, which they follow.
    beside: Vec<u8>,
    recipients: usize,
}

impl<'a> Walk<'a> {
    fn at(bytes: &'a [u8], start: usize, reading: &'a Reading<'a>) -> Self {
        let mut decoder = Decoder::new(bytes);
        decoder.set_position(start);
        Self { bytes, decoder, reading, beside: Vec::new(), recipients: 0 }
    }

    fn array(&mut self) -> Result<u64, Fault> {
        self.decoder.array().ok().flatten().ok_or(Fault::malformed("an array is due"))
    }

    fn byte_string(&mut self) -> Result<Range<usize>, Fault> {
        let length = self.decoder.bytes().map_err(|_| Fault::malformed("a byte string is due"))?.len();
        let end = self.decoder.position();
        Ok(end - length..end)
    }

    fn is_nil(&mut self) -> bool {
        let nil = matches!(self.decoder.datatype(), Ok(Type::Null));
        nil && self.decoder.null().is_ok()
    }

    /// The content, here or supplied beside (RFC 9052 §2): where it is from is the caller's to say, never the message's.
    fn content(&mut self) -> Result<(Range<usize>, bool), Fault> {
        match (self.is_nil(), self.reading.detached) {
            (true, None) => Err(Fault::malformed("detached content is not supplied")),
            (true, Some(detached)) => Ok((self.keep(detached), true)),
            (false, None) => Ok((self.byte_string()?, false)),
            (false, Some(_)) => Err(Fault::malformed("content in the message and beside it")),
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len() + self.beside.len();
        self.beside.extend_from_slice(bytes);
        start..start + bytes.len()
    }

    /// The protected bucket, verbatim, and the headers of both buckets.
    fn buckets(&mut self, level: Level) -> Result<(Range<usize>, Headers), Fault> {
        let reading = headers::Reading { level, compat: self.reading.compat };
        let protected = self.byte_string()?;
        let start = self.decoder.position();
        self.decoder.skip().map_err(|_| Fault::malformed("a header map is due"))?;
        let unprotected = &self.bytes[start..self.decoder.position()];
        let mut headers = Headers::default();
        self.protected(protected.clone(), &mut headers, reading)?;
        headers.read(unprotected, start, Bucket::Unprotected, reading)?;
        headers.check(reading.compat)?;
        Ok((protected, headers))
    }

    fn protected(
        &mut self,
        range: Range<usize>,
        headers: &mut Headers,
        reading: headers::Reading<'_>,
    ) -> Result<(), Fault> {
        let bytes = &self.bytes[range.clone()];
        match scan::whole(bytes) {
            Err(_) if lenient::is_allowed(reading.compat) => {
                let strict = lenient::strict(bytes, reading.compat)?;
                scan::whole(&strict)?;
                let base = self.keep(&strict).start;
                headers.read(&strict, base, Bucket::Protected, reading)
            }
            Err(fault) => Err(fault),
            Ok(()) => headers.read(bytes, range.start, Bucket::Protected, reading),
        }
    }

    fn recipients(&mut self, layer: usize) -> Result<Vec<Recipient>, Fault> {
        if layer > LAYERS {
            return Err(Fault::malformed("more layers of recipients than allowed"));
        }
        let count = self.count(RECIPIENTS, "no recipient", "too many recipients")?;
        self.recipients += count;
        if self.recipients > RECIPIENTS {
            return Err(Fault { reason: Reason::TooLarge, detail: "too many recipients" });
        }
        (0..count).map(|_| self.recipient(layer)).collect()
    }

    fn count(&mut self, most: usize, none: &'static str, many: &'static str) -> Result<usize, Fault> {
        match usize::try_from(self.array()?) {
            Ok(0) => Err(Fault::malformed(none)),
            Ok(count) if count <= most => Ok(count),
            _ => Err(Fault { reason: Reason::TooLarge, detail: many }),
        }
    }

    fn recipient(&mut self, layer: usize) -> Result<Recipient, Fault> {
        let arity = self.array()?;
        if !(3..=4).contains(&arity) {
            return Err(Fault::malformed("not the elements of a recipient"));
        }
        let (protected, headers) = self.buckets(Level::Recipient)?;
        let ciphertext = if self.is_nil() { None } else { Some(self.byte_string()?) };
        let recipients = if arity == 4 { self.recipients(layer + 1)? } else { Vec::new() };
        Ok(Recipient { protected, headers, ciphertext, recipients, fault: None })
    }

    fn signers(&mut self) -> Result<Vec<Signer>, Fault> {
        let count = self.count(SIGNERS, "no signer", "too many signers")?;
        (0..count).map(|_| self.signer()).collect()
    }

    fn signer(&mut self) -> Result<Signer, Fault> {
        if self.array()? != 3 {
            return Err(Fault::malformed("not the elements of a signer"));
        }
        let (protected, headers) = self.buckets(Level::Signer)?;
        let signature = self.byte_string()?;
        Ok(Signer { protected, headers, signature, fault: None })
    }
}
