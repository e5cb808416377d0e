//! The one door to the strongroom: an admitted layer becomes an authentic one, or nothing.
//!
//! May import `item`, `envelope`, `guard`, `guard::admit`, keystore operations and sha2. It joins what an envelope
//! builds from received bytes with what the key's record adds into one `Recipe`; shared secret, KEK and CEK stay in the
//! strongroom. A [`Proof`] is made of the strongroom's own `Authentic` values and of nothing else.

use std::ops::Range;
use std::sync::Arc;

use keystore::key::KeyRef;
use keystore::recipe::Authentic;
use keystore::{Keystore, OpenError};
use sha2::{Digest, Sha256};

use crate::envelope::cose::headers::{Bucket, Claims, Header};
use crate::envelope::cose::{Message, Way, nested_type};
use crate::envelope::{Binding, Envelope, Fault, Reading};
use crate::guard::admit::{Admitted, Attempt};
use crate::item::{ContentType, CoseType, Countersigned, KeyName};
use crate::open::recipe::nonce;

mod countersign;
mod find;
mod recipe;

pub use find::find;

/// Most trials of an AEAD layer, and of one where each costs a public-key operation (profile.md §4, cose.md §6).
const TRIALS: usize = 16;
const PUBLIC_KEY_TRIALS: usize = 6;
/// Most public-key operations of a message's layer, countersignatures included (cose.md §6).
const PUBLIC_KEY_OPERATIONS: usize = 8;

/// Why a layer did not open.
#[derive(Debug)]
pub enum Unopened {
    /// Tag, MAC, signature, unwrap: one name for the whole oracle family.
    AuthFailed,
    /// What it held says that it is an envelope, and is none.
    Inner(Fault),
    /// A certificate in a header is another than the one that it is named by.
    Certificate,
    /// None of its key names is known yet.
    KeyUnknown(Vec<KeyName>),
    /// The record of this key fails its integrity check: a fault of ours with this one item.
    Tampered(String),
    /// A failure of ours. No verdict.
    Failed(String),
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
}

/// One authentic layer.
#[derive(Debug)]
pub struct ProvenLayer {
    authentic: Authentic,
    management: Option<&'static str>,
    binding: Binding,
    structure: CoseType,
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
        self.authentic.algorithm().name()
    }

    /// Name of the key-management algorithm.
    pub const fn management(&self) -> Option<&'static str> {
        self.management
    }

    /// The binding under which it is authentic.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The structure, as in its standard.
    pub const fn structure(&self) -> &'static str {
        self.structure.name()
    }

    /// Whether a signature makes the layer authentic; else an AEAD does.
    pub const fn is_signed(&self) -> bool {
        self.structure.signs()
    }

    /// The countersignatures on the layer, verified or not.
    pub fn countersignatures(&self) -> &[Countersigned] {
        &self.countersignatures
    }

    /// The Partial IV as a number.
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

