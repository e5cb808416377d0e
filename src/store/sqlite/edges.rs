//! What SQL lacks: of the numbers of a group, the one with the least time and the one with the greatest.
//!
//! Imports rusqlite.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};

/// Installs `first_of(value, time)` and `last_of(value, time)`.
pub(in crate::store) fn install(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_aggregate_function("first_of", 2, flags, Edge { is_last: false })?;
    connection.create_aggregate_function("last_of", 2, flags, Edge { is_last: true })
}

struct Edge {
    is_last: bool,
}

type Found = Option<(i64, f64)>;

impl Aggregate<Found, Option<f64>> for Edge {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Found> {
        Ok(None)
    }

    fn step(&self, call: &mut Context<'_>, found: &mut Found) -> rusqlite::Result<()> {
        let (value, time) = (call.get(0)?, call.get(1)?);
        // Of one time, the first that was stored is the first, and the last one the last.
        let is_nearer = found.is_none_or(|(edge, _)| if self.is_last { time >= edge } else { time < edge });
        if is_nearer {
            *found = Some((time, value));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, found: Option<Found>) -> rusqlite::Result<Option<f64>> {
        Ok(found.flatten().map(|(_, value)| value))
    }
}
