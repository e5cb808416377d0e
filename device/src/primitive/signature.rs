//! What signs: AWS-LC, and p256 on P-256, which is deterministic and takes any hash.

use alloc::vec::Vec;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, PqdsaKeyPair, RsaKeyPair};
use p256::ecdsa::signature::hazmat::PrehashSigner;

use super::digest::Hash;
use super::key::{Curve, Key, Material, MlDsa, RsaPrivate};
use crate::error::SealError;

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Ecdsa(Curve, Hash),
    Ed25519,
    Ed448,
    /// Ed25519 or Ed448, as the key's curve says.
    EdDsa,
    MlDsa(MlDsa),
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(Hash),
    /// RSASSA-PSS, MGF1 with the same hash, a salt of its length.
    Pss(Hash),
}

/// The raw signature: r‖s for ECDSA, else the scheme's own form. `name` is the algorithm's, for an error. On P-256 it is
/// deterministic (RFC 6979), as on Ed25519; AWS-LC's ECDSA, RSASSA-PSS and ML-DSA draw on the system's randomness.
pub(crate) fn sign(scheme: Scheme, name: &'static str, key: &Key, message: &[u8]) -> Result<Vec<u8>, SealError> {
    let unfit = SealError::AlgorithmNotAllowed(name);
    match (&key.material, scheme) {
        (Material::Curve { curve: Curve::Ed25519, x, d: Some(d), .. }, Scheme::Ed25519 | Scheme::EdDsa) => {
            let pair = Ed25519KeyPair::from_seed_and_public_key(d, x).map_err(|_| SealError::BadKey("Ed25519"))?;
            Ok(pair.sign(message).as_ref().to_vec())
        }
        (Material::Curve { curve: Curve::Ed448, d: Some(d), .. }, Scheme::Ed448 | Scheme::EdDsa) => {
            let key = ed448_goldilocks::SigningKey::try_from(d.as_slice());
            Ok(key.map_err(|_| SealError::BadKey("Ed448"))?.sign_raw(message).to_bytes().to_vec())
        }
        (Material::Curve { curve: Curve::P256, d: Some(d), .. }, Scheme::Ecdsa(Curve::P256, hash)) => {
            p256(hash, d, message)
        }
        (Material::Curve { curve, x, y, d: Some(d) }, Scheme::Ecdsa(wanted, hash)) if *curve == wanted => {
            let algorithm = ecdsa(*curve, hash).ok_or(unfit)?;
            let public = [&[0x04], x.as_slice(), y].concat();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, d, &public)
                .map_err(|_| SealError::BadKey(curve.name()))?;
            let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| SealError::Encryption)?;
            Ok(signature.as_ref().to_vec())
        }
        (Material::MlDsa { algorithm, seed }, Scheme::MlDsa(wanted)) if *algorithm == wanted => {
            ml_dsa(wanted, seed, message)
        }
        (Material::RsaPrivate(pair), Scheme::Pkcs1(hash) | Scheme::Pss(hash)) => {
            rsa(rsa_padding(scheme, hash).ok_or(unfit)?, pair, message)
        }
        _ => Err(unfit),
    }
}

const fn ecdsa(curve: Curve, hash: Hash) -> Option<&'static EcdsaSigningAlgorithm> {
    match (curve, hash) {
        (Curve::P384, Hash::Sha384) => Some(&lc::ECDSA_P384_SHA384_FIXED_SIGNING),
        (Curve::P521, Hash::Sha256) => Some(&lc::ECDSA_P521_SHA256_FIXED_SIGNING),
        (Curve::P521, Hash::Sha384) => Some(&lc::ECDSA_P521_SHA384_FIXED_SIGNING),
        (Curve::P521, Hash::Sha512) => Some(&lc::ECDSA_P521_SHA512_FIXED_SIGNING),
        (Curve::Secp256k1, Hash::Sha256) => Some(&lc::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        _ => None,
    }
}

/// Under any hash of at least the curve's length, which cuts it.
fn p256(hash: Hash, d: &[u8], message: &[u8]) -> Result<Vec<u8>, SealError> {
    let key = p256::ecdsa::SigningKey::from_slice(d).map_err(|_| SealError::BadKey("P-256"))?;
    let signature: p256::ecdsa::Signature =
        key.sign_prehash(&hash.digest(message)).map_err(|_| SealError::Encryption)?;
    Ok(signature.to_bytes().to_vec())
}

const fn rsa_padding(scheme: Scheme, hash: Hash) -> Option<&'static dyn lc::RsaEncoding> {
    match (scheme, hash) {
        (Scheme::Pss(_), Hash::Sha256) => Some(&lc::RSA_PSS_SHA256),
        (Scheme::Pss(_), Hash::Sha384) => Some(&lc::RSA_PSS_SHA384),
        (Scheme::Pss(_), Hash::Sha512) => Some(&lc::RSA_PSS_SHA512),
        (Scheme::Pkcs1(_), Hash::Sha256) => Some(&lc::RSA_PKCS1_SHA256),
        (Scheme::Pkcs1(_), Hash::Sha384) => Some(&lc::RSA_PKCS1_SHA384),
        (Scheme::Pkcs1(_), Hash::Sha512) => Some(&lc::RSA_PKCS1_SHA512),
        _ => None,
    }
}

fn rsa(padding: &'static dyn lc::RsaEncoding, pair: &RsaPrivate, message: &[u8]) -> Result<Vec<u8>, SealError> {
    let RsaPrivate { n, e, d, p, q, dp, dq, qi } = pair;
    let components =
        KeyPairComponents::<&[u8]> { public_key: PublicKeyComponents { n, e }, d, p, q, dP: dp, dQ: dq, qInv: qi };
    let pair = RsaKeyPair::from_components(&components).map_err(|_| SealError::BadKey("RSA"))?;
    let mut signature = alloc::vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(|_| SealError::Encryption)?;
    Ok(signature)
}

fn ml_dsa(algorithm: MlDsa, seed: &[u8], message: &[u8]) -> Result<Vec<u8>, SealError> {
    let signing = match algorithm {
        MlDsa::MlDsa44 => &lc::ML_DSA_44_SIGNING,
        MlDsa::MlDsa65 => &lc::ML_DSA_65_SIGNING,
        MlDsa::MlDsa87 => &lc::ML_DSA_87_SIGNING,
    };
    let pair = PqdsaKeyPair::from_seed(signing, seed).map_err(|_| SealError::BadKey("ML-DSA"))?;
    let mut signature = alloc::vec![0; signing.signature_len()];
    let len = pair.sign(message, &mut signature).map_err(|_| SealError::Encryption)?;
    signature.truncate(len);
    Ok(signature)
}
