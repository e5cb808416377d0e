//! The one door to the strongroom: an admitted layer becomes an authentic one, or nothing.
//!
//! May import `item`, `envelope`, `guard`, `guard::admit`, keystore operations and sha2. It joins what an envelope
//! builds from received bytes with what the key's record adds into one `Recipe`; shared secret, KEK and CEK stay in the
//! strongroom. A [`Proof`] is made of the strongroom's own `Authentic` values and of nothing else.

use std::sync::Arc;

use keystore::key::{Algorithm, KeyRef, Kty, Name, Status};
use keystore::recipe::{Authentic, EcY, Hash, Info, Management, Nonce, Peer, Point, Recipe, Start, Step};
use keystore::{Keystore, OpenError};
use sha2::{Digest, Sha256};

use crate::envelope::cose::headers::{Bucket, Claims, Header};
use crate::envelope::cose::{EphemeralY, Message, Structure};
use crate::envelope::{Binding, Envelope, Fault};
use crate::guard::Arrival;
use crate::guard::admit::{Admitted, Attempt, Candidate};
use crate::item::{ContentType, CoseType, KeyName};

/// Most keys tried for one name (cose.md §6).
const KEYS: usize = 8;
/// Most trials of an AEAD layer, and of one where each costs a public-key operation (profile.md §4, cose.md §6).
const TRIALS: usize = 16;
const PUBLIC_KEY_TRIALS: usize = 6;

