//! Who is told that something was committed: a subscription's worker, when it has something to deliver; whoever follows
//! the events, at each commit.
//!
//! Imports std and tokio's synchronisation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// Rung by the writer after COMMIT.
pub(in crate::store) struct Bells {
    committed: watch::Sender<i64>,
    subscriptions: Mutex<HashMap<i64, Arc<Notify>>>,
    /// A subscription was made, changed or removed.
    changed: Arc<Notify>,
}

impl Default for Bells {
    fn default() -> Self {
        Self { committed: watch::Sender::new(0), subscriptions: Mutex::default(), changed: Arc::default() }
    }
}

impl Bells {
    /// The number of the last thing that was committed.
    pub(in crate::store) fn committed(&self, last: i64) {
        self.committed.send_replace(last);
    }

    /// A subscription has something new.
    pub(in crate::store) fn ring(&self, subscription: i64) {
        if let Some(bell) = self.lock().get(&subscription) {
            bell.notify_one();
        }
    }

    /// Subscriptions are not what they were.
    pub(in crate::store) fn ring_changed(&self) {
        self.changed.notify_one();
    }

    /// Follows commits.
    pub(in crate::store) fn follow(&self) -> watch::Receiver<i64> {
        self.committed.subscribe()
    }

    /// A subscription's own bell.
    pub(in crate::store) fn bell(&self, subscription: i64) -> Arc<Notify> {
        Arc::clone(self.lock().entry(subscription).or_default())
    }

    /// Rung when a subscription was made, changed or removed.
    pub(in crate::store) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Notify>>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
