//! New devices: keys drawn at random, written down for both sides. The gateway gets symmetric masters, public signing
//! keys and what each may do; the device its private keys and the gateway's public key.

use std::borrow::ToOwned;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::TryCryptoRng;

use crate::algorithm::SignatureAlgorithm;
use crate::error::SealError;
use crate::format::Format;
use crate::key::{self, Gateway, Kid, PublicKey, SigningKey, SymmetricKey};
use crate::key_set::{Jwk, KeySet, Policy};
use crate::seal::{Sealer, Shape};

/// The operating system's randomness, for whoever has no other.
pub use getrandom::SysRng;

/// What a new device shall be.
pub struct Blueprint<'a> {
    /// Its identity.
    pub device: &'a str,
    /// The format that it seals in.
    pub format: Format,
    /// The application that it seals for.
    pub audience: &'a str,
    /// The resources that it may write to; it begins with the first. None among them: it may not know.
    pub paths: &'a [Option<&'a str>],
    /// The shapes that it may send: S and G need a symmetric key, G and P a signing key.
    pub shapes: &'a [Shape],
    /// Decides the kind of signing key.
    pub signature: SignatureAlgorithm,
    /// Needed for shape P.
    pub gateway: Option<&'a Gateway>,
}

/// A new device and its keys as JSON for either side.
pub struct Provisioned {
    /// What seals for it.
    pub sealer: Sealer,
    /// For the gateway to import: symmetric master and public signing key, with their policies.
    pub gateway_keys: Vec<Jwk>,
    /// For the device to keep: private keys.
    pub device_keys: Vec<Jwk>,
}

/// Draws kids that no two devices share: 4 bytes, as short as envelopes want them.
#[derive(Debug, Default)]
pub struct Kids(BTreeSet<[u8; 4]>);

/// Makes a device: draws its kids and keys.
pub fn provision<R: TryCryptoRng + ?Sized>(
    blueprint: &Blueprint<'_>,
    kids: &mut Kids,
    rng: &mut R,
) -> Result<Provisioned, SealError> {
    let policy = Policy::new(blueprint);
    let mut made = Provisioned { sealer: bare(blueprint), gateway_keys: Vec::new(), device_keys: Vec::new() };
    if blueprint.shapes.iter().any(|shape| shape.encrypts_symmetrically()) {
        made.add_symmetric(kids.draw_for(blueprint.format, rng)?, blueprint.format, &policy, rng)?;
    }
    if blueprint.shapes.iter().any(|shape| shape.signs()) {
        made.add_signing(kids.draw_for(blueprint.format, rng)?, blueprint, &policy, rng)?;
    }
    Ok(made)
}

/// The gateway's public key as a member of a device's key set.
pub fn gateway_key(gateway: &Gateway) -> Jwk {
    Jwk::of_gateway(gateway)
}

/// Key sets of a whole fleet: what the gateway imports, and what the devices keep.
pub fn key_sets(fleet: impl IntoIterator<Item = Provisioned>, gateway: Option<&Gateway>) -> (KeySet, KeySet) {
    let (mut gateway_side, mut device_side) = (KeySet::default(), KeySet::default());
    device_side.keys.extend(gateway.map(gateway_key));
    for made in fleet {
        gateway_side.keys.extend(made.gateway_keys);
        device_side.keys.extend(made.device_keys);
    }
    (gateway_side, device_side)
}

impl Kids {
    /// A kid not drawn before.
    pub fn draw<R: TryCryptoRng + ?Sized>(&mut self, rng: &mut R) -> Result<Kid, SealError> {
        // with a million kids drawn, 64 collisions in a row have odds of 2^-768: the source is broken
        for _ in 0..64 {
            let kid = *key::random::<4, R>(rng)?;
            if self.0.insert(kid) {
                return Kid::new(&kid);
            }
        }
        Err(SealError::Randomness)
    }

    /// The same, as text where the format knows no other names.
    fn draw_for<R: TryCryptoRng + ?Sized>(&mut self, format: Format, rng: &mut R) -> Result<Kid, SealError> {
        let kid = self.draw(rng)?;
        match format {
            Format::Jose => Kid::new(URL_SAFE_NO_PAD.encode(kid.as_bytes()).as_bytes()),
            Format::Cms | Format::Cose => Ok(kid),
        }
    }
}

impl Provisioned {
    fn add_symmetric<R: TryCryptoRng + ?Sized>(
        &mut self,
        kid: Kid,
        format: Format,
        policy: &Policy,
        rng: &mut R,
    ) -> Result<(), SealError> {
        let master = key::random::<32, R>(rng)?;
        let jwk = || match format {
            Format::Cms => Jwk::of_secret(&kid, "A256KW", &*master, policy),
            Format::Cose => Jwk::of_master(&kid, &*master, policy),
            Format::Jose => Jwk::of_secret(&kid, "A256GCM", &*master, policy),
        };
        self.gateway_keys.push(jwk());
        self.device_keys.push(jwk());
        self.sealer.symmetric = Some(SymmetricKey::master(kid, &*master)?);
        Ok(())
    }

    fn add_signing<R: TryCryptoRng + ?Sized>(
        &mut self,
        kid: Kid,
        blueprint: &Blueprint<'_>,
        policy: &Policy,
        rng: &mut R,
    ) -> Result<(), SealError> {
        let secret = match blueprint.signature {
            SignatureAlgorithm::Ed25519 => key::random::<32, R>(rng)?,
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Esp256 => key::scalar_bytes(&key::random_scalar(rng)?),
        };
        let signing = match blueprint.signature {
            SignatureAlgorithm::Ed25519 => SigningKey::ed25519(kid, &*secret)?,
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Esp256 => SigningKey::p256(kid, &*secret)?,
        };
        let algorithm = match (blueprint.format, signing.public()) {
            (Format::Cose, _) => None,
            (Format::Cms | Format::Jose, PublicKey::Ed25519(_)) => Some("EdDSA"),
            (Format::Cms | Format::Jose, PublicKey::P256(..)) => Some("ES256"),
        };
        let jwk = Jwk::of_public(signing.kid(), signing.public(), policy);
        self.gateway_keys.push(jwk.for_algorithm(algorithm));
        let jwk = Jwk::of_private(signing.kid(), signing.public(), &*secret, policy);
        self.device_keys.push(jwk.for_algorithm(algorithm));
        self.sealer.signing = Some(signing);
        Ok(())
    }
}

fn bare(blueprint: &Blueprint<'_>) -> Sealer {
    Sealer {
        device: blueprint.device.to_owned(),
        audience: blueprint.audience.to_owned(),
        path: blueprint.paths.first().copied().flatten().map(String::from),
        kid_context: None,
        symmetric: None,
        signing: None,
        gateway: blueprint.gateway.cloned(),
    }
}

#[cfg(test)]
mod tests;
