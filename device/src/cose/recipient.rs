//! Recipients: how the content key gets to whoever shall open the message (RFC 9052 §8.5, RFC 9053 §6, RFC 8230).
//!
//! `deliver` gives the content key and the COSE_recipient structures that carry it. A recipient whose algorithm *is* the
//! way to the key (direct and direct agreement) stands alone and the key comes out of it; else the key is drawn and each
//! recipient gets it wrapped. A key wrap may take its own key from recipients beneath it, by the same function.

use alloc::vec::Vec;

use coset::CoseRecipient;
use coset::cbor::value::Value;
use rand_core::TryCryptoRng;

use super::algorithm::{Kdf, Kind, Management};
use super::content;
use super::headers::{Buckets, Headers, label};
use crate::cbor;
use crate::error::SealError;
use crate::primitive::agreement::Pair;
use crate::primitive::cipher::wrap;
use crate::primitive::digest::Hash;
use crate::primitive::key::{Curve, Key, Material};
use crate::primitive::{Secret, random, rsa};

/// Somebody who shall open the message.
pub struct Recipient {
    /// How.
    pub algorithm: Management,
    /// From what.
    pub source: Source,
    /// Header parameters of the recipient's layer; algorithm, kid and keys come by themselves.
    pub headers: Buckets,
    /// Inputs of the key derivation.
    pub inputs: Inputs,
}

/// What a recipient's key comes from.
pub enum Source {
    /// A key agreement with its public key.
    Agreement(Key, Sender),
    /// A key that it has: content key, key-encryption key, shared secret, or its RSA public key.
    Key(Key),
    /// Its key-encryption key comes from recipients of its own.
    Recipients(Vec<Recipient>),
}

/// The sender's side of a key agreement.
pub enum Sender {
    /// A key for this message alone, in the header.
    Ephemeral {
        /// y as the sign alone.
        compressed: bool,
    },
    /// A lasting key pair.
    Static(Key, Announced),
}

/// How the receiver learns the sender's static key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// By its kid (label -3).
    Id,
    /// The key itself is in the header (label -2).
    Key,
    /// Not at all: it is in the receiver's key record.
    Nowhere,
}

/// What both sides put into COSE_KDF_Context (RFC 9053 §5.2) and the salt.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The sender.
    pub party_u: Party,
    /// The receiver.
    pub party_v: Party,
    /// Salt of HKDF.
    pub salt: Option<Vec<u8>>,
    /// SuppPubInfo.other; never sent.
    pub pub_other: Option<Vec<u8>>,
    /// SuppPrivInfo; never sent.
    pub priv_other: Option<Vec<u8>>,
    /// Whether parties and salt are left to the receiver's key record instead of being sent.
    pub unsent: bool,
}

/// One party of a key derivation.
#[derive(Clone, Debug, Default)]
pub struct Party {
    /// Who.
    pub identity: Option<Vec<u8>>,
    /// Once only.
    pub nonce: Option<Vec<u8>>,
    /// Anything.
    pub other: Option<Vec<u8>>,
}

/// What a key is for: the layer that will use it.
#[derive(Clone, Copy)]
pub(crate) struct Purpose {
    /// Its algorithm.
    pub(crate) algorithm: i32,
    /// Bytes of its key.
    pub(crate) key_len: usize,
}

impl Recipient {
    /// With a key of its own and nothing else.
    pub fn new(algorithm: Management, source: Source) -> Self {
        Self { algorithm, source, headers: Buckets::default(), inputs: Inputs::default() }
    }
}

/// The key for `purpose`, and the structures that bring it.
pub(crate) fn deliver<R: TryCryptoRng + ?Sized>(
    recipients: &[Recipient],
    purpose: Purpose,
    rng: &mut R,
) -> Result<(Secret, Vec<CoseRecipient>), SealError> {
    match recipients {
        [] => Err(SealError::KeyMissing("a recipient")),
        [only] if only.algorithm.stands_alone() => {
            let (key, structure) = only.give(purpose, rng)?;
            Ok((key, [structure].into()))
        }
        several if several.iter().any(|recipient| recipient.algorithm.stands_alone()) => {
            Err(SealError::AlgorithmNotAllowed("a direct recipient beside others"))
        }
        several => {
            let key = random(purpose.key_len, rng)?;
            let structures = several.iter().map(|recipient| recipient.wrap(&key, rng)).collect::<Result<_, _>>()?;
            Ok((key, structures))
        }
    }
}

