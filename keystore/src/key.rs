//! Keys as the rest of the house sees them: names, policies, states. Data without a private byte can be read here; what
//! a [`KeyRef`] carries beside it has no accessor, no `Debug` and no way out of this crate.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::ops::Material;
use crate::recipe::Hash;

/// A key's name as an envelope gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// Issuer and serial number of a pinned certificate (RFC 5652 §10.2.4).
    IssuerSerial {
        /// DER of the issuer's Name, compared as bytes.
        issuer: &'a [u8],
        /// Contents of the INTEGER.
        serial: &'a [u8],
    },
    /// Key identifier, 1–256 bytes, compared as bytes.
    Kid(&'a [u8]),
    /// Subject key identifier of a pinned certificate (RFC 5280 §4.2.1.2).
    Ski(&'a [u8]),
    /// Hash of a pinned certificate's DER (x5t, RFC 9360 §2).
    Thumbprint {
        /// COSE number of the hash: −14 SHA-1, −15 SHA-256/64, −16 SHA-256, −43 SHA-384, −44 SHA-512.
        hash: i64,
        /// The hash.
        value: &'a [u8],
    },
}

macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $number:expr, $jose:expr;)+) => {
        /// An algorithm by its name in the IANA COSE registry, without the spaces around `+`; by that in the JOSE registry
        /// where COSE has none, and where neither has one by that of its RFC.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Algorithm { $($(#[$doc])* $variant,)+ }

        impl Algorithm {
            /// Every algorithm that this keystore can run.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The algorithm of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            /// Number in the IANA COSE registry.
            pub const fn cose(self) -> Option<i64> {
                match self { $(Self::$variant => $number,)+ }
            }

            /// Name in the IANA JOSE registry.
            pub const fn jose(self) -> Option<&'static str> {
                match self { $(Self::$variant => $jose,)+ }
            }
        }
    };
}

