//! Key agreement on the NIST curves and X25519.

use alloc::vec::Vec;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use super::key::{Curve, Key, Material};
use super::{Secret, random};
use crate::error::SealError;

/// The sender's side of one agreement: its private key, and the public half that the receiver needs.
pub(crate) struct Pair {
    key: PrivateKey,
    /// The receiver's curve.
    pub(crate) curve: Curve,
    /// First coordinate, at the curve's width.
    pub(crate) x: Vec<u8>,
    /// Second coordinate; empty on X25519.
    pub(crate) y: Vec<u8>,
}

impl Pair {
    /// A key for one message, on the receiver's curve.
    ///
    /// P-521's 521 bits fill 66 bytes but for seven bits; a draw outside 1..n has slight odds on every curve, so a source
    /// that gives eight in a row is broken.
    pub(crate) fn ephemeral<R: TryCryptoRng + ?Sized>(receiver: &Key, rng: &mut R) -> Result<Self, SealError> {
        let curve = curve(receiver)?;
        let algorithm = ecdh(curve)?;
        for _ in 0..8 {
            let mut bytes = random(curve.coordinate_len(), rng)?;
            if curve == Curve::P521 {
                bytes[0] &= 1;
            }
            if let Ok(key) = PrivateKey::from_private_key(algorithm, &bytes) {
                return Self::new(key, curve);
            }
        }
        Err(SealError::Randomness)
    }

    /// The sender's own lasting key, on the receiver's curve.
    pub(crate) fn lasting(own: &Key, receiver: &Key) -> Result<Self, SealError> {
        let curve = curve(receiver)?;
        let bad = SealError::BadKey(curve.name());
        match &own.material {
            Material::Curve { curve: own, d: Some(d), .. } if *own == curve => {
                Self::new(PrivateKey::from_private_key(ecdh(curve)?, d).map_err(|_| bad)?, curve)
            }
            _ => Err(bad),
        }
    }

    fn new(key: PrivateKey, curve: Curve) -> Result<Self, SealError> {
        let public = key.compute_public_key().map_err(|_| SealError::Encryption)?;
        let (x, y) = halves(curve, public.as_ref());
        Ok(Self { curve, x: x.to_vec(), y: y.to_vec(), key })
    }

    /// The agreed secret: x at full width, or X25519's 32 bytes.
    pub(crate) fn agree(&self, receiver: &Key) -> Result<Secret, SealError> {
        let Material::Curve { curve, x, y, .. } = &receiver.material else {
            return Err(SealError::BadKey(self.curve.name()));
        };
        let peer = UnparsedPublicKey::new(ecdh(*curve)?, point(*curve, x, y));
        let bad = SealError::BadKey(curve.name());
        agreement::agree(&self.key, peer, bad, |secret| Ok(Zeroizing::new(secret.to_vec())))
    }

    /// The public half as one string: an uncompressed point (SEC 1 §2.3.3), or X25519's 32 bytes.
    pub(crate) fn point(&self) -> Vec<u8> {
        point(self.curve, &self.x, &self.y)
    }
}

fn curve(receiver: &Key) -> Result<Curve, SealError> {
    match &receiver.material {
        Material::Curve { curve, .. } => Ok(*curve),
        _ => Err(SealError::BadKey("elliptic curve")),
    }
}

fn ecdh(curve: Curve) -> Result<&'static agreement::Algorithm, SealError> {
    match curve {
        Curve::P256 => Ok(&agreement::ECDH_P256),
        Curve::P384 => Ok(&agreement::ECDH_P384),
        Curve::P521 => Ok(&agreement::ECDH_P521),
        Curve::X25519 => Ok(&agreement::X25519),
        Curve::Ed25519 | Curve::Ed448 | Curve::Secp256k1 => Err(SealError::AlgorithmNotAllowed(curve.name())),
    }
}

/// A public key as AWS-LC reads it.
pub(crate) fn point(curve: Curve, x: &[u8], y: &[u8]) -> Vec<u8> {
    if curve.has_y() { [&[0x04], x, y].concat() } else { x.to_vec() }
}

/// x and y of such a key.
fn halves(curve: Curve, public: &[u8]) -> (&[u8], &[u8]) {
    if curve.has_y() { public[1..].split_at(curve.coordinate_len()) } else { (public, &[]) }
}
