//! Signatures: Sig_structure and Countersign_structure, and what signs them (AWS-LC).

use alloc::vec::Vec;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, PqdsaKeyPair, RsaKeyPair};
use coset::cbor::value::Value;
use coset::{CoseSignature, ProtectedHeader, SignatureContext, sig_structure_data};

use super::algorithm::Signature;
use super::headers::{Buckets, encode, label};
use super::key::{Curve, Key, Material, RsaPrivate};
use crate::error::SealError;

/// Who signs, and what its layer says.
pub struct Signer {
    /// How.
    pub algorithm: Signature,
    /// With which private key.
    pub key: Key,
    /// Header parameters of the signer's layer; algorithm and kid come by themselves.
    pub headers: Buckets,
}

/// What a countersignature covers of its target (RFC 9338 §3.3).
pub(crate) struct Target<'a> {
    pub(crate) protected: &'a ProtectedHeader,
    pub(crate) external_aad: &'a [u8],
    /// Payload or ciphertext.
    pub(crate) third: &'a [u8],
    /// The byte strings after it: signature or tag.
    pub(crate) others: Vec<&'a [u8]>,
}

impl Signer {
    /// Without further header parameters.
    pub fn new(algorithm: Signature, key: Key) -> Self {
        Self { algorithm, key, headers: Buckets::default() }
    }

    /// One COSE_Signature of a COSE_Sign (RFC 9052 §4.1).
    pub(crate) fn sign_layer(
        &self,
        body: &ProtectedHeader,
        external_aad: &[u8],
        payload: &[u8],
    ) -> Result<CoseSignature, SealError> {
        let (protected, unprotected) = self.buckets()?;
        let context = SignatureContext::CoseSignature;
        let signed = sig_structure_data(context, body.clone(), Some(protected.clone()), external_aad, payload);
        Ok(CoseSignature { protected, unprotected, signature: self.sign(&signed)? })
    }

    /// A COSE_Countersignature, the value of label 11.
    pub(crate) fn countersign(&self, target: &Target<'_>) -> Result<Value, SealError> {
        let (protected, unprotected) = self.buckets()?;
        let signature = self.sign(&encode(&countersign_structure(target, Some(&protected)))?)?;
        coset::AsCborValue::to_cbor_value(CoseSignature { protected, unprotected, signature })
            .map_err(|_| SealError::BadHeader(label::COUNTERSIGNATURE))
    }

    /// The abbreviated form, the value of label 12: the signature alone.
    pub(crate) fn countersign0(&self, target: &Target<'_>) -> Result<Value, SealError> {
        Ok(Value::Bytes(self.sign(&encode(&countersign_structure(target, None))?)?))
    }

    /// Raw signature: r‖s for ECDSA, else the algorithm's own form.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        let bad = SealError::AlgorithmNotAllowed(self.algorithm.name());
        match (&self.key.material, self.algorithm) {
            (Material::Curve { curve, x, d: Some(d), .. }, Signature::EdDsa | Signature::Ed25519)
                if *curve == Curve::Ed25519 =>
            {
                let pair = Ed25519KeyPair::from_seed_and_public_key(d, x).map_err(|_| SealError::BadKey("Ed25519"))?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
            (Material::Curve { curve: Curve::Ed448, d: Some(d), .. }, Signature::EdDsa | Signature::Ed448) => {
                let key = ed448_goldilocks::SigningKey::try_from(d.as_slice());
                Ok(key.map_err(|_| SealError::BadKey("Ed448"))?.sign_raw(message).to_bytes().to_vec())
            }
            (Material::Curve { curve, x, y, d: Some(d) }, algorithm) => {
                let algorithm = ecdsa(algorithm, *curve).ok_or(bad)?;
                let public = [&[0x04], x.as_slice(), y].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, d, &public)
                    .map_err(|_| SealError::BadKey(curve.name()))?;
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| SealError::Encryption)?;
                Ok(signature.as_ref().to_vec())
            }
            (Material::MlDsa { algorithm, seed }, wanted) if *algorithm == wanted => ml_dsa(wanted, seed, message),
            (Material::RsaPrivate(pair), algorithm) => rsa(rsa_padding(algorithm).ok_or(bad)?, pair, message),
            _ => Err(bad),
        }
    }

    fn buckets(&self) -> Result<(ProtectedHeader, coset::Header), SealError> {
        let headers = self.headers.clone().for_algorithm(self.algorithm.id(), true).naming(self.key.kid());
        Ok((headers.protected.protected()?, headers.unprotected.unprotected()))
    }
}

