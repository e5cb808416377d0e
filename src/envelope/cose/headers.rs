//! COSE header buckets (RFC 9052 §3.1): both read into one view that remembers where each value stood.
//!
//! Imports its neighbours, `envelope::Fault`, `item`, minicbor. A label in both buckets is refused; labels that this
//! reader does not know are counted, not interpreted. Values are ranges of the message's bytes.

use std::ops::Range;

use minicbor::Decoder;
use minicbor::data::Type;

use super::countersign::{self, Countersignature};
use super::key::{self, PublicKey};
use super::x509::{self, Certificates, Thumbprint};
use crate::envelope::{Claims, Fault};
use crate::item::{Compat, ContentType, Departure, Reason, Timestamp, Token};

/// Most labels in crit (cose.md §6).
const CRIT: u64 = 16;
/// Longest kid, kid context and claim id, bytes.
const KID: usize = 256;
/// Longest text claim, bytes.
const CLAIM: usize = 1024;
/// Most audiences of a token.
const AUDIENCES: u64 = 16;
/// Seconds to the end of the year 9999.
const FURTHEST: i64 = 253_402_300_799;
/// Longest salt and party field, bytes.
const FIELD: usize = 1024;
/// Whether the labels of HPKE are read.
const HPKE: bool = cfg!(feature = "hpke");

/// Where a header stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Authenticated, once the layer is.
    Protected,
    /// A hint for ever.
    Unprotected,
}

/// What the headers belong to: some labels mean something in one place only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Body,
    Recipient,
    Signer,
    Countersigner,
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

impl std::fmt::Display for Label {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(number) => number.fmt(out),
            Self::Text(text) => text.fmt(out),
        }
    }
}

/// A header that few messages carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rare {
    /// 32 x5bag, 33 x5chain, −29 x5chain-sender.
    Certificates(Certificates),
    /// −4: the key that HPKE encapsulated.
    Encapsulated(Range<usize>),
    /// −21 … −26: identity, nonce, other of party U, then of party V; the encoded value.
    Party(Range<usize>),
    /// −5: the name of a pre-shared key of HPKE.
    PskId(Range<usize>),
    /// −20.
    Salt(Range<usize>),
    /// −2: the sender's static key.
    StaticKey(PublicKey),
    /// −3: its name.
    StaticKeyId(Range<usize>),
    /// 34 x5t, −27 x5t-sender.
    Thumbprint(Thumbprint),
    /// 35 x5u, −28 x5u-sender: shown, never fetched.
    Url(Range<usize>),
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
    /// −1: the sender's ephemeral key.
    pub ephemeral: Option<Header<PublicKey>>,
    /// Labels that few messages carry.
    pub rare: Vec<(i64, Header<Rare>)>,
    /// 7, 9, 11, 12.
    pub countersignatures: Vec<Countersignature>,
    /// Labels that are none of these.
    pub unknown: Vec<Header<Label>>,
    pub(super) crit: Option<Vec<Label>>,
    not_understood: bool,
    unprotected: usize,
}

/// How headers are read: what they belong to, and what is allowed beyond the strict form.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) level: Level,
    pub(super) compat: &'a Compat,
}

impl Headers {
    /// Whether the unprotected bucket is empty.
    pub const fn all_protected(&self) -> bool {
        self.unprotected == 0
    }

    /// The header of that rare label.
    pub fn rare(&self, label: i64) -> Option<&Rare> {
        self.rare.iter().find(|(of, _)| *of == label).map(|(_, header)| &header.value)
    }

    /// Whether the header of that rare label is there and protected.
    pub fn protects(&self, label: i64) -> bool {
        self.rare.iter().any(|(of, header)| *of == label && header.bucket == Bucket::Protected)
    }

    /// −20.
    pub fn salt(&self) -> Option<&Range<usize>> {
        match self.rare(-20)? {
            Rare::Salt(salt) => Some(salt),
            _ => None,
        }
    }

    /// −21 … −26: the encoded value.
    pub fn party(&self, label: i64) -> Option<&Range<usize>> {
        match self.rare(label)? {
            Rare::Party(field) => Some(field),
            _ => None,
        }
    }

    /// −2.
    pub fn static_key(&self) -> Option<&PublicKey> {
        match self.rare(-2)? {
            Rare::StaticKey(key) => Some(key),
            _ => None,
        }
    }

