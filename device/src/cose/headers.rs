//! Header parameters of any layer: two buckets of labels and values, written with labels in the order given.
//!
//! The builder has the parameters of RFC 9052 §3.1, 9360, 9596 and 9597 by name and takes any other as encoded CBOR. It
//! does not stop a caller from an odd combination: tests want those too.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use coset::cbor::value::Value;
use coset::{Header, Label, ProtectedHeader};

use crate::error::SealError;

/// Header map of one bucket.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(Label, Value)>);

/// Both buckets of a layer.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    /// Authenticated, where the layer's algorithm authenticates headers.
    pub protected: Headers,
    /// Not authenticated.
    pub unprotected: Headers,
}

/// The content type (3) or typ (16).
#[derive(Clone, Debug)]
pub enum ContentType {
    /// CoAP Content-Format.
    Number(u16),
    /// Media type.
    Text(alloc::string::String),
}

/// Labels of the registry.
pub mod label {
    /// Algorithm.
    pub const ALG: i64 = 1;
    /// Labels that a receiver must understand.
    pub const CRIT: i64 = 2;
    /// Content type.
    pub const CONTENT_TYPE: i64 = 3;
    /// Key identifier.
    pub const KID: i64 = 4;
    /// Nonce in full.
    pub const IV: i64 = 5;
    /// The part of the nonce that changes.
    pub const PARTIAL_IV: i64 = 6;
    /// Context of the kid.
    pub const KID_CONTEXT: i64 = 10;
    /// Countersignature, version 2 (RFC 9338).
    pub const COUNTERSIGNATURE: i64 = 11;
    /// Abbreviated countersignature, version 2 (RFC 9338).
    pub const COUNTERSIGNATURE0: i64 = 12;
    /// CWT claims (RFC 9597).
    pub const CLAIMS: i64 = 15;
    /// Type of the whole (RFC 9596).
    pub const TYP: i64 = 16;
    /// Certificates in no order.
    pub const X5BAG: i64 = 32;
    /// Certificates, end entity first.
    pub const X5CHAIN: i64 = 33;
    /// Hash of the end-entity certificate.
    pub const X5T: i64 = 34;
    /// The sender's ephemeral key.
    pub const EPHEMERAL_KEY: i64 = -1;
    /// The sender's static key.
    pub const STATIC_KEY: i64 = -2;
    /// Name of the sender's static key.
    pub const STATIC_KEY_ID: i64 = -3;
    /// The key that HPKE encapsulated.
    pub const ENCAPSULATED_KEY: i64 = -4;
    /// Salt of the key derivation.
    pub const SALT: i64 = -20;
    /// PartyU's identity; nonce and other follow below it, then PartyV's three.
    pub const PARTY_U_IDENTITY: i64 = -21;
    /// PartyV's identity.
    pub const PARTY_V_IDENTITY: i64 = -24;
}

