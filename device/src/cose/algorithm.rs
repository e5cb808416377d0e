//! The algorithms of COSE that [`super`] seals with: number and name in the IANA registry, lengths, and what kind each
//! recipient algorithm is of.

use crate::algorithm::registered;
use crate::primitive::digest::Hash;
use crate::primitive::key::{Curve, MlDsa};
use crate::primitive::signature::Scheme;

registered! {
    /// Encrypts content (RFC 9053 §4, RFC 9459).
    Encryption {
        /// AES-GCM, key of 16 bytes.
        A128Gcm = 1 "A128GCM",
        /// AES-GCM, key of 24 bytes.
        A192Gcm = 2 "A192GCM",
        /// AES-GCM, key of 32 bytes.
        A256Gcm = 3 "A256GCM",
        /// AES-CCM: nonce 13, tag 8, key 16.
        Ccm16_64_128 = 10 "AES-CCM-16-64-128",
        /// AES-CCM: nonce 13, tag 8, key 32.
        Ccm16_64_256 = 11 "AES-CCM-16-64-256",
        /// AES-CCM: nonce 7, tag 8, key 16.
        Ccm64_64_128 = 12 "AES-CCM-64-64-128",
        /// AES-CCM: nonce 7, tag 8, key 32.
        Ccm64_64_256 = 13 "AES-CCM-64-64-256",
        /// ChaCha20-Poly1305.
        ChaCha20Poly1305 = 24 "ChaCha20/Poly1305",
        /// AES-CCM: nonce 13, tag 16, key 16.
        Ccm16_128_128 = 30 "AES-CCM-16-128-128",
        /// AES-CCM: nonce 13, tag 16, key 32.
        Ccm16_128_256 = 31 "AES-CCM-16-128-256",
        /// AES-CCM: nonce 7, tag 16, key 16.
        Ccm64_128_128 = 32 "AES-CCM-64-128-128",
        /// AES-CCM: nonce 7, tag 16, key 32.
        Ccm64_128_256 = 33 "AES-CCM-64-128-256",
        /// AES-CTR, key of 16 bytes; authenticates nothing.
        A128Ctr = -65534 "A128CTR",
        /// AES-CTR, key of 24 bytes; authenticates nothing.
        A192Ctr = -65533 "A192CTR",
        /// AES-CTR, key of 32 bytes; authenticates nothing.
        A256Ctr = -65532 "A256CTR",
        /// AES-CBC, key of 16 bytes; authenticates nothing.
        A128Cbc = -65531 "A128CBC",
        /// AES-CBC, key of 24 bytes; authenticates nothing.
        A192Cbc = -65530 "A192CBC",
        /// AES-CBC, key of 32 bytes; authenticates nothing.
        A256Cbc = -65529 "A256CBC",
    }
}

registered! {
    /// Authenticates content by a shared key (RFC 9053 §3).
    Mac {
        /// HMAC-SHA-256, tag cut to 8 bytes.
        Hmac256_64 = 4 "HMAC 256/64",
        /// HMAC-SHA-256.
        Hmac256 = 5 "HMAC 256/256",
        /// HMAC-SHA-384.
        Hmac384 = 6 "HMAC 384/384",
        /// HMAC-SHA-512.
        Hmac512 = 7 "HMAC 512/512",
        /// AES-CBC-MAC: key 16, tag 8.
        AesMac128_64 = 14 "AES-MAC 128/64",
        /// AES-CBC-MAC: key 32, tag 8.
        AesMac256_64 = 15 "AES-MAC 256/64",
        /// AES-CBC-MAC: key 16, tag 16.
        AesMac128_128 = 25 "AES-MAC 128/128",
        /// AES-CBC-MAC: key 32, tag 16.
        AesMac256_128 = 26 "AES-MAC 256/128",
    }
}

