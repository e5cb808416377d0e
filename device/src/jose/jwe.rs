//! JSON Web Encryption (RFC 7516 §5.1, §7).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::format;
use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rand_core::TryCryptoRng;
use serde_json::{Value, json};

use super::algorithm::{Encryption, Management};
use super::encryption::encrypt;
use super::header::Header;
use super::management::{Delivered, deliver};
use super::{Serialization, base64url};
use crate::error::SealError;
use crate::primitive::key::Key;
use crate::primitive::random;

/// A JWE without its content.
pub struct Jwe {
    /// How the content is encrypted.
    pub encryption: Encryption,
    /// Who shall open it; several in the general serialization alone.
    pub recipients: Vec<Recipient>,
    /// How it is written down.
    pub serialization: Serialization,
    /// Authenticated header parameters; the algorithms come by themselves.
    pub protected: Header,
    /// Header parameters that nothing authenticates; JSON alone.
    pub unprotected: Header,
    /// Bytes beside it that are authenticated; JSON alone.
    pub aad: Option<Vec<u8>>,
    /// Whether kid and the parameters of a single recipient stand in its own header, which nothing authenticates.
    pub own_headers: bool,
    /// Whether the content is compressed first; off by default at the gateway.
    pub compressed: bool,
}

/// Somebody who shall open it.
pub struct Recipient {
    /// How.
    pub management: Management,
    /// A content key, a key-encryption key, a public key, or a password's bytes.
    pub key: Key,
    /// Further header parameters of its own; in the compact serialization they are protected.
    pub header: Header,
    /// Who sends, for a key agreement.
    pub apu: Option<Vec<u8>>,
    /// Who receives, for a key agreement.
    pub apv: Option<Vec<u8>>,
    /// Of PBKDF2, for a password.
    pub iterations: u32,
}

/// Headers by place.
struct Headers {
    protected: Header,
    own: Vec<Header>,
}

/// The encrypted parts.
struct Parts {
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl Recipient {
    /// Without further parameters.
    pub fn new(management: Management, key: Key) -> Self {
        Self { management, key, header: Header::new(), apu: None, apv: None, iterations: 1000 }
    }
}

impl Jwe {
    /// Compact, with no further header.
    pub fn new(encryption: Encryption, recipients: Vec<Recipient>) -> Self {
        Self {
            encryption,
            recipients,
            serialization: Serialization::Compact,
            protected: Header::new(),
            unprotected: Header::new(),
            aad: None,
            own_headers: false,
            compressed: false,
        }
    }

    /// Seals. `rng` gives what each key management needs, a content key before it, and the IV last.
    pub fn seal<R: TryCryptoRng + ?Sized>(&self, content: &[u8], rng: &mut R) -> Result<String, SealError> {
        self.check()?;
        let (key, delivered) = deliver(&self.recipients, self.encryption, rng)?;
        let headers = self.headers(&delivered)?;
        let iv = random(self.encryption.iv_len(), rng)?.to_vec();
        let content = if self.compressed { deflate(content)? } else { content.to_vec() };
        let protected = headers.protected.encoded();
        let authenticated = match &self.aad {
            Some(aad) => format!("{protected}.{}", base64url(aad)),
            None => protected.clone(),
        };
        let (ciphertext, tag) = encrypt(self.encryption, &key, &iv, authenticated.as_bytes(), &content)?;
        let parts = Parts { iv, ciphertext, tag };
        Ok(match self.serialization {
            Serialization::Compact => parts.compact(&protected, &delivered[0].encrypted_key),
            Serialization::Flattened | Serialization::General => self.json(&protected, &headers, &delivered, &parts),
        })
    }

    fn check(&self) -> Result<(), SealError> {
        let in_json = self.aad.is_some() || self.own_headers || !self.unprotected.is_empty();
        match self.serialization {
            Serialization::Compact if in_json => Err(SealError::AlgorithmNotAllowed("an unprotected header or aad")),
            Serialization::Compact | Serialization::Flattened if self.recipients.len() > 1 => {
                Err(SealError::AlgorithmNotAllowed("more than one recipient"))
            }
            _ => Ok(()),
        }
    }

    /// `alg` is protected where all recipients have the same; parameters of several are each one's own.
    fn headers(&self, delivered: &[Delivered]) -> Result<Headers, SealError> {
        let mut protected = self.protected.clone().with("enc", self.encryption.name());
        if self.compressed {
            protected = protected.with("zip", "DEF");
        }
        let first = self.recipients[0].management;
        let alike = self.recipients.iter().all(|recipient| recipient.management == first);
        if alike {
            protected = protected.with("alg", first.value());
        }
        let own = self.recipients.iter().zip(delivered).map(|(recipient, delivered)| {
            let header = recipient.parameters(delivered)?;
            Ok(if alike { header } else { header.with("alg", recipient.management.value()) })
        });
        let mut own: Vec<Header> = own.collect::<Result<_, SealError>>()?;
        if let [only] = own.as_mut_slice()
            && !self.own_headers
        {
            protected = protected.and(core::mem::take(only));
        }
        Ok(Headers { protected, own })
    }

    /// RFC 7516 §7.2.
    fn json(&self, protected: &str, headers: &Headers, delivered: &[Delivered], parts: &Parts) -> String {
        let mut message = json!({
            "protected": protected,
            "iv": base64url(&parts.iv),
            "ciphertext": base64url(&parts.ciphertext),
            "tag": base64url(&parts.tag),
        });
        if !self.unprotected.is_empty() {
            message["unprotected"] = self.unprotected.json();
        }
        if let Some(aad) = &self.aad {
            message["aad"] = json!(base64url(aad));
        }
        let recipients: Vec<Value> = headers.own.iter().zip(delivered).map(|(own, to)| to.json(own)).collect();
        if self.serialization == Serialization::General {
            message["recipients"] = Value::Array(recipients);
        } else if let (Value::Object(message), Some(Value::Object(only))) =
            (&mut message, recipients.into_iter().next())
        {
            message.extend(only);
        }
        message.to_string()
    }
}

impl Delivered {
    /// `{? header, ? encrypted_key}`
    fn json(&self, own: &Header) -> Value {
        let mut recipient = json!({});
        if !own.is_empty() {
            recipient["header"] = own.json();
        }
        if !self.encrypted_key.is_empty() {
            recipient["encrypted_key"] = json!(base64url(&self.encrypted_key));
        }
        recipient
    }
}

impl Parts {
    /// RFC 7516 §7.1.
    fn compact(&self, protected: &str, encrypted_key: &[u8]) -> String {
        let [key, iv, ciphertext, tag] = [encrypted_key, &self.iv, &self.ciphertext, &self.tag].map(base64url);
        format!("{protected}.{key}.{iv}.{ciphertext}.{tag}")
    }
}

/// Raw DEFLATE (RFC 1951), one whole stream.
fn deflate(content: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut to = DeflateEncoder::new(Vec::new(), Compression::default());
    to.write_all(content).and_then(|()| to.finish()).map_err(|_| SealError::Encryption)
}
