//! Keys of the Weierstrass curves: points checked to be on their curve, scalars checked to be in range.

use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey};
use zeroize::Zeroizing;

use aws_lc_rs::signature::{ECDSA_P256K1_SHA256_FIXED, ParsedPublicKey};

use crate::key::{Algorithm, Kty};

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

/// A point: affine coordinates at the width of the field, checked to be on the curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) curve: Curve,
    pub(crate) x: Vec<u8>,
    pub(crate) y: Vec<u8>,
}

/// A private key with its public point.
pub(crate) struct Scalar {
    pub(crate) d: Zeroizing<Vec<u8>>,
    pub(crate) point: Point,
}

impl Curve {
    /// By the `crv` of a JWK.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521, Self::Secp256k1].into_iter().find(|curve| curve.name() == name)
    }

    /// By the number in the IANA COSE registry.
    pub(crate) fn from_cose(number: i64) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521, Self::Secp256k1].into_iter().find(|curve| curve.cose() == number)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    pub(crate) const fn cose(self) -> i64 {
        match self {
            Self::P256 => 1,
            Self::P384 => 2,
            Self::P521 => 3,
            Self::Secp256k1 => 8,
        }
    }

    pub(crate) const fn kty(self) -> Kty {
        match self {
            Self::P256 => Kty::Ec2P256,
            Self::P384 => Kty::Ec2P384,
            Self::P521 => Kty::Ec2P521,
            Self::Secp256k1 => Kty::Ec2Secp256k1,
        }
    }

    /// Bytes of a coordinate.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Whether it serves for key agreement: secp256k1 is registered for signatures alone (RFC 8812 §3.1).
    pub(crate) const fn agrees(self) -> bool {
        !matches!(self, Self::Secp256k1)
    }

    /// The signature algorithms that go with it. On the NIST curves every hash of ECDSA is legal (RFC 9053 §2.1, RFC 5753 §7);
    /// JOSE and the names of RFC 9864 have one for each curve.
    pub(crate) const fn verifies(self, algorithm: Algorithm) -> bool {
        match self {
            Self::P256 => is_ecdsa(algorithm) || matches!(algorithm, Algorithm::Esp256),
            Self::P384 => is_ecdsa(algorithm) || matches!(algorithm, Algorithm::Esp384),
            Self::P521 => is_ecdsa(algorithm) || matches!(algorithm, Algorithm::Esp512),
            Self::Secp256k1 => matches!(algorithm, Algorithm::Es256K),
        }
    }
}

const fn is_ecdsa(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512)
}

impl Point {
    /// The point of these coordinates, if it is on the curve. The point at infinity has none.
    pub(crate) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        if x.len() != curve.width() || y.len() != curve.width() {
            return None;
        }
        Self::of_sec1(curve, &[&[4], x, y].concat())
    }

    /// The point of this x whose y is odd or even, if there is one. Not on secp256k1.
    pub(crate) fn decompress(curve: Curve, x: &[u8], odd: bool) -> Option<Self> {
        if x.len() != curve.width() || curve == Curve::Secp256k1 {
            return None;
        }
        Self::of_sec1(curve, &[&[2 + u8::from(odd)], x].concat())
    }

    /// The point of its SEC 1 form.
    pub(crate) fn of_sec1(curve: Curve, sec1: &[u8]) -> Option<Self> {
        match curve {
            Curve::P256 => affine(curve, &PublicKey::<p256::NistP256>::from_sec1_bytes(sec1).ok()?),
            Curve::P384 => affine(curve, &PublicKey::<p384::NistP384>::from_sec1_bytes(sec1).ok()?),
            Curve::P521 => affine(curve, &PublicKey::<p521::NistP521>::from_sec1_bytes(sec1).ok()?),
            Curve::Secp256k1 => {
                let (4, coordinates) = sec1.split_first()? else { return None };
                ParsedPublicKey::new(&ECDSA_P256K1_SHA256_FIXED, sec1).ok()?;
                let (x, y) = coordinates.split_at_checked(32)?;
                Some(Self { curve, x: x.to_vec(), y: y.to_vec() })
            }
        }
    }

    /// `04 ‖ x ‖ y` (SEC 1 §2.3.3).
    pub(crate) fn sec1(&self) -> Vec<u8> {
        [&[4], self.x.as_slice(), &self.y].concat()
    }
}

impl Scalar {
    /// The private key of a big-endian scalar in 1 … n−1, at the width of the order. Not on secp256k1.
    pub(crate) fn new(curve: Curve, d: &[u8]) -> Option<Self> {
        if d.len() != curve.width() {
            return None;
        }
        let point = match curve {
            Curve::P256 => affine(curve, &SecretKey::<p256::NistP256>::from_slice(d).ok()?.public_key())?,
            Curve::P384 => affine(curve, &SecretKey::<p384::NistP384>::from_slice(d).ok()?.public_key())?,
            Curve::P521 => affine(curve, &SecretKey::<p521::NistP521>::from_slice(d).ok()?.public_key())?,
            Curve::Secp256k1 => return None,
        };
        Some(Self { d: Zeroizing::new(d.to_vec()), point })
    }
}

/// Coordinates of a checked key.
fn affine<C>(curve: Curve, key: &PublicKey<C>) -> Option<Point>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let sec1 = key.to_sec1_point(false);
    Some(Point { curve, x: sec1.x()?.to_vec(), y: sec1.y()?.to_vec() })
}
