//! Admission of a JWE or JWS: which recipients and signatures lead to a key that may be tried, and what they are bound
//! to.
//!
//! Imports its parent, `guard`, `envelope`, `item` and the keystore's data.

use keystore::key::{Algorithm, KeyRef, Kty};

use crate::envelope::Binding;
use crate::envelope::jose::{Kind, Management, Message, Place, Way};
use crate::guard::admit::binding::Expected;
use crate::guard::admit::{UNKNOWN, each, in_policy, kty, shape_allowed, usable};
use crate::guard::{Arrival, Denied};
use crate::item::{Format, Reason};

/// Most iterations of PBES2, summed over the recipients tried (jose.md §6).
const ITERATIONS: u64 = 1_000_000;

/// A key that a recipient or signature names.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The number of the recipient or signature.
    pub way: usize,
    /// The key.
    pub key: KeyRef,
}

/// An envelope that may be tried.
#[derive(Debug)]
pub struct Admitted {
    message: Message,
    attempts: Vec<Attempt>,
}

/// One key for one recipient or signature.
#[derive(Debug)]
pub struct Attempt {
    way: usize,
    key: KeyRef,
    fitness: Fitness,
    binding: Binding,
}

impl Admitted {
    /// The envelope.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// What to try, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

impl Attempt {
    /// The number of the recipient or signature.
    pub const fn way(&self) -> usize {
        self.way
    }

    /// The key.
    pub const fn key(&self) -> &KeyRef {
        &self.key
    }

    /// The algorithm of the content step.
    pub const fn algorithm(&self) -> Algorithm {
        self.fitness.content
    }

    /// What the key itself does.
    pub const fn own(&self) -> Algorithm {
        self.fitness.own
    }

    /// What the layer is bound to, and whether that agrees.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }
}

/// Admits an envelope under the keys that fit it.
pub(super) fn admit(message: Message, candidates: Vec<Candidate>, arrival: &Arrival<'_>) -> Result<Admitted, Denied> {
    let attempts = each(candidates, |candidate| attempt(&message, candidate, arrival))?;
    let iterations = |attempt: &Attempt| {
        let password = message.way(attempt.way).filter(|way| way.takes_password());
        password.and_then(|way| way.headers().p2c.as_ref()).map_or(0, |p2c| u64::from(p2c.value))
    };
    if attempts.iter().map(iterations).sum::<u64>() > ITERATIONS {
        return Err(Denied::new(Reason::TooLarge, "more iterations than an envelope may ask for"));
    }
    Ok(Admitted { message, attempts })
}

/// Judges one key for one way, in the order of contract.md §4.
fn attempt(message: &Message, candidate: Candidate, arrival: &Arrival<'_>) -> Result<Attempt, Denied> {
    let Candidate { way: nth, key } = candidate;
    let way = message.way(nth).ok_or(UNKNOWN)?;
    if key.policy.strict_profile {
        strict_form(message, way)?;
    }
    let fitness = Fitness::of(message, way, &key)?;
    usable(fitness.fits(way, &key), &key, Format::Jose, arrival)?;
    fitness.allowed(&key)?;
    shape_fits(message, way, &key)?;
    let binding = bound(way, &key, arrival);
    Ok(Attempt { way: nth, key, fitness, binding })
}

fn strict_form(message: &Message, way: &Way) -> Result<(), Denied> {
    if message.kind() == Kind::Jws && message.place() == Place::Outer {
        return Err(Denied::new(Reason::ShapeNotAllowed, "a signed message that is not encrypted"));
    }
    message.profile_form(way).map_err(|detail| Denied::new(Reason::Malformed, detail))
}

/// A symmetric key whose policy asks for a signature does not open what has none.
fn shape_fits(message: &Message, way: &Way, key: &KeyRef) -> Result<(), Denied> {
    let policy = &key.policy;
    let asked = policy.strict_profile && message.kind() == Kind::Jwe && key.kty == Kty::Symmetric;
    if asked { shape_allowed(policy, Message::nested(way).is_some()) } else { Ok(()) }
}

/// What a layer is bound to: its pk1 travels in it, and is compared, never tried (jose.md §9).
fn bound(way: &Way, key: &KeyRef, arrival: &Arrival<'_>) -> Binding {
    match way.headers().bound() {
        Some(pk1) => Expected::of(key, arrival).carried(&pk1.audience, &pk1.endpoint, pk1.path.as_deref()),
        None => Binding::given(&[]),
    }
}

/// The algorithms of one way under one key.
#[derive(Clone, Copy, Debug)]
struct Fitness {
    /// The content step's.
    content: Algorithm,
    /// What the key itself does: it answers for that, for a wrapped or derived key is a fresh one.
    own: Algorithm,
}

impl Fitness {
    fn of(message: &Message, way: &Way, key: &KeyRef) -> Result<Self, Denied> {
        let run = |name: &str, kty: Kty| Algorithm::from_jose(name, kty).ok_or(UNKNOWN);
        let Some(encryption) = message.encryption() else {
            let own = run(way.signature().ok_or(UNKNOWN)?.name, key.kty)?;
            return Ok(Self { content: own, own });
        };
        let content = run(encryption.name, Kty::Symmetric)?;
        let known = way.key_management().ok_or(UNKNOWN)?;
        let own = if known.management == Management::Direct { content } else { run(known.name, key.kty)? };
        Ok(Self { content, own })
    }

    /// Whether the key is of the type, and of the half, that its own algorithm takes.
    fn fits(self, way: &Way, key: &KeyRef) -> bool {
        let epk = way.headers().epk.as_ref().and_then(|epk| epk.value.curve);
        let agrees = way.key_management().is_some_and(|known| known.management.agrees());
        let half = match key.kty {
            Kty::Symmetric => !key.policy.derive,
            _ => key.private != self.own.is_signature(),
        };
        half && self.own.suits_jose(key.kty) && (!agrees || epk.is_some_and(|curve| kty(curve) == key.kty))
    }

    /// Whether policy allows what fits.
    fn allowed(self, key: &KeyRef) -> Result<(), Denied> {
        in_policy(self.own, key, |listed| use_of(listed) == use_of(self.own))
    }
}

/// What a key is used for: one of another use is another key (keystore.md K6).
#[derive(PartialEq, Eq)]
enum Use {
    Agreement,
    Content,
    Mac,
    Signature,
    Wrap,
}

fn use_of(algorithm: Algorithm) -> Use {
    match algorithm {
        _ if algorithm.is_signature() => Use::Signature,
        _ if algorithm.is_mac() => Use::Mac,
        _ if algorithm.is_aead() => Use::Content,
        _ if algorithm.suits_jose(Kty::Symmetric) => Use::Wrap,
        _ => Use::Agreement,
    }
}
