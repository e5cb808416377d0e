//! `paperknife relays test`: what a profile finds in a captured body, without a gateway.

use std::collections::BTreeMap;

use axum::extract::Query;
use serde_json::{Value as Json, json};

use crate::codec::inflate::{self, inflate};
use crate::codec::media_type::essence;
use crate::item::{Claims, Timestamp};
use crate::relay::profiles::{self, Body, Cleartext, Found, Kind, Limits, Place, Profile, Unfound};

/// What `relays test` was asked: a captured delivery, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Test {
    /// A profile's name, or `auto`.
    pub(super) profile: String,
    /// The profile's options.
    pub(super) set: BTreeMap<String, String>,
    /// When the delivery arrived.
    pub(super) at: Timestamp,
    /// The URL that it was sent to, or its part from the path on; its query is used.
    pub(super) url: Option<String>,
    /// The endpoint as whoever pulled the body knows it; counts where the delivery itself names none.
    pub(super) endpoint: Option<String>,
    /// The body's media type; else that of the headers.
    pub(super) content_type: Option<String>,
    /// The delivery's headers.
    pub(super) headers: Vec<(String, String)>,
    /// JSON rather than lines.
    pub(super) json: bool,
}

/// What a profile made of the body.
struct Outcome {
    profile: Option<Kind>,
    found: Found,
    error: Option<Unfound>,
}

/// What the profile finds, as text for stdout, and the exit code. An error is the operator's: usage.
pub(super) fn run(test: &Test, body: &[u8]) -> Result<(String, u8), String> {
    let query = query(test.url.as_deref())?;
    let outcome = match inflated(test, body)? {
        None => Outcome { profile: None, found: Found::default(), error: Some(Unfound::TooLarge) },
        Some(body) => search(test, &body, &query)?,
    };
    let text = if test.json { as_json(&outcome) } else { as_lines(&outcome) };
    Ok((text, u8::from(outcome.error.is_some())))
}

fn search(test: &Test, bytes: &[u8], query: &[(String, String)]) -> Result<Outcome, String> {
    let content_type = test.content_type.as_deref().or_else(|| header(test, "content-type"));
    let body = Body { bytes, content_type, headers: &test.headers, query, received_at: test.at };
    let Some(profile) = profile(test, &body)? else {
        return Ok(Outcome { profile: None, found: Found::default(), error: Some(Unfound::NoEnvelope) });
    };
    let (mut found, error) = match profiles::search(&profile, &body, &Limits::default()) {
        Ok(found) if found.places.is_empty() => (found, Some(Unfound::NoEnvelope)),
        Ok(found) => (found, None),
        Err(error) => (Found::default(), Some(error)),
    };
    if let Some(endpoint) = &test.endpoint {
        name_endpoint(&mut found, endpoint);
    }
    Ok(Outcome { profile: Some(profile.kind()), found, error })
}

fn name_endpoint(found: &mut Found, endpoint: &str) {
    for place in &mut found.places {
        let (Place::Envelope(item, _) | Place::Kept(item, _)) = place;
        item.claims.endpoint.get_or_insert_with(|| endpoint.to_owned());
    }
    for cleartext in &mut found.cleartext {
        cleartext.endpoint.get_or_insert_with(|| endpoint.to_owned());
    }
}

fn header<'a>(test: &'a Test, name: &str) -> Option<&'a str> {
    test.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The body without its content coding; none where it grows too large.
