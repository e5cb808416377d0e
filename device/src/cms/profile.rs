//! Shapes S and P of profile `paperknife-1` in CMS. The binding travels as an attribute of the layer that proves the sender.
//!
//! ```text
//! S  AuthEnvelopedData to one KEK, the device's own; the binding in authAttrs
//! P  AuthEnvelopedData to the gateway's public key, around
//!        SignedData by the device; the binding in signedAttrs
//! ```

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::algorithm::{Agreement, Encryption, Signature, Wrap};
use super::attribute::{Attribute, Binding};
use super::recipient::{Identifier, KeyAgreement, Recipient};
use super::signer::Signer;
use super::{Cipher, Content, Nesting, Signed, Structure};
use crate::device::Device;
use crate::error::SealError;
use crate::key::{KidContext, PublicKey};
use crate::primitive::digest::Hash;
use crate::primitive::key::Key;
use crate::seal::{Sealer, Shape};
use crate::sequence::{Number, Storage};

/// What one message says beside its content. The default is SenML CBOR under AES-GCM with the key's length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// CoAP Content-Format; none means 112, SenML CBOR.
    pub content_format: Option<u16>,
    /// When it was signed, seconds since 1970; in S among the authenticated attributes.
    pub issued_at: Option<u64>,
    /// Default: A256GCM under a key of 32 bytes, else A128GCM.
    pub encryption: Option<Encryption>,
    /// The signing key's certificate (DER), which then names the signer and goes along; else the kid names it.
    pub certificate: Option<&'a [u8]>,
    /// The certificate of the gateway's key (DER), which then names the recipient; else the kid names it.
    pub gateway_certificate: Option<&'a [u8]>,
}

/// A message whose keys are known, ready for its number.
struct Plan<'a> {
    sealer: &'a Sealer,
    options: &'a Options<'a>,
    outer: Recipient,
    encryption: Encryption,
    /// Who signs, in P.
    signer: Option<Signer>,
}

impl<S: Storage> Device<S> {
    /// Seals one reading in CMS, as DER, under its next number. What lacks a key spends none.
    pub fn seal_cms<R: TryCryptoRng + ?Sized>(
        &mut self,
        shape: Shape,
        content: &[u8],
        options: &Options<'_>,
        rng: &mut R,
    ) -> Result<Vec<u8>, SealError> {
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
    options: &Options<'_>,
    rng: &mut R,
) -> Result<Vec<u8>, SealError> {
    Plan::new(sealer, shape, content, options)?.seal(number.spend(), content, rng)
}

impl<'a> Plan<'a> {
    fn new(sealer: &'a Sealer, shape: Shape, content: &[u8], options: &'a Options<'a>) -> Result<Self, SealError> {
        if content.is_empty() {
            return Err(SealError::Empty);
        }
        let (outer, key_len, signer) = match shape {
            Shape::G => return Err(SealError::AlgorithmNotAllowed("CMS")),
            Shape::P => (to_gateway(sealer, options)?, 16, Some(signer(sealer, options)?)),
            Shape::S => {
                let key = sealer.symmetric.as_ref().ok_or(SealError::KeyMissing("a symmetric key"))?.underived();
                let key_len = key.secret()?.len();
                (Recipient::Kek(key), key_len, None)
            }
        };
        let of_its_length = if key_len == 32 { Encryption::A256Gcm } else { Encryption::A128Gcm };
        Ok(Self { sealer, options, outer, encryption: options.encryption.unwrap_or(of_its_length), signer })
    }

    fn seal<R: TryCryptoRng + ?Sized>(self, number: u64, content: &[u8], rng: &mut R) -> Result<Vec<u8>, SealError> {
        let proven = self.proven(number);
        let cipher = Cipher::new(self.encryption);
        let content = Content::data(content);
        let Some(signer) = self.signer else {
            let outer = Structure::AuthEnvelopedData(cipher, [self.outer].into(), proven);
            return Ok(outer.seal(&content, rng)?.content_info());
        };
        let signer = Signer { attributes: proven, ..signer };
        let certificates = self.options.certificate.map(<[u8]>::to_vec).into_iter().collect();
        let signed = Structure::SignedData(Signed { signers: [signer].into(), certificates, detached: false });
        let inner = signed.seal(&content, rng)?.nested(Nesting::ContentInfo);
        let outer = Structure::AuthEnvelopedData(cipher, [self.outer].into(), Vec::new());
        Ok(outer.seal(&inner, rng)?.content_info())
    }

    /// What the layer that proves the sender says.
    fn proven(&self, number: u64) -> Vec<Attribute> {
        let Sealer { audience, device, path, kid_context, .. } = self.sealer;
        let binding = Attribute::binding(&Binding {
            audience: audience.clone(),
            endpoint: device.clone(),
            path: path.clone(),
            key_context: kid_context.as_ref().map(|context: &KidContext| context.as_bytes().to_vec()),
            sequence: Some(number),
            content_format: self.options.content_format,
        });
        [Some(binding), self.options.issued_at.map(Attribute::signing_time)].into_iter().flatten().collect()
    }
}

/// Key agreement with the gateway's key: ECDH-ES, X9.63 with SHA-256, AES-128 key wrap.
fn to_gateway(sealer: &Sealer, options: &Options<'_>) -> Result<Recipient, SealError> {
    let gateway = sealer.gateway.as_ref().ok_or(SealError::KeyMissing("the gateway's public key"))?;
    let key = gateway.public()?;
    let whose = identifier(options.gateway_certificate, &key)?;
    let agreement = KeyAgreement::new(whose, key, Agreement::Standard(Hash::Sha256), Wrap::A128Kw);
    Ok(Recipient::KeyAgreement(agreement))
}

fn signer(sealer: &Sealer, options: &Options<'_>) -> Result<Signer, SealError> {
    let signing = sealer.signing.as_ref().ok_or(SealError::KeyMissing("a private signing key"))?;
    let algorithm = match signing.public() {
        PublicKey::Ed25519(_) => Signature::Ed25519,
        PublicKey::P256(..) => Signature::Es256,
    };
    let key = signing.pair()?;
    Ok(Signer::new(identifier(options.certificate, &key)?, key, algorithm))
}

fn identifier(certificate: Option<&[u8]>, key: &Key) -> Result<Identifier, SealError> {
    match certificate {
        Some(certificate) => Identifier::of_certificate(certificate),
        None => Identifier::of_key(key),
    }
}
