//! Any shape of COSE (RFC 9052), beside the three of the profile: for tests, for other systems, for whoever has a policy
//! of their own. Feature `cose-full`.
//!
//! ```text
//! Encrypt0 16  [protected, {}, ciphertext]              one key that both sides have
//! Encrypt  96  [protected, {}, ciphertext, [recipient]] a drawn or agreed key, for each recipient
//! Mac0     17  [protected, {}, payload, tag]            Mac 97  [protected, {}, payload, tag, [recipient]]
//! Sign1    18  [protected, {}, payload, signature]      Sign 98 [protected, {}, payload, [signature layer]]
//! ```
//! coset builds the structures and what is authenticated of them; [`algorithm`], [`headers`], [`recipient`] and
//! [`signature`] hold the parts, `content` the symmetric primitives. Content and nonces are as unique as the caller makes
//! them: sequence numbers, binding and sender rules are the profile's, in [`crate::seal`].

use alloc::vec::Vec;

use coset::cbor::value::Value;
use coset::{
    AsCborValue, CborSerializable, CoseEncrypt, CoseEncrypt0, CoseMac, CoseMac0, CoseSign, CoseSign1,
    EncryptionContext, Header, MacContext, ProtectedHeader, SignatureContext, enc_structure_data, mac_structure_data,
    sig_structure_data,
};
use rand_core::TryCryptoRng;

use self::algorithm::{Encryption, Mac};
use self::headers::{Buckets, label};
use self::recipient::{Purpose, Recipient, Source, deliver};
use self::signature::{Signer, Target};
use crate::error::SealError;
use crate::primitive::key::Key;
use crate::primitive::{Secret, random};

pub mod algorithm;
mod content;
pub mod headers;
#[cfg(feature = "hpke")]
pub mod hpke;
pub mod recipient;
pub mod signature;

/// A message without its content.
pub struct Message {
    /// Which structure, with its keys.
    pub structure: Structure,
    /// Header parameters of the body; algorithm, kid and IV come by themselves.
    pub headers: Buckets,
    /// What both sides know and nobody sends.
    pub external_aad: Vec<u8>,
    /// Whether payload or ciphertext travels apart.
    pub detached: bool,
    /// What stands before the array.
    pub tagging: Tagging,
    /// Who countersigns the body (RFC 9338); several make an array.
    pub countersigners: Vec<Signer>,
    /// Who countersigns it in the abbreviated form; only the algorithm of its key says how.
    pub countersigner0: Option<Signer>,
}

/// A structure of RFC 9052, with what makes it.
pub enum Structure {
    /// Encrypted to recipients.
    Encrypt(Encryption, Nonce, Vec<Recipient>),
    /// Encrypted under a shared key.
    Encrypt0(Encryption, Nonce, Key),
    /// Encrypted to recipients' public keys by HPKE.
    #[cfg(feature = "hpke")]
    HpkeEncrypt(Encryption, Nonce, Vec<(hpke::Hpke, Key)>),
    /// Encrypted to a public key by HPKE itself.
    #[cfg(feature = "hpke")]
    HpkeEncrypt0(hpke::Hpke, Key),
    /// Authenticated to recipients.
    Mac(Mac, Vec<Recipient>),
    /// Authenticated under a shared key.
    Mac0(Mac, Key),
    /// Signed by several.
    Sign(Vec<Signer>),
    /// Signed by one; its headers are the body's.
    Sign1(Signer),
}

/// Where a nonce comes from.
pub enum Nonce {
    /// These bytes, sent as IV.
    Iv(Vec<u8>),
    /// The key's base IV XOR these bytes, which are sent as Partial IV. The content key is used as it is: Encrypt0, or a
    /// direct recipient.
    Partial(Vec<u8>),
    /// Drawn, sent as IV. Under a key for many messages 7 bytes repeat after some ten million draws.
    Random,
}

/// What stands before the array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tagging {
    /// The CWT tag, then the structure's (RFC 8392 §6).
    Cwt,
    /// The structure's tag.
    #[default]
    Tagged,
    /// Nothing: the receiver knows the structure.
    Untagged,
}

/// A sealed message.
#[derive(Debug)]
pub struct Sealed {
    /// The message.
    pub bytes: Vec<u8>,
    /// Payload or ciphertext, where it travels apart.
    pub detached: Option<Vec<u8>>,
}

/// A structure's elements, before countersignatures and tags.
struct Body {
    protected: ProtectedHeader,
    unprotected: Header,
    third: Vec<u8>,
    rest: Rest,
}

