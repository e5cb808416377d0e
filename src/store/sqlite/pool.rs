//! Read-only connections, kept open between uses. All are given back, and none is given out, while the writer opens
//! its own anew (reliability D6).
//!
//! Imports rusqlite.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::store::failure::Failure;
use crate::store::sqlite::connection;

/// Connections kept open while nobody reads.
const IDLE: usize = 8;

/// Shared by all who read.
#[derive(Clone)]
pub(in crate::store) struct Pool(Arc<Inner>);

struct Inner {
    file: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    out: usize,
    suspended: bool,
}

impl Pool {
    /// Of the database in `data`, which must be there.
    pub(in crate::store) fn open(data: &Path) -> Result<Self, Failure> {
        let file = connection::file(data);
        let state = State { idle: vec![connection::for_reading(&file)?], ..State::default() };
        Ok(Self(Arc::new(Inner { file, state: Mutex::new(state), changed: Condvar::new() })))
    }

    /// Runs `question` on one snapshot.
    pub(in crate::store) fn read<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let lent = self.lend()?;
        let Some(connection) = &lent.connection else { return Err(Failure::Stopped) };
        // One transaction, so that several statements see one state. It reads only: dropping it ends it.
        let snapshot = connection.unchecked_transaction()?;
        question(&snapshot)
    }

    /// Runs a question of one statement, which sees one state by itself: beginning and ending a transaction around it
    /// would cost as much as it does.
    pub(in crate::store) fn look_up<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let lent = self.lend()?;
        let Some(connection) = &lent.connection else { return Err(Failure::Stopped) };
        question(connection)
    }

    /// Closes what is idle and waits until nothing is out; false where that takes too long. Until [`Pool::resume`],
    /// who asks waits.
    pub(in crate::store) fn suspend(&self, wait: Duration) -> bool {
        let mut state = self.state();
        state.suspended = true;
        state.idle.clear();
        let waited = self.0.changed.wait_timeout_while(state, wait, |state| state.out > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.out == 0
    }

    /// Lends connections again.
    pub(in crate::store) fn resume(&self) {
        self.state().suspended = false;
        self.0.changed.notify_all();
    }

    fn lend(&self) -> Result<Lent<'_>, Failure> {
        let waited = self.0.changed.wait_while(self.state(), |state| state.suspended);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.out += 1;
        let idle = state.idle.pop();
        drop(state);
        let mut lent = Lent { pool: self, connection: idle };
        if lent.connection.is_none() {
            lent.connection = Some(connection::for_reading(&self.0.file)?);
        }
        Ok(lent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is out; comes back when dropped.
struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.out -= 1;
        let keep = !state.suspended && state.idle.len() < IDLE;
        // Where it is not kept it is closed here, before the writer is told that nothing is out.
        state.idle.extend(self.connection.take().filter(|_| keep));
        // Nobody waits for a connection but the writer that wants all of them back.
        if state.suspended {
            self.pool.0.changed.notify_all();
        }
    }
}
