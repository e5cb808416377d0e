//! COSE messages (RFC 9052), read strictly: definite lengths, shortest forms, no duplicate labels, nothing left over.
//!
//! Imports `item`, `envelope`, minicbor. Protected bytes are kept verbatim; `h'a0'` counts as `h''` (RFC 9052 §5.3).
//! `scan` walks the bytes once with a bounded stack; `headers` and the typed walk here then read what is known to be
//! well-formed.

use std::ops::Range;
use std::sync::Arc;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::envelope::{Binding, Fault};
use crate::item::{CoseType, Reason};

mod describe;
pub mod headers;
mod profile;
mod scan;

pub use headers::{Bucket, Ephemeral, EphemeralY, Headers};
pub use profile::Place;

/// Most recipients of a message (cose.md §6).
const RECIPIENTS: u64 = 64;
/// CBOR tag of a CWT, which may stand outside of any message (RFC 8392 §6).
const CWT: u64 = 61;

/// The structures that this reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// COSE_Encrypt.
    Encrypt,
    /// COSE_Encrypt0.
    Encrypt0,
    /// COSE_Sign1.
    Sign1,
}

impl Structure {
    /// The name in RFC 9052.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "COSE_Encrypt",
            Self::Encrypt0 => "COSE_Encrypt0",
            Self::Sign1 => "COSE_Sign1",
        }
    }
}

/// A parsed message: `[protected, unprotected, content, signature | recipients]`, RFC 9052 §4.2, §5.1, §5.2.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Arc<[u8]>,
    structure: Structure,
    place: Place,
    protected: Range<usize>,
    headers: Headers,
    content: Range<usize>,
    signature: Range<usize>,
    recipients: Vec<Recipient>,
}

/// `[protected, unprotected, ciphertext]`, RFC 9052 §5.1.
#[derive(Clone, Debug)]
pub struct Recipient {
    protected: Range<usize>,
    headers: Headers,
    ciphertext: Range<usize>,
    nested: bool,
}

/// Whether `bytes` are one whole COSE message of any type, tagged or named, nothing left over.
pub fn is_whole(bytes: &[u8], named: Option<CoseType>) -> bool {
    scan::scan(bytes, 0).is_ok_and(|end| end == bytes.len()) && frame(bytes, named).is_ok_and(|frame| frame.plausible)
}

/// Splits a CBOR sequence (RFC 8742) of tagged messages; none where one of them is no whole message.
pub fn sequence(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + scan::scan(&bytes[at..], 0).ok()?;
        is_whole(&bytes[at..end], None).then_some(())?;
        parts.push(at..end);
        at = end;
    }
    Some(parts)
}

/// Where the message array starts, and of what type it is.
struct Frame {
    cose_type: CoseType,
    start: usize,
    /// The array has the arity and the first elements of that type.
    plausible: bool,
}

/// Reads the tags before the message array. `bytes` were scanned.
fn frame(bytes: &[u8], named: Option<CoseType>) -> Result<Frame, Fault> {
    let mut decoder = Decoder::new(bytes);
    let mut tagged = None;
    while matches!(decoder.datatype(), Ok(Type::Tag)) {
        let tag = decoder.tag().map_err(|_| Fault::malformed("tag"))?.as_u64();
        match (tag, tagged) {
            (CWT, None) if decoder.position() <= 2 => {}
            (_, None) => tagged = Some(type_of_tag(tag).ok_or(Fault::malformed("tag of no COSE message"))?),
            (_, Some(_)) => return Err(Fault::malformed("a second tag")),
        }
    }
    let cose_type = match (tagged, named) {
        (Some(tagged), Some(named)) if tagged != named => {
            return Err(Fault::malformed("tagged as another structure than named"));
        }
        (Some(cose_type), _) | (None, Some(cose_type)) => cose_type,
        (None, None) => return Err(Fault::malformed("no COSE message: untagged, and no structure named")),
    };
    let start = decoder.position();
    Ok(Frame { cose_type, start, plausible: plausible(&mut decoder, cose_type).is_some() })
}