algorithms! {
    /// AES-128-CBC, not authenticated (RFC 9459).
    A128Cbc = "A128CBC", Some(-65531), None;
    /// AES-128-CBC with HMAC-SHA-256 (RFC 7518 §5.2.3). The first half of the key is for the MAC.
    A128CbcHs256 = "A128CBC-HS256", None, Some("A128CBC-HS256");
    /// AES-128-CCM with the sizes that a message gives (RFC 5084): CMS alone.
    A128Ccm = "AES-128-CCM", None, None;
    /// AES-128-CTR, not authenticated (RFC 9459).
    A128Ctr = "A128CTR", Some(-65534), None;
    /// AES-128-GCM.
    A128Gcm = "A128GCM", Some(1), Some("A128GCM");
    /// AES-128-GCM key wrap (RFC 7518 §4.7).
    A128GcmKw = "A128GCMKW", None, Some("A128GCMKW");
    /// AES-128 key wrap.
    A128Kw = "A128KW", Some(-3), Some("A128KW");
    /// AES-192-CBC, not authenticated.
    A192Cbc = "A192CBC", Some(-65530), None;
    /// AES-192-CBC with HMAC-SHA-384 (RFC 7518 §5.2.4).
    A192CbcHs384 = "A192CBC-HS384", None, Some("A192CBC-HS384");
    /// AES-192-CCM, the same.
    A192Ccm = "AES-192-CCM", None, None;
    /// AES-192-CTR, not authenticated.
    A192Ctr = "A192CTR", Some(-65533), None;
    /// AES-192-GCM.
    A192Gcm = "A192GCM", Some(2), Some("A192GCM");
    /// AES-192-GCM key wrap.
    A192GcmKw = "A192GCMKW", None, Some("A192GCMKW");
    /// AES-192 key wrap.
    A192Kw = "A192KW", Some(-4), Some("A192KW");
    /// AES-256-CBC, not authenticated.
    A256Cbc = "A256CBC", Some(-65529), None;
    /// AES-256-CBC with HMAC-SHA-512 (RFC 7518 §5.2.5).
    A256CbcHs512 = "A256CBC-HS512", None, Some("A256CBC-HS512");
    /// AES-256-CCM, the same.
    A256Ccm = "AES-256-CCM", None, None;
    /// AES-256-CTR, not authenticated.
    A256Ctr = "A256CTR", Some(-65532), None;
    /// AES-256-GCM.
    A256Gcm = "A256GCM", Some(3), Some("A256GCM");
    /// AES-256-GCM key wrap.
    A256GcmKw = "A256GCMKW", None, Some("A256GCMKW");
    /// AES-256 key wrap.
    A256Kw = "A256KW", Some(-5), Some("A256KW");
    /// AES-CCM, 13-byte nonce, 16-byte tag, 128-bit key.
    AesCcm16_128_128 = "AES-CCM-16-128-128", Some(30), None;
    /// AES-CCM, 13-byte nonce, 16-byte tag, 256-bit key.
    AesCcm16_128_256 = "AES-CCM-16-128-256", Some(31), None;
    /// AES-CCM, 13-byte nonce, 8-byte tag, 128-bit key.
    AesCcm16_64_128 = "AES-CCM-16-64-128", Some(10), None;
    /// AES-CCM, 13-byte nonce, 8-byte tag, 256-bit key.
    AesCcm16_64_256 = "AES-CCM-16-64-256", Some(11), None;
    /// AES-CCM, 7-byte nonce, 16-byte tag, 128-bit key.
    AesCcm64_128_128 = "AES-CCM-64-128-128", Some(32), None;
    /// AES-CCM, 7-byte nonce, 16-byte tag, 256-bit key.
    AesCcm64_128_256 = "AES-CCM-64-128-256", Some(33), None;
    /// AES-CCM, 7-byte nonce, 8-byte tag, 128-bit key.
    AesCcm64_64_128 = "AES-CCM-64-64-128", Some(12), None;
    /// AES-CCM, 7-byte nonce, 8-byte tag, 256-bit key.
    AesCcm64_64_256 = "AES-CCM-64-64-256", Some(13), None;
    /// AES-CBC-MAC, 128-bit key, 16-byte tag.
    AesMac128_128 = "AES-MAC 128/128", Some(25), None;
    /// AES-CBC-MAC, 128-bit key, 8-byte tag.
    AesMac128_64 = "AES-MAC 128/64", Some(14), None;
    /// AES-CBC-MAC, 256-bit key, 16-byte tag.
    AesMac256_128 = "AES-MAC 256/128", Some(26), None;
    /// AES-CBC-MAC, 256-bit key, 8-byte tag.
    AesMac256_64 = "AES-MAC 256/64", Some(15), None;
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305 = "ChaCha20-Poly1305", Some(24), None;
    /// Triple DES in CBC mode, not authenticated (RFC 3370 §5.1): CMS alone, and off by default.
    Des3Cbc = "DES-EDE3-CBC", None, None;
    /// HKDF-AES-128 over a shared secret.
    DirectHkdfAes128 = "direct+HKDF-AES-128", Some(-12), None;
    /// HKDF-AES-256 over a shared secret.
    DirectHkdfAes256 = "direct+HKDF-AES-256", Some(-13), None;
    /// HKDF-SHA-256 over a shared secret.
    DirectHkdfSha256 = "direct+HKDF-SHA-256", Some(-10), None;
    /// HKDF-SHA-512 over a shared secret.
    DirectHkdfSha512 = "direct+HKDF-SHA-512", Some(-11), None;
    /// ECDH-ES with the Concat KDF: what is derived is the content key (RFC 7518 §4.6).
    EcdhEs = "ECDH-ES", None, Some("ECDH-ES");
    /// ECDH-ES with HKDF-SHA-256 and AES-128 key wrap.
    EcdhEsA128Kw = "ECDH-ES+A128KW", Some(-29), Some("ECDH-ES+A128KW");
    /// ECDH-ES with HKDF-SHA-256 and AES-192 key wrap.
    EcdhEsA192Kw = "ECDH-ES+A192KW", Some(-30), Some("ECDH-ES+A192KW");
    /// ECDH-ES with HKDF-SHA-256 and AES-256 key wrap.
    EcdhEsA256Kw = "ECDH-ES+A256KW", Some(-31), Some("ECDH-ES+A256KW");
    /// ECDH-ES with triple-DES key wrap (RFC 5753, RFC 3217): CMS alone, and off by default.
    EcdhEsDes3Kw = "ECDH-ES+DES3KW", None, None;
    /// ECDH-ES with HKDF-SHA-256.
    EcdhEsHkdf256 = "ECDH-ES+HKDF-256", Some(-25), None;
    /// ECDH-ES with HKDF-SHA-512.
    EcdhEsHkdf512 = "ECDH-ES+HKDF-512", Some(-26), None;
    /// ECDH-SS with HKDF-SHA-256 and AES-128 key wrap.
    EcdhSsA128Kw = "ECDH-SS+A128KW", Some(-32), None;
    /// ECDH-SS with HKDF-SHA-256 and AES-192 key wrap.
    EcdhSsA192Kw = "ECDH-SS+A192KW", Some(-33), None;
    /// ECDH-SS with HKDF-SHA-256 and AES-256 key wrap.
    EcdhSsA256Kw = "ECDH-SS+A256KW", Some(-34), None;
    /// ECDH-SS with HKDF-SHA-256.
    EcdhSsHkdf256 = "ECDH-SS+HKDF-256", Some(-27), None;
    /// ECDH-SS with HKDF-SHA-512.
    EcdhSsHkdf512 = "ECDH-SS+HKDF-512", Some(-28), None;
    /// Ed25519. On the wire also EdDSA (−8).
    Ed25519 = "Ed25519", Some(-19), Some("Ed25519");
    /// Ed448. On the wire also EdDSA (−8).
    Ed448 = "Ed448", Some(-53), Some("Ed448");
    /// ECDSA, SHA-256.
    Es256 = "ES256", Some(-7), Some("ES256");
    /// ECDSA on secp256k1, SHA-256.
    Es256K = "ES256K", Some(-47), Some("ES256K");
    /// ECDSA, SHA-384.
    Es384 = "ES384", Some(-35), Some("ES384");
    /// ECDSA, SHA-512.
    Es512 = "ES512", Some(-36), Some("ES512");
    /// ECDSA on P-256, SHA-256 (RFC 9864).
    Esp256 = "ESP256", Some(-9), None;
    /// ECDSA on P-384, SHA-384 (RFC 9864).
    Esp384 = "ESP384", Some(-51), None;
    /// ECDSA on P-521, SHA-512 (RFC 9864).
    Esp512 = "ESP512", Some(-52), None;
    /// HMAC-SHA-256.
    Hmac256_256 = "HMAC 256/256", Some(5), Some("HS256");
    /// HMAC-SHA-256, truncated to 8 bytes.
    Hmac256_64 = "HMAC 256/64", Some(4), None;
    /// HMAC-SHA-384.
    Hmac384_384 = "HMAC 384/384", Some(6), Some("HS384");
    /// HMAC-SHA-512.
    Hmac512_512 = "HMAC 512/512", Some(7), Some("HS512");
    /// HPKE with DHKEM(P-256), HKDF-SHA256, AES-128-GCM (draft-ietf-cose-hpke; feature `hpke`).
    Hpke0 = "HPKE-0", Some(35), None;
    /// The same for a content key.
    Hpke0Ke = "HPKE-0-KE", Some(46), None;
    /// HPKE with DHKEM(P-384), HKDF-SHA384, AES-256-GCM (draft-ietf-cose-hpke; feature `hpke`).
    Hpke1 = "HPKE-1", Some(37), None;
    /// The same for a content key.
    Hpke1Ke = "HPKE-1-KE", Some(47), None;
    /// HPKE with DHKEM(P-521), HKDF-SHA512, AES-256-GCM (draft-ietf-cose-hpke; feature `hpke`).
    Hpke2 = "HPKE-2", Some(39), None;
    /// The same for a content key.
    Hpke2Ke = "HPKE-2-KE", Some(48), None;
    /// HPKE with DHKEM(X25519), HKDF-SHA256, AES-128-GCM (draft-ietf-cose-hpke; feature `hpke`).
    Hpke3 = "HPKE-3", Some(41), None;
    /// The same for a content key.
    Hpke3Ke = "HPKE-3-KE", Some(49), None;
    /// HPKE with DHKEM(X25519), HKDF-SHA256, ChaCha20-Poly1305 (draft-ietf-cose-hpke; feature `hpke`).
    Hpke4 = "HPKE-4", Some(42), None;
    /// The same for a content key.
    Hpke4Ke = "HPKE-4-KE", Some(50), None;
    /// HPKE with DHKEM(P-256), HKDF-SHA256, AES-256-GCM (draft-ietf-cose-hpke; feature `hpke`).
    Hpke7 = "HPKE-7", Some(45), None;
    /// The same for a content key.
    Hpke7Ke = "HPKE-7-KE", Some(53), None;
    /// ML-DSA-44.
    MlDsa44 = "ML-DSA-44", Some(-48), Some("ML-DSA-44");
    /// ML-DSA-65.
    MlDsa65 = "ML-DSA-65", Some(-49), Some("ML-DSA-65");
    /// ML-DSA-87.
    MlDsa87 = "ML-DSA-87", Some(-50), Some("ML-DSA-87");
    /// ML-KEM-512, with a key derivation and an AES key wrap (RFC 9629): CMS alone.
    MlKem512 = "ML-KEM-512", None, None;
    /// ML-KEM-768, the same.
    MlKem768 = "ML-KEM-768", None, None;
    /// ML-KEM-1024, the same.
    MlKem1024 = "ML-KEM-1024", None, None;
    /// PBKDF2 with HMAC-SHA-256 and AES-128 key wrap (RFC 7518 §4.8), of a password.
    Pbes2Hs256A128Kw = "PBES2-HS256+A128KW", None, Some("PBES2-HS256+A128KW");
    /// PBKDF2 with HMAC-SHA-384 and AES-192 key wrap, of a password.
    Pbes2Hs384A192Kw = "PBES2-HS384+A192KW", None, Some("PBES2-HS384+A192KW");
    /// PBKDF2 with HMAC-SHA-512 and AES-256 key wrap, of a password.
    Pbes2Hs512A256Kw = "PBES2-HS512+A256KW", None, Some("PBES2-HS512+A256KW");
    /// RSASSA-PSS, SHA-256.
    Ps256 = "PS256", Some(-37), Some("PS256");
    /// RSASSA-PSS, SHA-384.
    Ps384 = "PS384", Some(-38), Some("PS384");
    /// RSASSA-PSS, SHA-512.
    Ps512 = "PS512", Some(-39), Some("PS512");
    /// PBKDF2 and the key wrap of RFC 3211, of a password: CMS alone, and off by default.
    PwriKek = "PWRI-KEK", None, None;
    /// RSASSA-PKCS1-v1_5, SHA-256: only where a key names it.
    Rs256 = "RS256", Some(-257), Some("RS256");
    /// RSASSA-PKCS1-v1_5, SHA-384: only where a key names it.
    Rs384 = "RS384", Some(-258), Some("RS384");
    /// RSASSA-PKCS1-v1_5, SHA-512: only where a key names it.
    Rs512 = "RS512", Some(-259), Some("RS512");
    /// RSAES-OAEP, SHA-1: only where a key names it.
    RsaOaepSha1 = "RSAES-OAEP w/ RFC 8017 default parameters", Some(-40), Some("RSA-OAEP");
    /// RSAES-OAEP, SHA-256.
    RsaOaepSha256 = "RSAES-OAEP w/ SHA-256", Some(-41), Some("RSA-OAEP-256");
    /// RSAES-OAEP, SHA-384.
    RsaOaepSha384 = "RSA-OAEP-384", None, Some("RSA-OAEP-384");
    /// RSAES-OAEP, SHA-512.
    RsaOaepSha512 = "RSAES-OAEP w/ SHA-512", Some(-42), Some("RSA-OAEP-512");
    /// RSAES-PKCS1-v1_5 (RFC 8017 §7.2): only where a key names it, and with implicit rejection.
    RsaPkcs1V15 = "RSA1_5", None, Some("RSA1_5");
}