    /// −3.
    pub fn static_key_id(&self) -> Option<&Range<usize>> {
        match self.rare(-3)? {
            Rare::StaticKeyId(id) => Some(id),
            _ => None,
        }
    }

    /// −4.
    pub fn encapsulated(&self) -> Option<&Range<usize>> {
        match self.rare(-4)? {
            Rare::Encapsulated(key) => Some(key),
            _ => None,
        }
    }

    /// HPKE has an encapsulated key; with a pre-shared key beside it is another mode (RFC 9180 §5.1.2), which is not
    /// supported.
    pub(super) fn check_encapsulated(&self) -> Result<(), Fault> {
        match (self.encapsulated(), self.rare(-5)) {
            (_, Some(_)) => Err(Fault::unsupported("HPKE with a pre-shared key")),
            (None, _) => Err(Fault::malformed("no encapsulated key")),
            (Some(_), None) => Ok(()),
        }
    }

    /// A critical header stands here that neither this reader nor the application understands.
    pub const fn is_misunderstood(&self) -> bool {
        self.not_understood
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
        present.iter().filter(|&&present| present).count() + self.rare.len() + self.countersignatures.len()
    }

    /// Reads the map in `bytes`, which were scanned, of which the first byte is the message's byte `base`. No bytes at
    /// all are an empty map.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        base: usize,
        bucket: Bucket,
        reading: Reading<'_>,
    ) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut decoder = Decoder::new(bytes);
        let entries = decoder.map().ok().flatten().ok_or(Fault::malformed("a header bucket is a map"))?;
        let mut entry = Entry { headers: self, decoder, base, bucket, reading };
        for _ in 0..entries {
            entry.read()?;
        }
        if bucket == Bucket::Unprotected {
            self.unprotected = usize::try_from(entries).unwrap_or(usize::MAX);
        }
        Ok(())
    }

    /// What both buckets must hold together.
    pub(super) fn check(&mut self, compat: &Compat) -> Result<(), Fault> {
        if self.iv.is_some() && self.partial_iv.is_some() {
            return Err(Fault::malformed("IV and Partial IV"));
        }
        for label in self.crit.iter().flatten() {
            if self.bucket_of(label) != Some(Bucket::Protected) {
                return Err(Fault::malformed("crit names a label that is not in the protected bucket"));
            }
        }
        let unknown = |label: &Label| self.unknown.iter().any(|unknown| unknown.value == *label);
        let missed = |label: &Label| unknown(label) && !compat.understands(&label.to_string());
        self.not_understood = self.crit.iter().flatten().any(missed);
        Ok(())
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
            Label::Int(number) => self.rare.iter().find(|(label, _)| label == number).map(|(_, header)| header.bucket),
            Label::Text(_) => None,
        };
        known.or_else(|| self.unknown.iter().find(|unknown| unknown.value == *label).map(|unknown| unknown.bucket))
    }
}

/// One entry of a bucket, being read.
struct Entry<'h, 'b, 'c> {
    headers: &'h mut Headers,
    decoder: Decoder<'b>,
    base: usize,
    bucket: Bucket,
    reading: Reading<'c>,
}