/// Arity of the array, a byte string, a map, and a byte string or nil, as all message types begin.
fn plausible(decoder: &mut Decoder<'_>, cose_type: CoseType) -> Option<()> {
    let arity = match cose_type {
        CoseType::Encrypt0 => 3,
        CoseType::Mac0 | CoseType::Sign1 | CoseType::Encrypt | CoseType::Sign => 4,
        CoseType::Mac => 5,
    };
    (decoder.array().ok()? == Some(arity)).then_some(())?;
    decoder.bytes().ok()?;
    (decoder.datatype().ok()? == Type::Map).then_some(())?;
    decoder.skip().ok()?;
    matches!(decoder.datatype().ok()?, Type::Bytes | Type::Null).then_some(())
}

const fn type_of_tag(tag: u64) -> Option<CoseType> {
    // RFC 9052 §2, table 1
    Some(match tag {
        16 => CoseType::Encrypt0,
        17 => CoseType::Mac0,
        18 => CoseType::Sign1,
        96 => CoseType::Encrypt,
        97 => CoseType::Mac,
        98 => CoseType::Sign,
        _ => return None,
    })
}

impl Message {
    /// Parses one message that fills `bytes`.
    pub fn parse(bytes: &Arc<[u8]>, named: Option<CoseType>, place: Place) -> Result<Self, Fault> {
        if scan::scan(bytes, 0)? != bytes.len() {
            return Err(Fault::malformed("bytes after the message"));
        }
        let frame = frame(bytes, named)?;
        if !frame.plausible {
            return Err(Fault::malformed("not the elements of its structure"));
        }
        let structure = match frame.cose_type {
            CoseType::Encrypt => Structure::Encrypt,
            CoseType::Encrypt0 => Structure::Encrypt0,
            CoseType::Sign1 => Structure::Sign1,
            CoseType::Mac | CoseType::Mac0 | CoseType::Sign => {
                return Err(Fault::unsupported("a COSE structure that this version does not open"));
            }
        };
        Self::elements(bytes, structure, place, frame.start)
    }

    /// Reads the array at `start`.
    fn elements(bytes: &Arc<[u8]>, structure: Structure, place: Place, start: usize) -> Result<Self, Fault> {
        let mut walk = Walk::at(bytes, start);
        walk.array()?;
        let (protected, headers) = walk.buckets()?;
        let content = walk.byte_string().map_err(|_| Fault::malformed("detached content is not supplied"))?;
        let (mut signature, mut recipients) = (0..0, Vec::new());
        match structure {
            Structure::Sign1 => signature = walk.byte_string()?,
            Structure::Encrypt => recipients = walk.recipients()?,
            Structure::Encrypt0 => {}
        }
        let bytes = Arc::clone(bytes);
        let message = Self { bytes, structure, place, protected, headers, content, signature, recipients };
        message.check_algorithm()?;
        message.check_nonce()?;
        Ok(message)
    }

    /// The algorithm is authenticated (RFC 9052 §3.1) and known.
    fn check_algorithm(&self) -> Result<(), Fault> {
        let Some(alg) = &self.headers.alg else { return Err(Fault::malformed("no algorithm")) };
        if alg.bucket != Bucket::Protected {
            return Err(Fault { reason: Reason::AlgNotProtected, detail: "algorithm in the unprotected header" });
        }
        match self.algorithm() {
            Some(_) => Ok(()),
            None => Err(Fault::unsupported("an algorithm that this version does not know")),
        }
    }

    /// An AEAD needs an IV or a Partial IV (RFC 9052 §3.1).
    const fn check_nonce(&self) -> Result<(), Fault> {
        let nonce = self.headers.iv.is_some() || self.headers.partial_iv.is_some();
        if nonce || matches!(self.structure, Structure::Sign1) { Ok(()) } else { Err(Fault::malformed("no IV")) }
    }

