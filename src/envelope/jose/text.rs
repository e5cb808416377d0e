//! Bytes as JOSE writes them: base64url without padding, one form only (RFC 7515 §2); certificates in padded base64.
//!
//! Imports `envelope::Fault` and base64.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::envelope::Fault;

/// Bytes of base64url: no padding, no white space, unused bits zero.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::malformed("not base64url, or not its one form"))
}

/// Whether a text has no letter but those of base64url.
pub(super) fn is_base64url(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// base64url of bytes.
pub(super) fn of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// DER of a certificate in x5c (RFC 7515 §4.1.6).
pub(super) fn certificate(text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|_| Fault::malformed("a certificate that is not base64"))
}
