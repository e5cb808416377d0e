//! Runs recipes. From here on a key is what the primitives make of it: parsed and derived once, then kept with its card,
//! so that a message costs its own cryptography and nothing else.

mod aead;
mod agreement;
mod cbc;
mod cbc_hmac;
mod cbc_mac;
mod ctr;
#[cfg(feature = "hpke")]
mod hpke;
mod kdf;
mod kem;
mod mac;
mod management;
mod sized;
mod transport;
mod unauthenticated;
mod unwrap;
mod verify;

use std::sync::Arc;

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::kem::DecapsulationKey;
use zeroize::{Zeroize, Zeroizing};

use crate::error::OpenError;
use crate::key::{Algorithm, KeyRef, Kty, Sizes};
use crate::ops::aead::ContentKey;
use crate::ops::kdf::Master;
use crate::ops::mac::MacKey;
use crate::ops::management::Origin;
use crate::ops::sized::Sealed;
use crate::ops::verify::Verifier;
use crate::private_key::KeyMaterial;
use crate::recipe::{Authentic, Encapsulated, Management, Nonce, Recipe, Start};

pub(crate) use agreement::is_sound as sound_x25519;
pub(crate) use kem::is_sound as sound_kem;
pub(crate) use verify::is_sound as sound_ed25519;

/// Longest nonce of any AEAD here.
const NONCE_MAX: usize = 16;

/// A key in the form its primitive takes.
pub(crate) enum Material {
    /// Our private key: agrees.
    Agree(Arc<PrivateKey>),
    /// Our private key: decapsulates.
    Decapsulate(Arc<DecapsulationKey>),
    /// A device's symmetric key, with the content keys made of it so far.
    Open(Box<Master>),
    /// A sender's static public key, in the primitive's encoding: is agreed with.
    Static(Arc<[u8]>),
    /// Our private RSA key: decrypts keys.
    Transport(Arc<transport::PrivateKey>),
    /// A sender's public key.
    Verify(Arc<Verifier>),
}

impl Material {
    /// None if the primitive does not take the key, which import has checked. A public EC key verifies or is agreed
    /// with, as its algorithms say.
    pub(crate) fn new(key: KeyMaterial, algs: &[Algorithm]) -> Option<Self> {
        let is_static = algs.iter().any(|algorithm| algorithm.is_static());
        let verifier = |verifier: Option<Verifier>| verifier.map(|verifier| Self::Verify(Arc::new(verifier)));
        match key {
            KeyMaterial::AkpPublic(set, key) => verifier(Verifier::ml_dsa(set, &key)),
            KeyMaterial::EcPrivate(scalar) => agreement::ec(&scalar).map(|key| Self::Agree(Arc::new(key))),
            KeyMaterial::EcPublic(point) if is_static => Some(Self::Static(point.sec1().into())),
            KeyMaterial::EcPublic(point) => verifier(Verifier::ec(&point, algs)),
            KeyMaterial::Ed25519Public(x) => verifier(Verifier::ed25519(&x)),
            KeyMaterial::Ed448Public(x) => verifier(Verifier::ed448(&x)),
            KeyMaterial::KemPrivate(key) => kem::private_key(&key).map(|key| Self::Decapsulate(Arc::new(key))),
            KeyMaterial::RsaPrivate(key) => transport::PrivateKey::new(&key).map(|key| Self::Transport(Arc::new(key))),
            KeyMaterial::RsaPublic(key) => verifier(Verifier::rsa(&key, algs)),
            KeyMaterial::Symmetric(key) => Some(Self::Open(Box::new(Master::new(key)))),
            KeyMaterial::X25519Private(key) => agreement::x25519(&key).map(|key| Self::Agree(Arc::new(key))),
            KeyMaterial::X25519Public(x) => Some(Self::Static(x.as_slice().into())),
        }
    }

    /// The same key for another card.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Agree(key) => Self::Agree(Arc::clone(key)),
            Self::Decapsulate(key) => Self::Decapsulate(Arc::clone(key)),
            Self::Open(master) => Self::Open(Box::new(master.share())),
            Self::Static(key) => Self::Static(Arc::clone(key)),
            Self::Transport(key) => Self::Transport(Arc::clone(key)),
            Self::Verify(key) => Self::Verify(Arc::clone(key)),
        }
    }
}