enum Rest {
    Encrypt(Vec<coset::CoseRecipient>),
    Encrypt0,
    Mac(Vec<u8>, Vec<coset::CoseRecipient>),
    Mac0(Vec<u8>),
    Sign(Vec<coset::CoseSignature>),
    Sign1(Vec<u8>),
}

impl Message {
    /// Tagged, with no further headers, attached.
    pub fn new(structure: Structure) -> Self {
        Self {
            structure,
            headers: Buckets::default(),
            external_aad: Vec::new(),
            detached: false,
            tagging: Tagging::default(),
            countersigners: Vec::new(),
            countersigner0: None,
        }
    }

    /// Seals. CTR and CBC authenticate nothing, so they are for [`Self::seal_within`] alone (RFC 9459 §8).
    pub fn seal<R: TryCryptoRng + ?Sized>(&self, content: &[u8], rng: &mut R) -> Result<Sealed, SealError> {
        match &self.structure {
            Structure::Encrypt(algorithm, ..) | Structure::Encrypt0(algorithm, ..) if !algorithm.authenticates() => {
                Err(SealError::AlgorithmNotAllowed(algorithm.name()))
            }
            _ => self.build(content, rng),
        }
    }

    /// Seals, and seals the result within `outer`, which authenticates.
    pub fn seal_within<R: TryCryptoRng + ?Sized>(
        &self,
        outer: &Self,
        content: &[u8],
        rng: &mut R,
    ) -> Result<Sealed, SealError> {
        let inner = self.build(content, rng)?;
        outer.seal(&inner.bytes, rng)
    }

    fn build<R: TryCryptoRng + ?Sized>(&self, content: &[u8], rng: &mut R) -> Result<Sealed, SealError> {
        let body = match &self.structure {
            Structure::Encrypt(algorithm, nonce, recipients) => {
                let purpose = Purpose { algorithm: algorithm.id(), key_len: algorithm.key_len() };
                let (key, recipients_of) = deliver(recipients, purpose, rng)?;
                let base_iv = direct_key(recipients).and_then(Key::base_iv);
                let nonce = nonce.bytes(*algorithm, base_iv, rng)?;
                self.encrypt(*algorithm, &key, &nonce, None, Rest::Encrypt(recipients_of), content)
            }
            Structure::Encrypt0(algorithm, nonce, key) => {
                let nonce = nonce.bytes(*algorithm, key.base_iv(), rng)?;
                self.encrypt(*algorithm, key.secret()?, &nonce, key.kid(), Rest::Encrypt0, content)
            }
            #[cfg(feature = "hpke")]
            Structure::HpkeEncrypt(algorithm, nonce, recipients) => {
                let key = random(algorithm.key_len(), rng)?;
                let nonce = nonce.bytes(*algorithm, None, rng)?;
                let given = recipients.iter().map(|(hpke, to)| hpke.recipient(to, algorithm.id(), &key));
                let rest = Rest::Encrypt(given.collect::<Result<_, _>>()?);
                self.encrypt(*algorithm, &key, &nonce, None, rest, content)
            }
            #[cfg(feature = "hpke")]
            Structure::HpkeEncrypt0(hpke, to) => self.encapsulate(*hpke, to, content),
            Structure::Mac(algorithm, recipients) => {
                let purpose = Purpose { algorithm: algorithm.id(), key_len: algorithm.key_len() };
                let (key, recipients) = deliver(recipients, purpose, rng)?;
                self.mac(*algorithm, &key, None, Some(recipients), content)
            }
            Structure::Mac0(algorithm, key) => self.mac(*algorithm, key.secret()?, key.kid(), None, content),
            Structure::Sign(signers) => self.sign(signers, content),
            Structure::Sign1(signer) => self.sign1(signer, content),
        };
        self.finish(body?)
    }

    /// RFC 9052 §5.3. A cipher that authenticates nothing has no protected bucket and no external_aad (RFC 9459 §4).
    fn encrypt(
        &self,
        algorithm: Encryption,
        key: &Secret,
        nonce: &Drawn,
        kid: Option<&[u8]>,
        rest: Rest,
        content: &[u8],
    ) -> Result<Body, SealError> {
        let headers = self.headers.clone().for_algorithm(algorithm.id(), algorithm.authenticates()).naming(kid);
        let unprotected = headers.unprotected.bytes(nonce.label, &nonce.sent).unprotected();
        let protected = headers.protected.protected()?;
        if !algorithm.authenticates() && (protected.original_data != Some(Vec::new()) || !self.external_aad.is_empty())
        {
            return Err(SealError::AlgorithmNotAllowed(algorithm.name()));
        }
        let context = match rest {
            Rest::Encrypt0 => EncryptionContext::CoseEncrypt0,
            _ => EncryptionContext::CoseEncrypt,
        };
        let aad = enc_structure_data(context, protected.clone(), &self.external_aad);
        let third = content::encrypt(algorithm, key, &nonce.full, &aad, content)?;
        Ok(Body { protected, unprotected, third, rest })
    }

