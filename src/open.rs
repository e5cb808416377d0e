//! The one door to the strongroom: an admitted layer becomes an authentic one, or nothing.
//!
//! May import `item`, `envelope`, `guard`, `guard::admit`, keystore operations and sha2. It joins what an envelope
//! builds from received bytes with what the key's record adds into one `Recipe`; shared secret, KEK and CEK stay in the
//! strongroom. A [`Proof`] is made of the strongroom's own `Authentic` values and of nothing else. A child for each
//! family of envelopes; what they establish has one form, which stands here.

use keystore::key::KeyRef;
use keystore::recipe::Authentic;
use keystore::trust::Flaw;
use keystore::{Keystore, OpenError};

use crate::envelope::{Binding, Claims, Envelope, Fault, Reading};
use crate::guard::Arrival;
use crate::guard::admit::{Admitted, Candidates};
use crate::item::{Compat, ContentType, Countersigned, Format, KeyName};

mod certificate;
mod cms;
mod cose;
mod identity;
mod jose;

/// Why a layer did not open.
#[derive(Debug)]
pub enum Unopened {
    /// Tag, MAC, signature, unwrap: one name for the whole oracle family.
    AuthFailed,
    /// It is no envelope that can be tried.
    Unread(Fault),
    /// What it held says that it is an envelope, and is none that can be tried.
    Inner(Fault),
    /// A certificate in a header is another than the one that it is named by.
    Certificate,
    /// None of its key names is known yet.
    KeyUnknown(Vec<KeyName>),
    /// The record of this key fails its integrity check: a fault of ours with this one item.
    Tampered(String),
    /// A failure of ours. No verdict.
    Failed(String),
    /// The certificate of a sender is known, but not to be used.
    Unusable(Flaw),
}

impl From<OpenError> for Unopened {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Rejected => Self::AuthFailed,
            OpenError::Tampered(key) => Self::Tampered(key),
            OpenError::Failed(detail) => Self::Failed(detail),
        }
    }
}

/// What an authentic layer held.
#[derive(Debug)]
pub enum Layer {
    /// The content.
    Content(Opened),
    /// Another envelope, and the proof so far.
    Envelope(Box<Envelope>, Proof),
}

/// Content of which every layer is authentic.
#[derive(Debug)]
pub struct Opened {
    proof: Proof,
    content: Vec<u8>,
    identity: [u8; 16],
}

impl Opened {
    /// The layers.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The cleartext, and what identifies the message.
    pub fn into_content(self) -> (Vec<u8>, [u8; 16]) {
        (self.content, self.identity)
    }

    /// The cleartext.
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

/// What the layers opened so far establish, outermost first.
#[derive(Debug, Default)]
pub struct Proof {
    layers: Vec<ProvenLayer>,
    /// What is around them without a key: format and structure.
    around: Option<(Format, &'static str)>,
    /// What identifies the message, where a layer that is not the innermost says so.
    identity: Option<[u8; 16]>,
}

/// One authentic layer.
#[derive(Debug)]
pub struct ProvenLayer {
    authentic: Authentic,
    format: Format,
    structure: &'static str,
    signed: bool,
    management: Option<&'static str>,
    binding: Binding,
    countersignatures: Vec<Countersigned>,
    sequence: Option<u64>,
    kid_context: Option<Vec<u8>>,
    claims: Option<Claims>,
    content_type: Option<ContentType>,
}

impl Proof {
    /// Nothing is proven yet.
    pub fn none() -> Self {
        Self::default()
    }

    /// The layers, outermost first.
    pub fn layers(&self) -> &[ProvenLayer] {
        &self.layers
    }

    /// The innermost of them, below which anything is authentic already.
    fn innermost(&self) -> Option<&Authentic> {
        self.layers.last().map(|layer| &layer.authentic)
    }

    /// Format and structure of the outermost layer that has no key.
    pub const fn outside(&self) -> Option<(Format, &'static str)> {
        self.around
    }

    fn around(mut self, format: Format, structure: &'static str) -> Self {
        if self.layers.is_empty() {
            self.around.get_or_insert((format, structure));
        }
        self
    }

    fn and(mut self, layer: ProvenLayer) -> Self {
        self.layers.push(layer);
        self
    }
}

impl ProvenLayer {
    /// The key that made the layer authentic.
    pub const fn key(&self) -> &KeyRef {
        self.authentic.key()
    }

    /// Whether that key proves its device as the sender.
    pub const fn proves_sender(&self) -> bool {
        self.authentic.proves_sender()
    }

    /// Name of the content algorithm.
    pub const fn algorithm(&self) -> &'static str {
        let algorithm = self.authentic.algorithm();
        match (self.format, algorithm.jose()) {
            (Format::Jose, Some(name)) => name,
            _ => algorithm.name(),
        }
    }

    /// Name of the key-management algorithm.
    pub const fn management(&self) -> Option<&'static str> {
        self.management
    }

    /// The binding under which it is authentic.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The family.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The structure, as in its standard.
    pub const fn structure(&self) -> &'static str {
        self.structure
    }

    /// Whether a signature makes the layer authentic; else an AEAD or a MAC does.
    pub const fn is_signed(&self) -> bool {
        self.signed
    }

    /// Whether it is encrypted with authentication.
    pub const fn is_aead(&self) -> bool {
        self.authentic.algorithm().is_aead()
    }

    /// Whether it has a sequence number.
    pub const fn counts(&self) -> bool {
        self.sequence.is_some()
    }

    /// The countersignatures on the layer, verified or not.
    pub fn countersignatures(&self) -> &[Countersigned] {
        &self.countersignatures
    }

    /// The sequence number.
    pub const fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Boot epoch or key generation.
    pub fn kid_context(&self) -> Option<&[u8]> {
        self.kid_context.as_deref()
    }

    /// Claims of the layer's protected headers.
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// Content type of the layer's protected headers.
    pub const fn content_type(&self) -> Option<&ContentType> {
        self.content_type.as_ref()
    }
}

