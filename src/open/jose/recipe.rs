//! One attempt as a recipe of the strongroom: where the secret comes from, what turns it into the content key, and the
//! content step (RFC 7516 §5.2, RFC 7515 §5.2).
//!
//! Imports `envelope`, `guard::admit` and the keystore's recipes. Nothing here sees a secret.

use keystore::key::{Algorithm, Kty};
use keystore::recipe::{Authentic, EcY, Hash, Management, Nonce, Peer, Point, Recipe, Start, Step};
use keystore::{Keystore, OpenError};

use crate::envelope::jose::{self, Encryption, Header, Message, PublicKey, Way};
use crate::guard::admit::jose::Attempt;
use crate::guard::admit::kty;

/// Runs one attempt.
pub(super) fn run(
    message: &Message,
    attempt: &Attempt,
    keystore: &Keystore,
) -> Result<(Vec<u8>, Authentic), OpenError> {
    let way = message.way(attempt.way()).ok_or(OpenError::Rejected)?;
    let (key, algorithm) = (attempt.key(), attempt.algorithm());
    let authenticated = message.authenticated(way);
    let messages: &[&[u8]] = &[&authenticated];
    let Some(encryption) = message.encryption() else {
        if algorithm.is_signature() {
            return keystore.run(&Recipe::Verify { key, algorithm, messages, signature: way.bytes() });
        }
        let management = Management { start: Start::Device { key, kid_context: None }, steps: &[] };
        return keystore.run(&Recipe::Mac { management, algorithm, messages, tag: way.bytes() });
    };
    let salt = salt(way);
    let (start, steps) = manage(way, attempt, encryption, &salt).ok_or(OpenError::Rejected)?;
    keystore.run(&Recipe::Decrypt {
        management: Management { start, steps: &steps },
        algorithm,
        nonce: Nonce::Full(message.iv()),
        aads: messages,
        ciphertext: message.content(),
    })
}

/// Key management (RFC 7518 §4). None where the envelope lacks what its algorithm takes, which the reader has checked.
fn manage<'a>(
    way: &'a Way,
    attempt: &'a Attempt,
    encryption: &Encryption,
    salt: &'a [u8],
) -> Option<(Start<'a>, Vec<Step<'a>>)> {
    let (key, wrapped, headers) = (attempt.key(), way.bytes(), way.headers());
    let device = Start::Device { key, kid_context: None };
    let known = way.key_management()?;
    let unwrap = |name: &str| Some(Step::Unwrap { algorithm: Algorithm::from_jose(name, Kty::Symmetric)?, wrapped });
    Some(match known.management {
        jose::Management::Direct => (device, Vec::new()),
        jose::Management::Wrap => (device, vec![unwrap(known.name)?]),
        jose::Management::GcmWrap => {
            let (iv, tag) = (bytes(&headers.iv), bytes(&headers.tag));
            (device, vec![Step::GcmUnwrap { algorithm: attempt.own(), iv, tag, wrapped }])
        }
        jose::Management::Agree => (agree(way, attempt)?, vec![concat(way, encryption.name, encryption.key)]),
        jose::Management::AgreeWrap { wrap, kek } => {
            (agree(way, attempt)?, vec![concat(way, known.name, usize::from(kek)), unwrap(wrap)?])
        }
        jose::Management::Transport if attempt.own() == Algorithm::RsaPkcs1V15 => {
            (Start::TransportV15 { key, ciphertext: wrapped, length: encryption.key }, Vec::new())
        }
        jose::Management::Transport => {
            (Start::Transport { key, algorithm: attempt.own(), label: &[], ciphertext: wrapped }, Vec::new())
        }
        jose::Management::Password { wrap, kek } => {
            let (iterations, length) = (headers.p2c.as_ref()?.value, usize::from(kek));
            (Start::Password { key, hash: hash(attempt.own())?, salt, iterations, length }, vec![unwrap(wrap)?])
        }
    })
}

fn agree<'a>(way: &'a Way, attempt: &'a Attempt) -> Option<Start<'a>> {
    let peer = Peer::Point(point(&way.headers().epk.as_ref()?.value)?);
    Some(Start::Agree { key: attempt.key(), algorithm: attempt.own(), peer })
}

fn point(key: &PublicKey) -> Option<Point<'_>> {
    let kty = kty(key.curve?);
    Some(Point { kty, x: &key.x, y: key.y.as_deref().map(EcY::Full) })
}

/// `id`: of direct agreement the name of the content encryption, else that of the whole algorithm (RFC 7518 §4.6.2).
fn concat<'a>(way: &'a Way, id: &'static str, length: usize) -> Step<'a> {
    let headers = way.headers();
    Step::Concat { algorithm_id: id, apu: bytes(&headers.apu), apv: bytes(&headers.apv), length }
}

fn bytes(header: &Option<Header<Vec<u8>>>) -> &[u8] {
    header.as_ref().map_or(&[], |header| &header.value)
}

/// The salt of PBES2: name of the algorithm, a zero, p2s (RFC 7518 §4.8.1.1).
fn salt(way: &Way) -> Vec<u8> {
    let name = way.key_management().map_or("", |known| known.name);
    [name.as_bytes(), &[0], bytes(&way.headers().p2s)].concat()
}

const fn hash(algorithm: Algorithm) -> Option<Hash> {
    match algorithm {
        Algorithm::Pbes2Hs256A128Kw => Some(Hash::Sha256),
        Algorithm::Pbes2Hs384A192Kw => Some(Hash::Sha384),
        Algorithm::Pbes2Hs512A256Kw => Some(Hash::Sha512),
        _ => None,
    }
}
