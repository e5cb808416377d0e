//! Key management: from where a secret comes to the content key, step by step. What each step yields has exactly the
//! length that the next one needs, so that no key is ever cut, padded or taken for another's.

use zeroize::Zeroizing;

use crate::key::{Agreement, Algorithm, KeyRef};
use crate::ops::aead::ContentKey;
use crate::ops::{Material, Secret, agreement, cbc_mac, decapsulated, kdf, kem, symmetric, unwrap, usable};
use crate::recipe::{Authentic, Hash, Info, Management, Peer, Start, Step};

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

/// The key of a MAC of at least `length` bytes, and whose it is. A record's own key has passed for its algorithm and may be
/// longer (RFC 7518 §3.2); one that is derived or carried has exactly that length.
pub(super) fn mac_key<'a>(
    management: &Management<'a>,
    algorithm: Algorithm,
    length: usize,
) -> Option<(Secret, Origin<'a>)> {
    let Management { start: Start::Device { key, .. }, steps: [] } = management else {
        return content_key(management, algorithm, length);
    };
    let master = symmetric(key, algorithm).filter(|master| algorithm.takes_symmetric(master.length()))?;
    Some((master.as_it_is(key)?, Origin::of_device(key)))
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
        Start::Decapsulate { key, algorithm, ciphertext } => {
            let Material::Decapsulate(private) = &key.0.material else { return None };
            if !usable(key, algorithm) || !wraps_after_derivation(management.steps) {
                return None;
            }
            Some((kem::decapsulate(private, algorithm, ciphertext)?, Origin { key, sender: false }, key))
        }
        Start::Device { key, kid_context: _ } => {
            let master = symmetric(key, own_algorithm(management.steps, master_length(key)?, content)?)?;
            Some((master.as_it_is(key)?, Origin::of_device(key), key))
        }
        Start::Hpke { to, ciphertext } => {
            let (secret, _) = decapsulated(&to, &[&[]], ciphertext)?;
            Some((secret, Origin { key: to.key, sender: false }, to.key))
        }
        Start::Password { key, hash, salt, iterations, length } => {
            let master = symmetric(key, password_algorithm(hash, management.steps)?)?;
            if needed(management.steps, length) != Some(length) {
                return None;
            }
            let kek = kdf::password(hash, master.password(), salt, iterations, length)?;
            Some((kek, Origin::of_device(key), key))
        }
        Start::Transport { key, algorithm, label, ciphertext } => {
            let Material::Transport(private) = &key.0.material else { return None };
            let secret = usable(key, algorithm).then(|| private.decrypt(algorithm, label, ciphertext))??;
            Some((secret, Origin { key, sender: false }, key))
        }
        Start::TransportV15 { key, ciphertext, length } => {
            let Material::Transport(private) = &key.0.material else { return None };
            let secret = usable(key, Algorithm::RsaPkcs1V15).then(|| private.decrypt_v15(ciphertext, length))??;
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
    match (algorithm.agreement(), steps) {
        (Some(Agreement::Concat), [Step::Concat { .. }, ..]) => true,
        (Some(Agreement::Hkdf(of)), [Step::Hkdf { hash, .. }, ..]) => *hash == of,
        (Some(Agreement::Wrap(wrap)), [derivation, Step::Unwrap { algorithm, .. }, ..]) => {
            derives(derivation) && *algorithm == wrap
        }
        (Some(Agreement::WrapDes), [derivation, Step::UnwrapDes { .. }, ..]) => derives(derivation),
        _ => false,
    }
}

/// RFC 9629 §4: a key derivation, then the key wrap that it names.
const fn wraps_after_derivation(steps: &[Step<'_>]) -> bool {
    matches!(steps, [derivation, Step::Unwrap { .. }, ..] if derives(derivation))
}

const fn derives(step: &Step<'_>) -> bool {
    matches!(step, Step::Concat { .. } | Step::Hkdf { .. } | Step::X963 { .. })
}

/// The algorithm that a password is used with.
fn password_algorithm(hash: Hash, steps: &[Step<'_>]) -> Option<Algorithm> {
    match (hash, steps.first()?) {
        (Hash::Sha256, Step::Unwrap { algorithm: Algorithm::A128Kw, .. }) => Some(Algorithm::Pbes2Hs256A128Kw),
        (Hash::Sha384, Step::Unwrap { algorithm: Algorithm::A192Kw, .. }) => Some(Algorithm::Pbes2Hs384A192Kw),
        (Hash::Sha512, Step::Unwrap { algorithm: Algorithm::A256Kw, .. }) => Some(Algorithm::Pbes2Hs512A256Kw),
        (_, Step::UnwrapPassword { .. }) => Some(Algorithm::PwriKek),
        _ => None,
    }
}

/// The algorithm that a symmetric key is used with: that of its own recipient, or of the content.
fn own_algorithm(steps: &[Step<'_>], key: usize, content: Algorithm) -> Option<Algorithm> {
    match steps.first() {
        None | Some(Step::CekHkdf { .. }) => Some(content),
        Some(Step::Hkdf { hash, .. }) => hash.direct(),
        Some(Step::HkdfAes { .. }) => cbc_mac::direct(key),
        Some(Step::GcmUnwrap { algorithm, .. } | Step::Unwrap { algorithm, .. }) => Some(*algorithm),
        Some(Step::Concat { .. } | Step::UnwrapDes { .. } | Step::UnwrapPassword { .. } | Step::X963 { .. }) => None,
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
        secret = next(&secret, step, private, needed(steps.get(at + 1..)?, length))?;
    }
    Some(secret)
}

/// Bytes of the key that these steps take, or the content if there are none; none if any serves.
fn needed(steps: &[Step<'_>], length: usize) -> Option<usize> {
    let Some((first, rest)) = steps.split_first() else { return Some(length) };
    match first {
        // It keeps the length of what it is given.
        Step::CekHkdf { .. } => needed(rest, length),
        Step::GcmUnwrap { algorithm, .. } => Some(algorithm.gcm_wrap()?.content()?.key),
        Step::Unwrap { algorithm, .. } => algorithm.wrap(),
        Step::UnwrapDes { .. } => Some(DES_KEK),
        Step::UnwrapPassword { algorithm, .. } => Some(algorithm.content()?.key),
        Step::Concat { .. } | Step::Hkdf { .. } | Step::HkdfAes { .. } | Step::X963 { .. } => None,
    }
}

fn next(secret: &[u8], step: &Step<'_>, private: Option<&[u8]>, needed: Option<usize>) -> Option<Secret> {
    let fits = |length: usize| needed.is_none_or(|needed| needed == length).then_some(length);
    match *step {
        Step::CekHkdf { info } => kdf::content_bound(secret, info),
        Step::Concat { algorithm_id, apu, apv, length } => kdf::concat(secret, algorithm_id, apu, apv, fits(length)?),
        Step::GcmUnwrap { algorithm, iv, tag, wrapped } => {
            fits(wrapped.len())?;
            gcm_unwrap(algorithm.gcm_wrap()?, secret, iv, tag, wrapped)
        }
        Step::Hkdf { hash, salt, info, length } => kdf::hkdf(hash, salt, secret, &parts(info, private)?, fits(length)?),
        Step::HkdfAes { info, length } => cbc_mac::hkdf(secret, &parts(info, private)?.concat(), fits(length)?),
        Step::Unwrap { algorithm, wrapped } => {
            fits(wrapped.len().checked_sub(8)?)?;
            unwrap::unwrap(algorithm, secret, wrapped)
        }
        Step::UnwrapDes { wrapped } => {
            fits(wrapped.len().checked_sub(16)?)?;
            unwrap::unwrap_des(secret, wrapped)
        }
        Step::UnwrapPassword { algorithm, iv, wrapped } => {
            unwrap::unwrap_password(algorithm, secret, iv, wrapped, needed?)
        }
        Step::X963 { hash, info, length } => kdf::x963(hash, secret, info, fits(length)?),
    }
}

/// RFC 7518 §4.7: the content algorithm, over a key.
fn gcm_unwrap(algorithm: Algorithm, kek: &[u8], iv: &[u8], tag: &[u8], wrapped: &[u8]) -> Option<Secret> {
    let sizes = algorithm.content().filter(|sizes| iv.len() == sizes.nonce && tag.len() == sizes.tag)?;
    if kek.len() != sizes.key {
        return None;
    }
    let mut key = Zeroizing::new(vec![0; wrapped.len()]);
    ContentKey::new(algorithm, kek, &[])?.open(iv, &[], wrapped, tag, &mut key)?;
    Some(key)
}

/// Bytes of a triple-DES KEK.
const DES_KEK: usize = 24;

/// The info in two pieces: what is public, and SuppPrivInfo as the CBOR byte string that ends the context.
fn parts<'a>(info: Info<'a>, private: Option<&'a [u8]>) -> Option<[&'a [u8]; 2]> {
    if info.private { Some([info.bytes, private?]) } else { Some([info.bytes, &[]]) }
}
