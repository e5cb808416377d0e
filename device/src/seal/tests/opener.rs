//! The other side, for tests alone: opens a message by the letter of profile.md with bare primitives, and shares no code
//! with what seals.

use std::vec::Vec;

use aes::cipher::KeyInit;
use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U8, U13, U16};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use aes_kw::AesKw;
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use ed25519_dalek::Verifier;
use hkdf::Hkdf;
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};
use p256::elliptic_curve::sec1::FromSec1Point;
use sha2::Sha256;

use crate::key::PublicKey;

/// What the gateway has for one device.
pub(crate) struct Opener {
    pub(crate) master: Vec<u8>,
    pub(crate) public: PublicKey,
    pub(crate) gateway: p256::SecretKey,
    pub(crate) audience: &'static str,
    pub(crate) device: &'static str,
    pub(crate) path: Option<&'static str>,
}

/// What a message turned out to hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) content: Vec<u8>,
    pub(crate) outer: Protected,
    pub(crate) signed: Option<Protected>,
}

/// A protected map, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Protected {
    pub(crate) algorithm: i64,
    pub(crate) content_type: Option<u64>,
    pub(crate) kid: Vec<u8>,
    pub(crate) partial_iv: Vec<u8>,
    pub(crate) kid_context: Option<Vec<u8>>,
    pub(crate) issued_at: Option<u64>,
    pub(crate) cti: Option<Vec<u8>>,
    pub(crate) typ: Option<u64>,
}

impl Opener {
    /// None where anything does not hold.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Opened> {
        let (plaintext, outer) = match Decoder::new(sealed).tag().ok()?.as_u64() {
            16 => self.decrypt0(sealed)?,
            96 => self.decrypt(sealed)?,
            _ => return None,
        };
        if outer.content_type != Some(18) {
            return Some(Opened { content: plaintext, outer, signed: None });
        }
        let (content, signed) = self.verify(&plaintext)?;
        Some(Opened { content, outer, signed: Some(signed) })
    }

    fn binding(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = Encoder::new(&mut bytes);
        to.array(4).unwrap().str("paperknife-1").unwrap().str(self.audience).unwrap().str(self.device).unwrap();
        match self.path {
            Some(path) => to.str(path).unwrap(),
            None => to.null().unwrap(),
        };
        bytes
    }

    fn decrypt0(&self, sealed: &[u8]) -> Option<(Vec<u8>, Protected)> {
        let mut from = Decoder::new(sealed);
        tagged_array(&mut from, 16, 3)?;
        let protected_bytes = from.bytes().ok()?;
        (from.map().ok()? == Some(0)).then_some(())?;
        let ciphertext = from.bytes().ok()?;
        let protected = read(protected_bytes)?;
        let (key_len, nonce_len) = lengths(protected.algorithm)?;
        let key = self.derive("Key", key_len, &protected);
        let mut nonce = self.derive("IV", nonce_len, &protected);
        let start = nonce_len - protected.partial_iv.len();
        nonce[start..].iter_mut().zip(&protected.partial_iv).for_each(|(byte, piv)| *byte ^= piv);
        let aad = structure("Encrypt0", &[protected_bytes, &self.binding()]);
        Some((decrypt(protected.algorithm, &key, &nonce, &aad, ciphertext)?, protected))
    }

    fn derive(&self, purpose: &str, len: usize, protected: &Protected) -> Vec<u8> {
        let mut info = Vec::new();
        let mut to = Encoder::new(&mut info);
        to.array(6).unwrap().str("paperknife-1").unwrap().bytes(&protected.kid).unwrap();
        match &protected.kid_context {
            Some(context) => to.bytes(context).unwrap(),
            None => to.null().unwrap(),
        };
        to.i64(protected.algorithm).unwrap().str(purpose).unwrap().u64(len as u64).unwrap();
        hkdf(&self.master, &info, len)
    }

    fn decrypt(&self, sealed: &[u8]) -> Option<(Vec<u8>, Protected)> {
        let mut from = Decoder::new(sealed);
        tagged_array(&mut from, 96, 4)?;
        let protected_bytes = from.bytes().ok()?;
        (from.map().ok()? == Some(1) && from.u8().ok()? == 5).then_some(())?;
        let iv = from.bytes().ok()?;
        let ciphertext = from.bytes().ok()?;
        (from.array().ok()? == Some(1) && from.array().ok()? == Some(3)).then_some(())?;
        let content_key = self.unwrap(&mut from)?;
        let protected = read(protected_bytes)?;
        let aad = structure("Encrypt", &[protected_bytes, &[]]);
        Some((decrypt(protected.algorithm, &content_key, iv, &aad, ciphertext)?, protected))
    }

    fn unwrap(&self, from: &mut Decoder<'_>) -> Option<Vec<u8>> {
        let protected = from.bytes().ok()?;
        (from.map().ok()? == Some(2) && from.u8().ok()? == 4 && from.bytes().ok()? == b"gw-1").then_some(())?;
        (from.i8().ok()? == -1 && from.map().ok()? == Some(4)).then_some(())?;
        (from.i8().ok()? == 1 && from.u8().ok()? == 2 && from.i8().ok()? == -1 && from.u8().ok()? == 1).then_some(())?;
        let x = (from.i8().ok()? == -2).then(|| from.bytes().ok()).flatten()?;
        (from.i8().ok()? == -3).then_some(())?;
        let sec1 = match from.datatype().ok()? {
            Type::Bool => [&[if from.bool().ok()? { 3 } else { 2 }], x].concat(),
            _ => [&[4], x, from.bytes().ok()?].concat(),
        };
        let wrapped = from.bytes().ok()?;
        let ephemeral = p256::PublicKey::from_sec1_point(&p256::Sec1Point::from_bytes(&sec1).ok()?).into_option()?;
        let shared = self.gateway.diffie_hellman(&ephemeral);
        let (id, bits) = if protected == [0xa1, 0x01, 0x38, 0x1c] { (-3, 128) } else { (-5, 256) };
        let kek = hkdf(shared.raw_secret_bytes(), &kdf_context(id, bits, protected), bits as usize / 8);
        let mut content_key = [0; 32];
        let unwrapped = match kek.len() {
            16 => AesKw::<Aes128>::new_from_slice(&kek).ok()?.unwrap_key(wrapped, &mut content_key).ok()?,
            _ => AesKw::<Aes256>::new_from_slice(&kek).ok()?.unwrap_key(wrapped, &mut content_key).ok()?,
        };
        Some(unwrapped.to_vec())
    }

    fn verify(&self, signed: &[u8]) -> Option<(Vec<u8>, Protected)> {
        let mut from = Decoder::new(signed);
        tagged_array(&mut from, 18, 4)?;
        let protected_bytes = from.bytes().ok()?;
        (from.map().ok()? == Some(0)).then_some(())?;
        let (content, signature) = (from.bytes().ok()?, from.bytes().ok()?);
        let message = structure("Signature1", &[protected_bytes, &self.binding(), content]);
        let protected = read(protected_bytes)?;
        match (self.public, protected.algorithm) {
            (PublicKey::Ed25519(x), -19) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                ed25519_dalek::VerifyingKey::from_bytes(&x).ok()?.verify(&message, &signature).ok()?;
            }
            (PublicKey::P256(x, y), -7 | -9) => {
                let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
                let sec1 = [&[4], x.as_slice(), &y].concat();
                p256::ecdsa::VerifyingKey::from_sec1_bytes(&sec1).ok()?.verify(&message, &signature).ok()?;
            }
            _ => return None,
        }
        Some((content.to_vec(), protected))
    }
}

