//! The store: everything that is kept, behind four handles on one writer. [`intake::Intake`] takes what relays hand
//! over, [`ledger::Ledger`] gives out what is to be opened and concludes it, [`reader::Reader`] answers questions,
//! [`outbox::Outbox`] gives out what is to be told to others.
//!
//! May import rusqlite, `item`, `clock`, `guard::settled`, `guard::sequence`, `payload` types, tokio's channels, serde,
//! serde_json, base64, hex, sha2 and uuid. Not the keystore, nor anything that opens: what is kept here was judged elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::item::{Format, Reason, Verdict};

pub mod accounts;
pub mod backup;
mod bells;
mod checksum;
pub mod event;
pub mod failure;
mod flags;
pub mod glob;
mod id;
pub mod intake;
pub mod ledger;
mod measure;
pub mod outbox;
pub mod reader;
mod roster;
mod sqlite;
pub mod subscription;
mod text;

#[cfg(test)]
mod tests;

use accounts::Accounts;
use bells::Bells;
use failure::Failure;
use intake::Intake;
use ledger::Ledger;
use outbox::Outbox;
use reader::Reader;
use roster::Roster;
use sqlite::Writer;
use sqlite::handover::Handover;
use sqlite::health::Health;
use sqlite::pool::Pool;
use sqlite::queue::{Load, Queue};

/// An open store. Its handles are cloned freely; the writer ends when this value goes.
pub struct Store {
    /// For relays.
    pub intake: Intake,
    /// For opening.
    pub ledger: Ledger,
    /// For delivery.
    pub outbox: Outbox,
    /// For questions.
    pub reader: Reader,
    _writer: Running,
}

impl Store {
    /// Opens `store.db` in `data`, or makes it; migrates it forward (a backup copy first); starts the writer.
    ///
    /// # Errors
    /// [`Failure::InUse`] where another server has the folder; or where the file cannot be opened, is damaged, or is of
    /// a newer schema.
    pub fn open(
        data: &Path,
        limits: Limits,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Failure> {
        let lock = sqlite::lock::exclusive(data)?;
        sqlite::migration::bring_forward(data)?;
        let shared = Shared {
            queue: Arc::new(Queue::default()),
            load: Arc::new(Load::new(limits.max_pending, limits.max_pending_bytes)),
            handover: Arc::new(Handover::default()),
            health: Arc::new(Health::default()),
            bells: Arc::default(),
            pool: Pool::open(data)?,
            roster: Arc::default(),
        };
        let writer = Writer::open(data, limits, Arc::clone(&clock), observer, shared.clone())?;
        let queue = Arc::clone(&shared.queue);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(lock))
            .map_err(|error| Failure::file(data, error))?;
        Ok(Self {
            intake: shared.intake(data),
            ledger: shared.ledger(),
            outbox: shared.outbox(),
            reader: Reader::new(shared.pool, clock),
            _writer: Running { queue, thread: Some(thread) },
        })
    }

    /// Relay accounts of the store in `data`, for administration beside a running server or without one.
    ///
    /// # Errors
    /// Where there is none and it cannot be made, or where it is of another schema and a server must bring it forward.
    pub fn administer(data: &Path) -> Result<Accounts, Failure> {
        Accounts::open(data)
    }

    /// What is kept in `data`, for reading beside a running server or without one.
    ///
    /// # Errors
    /// Where there is none, or where it is of another schema.
    pub fn look(data: &Path, clock: Arc<dyn Clock>) -> Result<Reader, Failure> {
        sqlite::migration::same(data)?;
        Ok(Reader::new(Pool::open(data)?, clock))
    }

    /// Commits all that is queued and ends the writer. Handles that are left answer [`Failure::Stopped`].
    pub fn close(self) {
        drop(self);
    }
}

/// What the handles and the writer have in common.
#[derive(Clone)]
struct Shared {
    queue: Arc<Queue>,
    load: Arc<Load>,
    handover: Arc<Handover>,
    health: Arc<Health>,
    bells: Arc<Bells>,
    pool: Pool,
    roster: Arc<Roster>,
}

