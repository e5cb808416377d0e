//! A copy of the store while it is in use, and what is made of a copy again.
//!
//! A copy is one state of the database: with every receipt that was answered before it began. What is brought back is
//! marked with an epoch: identities and ranges are those of the copy, so a replay of what it holds is a duplicate still,
//! and what was taken after it is not there.
//!
//! Imports `item` and rusqlite.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::{OptionalExtension, params};

use crate::item::Timestamp;
use crate::store::failure::Failure;
use crate::store::sqlite::{connection, migration};

/// When the store was brought back, and the copy made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// From then on it is this store.
    pub restored_at: Timestamp,
    /// Until then it is what it was.
    pub backed_up_at: Timestamp,
}

/// Writes a copy of the store in `data` into the folder `into`.
///
/// # Errors
/// Where the store cannot be read or the copy cannot be written.
pub fn back_up(data: &Path, into: &Path) -> Result<(), Failure> {
    migration::same(data)?;
    let copy = connection::file(into);
    let name = copy.to_str().ok_or_else(|| Failure::Damaged("the folder's name is not UTF-8".into()))?;
    connection::for_writing(&connection::file(data))?.execute("VACUUM INTO ?1", [name])?;
    settle(&copy)
}

/// Copies the store in `from` into the folder `data`, which has none, checks every page of it and marks the epoch.
///
/// # Errors
/// Where it cannot be read or written, or is not whole.
pub fn restore(from: &Path, data: &Path, epoch: Epoch) -> Result<(), Failure> {
    let file = connection::file(data);
    fs::copy(connection::file(from), &file).map_err(|error| Failure::file(&file, error))?;
    migration::bring_forward(data)?;
    let connection = connection::for_writing(&file)?;
    let told: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if told != "ok" {
        return Err(Failure::Damaged(told));
    }
    let (restored_at, backed_up_at) = (epoch.restored_at.millis(), epoch.backed_up_at.millis());
    connection.execute("INSERT INTO epoch VALUES (?1, ?2)", params![restored_at, backed_up_at])?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(connection);
    settle(&file)
}

/// The last time that the store in `data` was brought back, if ever.
///
/// # Errors
/// Where the store cannot be read.
pub fn epoch(data: &Path) -> Result<Option<Epoch>, Failure> {
    let connection = connection::for_reading(&connection::file(data))?;
    let sql = "SELECT restored_at, backed_up_at FROM epoch ORDER BY restored_at DESC LIMIT 1";
    let found = connection.query_row(sql, [], |row| {
        Ok(Epoch {
            restored_at: Timestamp::from_millis(row.get(0)?),
            backed_up_at: Timestamp::from_millis(row.get(1)?),
        })
    });
    Ok(found.optional()?)
}

fn settle(file: &Path) -> Result<(), Failure> {
    File::open(file).and_then(|file| file.sync_all()).map_err(|error| Failure::file(file, error))
}