/// `EdDSA` (−8), which names no curve.
const EDDSA: i64 = -8;

impl Algorithm {
    /// The algorithm of that number in the IANA COSE registry; EdDSA is that of the key's curve.
    pub fn from_cose(number: i64, kty: Kty) -> Option<Self> {
        match (number, kty) {
            (EDDSA, Kty::OkpEd25519) => Some(Self::Ed25519),
            (EDDSA, Kty::OkpEd448) => Some(Self::Ed448),
            _ => Self::ALL.iter().copied().find(|algorithm| algorithm.cose() == Some(number)),
        }
    }

    /// The algorithm of that name in the IANA JOSE registry; EdDSA is Ed25519, or of an Ed448 key Ed448. `dir` names none:
    /// the algorithm of such a key is the `enc`.
    pub fn from_jose(name: &str, kty: Kty) -> Option<Self> {
        match (name, kty) {
            ("EdDSA", Kty::OkpEd448) => Some(Self::Ed448),
            ("EdDSA", _) => Some(Self::Ed25519),
            _ => Self::ALL.iter().copied().find(|algorithm| algorithm.jose() == Some(name)),
        }
    }

    /// Whether JOSE runs it with keys of this kind (RFC 7518 §3.1, §4.1, §5.1; RFC 8037, 8812, 9864, 9964): there each
    /// ECDSA algorithm has one curve.
    pub const fn suits_jose(self, kty: Kty) -> bool {
        if self.jose().is_none() {
            return false;
        }
        match self {
            Self::Es256 => matches!(kty, Kty::Ec2P256),
            Self::Es256K => matches!(kty, Kty::Ec2Secp256k1),
            Self::Es384 => matches!(kty, Kty::Ec2P384),
            Self::Es512 => matches!(kty, Kty::Ec2P521),
            Self::Ed25519 => matches!(kty, Kty::OkpEd25519),
            Self::Ed448 => matches!(kty, Kty::OkpEd448),
            _ if self.ml_dsa_key().is_some() => matches!(kty, Kty::Akp),
            _ if self.is_rsa_signature() || self.is_transport() => matches!(kty, Kty::Rsa),
            _ if self.agreement().is_some() => kty.agrees(),
            _ => matches!(kty, Kty::Symmetric),
        }
    }

