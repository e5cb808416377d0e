#![doc = include_str!("../README.md")]

mod backup;
mod cache;
mod cbor;
mod certificate;
mod enrol;
pub mod error;
mod export;
#[cfg(test)]
mod fixture;
mod generate;
mod import;
mod info;
pub mod key;
mod lifecycle;
mod ops;
mod policy;
mod private_key;
pub mod recipe;
mod records;
mod rest;
mod root;
mod tokens;
pub mod trust;
mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub use enrol::Imported;
pub use error::{AdminError, OpenError};
pub use export::{PublicKeyInfo, PublicKeys};
pub use import::ImportOptions;
pub use info::{CertificateInfo, CrlInfo, DeviceInfo, KeyInfo};
pub use tokens::{Scope, Token, TokenInfo};

use crate::cache::Cache;
use crate::key::{Entry, KeyRef, Name, Policy};
use crate::ops::Material;
use crate::private_key::Secrets;
use crate::records::Records;
use crate::records::key::{Found, KeyRow};
use crate::rest::Ring;
use crate::root::RootKey;
use crate::trust::paths::Paths;
use crate::trust::recording::Recorder;

/// Keys tried for one name (cose.md §6).
const CANDIDATES: u32 = 8;

/// What every key record inherits.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The gateway's audience, for records that name none.
    pub audience: Vec<String>,
}

/// Keys at rest and every private-key operation. `&self` everywhere; shared as `Arc<Keystore>`.
pub struct Keystore {
    records: Records,
    ring: Ring,
    cache: Cache,
    paths: Paths,
    defaults: Defaults,
    /// Nothing is recorded: keys may be without names, and prove themselves.
    offline: bool,
    /// `data_version` when the caches were last known to be right.
    seen: AtomicI64,
}

impl Keystore {
    /// Opens or creates `root.key` (0600) and `keystore.db` in `data`; generates the gateway's P-256 key pair on first
    /// start. A wrong root key is found before anything is written.
    pub fn open(data: &Path, defaults: Defaults) -> Result<Self, AdminError> {
        let database = data.join("keystore.db");
        let root = RootKey::provide(data, &database)?;
        let (records, ring) = Records::open(&database, &root, |tx, ring| enrol::found_gateway(tx, ring))?;
        let seen = AtomicI64::new(records.data_version()?);
        Ok(Self { records, ring, cache: Cache::new(), paths: Paths::new(), defaults, offline: false, seen })
    }

    /// A keystore in memory, for offline `open`: lenient import (no device needed, algorithms by key type).
    pub fn ephemeral(defaults: Defaults) -> Result<Self, AdminError> {
        let (records, ring) = Records::in_memory(&RootKey::random()?)?;
        Ok(Self {
            records,
            ring,
            cache: Cache::new(),
            paths: Paths::new(),
            defaults,
            offline: true,
            seen: AtomicI64::new(0),
        })
    }

    /// Imports a JWK, JWK Set, COSE_Key, COSE_KeySet, PEM or DER file, of keys, certificates or CRLs: all of it or nothing.
    /// A key that is there already, under the same kid and device, gets the new policy. A certificate gives its names to
    /// one of our keys if it is that key's, else it is an anchor if the options say so, pinned if they name a device and it
    /// is the first of its file, and else a candidate for paths. Of CRLs the newest that verifies is kept for each issuer.
    pub fn import(&self, bytes: &[u8], options: &ImportOptions) -> Result<Vec<Imported>, AdminError> {
        let drafts = import::read(bytes, options, self.offline)?;
        let tenant = options.tenant.as_deref().unwrap_or("default");
        self.write(drafts.len() as i64, |transaction, dek| {
            let recorder = Recorder { transaction, ring: &self.ring, dek, offline: self.offline, tenant };
            drafts.into_iter().map(|draft| recorder.record(draft)).collect()
        })
    }

    /// Takes a password as a key of its own, for PBES2 and for the password recipients of CMS, unless `options` name fewer
    /// algorithms.
    pub fn import_password(&self, password: &[u8], options: &ImportOptions) -> Result<Imported, AdminError> {
        let draft = import::password(password, options, self.offline)?;
        self.write(1, |transaction, dek| enrol::enrol(transaction, &self.ring, dek, self.offline, &draft))
    }