/// Reads an envelope as the caller allows; where that fails, or names no key that is known, as a key's record allows that
/// it names when it is read with every departure. The departures of `compat` names reach no other key's messages.
pub fn read(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    parse: impl Fn(&Compat) -> Result<Envelope, Fault>,
) -> Result<Envelope, Unopened> {
    let read = parse(arrival.compat);
    let settled = match &read {
        Ok(envelope) => !envelope.passes_over() || find(keystore, arrival, envelope).is_ok(),
        Err(_) => false,
    };
    let whole = || parse(&Compat::everything()).ok();
    if let Some(whole) = (!settled).then(whole).flatten()
        && let Some(recorded) = as_recorded(keystore, arrival, &whole, parse)?
    {
        return Ok(recorded);
    }
    read.map_err(Unopened::Unread)
}

/// The same of what a layer held.
fn read_inner(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    parse: impl Fn(&Compat) -> Result<Envelope, Fault>,
) -> Result<Envelope, Unopened> {
    read(keystore, arrival, parse).map_err(|why| match why {
        Unopened::Unread(fault) => Unopened::Inner(fault),
        why => why,
    })
}

/// The envelope as the first of its keys allows whose record names departures with which it can be tried.
fn as_recorded(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    whole: &Envelope,
    parse: impl Fn(&Compat) -> Result<Envelope, Fault>,
) -> Result<Option<Envelope>, Unopened> {
    let candidates = match named(keystore, arrival, whole) {
        _ if whole.read_with().is_none() => return Ok(None),
        Err(Unopened::KeyUnknown(_)) => return Ok(None),
        candidates => candidates?,
    };
    let departing = candidates.keys().into_iter().filter(|key| !key.policy.compat.is_empty());
    let recorded = departing.map(|key| parse(&arrival.compat.with(&key.policy.compat)));
    let mut recorded = recorded.filter_map(Result::ok);
    Ok(recorded.find(|envelope| find(keystore, arrival, envelope).is_ok()))
}

/// The keys that a layer names, pending ones left out, and those that do not allow what it was read with. None known:
/// [`Unopened::KeyUnknown`].
pub fn find(keystore: &Keystore, arrival: &Arrival<'_>, envelope: &Envelope) -> Result<Candidates, Unopened> {
    let mut candidates = named(keystore, arrival, envelope)?;
    let Some(read_with) = envelope.read_with().filter(|read_with| !arrival.compat.covers(read_with)) else {
        return Ok(candidates);
    };
    candidates.retain(|key| arrival.compat.with(&key.policy.compat).covers(read_with));
    match candidates.keys().as_slice() {
        [] => Err(Unopened::KeyUnknown(envelope.key_names())),
        _ => Ok(candidates),
    }
}

fn named(keystore: &Keystore, arrival: &Arrival<'_>, envelope: &Envelope) -> Result<Candidates, Unopened> {
    match envelope {
        Envelope::Cms(message) => cms::find(keystore, arrival, message).map(Candidates::Cms),
        Envelope::Cose(message) => cose::find(keystore, arrival, message).map(Candidates::Cose),
        Envelope::Jose(message) => jose::find(keystore, arrival, message).map(Candidates::Jose),
    }
}

/// Tries an admitted layer under each of its keys.
pub fn open(
    admitted: &Admitted,
    proof: Proof,
    keystore: &Keystore,
    reading: &Reading<'_>,
    arrival: &Arrival<'_>,
) -> Result<Layer, Unopened> {
    match admitted {
        Admitted::Cms(admitted) => cms::open(admitted, proof, keystore, reading),
        Admitted::Cose(admitted) => cose::open(admitted, proof, keystore, reading, arrival),
        Admitted::Jose(admitted) => jose::open(admitted, proof, keystore, reading, arrival),
    }
}

/// Most keys tried for one signer (cose.md §6, jose.md §6).
const KEYS: usize = 8;

/// Whether every signer that is known must hold: the caller says so, or the record of one of their keys.
fn all_signers<'k>(arrival: &Arrival<'_>, mut keys: impl Iterator<Item = &'k KeyRef>) -> bool {
    arrival.all_signers || keys.any(|key| key.policy.all_signers)
}

/// Every signer with a known key holds under one of its keys. Attempts on one way stand together.
fn each_holds<A, W: PartialEq>(
    attempts: &[A],
    way: impl Fn(&A) -> W,
    run: impl Fn(&A) -> Result<(Vec<u8>, Authentic), OpenError>,
) -> Result<(), Unopened> {
    for of_signer in attempts.chunk_by(|a, b| way(a) == way(b)) {
        let mut held = Err(OpenError::Rejected);
        for attempt in of_signer.iter().take(KEYS) {
            held = run(attempt);
            if !matches!(held, Err(OpenError::Rejected)) {
                break;
            }
        }
        held?;
    }
    Ok(())
}

/// The keys that were found for a layer; where there are none, why. `names`: by what they would be found.
fn found<C>(candidates: Vec<C>, flaw: Option<Flaw>, names: impl FnOnce() -> Vec<KeyName>) -> Result<Vec<C>, Unopened> {
    match flaw {
        _ if !candidates.is_empty() => Ok(candidates),
        Some(flaw) => Err(Unopened::Unusable(flaw)),
        None => Err(Unopened::KeyUnknown(names())),
    }
}