/// `[context, body_protected, ? sign_protected, external_aad, payload, ? other_fields]` (RFC 9338 §3.3)
fn countersign_structure(target: &Target<'_>, sign_protected: Option<&ProtectedHeader>) -> Value {
    let context = match (sign_protected, target.others.is_empty()) {
        (Some(_), true) => "CounterSignature",
        (Some(_), false) => "CounterSignatureV2",
        (None, true) => "CounterSignature0",
        (None, false) => "CounterSignature0V2",
    };
    let mut fields = alloc::vec![Value::from(context), verbatim(target.protected)];
    fields.extend(sign_protected.map(verbatim));
    fields.extend([target.external_aad.into(), target.third.into()]);
    if !target.others.is_empty() {
        fields.push(Value::Array(target.others.iter().map(|&bytes| bytes.into()).collect()));
    }
    Value::Array(fields)
}

fn verbatim(protected: &ProtectedHeader) -> Value {
    Value::Bytes(protected.original_data.clone().unwrap_or_default())
}

/// RFC 9053 §2.1 lets any hash meet any curve; each curve with its own hash is what RFC 9864 has left of it.
const fn ecdsa(algorithm: Signature, curve: Curve) -> Option<&'static EcdsaSigningAlgorithm> {
    match (algorithm, curve) {
        (Signature::Es256 | Signature::Esp256, Curve::P256) => Some(&lc::ECDSA_P256_SHA256_FIXED_SIGNING),
        (Signature::Es384 | Signature::Esp384, Curve::P384) => Some(&lc::ECDSA_P384_SHA384_FIXED_SIGNING),
        (Signature::Es512 | Signature::Esp512, Curve::P521) => Some(&lc::ECDSA_P521_SHA512_FIXED_SIGNING),
        (Signature::Es256k, Curve::Secp256k1) => Some(&lc::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        _ => None,
    }
}

fn rsa_padding(algorithm: Signature) -> Option<&'static dyn lc::RsaEncoding> {
    match algorithm {
        Signature::Ps256 => Some(&lc::RSA_PSS_SHA256),
        Signature::Ps384 => Some(&lc::RSA_PSS_SHA384),
        Signature::Ps512 => Some(&lc::RSA_PSS_SHA512),
        Signature::Rs256 => Some(&lc::RSA_PKCS1_SHA256),
        Signature::Rs384 => Some(&lc::RSA_PKCS1_SHA384),
        Signature::Rs512 => Some(&lc::RSA_PKCS1_SHA512),
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

fn ml_dsa(algorithm: Signature, seed: &[u8], message: &[u8]) -> Result<Vec<u8>, SealError> {
    let signing = match algorithm {
        Signature::MlDsa44 => &lc::ML_DSA_44_SIGNING,
        Signature::MlDsa65 => &lc::ML_DSA_65_SIGNING,
        Signature::MlDsa87 => &lc::ML_DSA_87_SIGNING,
        _ => return Err(SealError::AlgorithmNotAllowed(algorithm.name())),
    };
    let pair = PqdsaKeyPair::from_seed(signing, seed).map_err(|_| SealError::BadKey("ML-DSA"))?;
    let mut signature = alloc::vec![0; signing.signature_len()];
    let len = pair.sign(message, &mut signature).map_err(|_| SealError::Encryption)?;
    signature.truncate(len);
    Ok(signature)
}
