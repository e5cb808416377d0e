//! The algorithms of COSE that this reader knows by number: name, kind, and the sizes that a structure needs.
//!
//! Imports nothing. Whether one runs is the strongroom's matter, whether it may, the guard's.

/// What an algorithm does, and its sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Authenticated encryption of content.
    Aead {
        /// Key.
        key: u16,
        /// Nonce.
        nonce: u16,
    },
    /// Encryption that authenticates nothing (RFC 9459): only within a layer that does.
    Cipher {
        /// Key.
        key: u16,
    },
    /// HPKE to the receiver's public key (draft-ietf-cose-hpke): no content key, no nonce.
    Hpke,
    /// Message authentication.
    Mac {
        /// Key.
        key: u16,
    },
    /// Signature.
    Signature,
    /// How a recipient comes to the key of the layer above.
    Management(Management),
}

/// How a recipient comes to the key of the layer above (RFC 9053 §6, RFC 8230 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Management {
    /// The shared key is the key above.
    Direct,
    /// HKDF with HMAC over a shared key.
    DirectHkdf,
    /// HKDF with AES-CBC-MAC over a shared key.
    DirectHkdfAes,
    /// AES key wrap.
    Wrap {
        /// KEK.
        kek: u16,
    },
    /// Key agreement, HKDF.
    Agree {
        /// The sender's key is static.
        fixed: bool,
    },
    /// Key agreement, HKDF, AES key wrap.
    AgreeWrap {
        /// The sender's key is static.
        fixed: bool,
        /// The key-wrap algorithm.
        wrap: i16,
        /// KEK.
        kek: u16,
    },
    /// HPKE to the receiver's public key.
    Hpke,
    /// RSAES-OAEP.
    Transport,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// Number in the IANA COSE registry.
    pub id: i64,
    /// Name.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
}

impl Management {
    /// Whether nothing but the shared or agreed key makes the key above: then there is one recipient, without ciphertext.
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::DirectHkdf | Self::DirectHkdfAes | Self::Agree { .. })
    }

    /// Whether a COSE_KDF_Context goes into it.
    pub const fn derives(self) -> bool {
        matches!(self, Self::DirectHkdf | Self::DirectHkdfAes | Self::Agree { .. } | Self::AgreeWrap { .. })
    }

    /// Whether the sender's key is static.
    pub const fn is_static(self) -> bool {
        matches!(self, Self::Agree { fixed: true } | Self::AgreeWrap { fixed: true, .. })
    }

    /// Whether the sender's public key takes part.
    pub const fn agrees(self) -> bool {
        matches!(self, Self::Agree { .. } | Self::AgreeWrap { .. })
    }

    /// Whether its protected bucket must be of no bytes, so that alg stands unprotected (RFC 9053 §6.1.1, §6.2.1).
    pub const fn is_unprotected(self) -> bool {
        matches!(self, Self::Direct | Self::Wrap { .. } | Self::Transport)
    }
}

impl Algorithm {
    /// The algorithm of that number.
    pub fn of(id: i64) -> Option<&'static Self> {
        REGISTRY.iter().chain(HPKE).find(|algorithm| algorithm.id == id)
    }

    /// Bits of the key that it takes: keyDataLength of whatever derives one for it (RFC 9053 §5.2).
    pub const fn key_bits(&self) -> Option<u64> {
        match self.kind {
            Kind::Aead { key, .. } | Kind::Cipher { key } | Kind::Mac { key } => Some(key as u64 * 8),
            Kind::Management(Management::Wrap { kek }) => Some(kek as u64 * 8),
            Kind::Hpke | Kind::Signature | Kind::Management(_) => None,
        }
    }
}

const fn row(id: i64, name: &'static str, kind: Kind) -> Algorithm {
    Algorithm { id, name, kind }
}

const fn aead(id: i64, name: &'static str, key: u16, nonce: u16) -> Algorithm {
    row(id, name, Kind::Aead { key, nonce })
}

const fn cipher(id: i64, name: &'static str, key: u16) -> Algorithm {
    row(id, name, Kind::Cipher { key })
}

const fn mac(id: i64, name: &'static str, key: u16) -> Algorithm {
    row(id, name, Kind::Mac { key })
}

const fn signature(id: i64, name: &'static str) -> Algorithm {
    row(id, name, Kind::Signature)
}

const fn management(id: i64, name: &'static str, management: Management) -> Algorithm {
    row(id, name, Kind::Management(management))
}

const fn agree_wrap(id: i64, name: &'static str, fixed: bool, wrap: i16, kek: u16) -> Algorithm {
    management(id, name, Management::AgreeWrap { fixed, wrap, kek })
}

