//! One attempt as a recipe of the strongroom: where the secret comes from, what turns it into the content key, and the
//! content step.
//!
//! Imports `envelope`, `guard::admit` and the keystore's recipes. Nothing here sees a secret: it says in which order the
//! strongroom uses what the envelope holds.

use keystore::key::{Algorithm, Kty};
use keystore::recipe::{
    Authentic, EcY, Encapsulated, Hash, Info, Management, Nonce, Peer, Point, Recipe, Start, Step, Under,
};
use keystore::{Keystore, OpenError};

use crate::envelope::Binding;
use crate::envelope::cose::headers::Headers;
use crate::envelope::cose::{self, Message, Ordinate, PublicKey, Recipient};
use crate::guard::admit::cose::{Attempt, Peer as Side};
use crate::guard::admit::kty;
use crate::item::CoseType;

/// Runs one recipe: one key, all its bindings. `under` is the authentic layer around.
pub(super) fn run(
    message: &Message,
    attempt: &Attempt,
    bindings: &[Binding],
    under: Option<&Authentic>,
    keystore: &Keystore,
) -> Result<(Vec<u8>, Authentic), OpenError> {
    let way = attempt.way();
    let authenticated: Vec<Vec<u8>> = bindings.iter().map(|binding| message.authenticated(way, binding)).collect();
    let trials: Vec<&[u8]> = authenticated.iter().map(Vec::as_slice).collect();
    let (algorithm, messages, tag) = (attempt.algorithm(), trials.as_slice(), message.authenticator(way));
    if message.structure().signs() {
        return keystore.run(&Recipe::Verify { key: attempt.key(), algorithm, messages, signature: tag });
    }
    if message.is_encapsulated() {
        let to = encapsulated(message, attempt, message.headers(), &[]).ok_or(OpenError::Rejected)?;
        return keystore.run(&Recipe::DecryptHpke { to, aads: messages, ciphertext: message.content() });
    }
    let info = message.hpke_info(way).unwrap_or_default();
    let (start, steps) = manage(message, attempt, &info).ok_or(OpenError::Rejected)?;
    let management = Management { start, steps: &steps };
    let ciphertext = message.content();
    keystore.run(&match message.structure() {
        CoseType::Mac | CoseType::Mac0 => Recipe::Mac { management, algorithm, messages, tag },
        _ if message.is_unauthenticated() => {
            let under = Under::Layer(under.ok_or(OpenError::Rejected)?);
            Recipe::DecryptUnauthenticated { under, management, algorithm, iv: nonce(message), ciphertext }
        }
        _ => {
            let bytes = nonce(message);
            let whole = message.headers().iv.is_some();
            let nonce = if whole { Nonce::Full(bytes) } else { Nonce::Partial(bytes) };
            Recipe::Decrypt { management, algorithm, nonce, aads: messages, ciphertext }
        }
    })
}

/// IV or Partial IV; no bytes where there is none.
pub(super) fn nonce(message: &Message) -> &[u8] {
    let headers = message.headers();
    headers.iv.as_ref().or(headers.partial_iv.as_ref()).map_or(&[], |header| message.slice(&header.value))
}

/// What was encapsulated to the attempt's key.
fn encapsulated<'a>(
    message: &'a Message,
    attempt: &'a Attempt,
    headers: &Headers,
    info: &'a [u8],
) -> Option<Encapsulated<'a>> {
    let number = headers.alg.as_ref()?.value?;
    let encapsulated = message.slice(headers.encapsulated()?);
    Some(Encapsulated { key: attempt.key(), algorithm: by_number(number)?, encapsulated, info })
}

