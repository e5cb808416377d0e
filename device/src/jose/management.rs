//! Key management (RFC 7518 §4): how each recipient gets the content key.

use alloc::string::ToString;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use serde_json::{Value, json};

use super::algorithm::{Encryption, Kind, Management};
use super::base64url;
use super::encryption::gcm;
use super::header::Header;
use super::jwe::Recipient;
use crate::error::SealError;
use crate::primitive::agreement::Pair;
use crate::primitive::digest::Hash;
use crate::primitive::{Secret, cipher, derive, random, rsa};

/// What one recipient gets beside `alg`.
pub(crate) struct Delivered {
    /// Parameters of the algorithm: epk, apu, apv, iv, tag, p2s, p2c.
    pub(crate) parameters: Header,
    /// Empty where the content key is the key itself, or agreed.
    pub(crate) encrypted_key: Vec<u8>,
}

/// The content key, and what brings it to each recipient.
pub(crate) fn deliver<R: TryCryptoRng + ?Sized>(
    recipients: &[Recipient],
    encryption: Encryption,
    rng: &mut R,
) -> Result<(Secret, Vec<Delivered>), SealError> {
    match recipients {
        [] => Err(SealError::KeyMissing("a recipient")),
        [only] if only.management.stands_alone() => {
            let (key, delivered) = only.give(encryption, rng)?;
            Ok((key, [delivered].into()))
        }
        several if several.iter().any(|recipient| recipient.management.stands_alone()) => {
            Err(SealError::AlgorithmNotAllowed("a direct recipient beside others"))
        }
        several => {
            let key = random(encryption.key_len(), rng)?;
            let delivered = several.iter().map(|recipient| recipient.wrap(&key, rng)).collect::<Result<_, _>>()?;
            Ok((key, delivered))
        }
    }
}

impl Recipient {
    /// The content key out of the recipient's own.
    fn give<R: TryCryptoRng + ?Sized>(
        &self,
        encryption: Encryption,
        rng: &mut R,
    ) -> Result<(Secret, Delivered), SealError> {
        let (key, parameters) = match self.management.kind() {
            Kind::Direct => (self.key.secret()?.clone(), Header::new()),
            // §4.6.2: the content algorithm's name, and its whole key
            _ => self.agree(encryption.name(), encryption.key_len(), rng)?,
        };
        if key.len() != encryption.key_len() {
            return Err(SealError::AlgorithmNotAllowed(encryption.name()));
        }
        Ok((key, Delivered { parameters, encrypted_key: Vec::new() }))
    }

    /// The content key encrypted.
    fn wrap<R: TryCryptoRng + ?Sized>(&self, key: &[u8], rng: &mut R) -> Result<Delivered, SealError> {
        let (parameters, encrypted_key) = match self.management.kind() {
            Kind::Wrap(len) => (Header::new(), cipher::wrap(self.shared(len)?, key)?),
            Kind::GcmWrap(len) => self.gcm_wrap(len, key, rng)?,
            Kind::AgreeAndWrap(len) => {
                // §4.6.2: the name of the whole
                let (kek, parameters) = self.agree(self.management.name(), len, rng)?;
                (parameters, cipher::wrap(&kek, key)?)
            }
            Kind::Password(hash, len) => {
                let (kek, parameters) = self.stretch(hash, len, rng)?;
                (parameters, cipher::wrap(&kek, key)?)
            }
            Kind::Oaep(hash) => (Header::new(), rsa::oaep(&self.key, hash, None, key)?),
            Kind::Pkcs1 => (Header::new(), rsa::pkcs1(&self.key, key)?),
            Kind::Agree | Kind::Direct => return Err(self.unfit()),
        };
        Ok(Delivered { parameters, encrypted_key })
    }

    fn shared(&self, len: usize) -> Result<&Secret, SealError> {
        let secret = self.key.secret()?;
        if secret.len() == len { Ok(secret) } else { Err(self.unfit()) }
    }

    const fn unfit(&self) -> SealError {
        SealError::AlgorithmNotAllowed(self.management.name())
    }

    /// AES-GCM of the key, without AAD (§4.7).
    fn gcm_wrap<R: TryCryptoRng + ?Sized>(
        &self,
        len: usize,
        key: &[u8],
        rng: &mut R,
    ) -> Result<(Header, Vec<u8>), SealError> {
        let iv = random(12, rng)?;
        let (encrypted_key, tag) = gcm(self.shared(len)?, &iv, &[], key)?;
        Ok((Header::new().bytes("iv", &iv).bytes("tag", &tag), encrypted_key))
    }

    /// A key of `len` bytes by ECDH-ES and the Concat KDF (§4.6), and epk, apu, apv.
    fn agree<R: TryCryptoRng + ?Sized>(
        &self,
        algorithm: &str,
        len: usize,
        rng: &mut R,
    ) -> Result<(Secret, Header), SealError> {
        let own = Pair::ephemeral(&self.key, rng)?;
        let mut parameters = Header::new().with("epk", public_jwk(&own));
        for (name, party) in [("apu", &self.apu), ("apv", &self.apv)] {
            if let Some(party) = party {
                parameters = parameters.bytes(name, party);
            }
        }
        let info = self.other_info(algorithm, len);
        Ok((derive::concat(Hash::Sha256, &own.agree(&self.key)?, &info, len), parameters))
    }

    /// `len32 algorithm ‖ len32 apu ‖ len32 apv ‖ bits32` (§4.6.2)
    fn other_info(&self, algorithm: &str, len: usize) -> Vec<u8> {
        let party = |party: &Option<Vec<u8>>| party.clone().unwrap_or_default();
        let mut info = Vec::new();
        for field in [algorithm.as_bytes(), &party(&self.apu), &party(&self.apv)] {
            info.extend_from_slice(&(field.len() as u32).to_be_bytes());
            info.extend_from_slice(field);
        }
        info.extend_from_slice(&(len as u32 * 8).to_be_bytes());
        info
    }

    /// A key of `len` bytes by PBKDF2, and p2s, p2c (§4.8).
    fn stretch<R: TryCryptoRng + ?Sized>(
        &self,
        hash: Hash,
        len: usize,
        rng: &mut R,
    ) -> Result<(Secret, Header), SealError> {
        let input = random(16, rng)?;
        let salt = [self.management.name().as_bytes(), &[0], &input].concat();
        let kek = derive::pbkdf2(hash, self.key.secret()?, &salt, self.iterations, len)?;
        Ok((kek, Header::new().bytes("p2s", &input).with("p2c", self.iterations)))
    }

    /// The header parameters that are the recipient's own, without `alg`.
    pub(crate) fn parameters(&self, delivered: &Delivered) -> Result<Header, SealError> {
        self.header.clone().and(delivered.parameters.clone()).naming(&self.key)
    }
}

/// The public half as a JWK (RFC 7518 §6.2, RFC 8037 §2).
fn public_jwk(own: &Pair) -> Value {
    let kty = if own.y.is_empty() { "OKP" } else { "EC" };
    let mut jwk = json!({"crv": own.curve.name(), "kty": kty, "x": base64url(&own.x)});
    if !own.y.is_empty() {
        jwk["y"] = json!(base64url(&own.y));
    }
    jwk
}

impl Management {
    /// `alg` as a header parameter.
    pub(crate) fn value(self) -> Value {
        Value::String(self.name().to_string())
    }
}
