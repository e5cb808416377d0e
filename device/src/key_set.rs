//! Key sets as JSON: the JWK Set (RFC 7517) that a gateway imports, and the one that a device keeps, with the members
//! under `"paperknife"`. Secrets in them are wiped when dropped and shown in no error: a fault is named by its place.

use std::borrow::ToOwned;
use std::format;
use std::string::String;
use std::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::binding::PROFILE;
use crate::error::SealError;
use crate::format::Format;
use crate::key::{Gateway, Kid, PublicKey, SigningKey, SymmetricKey};
use crate::provision::Blueprint;
use crate::seal::Sealer;

/// A JWK Set.
#[derive(Default, Deserialize, Serialize)]
pub struct KeySet {
    /// Its keys.
    pub keys: Vec<Jwk>,
}

/// One key. Which members it has depends on `kty`: `EC`, `OKP`, `oct`, `RSA` or `AKP`.
#[derive(Default, Deserialize, Serialize)]
pub struct Jwk {
    pub(crate) kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) y: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) d: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) k: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) e: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) q: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dp: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dq: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) qi: Option<Base64>,
    /// The seed of ML-DSA.
    #[serde(rename = "priv", skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paperknife: Option<Policy>,
}

/// The members under `"paperknife"` that both sides need.
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct Policy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paths: Option<Vec<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shapes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) formats: Option<Vec<String>>,
    /// Absent: derived, as the profile does; null: the key is used as it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(crate) kdf: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_iv: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) party_u: Option<Party>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) party_v: Option<Party>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pub_other: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priv_other: Option<Base64>,
}

/// One party of a key derivation.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Party {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other: Option<Base64>,
}

/// Bytes as base64url without padding; secret or not, wiped when dropped.
#[derive(Clone)]
pub(crate) struct Base64(pub(crate) Zeroizing<Vec<u8>>);

/// Why a key set was not read. Says where, never what.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// The device that was asked for is not in it, or it has several and none was named.
    #[error("{0}")]
    Device(String),
    /// Not a JWK Set.
    #[error("not a JWK Set: {what} at line {line}, column {column}")]
    Json {
        /// Kind of fault.
        what: &'static str,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A key of the set is not what its members say.
    #[error("key {number} of the set: {fault}")]
    Key {
        /// From 1.
        number: usize,
        /// What is wrong with it.
        fault: SealError,
    },
}

impl KeySet {
    /// Reads a JWK Set.
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        serde_json::from_slice(json).map_err(|error| KeySetError::Json {
            what: what(error.classify()),
            line: error.line(),
            column: error.column(),
        })
    }

    /// Writes it, indented.
    #[expect(clippy::expect_used, reason = "strings, lists and maps with string keys always serialize")]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut json = Zeroizing::new(Vec::with_capacity(1024 * (self.keys.len() + 1)));
        serde_json::to_writer_pretty(&mut *json, self).expect("strings, lists and maps with string keys serialize");
        json.push(b'\n');
        json
    }

    /// The gateway's public key: the first P-256 key without a device, if there is one.
    pub fn gateway(&self) -> Result<Option<Gateway>, KeySetError> {
        let found = self.keys.iter().enumerate().find(|(_, key)| key.device().is_none() && key.is("EC", Some("P-256")));
        found.map(|(at, key)| key.gateway().map_err(|fault| KeySetError::Key { number: at + 1, fault })).transpose()
    }

    /// The sealer of a device: its symmetric key, its private signing key, and the gateway's public key, as far as the set
    /// has them. `device` may be left out where the set holds one device only. Path and audience are the first named.
    pub fn sealer(&self, device: Option<&str>) -> Result<Sealer, KeySetError> {
        let device = self.choose(device)?;
        let mut sealer = Sealer {
            device: device.to_owned(),
            audience: String::new(),
            path: None,
            kid_context: None,
            symmetric: None,
            signing: None,
            gateway: self.gateway()?,
        };
        let mine = self.keys.iter().enumerate().filter(|(_, key)| key.device() == Some(device));
        for (at, key) in mine {
            key.add_to(&mut sealer).map_err(|fault| KeySetError::Key { number: at + 1, fault })?;
        }
        Ok(sealer)
    }

    /// The named device, or the only one.
    fn choose<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, KeySetError> {
        let mut devices: Vec<&str> = self.keys.iter().filter_map(Jwk::device).collect();
        devices.sort_unstable();
        devices.dedup();
        match (named, devices.as_slice()) {
            (Some(named), _) if devices.contains(&named) => Ok(named),
            (Some(named), _) => Err(KeySetError::Device(format!("no key of device {named}"))),
            (None, [only]) => Ok(only),
            (None, []) => Err(KeySetError::Device("no key names a device".to_owned())),
            (None, several) => Err(KeySetError::Device(format!("keys of {} devices: name one", several.len()))),
        }
    }
}

