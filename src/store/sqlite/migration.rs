//! Brings a database to this program's schema: forward only, all of it in one transaction, after a backup copy.
//!
//! The version stands in the file's header (`user_version`), so it changes with the schema or not at all.

use std::cmp::Ordering;
use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::fault;
use crate::store::failure::Failure;
use crate::store::sqlite::{connection, lock};

/// Step `n` leads from version `n` to `n + 1`.
pub(in crate::store) const STEPS: &[&str] = &[
    include_str!("../schema/1.sql"),
    include_str!("../schema/2.sql"),
    include_str!("../schema/3.sql"),
    include_str!("../schema/4.sql"),
];

/// Makes or migrates the database in `data`. Only for who holds the server's lock.
pub(in crate::store) fn bring_forward(data: &Path) -> Result<(), Failure> {
    migrate(&connection::file(data), STEPS)
}

/// Makes the database in `data` where there is none. One of an older schema is brought forward only if no server runs.
pub(in crate::store) fn prepare(data: &Path) -> Result<(), Failure> {
    let file = connection::file(data);
    let known = version_after(STEPS);
    match version(&connection::for_writing(&file)?)? {
        0 => create(&file, STEPS),
        found if found == known => Ok(()),
        found if found > known => Err(newer(found, known)),
        found => {
            let hint = "stop the server, whose program is older, and start this one";
            let _lock = lock::exclusive(data).map_err(|_| Failure::Schema { found, known, hint })?;
            migrate(&file, STEPS)
        }
    }
}

/// Whether the database in `data` is there, and of this program's schema.
pub(in crate::store) fn same(data: &Path) -> Result<(), Failure> {
    let (found, known) = (version(&connection::for_reading(&connection::file(data))?)?, version_after(STEPS));
    match found.cmp(&known) {
        Ordering::Less => Err(Failure::Schema { found, known, hint: "`serve` brings it forward" }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(newer(found, known)),
    }
}

/// Brings `file` to the version after `steps`.
pub(in crate::store) fn migrate(file: &Path, steps: &[&str]) -> Result<(), Failure> {
    let known = version_after(steps);
    let found = version(&connection::for_writing(file)?)?;
    if found > known {
        return Err(newer(found, known));
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        back_up(file, found)?;
    }
    create(file, steps)
}

/// Runs the steps that are missing. Two processes may try at once: the second finds nothing left to do.
fn create(file: &Path, steps: &[&str]) -> Result<(), Failure> {
    let mut connection = connection::for_writing(file)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    for step in steps.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        fault::point("migration", "before-step");
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", version_after(steps).max(found))?;
    fault::point("migration", "before-commit");
    transaction.commit()?;
    fault::point("migration", "after-commit");
    Ok(())
}

/// Leaves `store.v1.backup` (or of whatever version) beside the database. Written under another name and synced first:
/// a file of that name is whole.
fn back_up(file: &Path, version: i64) -> Result<(), Failure> {
    let backup = file.with_extension(format!("v{version}.backup"));
    let partial = file.with_extension(format!("v{version}.partial"));
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Failure::file(&partial, error)),
        _ => {}
    }
    let name = partial.to_str().ok_or_else(|| Failure::Damaged("the data folder's name is not UTF-8".into()))?;
    connection::for_writing(file)?.execute("VACUUM INTO ?1", [name])?;
    File::open(&partial)
        .and_then(|copy| copy.sync_all())
        .and_then(|()| std::fs::rename(&partial, &backup))
        .map_err(|error| Failure::file(&backup, error))
}

fn version(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn version_after(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

const fn newer(found: i64, known: i64) -> Failure {
    Failure::Schema { found, known, hint: "a newer program wrote it, and only that one can read it" }
}

#[cfg(test)]
mod tests;
