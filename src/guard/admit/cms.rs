//! Admission of a CMS message: which of its recipients or signers lead to a key that may be tried, and for what.
//!
//! Imports its parent, `guard`, `envelope`, `item` and the keystore's data.

use keystore::key::{Algorithm, KeyRef, Kty};

use crate::envelope::Binding;
use crate::envelope::cms::{self, Attributes, Hash, Message, Recipient, Signature, Statement, Transport, Wrap};
use crate::guard::admit::binding::Expected;
use crate::guard::admit::{UNKNOWN, each, in_policy, usable};
use crate::guard::{Arrival, Denied};
use crate::item::{Format, Reason};

/// The way through a message on which a key is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the message as a whole: EncryptedData names no key.
    Body,
    /// By that recipient.
    Recipient(usize),
    /// By that signer.
    Signer(usize),
}

/// A key that a message names, and the way on which it does.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Through the body, a recipient or a signer.
    pub way: Way,
    /// The key.
    pub key: KeyRef,
    /// The sender's static key, on a way that agrees with one.
    pub sender: Option<KeyRef>,
}

/// A message that may be tried.
#[derive(Debug)]
pub struct Admitted {
    message: Message,
    attempts: Vec<Attempt>,
}

/// One key, and what to do with it.
#[derive(Debug)]
pub struct Attempt {
    way: Way,
    key: KeyRef,
    sender: Option<KeyRef>,
    content: Algorithm,
    management: Option<Algorithm>,
    binding: Binding,
}

impl Admitted {
    /// The message.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// What to try, in order; nothing where the message takes no key.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The keys of attempts with tags of less than 16 octets.
    pub(in crate::guard::admit) fn short_tagged(&self) -> impl Iterator<Item = &KeyRef> {
        let short = self.message.encryption().is_some_and(|encryption| (1..16).contains(&encryption.tag));
        self.attempts.iter().filter(move |_| short).map(Attempt::key)
    }
}

impl Attempt {
    /// The way on which the key is named.
    pub const fn way(&self) -> Way {
        self.way
    }

    /// The key.
    pub const fn key(&self) -> &KeyRef {
        &self.key
    }

    /// The sender's static key that it agrees with.
    pub const fn sender(&self) -> Option<&KeyRef> {
        self.sender.as_ref()
    }

    /// The algorithm of the content step.
    pub const fn content(&self) -> Algorithm {
        self.content
    }

    /// The key-management algorithm, where there is one.
    pub const fn management(&self) -> Option<Algorithm> {
        self.management
    }

    /// What the message says that it is for, compared with what is known; nothing where it does not say.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }
}

/// Admits a message under the keys that fit it; else says why none does. Below encryption that notices no change there
/// is one answer (cms.md §5).
pub(super) fn admit(message: Message, candidates: Vec<Candidate>, arrival: &Arrival<'_>) -> Result<Admitted, Denied> {
    if !message.structure().is_keyed() {
        return Ok(Admitted { message, attempts: Vec::new() });
    }
    match each(candidates, |candidate| attempt(&message, candidate, arrival)) {
        Ok(attempts) => Ok(Admitted { message, attempts }),
        Err(_) if message.around().malleable => Err(Denied::new(Reason::AuthFailed, "not authentic")),
        Err(denied) => Err(denied),
    }
}

/// Judges one key for one way, in the order of contract.md §4.
fn attempt(message: &Message, candidate: Candidate, arrival: &Arrival<'_>) -> Result<Attempt, Denied> {
    let Candidate { way, key, sender } = candidate;
    let (content, management) = algorithms(message, way, sender.is_some())?;
    let own = management.unwrap_or(content);
    usable(fits(own, &key), &key, Format::Cms, arrival)?;
    allowed(own, &key)?;
    if let Some(sender) = &sender {
        usable(!sender.private && sender.kty == key.kty, sender, Format::Cms, arrival)?;
        allowed(own, sender)?;
    }
    let proves = sender.as_ref().or_else(|| (!key.private).then_some(&key));
    let binding = match proves {
        Some(proves) => bound(message, way, proves, arrival),
        None => Binding::given(&[]),
    };
    Ok(Attempt { way, key, sender, content, management, binding })
}

/// The algorithm of the content step, and that of the key management.
fn algorithms(message: &Message, way: Way, sender: bool) -> Result<(Algorithm, Option<Algorithm>), Denied> {
    let content = match way {
        Way::Signer(nth) => message.signers().get(nth).and_then(cms::Signer::algorithm).and_then(Signature::name),
        Way::Body | Way::Recipient(_) => match message.mac() {
            Some((hash, _)) => hmac(hash),
            None => message.encryption().map(|encryption| encryption.cipher.name()),
        },
    };
    let content = content.and_then(Algorithm::from_name).ok_or(UNKNOWN)?;
    let Way::Recipient(nth) = way else { return Ok((content, None)) };
    let management = message.recipients().get(nth).and_then(|recipient| management(recipient, sender));
    Ok((content, Some(management.ok_or(UNKNOWN)?)))
}

