//! Opened bytes to readings, by the authenticated content type, never by sniffing (payload.md).
//!
//! May import `codec` and `item` only. Takes plain bytes and its own context on purpose: it is fuzzed alone, and it has
//! no way to a key. Decoding never turns a proven message into a refused one.

mod json;
mod path;
mod senml;

use serde::{Deserialize, Serialize};

use crate::codec::media_type;
use crate::item::{ContentType, Timestamp};

/// Longest name, bytes (payload.md §8).
const MAX_NAME: usize = 256;
/// Longest text or bytes in a reading.
const MAX_VALUE: usize = 16 * 1024;
/// Most bytes of resolved names and values, as a multiple of the content and outright.
const MAX_GROWTH: usize = 64;
const MAX_OUTPUT: usize = 1024 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 16;

/// What "now" is for relative times, and what the reading's path is measured against.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The sealed time (iat), where the message has one.
    pub issued_at: Option<Timestamp>,
    /// When the delivery arrived.
    pub received_at: Timestamp,
    /// Base path of formats that carry none: the proven one, else the claimed one.
    pub base_path: Option<&'a str>,
    /// Whether that base path is proven.
    pub base_path_proven: bool,
    /// Absolute times further ahead of the anchor than this many seconds are flagged `future`.
    pub max_future_s: i64,
    /// Most readings.
    pub max_readings: usize,
}

/// What decoding made of the content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    /// In order of appearance.
    pub readings: Vec<Reading>,
    /// Why there are none, or not all.
    pub error: Option<PayloadError>,
}

/// Why content gave no readings; the message stays opened and its bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadError {
    /// Not what its content type says.
    Malformed,
    /// A limit of payload.md §8.
    PayloadTooLarge,
    /// No decoder for this content type.
    UnknownContentFormat,
}

/// What a relative time was measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The reading's own absolute time.
    Absolute,
    /// Arrival at the gateway; a delaying relay can shift it.
    Received,
    /// The envelope's time.
    Sealed,
}

/// The value of a reading. Non-finite numbers are the texts `NaN`, `Infinity`, `-Infinity` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "json::Tagged", try_from = "json::Tagged")]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// Base64 in JSON.
    Bytes(Vec<u8>),
    /// Integer as sent, exact: −2^63 … 2^64−1.
    Integer(i128),
    /// Floating point.
    Number(f64),
    /// `object:instance`.
    Objlink(String),
    /// Text.
    Text(String),
    /// An instant (typed by CBOR tag or registry).
    Time(Timestamp),
}

/// One of the names that there are. A name of its own, so that serde does not borrow it from what it reads.
type UnitSource = &'static str;

/// One resolved measurement (payload.md §7), without the members that the store adds (message, device, sequence, flags).
///
/// Serialized as it is kept: compact, and the same when read back. [`Reading::to_json`] is what the world sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Name as resolved from the sealed data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name, if it parses as an LwM2M path (a gateway prefix is kept).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether the path rests on authenticated bytes.
    pub path_proven: bool,
    /// The value; none for a record with a sum only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// SenML unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where the unit comes from: `senml`, or none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json::unit_source")]
    pub unit_source: Option<UnitSource>,
    /// Resolved time.
    pub time: Timestamp,
    /// What the time was measured from.
    pub time_anchor: Anchor,
    /// Update time, seconds (RFC 8428 `ut`); finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_time: Option<f64>,
    /// Integrated sum (RFC 8428 `s`).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "json::real")]
    pub sum: Option<f64>,
    /// Beyond `max_future_s`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub future: bool,
}

impl Reading {
    /// Whether the time rests on authenticated bytes alone: a relay that delays can shift the time of arrival.
    pub const fn time_proven(&self) -> bool {
        !matches!(self.time_anchor, Anchor::Received)
    }
}

/// Decodes `content` as its type says. All of it or nothing: with an error there are no readings.
pub fn decode(content_type: Option<&ContentType>, content: &[u8], context: &Context<'_>) -> Payload {
    let decoded = match content_type.and_then(Decoder::of) {
        Some(Decoder::Opaque) => opaque(content, context),
        Some(Decoder::SenmlCbor) => senml::from_cbor(content, context),
        Some(Decoder::SenmlJson) => senml::from_json(content, context),
        Some(Decoder::Text) => text(content, context),
        None => Err(PayloadError::UnknownContentFormat),
    };
    match decoded {
        Ok(readings) => Payload { readings, error: None },
        Err(error) => Payload { readings: Vec::new(), error: Some(error) },
    }
}

/// The decoders that there are.
#[derive(Clone, Copy)]
enum Decoder {
    Opaque,
    SenmlCbor,
    SenmlJson,
    Text,
}

impl Decoder {
    fn of(content_type: &ContentType) -> Option<Self> {
        match content_type {
            ContentType::Format(number) => Self::of_format(*number),
            ContentType::Media(media_type) => Self::of_media_type(media_type),
        }
    }

    /// IANA registry of CoAP Content-Formats. ETCH packs (RFC 8790) resolve like any other.
    const fn of_format(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Text),
            42 => Some(Self::Opaque),
            110 | 320 => Some(Self::SenmlJson),
            112 | 322 => Some(Self::SenmlCbor),
            _ => None,
        }
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type::essence(media_type).as_str() {
            "application/octet-stream" => Some(Self::Opaque),
            "application/senml+cbor" | "application/senml-etch+cbor" => Some(Self::SenmlCbor),
            "application/senml+json" | "application/senml-etch+json" => Some(Self::SenmlJson),
            "text/plain" if is_utf8(media_type::parameter(media_type, "charset")) => Some(Self::Text),
            _ => None,
        }
    }
}

fn is_utf8(charset: Option<&str>) -> bool {
    charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii"))
}

fn opaque(content: &[u8], context: &Context<'_>) -> Result<Vec<Reading>, PayloadError> {
    fits(content, context)?;
    Ok(single(Value::Bytes(content.to_vec()), context))
}

fn text(content: &[u8], context: &Context<'_>) -> Result<Vec<Reading>, PayloadError> {
    fits(content, context)?;
    let text = std::str::from_utf8(content).map_err(|_| PayloadError::Malformed)?;
    Ok(single(Value::Text(text.to_owned()), context))
}

fn fits(content: &[u8], context: &Context<'_>) -> Result<(), PayloadError> {
    let name = context.base_path.map_or(0, str::len);
    let too_large = content.len() > MAX_VALUE || name > MAX_NAME || context.max_readings == 0;
    if too_large { Err(PayloadError::PayloadTooLarge) } else { Ok(()) }
}

/// The one reading of a format that names nothing: its name is the base path.
fn single(value: Value, context: &Context<'_>) -> Vec<Reading> {
    let (time, time_anchor) = context.now();
    vec![Reading {
        name: context.base_path.map(str::to_owned),
        path: context.base_path.filter(|name| path::is_lwm2m(name)).map(str::to_owned),
        path_proven: context.base_path.is_some() && context.base_path_proven,
        value: Some(value),
        unit: None,
        unit_source: None,
        time,
        time_anchor,
        update_time: None,
        sum: None,
        future: false,
    }]
}

impl Context<'_> {
    /// The anchor of relative times (payload.md §4): the relay's own time is never one.
    fn now(&self) -> (Timestamp, Anchor) {
        match self.issued_at {
            Some(issued_at) => (issued_at, Anchor::Sealed),
            None => (self.received_at, Anchor::Received),
        }
    }
}

#[cfg(test)]
mod tests;