impl Headers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a byte string.
    #[must_use]
    pub fn bytes(self, label: i64, value: &[u8]) -> Self {
        self.with(label, Value::Bytes(value.to_vec()))
    }

    /// With an integer.
    #[must_use]
    pub fn integer(self, label: i64, value: i64) -> Self {
        self.with(label, value.into())
    }

    /// With a text.
    #[must_use]
    pub fn text(self, label: i64, value: &str) -> Self {
        self.with(label, value.into())
    }

    /// With any value, as encoded CBOR.
    pub fn encoded(self, label: i64, value: &[u8]) -> Result<Self, SealError> {
        let value = coset::cbor::de::from_reader(value).map_err(|_| SealError::BadHeader(label))?;
        Ok(self.with(label, value))
    }

    /// With any value under a text label, as encoded CBOR.
    pub fn named(mut self, label: &str, value: &[u8]) -> Result<Self, SealError> {
        let value = coset::cbor::de::from_reader(value).map_err(|_| SealError::BadHeader(0))?;
        self.0.push((Label::Text(label.to_owned()), value));
        Ok(self)
    }

    /// With the labels that a receiver must understand (2).
    #[must_use]
    pub fn crit(self, labels: &[i64]) -> Self {
        self.with(label::CRIT, Value::Array(labels.iter().map(|&label| label.into()).collect()))
    }

    /// With the content type (3).
    #[must_use]
    pub fn content_type(self, value: &ContentType) -> Self {
        self.with(label::CONTENT_TYPE, value.into())
    }

    /// With typ (16).
    #[must_use]
    pub fn typ(self, value: &ContentType) -> Self {
        self.with(label::TYP, value.into())
    }

    /// With certificates as DER, end entity first (33): one alone is a byte string, several an array (RFC 9360 §2).
    #[must_use]
    pub fn x5chain(self, certificates: &[Vec<u8>]) -> Self {
        let value = match certificates {
            [only] => Value::Bytes(only.clone()),
            several => Value::Array(several.iter().cloned().map(Value::Bytes).collect()),
        };
        self.with(label::X5CHAIN, value)
    }

    /// With the SHA-256 thumbprint of a certificate (34).
    #[must_use]
    pub fn x5t(self, certificate: &[u8]) -> Self {
        use sha2::Digest;
        let hash = sha2::Sha256::digest(certificate).to_vec();
        self.with(label::X5T, Value::Array([Value::from(-16), Value::Bytes(hash)].into()))
    }

    /// Whether a label is there.
    pub fn has(&self, label: i64) -> bool {
        self.0.iter().any(|(known, _)| *known == Label::Int(label))
    }

    /// With a value, at the end.
    pub(crate) fn with(mut self, label: i64, value: Value) -> Self {
        self.0.push((Label::Int(label), value));
        self
    }

    /// With a value, at the beginning, where the label is not there yet.
    pub(crate) fn led_by(mut self, label: i64, value: Value) -> Self {
        if !self.has(label) {
            self.0.insert(0, (Label::Int(label), value));
        }
        self
    }

    /// As protected bytes; an empty bucket is the zero-length byte string (RFC 9052 §3).
    pub(crate) fn protected(self) -> Result<ProtectedHeader, SealError> {
        let encoded = if self.0.is_empty() { Vec::new() } else { encode(&self.into_map())? };
        Ok(ProtectedHeader { original_data: Some(encoded), header: Header::default() })
    }

    /// As coset's unprotected header.
    pub(crate) fn unprotected(self) -> Header {
        Header { rest: self.0, ..Header::default() }
    }

    fn into_map(self) -> Value {
        let key = |label| match label {
            Label::Int(number) => Value::from(number),
            Label::Text(text) => Value::from(text),
        };
        Value::Map(self.0.into_iter().map(|(label, value)| (key(label), value)).collect())
    }
}

impl Buckets {
    /// Whether a label is in either.
    pub(crate) fn has(&self, label: i64) -> bool {
        self.protected.has(label) || self.unprotected.has(label)
    }

    /// With the key's name in the unprotected bucket, where the key has one and the caller has put none.
    pub(crate) fn naming(mut self, kid: Option<&[u8]>) -> Self {
        if let Some(kid) = kid
            && !self.has(label::KID)
        {
            self.unprotected = self.unprotected.bytes(label::KID, kid);
        }
        self
    }

    /// With the algorithm at the head of the protected bucket, or of the other one where the layer protects no headers.
    pub(crate) fn for_algorithm(mut self, id: i32, protects: bool) -> Self {
        if self.has(label::ALG) {
            return self;
        }
        let bucket = if protects { &mut self.protected } else { &mut self.unprotected };
        *bucket = core::mem::take(bucket).led_by(label::ALG, id.into());
        self
    }
}

impl From<&ContentType> for Value {
    fn from(value: &ContentType) -> Self {
        match value {
            ContentType::Number(number) => Self::from(*number),
            ContentType::Text(text) => Self::from(text.as_str()),
        }
    }
}

/// A value as CBOR.
pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, SealError> {
    let mut bytes = Vec::new();
    coset::cbor::ser::into_writer(value, &mut bytes).map_err(|_| SealError::BadHeader(0))?;
    Ok(bytes)
}
