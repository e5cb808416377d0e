//! The keys of certificates that an envelope carries or names by a hash, whatever its format (RFC 9360, RFC 7515 §4.1.6).
//!
//! Imports `guard`, `item`, keystore look-ups and sha2. A certificate that nothing protects may select a pinned one, no
//! more: whoever changes the envelope could put another in its place, with the same key and another name.

use keystore::Keystore;
use keystore::key::{KeyRef, Name, Status};
use keystore::trust::{Certified, Chain, Flaw, Usage};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::guard::Arrival;
use crate::item::KeyName;
use crate::open::Unopened;

/// COSE numbers of hashes (RFC 9054).
pub(in crate::open) const SHA_1: i64 = -14;
const SHA_256_64: i64 = -15;
pub(in crate::open) const SHA_256: i64 = -16;
const SHA_384: i64 = -43;
const SHA_512: i64 = -44;

/// What an envelope says of the certificate of one key.
#[derive(Clone, Debug, Default)]
pub(in crate::open) struct Given<'a> {
    /// A hash of it: the number of the algorithm, and its value.
    pub(in crate::open) thumbprint: Option<(i64, &'a [u8])>,
    /// A chain that it begins.
    pub(in crate::open) chain: Vec<&'a [u8]>,
    /// Certificates in whatever order.
    pub(in crate::open) bag: Vec<&'a [u8]>,
    /// Which of the three are integrity-protected.
    pub(in crate::open) protects: Protects,
}

/// Which headers are integrity-protected.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::open) struct Protects {
    pub(in crate::open) thumbprint: bool,
    pub(in crate::open) chain: bool,
    pub(in crate::open) bag: bool,
}

/// The certificate that is meant, and whether that is certain.
#[derive(Clone, Copy)]
struct Meant<'a> {
    leaf: Option<&'a [u8]>,
    bound: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(in crate::open) struct Found {
    pub(in crate::open) keys: Vec<KeyRef>,
    /// By what it would be found, where it is not known.
    pub(in crate::open) name: Option<KeyName>,
    /// Why one that is known may not be used.
    pub(in crate::open) flaw: Option<Flaw>,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(in crate::open) struct Asks<'a> {
    pub(in crate::open) keystore: &'a Keystore,
    pub(in crate::open) arrival: &'a Arrival<'a>,
    pub(in crate::open) format: &'static str,
    /// A certificate that nothing protects counts as one that something does.
    pub(in crate::open) lenient: bool,
}

