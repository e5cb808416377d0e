//! Signature checks: ES256 and ESP256 over raw r‖s, Ed25519.
//!
//! Ed25519 is strict: a public key of small order, off the curve or not in canonical form is refused when it is parsed;
//! aws-lc refuses S ≥ L and compares R as bytes (RFC 8032 §5.1.7).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use curve25519_dalek::edwards::CompressedEdwardsY;

use crate::key::{Algorithm, Kty};
use crate::private_key::Point;

/// Bytes of every signature here.
pub(crate) const SIGNATURE: usize = 64;

/// Whether a public key of this kind verifies this algorithm.
pub(crate) const fn serves(kty: Kty, algorithm: Algorithm) -> bool {
    match kty {
        Kty::Ec2P256 => matches!(algorithm, Algorithm::Es256 | Algorithm::Esp256),
        Kty::OkpEd25519 => matches!(algorithm, Algorithm::Ed25519),
        _ => false,
    }
}

/// The primitive's form of a P-256 key.
pub(crate) fn p256(point: &Point) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.sec1()).ok()
}

/// The primitive's form of an Ed25519 key; none for one that proves nothing.
pub(crate) fn ed25519(x: &[u8; 32]) -> Option<ParsedPublicKey> {
    if !is_sound(x) {
        return None;
    }
    ParsedPublicKey::new(&ED25519, x).ok()
}

/// On the curve, canonical, not of small order: anybody can sign for a key of small order.
pub(crate) fn is_sound(x: &[u8; 32]) -> bool {
    CompressedEdwardsY(*x).decompress().is_some_and(|point| !point.is_small_order() && point.compress().as_bytes() == x)
}
