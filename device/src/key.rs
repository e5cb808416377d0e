//! A device's keys and the gateway's public key. Private bytes go in, operations come out: nothing here is `Debug`,
//! `Clone` or `Serialize`, and every secret is wiped when dropped.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use ed25519_dalek::Signer;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::algorithm::{ContentAlgorithm, SignatureAlgorithm};
use crate::error::SealError;
use crate::kdf::{self, ContentKey};
#[cfg(any(feature = "cms", feature = "jose"))]
use crate::primitive::key::{Curve, Key};

/// A key's name: 1 to 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kid(Vec<u8>);

/// Boot epoch or key generation: 1 to 16 bytes. Goes into the derivation, so each context has keys and a counter of its
/// own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KidContext(Vec<u8>);

/// One device's symmetric key. Never put it into two devices: they would repeat nonces (profile.md §3).
pub struct SymmetricKey {
    kid: Kid,
    material: Material,
}

/// One device's private signing key.
pub struct SigningKey {
    kid: Kid,
    secret: SigningSecret,
}

/// The gateway's public key on P-256.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) kid: Kid,
    pub(crate) point: p256::PublicKey,
}

/// The public half of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// x of 32 bytes.
    Ed25519([u8; 32]),
    /// x and y of 32 bytes each.
    P256([u8; 32], [u8; 32]),
}

enum Material {
    /// Content keys are derived, one an algorithm and kid context.
    Master(Zeroizing<Vec<u8>>),
    /// The content key itself, with its base IV (COSE_Key labels -1 and 5).
    Plain { key: Zeroizing<Vec<u8>>, base_iv: Zeroizing<Vec<u8>> },
}

enum SigningSecret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl Kid {
    /// Fails where it has not 1 to 16 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        bounded("a kid", bytes, 1, 16).map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, where they are letters, digits, `-` and `_` alone: what any format can carry.
    #[cfg(feature = "std")]
    pub(crate) fn as_text(&self) -> Option<&str> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        core::str::from_utf8(&self.0).ok().filter(|text| text.as_bytes().iter().all(plain))
    }
}

impl KidContext {
    /// Fails where it has not 1 to 16 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        bounded("a kid context", bytes, 1, 16).map(Self)
    }

    /// For a boot counter in reliable storage: 4 bytes, big endian (profile.md §6).
    pub fn boot(number: u32) -> Self {
        Self(number.to_be_bytes().to_vec())
    }

    /// For a device without reliable storage: 8 random bytes a boot (profile.md §6).
    pub fn random<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, SealError> {
        Ok(Self(random::<8, R>(rng)?.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl SymmetricKey {
    /// A master of 16 to 32 bytes, from which content keys are derived; 32 recommended.
    pub fn master(kid: Kid, master: &[u8]) -> Result<Self, SealError> {
        let master = Zeroizing::new(bounded("a master", master, 16, 32)?);
        Ok(Self { kid, material: Material::Master(master) })
    }

    /// A content key of 16 or 32 bytes used as it is, with a base IV of the nonce's length: 12 or 13 bytes.
    pub fn plain(kid: Kid, key: &[u8], base_iv: &[u8]) -> Result<Self, SealError> {
        let key = Zeroizing::new(bounded("a content key", key, 16, 32)?);
        let base_iv = Zeroizing::new(bounded("a base IV", base_iv, 12, 13)?);
        Ok(Self { kid, material: Material::Plain { key, base_iv } })
    }

    /// Its name.
    pub const fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The key as it is, for a format without a derivation: JOSE, CMS.
    #[cfg(any(feature = "cms", feature = "jose"))]
    pub(crate) fn underived(&self) -> Key {
        match &self.material {
            Material::Master(key) | Material::Plain { key, .. } => Key::symmetric(key).named(self.kid.as_bytes()),
        }
    }

    /// The key and base IV of an algorithm.
    pub(crate) fn content_key(
        &self,
        algorithm: ContentAlgorithm,
        kid_context: Option<&KidContext>,
    ) -> Result<ContentKey, SealError> {
        match (&self.material, kid_context) {
            (Material::Master(master), _) if master.len() < algorithm.key_len() => {
                Err(SealError::MasterTooShort(algorithm.key_len()))
            }
            (Material::Master(master), context) => {
                Ok(kdf::derive(master, self.kid.as_bytes(), context.map(KidContext::as_bytes), algorithm))
            }
            (Material::Plain { .. }, Some(_)) => Err(SealError::KidContextWithoutDerivation),
            (Material::Plain { key, base_iv }, None) => {
                if key.len() != algorithm.key_len() || base_iv.len() != algorithm.nonce_len() {
                    return Err(SealError::AlgorithmNotAllowed(algorithm.name()));
                }
                Ok(ContentKey { key: key.clone(), base_iv: base_iv.clone() })
            }
        }
    }
}

impl SigningKey {
    /// A P-256 private key: the scalar, 32 bytes.
    pub fn p256(kid: Kid, scalar: &[u8]) -> Result<Self, SealError> {
        let key = p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| SealError::BadKey("P-256 private"))?;
        Ok(Self { kid, secret: SigningSecret::P256(key) })
    }

    /// An Ed25519 private key: the seed, 32 bytes.
    pub fn ed25519(kid: Kid, seed: &[u8]) -> Result<Self, SealError> {
        let seed = seed.try_into().map_err(|_| SealError::BadKey("Ed25519 private"))?;
        Ok(Self { kid, secret: SigningSecret::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)) })
    }

    /// Its name.
    pub const fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The public half, for the gateway.
    pub fn public(&self) -> PublicKey {
        match &self.secret {
            SigningSecret::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
            SigningSecret::P256(key) => {
                let (x, y) = coordinates(&p256::PublicKey::from(key.verifying_key()));
                PublicKey::P256(x, y)
            }
        }
    }

    /// The same key for formats other than the profile's COSE.
    #[cfg(any(feature = "cms", feature = "jose"))]
    pub(crate) fn pair(&self) -> Result<Key, SealError> {
        let key = match (&self.secret, self.public()) {
            (SigningSecret::Ed25519(seed), PublicKey::Ed25519(x)) => {
                Key::curve(Curve::Ed25519, &x, &[], Some(seed.as_bytes()))
            }
            (SigningSecret::P256(key), PublicKey::P256(x, y)) => {
                Key::curve(Curve::P256, &x, &y, Some(&*Zeroizing::new(<[u8; 32]>::from(key.to_bytes()))))
            }
            _ => Err(SealError::BadKey("private signing")),
        };
        Ok(key?.named(self.kid.as_bytes()))
    }

    /// The algorithm that it signs with where none is asked for.
    pub const fn default_algorithm(&self) -> SignatureAlgorithm {
        match self.secret {
            SigningSecret::Ed25519(_) => SignatureAlgorithm::Ed25519,
            SigningSecret::P256(_) => SignatureAlgorithm::Esp256,
        }
    }

    /// Whether it can sign with that algorithm.
    pub const fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        match self.secret {
            SigningSecret::Ed25519(_) => matches!(algorithm, SignatureAlgorithm::Ed25519),
            SigningSecret::P256(_) => matches!(algorithm, SignatureAlgorithm::Es256 | SignatureAlgorithm::Esp256),
        }
    }

    /// r‖s, or Ed25519's 64 bytes. Deterministic (RFC 6979, RFC 8032), so that a device needs no randomness to sign.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        match &self.secret {
            SigningSecret::Ed25519(key) => key.sign(message).to_bytes(),
            SigningSecret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().into()
            }
        }
    }
}

