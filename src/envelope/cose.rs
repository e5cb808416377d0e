//! COSE messages (RFC 9052), read strictly: definite lengths, shortest forms, no duplicate labels, nothing left over.
//!
//! Imports `item`, `envelope`, minicbor. Protected bytes are kept verbatim; `h'a0'` counts as `h''` (RFC 9052 §5.3).
//! `scan` walks the bytes once with a bounded stack (`lenient` rewrites what compat names allow beside); `walk` then
//! reads by type what is known to be well-formed, `headers` its buckets; `recipient` says who may be tried, `structure`
//! builds what a layer authenticates.

use std::ops::Range;
use std::sync::Arc;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::envelope::{Fault, Reading};
use crate::item::{Compat, ContentType, CoseType, Departure, KeyName, Reason};

mod algorithm;
mod countersign;
mod describe;
pub mod headers;
mod key;
mod lenient;
mod profile;
mod recipient;
mod scan;
mod structure;
mod walk;
mod x509;

pub use algorithm::{Algorithm, Kind, Management};
pub use countersign::{Countersignature, Target};
pub use headers::{Bucket, Headers};
pub use key::{Ordinate, PublicKey};
pub use profile::Place;
pub use recipient::{Recipient, Signer, Way};
pub use structure::{Contradiction, KdfInputs, Party};
pub use x509::Thumbprint;

/// CBOR tag of a CWT, which may stand outside of any message (RFC 8392 §6).
const CWT: u64 = 61;
/// Bytes of an IV of AES-CTR and AES-CBC (RFC 9459 §4.1, §5.1).
const CIPHER_IV: usize = 16;
/// Bytes of an Ed448 signature (RFC 8032 §5.2.6): the only sign of the curve that EdDSA gives before the key is known.
const ED448: usize = 114;

const NOT_PROTECTED: Fault = Fault { reason: Reason::AlgNotProtected, detail: "algorithm in the unprotected header" };

/// A parsed message: `[protected, unprotected, content, signature | tag | signers, recipients]`.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Arc<[u8]>,
    structure: CoseType,
    place: Place,
    protected: Range<usize>,
    headers: Headers,
    algorithm: Option<&'static Algorithm>,
    content: Range<usize>,
    detached: bool,
    authenticator: Range<usize>,
    recipients: Vec<Recipient>,
    signers: Vec<Signer>,
    /// None: strictly.
    compat: Option<Box<Compat>>,
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

/// Whether an algorithm of this kind can make a body of this structure.
const fn serves(structure: CoseType, kind: Kind) -> bool {
    match kind {
        Kind::Aead { .. } | Kind::Cipher { .. } => structure.encrypts(),
        Kind::Hpke => matches!(structure, CoseType::Encrypt0),
        Kind::Mac { .. } => matches!(structure, CoseType::Mac | CoseType::Mac0),
        Kind::Signature => matches!(structure, CoseType::Sign1),
        Kind::Management(_) => false,
    }
}

impl Message {
    /// Parses one message that fills `bytes`.
    pub fn parse(
        bytes: &Arc<[u8]>,
        named: Option<CoseType>,
        place: Place,
        reading: &Reading<'_>,
    ) -> Result<Self, Fault> {
        let strict;
        let (bytes, end) = match scan::scan(bytes, 0) {
            Err(fault) if fault.reason == Reason::Malformed && lenient::is_allowed(reading.compat) => {
                strict = Arc::from(lenient::strict(bytes, reading.compat)?);
                (&strict, scan::scan(&strict, 0)?)
            }
            scanned => (bytes, scanned?),
        };
        if end != bytes.len() {
            return Err(Fault::malformed("bytes after the message"));
        }
        let frame = frame(bytes, named)?;
        if !frame.plausible {
            return Err(Fault::malformed("not the elements of its structure"));
        }
        let mut message = walk::message(bytes, frame.cose_type, place, frame.start, reading)?;
        recipient::judge(&mut message.recipients, reading.compat)?;
        for signer in &mut message.signers {
            signer.fault = signer.judge(reading.compat);
        }
        message.check(reading.compat)?;
        Ok(message)
    }

    /// What can be refused without a key, in the order of contract.md §4.
    fn check(&self, compat: &Compat) -> Result<(), Fault> {
        if self.structure != CoseType::Sign {
            self.check_algorithm()?;
        }
        if self.headers.is_misunderstood() {
            return Err(headers::NOT_UNDERSTOOD);
        }
        self.check_protection(compat)?;
        match (self.first_fault(), self.ways().is_empty()) {
            (Some(fault), true) => Err(fault),
            _ => Ok(()),
        }
    }

    /// The body's algorithm is known, serves this structure, and has the IV that it needs.
    fn check_algorithm(&self) -> Result<(), Fault> {
        if self.headers.alg.is_none() {
            return Err(Fault::malformed("no algorithm"));
        }
        match self.algorithm {
            Some(algorithm) if serves(self.structure, algorithm.kind) => self.check_nonce(algorithm.kind),
            _ => Err(Fault::unsupported("an algorithm that this version does not know")),
        }
    }

    /// An AEAD needs an IV of its length, or a Partial IV that is no longer (RFC 9052 §3.1).
    fn check_nonce(&self, kind: Kind) -> Result<(), Fault> {
        let size = match kind {
            Kind::Aead { nonce, .. } => usize::from(nonce),
            Kind::Cipher { .. } => CIPHER_IV,
            Kind::Hpke => return self.check_encapsulated(),
            Kind::Mac { .. } | Kind::Signature | Kind::Management(_) => return Ok(()),
        };
        match (&self.headers.iv, &self.headers.partial_iv) {
            (Some(iv), None) if iv.value.len() == size => Ok(()),
            (None, Some(partial)) if (1..=size).contains(&partial.value.len()) => Ok(()),
            (None, None) => Err(Fault::malformed("no IV")),
            _ => Err(Fault::malformed("an IV of another length than the algorithm's")),
        }
    }

