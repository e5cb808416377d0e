//! The keys that recipients and signatures name, by kid or by a certificate that is pinned.
//!
//! Imports `envelope`, `guard`, keystore look-ups and sha2. A name is a claim: it selects among known keys and adds none;
//! nothing is fetched.

use keystore::Keystore;
use keystore::key::{KeyRef, Name, Status};
use sha2::{Digest, Sha256};

use crate::envelope::jose::{Headers, Message};
use crate::guard::Arrival;
use crate::guard::admit::jose::Candidate;
use crate::open::Unopened;

/// COSE numbers of SHA-1 and SHA-256 (RFC 9054).
const SHA_1: i64 = -14;
const SHA_256: i64 = -16;

/// The keys that an envelope names, pending ones left out. None known: [`Unopened::KeyUnknown`].
pub(in crate::open) fn find(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    message: &Message,
) -> Result<Vec<Candidate>, Unopened> {
    let mut candidates = Vec::new();
    for (nth, way) in message.ways() {
        let keys = named(keystore, arrival, way.headers())?;
        candidates.extend(keys.into_iter().map(|key| Candidate { way: nth, key }));
    }
    if candidates.is_empty() { Err(Unopened::KeyUnknown(message.key_names())) } else { Ok(candidates) }
}

/// Keys by kid, else by certificate, else whatever there is (offline).
fn named(keystore: &Keystore, arrival: &Arrival<'_>, headers: &Headers) -> Result<Vec<KeyRef>, Unopened> {
    let look_up = |name| look_up(keystore, arrival, name);
    if let Some(kid) = &headers.kid {
        return look_up(Some(Name::Kid(kid.value.as_bytes())));
    }
    let leaf: Option<[u8; 32]> =
        headers.x5c.as_ref().and_then(|x5c| x5c.value.first()).map(|der| Sha256::digest(der).into());
    match (&headers.x5t_s256, &leaf, &headers.x5t) {
        (Some(x5t), Some(leaf), _) if x5t.value != leaf => Err(Unopened::Certificate),
        (Some(x5t), ..) => look_up(Some(Name::Thumbprint { hash: SHA_256, value: &x5t.value })),
        (None, Some(leaf), _) => look_up(Some(Name::Thumbprint { hash: SHA_256, value: leaf })),
        (None, None, Some(x5t)) => look_up(Some(Name::Thumbprint { hash: SHA_1, value: &x5t.value })),
        (None, None, None) => look_up(None),
    }
}

fn look_up(keystore: &Keystore, arrival: &Arrival<'_>, name: Option<Name<'_>>) -> Result<Vec<KeyRef>, Unopened> {
    let now = arrival.received_at.millis();
    let waiting = |key: &KeyRef| key.status == Status::Pending || key.not_before.is_some_and(|start| now < start);
    let mut known = keystore.find(arrival.tenant, name)?;
    known.retain(|key| !waiting(key));
    Ok(known)
}
