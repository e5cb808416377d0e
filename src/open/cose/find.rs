//! The keys that a layer names, by kid or by a certificate that is pinned.
//!
//! Imports `envelope`, `guard`, keystore look-ups and sha2. A name is a claim: it selects among known keys and adds none.

use keystore::Keystore;
use keystore::key::{KeyRef, Name, Status};
use sha2::{Digest, Sha256};

use crate::envelope::cose::headers::{Headers, Rare};
use crate::envelope::cose::{Management, Message, Recipient, Way};
use crate::guard::Arrival;
use crate::guard::admit::cose::{Candidate, Peer};
use crate::item::CoseType;
use crate::open::Unopened;

/// Most keys tried for one name, and for one layer (cose.md §6).
const KEYS: usize = 8;
/// COSE number of SHA-256 (RFC 9054).
const SHA_256: i64 = -16;
/// Labels of a certificate's thumbprint and of certificates: the key's own, and the sender's of ECDH-SS.
const OWN: (i64, &[i64]) = (34, &[33, 32]);
const SENDER: (i64, &[i64]) = (-27, &[-29]);

/// The keys that a layer names: 0–8 for each name, pending ones left out. None known: [`Unopened::KeyUnknown`].
pub(in crate::open) fn find(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    message: &Message,
) -> Result<Vec<Candidate>, Unopened> {
    let finder = Finder { keystore, arrival, message };
    let mut candidates = Vec::new();
    match message.structure() {
        CoseType::Encrypt0 | CoseType::Mac0 | CoseType::Sign1 => finder.way(Way::BODY, &mut candidates)?,
        CoseType::Encrypt | CoseType::Mac | CoseType::Sign => {
            for way in message.ways() {
                finder.way(way, &mut candidates)?;
            }
        }
    }
    if candidates.is_empty() { Err(Unopened::KeyUnknown(message.key_names())) } else { Ok(candidates) }
}

struct Finder<'a> {
    keystore: &'a Keystore,
    arrival: &'a Arrival<'a>,
    message: &'a Message,
}

impl Finder<'_> {
    fn way(&self, way: Way, candidates: &mut Vec<Candidate>) -> Result<(), Unopened> {
        let agreed = self.message.recipient(way).and_then(Recipient::management).is_some_and(Management::is_static);
        for key in self.named(self.message.naming(way))? {
            let peers = if agreed { self.peers(way, &key)? } else { vec![Peer::Wire] };
            candidates.extend(peers.into_iter().map(|peer| Candidate { way, key: key.clone(), peer }));
        }
        candidates.truncate(KEYS);
        Ok(())
    }

    /// Keys by kid, else by certificate, else whatever there is (offline).
    fn named(&self, headers: &Headers) -> Result<Vec<KeyRef>, Unopened> {
        match &headers.kid {
            Some(kid) => self.look_up(Some(Name::Kid(self.message.slice(&kid.value)))),
            None => match self.certified(headers, OWN)? {
                Some(keys) => Ok(keys),
                None => self.look_up(None),
            },
        }
    }

    /// Keys of pinned certificates that these headers name; none where they name no certificate.
    fn certified(&self, headers: &Headers, (x5t, chains): (i64, &[i64])) -> Result<Option<Vec<KeyRef>>, Unopened> {
        let leaves: Vec<[u8; 32]> = chains.iter().filter_map(|label| self.leaf(headers, *label)).collect();
        let Some(Rare::Thumbprint(thumbprint)) = headers.rare(x5t) else {
            let Some(leaf) = leaves.first() else { return Ok(None) };
            return self.look_up(Some(Name::Thumbprint { hash: SHA_256, value: leaf })).map(Some);
        };
        let value = self.message.slice(&thumbprint.digest);
        if thumbprint.algorithm == Some(SHA_256) && leaves.iter().any(|leaf| leaf != value) {
            return Err(Unopened::Certificate);
        }
        match thumbprint.algorithm {
            Some(hash) => self.look_up(Some(Name::Thumbprint { hash, value })).map(Some),
            None => Ok(Some(Vec::new())),
        }
    }

    /// SHA-256 of the end-entity certificate of a chain or bag.
    fn leaf(&self, headers: &Headers, label: i64) -> Option<[u8; 32]> {
        let Rare::Certificates(certificates) = headers.rare(label)? else { return None };
        Some(Sha256::digest(self.message.slice(certificates.first()?)).into())
    }

    /// Whose static key one of ours agrees with: one that is known by name, the one of our key's record, or what the
    /// envelope gives. A record that names one is contradicted by any other on the wire.
    fn peers(&self, way: Way, ours: &KeyRef) -> Result<Vec<Peer>, Unopened> {
        let headers = self.message.naming(way);
        let mut known = match headers.static_key_id() {
            Some(id) => self.look_up(Some(Name::Kid(self.message.slice(id))))?,
            None => self.certified(headers, SENDER)?.unwrap_or_default(),
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

    fn look_up(&self, name: Option<Name<'_>>) -> Result<Vec<KeyRef>, Unopened> {
        let now = self.arrival.received_at.millis();
        let waiting = |key: &KeyRef| key.status == Status::Pending || key.not_before.is_some_and(|start| now < start);
        let mut known = self.keystore.find(self.arrival.tenant, name)?;
        known.retain(|key| !waiting(key));
        Ok(known)
    }
}