    /// What HPKE needs beside the ciphertext, and what has no place beside it: the nonce is the schedule's.
    fn check_encapsulated(&self) -> Result<(), Fault> {
        if self.headers.iv.is_some() || self.headers.partial_iv.is_some() {
            return Err(Fault::malformed("an IV where none is used"));
        }
        self.headers.check_encapsulated()
    }

    /// The algorithm is authenticated (RFC 9052 §3.1), unless nothing could be: what authenticates nothing has it
    /// unprotected, and stands below a layer that is authentic (RFC 9459 §8).
    fn check_protection(&self, compat: &Compat) -> Result<(), Fault> {
        let Some(algorithm) = self.algorithm else { return Ok(()) };
        let protected = self.headers.alg.as_ref().is_some_and(|alg| alg.bucket == Bucket::Protected);
        match algorithm.kind {
            Kind::Cipher { .. } if !self.protected.is_empty() => {
                Err(Fault::malformed("protected headers where nothing protects them"))
            }
            Kind::Cipher { .. } if self.place == Place::Outer => {
                let detail = "encryption without authentication";
                Err(Fault { reason: Reason::AlgNotAllowed, detail })
            }
            Kind::Cipher { .. } => Ok(()),
            _ if !protected && !compat.allows(Departure::UnprotectedAlg) => Err(NOT_PROTECTED),
            Kind::Signature => signature_is_off(algorithm, self.authenticator.len(), compat).map_or(Ok(()), Err),
            Kind::Aead { .. } | Kind::Hpke | Kind::Mac { .. } | Kind::Management(_) => Ok(()),
        }
    }

    /// The departures that it was read with.
    pub fn read_with(&self) -> &Compat {
        self.compat.as_deref().unwrap_or(Compat::STRICT)
    }

    /// Whether a recipient or signer is passed over, which other departures might not.
    pub fn passes_over(&self) -> bool {
        self.first_fault().is_some()
    }

    /// Where the message stands.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The structure.
    pub const fn structure(&self) -> CoseType {
        self.structure
    }

    /// The headers of the message's body.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The recipients of a COSE_Encrypt or COSE_Mac.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The signers of a COSE_Sign.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Bytes of a header value.
    pub fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// Ciphertext and tag, or the payload that is signed or authenticated.
    pub fn content(&self) -> &[u8] {
        self.slice(&self.content)
    }

    /// Whether the content was supplied beside the message.
    pub const fn is_detached(&self) -> bool {
        self.detached
    }

    /// The body's signature or tag, or the signer's on a way.
    pub fn authenticator(&self, way: Way) -> &[u8] {
        self.slice(self.signer(way).map_or(&self.authenticator, Signer::signature))
    }

    /// The body's algorithm; none for a COSE_Sign, whose signers have one each.
    pub const fn algorithm(&self) -> Option<&'static Algorithm> {
        self.algorithm
    }

    /// The kids that this layer asks for: its own, or those of its recipients or signers that may be tried.
    pub fn kids(&self) -> impl Iterator<Item = &[u8]> {
        let named = self.ways().into_iter().filter_map(|way| self.naming(way).kid.as_ref());
        named.map(|kid| self.slice(&kid.value))
    }

    /// The names by which this layer asks for keys; none where it names no key.
    pub fn key_names(&self) -> Vec<KeyName> {
        self.kids().map(|kid| KeyName::Kid(kid.to_vec())).collect()
    }

    /// The structure that the content is again, where its content type says so: a CoAP Content-Format of RFC 9052 §10.3
    /// or the media type `application/cose`.
    pub fn nested(&self) -> Option<CoseType> {
        nested_type(&self.headers.content_type.as_ref()?.value)
    }
}

/// Bytes of a protected bucket as they enter a structure: a map of no entries is no bytes (RFC 9052 §4.4, §5.3, §6.3).
const fn verbatim(protected: &[u8]) -> &[u8] {
    match protected {
        [0xa0] => &[],
        protected => protected,
    }
}

/// Why a signature algorithm is refused before any look-up, if it is.
fn signature_is_off(algorithm: &Algorithm, signature: usize, compat: &Compat) -> Option<Fault> {
    let ed448 = algorithm.name == "Ed448" || algorithm.name == "EdDSA" && signature == ED448;
    let off = ed448 && !compat.allows(Departure::Ed448);
    off.then_some(Fault { reason: Reason::AlgNotAllowed, detail: "Ed448 is off" })
}

/// What a content type says of an envelope within.
pub fn nested_type(content_type: &ContentType) -> Option<CoseType> {
    match content_type {
        ContentType::Format(number) => type_of_tag(*number),
        ContentType::Media(media) => {
            let (kind, parameters) = media.split_once(';')?;
            kind.trim().eq_ignore_ascii_case("application/cose").then_some(())?;
            let (name, value) = parameters.trim().split_once('=')?;
            name.trim().eq_ignore_ascii_case("cose-type").then_some(())?;
            Some(match value.trim().trim_matches('"') {
                "cose-encrypt" => CoseType::Encrypt,
                "cose-encrypt0" => CoseType::Encrypt0,
                "cose-mac" => CoseType::Mac,
                "cose-mac0" => CoseType::Mac0,
                "cose-sign" => CoseType::Sign,
                "cose-sign1" => CoseType::Sign1,
                _ => return None,
            })
        }
    }
}

#[cfg(test)]
mod tests;
