//! Signature checks. ECDSA takes raw r‖s at the full width of the order; every length is exact before the primitive sees
//! it.
//!
//! Ed25519 is strict: a public key of small order, off the curve or not in canonical form is refused when it is parsed;
//! aws-lc refuses S ≥ L and compares R as bytes (RFC 8032 §5.1.7). Ed448 likewise: R has one encoding.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P256K1_SHA256_FIXED,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_FIXED,
    ECDSA_P521_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, EcdsaVerificationAlgorithm, ML_DSA_44, ML_DSA_65,
    ML_DSA_87, ParsedPublicKey, RsaParameters, RsaPssSaltLength, VerificationAlgorithm,
};
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed448_goldilocks::CompressedEdwardsY as CompressedEd448;
use p256::pkcs8::der::Encode;
use pkcs1::{RsaPublicKey, UintRef};

use crate::key::Algorithm;
use crate::ops::kdf::digest_of;
use crate::private_key::{Curve, Point, RsaPublic, significant};
use crate::recipe::Hash;

/// A sender's public key, in the form that each of its algorithms takes.
pub(crate) struct Verifier {
    schemes: Vec<Scheme>,
    /// RSAPublicKey, for parameters that are a message's own.
    rsa: Option<Vec<u8>>,
}

/// One way to verify.
struct Scheme {
    algorithms: &'static [Algorithm],
    /// Bytes of a signature.
    length: usize,
    key: Key,
}

enum Key {
    AwsLc(ParsedPublicKey),
    /// ECDSA of a hash for which aws-lc-rs has no raw form.
    Der(ParsedPublicKey),
    Ed448(Box<ed448_goldilocks::VerifyingKey>),
}

impl Verifier {
    /// Which trial of this algorithm holds.
    pub(crate) fn verify(&self, algorithm: Algorithm, messages: &[&[u8]], signature: &[u8]) -> Option<usize> {
        let scheme = self.scheme(algorithm, signature)?;
        messages.iter().position(|message| scheme.key.holds(message, signature))
    }

    /// Which trial of RSASSA-PSS with these parameters holds.
    pub(crate) fn verify_pss(
        &self,
        algorithm: Algorithm,
        mgf: Hash,
        salt: usize,
        messages: &[&[u8]],
        signature: &[u8],
    ) -> Option<usize> {
        let (hash, parameters) = pss(algorithm)?;
        self.scheme(algorithm, signature)?;
        if hash != mgf {
            return None;
        }
        if salt == digest_of(hash).output_len() {
            return self.verify(algorithm, messages, signature);
        }
        let salt = RsaPssSaltLength::Custom(u16::try_from(salt).ok()?);
        let (key, parameters) = (self.rsa.as_ref()?, parameters.with_pss_salt_length(salt));
        messages.iter().position(|message| parameters.verify_sig(key, message, signature).is_ok())
    }

    fn scheme(&self, algorithm: Algorithm, signature: &[u8]) -> Option<&Scheme> {
        let scheme = self.schemes.iter().find(|scheme| scheme.algorithms.contains(&algorithm))?;
        (signature.len() == scheme.length).then_some(scheme)
    }

    fn of(schemes: Vec<Scheme>) -> Self {
        Self { schemes, rsa: None }
    }

    /// Only what the key is allowed: each hash takes a parsed key of its own.
    pub(crate) fn ec(point: &Point, algs: &[Algorithm]) -> Option<Self> {
        let sec1 = point.sec1();
        let allowed = ecdsa(point.curve).iter().filter(|way| algs.iter().any(|alg| way.algorithms.contains(alg)));
        let scheme = |way: &Ecdsa| {
            let key = ParsedPublicKey::new(way.parameters, &sec1).ok()?;
            let key = if way.raw { Key::AwsLc(key) } else { Key::Der(key) };
            Some(Scheme { algorithms: way.algorithms, length: 2 * point.curve.width(), key })
        };
        allowed.map(scheme).collect::<Option<_>>().map(Self::of)
    }

    /// None for a key that proves nothing.
    pub(crate) fn ed25519(x: &[u8; 32]) -> Option<Self> {
        let key = is_sound(x).then(|| ParsedPublicKey::new(&ED25519, x).ok())??;
        let scheme = Scheme { algorithms: &[Algorithm::Ed25519], length: 64, key: Key::AwsLc(key) };
        Some(Self::of(vec![scheme]))
    }

    /// None for a key that proves nothing.
    pub(crate) fn ed448(x: &[u8; 57]) -> Option<Self> {
        let key = ed448_goldilocks::VerifyingKey::from_bytes(x).ok().filter(|_| is_canonical(*x))?;
        let scheme = Scheme { algorithms: &[Algorithm::Ed448], length: 114, key: Key::Ed448(Box::new(key)) };
        Some(Self::of(vec![scheme]))
    }