registered! {
    /// Signs (RFC 9053 §2, RFC 8230, RFC 8812, RFC 9864, ML-DSA).
    Signature {
        /// ECDSA, P-256, SHA-256.
        Es256 = -7 "ES256",
        /// EdDSA with Ed25519 or Ed448, as the key's curve says.
        EdDsa = -8 "EdDSA",
        /// ECDSA, P-256, SHA-256, curve fixed by the number.
        Esp256 = -9 "ESP256",
        /// Ed25519.
        Ed25519 = -19 "Ed25519",
        /// ECDSA, P-384, SHA-384.
        Es384 = -35 "ES384",
        /// ECDSA, P-521, SHA-512.
        Es512 = -36 "ES512",
        /// RSASSA-PSS, SHA-256.
        Ps256 = -37 "PS256",
        /// RSASSA-PSS, SHA-384.
        Ps384 = -38 "PS384",
        /// RSASSA-PSS, SHA-512.
        Ps512 = -39 "PS512",
        /// ECDSA, secp256k1, SHA-256.
        Es256k = -47 "ES256K",
        /// ML-DSA-44.
        MlDsa44 = -48 "ML-DSA-44",
        /// ML-DSA-65.
        MlDsa65 = -49 "ML-DSA-65",
        /// ML-DSA-87.
        MlDsa87 = -50 "ML-DSA-87",
        /// Ed448; off by default at the gateway.
        Ed448 = -53 "Ed448",
        /// ECDSA, P-384, SHA-384, curve fixed by the number.
        Esp384 = -51 "ESP384",
        /// ECDSA, P-521, SHA-512, curve fixed by the number.
        Esp512 = -52 "ESP512",
        /// RSASSA-PKCS1-v1_5, SHA-256.
        Rs256 = -257 "RS256",
        /// RSASSA-PKCS1-v1_5, SHA-384.
        Rs384 = -258 "RS384",
        /// RSASSA-PKCS1-v1_5, SHA-512.
        Rs512 = -259 "RS512",
    }
}

registered! {
    /// Brings the content key to a recipient (RFC 9053 §6, RFC 8230).
    Management {
        /// AES key wrap, key of 16 bytes.
        A128Kw = -3 "A128KW",
        /// AES key wrap, key of 24 bytes.
        A192Kw = -4 "A192KW",
        /// AES key wrap, key of 32 bytes.
        A256Kw = -5 "A256KW",
        /// The shared key is the content key.
        Direct = -6 "direct",
        /// Shared secret, HKDF-SHA-256.
        DirectHkdfSha256 = -10 "direct+HKDF-SHA-256",
        /// Shared secret, HKDF-SHA-512.
        DirectHkdfSha512 = -11 "direct+HKDF-SHA-512",
        /// Shared secret of 16 bytes, HKDF with AES-CBC-MAC.
        DirectHkdfAes128 = -12 "direct+HKDF-AES-128",
        /// Shared secret of 32 bytes, HKDF with AES-CBC-MAC.
        DirectHkdfAes256 = -13 "direct+HKDF-AES-256",
        /// Ephemeral-static, HKDF-SHA-256.
        EcdhEsHkdf256 = -25 "ECDH-ES+HKDF-256",
        /// Ephemeral-static, HKDF-SHA-512.
        EcdhEsHkdf512 = -26 "ECDH-ES+HKDF-512",
        /// Static-static, HKDF-SHA-256.
        EcdhSsHkdf256 = -27 "ECDH-SS+HKDF-256",
        /// Static-static, HKDF-SHA-512.
        EcdhSsHkdf512 = -28 "ECDH-SS+HKDF-512",
        /// Ephemeral-static, HKDF-SHA-256, A128KW.
        EcdhEsA128Kw = -29 "ECDH-ES+A128KW",
        /// Ephemeral-static, HKDF-SHA-256, A192KW.
        EcdhEsA192Kw = -30 "ECDH-ES+A192KW",
        /// Ephemeral-static, HKDF-SHA-256, A256KW.
        EcdhEsA256Kw = -31 "ECDH-ES+A256KW",
        /// Static-static, HKDF-SHA-256, A128KW.
        EcdhSsA128Kw = -32 "ECDH-SS+A128KW",
        /// Static-static, HKDF-SHA-256, A192KW.
        EcdhSsA192Kw = -33 "ECDH-SS+A192KW",
        /// Static-static, HKDF-SHA-256, A256KW.
        EcdhSsA256Kw = -34 "ECDH-SS+A256KW",
        /// RSAES-OAEP, SHA-1 in hash and mask; off by default at the gateway.
        OaepSha1 = -40 "RSAES-OAEP w/ RFC 8017 default parameters",
        /// RSAES-OAEP, SHA-256 in hash and mask.
        OaepSha256 = -41 "RSAES-OAEP w/ SHA-256",
        /// RSAES-OAEP, SHA-512 in hash and mask.
        OaepSha512 = -42 "RSAES-OAEP w/ SHA-512",
    }
}

