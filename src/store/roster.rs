//! Relay accounts in memory, as they were last read. Looking one up on disk costs as much as committing a small delivery:
//! each of our own commits empties the reader's page cache.
//!
//! A change holds at once all the same. Whoever changes an account uses another connection than the writer's, which is
//! told so by SQLite (`PRAGMA data_version`) when it begins its next transaction: it forgets what is in memory, and reads
//! again, in that transaction, the accounts of deliveries that were let in by what memory said before.
//!
//! Imports rusqlite.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::store::accounts;
use crate::store::failure::Failure;
use crate::store::intake::{Account, Known};

/// Accounts kept in memory. Only those that are there: made-up names take no room.
const KEPT: usize = 1_024;

/// Accounts by name.
#[derive(Default)]
pub(in crate::store) struct Roster(Mutex<State>);

#[derive(Default)]
struct State {
    /// Counts the times that all was forgotten.
    turn: u64,
    accounts: HashMap<String, Arc<Account>>,
}

impl Roster {
    /// The account of that name, where it is in memory.
    pub(in crate::store) fn find(&self, name: &str) -> Option<Known> {
        let state = self.state();
        state.accounts.get(name).map(|account| Known { account: Arc::clone(account), turn: state.turn })
    }

    /// The account that `read` finds. It is kept unless all was forgotten while it was read.
    pub(in crate::store) fn learn(
        &self,
        read: impl FnOnce() -> Result<Option<Account>, Failure>,
    ) -> Result<Option<Known>, Failure> {
        let turn = self.state().turn;
        let Some(account) = read()?.map(Arc::new) else { return Ok(None) };
        let mut state = self.state();
        if state.turn == turn && state.accounts.len() < KEPT {
            state.accounts.insert(account.name.clone(), Arc::clone(&account));
        }
        Ok(Some(Known { account, turn }))
    }

    /// Forgets all: somebody has changed an account, or may have.
    pub(in crate::store) fn forget(&self) {
        let mut state = self.state();
        state.turn += 1;
        state.accounts.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's eye on what others write.
pub(in crate::store) struct Watch {
    roster: Arc<Roster>,
    version: Option<i64>,
    turn: u64,
}

impl Watch {
    /// Forgets what is in memory at its first look.
    pub(in crate::store) const fn over(roster: Arc<Roster>) -> Self {
        Self { roster, version: None, turn: 0 }
    }

    /// The connection is another one: its version says nothing of the last one's.
    pub(in crate::store) const fn begin_anew(&mut self) {
        self.version = None;
    }

    /// In a transaction that has just begun: whether others have written since the last one.
    pub(in crate::store) fn look(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        let version = Some(statement.query_row([], |row| row.get(0))?);
        if self.version != version {
            self.version = version;
            self.roster.forget();
        }
        self.turn = self.roster.state().turn;
        Ok(())
    }

    /// Whether the account stands as it was known, as the open transaction sees it.
    pub(in crate::store) fn stands(&self, connection: &Connection, known: Option<&Known>) -> Result<bool, Failure> {
        let Some(known) = known.filter(|known| known.turn != self.turn) else { return Ok(true) };
        Ok(accounts::find(connection, &known.account.name)?.as_ref() == Some(&*known.account))
    }
}