/// Tries an admitted layer: fitting bindings under each key first; the others only if none opens. Of a COSE_Sign one
/// signer suffices, or `all_signers` that are known must hold.
pub fn open(
    admitted: &Admitted,
    proof: Proof,
    keystore: &Keystore,
    reading: &Reading<'_>,
    all_signers: bool,
) -> Result<Layer, Unopened> {
    let Envelope::Cose(message) = admitted.envelope();
    if all_signers && message.structure() == CoseType::Sign {
        others_hold(message, admitted, keystore)?;
    }
    let mut trials = if costs_public_key_operations(message) { PUBLIC_KEY_TRIALS } else { TRIALS };
    for bindings in [Attempt::fitting, Attempt::diagnostic] {
        for attempt in admitted.attempts() {
            let mut bindings = bindings(attempt);
            bindings.truncate(trials);
            trials -= bindings.len();
            if bindings.is_empty() {
                continue;
            }
            match recipe::run(message, attempt, &bindings, proof.innermost(), keystore) {
                Ok((cleartext, authentic)) => {
                    let binding = bindings.swap_remove(authentic.trial());
                    let opened = Authenticated { message, attempt, binding, authentic };
                    let spare = PUBLIC_KEY_OPERATIONS - PUBLIC_KEY_TRIALS + trials.min(PUBLIC_KEY_TRIALS);
                    return opened.layer(cleartext, proof, keystore, reading, spare);
                }
                Err(OpenError::Rejected) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(Unopened::AuthFailed)
}

const fn costs_public_key_operations(message: &Message) -> bool {
    !matches!(message.structure(), CoseType::Encrypt0 | CoseType::Mac0)
}

/// Every signer with a known key holds under one of its keys.
fn others_hold(message: &Message, admitted: &Admitted, keystore: &Keystore) -> Result<(), Unopened> {
    let mut ways: Vec<Way> = admitted.attempts().iter().map(Attempt::way).collect();
    ways.dedup();
    for way in ways {
        let mut held = false;
        for attempt in admitted.attempts().iter().filter(|attempt| attempt.way() == way) {
            match recipe::run(message, attempt, &attempt.fitting(), None, keystore) {
                Ok(_) => held = true,
                Err(OpenError::Rejected) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !held {
            return Err(Unopened::AuthFailed);
        }
    }
    Ok(())
}

/// A layer that the strongroom found authentic, and how.
struct Authenticated<'a> {
    message: &'a Message,
    attempt: &'a Attempt,
    binding: Binding,
    authentic: Authentic,
}

impl Authenticated<'_> {
    /// Its facts join the proof, and its content is an envelope again where its type says so.
    fn layer(
        self,
        cleartext: Vec<u8>,
        proof: Proof,
        keystore: &Keystore,
        reading: &Reading<'_>,
        spare: usize,
    ) -> Result<Layer, Unopened> {
        let message = self.message;
        let content = if message.structure().encrypts() { cleartext } else { message.content().to_vec() };
        let nested = protected(&message.headers().content_type).as_ref().and_then(nested_type);
        // Only what the sender authenticated identifies a message: an outer layer can be made anew around it.
        let identity = if nested.is_none() { self.identity() } else { [0; 16] };
        let key = self.authentic.key();
        let countersignatures =
            countersign::verify(message, &self.binding, &key.tenant, keystore, reading.compat, spare)?;
        let proof = proof.and(self.proven(countersignatures));
        match nested {
            None => Ok(Layer::Content(Opened { proof, content, identity })),
            Some(cose_type) => {
                let inner = Envelope::parse_inner(&Arc::from(content), cose_type, reading).map_err(Unopened::Inner)?;
                Ok(Layer::Envelope(Box::new(inner), proof))
            }
        }
    }

    fn proven(self, countersignatures: Vec<Countersigned>) -> ProvenLayer {
        let (message, authentic) = (self.message, &self.authentic);
        ProvenLayer {
            management: self.attempt.management(),
            structure: message.structure(),
            sequence: sequence(message, authentic),
            kid_context: proven_bytes(message, authentic, &message.headers().kid_context),
            claims: protected(&message.headers().claims),
            content_type: protected(&message.headers().content_type),
            countersignatures,
            binding: self.binding,
            authentic: self.authentic,
        }
    }

    /// What identifies a message: tenant, key, the structure that was authenticated, and for what is encrypted the nonce
    /// and the ciphertext (threats.md A2). Never the raw envelope, which a relay can re-encode, and never a signature,
    /// which has many forms.
    fn identity(&self) -> [u8; 16] {
        let (message, key) = (self.message, self.authentic.key());
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(key.tenant.as_bytes());
        part(key.id.as_bytes());
        part(&key.version.to_be_bytes());
        part(&message.authenticated(self.attempt.way(), &self.binding));
        if message.structure().encrypts() {
            part(nonce(message));
            part(kid_context(message).unwrap_or_default());
            part(message.content());
        }
        let digest = hash.finalize();
        let mut identity = [0; 16];
        identity.copy_from_slice(&digest[..16]);
        identity
    }
}

fn kid_context(message: &Message) -> Option<&[u8]> {
    message.headers().kid_context.as_ref().map(|context| message.slice(&context.value))
}

/// A header counts as proven from the protected bucket alone.
fn protected<T: Clone>(header: &Option<Header<T>>) -> Option<T> {
    header.as_ref().filter(|header| header.bucket == Bucket::Protected).map(|header| header.value.clone())
}

/// Partial IV and kid context of an AEAD layer are authenticated by effect wherever they stand: they make the nonce and
/// the key. In other layers they are only numbers, proven from the protected bucket alone.
fn proven_bytes(message: &Message, authentic: &Authentic, header: &Option<Header<Range<usize>>>) -> Option<Vec<u8>> {
    let header = header.as_ref()?;
    let by_effect = message.structure() == CoseType::Encrypt0 && authentic.key().policy.derive;
    (by_effect || header.bucket == Bucket::Protected).then(|| message.slice(&header.value).to_vec())
}

fn sequence(message: &Message, authentic: &Authentic) -> Option<u64> {
    let header = message.headers().partial_iv.as_ref()?;
    let by_effect = message.structure().encrypts() && !message.is_unauthenticated();
    let bytes = (by_effect || header.bucket == Bucket::Protected).then(|| message.slice(&header.value))?;
    let counted = bytes.len() <= 8 && authentic.proves_sender();
    counted.then(|| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}
