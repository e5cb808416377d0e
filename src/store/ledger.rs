//! What opening sees of the store: the next taken items, the held ones, and the place to conclude them.
//!
//! Imports `item`, `guard::settled`, `payload` types and the store's own writer. All calls block: opening has a thread
//! of its own.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use uuid::Uuid;

use crate::guard::settled::{Refusal, Settled};
use crate::item::{Format, ItemId, KeyName, Reason, Taken, Verdict};
use crate::payload::Payload;
use crate::store::failure::Failure;
use crate::store::sqlite::handover::Handover;
use crate::store::sqlite::pool::Pool;
use crate::store::sqlite::queue::{ConcludeJob, Job, Load, Queue};
use crate::store::sqlite::waiting;

/// Gives out what is to be opened and concludes it.
#[derive(Clone)]
pub struct Ledger {
    pub(in crate::store) queue: Arc<Queue>,
    pub(in crate::store) load: Arc<Load>,
    pub(in crate::store) handover: Arc<Handover>,
    pub(in crate::store) pool: Pool,
}

impl Ledger {
    /// The next pending items in the order of taking, at most `max`; each once, until [`Ledger::rewind`]. Waits at most
    /// `wait`; empty where there is nothing to do.
    ///
    /// # Errors
    /// Where what was not handed over in memory cannot be read back. The call may be repeated.
    pub fn next(&self, wait: Duration, max: usize) -> Result<Vec<Taken>, Failure> {
        self.handover
            .next(wait, max, |after, max| self.pool.read(|connection| waiting::pending(connection, after, max)))
    }

    /// After a failure: all that is still pending is given out again, read back from disk.
    pub fn rewind(&self) {
        self.handover.rewind();
    }

    /// Held items of that reason, in the order of arrival, at most `max`, after `after`.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn held(&self, after: Option<ItemId>, reason: Reason, max: usize) -> Result<Vec<(Taken, Held)>, Failure> {
        self.pool.read(|connection| waiting::held(connection, after, reason, max))
    }

    /// Commits the findings of one batch in one transaction; blocks until COMMIT. An item that is neither pending nor
    /// held any more is skipped and has no outcome.
    ///
    /// # Errors
    /// Where they cannot be stored: none is concluded then, all stay what they were.
    pub fn conclude(&self, findings: Vec<Concluding>) -> Result<Vec<Outcome>, Failure> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.queue.push(Job::Conclude(ConcludeJob { findings, answer }))?;
        answered.recv().unwrap_or(Err(Failure::Stopped))
    }

    /// How many items are taken or being taken, and not concluded.
    ///
    /// # Errors
    /// None in this store; another may have to ask for it.
    pub fn pending(&self) -> Result<u64, Failure> {
        Ok(self.load.items())
    }
}

/// What opening found out about an item.
#[derive(Clone, Debug)]
pub struct Concluding {
    /// The item.
    pub item: ItemId,
    /// The finding.
    pub finding: Finding,
    /// How long it took.
    pub open_time: Duration,
}

/// Opening's word on an item. Once-only and sequence are decided when it is concluded.
#[derive(Clone, Debug)]
pub enum Finding {
    /// No key yet, or a fault of ours with this one item.
    Held(Held),
    /// Every check of the guard passed.
    Opened(Box<Settled>, Payload),
    /// Not accepted.
    Refused(Refusal),
}

/// Why an item waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// `no_key` or `internal_error`.
    pub reason: Reason,
    /// Family, where recognised.
    pub format: Option<Format>,
    /// The names of the keys that would help: claims.
    pub key_names: Vec<KeyName>,
    /// For the operator, in words.
    pub detail: Option<String>,
}

/// What was committed of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The item.
    pub item: ItemId,
    /// Its verdict.
    pub verdict: Verdict,
    /// Of held and refused.
    pub reason: Option<Reason>,
    /// Of opened, its message; of duplicate, the first one.
    pub message: Option<Uuid>,
}
