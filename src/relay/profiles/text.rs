//! Profile `text`: the body is one envelope, encoded as text.

use crate::item::{Claims, Item, Sealed};
use crate::relay::profiles::{Body, Found, Place, Profile, named_structure, opaque};

/// The envelope that the text holds; text that holds none is kept as it came.
pub(super) fn find(profile: &Profile, body: &Body<'_>) -> Found {
    let claims = profile.claims(body);
    let named = body.content_type.and_then(named_structure);
    let written = std::str::from_utf8(body.bytes).ok();
    let unwrapped = written.and_then(|text| opaque::from_string(text, profile.encoding, named));
    let place = match unwrapped {
        Some(found) => {
            let sealed = Sealed { bytes: found.bytes.into(), cose_type: named };
            let claims = Claims { repaired: found.repaired, ..claims };
            Place::Envelope(Item { sealed, claims }, found.encoding)
        }
        None => Place::kept(body.bytes, claims),
    };
    Found { places: vec![place], cleartext: Vec::new() }
}
