//! JSON Web Signature (RFC 7515 §5.1, §7), with the unencoded payload of RFC 7797.

use alloc::string::String;
use alloc::vec::Vec;
use std::borrow::ToOwned;
use std::format;
use std::string::ToString;

use serde_json::{Value, json};

use super::algorithm::{Signature, Signing};
use super::header::Header;
use super::{Serialization, base64url};
use crate::error::SealError;
use crate::primitive::key::Key;
use crate::primitive::signature;

/// A JWS without its payload.
pub struct Jws {
    /// Who signs; several in the general serialization alone.
    pub signers: Vec<Signer>,
    /// How it is written down.
    pub serialization: Serialization,
    /// Whether the payload travels apart (RFC 7515 appendix F).
    pub detached: bool,
    /// Whether the payload is signed, and sent, as it is (RFC 7797): `b64` false, and critical.
    pub unencoded: bool,
}

/// Who signs, and what its headers say.
pub struct Signer {
    /// How.
    pub algorithm: Signature,
    /// A private key, or a shared one for HMAC.
    pub key: Key,
    /// Authenticated header parameters; alg and kid come by themselves.
    pub protected: Header,
    /// Header parameters that nothing authenticates; JSON alone.
    pub header: Header,
}

/// One signature, ready to be written down.
struct Signed<'a> {
    protected: String,
    header: &'a Header,
    signature: String,
}

impl Signer {
    /// Without further parameters.
    pub fn new(algorithm: Signature, key: Key) -> Self {
        Self { algorithm, key, protected: Header::new(), header: Header::new() }
    }

    /// Raw signature or tag.
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SealError> {
        match self.algorithm.signing() {
            Signing::Scheme(scheme) => signature::sign(scheme, self.algorithm.name(), &self.key, input),
            Signing::Hmac(hash) => {
                let secret = self.key.secret()?;
                if secret.len() < hash.output_len() {
                    return Err(SealError::AlgorithmNotAllowed(self.algorithm.name()));
                }
                Ok(hash.hmac(secret, input))
            }
        }
    }
}

impl Jws {
    /// Compact, one signer, the payload within.
    pub fn new(signer: Signer) -> Self {
        Self { signers: [signer].into(), serialization: Serialization::Compact, detached: false, unencoded: false }
    }

    /// Signs.
    pub fn seal(&self, payload: &[u8]) -> Result<String, SealError> {
        let text = self.payload(payload)?;
        let signed_payload = if self.unencoded { payload.to_vec() } else { base64url(payload).into_bytes() };
        let signed = self.signers.iter().map(|signer| self.sign(signer, &signed_payload));
        let signed: Vec<Signed<'_>> = signed.collect::<Result<_, _>>()?;
        match (self.serialization, signed.as_slice()) {
            (_, []) => Err(SealError::KeyMissing("a signer")),
            (Serialization::Compact, [only]) if only.header.is_empty() => {
                Ok(format!("{}.{}.{}", only.protected, text.unwrap_or_default(), only.signature))
            }
            (Serialization::Compact, _) => Err(SealError::AlgorithmNotAllowed("an unprotected header")),
            (Serialization::Flattened, [only]) => Ok(with_payload(only.json(), text)),
            (Serialization::Flattened, _) => Err(SealError::AlgorithmNotAllowed("more than one signer")),
            (Serialization::General, several) => {
                let signatures: Vec<Value> = several.iter().map(Signed::json).collect();
                Ok(with_payload(json!({ "signatures": signatures }), text))
            }
        }
    }

    /// The payload as it is written; none where it travels apart.
    fn payload(&self, payload: &[u8]) -> Result<Option<String>, SealError> {
        match (self.detached, self.unencoded) {
            (true, _) => Ok(None),
            (false, false) => Ok(Some(base64url(payload))),
            (false, true) => {
                let text = core::str::from_utf8(payload).map_err(|_| SealError::NotText)?;
                // RFC 7797 §5.2
                let fits = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'.';
                let fits = self.serialization != Serialization::Compact || text.bytes().all(fits);
                if fits { Ok(Some(text.to_owned())) } else { Err(SealError::NotText) }
            }
        }
    }

    /// RFC 7515 §5.1.
    fn sign<'a>(&self, signer: &'a Signer, payload: &[u8]) -> Result<Signed<'a>, SealError> {
        let mut protected = signer.protected.clone().with("alg", signer.algorithm.name());
        if !signer.header.has("kid") {
            protected = protected.naming(&signer.key)?;
        }
        if self.unencoded {
            protected = protected.with("b64", false).critical("b64");
        }
        let protected = protected.encoded();
        let signature = base64url(&signer.sign(&[protected.as_bytes(), b".", payload].concat())?);
        Ok(Signed { protected, header: &signer.header, signature })
    }
}

impl Signed<'_> {
    /// `{protected, ? header, signature}`
    fn json(&self) -> Value {
        let mut signature = json!({"protected": self.protected, "signature": self.signature});
        if !self.header.is_empty() {
            signature["header"] = self.header.json();
        }
        signature
    }
}

fn with_payload(mut message: Value, payload: Option<String>) -> String {
    if let Some(payload) = payload {
        message["payload"] = json!(payload);
    }
    message.to_string()
}