    /// The integrated form of HPKE: Enc_structure is its additional data, and there is no IV.
    #[cfg(feature = "hpke")]
    fn encapsulate(&self, hpke: hpke::Hpke, to: &Key, content: &[u8]) -> Result<Body, SealError> {
        let headers = self.headers.clone().for_algorithm(hpke.id(), true).naming(to.kid());
        let protected = headers.protected.protected()?;
        let aad = enc_structure_data(EncryptionContext::CoseEncrypt0, protected.clone(), &self.external_aad);
        let (encapsulated, third) = hpke.seal(to, &[], &aad, content)?;
        let unprotected = headers.unprotected.bytes(label::ENCAPSULATED_KEY, &encapsulated).unprotected();
        Ok(Body { protected, unprotected, third, rest: Rest::Encrypt0 })
    }

    /// RFC 9052 §6.3.
    fn mac(
        &self,
        algorithm: Mac,
        key: &[u8],
        kid: Option<&[u8]>,
        recipients: Option<Vec<coset::CoseRecipient>>,
        content: &[u8],
    ) -> Result<Body, SealError> {
        let headers = self.headers.clone().for_algorithm(algorithm.id(), true).naming(kid);
        let (protected, unprotected) = (headers.protected.protected()?, headers.unprotected.unprotected());
        let context = if recipients.is_some() { MacContext::CoseMac } else { MacContext::CoseMac0 };
        let covered = mac_structure_data(context, protected.clone(), &self.external_aad, content);
        let tag = content::mac(algorithm, key, &covered)?;
        let rest = match recipients {
            Some(recipients) => Rest::Mac(tag, recipients),
            None => Rest::Mac0(tag),
        };
        Ok(Body { protected, unprotected, third: content.to_vec(), rest })
    }

    /// RFC 9052 §4.4, each signer with its own layer.
    fn sign(&self, signers: &[Signer], content: &[u8]) -> Result<Body, SealError> {
        if signers.is_empty() {
            return Err(SealError::KeyMissing("a signer"));
        }
        let protected = self.headers.protected.clone().protected()?;
        let signed = signers.iter().map(|signer| signer.sign_layer(&protected, &self.external_aad, content));
        let rest = Rest::Sign(signed.collect::<Result<_, _>>()?);
        let unprotected = self.headers.unprotected.clone().unprotected();
        Ok(Body { protected, unprotected, third: content.to_vec(), rest })
    }

    /// RFC 9052 §4.4.
    fn sign1(&self, signer: &Signer, content: &[u8]) -> Result<Body, SealError> {
        let headers = self.headers.clone().for_algorithm(signer.algorithm.id(), true).naming(signer.key.kid());
        let (protected, unprotected) = (headers.protected.protected()?, headers.unprotected.unprotected());
        let context = SignatureContext::CoseSign1;
        let signed = sig_structure_data(context, protected.clone(), None, &self.external_aad, content);
        let rest = Rest::Sign1(signer.sign(&signed)?);
        Ok(Body { protected, unprotected, third: content.to_vec(), rest })
    }

    fn finish(&self, mut body: Body) -> Result<Sealed, SealError> {
        self.countersign(&mut body)?;
        let (tag, array, detached) = body.into_array(self.detached)?;
        let tagged = |tag, value| Value::Tag(tag, alloc::boxed::Box::new(value));
        let value = match self.tagging {
            Tagging::Cwt => tagged(CWT, tagged(tag, array)),
            Tagging::Tagged => tagged(tag, array),
            Tagging::Untagged => array,
        };
        Ok(Sealed { bytes: value.to_vec().map_err(|_| SealError::BadHeader(0))?, detached })
    }

