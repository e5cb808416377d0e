//! Keys as the rest of the house sees them: names, policies, states. Data without a private byte can be read here; what
//! a [`KeyRef`] carries beside it has no accessor, no `Debug` and no way out of this crate.

use std::sync::Arc;

use crate::ops::Material;

/// A key's name as an envelope gives it. More forms (issuer and serial, SKI, thumbprint) come with their formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// Key identifier, 1–256 bytes, compared as bytes.
    Kid(&'a [u8]),
}

macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// An algorithm by its name in the IANA COSE and JOSE registries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Algorithm { $($(#[$doc])* $variant,)+ }

        impl Algorithm {
            /// Every algorithm that this keystore can run.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The registered name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The algorithm of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
            }
        }
    };
}

algorithms! {
    /// AES-128-GCM.
    A128Gcm = "A128GCM",
    /// AES-256-GCM.
    A256Gcm = "A256GCM",
    /// AES-CCM, 13-byte nonce, 16-byte tag, 128-bit key.
    AesCcm16_128_128 = "AES-CCM-16-128-128",
    /// AES-CCM, 13-byte nonce, 8-byte tag, 128-bit key.
    AesCcm16_64_128 = "AES-CCM-16-64-128",
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305 = "ChaCha20-Poly1305",
    /// ECDH-ES with HKDF-SHA-256 and AES-128 key wrap.
    EcdhEsA128Kw = "ECDH-ES+A128KW",
    /// ECDH-ES with HKDF-SHA-256 and AES-256 key wrap.
    EcdhEsA256Kw = "ECDH-ES+A256KW",
    /// Ed25519.
    Ed25519 = "Ed25519",
    /// ECDSA, SHA-256.
    Es256 = "ES256",
    /// ECDSA on P-256, SHA-256 (RFC 9864).
    Esp256 = "ESP256",
}

impl Algorithm {
    /// Whether it encrypts content under a symmetric key.
    pub const fn is_aead(self) -> bool {
        matches!(
            self,
            Self::A128Gcm | Self::A256Gcm | Self::AesCcm16_128_128 | Self::AesCcm16_64_128 | Self::ChaCha20Poly1305
        )
    }
}

/// Kind of key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kty {
    /// NIST P-256 key.
    Ec2P256,
    /// Ed25519 key.
    OkpEd25519,
    /// Symmetric key: a profile master, or a content key as it is.
    Symmetric,
}

/// Life of a key version (NIST SP 800-57; keystore.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// Erased; a tombstone remains.
    Destroyed,
    /// Suspended or revoked.
    Disabled,
    /// Not yet in use: what names it is held.
    Pending,
    /// Opens, no longer seals, until the grace ends.
    Retiring,
}

/// How strictly the relay's path claim, or its endpoint claim, is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathBinding {
    /// Bound where a path is claimed.
    IfKnown,
    /// Not looked at.
    Off,
    /// Must be one of the key's paths.
    Required,
}

/// What a relay's endpoint claim that differs from the device leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointBinding {
    /// Opened, flagged.
    Flagged,
    /// Not looked at.
    Ignored,
    /// Refused.
    Pinned,
}

/// A structure of profile `paperknife-1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Encrypt0(Sign1).
    G,
    /// Encrypt(Sign1).
    P,
    /// Encrypt0.
    S,
}

