//! COSE header buckets (RFC 9052 §3.1): both read into one view that remembers where each value stood.
//!
//! Imports `envelope::Fault`, `item`, minicbor. A label in both buckets is refused; labels that this reader does not
//! know are counted, not interpreted.

use std::ops::Range;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::envelope::Fault;
use crate::item::{ContentType, Reason};

/// Most labels in crit (cose.md §6).
const CRIT: u64 = 16;
/// Longest kid, kid context and claim id, bytes.
const KID: usize = 256;
/// Longest text claim, bytes.
const CLAIM: usize = 1024;

/// Where a header stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Authenticated, once the layer is.
    Protected,
    /// A hint for ever.
    Unprotected,
}

/// A header value and its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<T> {
    /// The value.
    pub value: T,
    /// Where it stood.
    pub bucket: Bucket,
}

/// A header label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// Number.
    Int(i64),
    /// Text.
    Text(String),
}

/// CWT claims (RFC 8392 §3.1) in header 15 (RFC 9597).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// 2: subject.
    pub sub: Option<String>,
    /// 3: audience.
    pub aud: Option<String>,
    /// 6: issued at, seconds since the epoch.
    pub iat: Option<i64>,
    /// A known claim of another type than its due, or a claim outside the profile: refused only by policy.
    pub faulty: bool,
}

/// An ephemeral P-256 key (RFC 9053 §7.1.1), label -1 of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeral {
    /// x, 32 bytes.
    pub x: Range<usize>,
    /// y.
    pub y: EphemeralY,
}

/// The y of an ephemeral key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EphemeralY {
    /// 32 bytes.
    Full(Range<usize>),
    /// Sign bit.
    Odd(bool),
}

/// The headers of one layer, both buckets.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// 1: algorithm id; none where it is a text, which no registered algorithm is.
    pub alg: Option<Header<Option<i64>>>,
    /// 3: content type.
    pub content_type: Option<Header<ContentType>>,
    /// 4.
    pub kid: Option<Header<Range<usize>>>,
    /// 5.
    pub iv: Option<Header<Range<usize>>>,
    /// 6.
    pub partial_iv: Option<Header<Range<usize>>>,
    /// 10.
    pub kid_context: Option<Header<Range<usize>>>,
    /// 15.
    pub claims: Option<Header<Claims>>,
    /// 16.
    pub typ: Option<Header<ContentType>>,
    /// -1, where it is a P-256 key.
    pub ephemeral: Option<Header<Ephemeral>>,
    /// Labels that are none of these.
    pub unknown: Vec<Header<Label>>,
    pub(super) crit: Option<Vec<Label>>,
    unprotected: usize,
}

impl Headers {
    /// Whether the unprotected bucket is empty.
    pub const fn all_protected(&self) -> bool {
        self.unprotected == 0
    }

    /// How many headers other than alg, kid and ephemeral key are present and known.
    pub(super) fn others(&self) -> usize {
        let present = [
            self.content_type.is_some(),
            self.iv.is_some(),
            self.partial_iv.is_some(),
            self.kid_context.is_some(),
            self.claims.is_some(),
            self.typ.is_some(),
        ];
        present.iter().filter(|&&present| present).count()
    }

    /// Reads the map at `range` of `bytes`, which were scanned. An empty range is an empty map.
    pub(super) fn read(&mut self, bytes: &[u8], range: Range<usize>, bucket: Bucket) -> Result<(), Fault> {
        if range.is_empty() {
            return Ok(());
        }
        let mut decoder = Decoder::new(&bytes[..range.end]);
        decoder.set_position(range.start);
        let entries = decoder.map().ok().flatten().ok_or(Fault::malformed("a header bucket is a map"))?;
        for _ in 0..entries {
            let label = label(&mut decoder)?;
            self.entry(label, &mut decoder, bucket)?;
        }
        if bucket == Bucket::Unprotected {
            self.unprotected = usize::try_from(entries).unwrap_or(usize::MAX);
        }
        Ok(())
    }