impl Shared {
    fn intake(&self, data: &Path) -> Intake {
        Intake {
            queue: Arc::clone(&self.queue),
            load: Arc::clone(&self.load),
            health: Arc::clone(&self.health),
            pool: self.pool.clone(),
            accounts: Accounts::of(data),
            roster: Arc::clone(&self.roster),
        }
    }

    fn ledger(&self) -> Ledger {
        Ledger {
            queue: Arc::clone(&self.queue),
            load: Arc::clone(&self.load),
            handover: Arc::clone(&self.handover),
            pool: self.pool.clone(),
        }
    }

    fn outbox(&self) -> Outbox {
        Outbox { queue: Arc::clone(&self.queue), pool: self.pool.clone(), bells: Arc::clone(&self.bells) }
    }
}

/// The writer's thread; ends it and waits when dropped.
struct Running {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has closed the queue and told `Health`; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items taken and not concluded.
    pub max_pending: u64,
    /// Their sealed bytes.
    pub max_pending_bytes: u64,
    /// Held items of one relay; the oldest beyond it expire.
    pub held_quota: u64,
    /// Refusals kept of one relay; the oldest beyond it are forgotten, and counted.
    pub refused_quota: u64,
    /// Seconds that sealed bytes are kept beside what they became; none: for ever.
    pub keep_sealed_s: Option<i64>,
    /// Seconds that receipts are kept; none: for ever.
    pub keep_receipts_s: Option<i64>,
    /// Seconds that refusals are kept; none: for ever.
    pub keep_refused_s: Option<i64>,
    /// Seconds that messages and readings are kept; none: for ever.
    pub retention_s: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        const MONTH_S: i64 = 30 * 24 * 60 * 60;
        Self {
            max_pending: 1_000_000,
            max_pending_bytes: 1 << 30,
            held_quota: 10_000,
            refused_quota: 10_000,
            keep_sealed_s: Some(MONTH_S),
            keep_receipts_s: Some(MONTH_S),
            keep_refused_s: Some(MONTH_S),
            retention_s: None,
        }
    }
}

/// Told by the writer's thread what happened, after it did. Must be quick.
pub trait Observer: Send + Sync {
    /// A transaction is on disk and was answered.
    fn committed(&self, commit: &Commit);

    /// Nothing can be stored any more by this process: it must end (exit code 75).
    fn fatal(&self, _failure: &Failure) {}
}

/// Nobody looks.
impl Observer for () {
    fn committed(&self, _commit: &Commit) {}
}

/// One transaction of the commit cycle.
#[derive(Clone, Debug)]
pub struct Commit {
    /// From BEGIN until COMMIT had returned.
    pub duration: Duration,
    /// Deliveries and batches of findings in it.
    pub jobs: usize,
    /// Items taken, a relay at a time.
    pub taken: Vec<(Arc<str>, u64)>,
    /// Items that have a new verdict.
    pub concluded: Vec<Conclusion>,
}

impl Commit {
    fn take(&mut self, relay: &Arc<str>, items: u64) {
        match self.taken.last_mut() {
            Some((last, taken)) if last == relay => *taken += items,
            _ => self.taken.push((Arc::clone(relay), items)),
        }
    }
}

/// One item's new verdict.
#[derive(Clone, Debug)]
pub struct Conclusion {
    /// Who handed it over.
    pub relay: Arc<str>,
    /// What it is now.
    pub verdict: Verdict,
    /// Of held and refused.
    pub reason: Option<Reason>,
    /// Family, where recognised.
    pub format: Option<Format>,
    /// How long opening took.
    pub open_time: Duration,
    /// From the relay's answer to the COMMIT of the verdict. By the clock where the answer was another process's, or
    /// the item was held meanwhile.
    pub visible_after: Duration,
    /// Whether it opened a gap.
    pub gap: bool,
}
