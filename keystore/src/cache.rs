//! What stands before the records: keys looked up by name, and names that nothing has.
//!
//! Every entry bears the epoch in which its look-up began. An epoch ends whenever the database is seen to have changed,
//! and entries of ended epochs are not there: so a look-up that raced with an import cannot hide what it brought.

use std::hash::{Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache as Bounded, DefaultLifecycle};
use quick_cache::{Equivalent, UnitWeighter};

use crate::key::KeyRef;

/// Names with keys (keystore.md §5).
const KNOWN: usize = 10_000;

/// Names without: enough for a fleet not yet imported; a flood of invented ones displaces only each other.
const UNKNOWN: usize = 4_096;

/// How long a name stays unknown at most.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);

// The keyed hasher of std: kids come from the hostile side.
type Map<V> = Bounded<Named, V, UnitWeighter, RandomState>;

/// Bounded caches of look-ups by (tenant, kid).
pub(crate) struct Cache {
    epoch: AtomicU64,
    known: Map<Known>,
    unknown: Map<Unknown>,
}

#[derive(Clone)]
struct Known {
    epoch: u64,
    keys: Arc<[KeyRef]>,
}

#[derive(Clone, Copy)]
struct Unknown {
    epoch: u64,
    until: Instant,
}

struct Named {
    tenant: Box<str>,
    kid: Box<[u8]>,
}

struct Name<'a> {
    tenant: &'a str,
    kid: &'a [u8],
}

impl Hash for Named {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Name { tenant: &self.tenant, kid: &self.kid }.hash(state);
    }
}

impl Hash for Name<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.tenant.hash(state);
        self.kid.hash(state);
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.tenant == other.tenant && self.kid == other.kid
    }
}

impl Eq for Named {}

impl Equivalent<Named> for Name<'_> {
    fn equivalent(&self, named: &Named) -> bool {
        *self.kid == *named.kid && *self.tenant == *named.tenant
    }
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self { epoch: AtomicU64::new(1), known: bounded(KNOWN), unknown: bounded(UNKNOWN) }
    }

    /// To be asked before a look-up that [`keep`](Self::keep) is to store.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The keys of that name, none if nobody knows; empty if it is known that there are none.
    pub(crate) fn find(&self, tenant: &str, kid: &[u8]) -> Option<Vec<KeyRef>> {
        let (epoch, name) = (self.epoch(), Name { tenant, kid });
        if let Some(known) = self.known.get(&name).filter(|known| known.epoch == epoch) {
            return Some(known.keys.to_vec());
        }
        let unknown = self.unknown.get(&name)?;
        (unknown.epoch == epoch && unknown.until > Instant::now()).then(Vec::new)
    }

    /// Keeps what a look-up begun in `epoch` found.
    pub(crate) fn keep(&self, epoch: u64, tenant: &str, kid: &[u8], keys: &[KeyRef]) {
        let named = Named { tenant: tenant.into(), kid: kid.into() };
        if keys.is_empty() {
            self.unknown.insert(named, Unknown { epoch, until: Instant::now() + UNKNOWN_FOR });
        } else {
            self.known.insert(named, Known { epoch, keys: keys.into() });
        }
    }

    /// Ends the epoch and drops what it held.
    pub(crate) fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.clear();
        self.unknown.clear();
    }

    /// How many names are kept as unknown.
    #[cfg(test)]
    pub(crate) fn unknown_names(&self) -> usize {
        self.unknown.len()
    }
}

fn bounded<V: Clone>(names: usize) -> Map<V> {
    Map::with(names, names as u64, UnitWeighter, RandomState::new(), DefaultLifecycle::default())
}

#[cfg(test)]
mod tests;
