//! Readings as JSON: as the world sees them (payload.md §7), and as they are kept.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value as Json, json};

use crate::item::Timestamp;
use crate::payload::{Reading, Value};

impl Reading {
    /// The members of a reading that are its own: all of payload.md §7 but `message`, `device`, `sequence`, `index`,
    /// `content_format`, `flags`, which whoever keeps it adds. `type` is null where there is a sum only.
    pub fn to_json(&self) -> Map<String, Json> {
        let tagged = self.value.clone().map(Tagged::from);
        let (kind, value) =
            tagged.map_or((Json::Null, Json::Null), |tagged| (tagged.kind.as_ref().into(), tagged.value));
        let members = [
            ("name", json!(self.name)),
            ("path", json!(self.path)),
            ("path_proven", json!(self.path_proven)),
            ("object", Json::Null),
            ("resource", Json::Null),
            ("type", kind),
            ("value", value),
            ("unit", json!(self.unit)),
            ("unit_source", json!(self.unit_source)),
            ("time", json!(self.time)),
            ("time_anchor", json!(self.time_anchor)),
            ("time_proven", json!(self.time_proven())),
            ("update_time", json!(self.update_time)),
            ("sum", self.sum.map_or(Json::Null, number)),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Value {
    /// The name of its type in JSON.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Bytes(_) => "bytes",
            Self::Integer(_) | Self::Number(_) => "number",
            Self::Objlink(_) => "objlink",
            Self::Text(_) => "text",
            Self::Time(_) => "time",
        }
    }
}

/// A value beside the name of its type.
#[derive(Serialize, Deserialize)]
pub(super) struct Tagged {
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    value: Json,
}

impl From<Value> for Tagged {
    fn from(value: Value) -> Self {
        let kind = Cow::Borrowed(value.type_name());
        let value = match value {
            Value::Boolean(boolean) => boolean.into(),
            Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
            Value::Integer(integer) => Number::from_i128(integer).map_or(Json::Null, Json::Number),
            Value::Number(float) => number(float),
            Value::Objlink(text) | Value::Text(text) => text.into(),
            Value::Time(time) => json!(time),
        };
        Self { kind, value }
    }
}

/// What is kept does not say a value of its type.
#[derive(Debug, thiserror::Error)]
#[error("not a value of a reading")]
pub(super) struct NotAValue;

impl TryFrom<Tagged> for Value {
    type Error = NotAValue;

    fn try_from(tagged: Tagged) -> Result<Self, NotAValue> {
        let value = match (tagged.kind.as_ref(), tagged.value) {
            ("boolean", Json::Bool(boolean)) => Some(Self::Boolean(boolean)),
            ("bytes", Json::String(text)) => STANDARD.decode(text).ok().map(Self::Bytes),
            ("number", Json::Number(number)) if !number.is_f64() => number.as_i128().map(Self::Integer),
            ("number", json) => real_of(&json).map(Self::Number),
            ("objlink", Json::String(text)) => Some(Self::Objlink(text)),
            ("text", Json::String(text)) => Some(Self::Text(text)),
            ("time", Json::String(text)) => Timestamp::parse(&text).map(Self::Time),
            _ => None,
        };
        value.ok_or(NotAValue)
    }
}

/// JSON has no word for what is not finite: texts say it.
fn number(float: f64) -> Json {
    match Number::from_f64(float) {
        Some(number) => Json::Number(number),
        None if float.is_nan() => "NaN".into(),
        None if float > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

fn real_of(json: &Json) -> Option<f64> {
    match json.as_str() {
        None => json.as_f64(),
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
    }
}

/// An optional number that may be not finite.
pub(super) mod real {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::payload::json::{number, real_of};

    pub(in crate::payload) fn serialize<S: Serializer>(real: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        real.map(number).serialize(serializer)
    }

    pub(in crate::payload) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        let json = Option::<serde_json::Value>::deserialize(deserializer)?;
        json.map(|json| real_of(&json).ok_or_else(|| D::Error::custom("not a number"))).transpose()
    }
}

/// Reads back where a unit comes from: one of the names that there are.
pub(super) fn unit_source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'static str>, D::Error> {
    let name = Option::<Cow<'_, str>>::deserialize(deserializer)?;
    Ok(name.filter(|name| name == "senml").map(|_| "senml"))
}
