//! Jobs on their way to the writer, and how much of them there may be.
//!
//! Imports `item`, std and tokio's oneshot.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::item::{Item, Origin, Receipt};
use crate::store::failure::Failure;
use crate::store::intake::Known;
use crate::store::ledger::{Concluding, Outcome};
use crate::store::sqlite::changes::{Change, Changed};

/// Jobs that may wait for the writer; more is back-pressure, not memory.
const WAITING: usize = 4_096;

/// What the writer is asked to commit.
pub(in crate::store) enum Job {
    /// Of a subscription.
    Change(ChangeJob),
    /// Findings of a batch.
    Conclude(ConcludeJob),
    /// A delivery.
    Take(TakeJob),
}

/// A delivery, and who waits for its receipt.
pub(in crate::store) struct TakeJob {
    /// The account that brings it.
    pub(in crate::store) known: Option<Known>,
    pub(in crate::store) origin: Origin,
    pub(in crate::store) items: Vec<Item>,
    pub(in crate::store) reserved: Reserved,
    pub(in crate::store) answer: oneshot::Sender<Result<Receipt, Failure>>,
}

/// A change, and who waits for it.
pub(in crate::store) struct ChangeJob {
    pub(in crate::store) change: Change,
    pub(in crate::store) answer: mpsc::SyncSender<Result<Changed, Failure>>,
}

/// Findings, and who waits for their outcomes.
pub(in crate::store) struct ConcludeJob {
    pub(in crate::store) findings: Vec<Concluding>,
    pub(in crate::store) answer: mpsc::SyncSender<Result<Vec<Outcome>, Failure>>,
}

/// What the writer finds when it looks.
pub(in crate::store) enum Pull {
    /// Nothing more will come.
    Closed,
    /// Nothing came in time.
    Idle,
    /// What arrived since the last look, in order.
    Jobs(Vec<Job>),
}

/// First in, first out.
#[derive(Default)]
pub(in crate::store) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    /// Whether the writer sleeps: waking one that is awake is a system call for nothing.
    asleep: bool,
}

impl Queue {
    /// Adds a job. A delivery is turned away where too many wait; findings never, their batches wait for each other.
    pub(in crate::store) fn push(&self, job: Job) -> Result<(), Failure> {
        let mut state = self.state();
        if state.closed {
            return Err(Failure::Stopped);
        }
        if matches!(job, Job::Take(_)) && state.jobs.len() >= WAITING {
            return Err(Failure::Overloaded);
        }
        state.jobs.push_back(job);
        if std::mem::take(&mut state.asleep) {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// What has arrived, at most `max`; waits where there is nothing yet. Jobs that were in before the end still come.
    pub(in crate::store) fn pull(&self, max: usize, wait: Duration) -> Pull {
        let empty = |state: &mut State| {
            state.asleep = state.jobs.is_empty() && !state.closed;
            state.asleep
        };
        let waited = self.arrived.wait_timeout_while(self.state(), wait, empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
        let arrived = state.jobs.len().min(max);
        match arrived {
            0 if state.closed => Pull::Closed,
            0 => Pull::Idle,
            _ => Pull::Jobs(state.jobs.drain(..arrived).collect()),
        }
    }

    /// Whether nothing waits.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.state().jobs.is_empty()
    }

    /// No more jobs.
    pub(in crate::store) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// No more jobs, and those that wait are turned away: their senders see it.
    pub(in crate::store) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is taken, or being taken, and not concluded.
pub(in crate::store) struct Load {
    items: AtomicU64,
    bytes: AtomicU64,
    max_items: u64,
    max_bytes: u64,
}

impl Load {
    /// Nothing yet.
    pub(in crate::store) const fn new(max_items: u64, max_bytes: u64) -> Self {
        Self { items: AtomicU64::new(0), bytes: AtomicU64::new(0), max_items, max_bytes }
    }

    /// Items now.
    pub(in crate::store) fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// Makes room for a delivery. Given back when the value is dropped, unless it is kept.
    pub(in crate::store) fn reserve(self: &Arc<Self>, items: u64, bytes: u64) -> Result<Reserved, Failure> {
        let reserved = Reserved { load: Arc::clone(self), items, bytes };
        let items = self.items.fetch_add(items, Ordering::Relaxed) + items;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if items > self.max_items || bytes > self.max_bytes { Err(Failure::Overloaded) } else { Ok(reserved) }
    }

    /// What was found pending on start.
    pub(in crate::store) fn set(&self, items: u64, bytes: u64) {
        self.items.store(items, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// What was found on disk differs from what was thought; the differences wrap.
    pub(in crate::store) fn adjust(&self, items: u64, bytes: u64) {
        self.items.fetch_add(items, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One item is concluded.
    pub(in crate::store) fn release(&self, items: u64, bytes: u64) {
        self.items.fetch_sub(items, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Room for a delivery.
pub(in crate::store) struct Reserved {
    load: Arc<Load>,
    items: u64,
    bytes: u64,
}

impl Reserved {
    /// The delivery is on disk: its items are pending, and released one by one.
    pub(in crate::store) const fn keep(&mut self) {
        self.items = 0;
        self.bytes = 0;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.load.release(self.items, self.bytes);
    }
}
