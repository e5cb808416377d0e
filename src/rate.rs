//! Leaf: how often somebody may do something, in constant memory.
//!
//! Imports std alone. Each asker has a token bucket, kept as the one instant at which it will be full again (GCRA, as
//! in ITU-T I.371): an atomic word, no lock. Askers are hashed into a fixed number of them under a key of this process,
//! so that ten million of them cost what one costs; two that meet in one word share its rate, and nobody outside can
//! tell which two.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Words; 64 KiB.
const SLOTS: usize = 8192;

/// A rate, and how far each asker is in it.
pub struct Rate {
    begun: Instant,
    interval_ns: u64,
    burst_ns: u64,
    keys: RandomState,
    full_at: Box<[AtomicU64]>,
}

impl Rate {
    /// `per_second` in the long run, `burst` at once; none where `per_second` is 0: unlimited.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval_ns = 1_000_000_000 / u64::from(Some(per_second).filter(|rate| *rate > 0)?);
        let full_at = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        let burst_ns = interval_ns.saturating_mul(u64::from(burst.max(1)));
        Some(Self { begun: Instant::now(), interval_ns, burst_ns, keys: RandomState::new(), full_at })
    }

    /// Takes one from the asker's bucket.
    ///
    /// # Errors
    /// Where it is empty: how long until there is one again.
    pub fn spend(&self, asker: impl Hash) -> Result<(), Duration> {
        self.spend_at(asker, self.begun.elapsed())
    }

    fn spend_at(&self, asker: impl Hash, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let Some(slot) = self.full_at.get(self.keys.hash_one(asker) as usize % SLOTS) else { return Ok(()) };
        let limit = now.saturating_add(self.burst_ns);
        let spent = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            Some(full_at.max(now).saturating_add(self.interval_ns)).filter(|full_at| *full_at <= limit)
        });
        spent.map(drop).map_err(|full_at| Duration::from_nanos((full_at + self.interval_ns).saturating_sub(limit)))
    }
}

#[cfg(test)]
mod tests;