/// Runs a recipe: cleartext (empty for `Mac` and `Verify`) and the proof that it held.
pub(crate) fn run(recipe: &Recipe<'_>) -> Result<(Vec<u8>, Authentic), OpenError> {
    let held = match recipe {
        Recipe::Decrypt { management, algorithm, nonce, aads, ciphertext } => {
            decrypt(management, *algorithm, *nonce, aads, ciphertext)
        }
        Recipe::DecryptUnauthenticated { under: _, management, algorithm, iv, ciphertext } => {
            decrypt_unauthenticated(management, *algorithm, iv, ciphertext)
        }
        Recipe::DecryptHpke { to, aads, ciphertext } => decrypt_hpke(to, aads, ciphertext),
        Recipe::Mac { management, algorithm, messages, tag } => check(management, *algorithm, messages, tag),
        Recipe::Verify { key, algorithm, messages, signature } => {
            verify(key, *algorithm, |verifier| verifier.verify(*algorithm, messages, signature))
        }
        Recipe::VerifyPss { key, algorithm, mgf, salt, messages, signature } => {
            verify(key, *algorithm, |verifier| verifier.verify_pss(*algorithm, *mgf, *salt, messages, signature))
        }
    };
    held.ok_or(OpenError::Rejected)
}

fn decrypt(
    management: &Management<'_>,
    algorithm: Algorithm,
    nonce: Nonce<'_>,
    aads: &[&[u8]],
    ciphertext: &[u8],
) -> Option<(Vec<u8>, Authentic)> {
    let sizes = algorithm.content().filter(|_| algorithm.is_aead())?;
    if let Nonce::Sized { nonce, tag } = nonce {
        let (cek, origin) = management::content_key(management, algorithm, sizes.key)?;
        let (ciphertext, tag) = ciphertext.split_at_checked(ciphertext.len().checked_sub(tag)?)?;
        let sealed = Sealed { nonce, ciphertext, tag };
        let opened =
            aads.iter().enumerate().find_map(|(trial, aad)| Some((trial, sized::open(algorithm, &cek, aad, sealed)?)));
        return opened.map(|(trial, cleartext)| (cleartext, origin.authentic(algorithm, trial)));
    }
    if let (Start::Device { key, kid_context }, []) = (management.start, management.steps) {
        let (master, made) = content_key(key, algorithm, kid_context)?;
        let (cleartext, trial) = open(&made.content, sizes, nonce, aads, ciphertext)?;
        made.keep(master);
        return Some((cleartext, Origin::of_device(key).authentic(algorithm, trial)));
    }
    let (cek, origin) = management::content_key(management, algorithm, sizes.key)?;
    let (cleartext, trial) = open(&ContentKey::new(algorithm, &cek, &[])?, sizes, nonce, aads, ciphertext)?;
    Some((cleartext, origin.authentic(algorithm, trial)))
}

/// Whoever has our public key can have sealed it.
fn decrypt_hpke(to: &Encapsulated<'_>, aads: &[&[u8]], ciphertext: &[u8]) -> Option<(Vec<u8>, Authentic)> {
    let (mut cleartext, trial) = decapsulated(to, aads, ciphertext)?;
    let origin = Origin { key: to.key, sender: false };
    Some((std::mem::take(&mut *cleartext), origin.authentic(to.algorithm, trial)))
}

#[cfg(feature = "hpke")]
fn decapsulated(to: &Encapsulated<'_>, aads: &[&[u8]], ciphertext: &[u8]) -> Option<(Secret, usize)> {
    let Material::Agree(private) = &to.key.0.material else { return None };
    let usable = usable(to.key, to.algorithm);
    let context = || hpke::Context::of(to.algorithm, to.key.kty, private, to.encapsulated, to.info);
    usable.then(context)??.open(aads, ciphertext)
}

#[cfg(not(feature = "hpke"))]
const fn decapsulated(_: &Encapsulated<'_>, _: &[&[u8]], _: &[u8]) -> Option<(Secret, usize)> {
    None
}

fn decrypt_unauthenticated(
    management: &Management<'_>,
    algorithm: Algorithm,
    iv: &[u8],
    ciphertext: &[u8],
) -> Option<(Vec<u8>, Authentic)> {
    let sizes = algorithm.content().filter(|_| algorithm.is_unauthenticated())?;
    let (cek, origin) = management::content_key(management, algorithm, sizes.key)?;
    let cleartext = unauthenticated::decrypt(algorithm, &cek, iv, ciphertext)?;
    Some((cleartext, Origin { sender: false, ..origin }.authentic(algorithm, 0)))
}

