//! Runs recipes. From here on a key is what the primitives make of it: parsed and derived once, then kept with its card,
//! so that a message costs its own cryptography and nothing else.

mod aead;
mod agreement;
mod kdf;
mod unwrap;
mod verify;

use std::sync::Arc;

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::signature::ParsedPublicKey;
use zeroize::Zeroize;

use crate::error::OpenError;
use crate::key::{Algorithm, KeyRef, Kty, Sizes};
use crate::ops::aead::ContentKey;
use crate::ops::kdf::Master;
use crate::private_key::KeyMaterial;
use crate::recipe::{Authentic, Management, Nonce, Peer, Recipe, Start, Step};

pub(crate) use verify::is_sound as sound_ed25519;

/// Longest nonce of any algorithm here.
const NONCE_MAX: usize = 13;

/// A key in the form its primitive takes.
pub(crate) enum Material {
    /// Our private key: agrees.
    Agree(Arc<PrivateKey>),
    /// A device's symmetric key, with the content keys made of it so far.
    Open(Box<Master>),
    /// A sender's public key.
    Verify(Arc<ParsedPublicKey>),
}

impl Material {
    /// None if the primitive does not take the key, which import has checked.
    pub(crate) fn new(key: KeyMaterial) -> Option<Self> {
        match key {
            KeyMaterial::EcPrivate(scalar) => agreement::private_key(&scalar).map(|key| Self::Agree(Arc::new(key))),
            KeyMaterial::EcPublic(point) => verify::p256(&point).map(|key| Self::Verify(Arc::new(key))),
            KeyMaterial::Ed25519Public(x) => verify::ed25519(&x).map(|key| Self::Verify(Arc::new(key))),
            KeyMaterial::Symmetric(key) => Some(Self::Open(Box::new(Master::new(key)))),
        }
    }

    /// The same key for another card.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Agree(key) => Self::Agree(Arc::clone(key)),
            Self::Open(master) => Self::Open(Box::new(master.share())),
            Self::Verify(key) => Self::Verify(Arc::clone(key)),
        }
    }
}

/// Runs a recipe: cleartext (empty for `Verify`) and the proof that it held.
pub(crate) fn run(recipe: &Recipe<'_>) -> Result<(Vec<u8>, Authentic), OpenError> {
    let held = match recipe {
        Recipe::Decrypt { management, algorithm, nonce, aads, ciphertext } => {
            decrypt(management, *algorithm, *nonce, aads, ciphertext)
        }
        Recipe::DecryptUnauthenticated { .. } | Recipe::Mac { .. } => None,
        Recipe::Verify { key, algorithm, messages, signature } => verify(key, *algorithm, messages, signature),
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
    let sizes = algorithm.content()?;
    match (&management.start, management.steps) {
        (Start::Device { key, kid_context }, []) => {
            let (master, kept) = content_key(key, algorithm, *kid_context)?;
            let opened = open(&kept.content, sizes, nonce, aads, ciphertext)?;
            kept.keep(master);
            Some((opened.0, authentic(key, algorithm, opened.1, key.device.is_some())))
        }
        (
            Start::Agree { key, algorithm: wrap, peer: Peer::Point(point) },
            [Step::Hkdf { info, .. }, Step::Unwrap { wrapped, .. }],
        ) => {
            let private = agreeing(key, *wrap)?;
            let kek = agreement::kek(private, *wrap, *point, info.bytes)?;
            let cek = unwrap::cek(*wrap, &kek, wrapped, sizes.key)?;
            let opened = open(&ContentKey::new(algorithm, &cek, &[])?, sizes, nonce, aads, ciphertext)?;
            Some((opened.0, authentic(key, algorithm, opened.1, false)))
        }
        _ => None,
    }
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
    let Material::Open(master) = &key.0.material else { return None };
    if key.kty != Kty::Symmetric || !usable(key, algorithm) {
        return None;
    }
    if let Some(content) = master.kept(algorithm, kid_context) {
        return Some((master, Made { content, fresh: None }));
    }
    let content = Arc::new(master.content_key(key, algorithm, kid_context)?);
    Some((master, Made { content, fresh: Some((algorithm, kid_context.map(Box::from))) }))
}

fn agreeing(key: &KeyRef, wrap: Algorithm) -> Option<&PrivateKey> {
    match &key.0.material {
        Material::Agree(private) if usable(key, wrap) => Some(private),
        Material::Agree(_) | Material::Open(_) | Material::Verify(_) => None,
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
    match aads.iter().position(|aad| content.open(nonce, aad, ciphertext, tag, &mut cleartext)) {
        Some(trial) => Some((cleartext, trial)),
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
        Nonce::Full(_) | Nonce::Partial(_) => return None,
    }
    Some(placed)
}

fn verify(key: &KeyRef, algorithm: Algorithm, messages: &[&[u8]], signature: &[u8]) -> Option<(Vec<u8>, Authentic)> {
    let Material::Verify(public) = &key.0.material else { return None };
    if !usable(key, algorithm) || !verify::serves(key.kty, algorithm) || signature.len() != verify::SIGNATURE {
        return None;
    }
    let trial = messages.iter().position(|message| public.verify_sig(message, signature).is_ok())?;
    Some((Vec::new(), authentic(key, algorithm, trial, true)))
}

fn authentic(key: &KeyRef, algorithm: Algorithm, trial: usize, sender: bool) -> Authentic {
    Authentic { key: key.clone(), algorithm, trial, sender }
}

#[cfg(test)]
mod tests;
