//! The binding of profile `paperknife-1`: external_aad that is never sent (profile.md §4).
//!
//! Imports minicbor alone.

use minicbor::Encoder;

/// One guess at what a device bound its message to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// external_aad.
    pub aad: Vec<u8>,
    /// The application; none where nothing is bound.
    pub audience: Option<String>,
    /// The resource path; none where the device cannot know it, or nothing is bound.
    pub path: Option<String>,
    /// Whether it agrees with what the relay claims and the policy allows. One that does not is tried only to tell a
    /// swapped binding from a forged message.
    pub fitting: bool,
}

impl Binding {
    /// `["paperknife-1", aud, ep, path]` in deterministic CBOR (RFC 8949 §4.2.1).
    pub fn profile(audience: &str, endpoint: &str, path: Option<&str>, fitting: bool) -> Self {
        let mut aad = Vec::with_capacity(24 + audience.len() + endpoint.len() + path.map_or(0, str::len));
        let mut encoder = Encoder::new(&mut aad);
        // Writing to a Vec does not fail.
        let _ = encoder
            .array(4)
            .and_then(|e| e.str("paperknife-1")?.str(audience)?.str(endpoint))
            .and_then(|e| if let Some(path) = path { e.str(path) } else { e.null() });
        Self { aad, audience: Some(audience.to_owned()), path: path.map(str::to_owned), fitting }
    }

    /// A binding that travels inside the message, and whether it agrees: nothing is tried for it.
    pub fn carried(audience: &str, path: Option<&str>, fitting: bool) -> Self {
        Self { aad: Vec::new(), audience: Some(audience.to_owned()), path: path.map(str::to_owned), fitting }
    }

    /// external_aad given outright by the caller, or none at all.
    pub fn given(aad: &[u8]) -> Self {
        Self { aad: aad.to_vec(), audience: None, path: None, fitting: true }
    }
}