impl Recipient {
    /// The key that comes out of a recipient that stands alone.
    fn give<R: TryCryptoRng + ?Sized>(
        &self,
        purpose: Purpose,
        rng: &mut R,
    ) -> Result<(Secret, CoseRecipient), SealError> {
        if self.algorithm.repeats() && self.inputs.salt.is_none() && self.inputs.party_u.nonce.is_none() {
            return Err(SealError::NotUnique(self.algorithm.name()));
        }
        match (self.algorithm.kind(), &self.source) {
            (Kind::Direct, Source::Key(key)) if key.secret()?.len() == purpose.key_len => {
                Ok((key.secret()?.clone(), self.structure(self.base(key), Vec::new())?))
            }
            (Kind::Derive(kdf), Source::Key(key)) => {
                let structure = self.structure(self.base(key), Vec::new())?;
                Ok((self.derive(kdf, key.secret()?, purpose, &structure)?, structure))
            }
            (Kind::Agree(kdf), Source::Agreement(receiver, sender)) => {
                let (secret, headers) = self.agree(receiver, sender, rng)?;
                let structure = self.structure(headers, Vec::new())?;
                Ok((self.derive(kdf, &secret, purpose, &structure)?, structure))
            }
            _ => Err(self.unfit()),
        }
    }

    /// A recipient that gets `key` encrypted.
    fn wrap<R: TryCryptoRng + ?Sized>(&self, key: &[u8], rng: &mut R) -> Result<CoseRecipient, SealError> {
        match (self.algorithm.kind(), &self.source) {
            (Kind::Wrap, Source::Key(kek)) if kek.secret()?.len() == self.algorithm.kek_len() => {
                self.structure(self.base(kek), wrap(kek.secret()?, key)?)
            }
            (Kind::Wrap, Source::Recipients(beneath)) => {
                let purpose = Purpose { algorithm: self.algorithm.id(), key_len: self.algorithm.kek_len() };
                let (kek, recipients) = deliver(beneath, purpose, rng)?;
                let structure = self.structure(self.headers.clone(), wrap(&kek, key)?)?;
                Ok(CoseRecipient { recipients, ..structure })
            }
            (Kind::AgreeAndWrap(by), Source::Agreement(receiver, sender)) => {
                let (secret, headers) = self.agree(receiver, sender, rng)?;
                let structure = self.structure(headers, Vec::new())?;
                // RFC 9053 §6.4: the key wrap's number, and SHA-256 for all three
                let purpose = Purpose { algorithm: by.id(), key_len: by.kek_len() };
                let kek = self.derive(Kdf::Sha256, &secret, purpose, &structure)?;
                Ok(CoseRecipient { ciphertext: Some(wrap(&kek, key)?), ..structure })
            }
            (Kind::Oaep, Source::Key(public)) => {
                self.structure(self.base(public), rsa::oaep(public, self.hash(), None, key)?)
            }
            _ => Err(self.unfit()),
        }
    }

    fn unfit(&self) -> SealError {
        SealError::AlgorithmNotAllowed(self.algorithm.name())
    }

    fn base(&self, key: &Key) -> Buckets {
        self.headers.clone().naming(key.kid())
    }

    fn structure(&self, headers: Buckets, ciphertext: Vec<u8>) -> Result<CoseRecipient, SealError> {
        let mut headers = headers.for_algorithm(self.algorithm.id(), self.algorithm.protects_headers());
        headers.unprotected = self.inputs.send(headers.unprotected);
        Ok(CoseRecipient {
            protected: headers.protected.protected()?,
            unprotected: headers.unprotected.unprotected(),
            ciphertext: Some(ciphertext),
            recipients: Vec::new(),
        })
    }

    fn derive(&self, kdf: Kdf, secret: &[u8], purpose: Purpose, at: &CoseRecipient) -> Result<Secret, SealError> {
        let protected = at.protected.original_data.as_deref().unwrap_or_default();
        let context = self.inputs.context(purpose, protected);
        content::derive(kdf, secret, self.inputs.salt.as_deref(), &context, purpose.key_len)
    }

