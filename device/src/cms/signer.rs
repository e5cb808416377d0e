//! Signers (RFC 5652 §5.3, §5.4).

use alloc::vec::Vec;

use super::Content;
use super::algorithm::{Signature, digest};
use super::attribute::{Attribute, covered};
use super::der::{CONTEXT_CONSTRUCTED, INTEGER, algorithm, null, number, octets, retagged, sequence, unsigned};
use super::oid::RSA_ENCRYPTION;
use super::recipient::Identifier;
use crate::error::SealError;
use crate::primitive::key::Key;
use crate::primitive::signature::{self, Scheme};

/// Who signs, and what is signed beside the content.
pub struct Signer {
    /// Whose key.
    pub identifier: Identifier,
    /// The private key.
    pub key: Key,
    /// How.
    pub algorithm: Signature,
    /// Signed attributes; content-type, message-digest and, where asked for, CMSAlgorithmProtection come by themselves.
    pub attributes: Vec<Attribute>,
    /// Whether CMSAlgorithmProtection (RFC 6211) is among them.
    pub algorithm_protection: bool,
    /// Whether the content alone is signed, without attributes; off by default at the gateway.
    pub bare: bool,
    /// Whether RSASSA-PKCS1-v1_5 goes by rsaEncryption, with the digest's own hash, as OpenSSL has it.
    pub rsa_encryption: bool,
}

impl Signer {
    /// With content-type and message-digest alone.
    pub fn new(identifier: Identifier, key: Key, algorithm: Signature) -> Self {
        Self {
            identifier,
            key,
            algorithm,
            attributes: Vec::new(),
            algorithm_protection: false,
            bare: false,
            rsa_encryption: false,
        }
    }

    pub(crate) const fn has_version_3(&self) -> bool {
        self.identifier.is_key_identifier()
    }

    pub(crate) fn digest_identifier(&self) -> Vec<u8> {
        digest(self.algorithm.hash())
    }

    /// `SEQUENCE { version, sid, digestAlgorithm, [0] signedAttrs?, signatureAlgorithm, signature }`
    pub(crate) fn info(&self, content: &Content) -> Result<Vec<u8>, SealError> {
        let version = if self.has_version_3() { 3 } else { 1 };
        let attributes = if self.bare { None } else { Some(covered(&self.signed_attributes(content))) };
        let signature = self.sign(attributes.as_deref().unwrap_or(&content.octets))?;
        let attributes = attributes.map(|set| retagged(CONTEXT_CONSTRUCTED, set)).unwrap_or_default();
        Ok(sequence(&[
            &number(version),
            &self.identifier.der(),
            &self.digest_identifier(),
            &attributes,
            &self.signature_identifier(),
            &octets(&signature),
        ]))
    }

    fn signed_attributes(&self, content: &Content) -> Vec<Attribute> {
        let mut attributes = self.attributes.clone();
        attributes.push(Attribute::content_type(&content.content_type));
        attributes.push(Attribute::message_digest(&self.algorithm.hash().digest(&content.octets)));
        if self.algorithm_protection {
            let signature = self.signature_identifier();
            attributes.push(Attribute::algorithm_protection(&self.digest_identifier(), 1, signature));
        }
        attributes
    }

    fn signature_identifier(&self) -> Vec<u8> {
        match self.algorithm {
            Signature::Rs256 | Signature::Rs384 | Signature::Rs512 if self.rsa_encryption => {
                algorithm(RSA_ENCRYPTION, &null())
            }
            other => other.identifier(),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        let scheme = self.algorithm.scheme(&self.key)?;
        let signature = signature::sign(scheme, self.algorithm.name(), &self.key, message)?;
        Ok(match scheme {
            Scheme::Ecdsa(..) => ecdsa_value(&signature),
            _ => signature,
        })
    }
}

/// `ECDSA-Sig-Value`: SEQUENCE { r, s } of r‖s (RFC 5753 §7.2).
fn ecdsa_value(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    sequence(&[&unsigned(INTEGER, r), &unsigned(INTEGER, s)])
}
