//! Admission of a COSE message: which ways through it lead to a key that may be tried, and what each derives and binds.
//!
//! Imports its parent, `guard`, `envelope`, `item` and the keystore's data.

use keystore::key::{Algorithm, KeyRef, Policy};

use crate::envelope::Binding;
use crate::envelope::cose::{Message, Place, Way};
use crate::guard::admit::binding::Expected;
use crate::guard::admit::cose::fitness::Fitness;
use crate::guard::admit::{allows, each, shape_allowed, usable};
use crate::guard::{Arrival, Denied};
use crate::item::{ContentType, CoseType, Departure, Format, Reason};

mod fitness;
mod kdf;

/// CoAP Content-Format of `application/cose; cose-type="cose-sign1"`.
const SIGN1: u64 = 18;

/// A key that an envelope names, and the way on which it does.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Through the body, a signer, or recipients.
    pub way: Way,
    /// The key.
    pub key: KeyRef,
    /// Whose static key it agrees with, on a way that does.
    pub peer: Peer,
}

/// The sender's side of a key agreement.
#[derive(Clone, Debug)]
pub enum Peer {
    /// As the envelope gives it, or none at all.
    Wire,
    /// A static key that is known.
    Known(KeyRef),
    /// A static key as the envelope gives it, where the key record names another: tried only to tell the two apart.
    Contradicting,
}

/// A message that may be tried.
#[derive(Debug)]
pub struct Admitted {
    message: Message,
    attempts: Vec<Attempt>,
}

/// One key, one algorithm, and the bindings under which to try them.
#[derive(Debug)]
pub struct Attempt {
    way: Way,
    key: KeyRef,
    peer: Peer,
    algorithm: Algorithm,
    management: Option<&'static str>,
    kdf_context: Vec<u8>,
    kid_context: Option<Option<Vec<u8>>>,
    bound: Bound,
}

/// How a layer is bound.
#[derive(Debug)]
enum Bound {
    /// external_aad is known.
    Given(Binding),
    /// By the profile, to one of several paths.
    Profile(Expected),
}

impl Admitted {
    /// The message.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// What to try, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The keys of attempts with tags of less than 16 octets.
    pub(in crate::guard::admit) fn short_tagged(&self) -> impl Iterator<Item = &KeyRef> {
        self.attempts.iter().filter(|attempt| attempt.algorithm.has_short_tag()).map(Attempt::key)
    }
}

impl Attempt {
    /// The way on which the key is named.
    pub const fn way(&self) -> Way {
        self.way
    }

    /// The sender's side of a key agreement.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// COSE_KDF_Context, where the way derives a key.
    pub fn kdf_context(&self) -> &[u8] {
        &self.kdf_context
    }

    /// The key.
    pub const fn key(&self) -> &KeyRef {
        &self.key
    }

    /// The kid context that a key is derived with: the message's, unless another is guessed.
    pub fn kid_context<'a>(&'a self, message: &'a Message) -> Option<&'a [u8]> {
        match &self.kid_context {
            Some(guessed) => guessed.as_deref(),
            None => message.headers().kid_context.as_ref().map(|context| message.slice(&context.value)),
        }
    }

    /// The algorithm of the content step.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Name of the key-management algorithm, where the layer has recipients.
    pub const fn management(&self) -> Option<&'static str> {
        self.management
    }

    fn has_no_binding(&self) -> bool {
        matches!(&self.bound, Bound::Profile(expected) if expected.is_empty())
    }

    /// Bindings that agree with the claims and the policy. The number of trials is `open`'s to bound.
    pub fn fitting(&self) -> Vec<Binding> {
        match &self.bound {
            _ if matches!(self.peer, Peer::Contradicting) => Vec::new(),
            Bound::Given(binding) => vec![binding.clone()],
            Bound::Profile(expected) => expected.fitting(),
        }
    }

    /// Bindings that do not: tried last, only to tell a swap from a forgery.
    pub fn diagnostic(&self) -> Vec<Binding> {
        match &self.bound {
            Bound::Given(binding) if matches!(self.peer, Peer::Contradicting) => {
                vec![Binding { fitting: false, ..binding.clone() }]
            }
            Bound::Given(_) => Vec::new(),
            Bound::Profile(expected) => expected.diagnostic(),
        }
    }
}

/// Admits a message under the keys that fit it.
pub(super) fn admit(message: Message, candidates: Vec<Candidate>, arrival: &Arrival<'_>) -> Result<Admitted, Denied> {
    let attempts = each(candidates, |candidate| attempt(&message, candidate, arrival))?;
    Ok(Admitted { message, attempts })
}

/// Judges one key for one way, in the order of contract.md §4.
fn attempt(message: &Message, candidate: Candidate, arrival: &Arrival<'_>) -> Result<Attempt, Denied> {
    let Candidate { way, key, peer } = candidate;
    let policy = &key.policy;
    if policy.strict_profile {
        strict_form(message, way)?;
    }
    let fitness = Fitness::of(message, way, &key, arrival.guess.algorithm)?;
    usable(fitness.fits(&key), &key, Format::Cose, arrival)?;
    fitness.allowed(&key, arrival)?;
    shape_fits(message, policy)?;
    let unchecked = allows(Departure::KdfNoNonce, &key, arrival.compat);
    let kdf_context = kdf::context(message, way, &key, unchecked)?;
    let bound = bound(message, &key, arrival);
    let (algorithm, management) = (fitness.content, fitness.management);
    let kid_context = arrival.guess.kid_context.map(|guessed| guessed.map(<[u8]>::to_vec));
    let attempt = Attempt { way, key, peer, algorithm, management, kdf_context, kid_context, bound };
    if attempt.has_no_binding() {
        return Err(Denied::new(
            Reason::BindingMismatch,
            "no path is claimed and none in the key's policy, or no audience",
        ));
    }
    Ok(attempt)
}

fn strict_form(message: &Message, way: Way) -> Result<(), Denied> {
    if message.structure() == CoseType::Sign1 && message.place() == Place::Outer {
        return Err(Denied::new(Reason::ShapeNotAllowed, "a signed message that is not encrypted"));
    }
    let broken = |detail| Denied::new(Reason::Malformed, detail);
    message.profile_form(message.place()).map_err(broken)?;
    match message.recipient(way) {
        Some(recipient) => message.profile_recipient(recipient).map_err(broken),
        None => Ok(()),
    }
}

/// A symmetric key whose policy asks for a signature does not open what has none.
fn shape_fits(message: &Message, policy: &Policy) -> Result<(), Denied> {
    let asked = policy.strict_profile && message.structure() == CoseType::Encrypt0;
    if asked { shape_allowed(policy, holds_sign1(message)) } else { Ok(()) }
}

/// Whether the content type says that a COSE_Sign1 is inside.
fn holds_sign1(message: &Message) -> bool {
    message.headers().content_type.as_ref().is_some_and(|header| header.value == ContentType::Format(SIGN1))
}

/// What a layer is bound to (profile.md §4).
fn bound(message: &Message, key: &KeyRef, arrival: &Arrival<'_>) -> Bound {
    let profile = key.policy.strict_profile;
    if profile && message.structure() == CoseType::Encrypt {
        // The device is not known yet; the signature inside binds.
        return Bound::Given(Binding::given(&[]));
    }
    match arrival.external_aad {
        Some(aad) => Bound::Given(Binding::given(aad)),
        None if !profile => Bound::Given(Binding::given(&[])),
        None => Bound::Profile(Expected::of(key, arrival)),
    }
}
