//! The last messages, which the tables sorted by what is random do not reach yet: `identity` and `message_by_device`.
//! They are kept in memory too, so that a replay of one of them is known, and sorted in behind the messages in large
//! batches: entered one by one, each would dirty a page of its own, here dozens share one. What is in memory stands in
//! `message` beyond `progress.indexed`, and is read back from there on start.
//!
//! Imports rusqlite.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::fault;
use crate::store::failure::Failure;

/// A message that is not sorted in.
struct Entry {
    identity: [u8; 16],
    message: i64,
    device: Option<i64>,
}

/// Messages beyond `progress.indexed`.
#[derive(Default)]
pub(in crate::store) struct Recent {
    /// In the order of commits.
    entries: Vec<Entry>,
    messages: HashMap<[u8; 16], i64>,
    /// How many of the entries are committed.
    committed: usize,
}

impl Recent {
    /// As the disk has it.
    pub(in crate::store) fn load(connection: &Connection) -> Result<Self, Failure> {
        let mut statement = connection.prepare(
            "SELECT identity, id, device FROM message WHERE id > (SELECT indexed FROM progress) ORDER BY id",
        )?;
        let rows = statement
            .query_map([], |row| Ok(Entry { identity: row.get(0)?, message: row.get(1)?, device: row.get(2)? }))?;
        let mut recent = Self::default();
        for entry in rows {
            recent.push(entry?);
        }
        recent.settle();
        Ok(recent)
    }

    /// How many messages wait to be sorted in.
    pub(in crate::store) const fn len(&self) -> usize {
        self.committed
    }

    /// The message that had this content first: one of these, or one that `sorted` finds on disk.
    pub(in crate::store) fn first_of(
        &self,
        sorted: &mut Statement<'_>,
        identity: &[u8; 16],
    ) -> Result<Option<i64>, Failure> {
        if fault::is_on("no-duplicate-check") {
            return Ok(None);
        }
        if let Some(message) = self.messages.get(identity) {
            return Ok(Some(*message));
        }
        Ok(sorted.query_row([identity], |row| row.get(0)).optional()?)
    }

    /// From now on the same content is a duplicate.
    pub(in crate::store) fn enter(&mut self, identity: [u8; 16], message: i64, device: Option<i64>) {
        self.push(Entry { identity, message, device });
    }

    /// After COMMIT.
    pub(in crate::store) const fn settle(&mut self) {
        self.committed = self.entries.len();
    }

    /// After a ROLLBACK.
    pub(in crate::store) fn revert(&mut self) {
        for entry in self.entries.drain(self.committed..) {
            self.messages.remove(&entry.identity);
        }
    }

    /// Sorts all of them in, and says how far the tables reach then. To be followed by COMMIT and [`Recent::clear`].
    pub(in crate::store) fn write(&self, connection: &Connection) -> Result<(), Failure> {
        let Some(last) = self.entries.last() else { return Ok(()) };
        let mut sorted: Vec<&Entry> = self.entries.iter().collect();
        sorted.sort_unstable_by_key(|entry| entry.identity);
        // They may be there already, after a COMMIT that failed and yet reached the disk.
        let mut once = connection.prepare_cached("INSERT OR IGNORE INTO identity VALUES (?1, ?2)")?;
        for entry in &sorted {
            once.execute(params![entry.identity, entry.message])?;
        }
        sorted.retain(|entry| entry.device.is_some());
        sorted.sort_unstable_by_key(|entry| (entry.device, entry.message));
        let mut of_device = connection.prepare_cached("INSERT OR IGNORE INTO message_by_device VALUES (?1, ?2)")?;
        for entry in &sorted {
            of_device.execute(params![entry.device, entry.message])?;
        }
        connection.prepare_cached("UPDATE progress SET indexed = ?1")?.execute([last.message])?;
        Ok(())
    }

    /// They are sorted in.
    pub(in crate::store) fn clear(&mut self) {
        *self = Self::default();
    }

    fn push(&mut self, entry: Entry) {
        self.messages.entry(entry.identity).or_insert(entry.message);
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests;
