//! Whether a layer may be tried, with which keys and under which bindings. Everything read here is a claim.
//!
//! May import `guard`, `item`, `envelope`, and the keystore's data (`keystore::key`), never its operations: an
//! [`Admitted`] is what `open` demands, and only this file makes one.

use keystore::key::{Algorithm, KeyRef, PathBinding, Policy, Shape, Status};

use crate::envelope::cose::{Message, Place, Way};
use crate::envelope::{Binding, Envelope};
use crate::guard::admit::fitness::Fitness;
use crate::guard::{Arrival, Denied};
use crate::item::{ContentType, CoseType, Departure, Reason};

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

/// A layer that may be tried.
#[derive(Debug)]
pub struct Admitted {
    envelope: Envelope,
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
    Profile { claimed: Option<String> },
}

impl Admitted {
    /// The layer.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What to try, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
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
        let Bound::Profile { claimed } = &self.bound else { return false };
        let required = self.key.policy.path_binding == PathBinding::Required;
        self.key.policy.audience.is_empty() || required && claimed.is_none() && self.key.policy.paths.is_none()
    }

    /// Bindings that agree with the claims and the policy. The number of trials is `open`'s to bound.
    pub fn fitting(&self) -> Vec<Binding> {
        match &self.bound {
            _ if matches!(self.peer, Peer::Contradicting) => Vec::new(),
            Bound::Given(binding) => vec![binding.clone()],
            Bound::Profile { claimed } => {
                profile_bindings(&self.key, &fitting_paths(&self.key.policy, claimed.as_deref()), true)
            }
        }
    }

    /// Bindings that do not: tried last, only to tell a swap from a forgery.
    pub fn diagnostic(&self) -> Vec<Binding> {
        match &self.bound {
            Bound::Given(binding) if matches!(self.peer, Peer::Contradicting) => {
                vec![Binding { fitting: false, ..binding.clone() }]
            }
            Bound::Given(_) => Vec::new(),
            Bound::Profile { claimed } => {
                profile_bindings(&self.key, &other_paths(&self.key.policy, claimed.as_deref()), false)
            }
        }
    }
}

/// Admits a layer under the keys that fit it; else says why none does.
pub fn admit(envelope: Envelope, candidates: Vec<Candidate>, arrival: &Arrival<'_>) -> Result<Admitted, Denied> {
    let Envelope::Cose(message) = &envelope;
    let mut attempts = Vec::with_capacity(candidates.len());
    let mut denied = Denied::new(Reason::KeyNotUsable, "no key fits this layer");
    for candidate in candidates {
        match attempt(message, candidate, arrival) {
            Ok(attempt) => attempts.push(attempt),
            Err(why) if attempts.is_empty() => denied = why,
            Err(_) => {}
        }
    }
    if attempts.is_empty() { Err(denied) } else { Ok(Admitted { envelope, attempts }) }
}