/// How a recipient algorithm gives the content key.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// The key itself.
    Direct,
    /// Derived from a shared secret.
    Derive(Kdf),
    /// Derived from an agreed secret.
    Agree(Kdf),
    /// Wrapped under a key derived from an agreed secret.
    AgreeAndWrap(Management),
    /// Wrapped under a shared key.
    Wrap,
    /// Encrypted to an RSA key.
    Oaep,
}

/// A key derivation function (RFC 9053 §5.1).
#[derive(Clone, Copy)]
pub(crate) enum Kdf {
    /// HKDF-SHA-256.
    Sha256,
    /// HKDF-SHA-512.
    Sha512,
    /// HKDF with AES-CBC-MAC under the secret, of so many bytes.
    Aes(usize),
}

impl Encryption {
    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::Ccm16_64_128 | Self::Ccm64_64_128 | Self::Ccm16_128_128 => 16,
            Self::Ccm64_128_128 | Self::A128Ctr | Self::A128Cbc => 16,
            Self::A192Gcm | Self::A192Ctr | Self::A192Cbc => 24,
            Self::A256Gcm | Self::Ccm16_64_256 | Self::Ccm64_64_256 | Self::Ccm16_128_256 => 32,
            Self::Ccm64_128_256 | Self::ChaCha20Poly1305 | Self::A256Ctr | Self::A256Cbc => 32,
        }
    }

    /// Bytes of the nonce.
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm | Self::ChaCha20Poly1305 => 12,
            Self::Ccm16_64_128 | Self::Ccm16_64_256 | Self::Ccm16_128_128 | Self::Ccm16_128_256 => 13,
            Self::Ccm64_64_128 | Self::Ccm64_64_256 | Self::Ccm64_128_128 | Self::Ccm64_128_256 => 7,
            Self::A128Ctr | Self::A192Ctr | Self::A256Ctr | Self::A128Cbc | Self::A192Cbc | Self::A256Cbc => 16,
        }
    }

    /// Whether it authenticates what it encrypts.
    pub const fn authenticates(self) -> bool {
        self.id() > 0
    }
}

impl Signature {
    /// RFC 9053 §2.1 lets any hash meet any curve; each curve with its own hash is what RFC 9864 has left of it.
    pub(crate) const fn scheme(self) -> Scheme {
        match self {
            Self::Es256 | Self::Esp256 => Scheme::Ecdsa(Curve::P256, Hash::Sha256),
            Self::Es384 | Self::Esp384 => Scheme::Ecdsa(Curve::P384, Hash::Sha384),
            Self::Es512 | Self::Esp512 => Scheme::Ecdsa(Curve::P521, Hash::Sha512),
            Self::Es256k => Scheme::Ecdsa(Curve::Secp256k1, Hash::Sha256),
            Self::EdDsa => Scheme::EdDsa,
            Self::Ed25519 => Scheme::Ed25519,
            Self::Ed448 => Scheme::Ed448,
            Self::MlDsa44 => Scheme::MlDsa(MlDsa::MlDsa44),
            Self::MlDsa65 => Scheme::MlDsa(MlDsa::MlDsa65),
            Self::MlDsa87 => Scheme::MlDsa(MlDsa::MlDsa87),
            Self::Ps256 => Scheme::Pss(Hash::Sha256),
            Self::Ps384 => Scheme::Pss(Hash::Sha384),
            Self::Ps512 => Scheme::Pss(Hash::Sha512),
            Self::Rs256 => Scheme::Pkcs1(Hash::Sha256),
            Self::Rs384 => Scheme::Pkcs1(Hash::Sha384),
            Self::Rs512 => Scheme::Pkcs1(Hash::Sha512),
        }
    }
}