    /// Whether it is a signature.
    pub const fn is_signature(self) -> bool {
        let ecdsa = matches!(self, Self::Es256 | Self::Es256K | Self::Es384 | Self::Es512);
        let specified = matches!(self, Self::Esp256 | Self::Esp384 | Self::Esp512);
        let eddsa = matches!(self, Self::Ed25519 | Self::Ed448);
        ecdsa || specified || eddsa || self.is_rsa_signature() || self.ml_dsa_key().is_some()
    }

    /// Whether it is HPKE.
    pub const fn is_hpke(self) -> bool {
        self.hpke_kty().is_some()
    }

    /// The kind of key that it encapsulates to, if it is HPKE.
    pub(crate) const fn hpke_kty(self) -> Option<Kty> {
        match self {
            Self::Hpke0 | Self::Hpke0Ke | Self::Hpke7 | Self::Hpke7Ke => Some(Kty::Ec2P256),
            Self::Hpke1 | Self::Hpke1Ke => Some(Kty::Ec2P384),
            Self::Hpke2 | Self::Hpke2Ke => Some(Kty::Ec2P521),
            Self::Hpke3 | Self::Hpke3Ke | Self::Hpke4 | Self::Hpke4Ke => Some(Kty::OkpX25519),
            _ => None,
        }
    }