    /// Where the message stands.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The structure.
    pub const fn structure(&self) -> Structure {
        self.structure
    }

    /// The headers of the message's body.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The recipients of a COSE_Encrypt.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Bytes of a header value.
    pub fn slice(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    /// Ciphertext and tag, or the signed payload.
    pub fn content(&self) -> &[u8] {
        self.slice(&self.content)
    }

    /// The signature of a COSE_Sign1.
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.signature)
    }

    /// The registered name of the body's algorithm.
    pub fn algorithm(&self) -> Option<&'static str> {
        let id = self.headers.alg.as_ref()?.value?;
        match self.structure {
            Structure::Sign1 => signature_algorithm(id),
            Structure::Encrypt | Structure::Encrypt0 => content_algorithm(id),
        }
    }

    /// The kids that this layer asks for: its own, or its recipients'.
    pub fn kids(&self) -> impl Iterator<Item = &[u8]> {
        let own = (self.structure != Structure::Encrypt).then_some(&self.headers);
        let of_recipients = self.recipients.iter().map(|recipient| &recipient.headers);
        own.into_iter()
            .chain(of_recipients)
            .filter_map(|headers| headers.kid.as_ref())
            .map(|kid| self.slice(&kid.value))
    }

    /// Enc_structure (RFC 9052 §5.3) or Sig_structure (§4.4) under `binding`.
    pub fn authenticated(&self, binding: &Binding) -> Vec<u8> {
        let (context, payload) = match self.structure {
            Structure::Encrypt => ("Encrypt", None),
            Structure::Encrypt0 => ("Encrypt0", None),
            Structure::Sign1 => ("Signature1", Some(self.content())),
        };
        let protected = self.body_protected();
        let payload_size = payload.map_or(0, <[u8]>::len);
        let mut out = Vec::with_capacity(32 + protected.len() + binding.aad.len() + payload_size);
        let mut encoder = Encoder::new(&mut out);
        // Writing to a Vec does not fail.
        let _ = encoder
            .array(if payload.is_some() { 4 } else { 3 })
            .and_then(|e| e.str(context)?.bytes(protected)?.bytes(&binding.aad))
            .and_then(|e| payload.map_or(Ok(()), |payload| e.bytes(payload).map(|_| ())));
        out
    }

    /// Protected bytes as they enter a structure: a zero-length map is a zero-length string (RFC 9052 §5.3 step 2).
    fn body_protected(&self) -> &[u8] {
        match self.slice(&self.protected) {
            [0xa0] => &[],
            protected => protected,
        }
    }

    /// COSE_KDF_Context of a key-agreement recipient, all party fields null (RFC 9053 §5.2).
    /// `algorithm` is the key-wrap id, not the content algorithm.
    pub fn kdf_context(&self, recipient: &Recipient) -> Vec<u8> {
        let id = recipient.headers.alg.as_ref().and_then(|alg| alg.value).unwrap_or_default();
        let (wrap, bits) = if id == -29 { (-3, 128) } else { (-5, 256) };
        let protected = self.slice(&recipient.protected);
        let mut out = Vec::with_capacity(20 + protected.len());
        let mut encoder = Encoder::new(&mut out);
        let nobody = |e: &mut Encoder<&mut Vec<u8>>| e.array(3)?.null()?.null()?.null().map(|_| ());
        // Writing to a Vec does not fail.
        let _ = encoder.array(4).and_then(|e| e.i64(wrap).map(|_| ()));
        let _ = nobody(&mut encoder).and_then(|()| nobody(&mut encoder));
        let _ = encoder.array(2).and_then(|e| e.u64(bits)?.bytes(protected).map(|_| ()));
        out
    }
}

impl Recipient {
    /// The recipient's headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Range of the wrapped key.
    pub const fn ciphertext(&self) -> &Range<usize> {
        &self.ciphertext
    }

