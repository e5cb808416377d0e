//! From an opaque place to the envelope in it (relays.md §4): candidates in order, of which the first that is one whole
//! envelope counts. Hex is always base64 text too, so that the envelope decides, never the alphabet.

use std::borrow::Cow;

use crate::codec::text;
use crate::envelope::recognise;
use crate::item::{CoseType, Format};

/// Most characters that are cut off a text's end.
const MAX_CUT: usize = 8;

/// Longest text that is searched, white space included: no reader takes an envelope above 1 MiB (threats.md §2), and
/// the widest encoding, hex in wrapped base64, makes less than three characters of a byte.
const MAX_TEXT: usize = 3 * 1024 * 1024;

/// How an envelope was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Base64.
    Base64,
    /// Base64 of base64.
    Base64Base64,
    /// Base64 of hex.
    Base64Hex,
    /// Base64url.
    Base64url,
    /// Hex.
    Hex,
    /// JOSE, which is text itself.
    Jose,
    /// Bytes as they are.
    Raw,
}

impl Encoding {
    /// Its name in options and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64Base64 => "base64-base64",
            Self::Base64Hex => "base64-hex",
            Self::Base64url => "base64url",
            Self::Hex => "hex",
            Self::Jose => "jose",
            Self::Raw => "raw",
        }
    }

    /// The encoding of a relay's option: then it alone is tried.
    pub(super) fn configured(name: &str) -> Result<Self, String> {
        let known = TEXT_ENCODINGS.into_iter().find(|encoding| encoding.as_str() == name);
        known.ok_or_else(|| format!("`{name}` is not one of {}", TEXT_ENCODINGS.map(Self::as_str).join(", ")))
    }

    /// The bytes that a text says in this encoding.
    fn decode(self, written: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => text::base64(written),
            Self::Base64Base64 => text::base64(inner(&text::base64(written)?)?.as_ref()),
            Self::Base64Hex => text::hex(inner(&text::base64(written)?)?.as_ref()),
            Self::Base64url => text::base64url(written),
            Self::Hex => text::hex(written),
            Self::Jose | Self::Raw => Some(written.as_bytes().to_vec()),
        }
    }
}

/// The order in which they are tried.
const TEXT_ENCODINGS: [Encoding; 6] =
    [Encoding::Jose, Encoding::Hex, Encoding::Base64, Encoding::Base64url, Encoding::Base64Base64, Encoding::Base64Hex];

/// An envelope found in a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unwrapped {
    /// The envelope.
    pub(super) bytes: Vec<u8>,
    /// How it was written.
    pub(super) encoding: Encoding,
    /// Trailing text was cut to find it.
    pub(super) repaired: bool,
}

/// The envelope that a text holds: in the configured encoding, else in the first that gives one.
pub(super) fn from_text(written: &str, configured: Option<Encoding>, named: Option<CoseType>) -> Option<Unwrapped> {
    if let Some(bytes) = armoured(written).filter(|_| configured.is_none()) {
        return Some(Unwrapped { bytes, encoding: Encoding::Raw, repaired: false });
    }
    let encodings = configured.as_ref().map_or(TEXT_ENCODINGS.as_slice(), std::slice::from_ref);
    if let Some(jose) = as_it_stands(written).filter(|_| encodings.contains(&Encoding::Jose)) {
        return Some(jose);
    }
    let written = trimmed(written)?;
    encodings.iter().find_map(|encoding| {
        let bytes = encoding.decode(&written)?;
        is_envelope(*encoding, &bytes, named).then_some(Unwrapped { bytes, encoding: *encoding, repaired: false })
    })
}

/// As [`from_text`]; where nothing is found, up to eight characters are cut off the end, if exactly one envelope comes
/// of it: string resources are copied without their NUL (relays.md §4 rule 4).
pub(super) fn from_string(written: &str, configured: Option<Encoding>, named: Option<CoseType>) -> Option<Unwrapped> {
    from_text(written, configured, named).or_else(|| {
        let written = trimmed(written)?;
        let mut found: Vec<Unwrapped> = cuts(&written).filter_map(|cut| repaired(cut, configured, named)).collect();
        // Cuts within the padding leave the same envelope: one finding.
        found.dedup_by(|a, b| a.bytes == b.bytes);
        if found.len() == 1 { found.pop() } else { None }
    })
}

/// PEM and S/MIME are envelopes as they are written, lines and all (relays.md §4 rule 2).
fn armoured(written: &str) -> Option<Vec<u8>> {
    let text = text::strip(written).as_bytes();
    let armour = text.starts_with(b"-----BEGIN ") || text.contains(&b':');
    (armour && text.len() <= MAX_TEXT && recognise(text, None) == Some(Format::Cms)).then(|| text.to_vec())
}

/// JOSE whose text may hold white space of its own: only what is around it goes.
fn as_it_stands(written: &str) -> Option<Unwrapped> {
    let bytes = text::strip(written).as_bytes();
    let found = written.len() <= MAX_TEXT && recognise(bytes, None) == Some(Format::Jose);
    found.then(|| Unwrapped { bytes: bytes.to_vec(), encoding: Encoding::Jose, repaired: false })
}

fn trimmed(written: &str) -> Option<String> {
    (written.len() <= MAX_TEXT).then(|| text::unwrap_lines(text::strip(written)))
}

fn cuts(written: &str) -> impl Iterator<Item = &str> {
    let ends = written.char_indices().rev().map(|(end, _)| end).take(MAX_CUT);
    ends.filter(|end| *end > 0).map(|end| &written[..end])
}

/// Hex and base64 only: a cut in a JOSE text would be a cut in the envelope itself.
fn repaired(cut: &str, configured: Option<Encoding>, named: Option<CoseType>) -> Option<Unwrapped> {
    let encodings = [Encoding::Hex, Encoding::Base64, Encoding::Base64url];
    encodings.into_iter().filter(|encoding| configured.is_none_or(|only| only == *encoding)).find_map(|encoding| {
        let bytes = encoding.decode(cut)?;
        is_envelope(encoding, &bytes, named).then_some(Unwrapped { bytes, encoding, repaired: true })
    })
}

/// The envelope of a binary place: the bytes as they are, or bytes that are a text (twice-base64). Nothing is ever cut.
pub(super) fn from_bytes(bytes: &[u8], named: Option<CoseType>) -> Option<Unwrapped> {
    if recognise(bytes, named).is_some() {
        return Some(Unwrapped { bytes: bytes.to_vec(), encoding: Encoding::Raw, repaired: false });
    }
    from_text(std::str::from_utf8(bytes).ok()?, None, named)
}

/// Text that is JOSE is not decoded, and what is decoded may itself be JOSE.
fn is_envelope(encoding: Encoding, bytes: &[u8], named: Option<CoseType>) -> bool {
    let format = recognise(bytes, named);
    if encoding == Encoding::Jose { format == Some(Format::Jose) } else { format.is_some() }
}

fn inner(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(Cow::Owned(text::unwrap_lines(text::strip(text))))
}

#[cfg(test)]
mod tests;
