//! Profile `raw`: the body is the envelope. A CBOR sequence (RFC 8742) holds several, where its media type says so.

use crate::codec::media_type::essence;
use crate::envelope::{cose, recognise};
use crate::item::{Claims, CoseType, Format, Item, Sealed};
use crate::relay::profiles::{Body, Encoding, Found, Limits, Place, Profile, Unfound, named_structure};

/// The body, or the elements of the sequence that it is.
pub(super) fn find(profile: &Profile, body: &Body<'_>, limits: &Limits) -> Result<Found, Unfound> {
    let claims = profile.claims(body);
    let named = body.content_type.and_then(named_structure);
    let elements = if is_sequence(body.content_type) { cose::sequence(body.bytes) } else { None };
    // A sequence that does not split cleanly is one item, and refused as such.
    let Some(elements) = elements else { return Ok(of(vec![place(body.bytes, named, claims)])) };
    if elements.len() > limits.max_items {
        return Err(Unfound::TooLarge);
    }
    Ok(of(elements.into_iter().map(|element| place(&body.bytes[element], None, claims.clone())).collect()))
}

fn of(places: Vec<Place>) -> Found {
    Found { places, cleartext: Vec::new() }
}

fn place(bytes: &[u8], named: Option<CoseType>, claims: Claims) -> Place {
    // JOSE is text: white space around it is the carrier's (jose.md §2).
    let text = bytes.trim_ascii();
    let bytes = match recognise(bytes, named) {
        Some(_) => bytes,
        None if recognise(text, None) == Some(Format::Jose) => text,
        None => return Place::kept(bytes, claims),
    };
    Place::Envelope(Item { sealed: Sealed { bytes: bytes.into(), cose_type: named }, claims }, Encoding::Raw)
}

fn is_sequence(content_type: Option<&str>) -> bool {
    let essence = content_type.map(essence);
    matches!(essence.as_deref(), Some("application/cbor-seq" | "application/cose-seq"))
}
