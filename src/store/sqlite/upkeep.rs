//! What the writer does between commits: the index by device, what is older than it is kept, and checkpoints. Each step
//! is small, in a transaction of its own, and may be lost and done again.
//!
//! Imports rusqlite.

use rusqlite::{Connection, TransactionBehavior, params};

use crate::fault;
use crate::item::Timestamp;
use crate::store::Limits;
use crate::store::failure::Failure;
use crate::store::id;
use crate::store::sqlite::books::Books;

/// Messages sorted into `message_by_device` at once: with thousands of devices their entries still share pages.
pub(in crate::store) const INDEXED: u64 = 8_192;
/// Rows deleted at once.
const DELETED: i64 = 512;
/// Items between two looks at the length of the WAL: some hundred frames of it.
pub(in crate::store) const UNMEASURED: usize = 256;
/// WAL frames that are moved to the database before it grows.
const FRAMES: i64 = 2_000;

/// Sorts the next messages into the index by device. Gives whether there were any.
pub(in crate::store) fn index(connection: &mut Connection, books: &mut Books) -> Result<bool, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (from, to, count): (i64, Option<i64>, i64) = transaction
        .prepare_cached(
            "SELECT p.indexed, max(m.id), count(m.id) FROM progress p LEFT JOIN
             (SELECT id FROM message WHERE id > (SELECT indexed FROM progress) ORDER BY id LIMIT ?1) m",
        )?
        .query_row([INDEXED.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Some(to) = to else {
        books.unindexed = 0;
        return Ok(false);
    };
    transaction
        .prepare_cached(
            "INSERT INTO message_by_device SELECT device, id FROM message
             WHERE id > ?1 AND id <= ?2 AND device IS NOT NULL ORDER BY device, id",
        )?
        .execute(params![from, to])?;
    transaction.prepare_cached("UPDATE progress SET indexed = ?1")?.execute([to])?;
    fault::point("index", "before-commit");
    transaction.commit()?;
    fault::point("index", "after-commit");
    books.unindexed = books.unindexed.saturating_sub(count.cast_unsigned());
    Ok(true)
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
    }
    if let Some(before) = before(limits.retention_s) {
        deleted += prune_messages(&transaction, before)?;
    }
    books.tallies.write(&transaction)?;
    if deleted > 0 {
        fault::point("prune", "before-commit");
    }
    transaction.commit()?;
    if deleted > 0 {
        fault::point("prune", "after-commit");
    }
    Ok(deleted > 0)
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

/// Empties the WAL before anything is acknowledged on top of it. What a process left in it that died of a failed sync
/// may be in the kernel's cache alone, marked clean: no later sync would write it, and after a power cut the WAL would
/// end there (reliability D6). Moved into the database it is written, and synced, anew.
pub(in crate::store) fn empty_log(connection: &Connection) -> Result<(), Failure> {
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_busy { Err(Failure::Busy) } else { Ok(()) }
}

/// Frames in the WAL, and how many of them are in the database.
fn frames(connection: &Connection, pragma: &str) -> Result<(i64, i64), Failure> {
    Ok(connection.prepare_cached(pragma)?.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?)
}