/// Key management along the attempt's way: the recipient at its end begins, those above unwrap. None where the envelope
/// lacks what its algorithm takes. `info` is what HPKE is bound to.
fn manage<'a>(message: &'a Message, attempt: &'a Attempt, info: &'a [u8]) -> Option<(Start<'a>, Vec<Step<'a>>)> {
    let key = attempt.key();
    let along = message.along(attempt.way());
    let Some((leaf, above)) = along.split_last() else {
        let kid_context = attempt.kid_context(message);
        return Some((Start::Device { key, kid_context }, Vec::new()));
    };
    let device = Start::Device { key, kid_context: None };
    let wrapped = message.slice(leaf.ciphertext());
    let own = leaf.algorithm()?;
    let (start, mut steps) = match leaf.management()? {
        cose::Management::Direct => (device, Vec::new()),
        cose::Management::DirectHkdf => (device, vec![hkdf(message, attempt, leaf, own)?]),
        cose::Management::DirectHkdfAes => (device, vec![hkdf_aes(message, attempt)?]),
        cose::Management::Wrap { .. } => (device, vec![Step::Unwrap { algorithm: by_number(own.id)?, wrapped }]),
        cose::Management::Agree { .. } => {
            (agree(message, attempt, leaf, own)?, vec![hkdf(message, attempt, leaf, own)?])
        }
        cose::Management::AgreeWrap { wrap, .. } => {
            let unwrap = Step::Unwrap { algorithm: by_number(i64::from(wrap))?, wrapped };
            (agree(message, attempt, leaf, own)?, vec![hkdf(message, attempt, leaf, own)?, unwrap])
        }
        cose::Management::Hpke => {
            let to = encapsulated(message, attempt, leaf.headers(), info)?;
            (Start::Hpke { to, ciphertext: wrapped }, Vec::new())
        }
        cose::Management::Transport => {
            (Start::Transport { key, algorithm: by_number(own.id)?, label: &[], ciphertext: wrapped }, Vec::new())
        }
    };
    for recipient in above.iter().rev() {
        let algorithm = by_number(recipient.algorithm()?.id)?;
        steps.push(Step::Unwrap { algorithm, wrapped: message.slice(recipient.ciphertext()) });
    }
    Some((start, steps))
}

fn by_number(id: i64) -> Option<Algorithm> {
    Algorithm::from_cose(id, Kty::Symmetric)
}

fn agree<'a>(
    message: &'a Message,
    attempt: &'a Attempt,
    leaf: &'a Recipient,
    own: &cose::Algorithm,
) -> Option<Start<'a>> {
    let headers = leaf.headers();
    let wire = || match leaf.management()?.is_static() {
        true => headers.static_key(),
        false => headers.ephemeral.as_ref().map(|key| &key.value),
    };
    let peer = match attempt.peer() {
        Side::Known(key) => Peer::Key(key),
        Side::Wire | Side::Contradicting => Peer::Point(point(message, wire()?)?),
    };
    Some(Start::Agree { key: attempt.key(), algorithm: by_number(own.id)?, peer })
}

fn point<'a>(message: &'a Message, key: &'a PublicKey) -> Option<Point<'a>> {
    let kty = kty(key.curve?);
    let y = key.y.as_ref().map(|y| match y {
        Ordinate::Full(y) => EcY::Full(message.slice(y)),
        Ordinate::Odd(odd) => EcY::Odd(*odd),
    });
    Some(Point { kty, x: message.slice(&key.x), y })
}

fn info<'a>(attempt: &'a Attempt) -> Info<'a> {
    Info { bytes: attempt.kdf_context(), private: attempt.key().policy.kdf_inputs.priv_other }
}

/// Bytes of the key that is derived.
fn length(message: &Message, attempt: &Attempt) -> Option<usize> {
    let (_, bits) = message.derived(attempt.way())?;
    usize::try_from(bits / 8).ok()
}

/// HKDF of a direct derivation, or of a key agreement; with key wrap it is SHA-256 for all sizes (RFC 9053 §6.4).
fn hkdf<'a>(
    message: &'a Message,
    attempt: &'a Attempt,
    leaf: &'a Recipient,
    own: &cose::Algorithm,
) -> Option<Step<'a>> {
    let hash = if matches!(own.id, -11 | -26 | -28) { Hash::Sha512 } else { Hash::Sha256 };
    let wire = leaf.headers().salt().map(|salt| message.slice(salt));
    let salt = wire.or(attempt.key().policy.kdf_inputs.salt.as_deref());
    Some(Step::Hkdf { hash, salt, info: info(attempt), length: length(message, attempt)? })
}

fn hkdf_aes<'a>(message: &Message, attempt: &'a Attempt) -> Option<Step<'a>> {
    Some(Step::HkdfAes { info: info(attempt), length: length(message, attempt)? })
}