impl Given<'_> {
    /// Whether a certificate is named at all.
    pub(in crate::open) fn is_none(&self) -> bool {
        self.thumbprint.is_none() && self.chain.is_empty() && self.bag.is_empty()
    }

    /// The hash that it is known by: the one that is given, else the SHA-256 of the one that is meant.
    pub(in crate::open) fn name(&self) -> Result<Option<KeyName>, Unopened> {
        let hash = |der| KeyName::Thumbprint { hash: SHA_256, value: Sha256::digest(der).to_vec() };
        let given = self.thumbprint.map(|(hash, value)| KeyName::Thumbprint { hash, value: value.to_vec() });
        Ok(given.or(self.meant()?.leaf.map(hash)))
    }

    /// The certificate that is meant. One that its own hash denies is refused.
    fn meant(&self) -> Result<Meant<'_>, Unopened> {
        let Some((hash, value)) = self.thumbprint else {
            return Ok(match (self.chain.first(), self.bag.as_slice()) {
                (Some(leaf), _) => Meant { leaf: Some(leaf), bound: self.protects.chain },
                (None, [leaf]) => Meant { leaf: Some(leaf), bound: self.protects.bag },
                // Of several in no order nobody can tell: the first may still be a pinned one.
                (None, bag) => Meant { leaf: bag.first().copied(), bound: false },
            });
        };
        let named = |der: &&[u8]| digest(hash, der).is_some_and(|digest| digest == value);
        let leaf = self.chain.iter().take(1).chain(&self.bag).copied().find(named);
        let denied = self.chain.first().is_some_and(|first| digest(hash, first).is_some() && !named(first));
        if denied || leaf.is_none() && self.bag.len() == 1 && digest(hash, self.bag[0]).is_some() {
            return Err(Unopened::Certificate);
        }
        let by_hash = self.protects.thumbprint && matches!(hash, SHA_256 | SHA_384 | SHA_512);
        let by_chain = self.protects.chain && leaf.is_some() && leaf == self.chain.first().copied();
        Ok(Meant { leaf, bound: by_hash || by_chain })
    }

    /// The keys of what is meant, pending ones left out.
    pub(in crate::open) fn keys(&self, asks: &Asks<'_>, usage: Usage) -> Result<Found, Unopened> {
        let Meant { leaf, bound } = self.meant()?;
        let bound = bound || asks.lenient;
        let mut found = Found::default();
        match leaf {
            Some(leaf) => self.judge(asks, usage, leaf, bound, &mut found)?,
            None => self.by_hash(asks, usage, bound, &mut found)?,
        }
        if found.keys.is_empty() {
            found.name = self.name()?;
        }
        Ok(found)
    }

    /// Our key, to whose certificate the sender sealed: by its names alone.
    pub(in crate::open) fn own(&self, asks: &Asks<'_>) -> Result<Found, Unopened> {
        let name = self.name()?;
        let Some(KeyName::Thumbprint { hash, value }) = &name else { return Ok(Found::default()) };
        let named = Name::Thumbprint { hash: *hash, value };
        let keys = asks.look_up(Some(named))?;
        Ok(Found { name: name.filter(|_| keys.is_empty()), keys, flaw: None })
    }

    /// Where the envelope leaves the certificate out: a pinned one, else one that is recorded.
    fn by_hash(&self, asks: &Asks<'_>, usage: Usage, bound: bool, found: &mut Found) -> Result<(), Unopened> {
        let Some((hash, value)) = self.thumbprint else { return Ok(()) };
        let name = Name::Thumbprint { hash, value };
        found.keys = asks.look_up(Some(name))?;
        if !found.keys.is_empty() || !bound {
            return Ok(());
        }
        for leaf in asks.keystore.candidates(asks.arrival.tenant, name)? {
            self.judge(asks, usage, &leaf, bound, found)?;
        }
        Ok(())
    }

    fn judge(
        &self,
        asks: &Asks<'_>,
        usage: Usage,
        leaf: &[u8],
        bound: bool,
        found: &mut Found,
    ) -> Result<(), Unopened> {
        let others: Vec<_> = self.chain.iter().chain(&self.bag).copied().filter(|other| *other != leaf).collect();
        let chain = Chain { leaf, others: &others, usage, format: asks.format, any_purpose: false };
        let (tenant, at) = (asks.arrival.tenant, asks.arrival.received_at.millis());
        let certified = match bound {
            true => asks.keystore.certified(tenant, &chain, at)?,
            false => asks.keystore.certified_by_pin(tenant, &chain, at)?,
        };
        match certified {
            Certified::Known(key) => found.keys.extend(asks.known(vec![key])),
            Certified::Unknown => {}
            Certified::Unusable(flaw) => found.flaw = Some(flaw),
        }
        Ok(())
    }
}

impl Asks<'_> {
    /// Keys of that name, pending ones left out; offline, without a name, all of them.
    pub(in crate::open) fn look_up(&self, name: Option<Name<'_>>) -> Result<Vec<KeyRef>, Unopened> {
        Ok(self.known(self.keystore.find(self.arrival.tenant, name)?))
    }

    fn known(&self, mut keys: Vec<KeyRef>) -> Vec<KeyRef> {
        let now = self.arrival.received_at.millis();
        keys.retain(|key| key.status != Status::Pending && key.not_before.is_none_or(|start| start <= now));
        keys
    }
}

/// Digest of a certificate. None for a hash that is not computed here.
fn digest(hash: i64, der: &[u8]) -> Option<Vec<u8>> {
    Some(match hash {
        SHA_256 => Sha256::digest(der).to_vec(),
        SHA_256_64 => Sha256::digest(der)[..8].to_vec(),
        SHA_384 => Sha384::digest(der).to_vec(),
        SHA_512 => Sha512::digest(der).to_vec(),
        _ => return None,
    })
}
