//! Shapes S, G and P of profile `paperknife-1` in JOSE. Compact JOSE has no AAD beside its headers, so the binding travels:
//! as `pk1` in the protected header of the layer that proves the sender.
//!
//! ```text
//! S  JWE {alg, enc, kid, pk1, ? cty}                 under the device's own key
//! G  JWE {alg, enc, kid, cty: JOSE}                  under the same, around
//! P  JWE {alg, enc, kid, epk, cty: JOSE}             to the gateway's public key, around
//!        JWS {alg, kid, pk1, ? cty}                  by the same device
//! pk1 = {aud, ep, path: text / null, seq, ? ctx, ? iat}
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use serde_json::json;

use super::algorithm::{Encryption, Management, Signature};
use super::header::Header;
use super::jwe::{Jwe, Recipient};
use super::jws::{Jws, Signer};
use crate::device::Device;
use crate::error::SealError;
use crate::key::{KidContext, PublicKey};
use crate::primitive::key::Key;
use crate::seal::{Sealer, Shape};
use crate::sequence::{Number, Storage};

/// What one message says beside its content. The default is SenML JSON under the algorithms that fit the keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// CoAP Content-Format, sent as `cty` by the name of its media type; none means 110, SenML JSON.
    pub content_format: Option<u16>,
    /// When it was sealed, seconds since 1970.
    pub issued_at: Option<u64>,
    /// Default: `dir` in S and G, ECDH-ES+A128KW in P.
    pub management: Option<Management>,
    /// Default: AES-GCM, in S and G with the key's length.
    pub encryption: Option<Encryption>,
}

/// A message whose keys and algorithms are known, ready for its number.
struct Plan<'a> {
    sealer: &'a Sealer,
    options: &'a Options,
    /// `cty` of the innermost layer.
    content_type: Option<&'static str>,
    layers: Layers,
}

enum Layers {
    Encrypted(Outer),
    Signed(Outer, Key, Signature),
}

struct Outer {
    management: Management,
    encryption: Encryption,
    key: Key,
}

impl<S: Storage> Device<S> {
    /// Seals one reading in JOSE under its next number. What lacks a key or has no media type spends none.
    pub fn seal_jose<R: TryCryptoRng + ?Sized>(
        &mut self,
        shape: Shape,
        content: &[u8],
        options: &Options,
        rng: &mut R,
    ) -> Result<String, SealError> {
        Plan::new(self.sealer(), shape, content, options)?;
        let number = self.draw(shape)?;
        seal(self.sealer(), shape, number, content, options, rng)
    }
}

/// Seals `content` under a number, which is spent, whatever comes of it.
pub fn seal<R: TryCryptoRng + ?Sized>(
    sealer: &Sealer,
    shape: Shape,
    number: Number,
    content: &[u8],
    options: &Options,
    rng: &mut R,
) -> Result<String, SealError> {
    Plan::new(sealer, shape, content, options)?.seal(number.spend(), content, rng)
}

impl<'a> Plan<'a> {
    fn new(sealer: &'a Sealer, shape: Shape, content: &[u8], options: &'a Options) -> Result<Self, SealError> {
        if content.is_empty() {
            return Err(SealError::Empty);
        }
        let content_type = options.content_format.map(media_type).transpose()?.flatten();
        let layers = match shape {
            Shape::S => Layers::Encrypted(shared(sealer, options)?),
            Shape::G => signed(sealer, shared(sealer, options)?)?,
            Shape::P => signed(sealer, agreed(sealer, options)?)?,
        };
        Ok(Self { sealer, options, content_type, layers })
    }

    fn seal<R: TryCryptoRng + ?Sized>(self, number: u64, content: &[u8], rng: &mut R) -> Result<String, SealError> {
        let proven = self.proven(number);
        match self.layers {
            Layers::Encrypted(outer) => outer.seal(proven, content, rng),
            Layers::Signed(outer, key, algorithm) => {
                let signer = Signer { protected: proven, ..Signer::new(algorithm, key) };
                let inner = Jws::new(signer).seal(content)?;
                outer.seal(Header::new().with("cty", "JOSE"), inner.as_bytes(), rng)
            }
        }
    }

