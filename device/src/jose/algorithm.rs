//! The algorithms of JOSE that [`super`] seals with, by their names in the IANA registry (RFC 7518, RFC 8037, RFC 8812,
//! RFC 9864, ML-DSA).

use crate::algorithm::named;
use crate::primitive::digest::Hash;
use crate::primitive::key::{Curve, MlDsa};
use crate::primitive::signature::Scheme;

named! {
    /// Encrypts the content: `enc` (RFC 7518 §5).
    Encryption {
        /// AES-GCM, key of 16 bytes.
        A128Gcm = "A128GCM",
        /// AES-GCM, key of 24 bytes.
        A192Gcm = "A192GCM",
        /// AES-GCM, key of 32 bytes.
        A256Gcm = "A256GCM",
        /// AES-CBC and HMAC-SHA-256, key of 32 bytes.
        A128CbcHs256 = "A128CBC-HS256",
        /// AES-CBC and HMAC-SHA-384, key of 48 bytes.
        A192CbcHs384 = "A192CBC-HS384",
        /// AES-CBC and HMAC-SHA-512, key of 64 bytes.
        A256CbcHs512 = "A256CBC-HS512",
    }
}

named! {
    /// Brings the content key: `alg` of a JWE (RFC 7518 §4).
    Management {
        /// The shared key is the content key.
        Dir = "dir",
        /// AES key wrap, key of 16 bytes.
        A128Kw = "A128KW",
        /// AES key wrap, key of 24 bytes.
        A192Kw = "A192KW",
        /// AES key wrap, key of 32 bytes.
        A256Kw = "A256KW",
        /// AES-GCM, key of 16 bytes.
        A128GcmKw = "A128GCMKW",
        /// AES-GCM, key of 24 bytes.
        A192GcmKw = "A192GCMKW",
        /// AES-GCM, key of 32 bytes.
        A256GcmKw = "A256GCMKW",
        /// Ephemeral-static; the agreed key is the content key.
        EcdhEs = "ECDH-ES",
        /// Ephemeral-static, A128KW.
        EcdhEsA128Kw = "ECDH-ES+A128KW",
        /// Ephemeral-static, A192KW.
        EcdhEsA192Kw = "ECDH-ES+A192KW",
        /// Ephemeral-static, A256KW.
        EcdhEsA256Kw = "ECDH-ES+A256KW",
        /// RSAES-OAEP, SHA-1 in hash and mask; off by default at the gateway.
        RsaOaep = "RSA-OAEP",
        /// RSAES-OAEP, SHA-256 in hash and mask.
        RsaOaep256 = "RSA-OAEP-256",
        /// RSAES-OAEP, SHA-384 in hash and mask.
        RsaOaep384 = "RSA-OAEP-384",
        /// RSAES-OAEP, SHA-512 in hash and mask.
        RsaOaep512 = "RSA-OAEP-512",
        /// RSAES-PKCS1-v1_5; off by default at the gateway.
        Rsa15 = "RSA1_5",
        /// A password, PBKDF2 with HMAC-SHA-256, A128KW; off by default at the gateway.
        Pbes2A128Kw = "PBES2-HS256+A128KW",
        /// A password, PBKDF2 with HMAC-SHA-384, A192KW; off by default at the gateway.
        Pbes2A192Kw = "PBES2-HS384+A192KW",
        /// A password, PBKDF2 with HMAC-SHA-512, A256KW; off by default at the gateway.
        Pbes2A256Kw = "PBES2-HS512+A256KW",
    }
}

named! {
    /// Signs, or authenticates by a shared key: `alg` of a JWS (RFC 7518 §3).
    Signature {
        /// ECDSA, P-256, SHA-256.
        Es256 = "ES256",
        /// ECDSA, P-384, SHA-384.
        Es384 = "ES384",
        /// ECDSA, P-521, SHA-512.
        Es512 = "ES512",
        /// ECDSA, secp256k1, SHA-256.
        Es256k = "ES256K",
        /// Ed25519, by the name that older receivers know.
        EdDsa = "EdDSA",
        /// Ed25519 (RFC 9864).
        Ed25519 = "Ed25519",
        /// RSASSA-PSS, SHA-256.
        Ps256 = "PS256",
        /// RSASSA-PSS, SHA-384.
        Ps384 = "PS384",
        /// RSASSA-PSS, SHA-512.
        Ps512 = "PS512",
        /// RSASSA-PKCS1-v1_5, SHA-256.
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5, SHA-384.
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5, SHA-512.
        Rs512 = "RS512",
        /// HMAC-SHA-256, key of at least 32 bytes.
        Hs256 = "HS256",
        /// HMAC-SHA-384, key of at least 48 bytes.
        Hs384 = "HS384",
        /// HMAC-SHA-512, key of at least 64 bytes.
        Hs512 = "HS512",
        /// ML-DSA-44.
        MlDsa44 = "ML-DSA-44",
        /// ML-DSA-65.
        MlDsa65 = "ML-DSA-65",
        /// ML-DSA-87.
        MlDsa87 = "ML-DSA-87",
    }
}