    /// The algorithms that a departure of [`COMPAT`] turns on, for keys that name none.
    pub fn turned_on_by(departure: &str) -> &'static [Self] {
        match departure {
            "3des" => &[Self::Des3Cbc, Self::EcdhEsDes3Kw],
            "curve-hash-mix" => &[Self::Es256, Self::Es384, Self::Es512],
            "ed448" => &[Self::Ed448],
            "encrypted-data" => &[Self::A128Cbc, Self::A192Cbc, Self::A256Cbc],
            "oaep-sha1" | "rsa-oaep" | "rsa-oaep-sha1" => &[Self::RsaOaepSha1],
            "password" => &[Self::PwriKek],
            "pbes2" => &[Self::Pbes2Hs256A128Kw, Self::Pbes2Hs384A192Kw, Self::Pbes2Hs512A256Kw],
            "rsa1_5" | "rsa-pkcs1v15" => &[Self::RsaPkcs1V15],
            _ => &[],
        }
    }

    /// Whether it encrypts and authenticates content under a symmetric key.
    pub const fn is_aead(self) -> bool {
        matches!(self.content(), Some(Sizes { tag: 1.., .. }))
    }

    /// Whether it is a MAC under a symmetric key.
    pub const fn is_mac(self) -> bool {
        self.mac().is_some()
    }

    /// Whether it encrypts content without noticing a change.
    pub const fn is_unauthenticated(self) -> bool {
        matches!(self.content(), Some(Sizes { tag: 0, .. }))
    }
}

/// Kind of key material, with its curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kty {
    /// ML-DSA key (RFC 9964) or ML-KEM key, of whatever parameter set.
    Akp,
    /// NIST P-256 key.
    Ec2P256,
    /// NIST P-384 key.
    Ec2P384,
    /// NIST P-521 key.
    Ec2P521,
    /// secp256k1 key.
    Ec2Secp256k1,
    /// Ed25519 key.
    OkpEd25519,
    /// Ed448 key.
    OkpEd448,
    /// X25519 key.
    OkpX25519,
    /// RSA key.
    Rsa,
    /// Symmetric key: a profile master, or a content key as it is.
    Symmetric,
}

impl Kty {
    /// Whether a private key of this kind agrees on a secret.
    pub const fn agrees(self) -> bool {
        matches!(self, Self::Ec2P256 | Self::Ec2P384 | Self::Ec2P521 | Self::OkpX25519)
    }

    /// The kind of key that a COSE_Key's kty and crv name (RFC 9053 §7, RFC 8230 §4, RFC 9964).
    pub const fn from_cose(kty: i64, crv: Option<i64>) -> Option<Self> {
        Some(match (kty, crv) {
            (1, Some(4)) => Self::OkpX25519,
            (1, Some(6)) => Self::OkpEd25519,
            (1, Some(7)) => Self::OkpEd448,
            (2, Some(1)) => Self::Ec2P256,
            (2, Some(2)) => Self::Ec2P384,
            (2, Some(3)) => Self::Ec2P521,
            (2, Some(8)) => Self::Ec2Secp256k1,
            (3, None) => Self::Rsa,
            (4, None) => Self::Symmetric,
            (7, None) => Self::Akp,
            _ => return None,
        })
    }