impl Mac {
    /// Bytes of the key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesMac128_64 | Self::AesMac128_128 => 16,
            Self::Hmac256_64 | Self::Hmac256 | Self::AesMac256_64 | Self::AesMac256_128 => 32,
            Self::Hmac384 => 48,
            Self::Hmac512 => 64,
        }
    }

    /// Bytes of the tag.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Hmac256_64 | Self::AesMac128_64 | Self::AesMac256_64 => 8,
            Self::AesMac128_128 | Self::AesMac256_128 => 16,
            Self::Hmac256 => 32,
            Self::Hmac384 => 48,
            Self::Hmac512 => 64,
        }
    }
}

impl Management {
    /// Whether it must stand alone among the recipients: its key is the content key (RFC 9052 §8.5.1, §8.5.4).
    pub const fn stands_alone(self) -> bool {
        matches!(self.kind(), Kind::Direct | Kind::Derive(_) | Kind::Agree(_))
    }

    /// Whether sender and receiver agree on a secret.
    pub const fn agrees(self) -> bool {
        matches!(self.kind(), Kind::Agree(_) | Kind::AgreeAndWrap(_))
    }

    /// Whether the sender's key is a lasting one.
    pub const fn is_static(self) -> bool {
        matches!(
            self,
            Self::EcdhSsHkdf256 | Self::EcdhSsHkdf512 | Self::EcdhSsA128Kw | Self::EcdhSsA192Kw | Self::EcdhSsA256Kw
        )
    }

    /// Whether the same parties agree on the same key each time, but for salt and nonce (RFC 9053 §6.1.2, RFC 9052
    /// §8.5.4).
    pub(crate) const fn repeats(self) -> bool {
        matches!(self.kind(), Kind::Derive(_)) || matches!(self, Self::EcdhSsHkdf256 | Self::EcdhSsHkdf512)
    }

    /// Bytes of the key-encryption key of a key wrap.
    pub(crate) const fn kek_len(self) -> usize {
        match self {
            Self::A128Kw => 16,
            Self::A192Kw => 24,
            _ => 32,
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Direct => Kind::Direct,
            Self::DirectHkdfSha256 => Kind::Derive(Kdf::Sha256),
            Self::DirectHkdfSha512 => Kind::Derive(Kdf::Sha512),
            Self::DirectHkdfAes128 => Kind::Derive(Kdf::Aes(16)),
            Self::DirectHkdfAes256 => Kind::Derive(Kdf::Aes(32)),
            Self::EcdhEsHkdf256 | Self::EcdhSsHkdf256 => Kind::Agree(Kdf::Sha256),
            Self::EcdhEsHkdf512 | Self::EcdhSsHkdf512 => Kind::Agree(Kdf::Sha512),
            Self::EcdhEsA128Kw | Self::EcdhSsA128Kw => Kind::AgreeAndWrap(Self::A128Kw),
            Self::EcdhEsA192Kw | Self::EcdhSsA192Kw => Kind::AgreeAndWrap(Self::A192Kw),
            Self::EcdhEsA256Kw | Self::EcdhSsA256Kw => Kind::AgreeAndWrap(Self::A256Kw),
            Self::A128Kw | Self::A192Kw | Self::A256Kw => Kind::Wrap,
            Self::OaepSha1 | Self::OaepSha256 | Self::OaepSha512 => Kind::Oaep,
        }
    }

    /// Whether its layer has a protected bucket; key wraps, direct and OAEP must leave it empty (RFC 9052 §8.5).
    pub(crate) const fn protects_headers(self) -> bool {
        matches!(self.kind(), Kind::Derive(_) | Kind::Agree(_) | Kind::AgreeAndWrap(_))
    }
}
