//! What can go wrong with the store: faults of ours, never a verdict. An item that meets one stays where it is.
//!
//! Imports rusqlite and std alone: `relay` sees this file, and it must lead nowhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};

/// How a checksum's complaint begins: SQLite hands on the words of a function, but not its code.
pub(in crate::store) const ALTERED: &str = "not what was written: ";

/// A fault of ours. Cloned because one failed COMMIT fails every delivery in it. `Display` is for the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The account in whose name something was to be taken is not what it was known as.
    #[error("the relay's account was changed meanwhile")]
    AccountChanged,
    /// Another process reads the file, and did not stop in time.
    #[error("another process is reading the store")]
    Busy,
    /// A relay account of that name exists.
    #[error("a relay named `{0}` exists")]
    Conflict(String),
    /// Bytes on disk are not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// SQLite's own word.
    #[error("the store cannot be read or written: {0}")]
    Database(Arc<rusqlite::Error>),
    /// What was written may be lost and could not be verified: the process must end (exit code 75).
    #[error("the store must be restarted: {0}")]
    Fatal(String),
    /// A file beside the database.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: Arc<std::io::Error>,
    },
    /// Another server holds the folder.
    #[error("another server is running on {0}")]
    InUse(PathBuf),
    /// SQLite before 3.51.3 can corrupt a WAL that is reset.
    #[error("SQLite {0} is linked; 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// More is pending than the limits allow.
    #[error("too much is waiting to be opened")]
    Overloaded,
    /// A setting that SQLite did not take.
    #[error("PRAGMA {name} is `{found}`, not `{asked}`")]
    Pragma {
        /// Its name.
        name: &'static str,
        /// What was asked.
        asked: &'static str,
        /// What it is.
        found: String,
    },
    /// The file is of another version than this program.
    #[error("the store has schema {found}, this program knows {known}: {hint}")]
    Schema {
        /// In the file.
        found: i64,
        /// In the program.
        known: i64,
        /// What to do.
        hint: &'static str,
    },
    /// The writer has ended.
    #[error("the store is closed")]
    Stopped,
}

impl Failure {
    /// Whether there is too much to do, rather than something broken.
    pub const fn is_overload(&self) -> bool {
        matches!(self, Self::Overloaded)
    }

    /// Whether the process must end: nothing can be stored again on this handle.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_))
    }

    /// Whether it lies in what one job asked for, so that the jobs beside it may still commit.
    pub(in crate::store) fn is_local(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Damaged(_) => true,
            Self::Database(error) => match &**error {
                rusqlite::Error::SqliteFailure(code, _) => matches!(
                    code.code,
                    ErrorCode::ConstraintViolation
                        | ErrorCode::TooBig
                        | ErrorCode::TypeMismatch
                        | ErrorCode::ParameterOutOfRange
                ),
                _ => true,
            },
            _ => false,
        }
    }

    /// Whether a sync failed. The kernel may have dropped the dirty pages and marked them clean: the handle's view of
    /// the file can no longer be trusted (reliability D6).
    pub(in crate::store) fn is_lost_sync(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let rusqlite::Error::SqliteFailure(code, _) = &**error else { return false };
        matches!(code.extended_code, SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC)
    }

    pub(in crate::store) fn file(path: &Path, error: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), error: Arc::new(error) }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(code, _)
                if matches!(code.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
            {
                Self::Damaged(error.to_string())
            }
            rusqlite::Error::SqliteFailure(_, Some(words)) if words.starts_with(ALTERED) => {
                Self::Damaged(words.clone())
            }
            _ => Self::Database(Arc::new(error)),
        }
    }
}
