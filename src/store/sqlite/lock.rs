//! One server a folder: an advisory lock on a file beside the database, which ends with its process however it ends.
//!
//! Imports std alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::store::failure::Failure;

/// Takes the server's lock on `data`; held until the file is dropped.
pub(in crate::store) fn exclusive(data: &Path) -> Result<File, Failure> {
    let path = data.join("serve.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| Failure::file(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::InUse(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(Failure::file(&path, error)),
    }
}