    /// The kty of a JWK.
    pub const fn jwk(self) -> &'static str {
        match self {
            Self::Akp => "AKP",
            Self::Ec2P256 | Self::Ec2P384 | Self::Ec2P521 | Self::Ec2Secp256k1 => "EC",
            Self::OkpEd25519 | Self::OkpEd448 | Self::OkpX25519 => "OKP",
            Self::Rsa => "RSA",
            Self::Symmetric => "oct",
        }
    }
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

named! { Kty:
    Akp = "AKP", Ec2P256 = "EC", Ec2P384 = "EC P-384", Ec2P521 = "EC P-521", Ec2Secp256k1 = "EC secp256k1",
    OkpEd25519 = "OKP", OkpEd448 = "OKP Ed448", OkpX25519 = "OKP X25519", Rsa = "RSA", Symmetric = "oct",
}
named! { Status: Active = "active", Destroyed = "destroyed", Disabled = "disabled", Pending = "pending", Retiring = "retiring", }
named! { PathBinding: IfKnown = "if_known", Off = "off", Required = "required", }
named! { EndpointBinding: Flagged = "flagged", Ignored = "ignored", Pinned = "pinned", }
named! { Shape: G = "G", P = "P", S = "S", }

/// Departures that a key's record may allow, by name. What each permits, and that it is off otherwise, is the matter of
/// whoever reads envelopes; some turn on algorithms that a key must otherwise be given by name.
pub const COMPAT: &[&str] = &[
    "b64-no-crit",
    "cbc-bare",
    "cbc-sign-inside",
    "cbc-under-signature",
    "compressed",
    "compressed-bare",
    "countersign-v1",
    "curve-hash-mix",
    "data",
    "digested-data",
    "ed448",
    "eku-any",
    "encrypted-data",
    "gcm-nonce",
    "icv-short",
    "indefinite-length",
    "kdf-no-nonce",
    "kdf-sha1",
    "no-signed-attrs",
    "non-minimal",
    "oaep-sha1",
    "password",
    "pbes2",
    "rsa1_5",
    "rsa-oaep",
    "rsa-oaep-sha1",
    "rsa-pkcs1v15",
    "sha3",
    "smime-entity",
    "text-kid",
    "3des",
    "unauthenticated-sender",
    "unprotected-alg",
    "zip",
    "x5chain-unprotected",
];

/// Before a critical label that the application understands.
pub const UNDERSTOOD: &str = "crit-understood:";

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
    /// KDF inputs that are not on the wire.
    pub kdf_inputs: KdfInputs,
    /// Departures from the strict default that this key allows, by name: of [`COMPAT`], or `crit-understood:LABEL`.
    pub compat: Vec<String>,
    /// Of a message with several signers, every one whose key is known must hold; else one of them.
    pub all_signers: bool,
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
    /// Content formats allowed; none named: any.
    pub content_formats: Vec<u64>,
    /// Bytes.
    pub max_plaintext: usize,
    /// Readings a message.
    pub max_readings: usize,
}

/// KDF inputs that are not on the wire (contract.md §1), for whoever builds the KDF's context. A value on the wire that
/// contradicts one of these is `binding_mismatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KdfInputs {
    /// PartyUInfo, the sender's.
    pub party_u: Party,
    /// PartyVInfo, ours.
    pub party_v: Party,
    /// HKDF salt.
    pub salt: Option<Vec<u8>>,
    /// SuppPubInfo.other.
    pub pub_other: Option<Vec<u8>>,
    /// Whether there is a SuppPrivInfo. Itself it never leaves: [`crate::recipe::Info::private`] puts it in its place.
    pub priv_other: bool,
}

/// What a KDF context says of one party (RFC 9053 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Identity.
    pub identity: Option<Vec<u8>>,
    /// Nonce.
    pub nonce: Option<Vec<u8>>,
    /// Other.
    pub other: Option<Vec<u8>>,
}

/// A key version as it is handed to those who decide: cheap to clone, reads as its [`Card`]. Its key material rides
/// along, parsed and derived once, and only [`crate::Keystore::run`] reaches it.
#[derive(Clone)]
pub struct KeyRef(pub(crate) Arc<Entry>);

/// A card and its key material.
pub(crate) struct Entry {
    pub(crate) card: Card,
    pub(crate) material: Material,
    /// SuppPrivInfo of its KDF contexts, as a CBOR byte string.
    pub(crate) priv_other: Option<Arc<Zeroizing<Vec<u8>>>>,
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
    /// The sender's static public key that the record of one of our private keys names, as a [`crate::recipe::Peer`]
    /// for ECDH-SS without a key of the sender on the wire. It proves the device that its JWK names.
    pub static_sender: Option<KeyRef>,
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
        Self(Arc::new(Entry { card, material: self.0.material.share(), priv_other: self.0.priv_other.clone() }))
    }
}

