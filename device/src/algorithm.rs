//! The algorithms of profile `paperknife-1`: their numbers and names in the IANA COSE registry, and their lengths.
//! Imports nothing.

macro_rules! registered {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $id:literal $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$variant_doc])* $variant,)+ }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Number in the COSE registry.
            pub const fn id(self) -> i32 {
                match self { $(Self::$variant => $id,)+ }
            }

            /// Name in the COSE registry.
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
#[cfg(feature = "cose-full")]
pub(crate) use registered;

/// The same for formats whose algorithms have a name and no number.
#[cfg(any(feature = "cms", feature = "jose"))]
macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$variant_doc])* $variant,)+ }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name.
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
#[cfg(any(feature = "cms", feature = "jose"))]
pub(crate) use named;

registered! {
    /// Encrypts the content (RFC 9053 §4).
    ContentAlgorithm {
        /// AES-128-GCM.
        A128Gcm = 1 "A128GCM",
        /// AES-256-GCM.
        A256Gcm = 3 "A256GCM",
        /// AES-128-CCM, tag of 16 bytes.
        AesCcm16_128_128 = 30 "AES-CCM-16-128-128",
        /// AES-128-CCM, tag of 8 bytes: the default of shapes S and G.
        AesCcm16_64_128 = 10 "AES-CCM-16-64-128",
        /// ChaCha20-Poly1305.
        ChaCha20Poly1305 = 24 "ChaCha20-Poly1305",
    }
}

registered! {
    /// Signs the content (RFC 9053 §2, RFC 9864).
    SignatureAlgorithm {
        /// Ed25519.
        Ed25519 = -19 "Ed25519",
        /// ECDSA with SHA-256, the number that older receivers know.
        Es256 = -7 "ES256",
        /// ECDSA with SHA-256 on P-256: the default of P-256 keys.
        Esp256 = -9 "ESP256",
    }
}

registered! {
    /// Brings the content key to the gateway (RFC 9053 §6.4).
    KeyAgreement {
        /// ECDH-ES, HKDF-SHA-256, AES-128 key wrap.
        EcdhEsA128Kw = -29 "ECDH-ES+A128KW",
        /// ECDH-ES, HKDF-SHA-256, AES-256 key wrap.
        EcdhEsA256Kw = -31 "ECDH-ES+A256KW",
    }
}

impl ContentAlgorithm {
    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::AesCcm16_128_128 | Self::AesCcm16_64_128 => 16,
            Self::A256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of the nonce.
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::AesCcm16_128_128 | Self::AesCcm16_64_128 => 13,
            Self::A128Gcm | Self::A256Gcm | Self::ChaCha20Poly1305 => 12,
        }
    }

    /// Bytes of the tag.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AesCcm16_64_128 => 8,
            Self::A128Gcm | Self::A256Gcm | Self::AesCcm16_128_128 | Self::ChaCha20Poly1305 => 16,
        }
    }
}

impl KeyAgreement {
    /// The key agreement that shape P pairs with a content algorithm: -29 with 1, -31 with 3.
    pub const fn for_content(algorithm: ContentAlgorithm) -> Option<Self> {
        match algorithm {
            ContentAlgorithm::A128Gcm => Some(Self::EcdhEsA128Kw),
            ContentAlgorithm::A256Gcm => Some(Self::EcdhEsA256Kw),
            ContentAlgorithm::AesCcm16_128_128
            | ContentAlgorithm::AesCcm16_64_128
            | ContentAlgorithm::ChaCha20Poly1305 => None,
        }
    }

    /// Bytes of the key-encryption key.
    pub const fn kek_len(self) -> usize {
        match self {
            Self::EcdhEsA128Kw => 16,
            Self::EcdhEsA256Kw => 32,
        }
    }
}
