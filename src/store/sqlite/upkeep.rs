//! What the writer does between commits: what is sorted behind the messages, what is older than it is kept, and
//! checkpoints. Each step is small, in a transaction of its own, and may be lost and done again.
//!
//! Imports rusqlite.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::fault;
use crate::item::Timestamp;
use crate::store::Limits;
use crate::store::failure::Failure;
use crate::store::id;
use crate::store::sqlite::books::Books;
use crate::store::sqlite::timeline;

/// Messages that are sorted in at once while there is work: with thousands of devices their entries still share pages.
pub(in crate::store) const SORTED: usize = 16_384;
/// Rows deleted at once.
const DELETED: i64 = 512;
/// Items between two looks at the length of the WAL: some hundred frames of it.
pub(in crate::store) const UNMEASURED: usize = 256;
/// WAL frames that are moved to the database before it grows.
const FRAMES: i64 = 2_000;

/// Sorts the last messages into the tables that are sorted otherwise.
pub(in crate::store) fn index(connection: &mut Connection, books: &mut Books) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    timeline::extend(&transaction)?;
    books.recent.write(&transaction)?;
    fault::point("index", "before-commit");
    transaction.commit()?;
    fault::point("index", "after-commit");
    books.recent.clear();
    Ok(())
}

/// Deletes some of what is older than it is kept. Gives whether there was any.
pub(in crate::store) fn prune(
    connection: &mut Connection,
    books: &mut Books,
    limits: &Limits,
    now: Timestamp,
) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = |keep_s: Option<i64>| keep_s.map(|keep_s| now.plus_seconds(-keep_s));
    let mut deleted = 0;
    if let Some(before) = before(limits.keep_refused_s) {
        deleted += prune_refusals(&transaction, books, before)?;
    }
    if let Some(before) = before(limits.keep_sealed_s) {
        deleted += prune_sealed(&transaction, before)?;
    }
    if let Some(before) = before(limits.keep_receipts_s) {
        deleted += prune_receipts(&transaction, before)?;
        deleted += prune_events(&transaction, books, before)?;
    }
    if let Some(before) = before(limits.retention_s) {
        deleted += prune_messages(&transaction, before)?;
    }
    deleted += prune_removed(&transaction)?;
    books.tallies.write(&transaction)?;
    books.posting.write(&transaction)?;
    if deleted > 0 {
        fault::point("prune", "before-commit");
    }
    transaction.commit()?;
    if deleted > 0 {
        fault::point("prune", "after-commit");
    }
    Ok(deleted > 0)
}

/// Events of rows of their own, and deliveries with their logs. What still waits after that time has expired.
fn prune_events(connection: &Connection, books: &mut Books, before: Timestamp) -> Result<usize, Failure> {
    let before = id::floor(before);
    let mut events = connection
        .prepare_cached("DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < ?1 ORDER BY id LIMIT ?2)")?;
    let deleted = events.execute(params![before, DELETED])?;
    let mut old =
        connection.prepare_cached("SELECT id, subscription, status FROM outbox WHERE id < ?1 ORDER BY id LIMIT ?2")?;
    let rows = old.query_map(params![before, DELETED], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let deliveries: Vec<(i64, i64, String)> = rows.collect::<Result<_, _>>()?;
    for (delivery, subscription, status) in &deliveries {
        if status == "pending" {
            let tally = books.posting.tally(*subscription);
            tally.pending -= 1;
            tally.expired += 1;
        }
        forget(connection, *delivery)?;
    }
    Ok(deleted + deliveries.len())
}

/// What was on its way to a subscription that was removed, and then its row.
fn prune_removed(connection: &Connection) -> Result<usize, Failure> {
    let mut removed = connection.prepare_cached("SELECT id FROM subscription WHERE status = 'removed' LIMIT 1")?;
    let Some(subscription) = removed.query_row([], |row| row.get::<_, i64>(0)).optional()? else { return Ok(0) };
    let mut rest = connection.prepare_cached("SELECT id FROM outbox WHERE subscription = ?1 ORDER BY id LIMIT ?2")?;
    let rows = rest.query_map(params![subscription, DELETED], |row| row.get(0))?;
    let deliveries: Vec<i64> = rows.collect::<Result<_, _>>()?;
    deliveries.iter().try_for_each(|delivery| forget(connection, *delivery))?;
    if deliveries.is_empty() {
        connection.prepare_cached("DELETE FROM subscription WHERE id = ?1")?.execute([subscription])?;
    }
    Ok(deliveries.len() + 1)
}

fn forget(connection: &Connection, delivery: i64) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM attempt WHERE delivery = ?1")?.execute([delivery])?;
    connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([delivery])?;
    Ok(())
}

