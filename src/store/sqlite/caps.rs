//! Caps of what one relay can make us keep: the oldest of what it brought goes first, counted, never another relay's.
//!
//! Imports rusqlite.

use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::item::{Timestamp, Verdict};
use crate::store::failure::Failure;
use crate::store::sqlite::books::{self, Books};

impl Books {
    /// After the counters of the transaction are written, and before COMMIT.
    pub(in crate::store) fn enforce_caps(
        &mut self,
        connection: &Connection,
        relay: &Arc<str>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached("SELECT held, refusals_kept FROM counter WHERE relay = ?1")?;
        let (held, refusals): (i64, i64) = statement.query_row([relay], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let held = excess(held, self.limits.held_quota);
        let refusals = excess(refusals, self.limits.refused_quota);
        if held > 0 {
            self.expire(connection, relay, held, now)?;
        }
        if refusals > 0 {
            let evicted = forget_refusals(connection, relay, refusals)?;
            self.tallies.evict_refusals(relay, evicted);
        }
        Ok(())
    }

    /// The oldest held items of a relay expire; their sealed bytes go.
    fn expire(&mut self, connection: &Connection, relay: &Arc<str>, count: i64, now: Timestamp) -> Result<(), Failure> {
        let mut oldest =
            connection.prepare_cached("SELECT item, received_at FROM held WHERE relay = ?1 ORDER BY id LIMIT ?2")?;
        let rows = oldest.query_map(params![relay, count], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let items: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
        for (item, received_at) in &items {
            connection.prepare_cached("DELETE FROM held WHERE item = ?1")?.execute([item])?;
            connection.prepare_cached("DELETE FROM item WHERE id = ?1")?.execute([item])?;
            let mut verdict =
                connection.prepare_cached("UPDATE conclusion SET verdict = ?2, reason = NULL WHERE item = ?1")?;
            verdict.execute(params![item, Verdict::Expired.as_str()])?;
            let waited = books::since(Timestamp::from_millis(*received_at), now);
            self.draft.conclude(*item, books::expired(relay, waited));
        }
        let expired = i64::try_from(items.len()).unwrap_or(i64::MAX);
        self.tallies.shift(relay, Verdict::Held, Verdict::Expired, expired);
        Ok(())
    }
}

/// The oldest kept refusals of a relay go, sealed bytes and all. Gives how many went.
fn forget_refusals(connection: &Connection, relay: &str, count: i64) -> Result<i64, Failure> {
    let mut oldest = connection.prepare_cached("SELECT id, item FROM refusal WHERE relay = ?1 ORDER BY id LIMIT ?2")?;
    let rows = oldest.query_map(params![relay, count], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let refusals: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    for (id, item) in &refusals {
        connection.prepare_cached("DELETE FROM refusal WHERE id = ?1")?.execute([id])?;
        connection.prepare_cached("DELETE FROM item WHERE id = ?1")?.execute([item])?;
    }
    Ok(i64::try_from(refusals.len()).unwrap_or(i64::MAX))
}

fn excess(count: i64, quota: u64) -> i64 {
    count.saturating_sub(i64::try_from(quota).unwrap_or(i64::MAX)).max(0)
}
