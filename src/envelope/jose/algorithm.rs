//! The algorithms of JOSE that this reader knows by name: what they do, and the sizes that an envelope's shape needs
//! (RFC 7518 §3–§5, RFC 8037, RFC 8812, RFC 9864, RFC 9964).
//!
//! Imports `item`. Names are compared as they stand: they are case-sensitive. Whether an algorithm runs is the
//! strongroom's matter, whether it may, the guard's.

use crate::item::Departure;

/// How a recipient comes to the content encryption key (RFC 7518 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Management {
    /// `dir`: the shared key is the key.
    Direct,
    /// AES key wrap.
    Wrap,
    /// AES-GCM key encryption.
    GcmWrap,
    /// Key agreement alone.
    Agree,
    /// Key agreement, then AES key wrap.
    AgreeWrap {
        /// The key-wrap algorithm.
        wrap: &'static str,
        /// Bytes of its key.
        kek: u16,
    },
    /// RSAES-OAEP, or RSAES-PKCS1-v1_5.
    Transport,
    /// PBES2: a password.
    Password {
        /// The key-wrap algorithm.
        wrap: &'static str,
        /// Bytes of its key.
        kek: u16,
    },
}

/// An algorithm for `alg` of a JWE.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyManagement {
    /// Name in the registry.
    pub name: &'static str,
    /// What it does.
    pub management: Management,
    /// The name that turns it on, where it is off.
    pub off: Option<Departure>,
}

/// An algorithm for `enc` of a JWE; sizes in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Name in the registry.
    pub name: &'static str,
    /// Its key; of AES-CBC with HMAC both halves.
    pub key: usize,
    /// IV.
    pub iv: usize,
    /// Tag.
    pub tag: usize,
    /// Its ciphertext is whole blocks of 16 bytes, and not none.
    pub blocks: bool,
}

/// An algorithm for `alg` of a JWS.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature {
    /// Name in the registry.
    pub name: &'static str,
    /// A MAC: who can verify can sign.
    pub is_mac: bool,
}

impl Management {
    /// Whether nothing but the shared or agreed key makes the content key: then there is one recipient, without an
    /// encrypted key.
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::Agree)
    }

    /// Whether the sender's ephemeral key takes part.
    pub const fn agrees(self) -> bool {
        matches!(self, Self::Agree | Self::AgreeWrap { .. })
    }
}

impl KeyManagement {
    /// The algorithm of that name.
    pub fn of(name: &str) -> Option<&'static Self> {
        KEY_MANAGEMENT.iter().find(|known| known.name == name)
    }
}

impl Encryption {
    /// The algorithm of that name.
    pub fn of(name: &str) -> Option<&'static Self> {
        ENCRYPTION.iter().find(|known| known.name == name)
    }
}

impl Signature {
    /// The algorithm of that name.
    pub fn of(name: &str) -> Option<&'static Self> {
        SIGNATURES.iter().find(|known| known.name == name)
    }
}

const fn managed(name: &'static str, management: Management) -> KeyManagement {
    KeyManagement { name, management, off: None }
}

const fn off(name: &'static str, management: Management, off: Departure) -> KeyManagement {
    KeyManagement { name, management, off: Some(off) }
}

const fn agree_wrap(wrap: &'static str, kek: u16) -> Management {
    Management::AgreeWrap { wrap, kek }
}

const fn password(wrap: &'static str, kek: u16) -> Management {
    Management::Password { wrap, kek }
}

/// RFC 7518 §4; RSA-OAEP-384 and -512 are of the registry alone.
const KEY_MANAGEMENT: &[KeyManagement] = &[
    managed("dir", Management::Direct),
    managed("ECDH-ES+A128KW", agree_wrap("A128KW", 16)),
    managed("ECDH-ES+A192KW", agree_wrap("A192KW", 24)),
    managed("ECDH-ES+A256KW", agree_wrap("A256KW", 32)),
    managed("ECDH-ES", Management::Agree),
    managed("A128KW", Management::Wrap),
    managed("A192KW", Management::Wrap),
    managed("A256KW", Management::Wrap),
    managed("A128GCMKW", Management::GcmWrap),
    managed("A192GCMKW", Management::GcmWrap),
    managed("A256GCMKW", Management::GcmWrap),
    managed("RSA-OAEP-256", Management::Transport),
    managed("RSA-OAEP-384", Management::Transport),
    managed("RSA-OAEP-512", Management::Transport),
    off("RSA-OAEP", Management::Transport, Departure::RsaOaep),
    off("RSA1_5", Management::Transport, Departure::Rsa15),
    off("PBES2-HS256+A128KW", password("A128KW", 16), Departure::Pbes2),
    off("PBES2-HS384+A192KW", password("A192KW", 24), Departure::Pbes2),
    off("PBES2-HS512+A256KW", password("A256KW", 32), Departure::Pbes2),
];

const fn gcm(name: &'static str, key: usize) -> Encryption {
    Encryption { name, key, iv: 12, tag: 16, blocks: false }
}

const fn cbc(name: &'static str, key: usize) -> Encryption {
    Encryption { name, key, iv: 16, tag: key / 2, blocks: true }
}

/// RFC 7518 §5.
const ENCRYPTION: &[Encryption] = &[
    gcm("A128GCM", 16),
    gcm("A192GCM", 24),
    gcm("A256GCM", 32),
    cbc("A128CBC-HS256", 32),
    cbc("A192CBC-HS384", 48),
    cbc("A256CBC-HS512", 64),
];

const fn signature(name: &'static str) -> Signature {
    Signature { name, is_mac: false }
}

const fn mac(name: &'static str) -> Signature {
    Signature { name, is_mac: true }
}

/// RFC 7518 §3 and those after it. EdDSA is that of the key's curve.
const SIGNATURES: &[Signature] = &[
    signature("ES256"),
    signature("EdDSA"),
    signature("Ed25519"),
    signature("ES384"),
    signature("ES512"),
    signature("ES256K"),
    signature("Ed448"),
    signature("PS256"),
    signature("PS384"),
    signature("PS512"),
    signature("RS256"),
    signature("RS384"),
    signature("RS512"),
    signature("ML-DSA-44"),
    signature("ML-DSA-65"),
    signature("ML-DSA-87"),
    mac("HS256"),
    mac("HS384"),
    mac("HS512"),
];