    fn entry(&mut self, label: Label, decoder: &mut Decoder<'_>, bucket: Bucket) -> Result<(), Fault> {
        let Label::Int(number) = label else { return self.unknown_label(label, decoder, bucket) };
        match number {
            1 => set(&mut self.alg, algorithm(decoder)?, bucket),
            2 => self.critical(decoder, bucket),
            3 => set(&mut self.content_type, content_type(decoder)?, bucket),
            4 => set(&mut self.kid, byte_string(decoder, 1..=KID)?, bucket),
            5 => set(&mut self.iv, byte_string(decoder, 0..=KID)?, bucket),
            6 => set(&mut self.partial_iv, byte_string(decoder, 0..=KID)?, bucket),
            10 => set(&mut self.kid_context, byte_string(decoder, 0..=KID)?, bucket),
            15 => set(&mut self.claims, claims(decoder)?, bucket),
            16 => set(&mut self.typ, content_type(decoder)?, bucket),
            -1 => match ephemeral(decoder)? {
                Some(key) => set(&mut self.ephemeral, key, bucket),
                None => self.unknown_label(label, &mut Decoder::new(&[0xf6]), bucket),
            },
            _ => self.unknown_label(label, decoder, bucket),
        }
    }

    fn unknown_label(&mut self, label: Label, decoder: &mut Decoder<'_>, bucket: Bucket) -> Result<(), Fault> {
        decoder.skip().map_err(|_| Fault::malformed("a header value"))?;
        if self.unknown.iter().any(|known| known.value == label) {
            return Err(Fault::malformed("a label twice"));
        }
        self.unknown.push(Header { value: label, bucket });
        Ok(())
    }

    /// crit stands in the protected bucket, is not empty and names each label once (RFC 9052 §3.1).
    fn critical(&mut self, decoder: &mut Decoder<'_>, bucket: Bucket) -> Result<(), Fault> {
        if bucket == Bucket::Unprotected || self.crit.is_some() {
            return Err(Fault::malformed("crit outside the protected bucket"));
        }
        let length = decoder.array().ok().flatten().ok_or(Fault::malformed("crit is an array"))?;
        if !(1..=CRIT).contains(&length) {
            return Err(Fault::malformed("crit is empty or too long"));
        }
        let mut labels = Vec::new();
        for _ in 0..length {
            let label = label(decoder)?;
            if labels.contains(&label) {
                return Err(Fault::malformed("crit names a label twice"));
            }
            labels.push(label);
        }
        self.crit = Some(labels);
        Ok(())
    }

    /// What holds between headers.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.iv.is_some() && self.partial_iv.is_some() {
            return Err(Fault::malformed("IV and Partial IV"));
        }
        for label in self.crit.iter().flatten() {
            match self.bucket_of(label) {
                Some(Bucket::Protected) if self.understands(label) => {}
                Some(Bucket::Protected) => {
                    return Err(Fault { reason: Reason::CritNotUnderstood, detail: "a critical header" });
                }
                _ => return Err(Fault::malformed("crit names a label that is not in the protected bucket")),
            }
        }
        Ok(())
    }

    fn understands(&self, label: &Label) -> bool {
        !self.unknown.iter().any(|unknown| unknown.value == *label)
    }

    fn bucket_of(&self, label: &Label) -> Option<Bucket> {
        let known = match label {
            Label::Int(1) => self.alg.as_ref().map(|header| header.bucket),
            Label::Int(2) => self.crit.as_ref().map(|_| Bucket::Protected),
            Label::Int(3) => self.content_type.as_ref().map(|header| header.bucket),
            Label::Int(4) => self.kid.as_ref().map(|header| header.bucket),
            Label::Int(5) => self.iv.as_ref().map(|header| header.bucket),
            Label::Int(6) => self.partial_iv.as_ref().map(|header| header.bucket),
            Label::Int(10) => self.kid_context.as_ref().map(|header| header.bucket),
            Label::Int(15) => self.claims.as_ref().map(|header| header.bucket),
            Label::Int(16) => self.typ.as_ref().map(|header| header.bucket),
            Label::Int(-1) => self.ephemeral.as_ref().map(|header| header.bucket),
            _ => None,
        };
        known.or_else(|| self.unknown.iter().find(|unknown| unknown.value == *label).map(|unknown| unknown.bucket))
    }
}

/// Sets a header once; a second one, in either bucket, is refused (RFC 9052 §3).
fn set<T>(header: &mut Option<Header<T>>, value: T, bucket: Bucket) -> Result<(), Fault> {
    match header.replace(Header { value, bucket }) {
        None => Ok(()),
        Some(_) => Err(Fault::malformed("a label twice")),
    }
}

fn label(decoder: &mut Decoder<'_>) -> Result<Label, Fault> {
    const FAULT: Fault = Fault::malformed("a label is a number or a text");
    match decoder.datatype() {
        Ok(Type::String) => decoder.str().map(|text| Label::Text(text.to_owned())).map_err(|_| FAULT),
        _ => decoder.i64().map(Label::Int).map_err(|_| FAULT),
    }
}