/// The commonest first: this is searched for every layer.
const REGISTRY: &[Algorithm] = &[
    aead(10, "AES-CCM-16-64-128", 16, 13),
    aead(1, "A128GCM", 16, 12),
    aead(3, "A256GCM", 32, 12),
    signature(-9, "ESP256"),
    signature(-7, "ES256"),
    signature(-19, "Ed25519"),
    agree_wrap(-29, "ECDH-ES+A128KW", false, -3, 16),
    agree_wrap(-31, "ECDH-ES+A256KW", false, -5, 32),
    aead(24, "ChaCha20-Poly1305", 32, 12),
    aead(30, "AES-CCM-16-128-128", 16, 13),
    aead(2, "A192GCM", 24, 12),
    aead(11, "AES-CCM-16-64-256", 32, 13),
    aead(12, "AES-CCM-64-64-128", 16, 7),
    aead(13, "AES-CCM-64-64-256", 32, 7),
    aead(31, "AES-CCM-16-128-256", 32, 13),
    aead(32, "AES-CCM-64-128-128", 16, 7),
    aead(33, "AES-CCM-64-128-256", 32, 7),
    cipher(-65534, "A128CTR", 16),
    cipher(-65533, "A192CTR", 24),
    cipher(-65532, "A256CTR", 32),
    cipher(-65531, "A128CBC", 16),
    cipher(-65530, "A192CBC", 24),
    cipher(-65529, "A256CBC", 32),
    mac(4, "HMAC 256/64", 32),
    mac(5, "HMAC 256/256", 32),
    mac(6, "HMAC 384/384", 48),
    mac(7, "HMAC 512/512", 64),
    mac(14, "AES-MAC 128/64", 16),
    mac(15, "AES-MAC 256/64", 32),
    mac(25, "AES-MAC 128/128", 16),
    mac(26, "AES-MAC 256/128", 32),
    signature(-8, "EdDSA"),
    signature(-35, "ES384"),
    signature(-36, "ES512"),
    signature(-47, "ES256K"),
    signature(-51, "ESP384"),
    signature(-52, "ESP512"),
    signature(-53, "Ed448"),
    signature(-37, "PS256"),
    signature(-38, "PS384"),
    signature(-39, "PS512"),
    signature(-257, "RS256"),
    signature(-258, "RS384"),
    signature(-259, "RS512"),
    signature(-48, "ML-DSA-44"),
    signature(-49, "ML-DSA-65"),
    signature(-50, "ML-DSA-87"),
    management(-6, "direct", Management::Direct),
    management(-10, "direct+HKDF-SHA-256", Management::DirectHkdf),
    management(-11, "direct+HKDF-SHA-512", Management::DirectHkdf),
    management(-12, "direct+HKDF-AES-128", Management::DirectHkdfAes),
    management(-13, "direct+HKDF-AES-256", Management::DirectHkdfAes),
    management(-3, "A128KW", Management::Wrap { kek: 16 }),
    management(-4, "A192KW", Management::Wrap { kek: 24 }),
    management(-5, "A256KW", Management::Wrap { kek: 32 }),
    management(-25, "ECDH-ES+HKDF-256", Management::Agree { fixed: false }),
    management(-26, "ECDH-ES+HKDF-512", Management::Agree { fixed: false }),
    management(-27, "ECDH-SS+HKDF-256", Management::Agree { fixed: true }),
    management(-28, "ECDH-SS+HKDF-512", Management::Agree { fixed: true }),
    agree_wrap(-30, "ECDH-ES+A192KW", false, -4, 24),
    agree_wrap(-32, "ECDH-SS+A128KW", true, -3, 16),
    agree_wrap(-33, "ECDH-SS+A192KW", true, -4, 24),
    agree_wrap(-34, "ECDH-SS+A256KW", true, -5, 32),
    management(-40, "RSAES-OAEP w/ RFC 8017 default parameters", Management::Transport),
    management(-41, "RSAES-OAEP w/ SHA-256", Management::Transport),
    management(-42, "RSAES-OAEP w/ SHA-512", Management::Transport),
];

/// With the cargo feature `hpke`: the integrated form, then the one that brings a content key (draft-ietf-cose-hpke). The
/// suites on X448 (43, 44, 51, 52) are not supported.
const HPKE: &[Algorithm] = if cfg!(feature = "hpke") {
    &[
        row(35, "HPKE-0", Kind::Hpke),
        row(37, "HPKE-1", Kind::Hpke),
        row(39, "HPKE-2", Kind::Hpke),
        row(41, "HPKE-3", Kind::Hpke),
        row(42, "HPKE-4", Kind::Hpke),
        row(45, "HPKE-7", Kind::Hpke),
        management(46, "HPKE-0-KE", Management::Hpke),
        management(47, "HPKE-1-KE", Management::Hpke),
        management(48, "HPKE-2-KE", Management::Hpke),
        management(49, "HPKE-3-KE", Management::Hpke),
        management(50, "HPKE-4-KE", Management::Hpke),
        management(53, "HPKE-7-KE", Management::Hpke),
    ]
} else {
    &[]
};