/// Why a layer did not open.
#[derive(Debug)]
pub enum Unopened {
    /// Tag, MAC, signature, unwrap: one name for the whole oracle family.
    AuthFailed,
    /// What it held says that it is an envelope, and is none.
    Inner(Fault),
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
    Envelope(Envelope, Proof),
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
    structure: Structure,
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
        matches!(self.structure, Structure::Sign1)
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

/// The keys that a layer names: 0–8 for each name, pending ones left out. None known: [`Unopened::KeyUnknown`].
pub fn find(keystore: &Keystore, arrival: &Arrival<'_>, envelope: &Envelope) -> Result<Vec<Candidate>, Unopened> {
    let Envelope::Cose(message) = envelope;
    let mut candidates = Vec::new();
    match message.structure() {
        Structure::Encrypt => {
            for (recipient, headers) in message.recipients().iter().map(|recipient| recipient.headers()).enumerate() {
                let kid = headers.kid.as_ref().map(|kid| message.slice(&kid.value));
                find_named(keystore, arrival, kid, recipient, &mut candidates)?;
            }
        }
        Structure::Encrypt0 | Structure::Sign1 => {
            let kid = message.headers().kid.as_ref().map(|kid| message.slice(&kid.value));
            find_named(keystore, arrival, kid, 0, &mut candidates)?;
        }
    }
    if candidates.is_empty() { Err(Unopened::KeyUnknown(envelope.key_names())) } else { Ok(candidates) }
}

fn find_named(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    kid: Option<&[u8]>,
    recipient: usize,
    candidates: &mut Vec<Candidate>,
) -> Result<(), Unopened> {
    let now = arrival.received_at.millis();
    let known = keystore.find(arrival.tenant, kid.map(Name::Kid))?.into_iter();
    let waiting = |key: &KeyRef| key.status == Status::Pending || key.not_before.is_some_and(|start| now < start);
    let room = KEYS.saturating_sub(candidates.len());
    candidates.extend(known.filter(|key| !waiting(key)).map(|key| Candidate { recipient, key }).take(room));
    Ok(())
}

/// Tries an admitted layer: fitting bindings under each key first; the others only if none opens.
pub fn open(admitted: &Admitted, proof: Proof, keystore: &Keystore) -> Result<Layer, Unopened> {
    let Envelope::Cose(message) = admitted.envelope();
    let mut trials = if message.structure() == Structure::Encrypt0 { TRIALS } else { PUBLIC_KEY_TRIALS };
    for bindings in [Attempt::fitting, Attempt::diagnostic] {
        for attempt in admitted.attempts() {
            let mut bindings = bindings(attempt);
            bindings.truncate(trials);
            trials -= bindings.len();
            if bindings.is_empty() {
                continue;
            }
            match run(message, attempt, &bindings, keystore) {
                Ok((content, authentic)) => {
                    let binding = bindings.swap_remove(authentic.trial());
                    return layer(message, attempt, binding, content, authentic, proof);
                }
                Err(OpenError::Rejected) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(Unopened::AuthFailed)
}

/// Runs one recipe: one key, all its bindings.
fn run(
    message: &Message,
    attempt: &Attempt,
    bindings: &[Binding],
    keystore: &Keystore,
) -> Result<(Vec<u8>, Authentic), OpenError> {
    let authenticated: Vec<Vec<u8>> = bindings.iter().map(|binding| message.authenticated(binding)).collect();
    let trials: Vec<&[u8]> = authenticated.iter().map(Vec::as_slice).collect();
    if message.structure() == Structure::Sign1 {
        return keystore.run(&Recipe::Verify {
            key: attempt.key(),
            algorithm: attempt.algorithm(),
            messages: &trials,
            signature: message.signature(),
        });
    }
    let (kdf_context, steps);
    let management = match message.recipients().get(attempt.recipient()) {
        None => {
            Management { start: Start::Device { key: attempt.key(), kid_context: kid_context(message) }, steps: &[] }
        }
        Some(recipient) => {
            let (Some(ephemeral), Some(algorithm)) = (&recipient.headers().ephemeral, attempt.management()) else {
                return Err(OpenError::Rejected);
            };
            kdf_context = message.kdf_context(recipient);
            let (length, wrap) = match algorithm {
                Algorithm::EcdhEsA128Kw => (16, Algorithm::A128Kw),
                Algorithm::EcdhEsA256Kw => (32, Algorithm::A256Kw),
                _ => return Err(OpenError::Rejected),
            };
            let y = match &ephemeral.value.y {
                EphemeralY::Full(y) => EcY::Full(message.slice(y)),
                EphemeralY::Odd(odd) => EcY::Odd(*odd),
            };
            let point = Point { kty: Kty::Ec2P256, x: message.slice(&ephemeral.value.x), y: Some(y) };
            steps = [
                Step::Hkdf { hash: Hash::Sha256, salt: None, info: Info::public(&kdf_context), length },
                Step::Unwrap { algorithm: wrap, wrapped: message.slice(recipient.ciphertext()) },
            ];
            let start = Start::Agree { key: attempt.key(), algorithm, peer: Peer::Point(point) };
            Management { start, steps: &steps }
        }
    };
    keystore.run(&Recipe::Decrypt {
        management,
        algorithm: attempt.algorithm(),
        nonce: nonce(message).ok_or(OpenError::Rejected)?,
        aads: &trials,
        ciphertext: message.content(),
    })
}

fn nonce(message: &Message) -> Option<Nonce<'_>> {
    let headers = message.headers();
    let full = headers.iv.as_ref().map(|iv| Nonce::Full(message.slice(&iv.value)));
    full.or_else(|| headers.partial_iv.as_ref().map(|piv| Nonce::Partial(message.slice(&piv.value))))
}

fn kid_context(message: &Message) -> Option<&[u8]> {
    message.headers().kid_context.as_ref().map(|context| message.slice(&context.value))
}

/// An authentic layer: its facts join the proof, and its content is an envelope again where its type says so.
fn layer(
    message: &Message,
    attempt: &Attempt,
    binding: Binding,
    cleartext: Vec<u8>,
    authentic: Authentic,
    proof: Proof,
) -> Result<Layer, Unopened> {
    let content = if message.structure() == Structure::Sign1 { message.content().to_vec() } else { cleartext };
    let nested = protected(&message.headers().content_type).as_ref().and_then(nested_type);
    // Only what the sender authenticated identifies a message: an outer layer can be made anew around it.
    let identity = if nested.is_none() { identity(message, &authentic, &binding) } else { [0; 16] };
    let proven = ProvenLayer {
        management: attempt.management().map(Algorithm::name),
        structure: message.structure(),
        sequence: sequence(message, &authentic),
        kid_context: proven_bytes(message, &authentic, &message.headers().kid_context),
        claims: protected(&message.headers().claims),
        content_type: protected(&message.headers().content_type),
        binding,
        authentic,
    };
    let proof = proof.and(proven);
    match nested {
        None => Ok(Layer::Content(Opened { proof, content, identity })),
        Some(cose_type) => {
            let inner = Envelope::parse_inner(&Arc::from(content), cose_type).map_err(Unopened::Inner)?;
            Ok(Layer::Envelope(inner, proof))
        }
    }
}

/// The CoAP Content-Formats of COSE messages (RFC 9052 §10.3).
const fn nested_type(content_type: &ContentType) -> Option<CoseType> {
    let ContentType::Format(number) = content_type else { return None };
    Some(match *number {
        16 => CoseType::Encrypt0,
        17 => CoseType::Mac0,
        18 => CoseType::Sign1,
        96 => CoseType::Encrypt,
        97 => CoseType::Mac,
        98 => CoseType::Sign,
        _ => return None,
    })
}

/// A header counts as proven from the protected bucket alone.
fn protected<T: Clone>(header: &Option<Header<T>>) -> Option<T> {
    header.as_ref().filter(|header| header.bucket == Bucket::Protected).map(|header| header.value.clone())
}

/// Partial IV and kid context of an AEAD layer are authenticated by effect wherever they stand: they make the nonce and
/// the key. In a signed layer they are only numbers, proven from the protected bucket alone.
fn proven_bytes(
    message: &Message,
    authentic: &Authentic,
    header: &Option<Header<std::ops::Range<usize>>>,
) -> Option<Vec<u8>> {
    let header = header.as_ref()?;
    let by_effect = message.structure() == Structure::Encrypt0 && authentic.key().policy.derive;
    (by_effect || header.bucket == Bucket::Protected).then(|| message.slice(&header.value).to_vec())
}

fn sequence(message: &Message, authentic: &Authentic) -> Option<u64> {
    let header = message.headers().partial_iv.as_ref()?;
    let by_effect = message.structure() != Structure::Sign1;
    let bytes = (by_effect || header.bucket == Bucket::Protected).then(|| message.slice(&header.value))?;
    let counted = bytes.len() <= 8 && authentic.proves_sender();
    counted.then(|| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// What identifies a message: tenant, key, the structure that was authenticated, and for an AEAD nonce and ciphertext
/// (threats.md A2). Never the raw envelope, which a relay can re-encode, and never the signature, which has many forms.
fn identity(message: &Message, authentic: &Authentic, binding: &Binding) -> [u8; 16] {
    let key = authentic.key();
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(key.tenant.as_bytes());
    part(key.id.as_bytes());
    part(&key.version.to_be_bytes());
    part(&message.authenticated(binding));
    if message.structure() != Structure::Sign1 {
        match nonce(message) {
            Some(Nonce::Full(nonce) | Nonce::Partial(nonce)) => part(nonce),
            None => part(&[]),
        }
        part(kid_context(message).unwrap_or_default());
        part(message.content());
    }
    let digest = hash.finalize();
    let mut identity = [0; 16];
    identity.copy_from_slice(&digest[..16]);
    identity
}
