//! Bytes written as text: hex, base64, base64url, as senders really write them.
//!
//! Hex text is always base64 text too (relays.md §4), so nothing here guesses: each function answers for one coding, and
//! the caller judges what the bytes are.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding may be there or not.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STRICT_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING.with_decode_allow_trailing_bits(true));
const LENIENT_URL: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING.with_decode_allow_trailing_bits(true));

/// Text without what transports wrap around it: a byte order mark, white space, one pair of quotes.
pub fn strip(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    quoted.unwrap_or(text).trim()
}

/// Text without any ASCII white space: encoded bytes are often wrapped into lines.
pub fn unwrap_lines(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_whitespace()).collect()
}

/// Hex of either case, an optional `0x` before it.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    hex::decode(digits).ok()
}

/// Base64 (RFC 4648 §4), padded or not; unused bits may be set.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok()
}

/// Base64url (RFC 4648 §5), padded or not; unused bits may be set.
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    LENIENT_URL.decode(text).ok()
}

/// Base64url as sealed JSON carries it (RFC 8428 §4.2: without padding; stacks pad all the same). Unused bits are zero.
pub fn base64url_strict(text: &str) -> Option<Vec<u8>> {
    STRICT_URL.decode(text).ok()
}

#[cfg(test)]
mod tests;
