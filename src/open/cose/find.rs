//! The keys that a layer names, by kid or by a certificate.
//!
//! Imports `envelope`, `guard` and keystore look-ups. A name is a claim: it selects among known keys, and what a certificate
//! may add to them is the keystore's to say.

use keystore::Keystore;
use keystore::key::{KeyRef, Name};
use keystore::trust::{Flaw, Usage};

use crate::envelope::cose::headers::{Headers, Rare};
use crate::envelope::cose::{Management, Message, Recipient, Way};
use crate::guard::Arrival;
use crate::guard::admit::cose::{Candidate, Peer};
use crate::item::{CoseType, Departure, KeyName};
use crate::open::certificate::{Asks, Given, Protects};
use crate::open::{Unopened, found};

/// Most keys tried for one name, and for one layer (cose.md §6).
const KEYS: usize = 8;
/// Labels of a certificate's thumbprint, of a chain and of a bag: the key's own, and the sender's of ECDH-SS.
const OWN: [i64; 3] = [34, 33, 32];
const SENDER: [i64; 3] = [-27, -29, 0];

/// The keys that a layer names: 0–8 for each name, pending ones left out. None known: [`Unopened::KeyUnknown`].
pub(in crate::open) fn find(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    message: &Message,
) -> Result<Vec<Candidate>, Unopened> {
    let lenient = arrival.compat.allows(Departure::X5chainUnprotected);
    let asks = Asks { keystore, arrival, format: "cose", lenient };
    let mut finder = Finder { asks, message, names: message.key_names(), flaw: None };
    let mut candidates = Vec::new();
    match message.structure() {
        CoseType::Encrypt0 | CoseType::Mac0 | CoseType::Sign1 => finder.way(Way::BODY, &mut candidates)?,
        CoseType::Encrypt | CoseType::Mac | CoseType::Sign => {
            for way in message.ways() {
                finder.way(way, &mut candidates)?;
            }
        }
    }
    found(candidates, finder.flaw, || finder.names)
}

struct Finder<'a> {
    asks: Asks<'a>,
    message: &'a Message,
    /// By what keys would be found that are not known.
    names: Vec<KeyName>,
    /// Why a certificate that is known may not be used.
    flaw: Option<Flaw>,
}

impl<'a> Finder<'a> {
    fn way(&mut self, way: Way, candidates: &mut Vec<Candidate>) -> Result<(), Unopened> {
        let agreed = self.message.recipient(way).and_then(Recipient::management).is_some_and(Management::is_static);
        for key in self.named(way)? {
            let peers = if agreed { self.peers(way, &key)? } else { vec![Peer::Wire] };
            candidates.extend(peers.into_iter().map(|peer| Candidate { way, key: key.clone(), peer }));
        }
        candidates.truncate(KEYS);
        Ok(())
    }

    /// Keys by kid, else by certificate, else whatever there is (offline).
    fn named(&mut self, way: Way) -> Result<Vec<KeyRef>, Unopened> {
        let headers = self.message.naming(way);
        let given = self.given(headers, OWN);
        let by_kid = match &headers.kid {
            Some(kid) => self.asks.look_up(Some(Name::Kid(self.message.slice(&kid.value))))?,
            None if given.is_none() => return self.asks.look_up(None),
            None => Vec::new(),
        };
        if given.is_none() || !by_kid.is_empty() {
            return Ok(by_kid);
        }
        match self.message.structure() {
            CoseType::Sign | CoseType::Sign1 => self.certified(&given, Usage::Signs),
            // It is the certificate of a key of ours, to which the sender sealed.
            CoseType::Encrypt | CoseType::Encrypt0 | CoseType::Mac | CoseType::Mac0 => self.own(&given),
        }
    }

    /// What these headers say of a certificate.
    fn given(&self, headers: &'a Headers, [x5t, chain, bag]: [i64; 3]) -> Given<'a> {
        let certificates = |label| match headers.rare(label) {
            Some(Rare::Certificates(all)) => all.iter().map(|range| self.message.slice(range)).collect(),
            _ => Vec::new(),
        };
        let thumbprint = match headers.rare(x5t) {
            // A hash that is named by a text is none that anybody knows.
            Some(Rare::Thumbprint(x5t)) => Some((x5t.algorithm.unwrap_or(0), self.message.slice(&x5t.digest))),
            _ => None,
        };
        Given {
            thumbprint,
            chain: certificates(chain),
            bag: certificates(bag),
            protects: Protects {
                thumbprint: headers.protects(x5t),
                chain: headers.protects(chain),
                bag: headers.protects(bag),
            },
        }
    }

    fn certified(&mut self, given: &Given<'_>, usage: Usage) -> Result<Vec<KeyRef>, Unopened> {
        let found = given.keys(&self.asks, usage)?;
        self.names.extend(found.name);
        self.flaw = self.flaw.or(found.flaw);
        Ok(found.keys)
    }

    fn own(&mut self, given: &Given<'_>) -> Result<Vec<KeyRef>, Unopened> {
        let found = given.own(&self.asks)?;
        self.names.extend(found.name);
        Ok(found.keys)
    }

    /// Whose static key one of ours agrees with: one that is known by name, the one of our key's record, or what the
    /// envelope gives. A record that names one is contradicted by any other on the wire.
    fn peers(&mut self, way: Way, ours: &KeyRef) -> Result<Vec<Peer>, Unopened> {
        let headers = self.message.naming(way);
        let given = self.given(headers, SENDER);
        let mut known = match headers.static_key_id() {
            Some(id) => self.asks.look_up(Some(Name::Kid(self.message.slice(id))))?,
            None if given.is_none() => Vec::new(),
            None => self.certified(&given, Usage::Agrees)?,
        };
        known.retain(|key| key.kty == ours.kty && !key.private);
        known.extend(ours.static_sender.clone());
        let on_wire = headers.static_key().is_some();
        let wire = match (&ours.static_sender, on_wire) {
            (_, false) => None,
            (Some(_), true) => Some(Peer::Contradicting),
            (None, true) => Some(Peer::Wire),
        };
        Ok(known.into_iter().map(Peer::Known).chain(wire).collect())
    }
}
