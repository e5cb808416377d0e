//! Makes the write-ahead log true before anything is acknowledged on top of it (reliability D6).
//!
//! After a failed sync the kernel may hold pages of the log that are not on disk, marked clean: no later sync writes
//! them. SQLite, opened anew, reads them as committed and would move them into the database, or append to them; a power
//! cut then leaves half of them, or a hole. So what the log holds is written again, which makes it dirty again, and
//! synced, before SQLite may move any of it. Nor may a connection move it when it closes: see
//! [`connection::for_writing`](super::connection::for_writing).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use crate::store::failure::Failure;

/// Bytes written again at once.
const CHUNK: usize = 1 << 20;

/// Writes the log of `database` again, syncs it, and moves all of it into the database.
pub(in crate::store) fn settle(connection: &mut Connection, database: &Path) -> Result<(), Failure> {
    // While it is held nobody appends to the log, nor begins it anew.
    let hold = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let log = file(database);
    rewrite(&log).and_then(|()| sync_names(database)).map_err(|error| Failure::file(&log, error))?;
    hold.rollback()?;
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy { Err(Failure::Busy) } else { Ok(()) }
}

/// Lets the last connection that closes move the log into the database, and remove it. Only for who knows that all of
/// the log is on disk.
pub(in crate::store) fn remove_on_close(connection: &Connection) -> Result<(), Failure> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

fn file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn rewrite(log: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (mut chunk, mut at) = (vec![0; CHUNK], 0);
    loop {
        let count = fill(&file, &mut chunk, at)?;
        file.write_all_at(&chunk[..count], at)?;
        at += count as u64;
        if count < chunk.len() {
            return file.sync_data();
        }
    }
}

/// The log's own name: SQLite syncs the folder when it begins a log, and takes no notice where that fails.
fn sync_names(database: &Path) -> io::Result<()> {
    let folder = match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Reads until the chunk is full or the file ends.
fn fill(file: &File, chunk: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match file.read_at(&mut chunk[filled..], at + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
