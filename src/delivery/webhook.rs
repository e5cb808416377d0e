//! One event as an HTTP request, in the four forms of its body. What is signed is what is sent.
//!
//! May import `item`, `store` types, serde, serde_json, http types of hyper and `delivery::schedule`.

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::delivery::schedule::unix_seconds;
use crate::item::{ContentType, Timestamp};
use crate::store::outbox::Parcel;
use crate::store::subscription::BodyFormat;

/// Before a type of ours in CloudEvents.
const REVERSE_DNS: &str = "example.paperknife.";
/// Source of events where the gateway has no name of its own.
pub const DEFAULT_SOURCE: &str = "urn:paperknife";

/// A request without its signature.
#[derive(Debug)]
pub struct Letter {
    /// Constant over retries, replays and receivers.
    pub id: String,
    /// Of the body's form, and its type.
    pub headers: HeaderMap,
    /// The bytes that are signed and sent.
    pub body: Vec<u8>,
}

/// A CloudEvent, structured (CloudEvents 1.0.2, JSON format).
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Timestamp,
    datacontenttype: &'static str,
    data: &'a RawValue,
}

impl Letter {
    /// Writes an event in the form that was asked for.
    ///
    /// # Errors
    /// Where JSON cannot be written.
    pub fn write(parcel: &Parcel, format: BodyFormat, source: &str) -> Result<Self, serde_json::Error> {
        let event = &parcel.event;
        let id = event.id.to_string();
        let mut headers = HeaderMap::new();
        let body = match (format, &parcel.content) {
            (BodyFormat::Raw, Some((content_type, content))) => {
                headers.insert(CONTENT_TYPE, media_type(content_type.as_ref()));
                content.clone()
            }
            (BodyFormat::CloudEvents, _) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json; charset=UTF-8"));
                serde_json::to_vec(&CloudEvent {
                    specversion: "1.0",
                    id: &id,
                    source,
                    kind: format!("{REVERSE_DNS}{}", event.kind.as_str()),
                    subject: event.device.as_deref(),
                    time: event.time,
                    datacontenttype: "application/json",
                    data: &event.data,
                })?
            }
            (BodyFormat::CloudEventsBinary, _) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                attributes(&mut headers, parcel, &id, source);
                event.data.get().as_bytes().to_vec()
            }
            // Events without cleartext are told as they are.
            (BodyFormat::Raw | BodyFormat::Standard, _) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                serde_json::to_vec(event)?
            }
        };
        Ok(Self { id, headers, body })
    }

    /// What is signed before the body: `{id}.{timestamp}.`
    pub fn prefix(&self, at: Timestamp) -> String {
        format!("{}.{}.", self.id, unix_seconds(at))
    }

    /// Adds the headers of Standard Webhooks.
    pub fn sign(&mut self, at: Timestamp, signature: &str) {
        let headers = [("webhook-id", self.id.clone()), ("webhook-timestamp", unix_seconds(at).to_string())];
        for (name, value) in headers.into_iter().chain([("webhook-signature", signature.to_owned())]) {
            insert(&mut self.headers, name, &value);
        }
    }
}

/// Attributes as headers (CloudEvents HTTP binding §3.1.3.2).
fn attributes(headers: &mut HeaderMap, parcel: &Parcel, id: &str, source: &str) {
    let event = &parcel.event;
    let kind = format!("{REVERSE_DNS}{}", event.kind.as_str());
    let time = event.time.to_string();
    let given =
        [("ce-specversion", "1.0"), ("ce-id", id), ("ce-source", source), ("ce-type", &kind), ("ce-time", &time)];
    for (name, value) in given {
        insert(headers, name, &escaped(value));
    }
    if let Some(device) = &event.device {
        insert(headers, "ce-subject", &escaped(device));
    }
}

/// Percent-encodes what a header may not hold, the quote and the percent sign.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' | 0..=0x20 | 0x7f..=0xff => escaped.push_str(&format!("%{byte:02X}")),
            other => escaped.push(char::from(other)),
        }
    }
    escaped
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Every value here is printable ASCII; what is not could not be sent.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// CoAP Content-Formats that have a media type of their own (IANA registry); of any other, bytes.
fn media_type(content_type: Option<&ContentType>) -> HeaderValue {
    let name = match content_type {
        Some(ContentType::Media(name)) => return HeaderValue::from_str(name).unwrap_or(BYTES),
        Some(ContentType::Format(number)) => match number {
            0 => "text/plain; charset=utf-8",
            50 => "application/json",
            60 => "application/cbor",
            110 => "application/senml+json",
            112 => "application/senml+cbor",
            _ => return BYTES,
        },
        None => return BYTES,
    };
    HeaderValue::from_static(name)
}

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Headers of an operator's own that may be sent along (threats E9): none that frames the request, names the receiver,
/// or is ours. None: it may not.
pub fn custom_header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    const OURS: [&str; 11] = [
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "keep-alive",
        "user-agent",
    ];
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let text = name.as_str();
    let reserved =
        OURS.contains(&text) || ["webhook-", "ce-", "proxy-", "svix-"].iter().any(|own| text.starts_with(own));
    let mut value = HeaderValue::from_str(value).ok().filter(|_| !reserved)?;
    value.set_sensitive(true);
    Some((name, value))
}

#[cfg(test)]
mod tests;
