//! The keys that a message names: by certificate, by the identifier of a key, or, offline, by nothing at all.
//!
//! Imports `envelope`, `guard`, keystore look-ups and sha2. A certificate of the message is a candidate; what it may sign
//! is the keystore's to say.

use keystore::Keystore;
use keystore::key::{KeyRef, Kty, Name};
use keystore::trust::{Certified, Chain, Flaw, Usage};

use crate::envelope::cms::{Agreement, Message, Named, Originator, Recipient, Signer, Structure, Way as Asked};
use crate::guard::Arrival;
use crate::guard::admit::cms::{Candidate, Way};
use crate::item::Departure;
use crate::open::certificate::Asks;
use crate::open::cms::{has_digest, quiet};
use crate::open::{Unopened, found};

/// Most keys of one name, and of a message.
const KEYS: usize = 8;

/// The keys that a message names, pending ones left out. What is off is refused before any is looked for.
pub(in crate::open) fn find(
    keystore: &Keystore,
    arrival: &Arrival<'_>,
    message: &Message,
) -> Result<Vec<Candidate>, Unopened> {
    let asks = Asks { keystore, arrival, format: "cms", lenient: false };
    let mut finder = Finder { asks, message, flaw: None };
    finder.all().map_err(|why| quiet(message.around(), why))
}

struct Finder<'a> {
    asks: Asks<'a>,
    message: &'a Message,
    /// Why a certificate that is known may not be used.
    flaw: Option<Flaw>,
}

impl Finder<'_> {
    fn all(&mut self) -> Result<Vec<Candidate>, Unopened> {
        let message = self.message;
        if let Some(fault) = message.fault() {
            return Err(Unopened::Inner(fault.clone()));
        }
        let mut candidates = Vec::new();
        if message.structure() == Structure::EncryptedData {
            let symmetric = self.asks.look_up(None)?.into_iter().filter(|key| key.kty == Kty::Symmetric);
            candidates.extend(symmetric.map(|key| Candidate { way: Way::Body, key, sender: None }));
        }
        let usable = |recipient: &&(usize, &Recipient)| recipient.1.fault().is_none();
        for (nth, recipient) in message.recipients().iter().enumerate().collect::<Vec<_>>().iter().filter(usable) {
            self.recipient(Way::Recipient(*nth), recipient, &mut candidates)?;
        }
        for (nth, signer) in message.signers().iter().enumerate() {
            if let Some(named) = signer.named().filter(|_| signer.fault().is_none()) {
                let keys = self.signer(named, signer)?;
                candidates.extend(keys.into_iter().map(|key| Candidate { way: Way::Signer(nth), key, sender: None }));
            }
        }
        match message.structure().is_keyed() {
            true => found(candidates, self.flaw, || message.key_names()),
            false => Ok(candidates),
        }
    }

    fn recipient(&mut self, way: Way, recipient: &Recipient, found: &mut Vec<Candidate>) -> Result<(), Unopened> {
        let keys = match recipient.way() {
            Asked::Agreement(agreement) => return self.agreement(way, agreement, found),
            Asked::Encapsulation(encapsulation) => self.ours(&encapsulation.recipient)?,
            Asked::Kek(identifier, _) => self.asks.look_up(Some(Name::Kid(self.message.slice(identifier))))?,
            Asked::Other(_) => Vec::new(),
            Asked::Password(_) => {
                self.asks.look_up(None)?.into_iter().filter(|key| key.kty == Kty::Symmetric).collect()
            }
            Asked::Transport(named, _) => self.ours(named)?,
        };
        found.extend(keys.into_iter().map(|key| Candidate { way, key, sender: None }));
        Ok(())
    }

    /// With a key made for the message, or with the sender's static key, which then proves the sender.
    fn agreement(&mut self, way: Way, agreement: &Agreement, found: &mut Vec<Candidate>) -> Result<(), Unopened> {
        let ours = self.ours(&agreement.recipient)?;
        let senders = match &agreement.originator {
            Originator::Key(..) => vec![None],
            Originator::Named(_) if ours.is_empty() => return Ok(()),
            Originator::Named(named) => self.certified(named, Usage::Agrees, None)?.into_iter().map(Some).collect(),
        };
        for sender in senders {
            found.extend(ours.iter().map(|key| Candidate { way, key: key.clone(), sender: sender.clone() }));
        }
        Ok(())
    }

    /// Our private keys of that name.
    fn ours(&self, named: &Named) -> Result<Vec<KeyRef>, Unopened> {
        let mut keys = self.named(named)?;
        keys.retain(|key| key.private);
        Ok(keys)
    }

    fn signer(&mut self, named: &Named, signer: &Signer) -> Result<Vec<KeyRef>, Unopened> {
        self.certified(named, Usage::Signs, Some(signer))
    }

    /// Keys of certificates of that name: of the message, or recorded; without a certificate, pinned keys.
    fn certified(&mut self, named: &Named, usage: Usage, signer: Option<&Signer>) -> Result<Vec<KeyRef>, Unopened> {
        let (message, Asks { keystore, arrival, .. }) = (self.message, self.asks);
        let recorded = keystore.candidates(arrival.tenant, name(message, named))?;
        let carried: Vec<&[u8]> = message.certificates().collect();
        let leaves = message.named(named).chain(recorded.iter().map(Vec::as_slice)).take(KEYS);
        let mut keys: Vec<KeyRef> = Vec::new();
        let mut any = false;
        for leaf in leaves {
            any = true;
            if signer.is_some_and(|signer| !is_own(message, signer, leaf)) {
                return Err(Unopened::Certificate);
            }
            keys.extend(self.judged(leaf, &carried, usage)?.filter(|key| keys.iter().all(|known| known.id != key.id)));
        }
        if !any {
            keys = self.named(named)?;
            keys.retain(|key| !key.private);
        }
        Ok(keys)
    }

    fn judged(&mut self, leaf: &[u8], others: &[&[u8]], usage: Usage) -> Result<Option<KeyRef>, Unopened> {
        let Asks { keystore, arrival, format, .. } = self.asks;
        let any_purpose = arrival.compat.allows(Departure::EkuAny);
        let chain = Chain { leaf, others, usage, format, any_purpose };
        match keystore.certified(arrival.tenant, &chain, arrival.received_at.millis())? {
            Certified::Known(key) => Ok(Some(key)),
            Certified::Unknown => Ok(None),
            Certified::Unusable(flaw) => {
                self.flaw.get_or_insert(flaw);
                Ok(None)
            }
        }
    }

    /// The keys of that name; a key without a certificate goes by its kid as its key identifier.
    fn named(&self, named: &Named) -> Result<Vec<KeyRef>, Unopened> {
        let keys = self.asks.look_up(Some(name(self.message, named)))?;
        match named {
            Named::Ski(identifier) if keys.is_empty() => {
                self.asks.look_up(Some(Name::Kid(self.message.slice(identifier))))
            }
            _ => Ok(keys),
        }
    }
}

/// Whether a certificate is the one that the signer says is its own, where it says so (RFC 5035 §4).
fn is_own(message: &Message, signer: &Signer, certificate: &[u8]) -> bool {
    let said = signer.certificate().and_then(|of| Some((of.hash?, message.slice(&of.value))));
    said.is_none_or(|(hash, value)| has_digest(certificate, hash, value))
}

fn name<'a>(message: &'a Message, named: &Named) -> Name<'a> {
    match named {
        Named::IssuerSerial(issuer, serial) => {
            Name::IssuerSerial { issuer: message.slice(issuer), serial: message.slice(serial) }
        }
        Named::Ski(identifier) => Name::Ski(message.slice(identifier)),
    }
}
