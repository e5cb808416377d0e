//! What identifies a message, whichever family it is of (threats.md A2): a hash over whose key it is under and what was
//! authenticated. Never the raw envelope, which a relay can re-encode, and never a signature, which has many forms.
//!
//! Imports the keystore's data and sha2.

use keystore::key::KeyRef;
use sha2::{Digest, Sha256};

/// First 16 octets of SHA-256 over tenant, key, its version and these parts, each with its length.
pub(in crate::open) fn of(key: &KeyRef, parts: &[&[u8]]) -> [u8; 16] {
    let version = key.version.to_be_bytes();
    let whose: [&[u8]; 3] = [key.tenant.as_bytes(), key.id.as_bytes(), &version];
    hash(whose.into_iter().chain(parts.iter().copied()))
}

/// The same of what no key is behind.
pub(in crate::open) fn of_nobody(parts: &[&[u8]]) -> [u8; 16] {
    hash(parts.iter().copied())
}

fn hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut identity = [0; 16];
    identity.copy_from_slice(&digest[..16]);
    identity
}