const fn hmac(hash: Hash) -> Option<&'static str> {
    match hash {
        Hash::Sha256 => Some("HMAC 256/256"),
        Hash::Sha384 => Some("HMAC 384/384"),
        Hash::Sha512 => Some("HMAC 512/512"),
        _ => None,
    }
}

/// What the recipient's own key does.
fn management(recipient: &Recipient, sender: bool) -> Option<Algorithm> {
    match recipient.way() {
        cms::Way::Agreement(agreement) => Some(match (agreement.wrap, sender) {
            (Wrap::Aes(128), false) => Algorithm::EcdhEsA128Kw,
            (Wrap::Aes(192), false) => Algorithm::EcdhEsA192Kw,
            (Wrap::Aes(_), false) => Algorithm::EcdhEsA256Kw,
            (Wrap::Aes(128), true) => Algorithm::EcdhSsA128Kw,
            (Wrap::Aes(192), true) => Algorithm::EcdhSsA192Kw,
            (Wrap::Aes(_), true) => Algorithm::EcdhSsA256Kw,
            (Wrap::TripleDes, false) => Algorithm::EcdhEsDes3Kw,
            (Wrap::TripleDes, true) => return None,
        }),
        cms::Way::Encapsulation(encapsulation) => Some(match encapsulation.set {
            512 => Algorithm::MlKem512,
            768 => Algorithm::MlKem768,
            _ => Algorithm::MlKem1024,
        }),
        cms::Way::Kek(_, wrap) => Algorithm::from_name(wrap.name()),
        cms::Way::Other(_) => None,
        cms::Way::Password(_) => Some(Algorithm::PwriKek),
        cms::Way::Transport(_, Transport::V15) => Some(Algorithm::RsaPkcs1V15),
        cms::Way::Transport(_, Transport::Oaep { hash, .. }) => Some(match hash {
            Hash::Sha1 => Algorithm::RsaOaepSha1,
            Hash::Sha256 => Algorithm::RsaOaepSha256,
            Hash::Sha384 => Algorithm::RsaOaepSha384,
            Hash::Sha512 => Algorithm::RsaOaepSha512,
            _ => return None,
        }),
    }
}

/// Whether the key is of the type, and of the half, that its own algorithm takes.
fn fits(own: Algorithm, key: &KeyRef) -> bool {
    match own {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
            !key.private && matches!(key.kty, Kty::Ec2P256 | Kty::Ec2P384 | Kty::Ec2P521)
        }
        Algorithm::Ed25519 => !key.private && key.kty == Kty::OkpEd25519,
        own if own.is_signature() => !key.private && key.kty == Kty::Rsa,
        Algorithm::RsaOaepSha1
        | Algorithm::RsaOaepSha256
        | Algorithm::RsaOaepSha384
        | Algorithm::RsaOaepSha512
        | Algorithm::RsaPkcs1V15 => key.private && key.kty == Kty::Rsa,
        Algorithm::MlKem512 | Algorithm::MlKem768 | Algorithm::MlKem1024 => key.private && key.kty == Kty::Akp,
        Algorithm::EcdhEsA128Kw
        | Algorithm::EcdhEsA192Kw
        | Algorithm::EcdhEsA256Kw
        | Algorithm::EcdhEsDes3Kw
        | Algorithm::EcdhSsA128Kw
        | Algorithm::EcdhSsA192Kw
        | Algorithm::EcdhSsA256Kw => key.private && key.kty.agrees(),
        _ => key.kty == Kty::Symmetric,
    }
}

/// One key, one family of algorithms (keystore.md K6), and of that family those of its policy.
fn allowed(own: Algorithm, key: &KeyRef) -> Result<(), Denied> {
    let kind = |of: Algorithm| (of.is_aead(), of.is_mac(), of.is_signature(), of.is_unauthenticated());
    in_policy(own, key, |listed| kind(listed) == kind(own))
}

/// What the message says that it is for, under the key of its sender (cms.md §10).
fn bound(message: &Message, way: Way, sender: &KeyRef, arrival: &Arrival<'_>) -> Binding {
    match statement(message, way) {
        Some(of) => Expected::of(sender, arrival).carried(&of.audience, &of.endpoint, of.path.as_deref()),
        None => Binding::given(&[]),
    }
}

/// The binding attribute on a way, under the signature or the tag.
pub fn statement(message: &Message, way: Way) -> Option<&Statement> {
    attributes(message, way)?.statement.as_ref()
}

/// The attributes that the key of a way covers.
pub fn attributes(message: &Message, way: Way) -> Option<&Attributes> {
    match way {
        Way::Signer(nth) => message.signers().get(nth)?.attributes(),
        Way::Body | Way::Recipient(_) => message.attributes(),
    }
}