    /// The agreed secret: x at full width, or X25519's 32 bytes. And the headers that say with whom.
    fn agree<R: TryCryptoRng + ?Sized>(
        &self,
        receiver: &Key,
        sender: &Sender,
        rng: &mut R,
    ) -> Result<(Secret, Buckets), SealError> {
        let mut headers = self.base(receiver);
        let own = match sender {
            Sender::Ephemeral { compressed } if !self.algorithm.is_static() => {
                let own = Pair::ephemeral(receiver, rng)?;
                let public = cose_key(own.curve, &own.x, &own.y, *compressed);
                headers.unprotected = headers.unprotected.with(label::EPHEMERAL_KEY, public);
                own
            }
            Sender::Static(key, announced) if self.algorithm.is_static() => {
                headers.unprotected = announce(key, *announced, headers.unprotected)?;
                Pair::lasting(key, receiver)?
            }
            Sender::Ephemeral { .. } | Sender::Static(..) => return Err(self.unfit()),
        };
        Ok((own.agree(receiver)?, headers))
    }

    /// Of RSAES-OAEP, in hash and mask (RFC 8230 §3).
    const fn hash(&self) -> Hash {
        match self.algorithm {
            Management::OaepSha1 => Hash::Sha1,
            Management::OaepSha256 => Hash::Sha256,
            _ => Hash::Sha512,
        }
    }
}

impl Inputs {
    /// `[alg, PartyU, PartyV, [bits, protected, ? other], ? private]` (RFC 9053 §5.2)
    fn context(&self, purpose: Purpose, protected: &[u8]) -> Vec<u8> {
        cbor::bytes(|to| {
            to.array(4 + u64::from(self.priv_other.is_some()))?.i32(purpose.algorithm)?;
            for party in [&self.party_u, &self.party_v] {
                to.array(3)?;
                for field in party.fields() {
                    match field {
                        Some(bytes) => to.bytes(bytes)?,
                        None => to.null()?,
                    };
                }
            }
            to.array(2 + u64::from(self.pub_other.is_some()))?.u64(purpose.key_len as u64 * 8)?.bytes(protected)?;
            for other in [&self.pub_other, &self.priv_other].into_iter().flatten() {
                to.bytes(other)?;
            }
            Ok(())
        })
    }

    /// Labels -20 to -26, where they are sent.
    fn send(&self, mut headers: Headers) -> Headers {
        if self.unsent {
            return headers;
        }
        if let Some(salt) = &self.salt {
            headers = headers.bytes(label::SALT, salt);
        }
        for (first, party) in [(label::PARTY_U_IDENTITY, &self.party_u), (label::PARTY_V_IDENTITY, &self.party_v)] {
            for (label, field) in (0..3).map(|at| first - at).zip(party.fields()) {
                if let Some(bytes) = field {
                    headers = headers.bytes(label, bytes);
                }
            }
        }
        headers
    }
}

impl Party {
    fn fields(&self) -> [Option<&[u8]>; 3] {
        [self.identity.as_deref(), self.nonce.as_deref(), self.other.as_deref()]
    }
}

fn announce(key: &Key, announced: Announced, headers: Headers) -> Result<Headers, SealError> {
    match (announced, &key.material, key.kid()) {
        (Announced::Id, _, Some(kid)) => Ok(headers.bytes(label::STATIC_KEY_ID, kid)),
        (Announced::Id, _, None) => Err(SealError::BadKey("named")),
        (Announced::Key, Material::Curve { curve, x, y, .. }, _) => {
            Ok(headers.with(label::STATIC_KEY, cose_key(*curve, x, y, false)))
        }
        _ => Ok(headers),
    }
}

/// `{1: kty, -1: crv, -2: x, ? -3: y}`
fn cose_key(curve: Curve, x: &[u8], y: &[u8], compressed: bool) -> Value {
    let kty = if curve.has_y() { 2 } else { 1 };
    let member = |label: i64, value: Value| (Value::from(label), value);
    let mut members = alloc::vec![member(1, kty.into()), member(-1, curve.id().into()), member(-2, x.into())];
    if curve.has_y() {
        let sign = y.last().is_some_and(|last| last & 1 == 1);
        members.push(member(-3, if compressed { sign.into() } else { y.into() }));
    }
    Value::Map(members)
}
