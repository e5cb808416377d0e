//! Diffie–Hellman on P-256, P-384, P-521 and X25519. The secret is Z: the x-coordinate of d·E at the full width of the
//! field (SEC 1 §3.3.1), or X25519's output (RFC 7748 §6.1).

use aws_lc_rs::agreement::{Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey, X25519, agree};
use zeroize::Zeroizing;

use crate::key::Kty;
use crate::ops::Secret;
use crate::private_key::{self, Curve, Scalar};
use crate::recipe::{EcY, Point};

/// The primitive's form of our private EC key.
pub(crate) fn ec(scalar: &Scalar) -> Option<PrivateKey> {
    let algorithm: &Algorithm = match scalar.point.curve {
        Curve::P256 => &ECDH_P256,
        Curve::P384 => &ECDH_P384,
        Curve::P521 => &ECDH_P521,
        Curve::Secp256k1 => return None,
    };
    PrivateKey::from_private_key(algorithm, &scalar.d).ok()
}

/// The primitive's form of our private X25519 key.
pub(crate) fn x25519(key: &private_key::X25519) -> Option<PrivateKey> {
    PrivateKey::from_private_key(&X25519, &key.d[..]).ok()
}

/// Z. None for a point that is not on the curve: infinity, x ≥ p and a square that has no root included; and for an
/// all-zero Z of X25519, which a u-coordinate of small order gives with every private key (RFC 7748 §6.1). On the other
/// curves, of prime order, zero is an x-coordinate like any other.
pub(crate) fn secret(private: &PrivateKey, public: &[u8]) -> Option<Secret> {
    let peer = UnparsedPublicKey::new(private.algorithm(), public);
    let z = agree(private, peer, (), |z| Ok(Zeroizing::new(z.to_vec()))).ok()?;
    let is_contributory = *private.algorithm() != X25519 || z.iter().any(|byte| *byte != 0);
    is_contributory.then_some(z)
}

/// A public key of an envelope in the primitive's encoding: the point in its SEC 1 form, or u as it is. Its length says
/// which form it is, so that no other encoding that the primitive knows gets through.
pub(crate) fn encoded(point: &Point<'_>) -> Option<Vec<u8>> {
    let width = match point.kty {
        Kty::Ec2P256 | Kty::OkpX25519 => 32,
        Kty::Ec2P384 => 48,
        Kty::Ec2P521 => 66,
        _ => return None,
    };
    if point.x.len() != width {
        return None;
    }
    match (point.kty, point.y) {
        (Kty::OkpX25519, None) => Some(point.x.to_vec()),
        (Kty::OkpX25519, Some(_)) | (_, None) => None,
        (_, Some(EcY::Full(y))) => (y.len() == width).then(|| [&[4], point.x, y].concat()),
        (_, Some(EcY::Odd(odd))) => Some([&[2 + u8::from(odd)], point.x].concat()),
    }
}

/// Whether agreeing with this u-coordinate gives anything but zero. Every private key is a multiple of the cofactor, so
/// one that is not a secret tells.
pub(crate) fn is_sound(x: &[u8; 32]) -> bool {
    PrivateKey::from_private_key(&X25519, &[9; 32]).is_ok_and(|private| secret(&private, x).is_some())
}
