//! The statements that run for each item, prepared once a transaction: finding them by their texts costs a message as
//! much as two of them.
//!
//! Imports rusqlite.

use rusqlite::{CachedStatement, Connection};

use crate::store::failure::Failure;
use crate::store::measure;

/// What a transaction writes with.
pub(in crate::store) struct Pen<'c> {
    /// For what is rare.
    pub(in crate::store) connection: &'c Connection,
    pub(in crate::store) conclusion: CachedStatement<'c>,
    pub(in crate::store) delivery: CachedStatement<'c>,
    /// The message that had a content first.
    pub(in crate::store) first: CachedStatement<'c>,
    pub(in crate::store) item: CachedStatement<'c>,
    pub(in crate::store) message: CachedStatement<'c>,
    pub(in crate::store) reading: CachedStatement<'c>,
}

impl<'c> Pen<'c> {
    /// For the transaction that is open on `connection`.
    pub(in crate::store) fn of(connection: &'c Connection) -> Result<Self, Failure> {
        Ok(Self {
            connection,
            conclusion: connection.prepare_cached(CONCLUSION)?,
            delivery: connection.prepare_cached("INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?,
            first: connection.prepare_cached("SELECT message FROM identity WHERE identity = ?1")?,
            item: connection
                .prepare_cached("INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?,
            message: connection.prepare_cached(MESSAGE)?,
            reading: connection.prepare_cached(measure::INSERT)?,
        })
    }
}

const CONCLUSION: &str = "INSERT INTO conclusion VALUES (?1, ?2, ?3, ?4) ON CONFLICT (item) DO UPDATE SET
     verdict = excluded.verdict, reason = excluded.reason, message = excluded.message";
/// The last is the row's sum.
const MESSAGE: &str =
    "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
     ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)";