    /// Labels 11 and 12 of the body (RFC 9338 §3).
    fn countersign(&self, body: &mut Body) -> Result<(), SealError> {
        let target = Target {
            protected: &body.protected,
            external_aad: &self.external_aad,
            third: &body.third,
            others: body.rest.byte_string().into_iter().collect(),
        };
        let signed = self.countersigners.iter().map(|signer| signer.countersign(&target));
        let mut signed: Vec<Value> = signed.collect::<Result<_, _>>()?;
        let abbreviated = self.countersigner0.as_ref().map(|signer| signer.countersign0(&target)).transpose()?;
        let full = if signed.len() > 1 { Some(Value::Array(signed)) } else { signed.pop() };
        let labelled = [(label::COUNTERSIGNATURE, full), (label::COUNTERSIGNATURE0, abbreviated)];
        for (label, value) in labelled {
            body.unprotected.rest.extend(value.map(|value| (coset::Label::Int(label), value)));
        }
        Ok(())
    }
}

impl Body {
    /// The tag's number, the array, and what is not in it.
    fn into_array(self, detached: bool) -> Result<(u64, Value, Option<Vec<u8>>), SealError> {
        let Self { protected, unprotected, third, rest } = self;
        let (third, apart) = if detached { (None, Some(third)) } else { (Some(third), None) };
        let (tag, array) = match rest {
            Rest::Encrypt(recipients) => {
                (96, CoseEncrypt { protected, unprotected, ciphertext: third, recipients }.to_cbor_value())
            }
            Rest::Encrypt0 => (16, CoseEncrypt0 { protected, unprotected, ciphertext: third }.to_cbor_value()),
            Rest::Mac(tag, recipients) => {
                (97, CoseMac { protected, unprotected, payload: third, tag, recipients }.to_cbor_value())
            }
            Rest::Mac0(tag) => (17, CoseMac0 { protected, unprotected, payload: third, tag }.to_cbor_value()),
            Rest::Sign(signatures) => {
                (98, CoseSign { protected, unprotected, payload: third, signatures }.to_cbor_value())
            }
            Rest::Sign1(signature) => {
                (18, CoseSign1 { protected, unprotected, payload: third, signature }.to_cbor_value())
            }
        };
        // the one thing that coset refuses is a label twice in the unprotected bucket
        Ok((tag, array.map_err(|_| SealError::BadHeader(0))?, apart))
    }
}

impl Rest {
    /// The byte string after payload or ciphertext, where there is one.
    fn byte_string(&self) -> Option<&[u8]> {
        match self {
            Self::Mac(bytes, _) | Self::Mac0(bytes) | Self::Sign1(bytes) => Some(bytes),
            Self::Encrypt(_) | Self::Encrypt0 | Self::Sign(_) => None,
        }
    }
}

/// A nonce, and what of it is sent.
struct Drawn {
    full: Vec<u8>,
    label: i64,
    sent: Vec<u8>,
}

impl Nonce {
    fn bytes<R: TryCryptoRng + ?Sized>(
        &self,
        algorithm: Encryption,
        base_iv: Option<&[u8]>,
        rng: &mut R,
    ) -> Result<Drawn, SealError> {
        let len = algorithm.nonce_len();
        let whole = |iv: Vec<u8>| Drawn { full: iv.clone(), label: label::IV, sent: iv };
        let drawn = match self {
            Self::Iv(iv) => whole(iv.clone()),
            Self::Partial(partial) => {
                let base_iv = base_iv.ok_or(SealError::KeyMissing("a base IV"))?;
                Drawn { full: add(base_iv, partial), label: label::PARTIAL_IV, sent: partial.clone() }
            }
            Self::Random => whole(random(len, rng)?.to_vec()),
        };
        if drawn.full.len() == len && drawn.sent.len() <= len {
            Ok(drawn)
        } else {
            Err(SealError::BadLength { what: "a nonce", min: len, max: len })
        }
    }
}

/// `base_iv XOR (partial left-padded with zeros)` (RFC 9052 §3.1)
fn add(base_iv: &[u8], partial: &[u8]) -> Vec<u8> {
    let mut nonce = base_iv.to_vec();
    for (byte, more) in nonce.iter_mut().rev().zip(partial.iter().rev()) {
        *byte ^= more;
    }
    nonce
}

/// The key of the one direct recipient.
fn direct_key(recipients: &[Recipient]) -> Option<&Key> {
    match recipients {
        [Recipient { algorithm: algorithm::Management::Direct, source: Source::Key(key), .. }] => Some(key),
        _ => None,
    }
}

/// Tag of a CBOR Web Token (RFC 8392 §6).
const CWT: u64 = 61;

#[cfg(test)]
mod tests;
