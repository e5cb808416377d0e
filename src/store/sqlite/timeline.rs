//! Readings of a device by their time, for whoever asks for a day of it: kept behind the messages, in sorted batches.
//!
//! Imports rusqlite.

use rusqlite::{Connection, params};

use crate::store::failure::Failure;

/// Sorts in what is beyond `progress.indexed`, before that moves on.
pub(in crate::store) fn extend(connection: &Connection) -> Result<(), Failure> {
    // What is there already came by a COMMIT that failed and yet reached the disk.
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO reading_by_time
             SELECT m.device, r.time, r.message, r.place FROM message m CROSS JOIN reading r ON r.message = m.id
             WHERE m.id > (SELECT indexed FROM progress) AND m.device IS NOT NULL ORDER BY 1, 2, 3, 4",
        )?
        .execute([])?;
    Ok(())
}

/// Takes a message's readings out, before they go.
pub(in crate::store) fn forget(connection: &Connection, device: Option<i64>, message: i64) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "DELETE FROM reading_by_time WHERE (device, time, message, place) IN
             (SELECT ?1, time, message, place FROM reading WHERE message = ?2)",
        )?
        .execute(params![device, message])?;
    Ok(())
}
