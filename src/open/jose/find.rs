//! The keys that recipients and signatures name, by kid or by a certificate.
//!
//! Imports `envelope`, `guard` and keystore look-ups. A name is a claim: it selects among known keys, and what a certificate
//! may add to them is the keystore's to say. Nothing is fetched.

use keystore::Keystore;
use keystore::key::{KeyRef, Name};
use keystore::trust::{Flaw, Usage};

use crate::envelope::jose::{Headers, Kind, Message};
use crate::guard::Arrival;
use crate::guard::admit::jose::Candidate;
use crate::item::{Departure, KeyName};
use crate::open::certificate::{Asks, Given, Protects, SHA_1, SHA_256};
use crate::open::{Unopened, found};

/// The keys that an envelope names, pending ones left out. None known: [`Unopened::KeyUnknown`].
pub(in crate::open) fn find(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    message: &Message,
) -> Result<Vec<Candidate>, Unopened> {
    let lenient = arrival.compat.allows(Departure::X5chainUnprotected);
    let asks = Asks { keystore, arrival, format: "jose", lenient };
    let mut finder = Finder { asks, kind: message.kind(), names: message.key_names(), flaw: None };
    let mut candidates = Vec::new();
    for (nth, way) in message.ways() {
        let keys = finder.named(way.headers())?;
        candidates.extend(keys.into_iter().map(|key| Candidate { way: nth, key }));
    }
    found(candidates, finder.flaw, || finder.names)
}

struct Finder<'a> {
    asks: Asks<'a>,
    kind: Kind,
    /// By what keys would be found that are not known.
    names: Vec<KeyName>,
    /// Why a certificate that is known may not be used.
    flaw: Option<Flaw>,
}

impl Finder<'_> {
    /// Keys by kid, else by certificate, else whatever there is (offline).
    fn named(&mut self, headers: &Headers) -> Result<Vec<KeyRef>, Unopened> {
        let given = given(headers);
        let by_kid = match &headers.kid {
            Some(kid) => self.asks.look_up(Some(Name::Kid(kid.value.as_bytes())))?,
            None if given.is_none() => return self.asks.look_up(None),
            None => Vec::new(),
        };
        if given.is_none() || !by_kid.is_empty() {
            return Ok(by_kid);
        }
        let found = match self.kind {
            Kind::Jws => given.keys(&self.asks, Usage::Signs)?,
            // It is the certificate of a key of ours, to which the sender sealed.
            Kind::Jwe => given.own(&self.asks)?,
        };
        self.names.extend(found.name);
        self.flaw = self.flaw.or(found.flaw);
        Ok(found.keys)
    }
}

/// What headers say of a certificate (RFC 7515 §4.1.6 to §4.1.8); of two hashes the longer counts.
fn given(headers: &Headers) -> Given<'_> {
    let sha_256 = headers.x5t_s256.as_ref().map(|x5t| (SHA_256, x5t.value.as_slice(), x5t.protected));
    let sha_1 = headers.x5t.as_ref().map(|x5t| (SHA_1, x5t.value.as_slice(), x5t.protected));
    let thumbprint = sha_256.or(sha_1);
    let chain = headers.x5c.iter().flat_map(|x5c| &x5c.value).map(Vec::as_slice).collect();
    Given {
        thumbprint: thumbprint.map(|(hash, value, _)| (hash, value)),
        chain,
        bag: Vec::new(),
        protects: Protects {
            thumbprint: thumbprint.is_some_and(|(.., protected)| protected),
            chain: headers.x5c.as_ref().is_some_and(|x5c| x5c.protected),
            bag: false,
        },
    }
}
