//! Keys of every type. Private bytes go in and never come out: no `Debug`, no `Clone`, wiped when dropped. What a key is
//! good for is tried when it is used.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Secret;
use crate::error::SealError;

/// A key with its name.
pub struct Key {
    kid: Option<Vec<u8>>,
    base_iv: Option<Vec<u8>>,
    pub(crate) material: Material,
}

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Agreement only.
    X25519,
    /// Signatures only.
    Ed25519,
    /// Signatures only.
    Ed448,
    /// Signatures only.
    Secp256k1,
}

/// A parameter set of ML-DSA (FIPS 204).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlDsa {
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

/// An RSA key pair's numbers, big endian.
pub struct RsaPrivate {
    /// Modulus.
    pub n: Vec<u8>,
    /// Public exponent.
    pub e: Vec<u8>,
    /// Private exponent.
    pub d: Zeroizing<Vec<u8>>,
    /// First factor.
    pub p: Zeroizing<Vec<u8>>,
    /// Second factor.
    pub q: Zeroizing<Vec<u8>>,
    /// d mod (p − 1).
    pub dp: Zeroizing<Vec<u8>>,
    /// d mod (q − 1).
    pub dq: Zeroizing<Vec<u8>>,
    /// q⁻¹ mod p.
    pub qi: Zeroizing<Vec<u8>>,
}

pub(crate) enum Material {
    /// On a curve: x, y (empty on Ed25519, Ed448 and X25519), and the private number where it is known.
    Curve {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
        d: Option<Secret>,
    },
    /// The 32 bytes that an ML-DSA key is made of.
    MlDsa {
        algorithm: MlDsa,
        seed: Secret,
    },
    RsaPrivate(Box<RsaPrivate>),
    RsaPublic {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Symmetric(Secret),
}

impl Key {
    /// A content key, a MAC key, a key-encryption key or a shared secret.
    pub fn symmetric(bytes: &[u8]) -> Self {
        Self::of(Material::Symmetric(Zeroizing::new(bytes.to_vec())))
    }

    /// A key on a curve. Coordinates and private number have the curve's length; y is empty on Ed25519, Ed448 and
    /// X25519.
    pub fn curve(curve: Curve, x: &[u8], y: &[u8], d: Option<&[u8]>) -> Result<Self, SealError> {
        let len = curve.coordinate_len();
        let y_len = if curve.has_y() { len } else { 0 };
        if x.len() != len || y.len() != y_len || d.is_some_and(|d| d.len() != len) {
            return Err(SealError::BadKey(curve.name()));
        }
        let d = d.map(|d| Zeroizing::new(d.to_vec()));
        Ok(Self::of(Material::Curve { curve, x: x.to_vec(), y: y.to_vec(), d }))
    }

    /// An RSA public key: modulus and exponent, big endian.
    pub fn rsa_public(n: &[u8], e: &[u8]) -> Self {
        Self::of(Material::RsaPublic { n: n.to_vec(), e: e.to_vec() })
    }

    /// An RSA key pair.
    pub fn rsa_private(pair: RsaPrivate) -> Self {
        Self::of(Material::RsaPrivate(Box::new(pair)))
    }

    /// An ML-DSA key pair, from its seed of 32 bytes.
    pub fn ml_dsa(algorithm: MlDsa, seed: &[u8]) -> Self {
        Self::of(Material::MlDsa { algorithm, seed: Zeroizing::new(seed.to_vec()) })
    }

    /// With a name, which the message then carries.
    #[must_use]
    pub fn named(self, kid: &[u8]) -> Self {
        Self { kid: Some(kid.to_vec()), ..self }
    }

    /// With a base IV, to which a Partial IV is added (RFC 9052 §3.1).
    #[must_use]
    pub fn with_base_iv(self, base_iv: &[u8]) -> Self {
        Self { base_iv: Some(base_iv.to_vec()), ..self }
    }

    /// Its name.
    pub fn kid(&self) -> Option<&[u8]> {
        self.kid.as_deref()
    }

    pub(crate) fn base_iv(&self) -> Option<&[u8]> {
        self.base_iv.as_deref()
    }

    pub(crate) fn secret(&self) -> Result<&Secret, SealError> {
        match &self.material {
            Material::Symmetric(secret) => Ok(secret),
            _ => Err(SealError::BadKey("symmetric")),
        }
    }

    const fn of(material: Material) -> Self {
        Self { kid: None, base_iv: None, material }
    }
}

impl Curve {
    /// Its name in JWK.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
            Self::X25519 => "X25519",
        }
    }

    /// The curve of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Ed25519, Self::Ed448, Self::P256, Self::P384, Self::P521, Self::Secp256k1, Self::X25519];
        all.into_iter().find(|curve| curve.name() == name)
    }

    /// Bytes of a coordinate.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P384 => 48,
            Self::Ed448 => 57,
            Self::P521 => 66,
            Self::Ed25519 | Self::P256 | Self::Secp256k1 | Self::X25519 => 32,
        }
    }

    /// Whether its points have a second coordinate.
    pub(crate) const fn has_y(self) -> bool {
        !matches!(self, Self::Ed25519 | Self::Ed448 | Self::X25519)
    }

    /// Number in the COSE registry.
    pub(crate) const fn id(self) -> i64 {
        match self {
            Self::P256 => 1,
            Self::P384 => 2,
            Self::P521 => 3,
            Self::X25519 => 4,
            Self::Ed25519 => 6,
            Self::Ed448 => 7,
            Self::Secp256k1 => 8,
        }
    }
}

impl MlDsa {
    /// Its name in JOSE and COSE.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The parameter set of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87].into_iter().find(|set| set.name() == name)
    }
}
