//! The keystore's own SQLite file: connections, settings, schema. Rows are in [`key`], [`device`] and
//! [`certificate`]; tokens have their
//! own room.

pub(crate) mod certificate;
pub(crate) mod device;
pub(crate) mod key;
pub(crate) mod name;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{AdminError, RootKeyError};
use crate::rest::{Locked, Ring};
use crate::root::RootKey;

/// Schema versions in order; a database of version n has had the first n applied.
const SCHEMA: &[&str] = &[
    include_str!("records/schema_1.sql"),
    include_str!("records/schema_2.sql"),
    include_str!("records/schema_3.sql"),
    include_str!("records/schema_4.sql"),
];

/// Set on every connection and read back: a setting that SQLite silently refuses is a failure.
const SETTINGS: &[(&str, &str, Value)] = &[
    ("synchronous", "FULL", Value::Integer(2)),
    ("secure_delete", "ON", Value::Integer(1)),
    ("foreign_keys", "ON", Value::Integer(1)),
    ("trusted_schema", "OFF", Value::Integer(0)),
    ("cell_size_check", "ON", Value::Integer(1)),
    ("temp_store", "MEMORY", Value::Integer(2)),
];

/// Connections to one database: one that writes, one that watches, as many that read as there are readers at once.
pub(crate) struct Records {
    path: Option<PathBuf>,
    readers: Mutex<Vec<Connection>>,
    watcher: Option<Mutex<Connection>>,
    /// Dropped last: only a connection that writes folds the log in and removes it when it is the last to close.
    writer: Mutex<Connection>,
}

impl Records {
    /// Opens or creates the file. A wrong root key is found before anything is written.
    /// `found` fills a new database, in the transaction that creates it.
    pub(crate) fn open(
        path: &Path,
        root: &RootKey,
        found: impl FnOnce(&Transaction<'_>, &Ring) -> Result<(), AdminError>,
    ) -> Result<(Self, Ring), AdminError> {
        if path.exists() {
            probe(path, root)?;
        } else {
            OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        }
        let mut writer = Connection::open(path)?;
        configure(&writer)?;
        set(&writer, "journal_mode", "WAL", &Value::Text("wal".to_owned()))?;
        let ring = migrate(&mut writer, root, path, found)?;
        let watcher = reader(path)?;
        let records = Self {
            path: Some(path.to_owned()),
            writer: Mutex::new(writer),
            watcher: Some(Mutex::new(watcher)),
            readers: Mutex::default(),
        };
        Ok((records, ring))
    }

    /// A database that nobody else sees and that ends with this value.
    pub(crate) fn in_memory(root: &RootKey) -> Result<(Self, Ring), AdminError> {
        let mut writer = Connection::open_in_memory()?;
        configure(&writer)?;
        let ring = migrate(&mut writer, root, Path::new(":memory:"), |transaction, ring| {
            ring.for_sealing(transaction, 0).map(drop)
        })?;
        Ok((Self { path: None, writer: Mutex::new(writer), watcher: None, readers: Mutex::default() }, ring))
    }

    /// Runs `work` in a transaction of its own; nothing of it stays unless all of it succeeds.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Runs `work` on a connection that reads.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(path) = &self.path else { return work(&lock(&self.writer)) };
        let idle = lock(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reader(path)?,
        };
        let done = work(&connection);
        lock(&self.readers).push(connection);
        done
    }

    /// Number that changes with every commit of any other connection, in whatever process.
    pub(crate) fn data_version(&self) -> Result<i64, rusqlite::Error> {
        let Some(watcher) = &self.watcher else { return Ok(0) };
        lock(watcher).prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// Moves all of the write-ahead log into the database and empties it: old page images are gone from it then.
    pub(crate) fn truncate_log(&self) -> Result<(), AdminError> {
        if self.path.is_none() {
            return Ok(());
        }
        let busy: i64 = lock(&self.writer).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 {
            return Ok(());
        }
        Err(AdminError::Failed("done, but a reader holds old pages in the write-ahead log; repeat it".to_owned()))
    }
}

/// Milliseconds since the epoch, by the database's clock.
pub(crate) fn now(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.prepare_cached("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)")?.query_row([], |row| row.get(0))
}

/// Whether this root key opens this database; reads only, so that a wrong one changes no byte of it.
fn probe(path: &Path, root: &RootKey) -> Result<(), AdminError> {
    // Without a log to replay, `immutable` keeps SQLite from creating even its shared-memory file.
    let settled = log_of(path).metadata().map_or(true, |log| log.len() == 0);
    let uri = uri(path, if settled { "mode=ro&immutable=1" } else { "mode=ro" });
    let connection = Connection::open_with_flags(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    match version(&connection)? {
        0 => Ok(()),
        version if version > SCHEMA.len() => Err(AdminError::Failed(format!(
            "{}: schema {version} is newer than this program, which knows {}",
            path.display(),
            SCHEMA.len()
        ))),
        _ => Ring::open(root, &connection).map(drop).map_err(|locked| explain(locked, path)),
    }
}

fn explain(locked: Locked, database: &Path) -> AdminError {
    match locked {
        Locked::Failed(error) => error.into(),
        Locked::Tampered => AdminError::Tampered("the keyring".to_owned()),
        Locked::WrongRoot => RootKeyError::Wrong(database.with_file_name("root.key").display().to_string()).into(),
    }
}

/// Applies what the schema lacks, in one transaction; a new database is filled by `found` within it.
fn migrate(
    connection: &mut Connection,
    root: &RootKey,
    path: &Path,
    found: impl FnOnce(&Transaction<'_>, &Ring) -> Result<(), AdminError>,
) -> Result<Ring, AdminError> {
    if version(connection)? < SCHEMA.len() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again: of two first starts at once, the second finds the first one's work.
        let from = version(&transaction)?;
        for step in SCHEMA.iter().skip(from) {
            transaction.execute_batch(step)?;
        }
        if from == 0 {
            found(&transaction, &Ring::locked(root)?)?;
        }
        transaction.pragma_update(None, "user_version", SCHEMA.len() as i64)?;
        transaction.commit()?;
        // The keyring must stand in the file itself, where the next probe looks.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ring::open(root, connection).map_err(|locked| explain(locked, path))
}

fn version(connection: &Connection) -> Result<usize, rusqlite::Error> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version as usize)
}

fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_secs(5))?;
    // Without it, binding a parameter of a LIMIT or a join lets SQLite plan, and so parse, its statement anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    SETTINGS.iter().try_for_each(|(name, to, reads)| set(connection, name, to, reads))
}

fn set(connection: &Connection, name: &str, to: &str, reads: &Value) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, name, to)?;
    let value: Value = connection.pragma_query_value(None, name, |row| row.get(0))?;
    if value == *reads { Ok(()) } else { Err(rusqlite::Error::InvalidParameterName(format!("PRAGMA {name}"))) }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = OsString::from(path);
    log.push("-wal");
    log.into()
}

/// `file:` URI of a path, every byte that could mean something escaped.
fn uri(path: &Path, query: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(*byte)),
            other => drop(write!(uri, "%{other:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(query);
    uri
}

/// A panic of another thread leaves the connection usable: its transaction was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