    /// The registered name of the recipient's algorithm; none where this reader cannot use the recipient, which then is
    /// skipped and harms no other (cose.md §3, key binding).
    pub fn algorithm(&self) -> Option<&'static str> {
        let alg = self.headers.alg.as_ref()?;
        (alg.bucket == Bucket::Protected && !self.nested).then_some(())?;
        match alg.value? {
            -29 => Some("ECDH-ES+A128KW"),
            -31 => Some("ECDH-ES+A256KW"),
            _ => None,
        }
    }
}

const fn content_algorithm(id: i64) -> Option<&'static str> {
    // RFC 9053 §4
    Some(match id {
        1 => "A128GCM",
        3 => "A256GCM",
        10 => "AES-CCM-16-64-128",
        24 => "ChaCha20-Poly1305",
        30 => "AES-CCM-16-128-128",
        _ => return None,
    })
}

const fn signature_algorithm(id: i64) -> Option<&'static str> {
    // RFC 9053 §2, RFC 9864
    Some(match id {
        -7 => "ES256",
        -9 => "ESP256",
        // EdDSA: the key's curve decides; only Ed25519 keys exist here
        -8 | -19 => "Ed25519",
        _ => return None,
    })
}

/// The typed walk over scanned bytes.
struct Walk<'a> {
    bytes: &'a [u8],
    decoder: Decoder<'a>,
}

impl<'a> Walk<'a> {
    fn at(bytes: &'a [u8], start: usize) -> Self {
        let mut decoder = Decoder::new(bytes);
        decoder.set_position(start);
        Self { bytes, decoder }
    }

    fn array(&mut self) -> Result<u64, Fault> {
        self.decoder.array().ok().flatten().ok_or(Fault::malformed("an array is due"))
    }

    fn byte_string(&mut self) -> Result<Range<usize>, Fault> {
        let length = self.decoder.bytes().map_err(|_| Fault::malformed("a byte string is due"))?.len();
        let end = self.decoder.position();
        Ok(end - length..end)
    }

    /// The protected bucket, verbatim, and the headers of both buckets.
    fn buckets(&mut self) -> Result<(Range<usize>, Headers), Fault> {
        let protected = self.byte_string()?;
        if !protected.is_empty() && scan::scan(&self.bytes[protected.clone()], 1)? != protected.len() {
            return Err(Fault::malformed("bytes after the protected header map"));
        }
        let unprotected = self.decoder.position();
        let mut headers = Headers::default();
        headers.read(self.bytes, protected.clone(), Bucket::Protected)?;
        self.decoder.skip().map_err(|_| Fault::malformed("a header map is due"))?;
        headers.read(self.bytes, unprotected..self.decoder.position(), Bucket::Unprotected)?;
        headers.check()?;
        Ok((protected, headers))
    }

    fn recipients(&mut self) -> Result<Vec<Recipient>, Fault> {
        let count = self.array()?;
        if count == 0 {
            return Err(Fault::malformed("no recipient"));
        }
        if count > RECIPIENTS {
            return Err(Fault { reason: Reason::TooLarge, detail: "too many recipients" });
        }
        (0..count).map(|_| self.recipient()).collect()
    }

    fn recipient(&mut self) -> Result<Recipient, Fault> {
        let arity = self.array()?;
        if !(3..=4).contains(&arity) {
            return Err(Fault::malformed("not the elements of a recipient"));
        }
        let (protected, headers) = self.buckets()?;
        let ciphertext = match self.decoder.datatype() {
            Ok(Type::Null) => self.decoder.skip().map(|()| 0..0).map_err(|_| Fault::malformed("recipient"))?,
            _ => self.byte_string()?,
        };
        let nested = arity == 4;
        if nested {
            self.decoder.skip().map_err(|_| Fault::malformed("recipient"))?;
        }
        Ok(Recipient { protected, headers, ciphertext, nested })
    }
}

#[cfg(test)]
mod tests;
