//! Key management: from where a secret comes to the content key, step by step. What each step yields has exactly the
//! length that the next one needs, so that no key is ever cut, padded or taken for another's.

use crate::key::{Algorithm, KeyRef};
use crate::ops::{Material, Secret, agreement, cbc_mac, kdf, symmetric, transport, unwrap, usable};
use crate::recipe::{Authentic, Info, Management, Peer, Start, Step};

/// Whose content key it is.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) key: &'a KeyRef,
    pub(super) sender: bool,
}

impl<'a> Origin<'a> {
    /// A symmetric key that one device alone holds proves it.
    pub(super) fn of_device(key: &'a KeyRef) -> Self {
        Self { key, sender: key.device.is_some() }
    }

    pub(super) fn authentic(self, algorithm: Algorithm, trial: usize) -> Authentic {
        Authentic { key: self.key.clone(), algorithm, trial, sender: self.sender }
    }
}

/// The content key of `length` bytes, and whose it is.
pub(super) fn content_key<'a>(
    management: &Management<'a>,
    content: Algorithm,
    length: usize,
) -> Option<(Secret, Origin<'a>)> {
    let (secret, origin, record) = start(management, content)?;
    let private = record.0.priv_other.as_ref().map(|bytes| bytes.as_slice());
    let key = steps(secret, management.steps, private, length)?;
    (key.len() == length).then_some((key, origin))
}

/// The first secret, whose it is, and the key record that the KDF inputs come from.
fn start<'a>(management: &Management<'a>, content: Algorithm) -> Option<(Secret, Origin<'a>, &'a KeyRef)> {
    match management.start {
        Start::Agree { key, algorithm, peer } => {
            let Material::Agree(private) = &key.0.material else { return None };
            if !usable(key, algorithm) || !followed_by(algorithm, management.steps) {
                return None;
            }
            let (public, sender) = public(key, algorithm, &peer)?;
            let origin = sender.map_or(Origin { key, sender: false }, Origin::of_device);
            Some((agreement::secret(private, &public)?, origin, key))
        }
        Start::Device { key, kid_context: _ } => {
            let master = symmetric(key, own_algorithm(management.steps, master_length(key)?, content)?)?;
            Some((master.as_it_is(key)?, Origin::of_device(key), key))
        }
        Start::Transport { key, algorithm, ciphertext } => {
            let Material::Transport(private) = &key.0.material else { return None };
            let secret = usable(key, algorithm).then(|| transport::decrypt(private, algorithm, ciphertext))??;
            Some((secret, Origin { key, sender: false }, key))
        }
    }
}

/// The other side's public key as the primitive takes it, and the key record that has it.
fn public<'a>(ours: &KeyRef, algorithm: Algorithm, peer: &Peer<'a>) -> Option<(Vec<u8>, Option<&'a KeyRef>)> {
    match peer {
        Peer::Point(point) => (point.kty == ours.kty).then(|| agreement::encoded(point))?.map(|bytes| (bytes, None)),
        Peer::Key(sender) => match &sender.0.material {
            // Ephemeral-static knows no key of the sender's beforehand.
            Material::Static(bytes) if algorithm.is_static() && usable(sender, algorithm) => {
                (sender.kty == ours.kty).then(|| (bytes.to_vec(), Some(*sender)))
            }
            _ => None,
        },
    }
}

/// Whether the steps are those of this agreement. What comes after them belongs to the recipients above.
fn followed_by(algorithm: Algorithm, steps: &[Step<'_>]) -> bool {
    let Some(agreement) = algorithm.agreement() else { return false };
    match (agreement.wrap, steps) {
        (None, [Step::Hkdf { hash, .. }, ..]) => *hash == agreement.hash,
        (Some(wrap), [Step::Hkdf { hash, .. }, Step::Unwrap { algorithm, .. }, ..]) => {
            *hash == agreement.hash && *algorithm == wrap
        }
        _ => false,
    }
}

/// The algorithm that a symmetric key is used with: that of its own recipient, or of the content.
fn own_algorithm(steps: &[Step<'_>], key: usize, content: Algorithm) -> Option<Algorithm> {
    match steps.first() {
        None => Some(content),
        Some(Step::Hkdf { hash, .. }) => Some(hash.direct()),
        Some(Step::HkdfAes { .. }) => cbc_mac::direct(key),
        Some(Step::Unwrap { algorithm, .. }) => Some(*algorithm),
    }
}

fn master_length(key: &KeyRef) -> Option<usize> {
    match &key.0.material {
        Material::Open(master) => Some(master.length()),
        _ => None,
    }
}

fn steps(mut secret: Secret, steps: &[Step<'_>], private: Option<&[u8]>, length: usize) -> Option<Secret> {
    for (at, step) in steps.iter().enumerate() {
        secret = next(&secret, step, private, needed(steps.get(at + 1), length))?;
    }
    Some(secret)
}

/// Bytes of the key that the next step takes, or the content; none if it takes any.
fn needed(step: Option<&Step<'_>>, length: usize) -> Option<usize> {
    match step {
        None => Some(length),
        Some(Step::Unwrap { algorithm, .. }) => algorithm.wrap(),
        Some(Step::Hkdf { .. } | Step::HkdfAes { .. }) => None,
    }
}

fn next(secret: &[u8], step: &Step<'_>, private: Option<&[u8]>, needed: Option<usize>) -> Option<Secret> {
    let fits = |length: usize| needed.is_none_or(|needed| needed == length);
    match *step {
        Step::Hkdf { hash, salt, info, length } if fits(length) => {
            kdf::hkdf(hash, salt, secret, &parts(info, private)?, length)
        }
        Step::HkdfAes { info, length } if fits(length) => {
            let parts = parts(info, private)?.concat();
            cbc_mac::hkdf(secret, &parts, length)
        }
        Step::Unwrap { algorithm, wrapped } if fits(wrapped.len().checked_sub(8)?) => {
            unwrap::unwrap(algorithm, secret, wrapped)
        }
        Step::Hkdf { .. } | Step::HkdfAes { .. } | Step::Unwrap { .. } => None,
    }
}

/// The info in two pieces: what is public, and SuppPrivInfo as the CBOR byte string that ends the context.
fn parts<'a>(info: Info<'a>, private: Option<&'a [u8]>) -> Option<[&'a [u8]; 2]> {
    if info.private { Some([info.bytes, private?]) } else { Some([info.bytes, &[]]) }
}
