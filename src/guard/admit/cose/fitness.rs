//! Which algorithms a way runs, and whether a key is of their kind: one key, one family (keystore.md K6).
//!
//! Imports its parent, `envelope`, `item` and the keystore's data.

use keystore::key::{Algorithm, KeyRef, Kty};

use crate::envelope::Curve;
use crate::envelope::cose::{self, Kind, Management, Message, Way};
use crate::guard::admit::{UNKNOWN, allows, in_policy, kty};
use crate::guard::{Arrival, Denied};
use crate::item::{Departure, Reason};

/// The algorithms of one way under one key.
pub(super) struct Fitness {
    /// The content step's.
    pub(super) content: Algorithm,
    /// The name of the key management's, where there is one.
    pub(super) management: Option<&'static str>,
    /// What the key itself does: it answers for that, for a wrapped or derived key is a fresh one.
    own: Algorithm,
    /// The curve of the key that it agrees with, where the envelope says.
    curve: Option<Curve>,
    /// It authenticates nothing.
    unauthenticated: bool,
}

impl Fitness {
    /// `guess`: the number of a content algorithm in place of the message's.
    pub(super) fn of(message: &Message, way: Way, key: &KeyRef, guess: Option<i64>) -> Result<Self, Denied> {
        let run = |of: &cose::Algorithm| Algorithm::from_cose(of.id, key.kty).ok_or(UNKNOWN);
        let signer = message.signer(way).and_then(cose::Signer::algorithm);
        let guessed = guess.and_then(cose::Algorithm::of);
        let body = guessed.or(signer).or_else(|| message.algorithm()).ok_or(UNKNOWN)?;
        let unauthenticated = message.is_unauthenticated();
        let Some(recipient) = message.recipient(way) else {
            let content = match body.kind {
                Kind::Signature => signature(body, key)?,
                _ => run(body)?,
            };
            return Ok(Self { content, management: None, own: content, curve: None, unauthenticated });
        };
        let content = run(body)?;
        let leaf = recipient.algorithm().ok_or(UNKNOWN)?;
        let own = match (recipient.management(), message.along(way).iter().rev().nth(1)) {
            // the shared key is the key of the layer above
            (Some(Management::Direct), Some(above)) => run(above.algorithm().ok_or(UNKNOWN)?)?,
            (Some(Management::Direct), None) => content,
            _ => run(leaf)?,
        };
        let peer = recipient.headers().ephemeral.as_ref().map(|header| &header.value);
        let curve = peer.or_else(|| recipient.headers().static_key()).and_then(|key| key.curve);
        Ok(Self { content, management: Some(leaf.name), own, curve, unauthenticated })
    }

    /// Whether the key is of the type, and of the half, that its own algorithm takes.
    pub(super) fn fits(&self, key: &KeyRef) -> bool {
        match family(self.own) {
            Family::Agreement => {
                key.private && key.kty.agrees() && self.curve.is_none_or(|curve| kty(curve) == key.kty)
            }
            Family::Hpke => key.private && key.kty.agrees(),
            Family::Signature => !key.private && verifies(self.own, key.kty),
            Family::Transport => key.private && key.kty == Kty::Rsa,
            Family::Aead | Family::Cipher | Family::Mac | Family::Wrap | Family::Derivation => {
                key.kty == Kty::Symmetric
            }
        }
    }

    /// Whether policy and departures allow what fits.
    pub(super) fn allowed(&self, key: &KeyRef, arrival: &Arrival<'_>) -> Result<(), Denied> {
        let not_allowed = |detail| Err(Denied::new(Reason::AlgNotAllowed, detail));
        if is_mix(self.own, key.kty) && !allows(Departure::CurveHashMix, key, arrival.compat) {
            return not_allowed("a hash of another size than the key's curve");
        }
        if self.own == Algorithm::Ed448 && !allows(Departure::Ed448, key, arrival.compat) {
            return not_allowed("Ed448 is off");
        }
        if self.unauthenticated && arrival.external_aad.is_some_and(|aad| !aad.is_empty()) {
            return not_allowed("nothing binds external data to encryption without authentication");
        }
        in_policy(self.own, key, |listed| family(listed) == family(self.own))
    }
}

/// A signature algorithm for this key: EdDSA is that of its curve, and of another kind of key nothing.
fn signature(algorithm: &cose::Algorithm, key: &KeyRef) -> Result<Algorithm, Denied> {
    let wrong = Denied::new(Reason::KeyNotUsable, "a key of another type or use");
    let known = Algorithm::from_cose(algorithm.id, key.kty);
    known.ok_or(if algorithm.name == "EdDSA" { wrong } else { UNKNOWN })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Aead,
    Agreement,
    Cipher,
    Derivation,
    Hpke,
    Mac,
    Signature,
    Transport,
    Wrap,
}

fn family(algorithm: Algorithm) -> Family {
    if algorithm.is_aead() {
        return Family::Aead;
    }
    match algorithm.cose().and_then(cose::Algorithm::of).map(|known| known.kind) {
        Some(Kind::Cipher { .. }) => Family::Cipher,
        Some(Kind::Mac { .. }) => Family::Mac,
        Some(Kind::Management(Management::Agree { .. } | Management::AgreeWrap { .. })) => Family::Agreement,
        Some(Kind::Management(Management::Transport)) => Family::Transport,
        Some(Kind::Management(Management::Wrap { .. })) => Family::Wrap,
        Some(Kind::Management(Management::Direct | Management::DirectHkdf | Management::DirectHkdfAes)) => {
            Family::Derivation
        }
        Some(Kind::Aead { .. }) => Family::Aead,
        Some(Kind::Hpke | Kind::Management(Management::Hpke)) => Family::Hpke,
        Some(Kind::Signature) | None => Family::Signature,
    }
}

/// Whether a public key of this kind can verify this algorithm at all.
const fn verifies(algorithm: Algorithm, kty: Kty) -> bool {
    match algorithm {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
            matches!(kty, Kty::Ec2P256 | Kty::Ec2P384 | Kty::Ec2P521)
        }
        Algorithm::Esp256 => matches!(kty, Kty::Ec2P256),
        Algorithm::Esp384 => matches!(kty, Kty::Ec2P384),
        Algorithm::Esp512 => matches!(kty, Kty::Ec2P521),
        Algorithm::Es256K => matches!(kty, Kty::Ec2Secp256k1),
        Algorithm::Ed25519 => matches!(kty, Kty::OkpEd25519),
        Algorithm::Ed448 => matches!(kty, Kty::OkpEd448),
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => matches!(kty, Kty::Akp),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => matches!(kty, Kty::Rsa),
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => matches!(kty, Kty::Rsa),
        _ => false,
    }
}

/// A hash of another size than the curve's: RFC 9053 §2.1 permits what RFC 9864 no longer does.
const fn is_mix(algorithm: Algorithm, kty: Kty) -> bool {
    match algorithm {
        Algorithm::Es256 => !matches!(kty, Kty::Ec2P256),
        Algorithm::Es384 => !matches!(kty, Kty::Ec2P384),
        Algorithm::Es512 => !matches!(kty, Kty::Ec2P521),
        _ => false,
    }
}
