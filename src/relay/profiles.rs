//! Where the sealed bytes are in what a relay hands over: a body goes in, its places come out, in order.
//!
//! Pure functions without a key, a clock or I/O. May import `item`, `codec` and `envelope::recognise`. All that is said
//! beside the sealed bytes (endpoint, path, time) is a claim: stored, shown, never used to choose trust (relays.md §1).

mod opaque;
mod pack;
mod raw;
mod senml_cbor;
mod senml_json;
mod source;
mod text;

use std::collections::BTreeMap;

use crate::item::{Claims, CoseType, Item, Reason, Sealed, Timestamp};
pub use crate::relay::profiles::opaque::Encoding;
use crate::relay::profiles::source::Source;

/// How a relay wraps what it hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is the envelope, or a CBOR sequence of envelopes.
    Raw,
    /// A SenML pack in CBOR, envelopes in its data values.
    SenmlCbor,
    /// A SenML pack in JSON, envelopes in its data values or, encoded, in its strings.
    SenmlJson,
    /// The body is the envelope as hex, base64, base64url or JOSE text.
    Text,
}

impl Kind {
    /// Every profile that there is.
    pub const ALL: [Self; 4] = [Self::Raw, Self::SenmlCbor, Self::SenmlJson, Self::Text];

    /// Its name in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::SenmlCbor => "senml-cbor",
            Self::SenmlJson => "senml-json",
            Self::Text => "text",
        }
    }
}

/// A relay's profile: its kind and where outside the body its claims stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    kind: Kind,
    encoding: Option<Encoding>,
    endpoint_from: Option<Source>,
    path_from: Option<Source>,
}

/// What a delivery may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most items of one delivery.
    pub max_items: usize,
    /// Largest body, after inflation, bytes.
    pub max_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_items: 10_000, max_body: 8 * 1024 * 1024 }
    }
}

/// A delivery as it came, without its content coding.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The body.
    pub bytes: &'a [u8],
    /// Its media type, as sent.
    pub content_type: Option<&'a str>,
    /// Name and value of each header.
    pub headers: &'a [(String, String)],
    /// Name and value of each query member, decoded.
    pub query: &'a [(String, String)],
    /// What relative times are measured from.
    pub received_at: Timestamp,
}

/// What a profile found, in the order of the delivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Places where sealed bytes are due.
    pub places: Vec<Place>,
    /// Unsealed values beside them: untrusted, dropped unless a relay's option keeps them.
    pub cleartext: Vec<Cleartext>,
}

/// A place where sealed bytes are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One whole envelope, and how it was written.
    Envelope(Item, Encoding),
    /// Bytes that are no envelope: taken all the same, to be refused for that reason and kept.
    Kept(Item, Reason),
}

/// An unsealed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleartext {
    /// Endpoint name, as the relay has it.
    pub endpoint: Option<String>,
    /// Where it stood.
    pub path: Option<String>,
    /// The relay's time for it.
    pub time: Option<Timestamp>,
    /// The value as JSON; bytes as base64.
    pub value: serde_json::Value,
}

/// Why nothing is taken of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfound {
    /// Empty, or without a place that the profile knows.
    #[error("no place for an envelope in the body")]
    NoEnvelope,
    /// Too many items, or a container that grows beyond its budget.
    #[error("too many items in the body")]
    TooLarge,
}

/// Reads a profile's name and options as they are configured. The error says what is wrong, for an operator.
pub fn parse_profile(name: &str, options: &BTreeMap<String, String>) -> Result<Profile, String> {
    let known = Kind::ALL.map(Kind::as_str).join(", ");
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
    let kind = kind.ok_or_else(|| format!("unknown profile `{name}`; known: {known}"))?;
    let mut profile = Profile { kind, encoding: None, endpoint_from: None, path_from: None };
    for (option, value) in options {
        profile.set(option, value).map_err(|why| format!("option `{option}` of profile `{name}`: {why}"))?;
    }
    Ok(profile)
}

