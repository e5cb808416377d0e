//! What a message is written in: DER or BER as it is, PEM, base64 text, S/MIME (RFC 5652, RFC 7468 §9, RFC 8551 §3).
//!
//! Imports its parent, `envelope`, `item`'s departures and base64. Nothing may follow what it unwraps.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::too_large;
use crate::envelope::Fault;
use crate::item::{Compat, Departure};

/// Octets of MIME headers.
const HEADERS: usize = 8 * 1024;
const NOT_TWO_PARTS: Fault = Fault::malformed("not the two parts of multipart/signed");
/// Labels of PEM (RFC 7468 §9, and what came before it).
const LABELS: [&str; 2] = ["CMS", "PKCS7"];

/// A message without its armour.
pub(super) struct Bare<'a> {
    /// DER or BER.
    pub(super) message: Cow<'a, [u8]>,
    /// What it signs, where that stands beside it (multipart/signed).
    pub(super) signed: Option<&'a [u8]>,
}

impl<'a> Bare<'a> {
    const fn of(message: Cow<'a, [u8]>) -> Self {
        Self { message, signed: None }
    }
}

/// Takes the armour off, whatever it is.
pub(super) fn unwrap<'a>(bytes: &'a [u8], compat: &Compat) -> Result<Bare<'a>, Fault> {
    if bytes.first() == Some(&0x30) {
        return Ok(Bare::of(Cow::Borrowed(bytes)));
    }
    let text = bytes.trim_ascii_start();
    if text.starts_with(b"-----BEGIN ") {
        return pem(text).map(Bare::of);
    }
    match Entity::of(text)? {
        Some(entity) => entity.unwrap(compat),
        None => base64(text).map(Bare::of),
    }
}

/// Whether bytes are in an armour that says of itself that a message is in it: PEM or S/MIME.
pub(super) fn is_labelled(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let pem = LABELS.iter().any(|label| text.starts_with(format!("-----BEGIN {label}-----").as_bytes()));
    pem || is_entity(text)
}

/// Whether bytes are a MIME entity that holds a message (RFC 8551 §3.2, §3.5).
pub(super) fn is_entity(bytes: &[u8]) -> bool {
    matches!(Entity::of(bytes), Ok(Some(entity)) if entity.media().is_some())
}

/// Whether bytes are base64 text of what begins as a SEQUENCE does.
pub(super) fn is_base64(bytes: &[u8]) -> bool {
    let coded =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') || byte.is_ascii_whitespace();
    bytes.trim_ascii_start().starts_with(b"M") && bytes.iter().all(coded)
}

fn base64(text: &[u8]) -> Result<Cow<'static, [u8]>, Fault> {
    let written: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = BASE64.decode(written).ok().filter(|decoded| !decoded.is_empty());
    decoded.map(Cow::Owned).ok_or(Fault::malformed("no CMS message, and no text that holds one"))
}

/// One message, its label at both ends, nothing after it.
fn pem(text: &[u8]) -> Result<Cow<'static, [u8]>, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::malformed("PEM that is not text"))?.trim_end();
    let body = LABELS.iter().find_map(|label| {
        let body = text.strip_prefix(&format!("-----BEGIN {label}-----"))?;
        body.strip_suffix(&format!("-----END {label}-----"))
    });
    base64(body.ok_or(Fault::malformed("PEM of something else, or more than one"))?.as_bytes())
}

/// A MIME entity (RFC 2045 §2.4): two of its headers, and its body.
struct Entity<'a> {
    content_type: String,
    encoding: Option<String>,
    body: &'a [u8],
}

/// What an entity holds.
enum Media {
    /// `application/pkcs7-mime`: the message.
    Message,
    /// `multipart/signed`: what is signed, and a message beside it.
    Signed,
}

impl<'a> Entity<'a> {
    /// None where the bytes do not begin with headers, a content type among them.
    fn of(bytes: &'a [u8]) -> Result<Option<Self>, Fault> {
        let (mut content_type, mut encoding) = (None, None);
        let mut rest = bytes;
        while let Some((line, after)) = header_line(rest) {
            if bytes.len() - after.len() > HEADERS {
                return if content_type.is_some() { Err(too_large("too many headers")) } else { Ok(None) };
            }
            if line.is_empty() {
                return Ok(content_type.map(|content_type| Self { content_type, encoding, body: after }));
            }
            let Some((name, value)) = line.split_once(':') else { return Ok(None) };
            match name.to_ascii_lowercase().as_str() {
                "content-type" => content_type = Some(value.trim().to_owned()),
                "content-transfer-encoding" => encoding = Some(value.trim().to_ascii_lowercase()),
                _ => {}
            }
            rest = after;
        }
        Ok(None)
    }

