//! Budgets of failed openings: how often one relay may fail on one key under a tag shorter than 16 octets, of which one
//! guess in 2^64 holds (threats.md §2). A relay that has spent its budget is refused for that key; other relays still
//! open, so none can silence a device through another.
//!
//! Imports `guard::admit` and the keystore's data. Kept in memory: a restart begins anew, which costs a forger more time
//! than it gives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keystore::key::KeyRef;

use crate::guard::admit::Admitted;

/// Failures after which a relay's envelopes for a key are refused: by then one forgery has odds of 2^-48.
const MOST: u32 = 1 << 16;

/// What each relay has spent on each key.
pub struct Budgets {
    most: u32,
    /// Whether anything was ever spent: honest traffic takes no lock.
    touched: AtomicBool,
    spent: Mutex<HashMap<(String, String), u32>>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Budgets {
    /// Budgets of `most` failures each.
    pub(super) fn of(most: u32) -> Self {
        Self { most, touched: AtomicBool::new(false), spent: Mutex::default() }
    }

    /// Whether this relay may not try one of these keys any more.
    pub(super) fn is_exhausted(&self, relay: &str, admitted: &Admitted) -> bool {
        if !self.touched.load(Ordering::Relaxed) {
            return false;
        }
        let spent = self.lock();
        let at_end = |key: &KeyRef| spent.get(&name(relay, key)).is_some_and(|&spent| spent >= self.most);
        admitted.short_tagged().any(at_end)
    }

    /// Counts a failure.
    pub(super) fn spend(&self, relay: &str, admitted: &Admitted) {
        for key in admitted.short_tagged() {
            self.touched.store(true, Ordering::Relaxed);
            let mut spent = self.lock();
            let spent = spent.entry(name(relay, key)).or_default();
            *spent = spent.saturating_add(1);
            if *spent == self.most {
                tracing::warn!(relay, key = key.id, failures = *spent, "this relay may not try this key any more");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), u32>> {
        // Counting does not panic half-way.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(relay: &str, key: &KeyRef) -> (String, String) {
    (relay.to_owned(), key.id.clone())
}