impl Algorithm {
    /// Whether its tag is shorter than 16 octets, so that guesses must be counted.
    pub const fn has_short_tag(self) -> bool {
        match (self.content(), self.mac()) {
            (Some(sizes), _) => sizes.tag != 0 && sizes.tag < 16,
            (None, Some(sizes)) => sizes.tag < 16,
            (None, None) => false,
        }
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
    /// 0 for what is not authenticated.
    pub(crate) tag: usize,
}

impl Algorithm {
    /// Sizes, if this is a content encryption algorithm (RFC 9053 §4, RFC 9459, RFC 7518 §5). CMS may give GCM and CCM
    /// others for nonce and tag.
    pub(crate) const fn content(self) -> Option<Sizes> {
        let (key, nonce, tag) = match self {
            Self::A128Ccm | Self::A128Gcm => (16, 12, 16),
            Self::A192Ccm | Self::A192Gcm => (24, 12, 16),
            Self::A256Ccm | Self::A256Gcm | Self::ChaCha20Poly1305 => (32, 12, 16),
            Self::A128CbcHs256 => (32, 16, 16),
            Self::A192CbcHs384 => (48, 16, 24),
            Self::A256CbcHs512 => (64, 16, 32),
            Self::AesCcm16_64_128 => (16, 13, 8),
            Self::AesCcm16_64_256 => (32, 13, 8),
            Self::AesCcm64_64_128 => (16, 7, 8),
            Self::AesCcm64_64_256 => (32, 7, 8),
            Self::AesCcm16_128_128 => (16, 13, 16),
            Self::AesCcm16_128_256 => (32, 13, 16),
            Self::AesCcm64_128_128 => (16, 7, 16),
            Self::AesCcm64_128_256 => (32, 7, 16),
            Self::A128Cbc | Self::A128Ctr => (16, 16, 0),
            Self::A192Cbc | Self::A192Ctr => (24, 16, 0),
            Self::A256Cbc | Self::A256Ctr => (32, 16, 0),
            Self::Des3Cbc => (24, 8, 0),
            _ => return None,
        };
        Some(Sizes { key, nonce, tag })
    }

    /// Sizes, if this is a MAC (RFC 9053 §3); a nonce it has none.
    pub(crate) const fn mac(self) -> Option<Sizes> {
        let (key, tag) = match self {
            Self::Hmac256_64 => (32, 8),
            Self::Hmac256_256 => (32, 32),
            Self::Hmac384_384 => (48, 48),
            Self::Hmac512_512 => (64, 64),
            Self::AesMac128_64 => (16, 8),
            Self::AesMac256_64 => (32, 8),
            Self::AesMac128_128 => (16, 16),
            Self::AesMac256_128 => (32, 16),
            _ => return None,
        };
        Some(Sizes { key, nonce: 0, tag })
    }

    /// Whether it is a CCM without sizes of its own.
    pub(crate) const fn is_ccm_sized(self) -> bool {
        matches!(self, Self::A128Ccm | Self::A192Ccm | Self::A256Ccm)
    }

    /// Bytes of the key, if this is an AES key wrap (RFC 3394).
    pub(crate) const fn wrap(self) -> Option<usize> {
        match self {
            Self::A128Kw => Some(16),
            Self::A192Kw => Some(24),
            Self::A256Kw => Some(32),
            _ => None,
        }
    }

    /// The AEAD with which it encrypts keys, if this is an AES-GCM key wrap (RFC 7518 §4.7).
    pub(crate) const fn gcm_wrap(self) -> Option<Self> {
        match self {
            Self::A128GcmKw => Some(Self::A128Gcm),
            Self::A192GcmKw => Some(Self::A192Gcm),
            Self::A256GcmKw => Some(Self::A256Gcm),
            _ => None,
        }
    }

    /// What follows the agreement, if this is one (RFC 9053 §6.3, §6.4; RFC 7518 §4.6; RFC 5753).
    pub(crate) const fn agreement(self) -> Option<Agreement> {
        Some(match self {
            Self::EcdhEs => Agreement::Concat,
            Self::EcdhEsHkdf256 | Self::EcdhSsHkdf256 => Agreement::Hkdf(Hash::Sha256),
            Self::EcdhEsHkdf512 | Self::EcdhSsHkdf512 => Agreement::Hkdf(Hash::Sha512),
            Self::EcdhEsA128Kw | Self::EcdhSsA128Kw => Agreement::Wrap(Self::A128Kw),
            Self::EcdhEsA192Kw | Self::EcdhSsA192Kw => Agreement::Wrap(Self::A192Kw),
            Self::EcdhEsA256Kw | Self::EcdhSsA256Kw => Agreement::Wrap(Self::A256Kw),
            Self::EcdhEsDes3Kw => Agreement::WrapDes,
            _ => return None,
        })
    }

