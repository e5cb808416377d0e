//! The one owner of opening: a thread that fans each batch out over the cores, joins it in the order of taking, and waits
//! for its commit before the next, so that honest traffic shows no false gap.
//!
//! Imports its parent, `item`, `store::ledger`, and rayon. A failure of ours ends a batch there: what was found before
//! it is concluded, the rest is read back from disk later (after 1 s, doubling to 60 s).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::{Failure, House, examine};
use crate::fault;
use crate::item::{ItemId, KeyName, Reason, Taken};
use crate::store::ledger::{Concluding, Finding, Held, Ledger};

/// Most items examined before a commit.
const BATCH: usize = 512;
/// How long a key imported by another process may wait for its held items to be looked at.
const WATCH: Duration = Duration::from_millis(200);
/// How often held items are looked at without cause: a key's `not_before` may have come.
const ROUND: Duration = Duration::from_secs(60);
/// Work below this is done where it is: waking threads, and their search for more, would cost more than it saves.
const WORTH_FANNING_OUT: Duration = Duration::from_millis(1);

/// Runs opening until it is stopped.
pub struct Owner {
    signals: Arc<Signals>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Signals {
    stop: AtomicBool,
    reopen: AtomicBool,
    failing: AtomicBool,
}

/// Asks the owner to try held items again, those quarantined by a fault of ours included.
#[derive(Clone)]
pub struct Reopen(Arc<Signals>);

impl Reopen {
    /// Asks; the owner looks within 200 ms.
    pub fn ask(&self) {
        self.0.reopen.store(true, Ordering::Release);
    }
}

/// Tells whether opening works.
#[derive(Clone)]
pub struct Health(Arc<Signals>);

impl Health {
    /// False while a failure of ours keeps items pending.
    pub fn is_well(&self) -> bool {
        !self.0.failing.load(Ordering::Acquire)
    }
}

impl Owner {
    /// Starts the thread, with `threads` cores to fan out over. Whatever is pending on disk is opened first.
    pub fn start(house: House, ledger: Ledger, threads: usize) -> Result<Self, Failure> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|nth| format!("opening-{nth}"));
        let pool = pool.build().map_err(|error| Failure(error.to_string()))?;
        let signals = Arc::new(Signals::default());
        let (signalled, looked) = (Arc::clone(&signals), Instant::now());
        let mut walk =
            Walk { house, ledger, pool, signals: signalled, generation: None, looked, open_time: Duration::ZERO };
        let named = std::thread::Builder::new().name("opening".to_owned());
        let thread = named.spawn(move || walk.run()).map_err(|error| Failure(error.to_string()))?;
        Ok(Self { signals, thread })
    }

    /// A handle that asks for held items to be tried again.
    pub fn reopen(&self) -> Reopen {
        Reopen(Arc::clone(&self.signals))
    }

    /// A handle that tells whether opening works.
    pub fn health(&self) -> Health {
        Health(Arc::clone(&self.signals))
    }

    /// Ends after the batch at hand; what is pending stays on disk.
    pub fn stop(self) {
        self.signals.stop.store(true, Ordering::Release);
        // A panic of the thread was reported where it happened.
        let _ = self.thread.join();
    }
}

struct Walk {
    house: House,
    ledger: Ledger,
    pool: rayon::ThreadPool,
    signals: Arc<Signals>,
    generation: Option<u64>,
    looked: Instant,
    /// What an item of the last batch took on average: a batch is like the one before.
    open_time: Duration,
}

impl Walk {
    fn run(&mut self) {
        let mut backoff = Backoff::default();
        while !self.signals.stop.load(Ordering::Acquire) {
            match self.round() {
                Ok(()) => {
                    backoff = Backoff::default();
                    self.signals.failing.store(false, Ordering::Release);
                }
                Err(failure) => {
                    self.signals.failing.store(true, Ordering::Release);
                    let pause = backoff.next();
                    tracing::error!(%failure, retry_ms = pause.as_millis() as u64, "opening failed; items stay pending");
                    self.ledger.rewind();
                    self.pause(pause);
                }
            }
        }
    }