fn algorithm(decoder: &mut Decoder<'_>) -> Result<Option<i64>, Fault> {
    match decoder.datatype() {
        Ok(Type::String) => decoder.str().map(|_| None).map_err(|_| Fault::malformed("algorithm")),
        _ => decoder.i64().map(Some).map_err(|_| Fault::malformed("an algorithm is a number or a text")),
    }
}

fn content_type(decoder: &mut Decoder<'_>) -> Result<ContentType, Fault> {
    const FAULT: Fault = Fault::malformed("a content type is a number or a text");
    match decoder.datatype() {
        Ok(Type::String) => decoder.str().map(|text| ContentType::Media(text.to_owned())).map_err(|_| FAULT),
        _ => decoder.u64().map(ContentType::Format).map_err(|_| FAULT),
    }
}

fn byte_string(decoder: &mut Decoder<'_>, sizes: std::ops::RangeInclusive<usize>) -> Result<Range<usize>, Fault> {
    let length = decoder.bytes().map_err(|_| Fault::malformed("a header value is a byte string"))?.len();
    if !sizes.contains(&length) {
        return Err(Fault::malformed("a header value too long or empty"));
    }
    Ok(decoder.position() - length..decoder.position())
}

fn claims(decoder: &mut Decoder<'_>) -> Result<Claims, Fault> {
    const FAULT: Fault = Fault::malformed("claims are a map");
    let entries = decoder.map().ok().flatten().ok_or(FAULT)?;
    let mut claims = Claims::default();
    for _ in 0..entries {
        let label = label(decoder)?;
        let value = decoder.position();
        if claim(&mut claims, &label, decoder).is_none() {
            claims.faulty = true;
            decoder.set_position(value);
            decoder.skip().map_err(|_| FAULT)?;
        }
    }
    Ok(claims)
}

/// Reads one claim; none where it is not of its type, or none of the profile's (profile.md §2).
fn claim(claims: &mut Claims, label: &Label, decoder: &mut Decoder<'_>) -> Option<()> {
    match label {
        Label::Int(2) => claims.sub = Some(claim_text(decoder)?),
        Label::Int(3) => claims.aud = Some(claim_text(decoder)?),
        Label::Int(6) => claims.iat = Some(i64::try_from(decoder.u64().ok()?).ok()?),
        Label::Int(7) => {
            (4..=16).contains(&decoder.bytes().ok()?.len()).then_some(())?;
        }
        _ => return None,
    }
    Some(())
}

fn claim_text(decoder: &mut Decoder<'_>) -> Option<String> {
    let text = decoder.str().ok()?;
    (text.len() <= CLAIM).then(|| text.to_owned())
}

/// `{1: 2, -1: 1, -2: x, -3: y}`: a public P-256 key and no more. None for a key of another type or curve.
fn ephemeral(decoder: &mut Decoder<'_>) -> Result<Option<Ephemeral>, Fault> {
    const FAULT: Fault = Fault::malformed("ephemeral key");
    let entries = decoder.map().ok().flatten().ok_or(FAULT)?;
    let (mut kty, mut crv, mut x, mut y) = (None, None, None, None);
    for _ in 0..entries {
        match label(decoder)? {
            Label::Int(1) => kty = Some(decoder.i64().map_err(|_| FAULT)?),
            Label::Int(-1) => crv = Some(decoder.i64().map_err(|_| FAULT)?),
            Label::Int(-2) => x = Some(byte_string(decoder, 1..=KID)?),
            Label::Int(-3) => y = Some(ordinate(decoder)?),
            Label::Int(-4) => return Err(Fault::malformed("a private key in an envelope")),
            _ => return Err(Fault::malformed("a member that an ephemeral key has not")),
        }
    }
    match (kty, crv, x, y) {
        (Some(2), Some(1), Some(x), Some(y)) if x.len() == 32 => Ok(Some(Ephemeral { x, y })),
        (Some(2), Some(1), ..) => Err(FAULT),
        _ => Ok(None),
    }
}

fn ordinate(decoder: &mut Decoder<'_>) -> Result<EphemeralY, Fault> {
    match decoder.datatype() {
        Ok(Type::Bool) => decoder.bool().map(EphemeralY::Odd).map_err(|_| Fault::malformed("ephemeral key")),
        _ => byte_string(decoder, 32..=32).map(EphemeralY::Full),
    }
}