fn tagged_array(from: &mut Decoder<'_>, tag: u64, len: u64) -> Option<()> {
    (from.tag().ok()? == Tag::new(tag) && from.array().ok()? == Some(len)).then_some(())
}

pub(crate) fn read(bytes: &[u8]) -> Option<Protected> {
    let mut from = Decoder::new(bytes);
    let mut protected = Protected::default();
    let mut last = 0;
    for _ in 0..from.map().ok()?? {
        let label = from.u8().ok()?;
        (label > last).then_some(())?;
        last = label;
        match label {
            1 => protected.algorithm = from.i64().ok()?,
            3 => protected.content_type = Some(from.u64().ok()?),
            4 => protected.kid = from.bytes().ok()?.to_vec(),
            6 => protected.partial_iv = from.bytes().ok()?.to_vec(),
            10 => protected.kid_context = Some(from.bytes().ok()?.to_vec()),
            15 => claims(&mut from, &mut protected)?,
            16 => protected.typ = Some(from.u64().ok()?),
            _ => return None,
        }
    }
    (from.position() == bytes.len()).then_some(protected)
}

fn claims(from: &mut Decoder<'_>, protected: &mut Protected) -> Option<()> {
    for _ in 0..from.map().ok()?? {
        match from.u8().ok()? {
            6 => protected.issued_at = Some(from.u64().ok()?),
            7 => protected.cti = Some(from.bytes().ok()?.to_vec()),
            2 | 3 => from.skip().ok()?,
            _ => return None,
        }
    }
    Some(())
}

fn structure(context: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut to = Encoder::new(&mut bytes);
    to.array(1 + parts.len() as u64).unwrap().str(context).unwrap();
    for part in parts {
        to.bytes(part).unwrap();
    }
    bytes
}

fn kdf_context(id: i8, bits: u16, protected: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut to = Encoder::new(&mut bytes);
    to.array(4).unwrap().i8(id).unwrap();
    for _ in 0..2 {
        to.array(3).unwrap().null().unwrap().null().unwrap().null().unwrap();
    }
    to.array(2).unwrap().u16(bits).unwrap().bytes(protected).unwrap();
    bytes
}

fn lengths(algorithm: i64) -> Option<(usize, usize)> {
    match algorithm {
        10 | 30 => Some((16, 13)),
        1 => Some((16, 12)),
        3 | 24 => Some((32, 12)),
        _ => None,
    }
}

fn hkdf(secret: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let mut okm = std::vec![0; len];
    Hkdf::<Sha256>::new(Some(&[]), secret).expand(info, &mut okm).unwrap();
    okm
}

fn decrypt(algorithm: i64, key: &[u8], nonce: &[u8], aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg, aad };
    match algorithm {
        1 => Aes128Gcm::new_from_slice(key).ok()?.decrypt(nonce.try_into().ok()?, payload).ok(),
        3 => Aes256Gcm::new_from_slice(key).ok()?.decrypt(nonce.try_into().ok()?, payload).ok(),
        10 => Ccm::<Aes128, U8, U13>::new_from_slice(key).ok()?.decrypt(nonce.try_into().ok()?, payload).ok(),
        24 => ChaCha20Poly1305::new_from_slice(key).ok()?.decrypt(nonce.try_into().ok()?, payload).ok(),
        30 => Ccm::<Aes128, U16, U13>::new_from_slice(key).ok()?.decrypt(nonce.try_into().ok()?, payload).ok(),
        _ => None,
    }
}