    /// Number of the state of keystore.db; another process's change makes it differ. Drops caches on a change.
    pub fn generation(&self) -> Result<u64, OpenError> {
        let version = self.records.data_version()?;
        if self.seen.swap(version, Ordering::AcqRel) != version {
            self.cache.forget();
        }
        Ok(self.cache.epoch())
    }

    /// Every key of that tenant and name (cap 8), whatever its use and state: the guard decides which fit.
    /// Offline: with `None`, every key, of which the guard tries those that fit; a key without kid fits any name.
    /// A record that fails its integrity check is passed over while another of that name is whole.
    pub fn find(&self, tenant: &str, name: Option<Name<'_>>) -> Result<Vec<KeyRef>, OpenError> {
        match name {
            Some(Name::Kid(kid)) if kid.is_empty() || kid.len() > 256 => Ok(Vec::new()),
            Some(Name::Kid(kid)) => match self.cache.find(tenant, kid) {
                Some(keys) => Ok(keys),
                None => self.look_up(tenant, kid),
            },
            Some(of_certificate) => {
                let Some(name) = records::name::recorded(&of_certificate) else { return Ok(Vec::new()) };
                let found = self
                    .records
                    .read(|connection| records::key::by_name(connection, &self.ring, tenant, &name, CANDIDATES))?;
                self.key_refs(found)
            }
            None if self.offline => {
                let found = self.records.read(|connection| records::key::by_tenant(connection, &self.ring, tenant))?;
                self.key_refs(found)
            }
            None => Ok(Vec::new()),
        }
    }

    /// Runs a recipe: cleartext (empty for `Verify`) and the proof that it held.
    pub fn run(&self, recipe: &recipe::Recipe<'_>) -> Result<(Vec<u8>, recipe::Authentic), OpenError> {
        ops::run(recipe)
    }

    fn look_up(&self, tenant: &str, kid: &[u8]) -> Result<Vec<KeyRef>, OpenError> {
        let epoch = self.cache.epoch();
        let found = self
            .records
            .read(|connection| records::key::by_kid(connection, &self.ring, tenant, kid, self.offline, CANDIDATES))?;
        let mut keys = self.key_refs(found)?;
        for key in keys.iter_mut().filter(|key| key.kid.is_empty()) {
            *key = key.named(kid);
        }
        self.cache.keep(epoch, tenant, kid, &keys);
        Ok(keys)
    }

    fn key_refs(&self, found: Vec<Found>) -> Result<Vec<KeyRef>, OpenError> {
        let mut tampered = None;
        let mut keys = Vec::with_capacity(found.len());
        for found in found {
            match found.and_then(|row| self.key_ref(row)) {
                Ok(key) => keys.push(key),
                Err(id) => tampered = Some(id),
            }
        }
        match tampered {
            Some(id) if keys.is_empty() => Err(OpenError::Tampered(id)),
            Some(_) | None => Ok(keys),
        }
    }

    fn key_ref(&self, mut row: KeyRow) -> Result<KeyRef, String> {
        let Ok(Secrets { material, priv_other }) = row.unseal(&self.ring) else { return Err(row.id) };
        let private = material.is_private();
        let Some(material) = Material::new(material, &row.algs) else { return Err(row.id) };
        let mut policy = self.policy(&row);
        policy.kdf_inputs.priv_other = priv_other.is_some();
        let static_sender = row.stated.static_sender.take();
        let mut card = row.card(private, policy);
        card.static_sender = static_sender.and_then(|sender| enrol::static_sender(&card, &sender, self.offline));
        let priv_other = priv_other.map(|bytes| Arc::new(cbor::byte_string(&bytes)));
        Ok(KeyRef(Arc::new(Entry { card, material, priv_other })))
    }

    fn policy(&self, row: &KeyRow) -> Policy {
        // Offline, a device that is only the key's own thumbprint is no endpoint's name.
        let named = |device: &&str| !(self.offline && device.starts_with("jwk:"));
        row.stated.resolve(row, row.device.as_deref().filter(named), &self.defaults)
    }
}

#[cfg(test)]
mod tests;