/// Judges one key for one way, in the order of contract.md §4.
fn attempt(message: &Message, candidate: Candidate, arrival: &Arrival<'_>) -> Result<Attempt, Denied> {
    let Candidate { way, key, peer } = candidate;
    let policy = &key.policy;
    if policy.strict_profile {
        strict_form(message, way)?;
    }
    let fitness = Fitness::of(message, way, &key, arrival.guess.algorithm)?;
    usable(&fitness, &key, arrival)?;
    fitness.allowed(&key, arrival)?;
    shape_allowed(message, policy)?;
    let unchecked = arrival.compat.allows(Departure::KdfNoNonce);
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

/// State, time, type, use and format of the key (keystore.md §5). Disabled is judged now, windows at arrival.
fn usable(fitness: &Fitness, key: &KeyRef, arrival: &Arrival<'_>) -> Result<(), Denied> {
    let live = matches!(key.status, Status::Active | Status::Retiring);
    let expired = key.not_after.is_some_and(|end| arrival.received_at.millis() > end);
    let detail = match (fitness.fits(key), live, expired) {
        (false, ..) => "a key of another type or use",
        (_, false, _) => "a key that is disabled or destroyed",
        (.., true) => "a key outside its time",
        _ if !key.policy.formats.iter().any(|format| format == "cose") => "a key for other formats",
        _ => return Ok(()),
    };
    Err(Denied::new(Reason::KeyNotUsable, detail))
}

/// A symmetric key whose policy asks for a signature does not open what has none.
fn shape_allowed(message: &Message, policy: &Policy) -> Result<(), Denied> {
    if !policy.strict_profile || message.structure() != CoseType::Encrypt0 {
        return Ok(());
    }
    let (allows_s, allows_g) = (policy.shapes.contains(&Shape::S), policy.shapes.contains(&Shape::G));
    match (holds_sign1(message), allows_s, allows_g) {
        (true, _, true) | (false, true, _) => Ok(()),
        (false, false, _) => Err(Denied::new(Reason::UnauthenticatedSender, "unsigned where a signature is due")),
        (true, _, false) => Err(Denied::new(Reason::ShapeNotAllowed, "shape G is not allowed for this key")),
    }
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
        None => {
            let path = arrival.claims.path.as_deref();
            Bound::Profile { claimed: path.map(|path| resource_path(path, key.policy.strip_prefix)) }
        }
    }
}

/// The paths that agree with the claim and the policy: the claimed one if the key's list has it, and null if the list
/// has null; all of the list where none is claimed (profile.md §4).
fn fitting_paths<'a>(policy: &'a Policy, claimed: Option<&'a str>) -> Vec<Option<&'a str>> {
    let compared = claimed.filter(|_| policy.path_binding != PathBinding::Off);
    match (&policy.paths, compared) {
        (Some(list), Some(claimed)) => {
            let listed = list.iter().map(Option::as_deref);
            listed.filter(|path| path.is_none_or(|path| path == claimed)).collect()
        }
        (Some(list), None) => list.iter().map(Option::as_deref).collect(),
        (None, Some(claimed)) => vec![Some(claimed)],
        (None, None) if policy.path_binding == PathBinding::Required => Vec::new(),
        (None, None) => vec![claimed],
    }
}

/// All other paths worth a trial: the rest of the list, the claimed one, none.
fn other_paths<'a>(policy: &'a Policy, claimed: Option<&'a str>) -> Vec<Option<&'a str>> {
    let fitting = fitting_paths(policy, claimed);
    let mut others: Vec<Option<&str>> = Vec::new();
    let listed = policy.paths.iter().flatten().map(Option::as_deref);
    for path in listed.chain([claimed, None]) {
        if !fitting.contains(&path) && !others.contains(&path) {
            others.push(path);
        }
    }
    others
}

/// A binding for each of these paths and each name by which the device may address us.
fn profile_bindings(key: &KeyRef, paths: &[Option<&str>], fitting: bool) -> Vec<Binding> {
    let endpoint = key.policy.endpoint.as_deref().or(key.device.as_deref()).unwrap_or_default();
    let audiences = &key.policy.audience;
    let pairs = paths.iter().flat_map(|path| audiences.iter().map(move |audience| (audience, *path)));
    pairs.map(|(audience, path)| Binding::profile(audience, endpoint, path, fitting)).collect()
}

/// `/object/instance/resource` of a claimed path: without resource instance, and without gateway prefix where the policy
/// strips it. The prefix is what precedes the first all-digit segment (relays.md §7).
fn resource_path(path: &str, strip_prefix: bool) -> String {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let numeric = |segment: &&str| segment.bytes().all(|byte| byte.is_ascii_digit());
    let first = segments.iter().position(numeric).unwrap_or(0);
    let end = segments.len().min(first + 3);
    let start = if strip_prefix { first } else { 0 };
    segments[start..end].iter().flat_map(|segment| ["/", segment]).collect()
}

#[cfg(test)]
mod tests;