impl Entry<'_, '_, '_> {
    fn read(&mut self) -> Result<(), Fault> {
        let label = label(&mut self.decoder)?;
        let Label::Int(number) = label else { return self.unknown(label) };
        let (decoder, base, bucket) = (&mut self.decoder, self.base, self.bucket);
        match number {
            1 => set(&mut self.headers.alg, algorithm(decoder)?, bucket),
            2 => self.critical(),
            3 => set(&mut self.headers.content_type, content_type(decoder)?, bucket),
            4 => set(&mut self.headers.kid, kid(decoder, base, self.reading.compat)?, bucket),
            5 => set(&mut self.headers.iv, byte_string(decoder, base, 0..=KID)?, bucket),
            6 => set(&mut self.headers.partial_iv, byte_string(decoder, base, 0..=KID)?, bucket),
            10 => set(&mut self.headers.kid_context, byte_string(decoder, base, 0..=KID)?, bucket),
            15 => set(&mut self.headers.claims, claims(decoder)?, bucket),
            16 => set(&mut self.headers.typ, content_type(decoder)?, bucket),
            7 | 9 | 11 | 12 if self.reading.level != Level::Countersigner => self.countersignatures(number),
            32..=35 => self.rare(number),
            -1 if self.reading.level == Level::Recipient => {
                set(&mut self.headers.ephemeral, key::read(decoder, base)?, bucket)
            }
            -5 | -4 if HPKE && matches!(self.reading.level, Level::Body | Level::Recipient) => self.rare(number),
            -29..=-20 | -3 | -2 if self.reading.level == Level::Recipient => self.rare(number),
            _ => self.unknown(label),
        }
    }

    fn rare(&mut self, label: i64) -> Result<(), Fault> {
        let (decoder, base) = (&mut self.decoder, self.base);
        let value = match label {
            32 | 33 | -29 => Rare::Certificates(x509::certificates(decoder, base)?),
            34 | -27 => Rare::Thumbprint(x509::thumbprint(decoder, base)?),
            35 | -28 => Rare::Url(x509::url(decoder, base)?),
            -2 => Rare::StaticKey(key::read(decoder, base)?),
            -3 => Rare::StaticKeyId(byte_string(decoder, base, 1..=KID)?),
            -4 => Rare::Encapsulated(byte_string(decoder, base, 1..=FIELD)?),
            -5 => Rare::PskId(byte_string(decoder, base, 1..=FIELD)?),
            -20 => Rare::Salt(byte_string(decoder, base, 0..=FIELD)?),
            // a nonce may be a number (RFC 9053 §5.2)
            -22 | -25 if !matches!(decoder.datatype(), Ok(Type::Bytes)) => {
                let start = decoder.position();
                decoder.i64().map_err(|_| Fault::malformed("a party's nonce is a byte string or a number"))?;
                Rare::Party(base + start..base + decoder.position())
            }
            _ => {
                let start = decoder.position();
                byte_string(decoder, base, 0..=FIELD)?;
                Rare::Party(base + start..base + decoder.position())
            }
        };
        if self.headers.rare.iter().any(|(known, _)| *known == label) {
            return Err(TWICE);
        }
        self.headers.rare.push((label, Header { value, bucket: self.bucket }));
        Ok(())
    }

    fn countersignatures(&mut self, label: i64) -> Result<(), Fault> {
        if self.bucket == Bucket::Protected {
            return Err(Fault::malformed("a countersignature in the protected bucket"));
        }
        let found = countersign::read(&mut self.decoder, self.base, label, self.reading.compat)?;
        self.headers.countersignatures.extend(found);
        Ok(())
    }

    fn unknown(&mut self, label: Label) -> Result<(), Fault> {
        self.decoder.skip().map_err(|_| Fault::malformed("a header value"))?;
        if self.headers.unknown.iter().any(|known| known.value == label) {
            return Err(TWICE);
        }
        self.headers.unknown.push(Header { value: label, bucket: self.bucket });
        Ok(())
    }

    /// crit stands in the protected bucket, is not empty and names each label once (RFC 9052 §3.1).
    fn critical(&mut self) -> Result<(), Fault> {
        if self.bucket == Bucket::Unprotected || self.headers.crit.is_some() {
            return Err(Fault::malformed("crit outside the protected bucket"));
        }
        let length = self.decoder.array().ok().flatten().ok_or(Fault::malformed("crit is an array"))?;
        if !(1..=CRIT).contains(&length) {
            return Err(Fault::malformed("crit is empty or too long"));
        }
        let mut labels = Vec::new();
        for _ in 0..length {
            let label = label(&mut self.decoder)?;
            if labels.contains(&label) {
                return Err(Fault::malformed("crit names a label twice"));
            }
            labels.push(label);
        }
        self.headers.crit = Some(labels);
        Ok(())
    }
}

const TWICE: Fault = Fault::malformed("a label twice");

/// Why a layer with a critical header of unknown meaning is not opened.
pub(super) const NOT_UNDERSTOOD: Fault = Fault { reason: Reason::CritNotUnderstood, detail: "a critical header" };

/// Sets a header once; a second one, in either bucket, is refused (RFC 9052 §3).
fn set<T>(header: &mut Option<Header<T>>, value: T, bucket: Bucket) -> Result<(), Fault> {
    match header.replace(Header { value, bucket }) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}

