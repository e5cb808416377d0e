//! Signature checks. ECDSA takes raw r‖s at the full width of the order; every length is exact before the primitive sees
//! it.
//!
//! Ed25519 is strict: a public key of small order, off the curve or not in canonical form is refused when it is parsed;
//! aws-lc refuses S ≥ L and compares R as bytes (RFC 8032 §5.1.7). Ed448 likewise: R has one encoding.

use aws_lc_rs::digest::{SHA512, digest};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    ED25519, ML_DSA_44, ML_DSA_65, ML_DSA_87, ParsedPublicKey, RsaParameters,
};
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed448_goldilocks::CompressedEdwardsY as CompressedEd448;
use p256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::key::Algorithm;
use crate::private_key::{Curve, Point, RsaPublic};

/// A sender's public key, in the form that each of its algorithms takes.
pub(crate) struct Verifier(Vec<Scheme>);

/// One way to verify.
struct Scheme {
    algorithms: &'static [Algorithm],
    /// Bytes of a signature.
    length: usize,
    key: Key,
}

enum Key {
    AwsLc(ParsedPublicKey),
    Ed448(Box<ed448_goldilocks::VerifyingKey>),
    /// ES512 on P-256: aws-lc-rs has no raw form of it.
    P256Sha512(Box<p256::ecdsa::VerifyingKey>),
}

impl Verifier {
    /// Which trial of this algorithm holds.
    pub(crate) fn verify(&self, algorithm: Algorithm, messages: &[&[u8]], signature: &[u8]) -> Option<usize> {
        let scheme = self.0.iter().find(|scheme| scheme.algorithms.contains(&algorithm))?;
        if signature.len() != scheme.length {
            return None;
        }
        messages.iter().position(|message| scheme.key.holds(message, signature))
    }

    pub(crate) fn ec(point: &Point, algs: &[Algorithm]) -> Option<Self> {
        let mut schemes = vec![ecdsa(point)?];
        if point.curve == Curve::P256 && algs.contains(&Algorithm::Es512) {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point.sec1()).ok()?;
            let key = Key::P256Sha512(Box::new(key));
            schemes.push(Scheme { algorithms: &[Algorithm::Es512], length: 64, key });
        }
        Some(Self(schemes))
    }

    /// None for a key that proves nothing.
    pub(crate) fn ed25519(x: &[u8; 32]) -> Option<Self> {
        let key = is_sound(x).then(|| ParsedPublicKey::new(&ED25519, x).ok())??;
        Some(Self(vec![Scheme { algorithms: &[Algorithm::Ed25519], length: 64, key: Key::AwsLc(key) }]))
    }

    /// None for a key that proves nothing.
    pub(crate) fn ed448(x: &[u8; 57]) -> Option<Self> {
        let key = ed448_goldilocks::VerifyingKey::from_bytes(x).ok().filter(|_| is_canonical(*x))?;
        Some(Self(vec![Scheme { algorithms: &[Algorithm::Ed448], length: 114, key: Key::Ed448(Box::new(key)) }]))
    }

    pub(crate) fn ml_dsa(set: Algorithm, key: &[u8]) -> Option<Self> {
        let (algorithms, length, key): (&[Algorithm], _, _) = match set {
            Algorithm::MlDsa44 => (&[Algorithm::MlDsa44], 2420, ParsedPublicKey::new(&ML_DSA_44, key)),
            Algorithm::MlDsa65 => (&[Algorithm::MlDsa65], 3309, ParsedPublicKey::new(&ML_DSA_65, key)),
            Algorithm::MlDsa87 => (&[Algorithm::MlDsa87], 4627, ParsedPublicKey::new(&ML_DSA_87, key)),
            _ => return None,
        };
        Some(Self(vec![Scheme { algorithms, length, key: Key::AwsLc(key.ok()?) }]))
    }

    /// Only what the key is allowed: each algorithm takes a parsed key of its own.
    pub(crate) fn rsa(key: &RsaPublic, algs: &[Algorithm]) -> Option<Self> {
        let components = PublicKeyComponents { n: &key.n, e: &key.e };
        let schemes = RSA.iter().filter(|(algorithms, _)| algs.iter().any(|algorithm| algorithms.contains(algorithm)));
        let scheme = |(algorithms, parameters): &(&'static [Algorithm], &'static RsaParameters)| {
            let parsed = components.to_parsed_public_key(parameters).ok()?;
            Some(Scheme { algorithms, length: key.n.len(), key: Key::AwsLc(parsed) })
        };
        schemes.map(scheme).collect::<Option<_>>().map(Self)
    }
}

impl Key {
    fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::AwsLc(key) => key.verify_sig(message, signature).is_ok(),
            // The crate overlooks the seven unused bits of R.
            Self::Ed448(key) => ed448_goldilocks::Signature::from_slice(signature).is_ok_and(|signature| {
                is_canonical(*signature.r_bytes()) && key.verify_raw(&signature, message).is_ok()
            }),
            Self::P256Sha512(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(digest(&SHA512, message).as_ref(), &signature).is_ok()),
        }
    }
}

/// RFC 8230 §2 (the salt is as long as the hash), RFC 8812 §2.
const RSA: &[(&[Algorithm], &RsaParameters)] = &[
    (&[Algorithm::Ps256], &signature::RSA_PSS_2048_8192_SHA256),
    (&[Algorithm::Ps384], &signature::RSA_PSS_2048_8192_SHA384),
    (&[Algorithm::Ps512], &signature::RSA_PSS_2048_8192_SHA512),
    (&[Algorithm::Rs256], &signature::RSA_PKCS1_2048_8192_SHA256),
    (&[Algorithm::Rs384], &signature::RSA_PKCS1_2048_8192_SHA384),
    (&[Algorithm::Rs512], &signature::RSA_PKCS1_2048_8192_SHA512),
];

/// The curve's own hash.
fn ecdsa(point: &Point) -> Option<Scheme> {
    let (algorithms, parameters): (&[Algorithm], _) = match point.curve {
        Curve::P256 => (&[Algorithm::Es256, Algorithm::Esp256], &ECDSA_P256_SHA256_FIXED),
        Curve::P384 => (&[Algorithm::Es384, Algorithm::Esp384], &ECDSA_P384_SHA384_FIXED),
        Curve::P521 => (&[Algorithm::Es512, Algorithm::Esp512], &ECDSA_P521_SHA512_FIXED),
        Curve::Secp256k1 => (&[Algorithm::Es256K], &ECDSA_P256K1_SHA256_FIXED),
    };
    let key = ParsedPublicKey::new(parameters, point.sec1()).ok()?;
    Some(Scheme { algorithms, length: 2 * point.curve.width(), key: Key::AwsLc(key) })
}

/// On the curve, canonical, not of small order: anybody can sign for a key of small order.
pub(crate) fn is_sound(x: &[u8; 32]) -> bool {
    CompressedEdwardsY(*x).decompress().is_some_and(|point| !point.is_small_order() && point.compress().as_bytes() == x)
}

/// Whether this is the one encoding of a point of Ed448 in the prime-order group (RFC 8032 §5.2.2, §5.2.3).
fn is_canonical(encoded: [u8; 57]) -> bool {
    let point = CompressedEd448(encoded).decompress().into_option();
    point.is_some_and(|point| *point.compress().as_bytes() == encoded)
}
