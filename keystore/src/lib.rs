//! The strongroom: the only crate that holds private and symmetric key bytes. Its interface is operations, never bytes.
//! No async, no HTTP, no message format.

pub mod error;
pub mod key;
pub mod recipe;

pub use error::{AdminError, OpenError};

/// What every key record inherits.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The gateway's audience, for records that name none.
    pub audience: Vec<String>,
}

/// Keys at rest and every private-key operation. `&self` everywhere; shared as `Arc<Keystore>`.
pub struct Keystore {}

/// An imported key, for the operator.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Key id.
    pub id: String,
    /// Version.
    pub version: u32,
}

impl Keystore {
    /// Opens or creates `root.key` (0600) and `keystore.db` in `data`; generates the gateway's P-256 key pair on first start.
    pub fn open(_data: &std::path::Path, _defaults: Defaults) -> Result<Self, AdminError> {
        unimplemented!()
    }

    /// A keystore in memory, for offline `open`: lenient import (no device needed, algorithms by key type).
    pub fn ephemeral(_defaults: Defaults) -> Result<Self, AdminError> {
        unimplemented!()
    }

    /// Number of the state of keystore.db; another process's change makes it differ. Drops caches on a change.
    pub fn generation(&self) -> Result<u64, OpenError> {
        unimplemented!()
    }

    /// Every key of that tenant and name (cap 8), whatever its use and state: the guard decides which fit.
    /// Offline: with `None`, every key (at most 8 that can serve); a key without kid fits any name.
    pub fn find(&self, _tenant: &str, _name: Option<key::Name<'_>>) -> Result<Vec<key::KeyRef>, OpenError> {
        unimplemented!()
    }

    /// Runs a recipe: cleartext (empty for `Verify`) and the proof that it held.
    pub fn run(&self, _recipe: &recipe::Recipe<'_>) -> Result<(Vec<u8>, recipe::Authentic), OpenError> {
        unimplemented!()
    }
}