    /// Sleeps in slices, so that a stop is heard.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.signals.stop.load(Ordering::Acquire) {
            std::thread::sleep(WATCH.min(until.saturating_duration_since(Instant::now())));
        }
    }

    fn round(&mut self) -> Result<(), Failure> {
        let batch = self.ledger.next(WATCH, BATCH).map_err(|failure| Failure(failure.to_string()))?;
        // After the wait, not before it: a key that was disabled meanwhile opens nothing of this batch.
        let changed = self.keys_changed()?;
        let asked = self.signals.reopen.swap(false, Ordering::AcqRel);
        if changed || asked || self.looked.elapsed() > ROUND {
            self.looked = Instant::now();
            self.reopen(Reason::NoKey)?;
        }
        if asked {
            self.reopen(Reason::InternalError)?;
        }
        if batch.is_empty() { Ok(()) } else { self.open(&batch) }
    }

    /// Whether the keystore's file changed since the last look; its caches were dropped then.
    fn keys_changed(&mut self) -> Result<bool, Failure> {
        let generation = self.house.keystore.generation().map_err(|error| Failure(error.to_string()))?;
        let changed = self.generation.is_none_or(|seen| seen != generation);
        self.generation = Some(generation);
        Ok(changed)
    }

    /// Examines a batch and commits what was found, in order, up to the first failure of ours.
    fn open(&mut self, batch: &[Taken]) -> Result<(), Failure> {
        let findings = self.examine_all(batch);
        let mut concluding = Vec::with_capacity(findings.len());
        let mut failed = Ok(());
        for finding in findings {
            match finding {
                Ok(finding) => concluding.push(finding),
                Err(failure) => {
                    failed = Err(failure);
                    break;
                }
            }
        }
        if let Some(items) = NonZeroU32::new(concluding.len() as u32) {
            self.open_time = concluding.iter().map(|found| found.open_time).sum::<Duration>() / items.get();
        }
        self.conclude(concluding)?;
        failed
    }

    /// In the order of the batch; on all cores where it is worth it, each taking one part.
    fn examine_all(&self, batch: &[Taken]) -> Vec<Result<Concluding, Failure>> {
        let threads = self.pool.current_num_threads();
        let work = self.open_time * u32::try_from(batch.len()).unwrap_or(u32::MAX);
        if batch.len() < threads || threads < 2 || work < WORTH_FANNING_OUT {
            return batch.iter().map(|taken| self.examine(taken)).collect();
        }
        let part = batch.len().div_ceil(threads);
        self.pool.install(|| batch.par_iter().with_min_len(part).map(|taken| self.examine(taken)).collect())
    }

    fn examine(&self, taken: &Taken) -> Result<Concluding, Failure> {
        let started = Instant::now();
        let finding = examine(&self.house, taken)?;
        Ok(Concluding { item: taken.id, finding, open_time: started.elapsed() })
    }

    fn conclude(&self, concluding: Vec<Concluding>) -> Result<(), Failure> {
        if concluding.is_empty() {
            return Ok(());
        }
        fault::point("opening", "before-conclude");
        self.ledger.conclude(concluding).map_err(|failure| Failure(failure.to_string()))?;
        fault::point("opening", "after-conclude");
        Ok(())
    }

    /// The same walk over held items, in the order of arrival, for those whose key may have come.
    fn reopen(&self, reason: Reason) -> Result<(), Failure> {
        let mut after: Option<ItemId> = None;
        loop {
            let page = self.ledger.held(after, reason, BATCH).map_err(|failure| Failure(failure.to_string()))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.id);
            let mut concluding = Vec::new();
            for (taken, held) in &page {
                if reason == Reason::NoKey && !self.key_has_come(taken, held)? {
                    continue;
                }
                let found = self.examine(taken)?;
                if !matches!(&found.finding, Finding::Held(again) if again == held) {
                    concluding.push(found);
                }
            }
            self.conclude(concluding)?;
        }
    }

    fn key_has_come(&self, taken: &Taken, held: &Held) -> Result<bool, Failure> {
        for name in &held.key_names {
            // An anchor that has come has no name in the message: what a certificate names is tried again.
            let KeyName::Kid(kid) = name else { return Ok(true) };
            let name = keystore::key::Name::Kid(kid);
            let known = self.house.keystore.find(&taken.origin.tenant, Some(name));
            if !known.map_err(|error| Failure(error.to_string()))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// 1 s, doubling to 60 s.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    fn next(&mut self) -> Duration {
        let seconds = 1u64 << self.0.min(6);
        self.0 += 1;
        Duration::from_secs(seconds.min(60))
    }
}
