//! Taken items on their way to opening: in memory while they fit, read back from disk where they did not.
//!
//! Items go out in the order of their ids, each once. `given` is the highest that went out. What waits in memory follows
//! it without a hole, or nothing waits in memory and everything up to `on_disk` has to be read. So a burst beyond the
//! bound, a start, and a failure are one and the same case.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::item::Taken;
use crate::store::failure::Failure;

/// Most items kept in memory.
pub(in crate::store) const MOST_ITEMS: usize = 8_192;
/// Most sealed bytes kept in memory.
const MOST_BYTES: usize = 32 << 20;

/// Between the writer and opening's thread.
#[derive(Default)]
pub(in crate::store) struct Handover {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    /// Follow `given` without a hole.
    waiting: VecDeque<Taken>,
    bytes: usize,
    /// The highest that went out.
    given: i64,
    /// The highest committed.
    committed: i64,
    /// Items after `given` and up to here have to be read; nothing has where it is not above `given`.
    on_disk: i64,
    /// Counts rewinds, so that what was read before one does not count as given after it.
    turn: u64,
}

impl State {
    const fn is_behind(&self) -> bool {
        self.on_disk > self.given
    }

    fn push(&mut self, item: Taken) {
        self.committed = item.id.0;
        if item.id.0 <= self.given {
            // Read back between its COMMIT and now.
            return;
        }
        let size = item.sealed.bytes.len();
        if self.is_behind() || self.waiting.len() >= MOST_ITEMS || self.bytes + size > MOST_BYTES {
            // From here on it is the disk's turn, once what waits has gone out.
            self.on_disk = item.id.0;
        } else {
            self.bytes += size;
            self.waiting.push_back(item);
        }
    }

    fn pop(&mut self, max: usize) -> Vec<Taken> {
        let count = self.waiting.len().min(max);
        let items: Vec<Taken> = self.waiting.drain(..count).collect();
        self.bytes -= items.iter().map(|item| item.sealed.bytes.len()).sum::<usize>();
        self.given = items.last().map_or(self.given, |item| item.id.0);
        items
    }
}

impl Handover {
    /// On start: everything up to `committed` that is pending has to be read.
    pub(in crate::store) fn begin(&self, committed: i64) {
        let mut state = self.state();
        state.committed = committed;
        state.on_disk = committed;
    }

    /// Committed items, in order.
    pub(in crate::store) fn push(&self, items: impl Iterator<Item = Taken>) {
        let mut state = self.state();
        items.for_each(|item| state.push(item));
        self.arrived.notify_one();
    }

    /// The next items in order, at most `max`; waits where there are none. `read` gives pending items after an id.
    pub(in crate::store) fn next(
        &self,
        wait: Duration,
        max: usize,
        read: impl FnOnce(i64, usize) -> Result<Vec<Taken>, Failure>,
    ) -> Result<Vec<Taken>, Failure> {
        let nothing = |state: &mut State| state.waiting.is_empty() && !state.is_behind();
        let waited = self.arrived.wait_timeout_while(self.state(), wait, nothing);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !state.waiting.is_empty() || !state.is_behind() {
            return Ok(state.pop(max));
        }
        let (given, on_disk, turn) = (state.given, state.on_disk, state.turn);
        drop(state);
        let items = read(given, max)?;
        Ok(self.give(items, on_disk, turn))
    }

    /// Notes what was read. All up to `on_disk` was committed before the read began: where fewer came than were asked
    /// for, whatever is not among them up to there is not pending.
    fn give(&self, items: Vec<Taken>, on_disk: i64, turn: u64) -> Vec<Taken> {
        let mut state = self.state();
        if state.turn != turn {
            return Vec::new();
        }
        state.given = items.last().map_or(on_disk, |item| item.id.0);
        items
    }

    /// The file was opened anew: everything up to `committed` that is pending has to be read.
    pub(in crate::store) fn start_over(&self, committed: i64) {
        self.state().committed = committed;
        self.rewind();
    }

    /// Gives out everything that is still pending again.
    pub(in crate::store) fn rewind(&self) {
        let mut state = self.state();
        state.waiting.clear();
        (state.bytes, state.given) = (0, 0);
        state.on_disk = state.committed;
        state.turn += 1;
        self.arrived.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