    /// Whether it agrees with a static key of the sender's.
    pub(crate) const fn is_static(self) -> bool {
        matches!(
            self,
            Self::EcdhSsHkdf256 | Self::EcdhSsHkdf512 | Self::EcdhSsA128Kw | Self::EcdhSsA192Kw | Self::EcdhSsA256Kw
        )
    }

    /// Whether it carries a key under RSA.
    pub(crate) const fn is_transport(self) -> bool {
        let oaep = matches!(self, Self::RsaOaepSha1 | Self::RsaOaepSha256 | Self::RsaOaepSha384 | Self::RsaOaepSha512);
        oaep || matches!(self, Self::RsaPkcs1V15)
    }

    /// Whether its key is a password.
    pub(crate) const fn is_password(self) -> bool {
        matches!(self, Self::Pbes2Hs256A128Kw | Self::Pbes2Hs384A192Kw | Self::Pbes2Hs512A256Kw | Self::PwriKek)
    }

    /// Whether it derives from a symmetric secret (RFC 9053 §6.1.2).
    pub(crate) const fn is_direct_kdf(self) -> bool {
        matches!(
            self,
            Self::DirectHkdfAes128 | Self::DirectHkdfAes256 | Self::DirectHkdfSha256 | Self::DirectHkdfSha512
        )
    }

    /// Whether it is an RSA signature.
    pub(crate) const fn is_rsa_signature(self) -> bool {
        matches!(self, Self::Ps256 | Self::Ps384 | Self::Ps512 | Self::Rs256 | Self::Rs384 | Self::Rs512)
    }

    /// Bytes of the public key, if this is ML-DSA (FIPS 204 §4).
    pub(crate) const fn ml_dsa_key(self) -> Option<usize> {
        match self {
            Self::MlDsa44 => Some(1_312),
            Self::MlDsa65 => Some(1_952),
            Self::MlDsa87 => Some(2_592),
            _ => None,
        }
    }

    /// Bytes of the private key in its expanded form, of the public key and of what encapsulates, if this is ML-KEM
    /// (FIPS 203 §8).
    pub(crate) const fn kem(self) -> Option<KemSizes> {
        let (private, public, ciphertext) = match self {
            Self::MlKem512 => (1_632, 800, 768),
            Self::MlKem768 => (2_400, 1_184, 1_088),
            Self::MlKem1024 => (3_168, 1_568, 1_568),
            _ => return None,
        };
        Some(KemSizes { private, public, ciphertext })
    }

    /// Whether a symmetric key of that length serves it as it is. The secret of an HKDF may be longer than any key, and
    /// that of an HMAC longer than its hash (RFC 7518 §3.2).
    pub(crate) fn takes_symmetric(self, length: usize) -> bool {
        match self {
            Self::DirectHkdfSha256 | Self::DirectHkdfSha512 => length >= 16,
            Self::DirectHkdfAes128 => length == 16,
            Self::DirectHkdfAes256 => length == 32,
            Self::Hmac256_256 | Self::Hmac384_384 | Self::Hmac512_512 => {
                self.mac().is_some_and(|sizes| length >= sizes.key)
            }
            _ if self.is_password() => true,
            _ => {
                let sizes = self.gcm_wrap().unwrap_or(self).content().or_else(|| self.mac()).map(|sizes| sizes.key);
                sizes.or_else(|| self.wrap()) == Some(length)
            }
        }
    }
}

/// Sizes of ML-KEM, bytes.
#[derive(Clone, Copy)]
pub(crate) struct KemSizes {
    pub(crate) private: usize,
    pub(crate) public: usize,
    pub(crate) ciphertext: usize,
}

/// What follows an agreement.
#[derive(Clone, Copy)]
pub(crate) enum Agreement {
    /// The Concat KDF derives the content key.
    Concat,
    /// HKDF with this hash derives the content key.
    Hkdf(Hash),
    /// A KEK is derived, in COSE by HKDF, in JOSE by Concat, in CMS by X9.63 or HKDF with a hash of the recipient's; then
    /// this AES key wrap.
    Wrap(Algorithm),
    /// The same, then triple-DES key wrap.
    WrapDes,
}
