//! Opens connections, each with its settings read back: most of them are a connection's own, and SQLite ignores a
//! setting that it does not know without a word (reliability §5).
//!
//! Imports rusqlite.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use crate::fault;
use crate::store::checksum;
use crate::store::failure::Failure;
use crate::store::sqlite::edges;

/// 3.7.0 to 3.51.2 can corrupt a WAL that is reset.
const OLDEST: i32 = 3_051_003;
/// More distinct statements than any connection has, so that none is prepared twice.
const STATEMENTS: usize = 96;

/// Asked of every connection, and read back.
const SETTINGS: &[(&str, &str)] = &[
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("busy_timeout", "5000"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
    ("temp_store", "2"),
    ("mmap_size", "0"),
];
/// Of connections that write: the writer makes checkpoints itself, after the answers, and cuts the WAL after a burst.
const WRITER_SETTINGS: &[(&str, &str)] = &[
    ("journal_mode", "wal"),
    ("wal_autocheckpoint", "0"),
    ("journal_size_limit", "67108864"),
    ("cache_size", "-32768"),
];

/// The database of a data folder.
pub(in crate::store) fn file(data: &Path) -> PathBuf {
    data.join("store.db")
}

/// A connection that reads and writes, and makes the file where there is none. Closing it leaves the log where it is:
/// who has not settled it must not move it into the database.
pub(in crate::store) fn for_writing(file: &Path) -> Result<Connection, Failure> {
    own(file)?;
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    set(&connection, WRITER_SETTINGS)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Messages are cleartext: the file is its owner's alone from its first byte. SQLite gives the WAL the same mode.
fn own(file: &Path) -> Result<(), Failure> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
    made.map(drop).map_err(|error| Failure::file(file, error))
}

/// A connection that cannot write.
pub(in crate::store) fn for_reading(file: &Path) -> Result<Connection, Failure> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    set(&connection, &[("query_only", "1")])?;
    Ok(connection)
}

fn open(file: &Path, flags: OpenFlags) -> Result<Connection, Failure> {
    if rusqlite::version_number() < OLDEST {
        return Err(Failure::OldSqlite(rusqlite::version()));
    }
    // A connection is used by one thread at a time: a writer's own, or behind the pool.
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else SQLite looks at the values bound and prepares the statement of each conclusion anew, every time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    set(&connection, SETTINGS)?;
    checksum::install(&connection)?;
    edges::install(&connection)?;
    if fault::is_on("synchronous-normal") {
        set(&connection, &[("synchronous", "1")])?;
    }
    Ok(connection)
}

fn set(connection: &Connection, settings: &'static [(&str, &str)]) -> Result<(), Failure> {
    for &(name, asked) in settings {
        // Some settings answer with their value, some do not: whatever comes is stepped over.
        connection.pragma_update(None, name, asked)?;
        let found = connection.pragma_query_value(None, name, |row| row.get::<_, Value>(0))?;
        let found = shown(found);
        if found != asked {
            return Err(Failure::Pragma { name, asked, found });
        }
    }
    Ok(())
}

fn shown(value: Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        other => format!("{other:?}"),
    }
}
