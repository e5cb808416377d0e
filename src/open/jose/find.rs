//! The keys that recipients and signatures name, by kid or by a certificate.
//!
//! Imports `envelope`, `guard` and keystore look-ups. A name is a claim: it selects among known keys, and what a certificate
//! may add to them is the keystore's to say; nothing is fetched.

use keystore::Keystore;
use keystore::key::Name;
use keystore::trust::Usage;

use crate::envelope::jose::{Headers, Kind, Message};
use crate::guard::Arrival;
use crate::guard::admit::jose::Candidate;
use crate::open::Unopened;
use crate::open::certificate::{Asks, Found, Given, Protects, SHA_1, SHA_256};

/// The keys that an envelope names, pending ones left out. None known: [`Unopened::KeyUnknown`].
pub(in crate::open) fn find(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    message: &Message,
) -> Result<Vec<Candidate>, Unopened> {
    let asks = Asks { keystore, arrival, format: "jose", lenient: false };
    let (mut candidates, mut names, mut flaw) = (Vec::new(), message.key_names(), None);
    for (nth, way) in message.ways() {
        let found = named(&asks, message.kind(), way.headers())?;
        candidates.extend(found.keys.into_iter().map(|key| Candidate { way: nth, key }));
        names.extend(found.name);
        flaw = flaw.or(found.flaw);
    }
    match flaw {
        _ if !candidates.is_empty() => Ok(candidates),
        Some(flaw) => Err(Unopened::Unusable(flaw)),
        None => Err(Unopened::KeyUnknown(names)),
    }
}

/// Keys by kid, else by certificate, else whatever there is (offline).
fn named(asks: &Asks<'_>, kind: Kind, headers: &Headers) -> Result<Found, Unopened> {
    let look_up = |name| Ok::<_, Unopened>(asks.known(asks.keystore.find(asks.arrival.tenant, name)?));
    let given = given(headers);
    let by_kid = match &headers.kid {
        Some(kid) => look_up(Some(Name::Kid(kid.value.as_bytes())))?,
        None if given.is_none() => look_up(None)?,
        None => Vec::new(),
    };
    if given.is_none() || !by_kid.is_empty() {
        return Ok(Found { keys: by_kid, ..Found::default() });
    }
    match kind {
        Kind::Jws => given.keys(asks, Usage::Signs),
        // It is the certificate of a key of ours, to which the sender sealed (RFC 7516 §4.1.7).
        Kind::Jwe => given.own(asks),
    }
}

/// What these headers say of a certificate. Of two hashes the better one counts.
fn given(headers: &Headers) -> Given<'_> {
    let x5t = headers.x5t.as_ref().map(|x5t| (SHA_1, x5t));
    let thumbprint = headers.x5t_s256.as_ref().map(|x5t| (SHA_256, x5t)).or(x5t);
    let x5c = headers.x5c.as_ref();
    Given {
        thumbprint: thumbprint.map(|(hash, x5t)| (hash, x5t.value.as_slice())),
        chain: x5c.map(|x5c| x5c.value.iter().map(Vec::as_slice).collect()).unwrap_or_default(),
        bag: Vec::new(),
        protects: Protects {
            thumbprint: thumbprint.is_some_and(|(_, x5t)| x5t.protected),
            chain: x5c.is_some_and(|x5c| x5c.protected),
            bag: false,
        },
    }
}