fn prune_refusals(connection: &Connection, books: &mut Books, before: Timestamp) -> Result<usize, Failure> {
    // In the order of their refusal, which is that of arrival but for items that were held: those wait for their turn.
    let mut old = connection.prepare_cached(
        "SELECT id, relay FROM (SELECT id, relay, received_at FROM refusal ORDER BY id LIMIT ?1) WHERE received_at < ?2",
    )?;
    let rows = old.query_map(params![DELETED, before.millis()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let refusals: Vec<(i64, std::sync::Arc<str>)> = rows.collect::<Result<_, _>>()?;
    for (refusal, relay) in &refusals {
        connection.prepare_cached("DELETE FROM refusal WHERE id = ?1")?.execute([refusal])?;
        books.tallies.forget_refusals(relay, 1);
    }
    Ok(refusals.len())
}

/// Sealed bytes of what is concluded; those of held items and of kept refusals stay with them.
fn prune_sealed(connection: &Connection, before: Timestamp) -> Result<usize, Failure> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM item WHERE id IN (SELECT i.id FROM item i
         WHERE i.id < (SELECT first_pending FROM progress) AND i.delivery < ?1
         AND NOT EXISTS (SELECT 1 FROM held h WHERE h.item = i.id)
         AND NOT EXISTS (SELECT 1 FROM refusal r WHERE r.item = i.id)
         ORDER BY i.id LIMIT ?2)",
    )?;
    Ok(statement.execute(params![id::floor(before), DELETED])?)
}

/// Receipts whose sealed bytes are gone: a delivery stays while an item of it needs its origin.
fn prune_receipts(connection: &Connection, before: Timestamp) -> Result<usize, Failure> {
    let mut old = connection.prepare_cached(
        "SELECT d.id, d.first_item, d.items FROM delivery d
         WHERE d.id < ?1 AND d.first_item + d.items <= (SELECT first_pending FROM progress)
         AND NOT EXISTS (SELECT 1 FROM item i WHERE i.id >= d.first_item AND i.id < d.first_item + d.items)
         ORDER BY d.id LIMIT ?2",
    )?;
    let rows = old.query_map(params![id::floor(before), DELETED], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let deliveries: Vec<(i64, i64, i64)> = rows.collect::<Result<_, _>>()?;
    for (delivery, first_item, items) in &deliveries {
        let mut verdicts = connection.prepare_cached("DELETE FROM conclusion WHERE item >= ?1 AND item < ?2")?;
        verdicts.execute([*first_item, first_item + items])?;
        connection.prepare_cached("DELETE FROM delivery WHERE id = ?1")?.execute([delivery])?;
    }
    Ok(deliveries.len())
}

/// Messages with their readings. Their identities and numbers stay: a replay is one for ever.
fn prune_messages(connection: &Connection, before: Timestamp) -> Result<usize, Failure> {
    let mut old = connection.prepare_cached(
        "SELECT id, device FROM message WHERE id <= (SELECT indexed FROM progress) AND received_at < ?1
         AND id IN (SELECT id FROM message ORDER BY id LIMIT ?2)",
    )?;
    let rows = old.query_map(params![before.millis(), DELETED], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let messages: Vec<(i64, Option<i64>)> = rows.collect::<Result<_, _>>()?;
    for (message, device) in &messages {
        let mut entry =
            connection.prepare_cached("DELETE FROM message_by_device WHERE device = ?1 AND message = ?2")?;
        entry.execute(params![device, message])?;
        timeline::forget(connection, *device, *message)?;
        connection.prepare_cached("DELETE FROM reading WHERE message = ?1")?.execute([message])?;
        connection.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([message])?;
    }
    Ok(messages.len())
}

/// Moves the WAL into the database where it has grown long. Not in COMMIT: nobody waits for it here.
pub(in crate::store) fn checkpoint(connection: &Connection) -> Result<(), Failure> {
    let (waiting, moved) = frames(connection, "PRAGMA wal_checkpoint(NOOP)")?;
    if waiting - moved >= FRAMES {
        fault::point("checkpoint", "before");
        frames(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        fault::point("checkpoint", "after");
    }
    Ok(())
}

/// Empties the WAL, when nobody is in a hurry.
pub(in crate::store) fn truncate(connection: &Connection) -> Result<(), Failure> {
    fault::point("truncate", "before");
    frames(connection, "PRAGMA wal_checkpoint(TRUNCATE)")?;
    fault::point("truncate", "after");
    Ok(())
}

/// Frames in the WAL, and how many of them are in the database.
fn frames(connection: &Connection, pragma: &str) -> Result<(i64, i64), Failure> {
    Ok(connection.prepare_cached(pragma)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?)
}
