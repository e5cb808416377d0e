//! Members that JSON has no form for: bytes, and numbers that are not finite.
//!
//! Imports base64 and serde.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::payload::Value;

/// Standard base64 with padding; for members named `…_b64`, which are left out where they are none.
pub(super) fn base64_option<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
}

/// A reading's value: base64 for bytes, words for numbers that are not finite.
pub(super) fn value<S: Serializer>(value: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        None => serializer.serialize_none(),
        Some(Value::Boolean(value)) => serializer.serialize_bool(*value),
        Some(Value::Bytes(value)) => serializer.serialize_str(&STANDARD.encode(value)),
        Some(Value::Integer(value)) => serializer.serialize_i64(*value),
        Some(Value::Number(value)) => number(*value, serializer),
        Some(Value::Objlink(value) | Value::Text(value)) => serializer.serialize_str(value),
        Some(Value::Time(value)) => value.serialize(serializer),
    }
}

/// A number that may not be finite.
pub(super) fn number<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        _ if value.is_finite() => serializer.serialize_f64(value),
        _ if value.is_nan() => serializer.serialize_str("NaN"),
        _ if value > 0.0 => serializer.serialize_str("Infinity"),
        _ => serializer.serialize_str("-Infinity"),
    }
}

/// The member `type` of a reading.
pub(super) const fn type_of(value: Option<&Value>) -> Option<&'static str> {
    match value {
        None => None,
        Some(Value::Boolean(_)) => Some("boolean"),
        Some(Value::Bytes(_)) => Some("bytes"),
        Some(Value::Integer(_) | Value::Number(_)) => Some("number"),
        Some(Value::Objlink(_)) => Some("objlink"),
        Some(Value::Text(_)) => Some("text"),
        Some(Value::Time(_)) => Some("time"),
    }
}
