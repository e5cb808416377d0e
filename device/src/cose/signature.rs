//! Signatures: Sig_structure and Countersign_structure.

use alloc::vec::Vec;

use coset::cbor::value::Value;
use coset::{CoseSignature, ProtectedHeader, SignatureContext, sig_structure_data};

use super::algorithm::Signature;
use super::headers::{Buckets, encode, label};
use crate::error::SealError;
use crate::primitive::key::Key;
use crate::primitive::signature;

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
        signature::sign(self.algorithm.scheme(), self.algorithm.name(), &self.key, message)
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