pub(super) fn label(decoder: &mut Decoder<'_>) -> Result<Label, Fault> {
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

fn kid(decoder: &mut Decoder<'_>, base: usize, compat: &Compat) -> Result<Range<usize>, Fault> {
    if !matches!(decoder.datatype(), Ok(Type::String)) || !compat.allows(Departure::TextKid) {
        return byte_string(decoder, base, 1..=KID);
    }
    let length = decoder.str().map_err(|_| Fault::malformed("kid"))?.len();
    sized(decoder, base, length, 1..=KID)
}

/// A byte string of one of these sizes, as a range of the message.
pub(super) fn byte_string(
    decoder: &mut Decoder<'_>,
    base: usize,
    sizes: std::ops::RangeInclusive<usize>,
) -> Result<Range<usize>, Fault> {
    let length = decoder.bytes().map_err(|_| Fault::malformed("a header value is a byte string"))?.len();
    sized(decoder, base, length, sizes)
}

/// The string of `length` bytes that was just read.
pub(super) fn sized(
    decoder: &Decoder<'_>,
    base: usize,
    length: usize,
    sizes: std::ops::RangeInclusive<usize>,
) -> Result<Range<usize>, Fault> {
    if !sizes.contains(&length) {
        return Err(Fault::malformed("a header value too long or empty"));
    }
    let end = base + decoder.position();
    Ok(end - length..end)
}

/// CWT claims (RFC 8392 §3.1, RFC 9597).
fn claims(decoder: &mut Decoder<'_>) -> Result<Claims, Fault> {
    const FAULT: Fault = Fault::malformed("claims are a map");
    let entries = decoder.map().ok().flatten().ok_or(FAULT)?;
    let (mut claims, mut token) = (Claims::default(), Token::default());
    for _ in 0..entries {
        let label = label(decoder)?;
        let value = decoder.position();
        if profile_claim(&mut claims, &label, decoder).is_some() {
            continue;
        }
        claims.faulty = true;
        decoder.set_position(value);
        if token_claim(&mut claims, &mut token, &label, decoder).is_none() {
            decoder.set_position(value);
            decoder.skip().map_err(|_| FAULT)?;
        }
    }
    token.sub.clone_from(&claims.sub);
    let told = token.iss.is_some() || token.exp.is_some() || token.nbf.is_some();
    claims.token = told.then_some(token);
    Ok(claims)
}

/// Reads one claim of the profile; none where it is not of its type, or none of the profile's (profile.md §2).
fn profile_claim(claims: &mut Claims, label: &Label, decoder: &mut Decoder<'_>) -> Option<()> {
    match label {
        Label::Int(2) => claims.sub = Some(claim_text(decoder)?),
        Label::Int(3) => claims.aud = vec![claim_text(decoder)?],
        Label::Int(6) => claims.iat = Some(i64::try_from(decoder.u64().ok()?).ok()?),
        Label::Int(7) => {
            (4..=16).contains(&decoder.bytes().ok()?.len()).then_some(())?;
        }
        _ => return None,
    }
    Some(())
}

/// Reads one claim that other tokens have; none where it is not of its type, or not known.
fn token_claim(claims: &mut Claims, token: &mut Token, label: &Label, decoder: &mut Decoder<'_>) -> Option<()> {
    match label {
        Label::Int(1) => token.iss = Some(claim_text(decoder)?),
        Label::Int(3) => claims.aud = audience(decoder)?,
        Label::Int(4) => claims.exp = Some(numeric_date(decoder)?),
        Label::Int(5) => claims.nbf = Some(numeric_date(decoder)?),
        Label::Int(6) => claims.iat = Some(numeric_date(decoder)?),
        _ => return None,
    }
    token.exp = claims.exp.map(Timestamp::from_seconds);
    token.nbf = claims.nbf.map(Timestamp::from_seconds);
    Some(())
}

/// Several audiences (RFC 7519 §4.1.3), at most as many labels as a bucket has.
fn audience(decoder: &mut Decoder<'_>) -> Option<Vec<String>> {
    let count = decoder.array().ok()??;
    (1..=AUDIENCES).contains(&count).then_some(())?;
    (0..count).map(|_| claim_text(decoder)).collect()
}

/// An integer or a float (RFC 8392 §2), seconds since the epoch, as far as a time reaches.
fn numeric_date(decoder: &mut Decoder<'_>) -> Option<i64> {
    let seconds = match decoder.datatype().ok()? {
        Type::F16 | Type::F32 | Type::F64 => decoder.f64().ok()?.floor(),
        _ => return decoder.i64().ok().filter(|seconds| seconds.abs() <= FURTHEST),
    };
    (seconds.abs() <= FURTHEST as f64).then_some(seconds as i64)
}

fn claim_text(decoder: &mut Decoder<'_>) -> Option<String> {
    let text = decoder.str().ok()?;
    (text.len() <= CLAIM).then(|| text.to_owned())
}