    fn media(&self) -> Option<Media> {
        let essence = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => Some(Media::Message),
            "multipart/signed" if self.parameter("protocol").is_some_and(|of| is_signature(&of)) => Some(Media::Signed),
            _ => None,
        }
    }

    fn unwrap(self, compat: &Compat) -> Result<Bare<'a>, Fault> {
        match self.media() {
            Some(Media::Message) => self.decoded().map(Bare::of),
            Some(Media::Signed) if compat.allows(Departure::SmimeEntity) => self.signed(),
            Some(Media::Signed) => Err(Fault::unsupported("multipart/signed is off")),
            None => Err(Fault::unsupported("a MIME entity that is no CMS message")),
        }
    }

    fn decoded(&self) -> Result<Cow<'a, [u8]>, Fault> {
        match self.encoding.as_deref() {
            Some("base64") => base64(self.body),
            None | Some("binary" | "8bit" | "7bit") => Ok(Cow::Borrowed(self.body)),
            Some(_) => Err(Fault::unsupported("a transfer encoding that no CMS message has")),
        }
    }

    /// RFC 1847 §2.1: what is signed is the first part, headers included, up to the line break before the boundary; a
    /// part without headers is taken as it is.
    fn signed(&self) -> Result<Bare<'a>, Fault> {
        let boundary = format!("--{}", self.parameter("boundary").ok_or(NOT_TWO_PARTS)?);
        let (_, rest) = cut(self.body, &boundary).ok_or(NOT_TWO_PARTS)?;
        let (signed, rest) = cut(rest, &boundary).ok_or(NOT_TWO_PARTS)?;
        let (signature, rest) = cut(rest, &boundary).ok_or(NOT_TWO_PARTS)?;
        let ended = rest.strip_prefix(b"--").is_some_and(|rest| rest.trim_ascii().is_empty());
        let entity = Self::of(without_line_break(signature))?.filter(|entity| is_signature(&entity.content_type));
        match entity {
            Some(entity) if ended => Ok(Bare { message: entity.decoded()?, signed: Some(without_line_break(signed)) }),
            _ => Err(NOT_TWO_PARTS),
        }
    }

    /// A parameter of the content type, quoted or not.
    fn parameter(&self, name: &str) -> Option<String> {
        self.content_type.split(';').skip(1).find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    }
}

fn is_signature(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/pkcs7-signature" | "application/x-pkcs7-signature")
}

/// A header with the lines that continue it, and what follows; none where there is no line end.
fn header_line(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut line = String::new();
    let mut rest = bytes;
    loop {
        let end = rest.iter().take(HEADERS).position(|byte| *byte == b'\n')?;
        line.push_str(std::str::from_utf8(&rest[..end]).ok()?.trim_end_matches('\r'));
        rest = &rest[end + 1..];
        if line.is_empty() || line.len() > HEADERS || !rest.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            return Some((line, rest));
        }
    }
}

/// What stands before a boundary that begins a line, its line break included, and what follows the boundary's line
/// break, or its `--`.
fn cut<'a>(bytes: &'a [u8], boundary: &str) -> Option<(&'a [u8], &'a [u8])> {
    let mut start = 0;
    loop {
        let line = &bytes[start..];
        if let Some(after) = line.strip_prefix(boundary.as_bytes()) {
            let after = without_line_break_before(after).or_else(|| after.starts_with(b"--").then_some(after));
            if let Some(after) = after {
                return Some((&bytes[..start], after));
            }
        }
        start += line.iter().position(|byte| *byte == b'\n')? + 1;
    }
}

fn without_line_break_before(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"\r\n").or_else(|| bytes.strip_prefix(b"\n"))
}

/// Without the line break at the end, which belongs to the boundary that follows.
fn without_line_break(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(bytes)
}
