//! Opening a COSE message: one recipe for each key and way, and what its headers prove once it holds.
//!
//! Imports its parent, `envelope`, `guard::admit`, `item`, keystore operations and sha2.

use std::ops::Range;
use std::sync::Arc;

use keystore::recipe::Authentic;
use keystore::{Keystore, OpenError};

use crate::envelope::cose::headers::{Bucket, Header};
use crate::envelope::cose::{Message, Place, nested_type};
use crate::envelope::{Binding, Envelope, Reading};
use crate::guard::Arrival;
use crate::guard::admit::cose::{Admitted, Attempt};
use crate::item::{Compat, CoseType, Countersigned, Format};
use crate::open::cose::recipe::nonce;
use crate::open::{Layer, Opened, Proof, ProvenLayer, Unopened, all_signers, each_holds, identity, read_inner};

mod countersign;
mod find;
mod recipe;

pub(super) use find::find;

/// Most trials of an AEAD layer, and of one where each costs a public-key operation (profile.md §4, cose.md §6).
const TRIALS: usize = 16;
const PUBLIC_KEY_TRIALS: usize = 6;
/// Most public-key operations of a message's layer, countersignatures included (cose.md §6).
const PUBLIC_KEY_OPERATIONS: usize = 8;

/// Tries an admitted message: fitting bindings under each key first; the others only if none opens. Of a COSE_Sign one
/// signer suffices, or all that are known must hold where the caller or the record of one of them says so.
pub(super) fn open(
    admitted: &Admitted,
    proof: Proof,
    keystore: &Keystore,
    reading: &Reading<'_>,
    arrival: &Arrival<'_>,
) -> Result<Layer, Unopened> {
    let message = admitted.message();
    if message.structure() == CoseType::Sign && all_signers(arrival, admitted.attempts().iter().map(Attempt::key)) {
        each_holds(admitted.attempts(), Attempt::way, |attempt| {
            recipe::run(message, attempt, &attempt.fitting(), None, keystore)
        })?;
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
                    return opened.layer(cleartext, proof, keystore, reading, arrival, spare);
                }
                Err(OpenError::Rejected) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(Unopened::AuthFailed)
}

fn costs_public_key_operations(message: &Message) -> bool {
    !matches!(message.structure(), CoseType::Encrypt0 | CoseType::Mac0) || message.is_encapsulated()
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
        arrival: &Arrival<'_>,
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
                let content = Arc::from(content);
                let parse = |compat: &Compat| {
                    let reading = Reading { compat, ..reading.within() };
                    Message::parse(&content, Some(cose_type), Place::Inner, &reading).map(Envelope::Cose)
                };
                Ok(Layer::Envelope(Box::new(read_inner(keystore, arrival, parse)?), proof))
            }
        }
    }

    fn proven(self, countersignatures: Vec<Countersigned>) -> ProvenLayer {
        let (message, authentic) = (self.message, &self.authentic);
        ProvenLayer {
            management: self.attempt.management(),
            format: Format::Cose,
            structure: message.structure().name(),
            signed: message.structure().signs(),
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
        let authenticated = message.authenticated(self.attempt.way(), &self.binding);
        match message.structure().encrypts() {
            true => {
                let kid_context = kid_context(message).unwrap_or_default();
                identity::of(key, &[&authenticated, nonce(message), kid_context, message.content()])
            }
            false => identity::of(key, &[&authenticated]),
        }
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