fn check(
    management: &Management<'_>,
    algorithm: Algorithm,
    messages: &[&[u8]],
    tag: &[u8],
) -> Option<(Vec<u8>, Authentic)> {
    let sizes = algorithm.mac()?;
    if tag.len() != sizes.tag {
        return None;
    }
    let (key, origin) = management::mac_key(management, algorithm, sizes.key)?;
    let key = MacKey::new(algorithm, &key)?;
    let trial = messages.iter().position(|message| key.verifies(message, tag))?;
    Some((Vec::new(), origin.authentic(algorithm, trial)))
}

fn verify(
    key: &KeyRef,
    algorithm: Algorithm,
    trial: impl FnOnce(&Verifier) -> Option<usize>,
) -> Option<(Vec<u8>, Authentic)> {
    let Material::Verify(verifier) = &key.0.material else { return None };
    if !usable(key, algorithm) {
        return None;
    }
    let trial = trial(verifier)?;
    Some((Vec::new(), Origin { key, sender: true }.authentic(algorithm, trial)))
}

/// A content key made of a master for one algorithm and kid context, and whether the master knows it already.
struct Made {
    content: Arc<ContentKey>,
    fresh: Option<(Algorithm, Option<Box<[u8]>>)>,
}

impl Made {
    /// Only what has opened a message is kept: a flood of invented kid contexts displaces nothing.
    fn keep(self, master: &Master) {
        if let Some((algorithm, kid_context)) = self.fresh {
            master.keep(algorithm, kid_context, self.content);
        }
    }
}

fn content_key<'a>(key: &'a KeyRef, algorithm: Algorithm, kid_context: Option<&[u8]>) -> Option<(&'a Master, Made)> {
    let master = symmetric(key, algorithm)?;
    if let Some(content) = master.kept(algorithm, kid_context) {
        return Some((master, Made { content, fresh: None }));
    }
    let content = Arc::new(master.content_key(key, algorithm, kid_context)?);
    Some((master, Made { content, fresh: Some((algorithm, kid_context.map(Box::from))) }))
}

fn symmetric(key: &KeyRef, algorithm: Algorithm) -> Option<&Master> {
    match &key.0.material {
        Material::Open(master) if key.kty == Kty::Symmetric && usable(key, algorithm) => Some(master),
        _ => None,
    }
}

/// The second wall behind the guard's: state, and one family of algorithms per key (keystore.md K6).
fn usable(key: &KeyRef, algorithm: Algorithm) -> bool {
    key.status.opens() && key.policy.algs.contains(&algorithm)
}

/// Opens with the first trial that holds. The buffer is wiped before anything else sees it if none does.
fn open(
    content: &ContentKey,
    sizes: Sizes,
    nonce: Nonce<'_>,
    aads: &[&[u8]],
    sealed: &[u8],
) -> Option<(Vec<u8>, usize)> {
    let mut buffer = [0; NONCE_MAX];
    let nonce = place_nonce(content.base_iv(), sizes.nonce, nonce, &mut buffer)?;
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().checked_sub(sizes.tag)?)?;
    let mut cleartext = vec![0; ciphertext.len()];
    let mut trials = aads.iter().enumerate();
    match trials.find_map(|(trial, aad)| Some((trial, content.open(nonce, aad, ciphertext, tag, &mut cleartext)?))) {
        Some((trial, length)) => {
            cleartext.truncate(length);
            Some((cleartext, trial))
        }
        None => {
            cleartext.zeroize();
            None
        }
    }
}

/// The nonce: as it stands, or base IV XOR the Partial IV left-padded with zeros (RFC 9052 §3.1).
fn place_nonce<'a>(base_iv: &[u8], size: usize, nonce: Nonce<'_>, buffer: &'a mut [u8; NONCE_MAX]) -> Option<&'a [u8]> {
    let placed = buffer.get_mut(..size)?;
    match nonce {
        Nonce::Full(full) if full.len() == size => placed.copy_from_slice(full),
        Nonce::Partial(partial) if base_iv.len() == size && !partial.is_empty() && partial.len() <= size => {
            placed.copy_from_slice(base_iv);
            let tail = placed.iter_mut().skip(size - partial.len());
            tail.zip(partial).for_each(|(byte, of_partial)| *byte ^= of_partial);
        }
        Nonce::Full(_) | Nonce::Partial(_) | Nonce::Sized { .. } => return None,
    }
    Some(placed)
}

/// Bytes on their way from one primitive to the next.
type Secret = Zeroizing<Vec<u8>>;

#[cfg(test)]
mod tests;