/// How a key management algorithm gives the content key.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Derived from an agreed secret.
    Agree,
    /// Wrapped under a key of so many bytes that is derived from an agreed secret.
    AgreeAndWrap(usize),
    /// The key itself.
    Direct,
    /// AES-GCM under a shared key of so many bytes.
    GcmWrap(usize),
    /// Encrypted to an RSA key.
    Oaep(Hash),
    /// Wrapped under a key of so many bytes that is derived from a password.
    Password(Hash, usize),
    /// Encrypted to an RSA key, the old way.
    Pkcs1,
    /// Wrapped under a shared key of so many bytes.
    Wrap(usize),
}

/// What signs, or authenticates.
#[derive(Clone, Copy)]
pub(crate) enum Signing {
    Hmac(Hash),
    Scheme(Scheme),
}

impl Encryption {
    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A192Gcm => 24,
            Self::A256Gcm | Self::A128CbcHs256 => 32,
            Self::A192CbcHs384 => 48,
            Self::A256CbcHs512 => 64,
        }
    }

    /// Bytes of the IV.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm => 12,
            Self::A128CbcHs256 | Self::A192CbcHs384 | Self::A256CbcHs512 => 16,
        }
    }
}

impl Management {
    /// Whether the key is agreed with a recipient's public key.
    pub const fn agrees(self) -> bool {
        matches!(self.kind(), Kind::Agree | Kind::AgreeAndWrap(_))
    }

    /// Whether the content key comes out of the recipient's key, so that there can be no other recipient.
    pub const fn stands_alone(self) -> bool {
        matches!(self.kind(), Kind::Agree | Kind::Direct)
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Dir => Kind::Direct,
            Self::A128Kw => Kind::Wrap(16),
            Self::A192Kw => Kind::Wrap(24),
            Self::A256Kw => Kind::Wrap(32),
            Self::A128GcmKw => Kind::GcmWrap(16),
            Self::A192GcmKw => Kind::GcmWrap(24),
            Self::A256GcmKw => Kind::GcmWrap(32),
            Self::EcdhEs => Kind::Agree,
            Self::EcdhEsA128Kw => Kind::AgreeAndWrap(16),
            Self::EcdhEsA192Kw => Kind::AgreeAndWrap(24),
            Self::EcdhEsA256Kw => Kind::AgreeAndWrap(32),
            Self::RsaOaep => Kind::Oaep(Hash::Sha1),
            Self::RsaOaep256 => Kind::Oaep(Hash::Sha256),
            Self::RsaOaep384 => Kind::Oaep(Hash::Sha384),
            Self::RsaOaep512 => Kind::Oaep(Hash::Sha512),
            Self::Rsa15 => Kind::Pkcs1,
            Self::Pbes2A128Kw => Kind::Password(Hash::Sha256, 16),
            Self::Pbes2A192Kw => Kind::Password(Hash::Sha384, 24),
            Self::Pbes2A256Kw => Kind::Password(Hash::Sha512, 32),
        }
    }
}

impl Signature {
    pub(crate) const fn signing(self) -> Signing {
        Signing::Scheme(match self {
            Self::Es256 => Scheme::Ecdsa(Curve::P256, Hash::Sha256),
            Self::Es384 => Scheme::Ecdsa(Curve::P384, Hash::Sha384),
            Self::Es512 => Scheme::Ecdsa(Curve::P521, Hash::Sha512),
            Self::Es256k => Scheme::Ecdsa(Curve::Secp256k1, Hash::Sha256),
            Self::EdDsa | Self::Ed25519 => Scheme::Ed25519,
            Self::Ps256 => Scheme::Pss(Hash::Sha256),
            Self::Ps384 => Scheme::Pss(Hash::Sha384),
            Self::Ps512 => Scheme::Pss(Hash::Sha512),
            Self::Rs256 => Scheme::Pkcs1(Hash::Sha256),
            Self::Rs384 => Scheme::Pkcs1(Hash::Sha384),
            Self::Rs512 => Scheme::Pkcs1(Hash::Sha512),
            Self::Hs256 => return Signing::Hmac(Hash::Sha256),
            Self::Hs384 => return Signing::Hmac(Hash::Sha384),
            Self::Hs512 => return Signing::Hmac(Hash::Sha512),
            Self::MlDsa44 => Scheme::MlDsa(MlDsa::MlDsa44),
            Self::MlDsa65 => Scheme::MlDsa(MlDsa::MlDsa65),
            Self::MlDsa87 => Scheme::MlDsa(MlDsa::MlDsa87),
        })
    }
}