fn inflated(test: &Test, body: &[u8]) -> Result<Option<Vec<u8>>, String> {
    match inflate(body, header(test, "content-encoding").unwrap_or_default(), Limits::default().max_body) {
        Ok(body) => Ok(Some(body)),
        Err(inflate::Error::TooLarge) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn query(url: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let Some(url) = url else { return Ok(Vec::new()) };
    let url = url.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    Query::try_from_uri(&url).map(|Query(members)| members).map_err(|error| error.to_string())
}

fn profile(test: &Test, body: &Body<'_>) -> Result<Option<Profile>, String> {
    if test.profile != "auto" {
        return profiles::parse_profile(&test.profile, &test.set).map(Some);
    }
    let kind = recognise_kind(body);
    kind.map(|kind| profiles::parse_profile(kind.as_str(), &test.set)).transpose()
}

/// `auto`: by content type, then by what the body is. Unknown rather than a guess: arbitrary JSON is not searched.
fn recognise_kind(body: &Body<'_>) -> Option<Kind> {
    match body.content_type.map(essence).as_deref() {
        Some("application/senml+json") => Some(Kind::SenmlJson),
        Some("application/senml+cbor") => Some(Kind::SenmlCbor),
        Some("application/cbor-seq" | "application/cms" | "application/cose" | "application/cose-seq") => {
            Some(Kind::Raw)
        }
        Some("application/jose" | "application/jose+json") => Some(Kind::Text),
        _ => PROBED.into_iter().find(|kind| holds_envelope(*kind, body)),
    }
}

/// In this order: bytes that are an envelope are nothing else, and a pack in JSON is no text of another encoding.
const PROBED: [Kind; 4] = [Kind::Raw, Kind::SenmlJson, Kind::SenmlCbor, Kind::Text];

fn holds_envelope(kind: Kind, body: &Body<'_>) -> bool {
    let found = profiles::search(&Profile::plain(kind), body, &Limits::default());
    found.is_ok_and(|found| found.places.iter().any(|place| matches!(place, Place::Envelope(..))))
}

fn as_json(outcome: &Outcome) -> String {
    let items: Vec<Json> = outcome.found.places.iter().filter_map(item_json).collect();
    let kept: Vec<Json> = outcome.found.places.iter().filter_map(kept_json).collect();
    let cleartext: Vec<Json> = outcome.found.cleartext.iter().map(cleartext_json).collect();
    let report = json!({
        "items": items,
        "cleartext": cleartext,
        "kept": kept,
        "error": outcome.error.map(code),
        "profile": outcome.profile.map(Kind::as_str),
    });
    format!("{report:#}\n")
}

fn item_json(place: &Place) -> Option<Json> {
    let Place::Envelope(item, encoding) = place else { return None };
    let Claims { endpoint, prefix, path, time, seq, id, repaired } = &item.claims;
    Some(json!({
        "endpoint": endpoint, "prefix": prefix, "path": path, "time": time, "seq": seq, "id": id,
        "encoding": encoding.as_str(), "repaired": repaired, "sealed_hex": hex::encode(&item.sealed.bytes),
    }))
}

fn kept_json(place: &Place) -> Option<Json> {
    let Place::Kept(item, reason) = place else { return None };
    Some(json!({ "path": item.claims.path, "raw_hex": hex::encode(&item.sealed.bytes), "reason": reason }))
}

fn cleartext_json(cleartext: &Cleartext) -> Json {
    let Cleartext { endpoint, path, time, value } = cleartext;
    json!({ "endpoint": endpoint, "path": path, "time": time, "value": value })
}

const fn code(error: Unfound) -> &'static str {
    match error {
        Unfound::NoEnvelope => "no_envelope",
        Unfound::TooLarge => "too_large",
    }
}

/// All of it was written by a relay: escaped, so that no control character reaches the terminal.
fn as_lines(outcome: &Outcome) -> String {
    let profile = outcome.profile.map_or("unknown", Kind::as_str);
    let head = match outcome.error {
        Some(error) => format!("profile {profile}: {error} ({})\n", code(error)),
        None => format!("profile {profile}\n"),
    };
    let places = outcome.found.places.iter().map(place_line);
    let cleartext = outcome.found.cleartext.iter().map(cleartext_line);
    std::iter::once(head).chain(places).chain(cleartext).collect()
}

fn place_line(place: &Place) -> String {
    let item = place.item();
    let bytes = item.sealed.bytes.len();
    let what = match place {
        Place::Envelope(_, encoding) if item.claims.repaired => format!("envelope  {}, repaired", encoding.as_str()),
        Place::Envelope(_, encoding) => format!("envelope  {}", encoding.as_str()),
        Place::Kept(_, reason) => format!("kept  {}", reason.as_str()),
    };
    format!("{what}  {bytes} bytes{}\n", claims(&item.claims.endpoint, &item.claims.path, item.claims.time))
}

fn cleartext_line(cleartext: &Cleartext) -> String {
    format!("cleartext  {}{}\n", cleartext.value, claims(&cleartext.endpoint, &cleartext.path, cleartext.time))
}

fn claims(endpoint: &Option<String>, path: &Option<String>, time: Option<Timestamp>) -> String {
    let texts = [("endpoint", endpoint), ("path", path)].into_iter();
    let texts = texts.filter_map(|(name, text)| Some(format!("  {name} {}", text.as_ref()?.escape_debug())));
    texts.chain(time.map(|time| format!("  time {time}"))).collect()
}

#[cfg(test)]
mod tests;
