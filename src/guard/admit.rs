//! Whether a layer may be tried, with which keys and under which bindings. Everything read here is a claim.
//!
//! May import `guard`, `item`, `envelope`, and the keystore's data (`keystore::key`), never its operations: an
//! [`Admitted`] is what `open` demands, and only this room makes one. A child for each family of envelopes; what all of
//! them ask of a key stands here.

use keystore::key::{Algorithm, KeyRef, Kty, Policy, Shape, Status};

use crate::envelope::{Curve, Envelope};
use crate::guard::{Arrival, Denied};
use crate::item::{Compat, Departure, Format, Reason};

mod binding;
pub mod cms;
pub mod cose;
pub mod jose;

/// An algorithm of the family's registry that the strongroom does not run.
const UNKNOWN: Denied = Denied::new(Reason::Unsupported, "an algorithm that this version does not run");

/// The keys that an envelope names, and how it does.
#[derive(Clone, Debug)]
pub enum Candidates {
    /// Of a CMS message.
    Cms(Vec<cms::Candidate>),
    /// Of a COSE message.
    Cose(Vec<cose::Candidate>),
    /// Of a JWE or JWS.
    Jose(Vec<jose::Candidate>),
}

/// A layer that may be tried.
#[derive(Debug)]
pub enum Admitted {
    /// A CMS message.
    Cms(cms::Admitted),
    /// A COSE message.
    Cose(cose::Admitted),
    /// A JWE or JWS.
    Jose(jose::Admitted),
}

impl Candidates {
    /// The keys.
    pub fn keys(&self) -> Vec<&KeyRef> {
        match self {
            Self::Cms(candidates) => candidates.iter().map(|candidate| &candidate.key).collect(),
            Self::Cose(candidates) => candidates.iter().map(|candidate| &candidate.key).collect(),
            Self::Jose(candidates) => candidates.iter().map(|candidate| &candidate.key).collect(),
        }
    }

    /// Keeps those of whose keys `keep` says so.
    pub fn retain(&mut self, keep: impl Fn(&KeyRef) -> bool) {
        match self {
            Self::Cms(candidates) => candidates.retain(|candidate| keep(&candidate.key)),
            Self::Cose(candidates) => candidates.retain(|candidate| keep(&candidate.key)),
            Self::Jose(candidates) => candidates.retain(|candidate| keep(&candidate.key)),
        }
    }
}

impl Admitted {
    /// The keys whose tags are so short that a forger may hope (threats.md §2).
    pub fn short_tagged(&self) -> impl Iterator<Item = &KeyRef> {
        let (of_cms, of_cose) = match self {
            Self::Cms(admitted) => (Some(admitted.short_tagged()), None),
            Self::Cose(admitted) => (None, Some(admitted.short_tagged())),
            // no tag of JOSE is shorter than 16 octets
            Self::Jose(_) => (None, None),
        };
        of_cms.into_iter().flatten().chain(of_cose.into_iter().flatten())
    }
}

/// Admits a layer under the keys that fit it; else says why none does.
pub fn admit(envelope: Envelope, candidates: Candidates, arrival: &Arrival<'_>) -> Result<Admitted, Denied> {
    match (envelope, candidates) {
        (Envelope::Cms(message), Candidates::Cms(candidates)) => {
            cms::admit(message, candidates, arrival).map(Admitted::Cms)
        }
        (Envelope::Cose(message), Candidates::Cose(candidates)) => {
            cose::admit(message, candidates, arrival).map(Admitted::Cose)
        }
        (Envelope::Jose(message), Candidates::Jose(candidates)) => {
            jose::admit(message, candidates, arrival).map(Admitted::Jose)
        }
        // The candidates were found for this envelope.
        _ => Err(Denied::new(Reason::Unsupported, "keys of another family of envelopes")),
    }
}

/// Whether the caller or the key's record allows a departure from the strict default.
pub fn allows(departure: Departure, key: &KeyRef, compat: &Compat) -> bool {
    compat.allows(departure) || key.policy.compat.iter().any(|name| name == departure.as_str())
}

/// The kind of key that agrees on a curve.
pub const fn kty(curve: Curve) -> Kty {
    match curve {
        Curve::P256 => Kty::Ec2P256,
        Curve::P384 => Kty::Ec2P384,
        Curve::P521 => Kty::Ec2P521,
        Curve::X25519 => Kty::OkpX25519,
    }
}

/// Judges each key; where none is admitted, the no that came latest in the order of contract.md §4 is the answer.
fn each<C, A>(candidates: Vec<C>, attempt: impl Fn(C) -> Result<A, Denied>) -> Result<Vec<A>, Denied> {
    let mut attempts = Vec::with_capacity(candidates.len());
    let mut denied = None;
    for candidate in candidates {
        match attempt(candidate) {
            Ok(admitted) => attempts.push(admitted),
            Err(why) => denied = Some(later(denied, why)),
        }
    }
    match denied {
        Some(why) if attempts.is_empty() => Err(why),
        None if attempts.is_empty() => Err(Denied::new(Reason::KeyNotUsable, "no key fits this layer")),
        Some(_) | None => Ok(attempts),
    }
}

fn later(denied: Option<Denied>, why: Denied) -> Denied {
    let order = |denied: &Denied| Reason::ALL.iter().position(|reason| *reason == denied.reason);
    denied.filter(|denied| order(denied) > order(&why)).unwrap_or(why)
}

/// A symmetric key under the profile whose policy asks for a signature does not open what has none inside.
fn shape_allowed(policy: &Policy, signed_inside: bool) -> Result<(), Denied> {
    let (allows_s, allows_g) = (policy.shapes.contains(&Shape::S), policy.shapes.contains(&Shape::G));
    match (signed_inside, allows_s, allows_g) {
        (true, _, true) | (false, true, _) => Ok(()),
        (false, false, _) => Err(Denied::new(Reason::UnauthenticatedSender, "unsigned where a signature is due")),
        (true, _, false) => Err(Denied::new(Reason::ShapeNotAllowed, "shape G is not allowed for this key")),
    }
}

/// What the key itself does is in its policy; where it is not, `alike` tells an algorithm of the same kind from a key for
/// another purpose (keystore.md K6).
fn in_policy(own: Algorithm, key: &KeyRef, alike: impl Fn(Algorithm) -> bool) -> Result<(), Denied> {
    let algs = &key.policy.algs;
    let reason = match algs.contains(&own) {
        true => return Ok(()),
        false if algs.iter().copied().any(alike) => Reason::AlgNotAllowed,
        false => Reason::KeyNotUsable,
    };
    Err(Denied::new(reason, "an algorithm outside the key's policy"))
}

/// Type and use (`fits`), state, time and format of a key (keystore.md §5). Disabled is judged now, windows at arrival.
fn usable(fits: bool, key: &KeyRef, format: Format, arrival: &Arrival<'_>) -> Result<(), Denied> {
    let live = matches!(key.status, Status::Active | Status::Retiring);
    let expired = key.not_after.is_some_and(|end| arrival.received_at.millis() > end);
    let detail = match (fits, live, expired) {
        (false, ..) => "a key of another type or use",
        (_, false, _) => "a key that is disabled or destroyed",
        (.., true) => "a key outside its time",
        _ if !key.policy.formats.iter().any(|allowed| allowed == format.as_str()) => "a key for other formats",
        _ => return Ok(()),
    };
    Err(Denied::new(Reason::KeyNotUsable, detail))
}