/// The places of a delivery.
pub fn find(profile: &Profile, body: &Body<'_>, limits: &Limits) -> Result<Found, Unfound> {
    let found = search(profile, body, limits)?;
    if found.places.is_empty() { Err(Unfound::NoEnvelope) } else { Ok(found) }
}

/// The places of a delivery and the cleartext beside them; here a delivery without any place is no error.
pub fn search(profile: &Profile, body: &Body<'_>, limits: &Limits) -> Result<Found, Unfound> {
    if body.bytes.is_empty() {
        return Ok(Found::default());
    }
    if body.bytes.len() > limits.max_body {
        return Err(Unfound::TooLarge);
    }
    match profile.kind {
        Kind::Raw => raw::find(profile, body, limits),
        Kind::SenmlCbor => senml_cbor::find(profile, body, limits),
        Kind::SenmlJson => senml_json::find(profile, body, limits),
        Kind::Text => Ok(text::find(profile, body)),
    }
}

impl Profile {
    /// A profile without options.
    pub const fn plain(kind: Kind) -> Self {
        Self { kind, encoding: None, endpoint_from: None, path_from: None }
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether headers or the query may hold claims.
    pub const fn looks_beside_the_body(&self) -> bool {
        self.endpoint_from.is_some() || self.path_from.is_some()
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "endpoint_from" => self.endpoint_from = Some(value.parse()?),
            "path_from" => self.path_from = Some(value.parse()?),
            "encoding" if self.kind == Kind::Text => self.encoding = Some(Encoding::configured(value)?),
            _ if self.kind == Kind::Text => return Err("unknown; known: encoding, endpoint_from, path_from".to_owned()),
            _ => return Err("unknown; known: endpoint_from, path_from".to_owned()),
        }
        Ok(())
    }

    /// What the delivery as a whole claims: each of its places starts from this.
    fn claims(&self, body: &Body<'_>) -> Claims {
        let endpoint = self.endpoint_from.as_ref().and_then(|source| source.read(body));
        let path = self.path_from.as_ref().and_then(|source| source.read(body));
        at_path(Claims { endpoint, ..Claims::default() }, path)
    }
}

/// Claims with a path, and the gateway prefix that it holds.
fn at_path(claims: Claims, path: Option<String>) -> Claims {
    let prefix = path.as_deref().and_then(prefix);
    Claims { path, prefix, ..claims }
}

/// What precedes the first all-digit segment of a path (object 25 gateways); none where no segment is a number.
fn prefix(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let is_number = |segment: &&str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let before = segments.iter().position(is_number)?;
    (before > 0).then(|| segments[..before].join("/"))
}

impl Found {
    /// All that is to be taken, in the order of the delivery.
    pub fn into_items(self) -> Vec<Item> {
        self.places.into_iter().map(Place::into_item).collect()
    }
}

impl Place {
    /// What is to be taken.
    pub const fn item(&self) -> &Item {
        match self {
            Self::Envelope(item, _) | Self::Kept(item, _) => item,
        }
    }

    /// What is to be taken.
    pub fn into_item(self) -> Item {
        match self {
            Self::Envelope(item, _) | Self::Kept(item, _) => item,
        }
    }

    fn kept(bytes: &[u8], claims: Claims) -> Self {
        Self::Kept(Item { sealed: Sealed { bytes: bytes.into(), cose_type: None }, claims }, Reason::Malformed)
    }
}

/// The structure that a media type names (RFC 9052 §10): then the message may be untagged.
fn named_structure(media_type: &str) -> Option<CoseType> {
    use crate::codec::media_type::{essence, parameter};
    if essence(media_type) != "application/cose" {
        return None;
    }
    match parameter(media_type, "cose-type")?.to_ascii_lowercase().as_str() {
        "cose-encrypt" => Some(CoseType::Encrypt),
        "cose-encrypt0" => Some(CoseType::Encrypt0),
        "cose-mac" => Some(CoseType::Mac),
        "cose-mac0" => Some(CoseType::Mac0),
        "cose-sign" => Some(CoseType::Sign),
        "cose-sign1" => Some(CoseType::Sign1),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