macro_rules! named {
    ($type:ident: $($variant:ident = $name:literal,)+) => {
        impl $type {
            /// The name in files and answers.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What has that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

named! { Kty: Ec2P256 = "EC", OkpEd25519 = "OKP", Symmetric = "oct", }
named! { Status: Active = "active", Destroyed = "destroyed", Disabled = "disabled", Pending = "pending", Retiring = "retiring", }
named! { PathBinding: IfKnown = "if_known", Off = "off", Required = "required", }
named! { EndpointBinding: Flagged = "flagged", Ignored = "ignored", Pinned = "pinned", }
named! { Shape: G = "G", P = "P", S = "S", }

/// What a key's owner allows: complete, class defaults and the gateway's audience filled in (contract.md §1).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The strict profile `paperknife-1`; else any well-formed envelope that the rest allows.
    pub strict_profile: bool,
    /// `cose`, `cms`, `jose`.
    pub formats: Vec<String>,
    /// Shapes of the profile.
    pub shapes: Vec<Shape>,
    /// One family of algorithms.
    pub algs: Vec<Algorithm>,
    /// The `ep` of the binding, compared with the relay's claim; default: the device.
    pub endpoint: Option<String>,
    /// Path candidates, null allowed; none at all: any claimed path.
    pub paths: Option<Vec<Option<String>>>,
    /// Names by which the device addresses us.
    pub audience: Vec<String>,
    /// How strictly the path claim is taken.
    pub path_binding: PathBinding,
    /// Cut an LwM2M gateway prefix off the claimed path before binding.
    pub strip_prefix: bool,
    /// How strictly the endpoint claim is taken.
    pub endpoint_binding: EndpointBinding,
    /// Derive content key and base IV by profile.md §3; else the key is used as it is, with `base_iv`.
    pub derive: bool,
    /// An iat claim is required.
    pub iat_required: bool,
    /// Seconds; older is `too_old`.
    pub max_age_s: Option<i64>,
    /// Seconds; older is flagged `late`.
    pub late_after_s: i64,
    /// Seconds of clock skew; beyond is `from_future`.
    pub max_future_s: i64,
    /// First sequence number expected.
    pub expect_from: Option<u64>,
    /// Seconds of silence before it is named.
    pub max_silence_s: Option<i64>,
    /// Strict order of sequence numbers.
    pub strict_order: bool,
    /// Content format used where the envelope names none: number as text or media type.
    pub content_format: Option<u64>,
    /// Content formats allowed.
    pub content_formats: Vec<u64>,
    /// Bytes.
    pub max_plaintext: usize,
    /// Readings a message.
    pub max_readings: usize,
}

/// A key version as it is handed to those who decide: cheap to clone, reads as its [`Card`]. Its key material rides
/// along, parsed and derived once, and only [`crate::Keystore::run`] reaches it.
#[derive(Clone)]
pub struct KeyRef(pub(crate) Arc<Entry>);

/// A card and its key material.
pub(crate) struct Entry {
    pub(crate) card: Card,
    pub(crate) material: Material,
}

/// What is known of a key version.
#[derive(Clone, Debug)]
pub struct Card {
    /// UUIDv7 text.
    pub id: String,
    /// From 1.
    pub version: u32,
    /// Tenant.
    pub tenant: String,
    /// kid bytes; empty only in offline use, where such a key fits any name.
    pub kid: Vec<u8>,
    /// The identity that this key proves; none for the gateway's own keys. Offline, without a device: `jwk:<thumbprint>`.
    pub device: Option<String>,
    /// Kind.
    pub kty: Kty,
    /// State.
    pub status: Status,
    /// Milliseconds since the epoch.
    pub not_before: Option<i64>,
    /// Milliseconds since the epoch.
    pub not_after: Option<i64>,
    /// base64url of RFC 7638's SHA-256, for symmetric keys of a keyed HMAC (offline: of RFC 7638's).
    pub thumbprint: String,
    /// Whether this is the private half (the gateway's): it agrees, it does not verify senders.
    pub private: bool,
    /// The policy.
    pub policy: Policy,
}

impl std::ops::Deref for KeyRef {
    type Target = Card;
    fn deref(&self) -> &Card {
        &self.0.card
    }
}

impl std::fmt::Debug for KeyRef {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.card.fmt(out)
    }
}

impl KeyRef {
    /// The same key under the name that an envelope gave it: offline, a key without kid fits any name, and the name goes
    /// into the derivation (profile.md §3).
    pub(crate) fn named(&self, kid: &[u8]) -> Self {
        let card = Card { kid: kid.to_vec(), ..self.0.card.clone() };
        Self(Arc::new(Entry { card, material: self.0.material.share() }))
    }
}

impl Algorithm {
    /// Whether its tag is shorter than 16 octets, so that guesses must be counted.
    pub const fn has_short_tag(self) -> bool {
        matches!(self, Self::AesCcm16_64_128)
    }
}

impl Status {
    /// Whether what the key sealed or signed may still be opened (keystore.md §4).
    pub const fn opens(self) -> bool {
        matches!(self, Self::Active | Self::Retiring)
    }
}

/// Sizes of a content algorithm, bytes.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) key: usize,
    pub(crate) nonce: usize,
    pub(crate) tag: usize,
}

impl Algorithm {
    /// Number in the IANA COSE registry.
    pub const fn cose(self) -> i64 {
        match self {
            Self::A128Gcm => 1,
            Self::A256Gcm => 3,
            Self::AesCcm16_128_128 => 30,
            Self::AesCcm16_64_128 => 10,
            Self::ChaCha20Poly1305 => 24,
            Self::EcdhEsA128Kw => -29,
            Self::EcdhEsA256Kw => -31,
            Self::Ed25519 => -19,
            Self::Es256 => -7,
            Self::Esp256 => -9,
        }
    }

    /// Sizes, if this is a content encryption algorithm.
    pub(crate) const fn content(self) -> Option<Sizes> {
        match self {
            Self::A128Gcm => Some(Sizes { key: 16, nonce: 12, tag: 16 }),
            Self::A256Gcm | Self::ChaCha20Poly1305 => Some(Sizes { key: 32, nonce: 12, tag: 16 }),
            Self::AesCcm16_128_128 => Some(Sizes { key: 16, nonce: 13, tag: 16 }),
            Self::AesCcm16_64_128 => Some(Sizes { key: 16, nonce: 13, tag: 8 }),
            Self::EcdhEsA128Kw | Self::EcdhEsA256Kw | Self::Ed25519 | Self::Es256 | Self::Esp256 => None,
        }
    }
}