impl Gateway {
    /// From the coordinates of its point, 32 bytes each.
    pub fn new(kid: Kid, x: &[u8], y: &[u8]) -> Result<Self, SealError> {
        let invalid = SealError::BadKey("P-256 public");
        if x.len() != 32 || y.len() != 32 {
            return Err(invalid);
        }
        let sec1 = [&[0x04], x, y].concat();
        let point = p256::PublicKey::from_sec1_bytes(&sec1).map_err(|_| invalid)?;
        Ok(Self { kid, point })
    }

    /// Its name.
    pub const fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The same key for formats other than the profile's COSE.
    #[cfg(any(feature = "cms", feature = "jose"))]
    pub(crate) fn public(&self) -> Result<Key, SealError> {
        let (x, y) = self.coordinates();
        Ok(Key::curve(Curve::P256, &x, &y, None)?.named(self.kid.as_bytes()))
    }

    /// The coordinates of its point.
    pub fn coordinates(&self) -> ([u8; 32], [u8; 32]) {
        coordinates(&self.point)
    }
}

/// x and y of a point that is not the identity, which a public key never is.
pub(crate) fn coordinates(point: &p256::PublicKey) -> ([u8; 32], [u8; 32]) {
    let sec1 = point.to_sec1_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map_or([0; 32], |bytes| (*bytes).into());
    (coordinate(sec1.x()), coordinate(sec1.y()))
}

/// `N` random bytes, wiped when dropped.
pub(crate) fn random<const N: usize, R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Zeroizing<[u8; N]>, SealError> {
    let mut bytes = Zeroizing::new([0; N]);
    rng.try_fill_bytes(&mut *bytes).map_err(|_| SealError::Randomness)?;
    Ok(bytes)
}

/// A P-256 scalar. A draw outside 1..n has odds of 2^-32, so a source that gives eight in a row is broken.
pub(crate) fn random_scalar<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<p256::SecretKey, SealError> {
    for _ in 0..8 {
        if let Ok(key) = p256::SecretKey::from_slice(&*random::<32, R>(rng)?) {
            return Ok(key);
        }
    }
    Err(SealError::Randomness)
}

/// The 32 bytes of a scalar.
#[cfg(feature = "std")]
pub(crate) fn scalar_bytes(key: &p256::SecretKey) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(key.to_bytes().into())
}

fn bounded(what: &'static str, bytes: &[u8], min: usize, max: usize) -> Result<Vec<u8>, SealError> {
    if (min..=max).contains(&bytes.len()) { Ok(bytes.to_owned()) } else { Err(SealError::BadLength { what, min, max }) }
}
