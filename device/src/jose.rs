//! Any JWE (RFC 7516) and JWS (RFC 7515), in each serialization: for the profile's shapes in JOSE ([`profile`]), for other
//! systems, for tests. Feature `jose`; no OpenSSL.
//!
//! ```text
//! compact    protected.encrypted key.IV.ciphertext.tag          protected.payload.signature
//! flattened  {protected, unprotected, header, encrypted_key,    {payload, protected, header, signature}
//!             aad, iv, ciphertext, tag}
//! general    {protected, unprotected, recipients: [...], ...}   {payload, signatures: [{protected, header, signature}]}
//! ```
//! [`jwe`] and [`jws`] build them, [`algorithm`] names the algorithms, [`header`] holds parameters; `encryption` and
//! `management` are the steps of RFC 7518. Content is as unique as the caller makes it: numbers and binding are the
//! profile's.

use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub mod algorithm;
mod encryption;
pub mod header;
pub mod jwe;
pub mod jws;
mod management;
pub mod profile;

/// How a message is written down (RFC 7515 §7, RFC 7516 §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serialization {
    /// Parts with dots between; one recipient or signer, all headers protected.
    #[default]
    Compact,
    /// A JSON object for one recipient or signer.
    Flattened,
    /// A JSON object for any number.
    General,
}

impl Serialization {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Compact, Self::Flattened, Self::General];
}

/// base64url without padding (RFC 7515 §2).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