    /// What the layer that proves the sender says.
    fn proven(&self, number: u64) -> Header {
        let Sealer { audience, device, path, kid_context, .. } = self.sealer;
        let mut binding = Header::new()
            .with("aud", audience.as_str())
            .with("ep", device.as_str())
            .with("path", json!(path))
            .with("seq", number);
        if let Some(context) = kid_context.as_ref().map(KidContext::as_bytes) {
            binding = binding.bytes("ctx", context);
        }
        if let Some(seconds) = self.options.issued_at {
            binding = binding.with("iat", seconds);
        }
        let header = Header::new().with("pk1", binding.json());
        match self.content_type {
            Some(content_type) => header.with("cty", content_type),
            None => header,
        }
    }
}

impl Outer {
    fn seal<R: TryCryptoRng + ?Sized>(
        self,
        protected: Header,
        content: &[u8],
        rng: &mut R,
    ) -> Result<String, SealError> {
        let recipients: Vec<_> = [Recipient::new(self.management, self.key)].into();
        Jwe { protected, ..Jwe::new(self.encryption, recipients) }.seal(content, rng)
    }
}

/// Under the device's own key: as the content key, or around one.
fn shared(sealer: &Sealer, options: &Options) -> Result<Outer, SealError> {
    let key = sealer.symmetric.as_ref().ok_or(SealError::KeyMissing("a symmetric key"))?.underived();
    let of_its_length = match key.secret()?.len() {
        16 => Encryption::A128Gcm,
        24 => Encryption::A192Gcm,
        _ => Encryption::A256Gcm,
    };
    let management = options.management.unwrap_or(Management::Dir);
    if management.agrees() {
        return Err(SealError::AlgorithmNotAllowed(management.name()));
    }
    Ok(Outer { management, encryption: options.encryption.unwrap_or(of_its_length), key })
}

/// To the gateway's public key.
fn agreed(sealer: &Sealer, options: &Options) -> Result<Outer, SealError> {
    let gateway = sealer.gateway.as_ref().ok_or(SealError::KeyMissing("the gateway's public key"))?;
    let management = options.management.unwrap_or(Management::EcdhEsA128Kw);
    if !management.agrees() {
        return Err(SealError::AlgorithmNotAllowed(management.name()));
    }
    let encryption = options.encryption.unwrap_or(Encryption::A128Gcm);
    Ok(Outer { management, encryption, key: gateway.public()? })
}

fn signed(sealer: &Sealer, outer: Outer) -> Result<Layers, SealError> {
    let key = sealer.signing.as_ref().ok_or(SealError::KeyMissing("a private signing key"))?;
    let algorithm = match key.public() {
        PublicKey::Ed25519(_) => Signature::EdDsa,
        PublicKey::P256(..) => Signature::Es256,
    };
    Ok(Layers::Signed(outer, key.pair()?, algorithm))
}

/// `cty` of a Content-Format (RFC 7515 §4.1.10, without `application/`); none for SenML JSON, the default.
fn media_type(format: u16) -> Result<Option<&'static str>, SealError> {
    match format {
        0 => Ok(Some("text/plain")),
        40 => Ok(Some("link-format")),
        42 => Ok(Some("octet-stream")),
        50 => Ok(Some("json")),
        60 => Ok(Some("cbor")),
        110 => Ok(None),
        112 => Ok(Some("senml+cbor")),
        11542 => Ok(Some("vnd.oma.lwm2m+tlv")),
        11543 => Ok(Some("vnd.oma.lwm2m+json")),
        11544 => Ok(Some("vnd.oma.lwm2m+cbor")),
        _ => Err(SealError::AlgorithmNotAllowed("a content format without a media type")),
    }
}