    pub(crate) fn ml_dsa(set: Algorithm, key: &[u8]) -> Option<Self> {
        let (algorithms, length, key): (&[Algorithm], _, _) = match set {
            Algorithm::MlDsa44 => (&[Algorithm::MlDsa44], 2420, ParsedPublicKey::new(&ML_DSA_44, key)),
            Algorithm::MlDsa65 => (&[Algorithm::MlDsa65], 3309, ParsedPublicKey::new(&ML_DSA_65, key)),
            Algorithm::MlDsa87 => (&[Algorithm::MlDsa87], 4627, ParsedPublicKey::new(&ML_DSA_87, key)),
            _ => return None,
        };
        Some(Self::of(vec![Scheme { algorithms, length, key: Key::AwsLc(key.ok()?) }]))
    }

    /// Only what the key is allowed: each algorithm takes a parsed key of its own.
    pub(crate) fn rsa(key: &RsaPublic, algs: &[Algorithm]) -> Option<Self> {
        let components = PublicKeyComponents { n: &key.n, e: &key.e };
        let schemes = RSA.iter().filter(|(algorithms, _)| algs.iter().any(|algorithm| algorithms.contains(algorithm)));
        let scheme = |(algorithms, parameters): &(&'static [Algorithm], &'static RsaParameters)| {
            let parsed = components.to_parsed_public_key(parameters).ok()?;
            Some(Scheme { algorithms, length: key.n.len(), key: Key::AwsLc(parsed) })
        };
        let (modulus, public_exponent) = (UintRef::new(&key.n).ok()?, UintRef::new(&key.e).ok()?);
        let rsa = RsaPublicKey { modulus, public_exponent }.to_der().ok()?;
        Some(Self { schemes: schemes.map(scheme).collect::<Option<_>>()?, rsa: Some(rsa) })
    }
}

impl Key {
    fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::AwsLc(key) => key.verify_sig(message, signature).is_ok(),
            Self::Der(key) => key.verify_sig(message, &ecdsa_sig_value(signature)).is_ok(),
            // The crate overlooks the seven unused bits of R.
            Self::Ed448(key) => ed448_goldilocks::Signature::from_slice(signature).is_ok_and(|signature| {
                is_canonical(*signature.r_bytes()) && key.verify_raw(&signature, message).is_ok()
            }),
        }
    }
}

/// ECDSA-Sig-Value (RFC 3279 §2.2.3) of r‖s, each of at most 48 bytes here, so that every length is one byte.
fn ecdsa_sig_value(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let integers = [integer(r), integer(s)].concat();
    [&[0x30, integers.len() as u8], integers.as_slice()].concat()
}

/// INTEGER, not negative, as short as can be.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let value = significant(bytes);
    let sign: &[u8] = if value.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    [&[2, (sign.len() + value.len()) as u8], sign, value].concat()
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

fn pss(algorithm: Algorithm) -> Option<(Hash, RsaParameters)> {
    match algorithm {
        Algorithm::Ps256 => Some((Hash::Sha256, signature::RSA_PSS_2048_8192_SHA256)),
        Algorithm::Ps384 => Some((Hash::Sha384, signature::RSA_PSS_2048_8192_SHA384)),
        Algorithm::Ps512 => Some((Hash::Sha512, signature::RSA_PSS_2048_8192_SHA512)),
        _ => None,
    }
}

/// One hash on one curve.
struct Ecdsa {
    algorithms: &'static [Algorithm],
    parameters: &'static EcdsaVerificationAlgorithm,
    /// Whether the primitive takes r‖s.
    raw: bool,
}

/// The curve's own hash first; the others RFC 9053 §2.1 and RFC 5753 §7 allow.
const fn ecdsa(curve: Curve) -> &'static [Ecdsa] {
    const fn raw(algorithms: &'static [Algorithm], parameters: &'static EcdsaVerificationAlgorithm) -> Ecdsa {
        Ecdsa { algorithms, parameters, raw: true }
    }
    const fn der(algorithms: &'static [Algorithm], parameters: &'static EcdsaVerificationAlgorithm) -> Ecdsa {
        Ecdsa { algorithms, parameters, raw: false }
    }
    match curve {
        Curve::P256 => {
            &const {
                [
                    raw(&[Algorithm::Es256, Algorithm::Esp256], &ECDSA_P256_SHA256_FIXED),
                    der(&[Algorithm::Es384], &ECDSA_P256_SHA384_ASN1),
                    der(&[Algorithm::Es512], &ECDSA_P256_SHA512_ASN1),
                ]
            }
        }
        Curve::P384 => {
            &const {
                [
                    raw(&[Algorithm::Es384, Algorithm::Esp384], &ECDSA_P384_SHA384_FIXED),
                    der(&[Algorithm::Es256], &ECDSA_P384_SHA256_ASN1),
                    der(&[Algorithm::Es512], &ECDSA_P384_SHA512_ASN1),
                ]
            }
        }
        Curve::P521 => {
            &const {
                [
                    raw(&[Algorithm::Es512, Algorithm::Esp512], &ECDSA_P521_SHA512_FIXED),
                    raw(&[Algorithm::Es256], &ECDSA_P521_SHA256_FIXED),
                    raw(&[Algorithm::Es384], &ECDSA_P521_SHA384_FIXED),
                ]
            }
        }
        Curve::Secp256k1 => &const { [raw(&[Algorithm::Es256K], &ECDSA_P256K1_SHA256_FIXED)] },
    }
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
