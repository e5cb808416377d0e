//! `paperknife payload decode`: readings of opened content, without a gateway.

use serde_json::{Value as Json, json};

use crate::item::{ContentType, Timestamp};
use crate::payload::{self, Context, Payload, PayloadError, Reading};

/// What `payload decode` was asked.
#[derive(Clone, Debug)]
pub(super) struct Decode<'a> {
    /// CoAP Content-Format number or media type.
    pub(super) content_format: &'a str,
    /// Path of formats that name nothing.
    pub(super) base_path: Option<&'a str>,
    /// The sealed time that relative times are measured from.
    pub(super) base_time: Option<Timestamp>,
    /// Stands in for the arrival.
    pub(super) now: Timestamp,
    /// JSON rather than lines.
    pub(super) json: bool,
}

/// The readings of `content` as text for stdout, and the exit code.
pub(super) fn decode(asked: &Decode<'_>, content: &[u8]) -> (String, u8) {
    let content_type = match asked.content_format.parse() {
        Ok(number) => ContentType::Format(number),
        Err(_) => ContentType::Media(asked.content_format.to_owned()),
    };
    let context = Context {
        issued_at: asked.base_time,
        received_at: asked.now,
        base_path: asked.base_path,
        base_path_proven: false,
        max_future_s: MAX_FUTURE_S,
        max_readings: MAX_READINGS,
    };
    let payload = payload::decode(Some(&content_type), content, &context);
    let text = if asked.json { as_json(&payload, &content_type) } else { as_lines(&payload) };
    (text, u8::from(payload.error.is_some()))
}

/// The defaults of the gateway.
const MAX_FUTURE_S: i64 = 300;
const MAX_READINGS: usize = 4096;

fn as_json(payload: &Payload, content_type: &ContentType) -> String {
    let readings: Vec<Json> = payload
        .readings
        .iter()
        .enumerate()
        .map(|(index, reading)| {
            let mut members = reading.to_json();
            members.insert("index".to_owned(), json!(index));
            members.insert("content_format".to_owned(), json!(content_type));
            members.insert("flags".to_owned(), if reading.future { json!(["future"]) } else { json!([]) });
            Json::Object(members)
        })
        .collect();
    format!("{:#}\n", json!({ "readings": readings, "payload_error": payload.error }))
}

fn as_lines(payload: &Payload) -> String {
    match payload.error {
        Some(error) => format!("no readings: {}\n", explain(error)),
        None => payload.readings.iter().map(line).collect(),
    }
}

const fn explain(error: PayloadError) -> &'static str {
    match error {
        PayloadError::Malformed => "the content is not what its content format says (malformed)",
        PayloadError::PayloadTooLarge => "the content exceeds a limit (payload_too_large)",
        PayloadError::UnknownContentFormat => "no decoder for this content format (unknown_content_format)",
    }
}

/// Names and texts come from a device: quoted, so that no control character reaches the terminal.
fn line(reading: &Reading) -> String {
    let shown = reading.to_json();
    let name = reading.name.as_deref().unwrap_or("-");
    let unit = reading.unit.as_deref().map_or_else(String::new, |unit| format!(" {}", unit.escape_debug()));
    let sum = reading.sum.map_or_else(String::new, |sum| format!("  sum {sum}"));
    format!("{}  {}  {}{unit}{sum}\n", reading.time, name.escape_debug(), shown["value"])
}

#[cfg(test)]
mod tests;
