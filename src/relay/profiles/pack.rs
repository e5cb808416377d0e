//! The records of a SenML pack as places and cleartext: data values are opaque places, strings may hold an encoded
//! envelope, everything else is cleartext.

use serde_json::{Number as JsonNumber, Value as Json};

use crate::codec::senml::{self, Number, Record, Time, Value};
use crate::codec::text;
use crate::item::{Claims, CoseType, Item, Sealed, Timestamp};
use crate::relay::profiles::opaque::{self, Unwrapped};
use crate::relay::profiles::{Body, Cleartext, Found, Limits, Place, Profile, Unfound, at_path, named_structure};

/// Deepest nesting of a relay's pack, and its longest name (threats.md §2).
const MAX_DEPTH: usize = 32;
const MAX_NAME: usize = 1024;

/// What a pack of one delivery may cost: values are parts of the body, names that repeat may double it.
pub(super) const fn limits(limits: &Limits) -> senml::Limits {
    let output = limits.max_body.saturating_mul(2);
    senml::Limits { records: limits.max_items, depth: MAX_DEPTH, name: MAX_NAME, output }
}

/// The places of a pack. What is no pack has no place.
pub(super) fn find(
    records: Result<Vec<Record>, senml::Error>,
    profile: &Profile,
    body: &Body<'_>,
) -> Result<Found, Unfound> {
    let records = match records {
        Ok(records) => records,
        Err(senml::Error::Malformed) => return Ok(Found::default()),
        Err(senml::Error::TooLarge) => return Err(Unfound::TooLarge),
    };
    let outside = profile.claims(body);
    let mut found = Found::default();
    for record in records {
        sort(record, &outside, body.received_at, &mut found);
    }
    Ok(found)
}

/// The innermost path and time win: a record's own over what stands outside the pack.
fn sort(record: Record, outside: &Claims, received_at: Timestamp, found: &mut Found) {
    let time = resolve(record.time, received_at);
    let claims = at_path(Claims { time, ..outside.clone() }, Some(record.name));
    let named = record.content_format.as_deref().and_then(structure_of_format);
    match record.value {
        Some(Value::Data(bytes)) => found.places.push(binary(&bytes, named, claims)),
        Some(Value::DataText(written)) => found.places.push(encoded(&written, named, claims)),
        Some(Value::Text(written)) => match opaque::from_string(&written, None, named) {
            Some(unwrapped) => found.places.push(envelope(unwrapped, named, claims)),
            None => found.cleartext.push(cleartext(written.into(), claims)),
        },
        Some(Value::Boolean(boolean)) => found.cleartext.push(cleartext(boolean.into(), claims)),
        Some(Value::Number(number)) => found.cleartext.push(cleartext(json_number(number), claims)),
        Some(Value::Objlink(link)) => found.cleartext.push(cleartext(link.into(), claims)),
        None => found.cleartext.push(cleartext(record.sum.map_or(Json::Null, json_number), claims)),
    }
}

fn binary(bytes: &[u8], named: Option<CoseType>, claims: Claims) -> Place {
    match opaque::from_bytes(bytes, named) {
        Some(unwrapped) => envelope(unwrapped, named, claims),
        None => Place::kept(bytes, claims),
    }
}

/// A data value in JSON is a binary place that happens to be written as text: nothing is cut off it. What is no
/// envelope is kept as the bytes that it says, or as its text if it says none.
fn encoded(written: &str, named: Option<CoseType>, claims: Claims) -> Place {
    if let Some(unwrapped) = opaque::from_text(written, None, named) {
        return envelope(unwrapped, named, claims);
    }
    let stripped = text::unwrap_lines(text::strip(written));
    let bytes = text::base64url(&stripped).or_else(|| text::base64(&stripped));
    Place::kept(&bytes.unwrap_or_else(|| written.as_bytes().to_vec()), claims)
}

fn envelope(unwrapped: Unwrapped, named: Option<CoseType>, claims: Claims) -> Place {
    let sealed = Sealed { bytes: unwrapped.bytes.into(), cose_type: named };
    let claims = Claims { repaired: unwrapped.repaired, ..claims };
    Place::Envelope(Item { sealed, claims }, unwrapped.encoding)
}

fn cleartext(value: Json, claims: Claims) -> Cleartext {
    Cleartext { endpoint: claims.endpoint, path: claims.path, time: claims.time, value }
}

/// A record without a time was taken "now", which says nothing beside the arrival.
fn resolve(time: Time, received_at: Timestamp) -> Option<Timestamp> {
    match time {
        Time::Absolute(millis) => Some(Timestamp::from_millis(millis)),
        Time::Now => None,
        Time::Relative(millis) => Some(Timestamp::from_millis(received_at.millis().saturating_add(millis))),
    }
}

/// The structure that a record's content format names (RFC 9193): a CoAP number or a media type.
fn structure_of_format(format: &str) -> Option<CoseType> {
    match format {
        "16" => Some(CoseType::Encrypt0),
        "17" => Some(CoseType::Mac0),
        "18" => Some(CoseType::Sign1),
        "96" => Some(CoseType::Encrypt),
        "97" => Some(CoseType::Mac),
        "98" => Some(CoseType::Sign),
        media_type => named_structure(media_type),
    }
}

fn json_number(number: Number) -> Json {
    let exact = match number {
        Number::Float(float) => JsonNumber::from_f64(float),
        Number::Integer(integer) => JsonNumber::from_i128(integer),
    };
    exact.map_or_else(|| number.to_f64().to_string().into(), Json::Number)
}