impl Jwk {
    fn device(&self) -> Option<&str> {
        self.paperknife.as_ref()?.device.as_deref()
    }

    fn is(&self, kty: &str, crv: Option<&str>) -> bool {
        self.kty == kty && self.crv.as_deref() == crv
    }

    /// `kid_hex`, else the UTF-8 bytes of `kid`.
    fn kid(&self) -> Result<Kid, SealError> {
        match (self.paperknife.as_ref().and_then(|policy| policy.kid_hex.as_deref()), &self.kid) {
            (Some(hex), _) => Kid::new(&hex::decode(hex).map_err(|_| SealError::BadKey("kid_hex: not a named"))?),
            (None, Some(kid)) => Kid::new(kid.as_bytes()),
            (None, None) => Err(SealError::BadKey("named")),
        }
    }

    fn gateway(&self) -> Result<Gateway, SealError> {
        let coordinate = |bytes: &Option<Base64>| bytes.clone().map(|bytes| bytes.0).unwrap_or_default();
        Gateway::new(self.kid()?, &coordinate(&self.x), &coordinate(&self.y))
    }

    /// Gives a sealer what this key has for it: a public signing key nothing.
    fn add_to(&self, sealer: &mut Sealer) -> Result<(), SealError> {
        let policy = self.paperknife.clone().unwrap_or_default();
        if let Some(endpoint) = policy.endpoint {
            sealer.device = endpoint;
        }
        if let Some(audience) = policy.audience.and_then(|list| list.into_iter().next()) {
            sealer.audience = audience;
        }
        if let Some(path) = policy.paths.and_then(|list| list.into_iter().next()) {
            sealer.path = path;
        }
        match (self.kty.as_str(), self.crv.as_deref(), &self.k, &self.d) {
            ("oct", _, Some(secret), _) => sealer.symmetric = Some(self.symmetric(&secret.0)?),
            ("EC", Some("P-256"), _, Some(scalar)) => sealer.signing = Some(SigningKey::p256(self.kid()?, &scalar.0)?),
            ("OKP", Some("Ed25519"), _, Some(seed)) => {
                sealer.signing = Some(SigningKey::ed25519(self.kid()?, &seed.0)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn symmetric(&self, secret: &[u8]) -> Result<SymmetricKey, SealError> {
        let policy = self.paperknife.clone().unwrap_or_default();
        match (policy.kdf, policy.base_iv) {
            (Some(None), Some(base_iv)) => SymmetricKey::plain(self.kid()?, secret, &base_iv.0),
            (Some(None), None) => Err(SealError::KeyMissing("a base_iv, because its kdf is null")),
            _ => SymmetricKey::master(self.kid()?, secret),
        }
    }

    /// A symmetric master, as both sides keep it.
    pub(crate) fn of_master(kid: &Kid, master: &[u8], policy: &Policy) -> Self {
        let policy = Policy { kdf: Some(Some(PROFILE.to_owned())), ..policy.clone() };
        Self { kty: "oct".to_owned(), k: Some(Base64::of(master)), ..Self::named(kid, policy) }
    }

    /// A symmetric key for one algorithm, used as it is.
    pub(crate) fn of_secret(kid: &Kid, algorithm: &str, secret: &[u8], policy: &Policy) -> Self {
        let key = Self { kty: "oct".to_owned(), k: Some(Base64::of(secret)), ..Self::named(kid, policy.clone()) };
        Self { alg: Some(algorithm.to_owned()), ..key }
    }

    /// The same key for one algorithm.
    pub(crate) fn for_algorithm(self, algorithm: Option<&str>) -> Self {
        Self { alg: algorithm.map(str::to_owned), ..self }
    }

    /// A signing key as the gateway keeps it.
    pub(crate) fn of_public(kid: &Kid, public: PublicKey, policy: &Policy) -> Self {
        let named = Self { usage: Some("sig".to_owned()), ..Self::named(kid, policy.clone()) };
        match public {
            PublicKey::Ed25519(x) => {
                Self { kty: "OKP".to_owned(), crv: Some("Ed25519".to_owned()), x: Some(Base64::of(&x)), ..named }
            }
            PublicKey::P256(x, y) => Self {
                kty: "EC".to_owned(),
                crv: Some("P-256".to_owned()),
                x: Some(Base64::of(&x)),
                y: Some(Base64::of(&y)),
                ..named
            },
        }
    }

    /// A signing key as the device keeps it.
    pub(crate) fn of_private(kid: &Kid, public: PublicKey, secret: &[u8], policy: &Policy) -> Self {
        Self { d: Some(Base64::of(secret)), ..Self::of_public(kid, public, policy) }
    }

    /// The gateway's public key, as a device keeps it: the one without a device.
    pub(crate) fn of_gateway(gateway: &Gateway) -> Self {
        let (x, y) = gateway.coordinates();
        let jwk = Self::of_public(gateway.kid(), PublicKey::P256(x, y), &Policy::default());
        Self { usage: Some("enc".to_owned()), ..jwk }
    }

    /// A name in text stands as it is, any other as base64url beside its bytes.
    fn named(kid: &Kid, policy: Policy) -> Self {
        if let Some(text) = kid.as_text() {
            return Self { kid: Some(text.to_owned()), paperknife: Some(policy), ..Self::default() };
        }
        let kid_hex = Some(hex::encode(kid.as_bytes()));
        let kid = Some(URL_SAFE_NO_PAD.encode(kid.as_bytes()));
        Self { kid, paperknife: Some(Policy { kid_hex, ..policy }), ..Self::default() }
    }
}

impl Policy {
    /// What the gateway shall hold a device's key to.
    pub(crate) fn new(blueprint: &Blueprint<'_>) -> Self {
        let Blueprint { device, format, audience, paths, shapes, .. } = *blueprint;
        Self {
            profile: Some(PROFILE.to_owned()),
            device: Some(device.to_owned()),
            audience: Some([audience.to_owned()].into()),
            paths: Some(paths.iter().map(|path| path.map(str::to_owned)).collect()),
            shapes: Some(shapes.iter().map(|shape| shape.name().to_owned()).collect()),
            formats: (format != Format::Cose).then(|| [format.name().to_owned()].into()),
            ..Self::default()
        }
    }
}

impl Base64 {
    fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes());
        bytes.map(|bytes| Self(Zeroizing::new(bytes))).map_err(|_| serde::de::Error::custom("not base64url"))
    }
}

/// A member that is there, null or not: absent and null differ.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// serde_json's own words may quote a value, which may be a key.
const fn what(category: serde_json::error::Category) -> &'static str {
    match category {
        serde_json::error::Category::Data => "a member of the wrong type",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "no JSON",
    }
}

#[cfg(feature = "cose-full")]
mod cose;
#[cfg(feature = "primitives")]
mod material;
#[cfg(test)]
mod tests;
