//! Reads back what waits on disk: pending items and held ones, as opening wants them.
//!
//! Imports rusqlite and `item`.

use std::sync::Arc;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Row, params};

use crate::item::{Claims, ItemId, Origin, Reason, Sealed, Taken, Timestamp};
use crate::store::failure::Failure;
use crate::store::id::Id;
use crate::store::ledger::Held;
use crate::store::text;

/// Sealed bytes read at once, whatever the number of items.
const MOST_BYTES: usize = 32 << 20;

/// Columns of an item and its delivery.
const TAKEN: &str = "i.id, i.cose_type, i.endpoint, i.prefix, i.path, i.time, i.seq, i.relay_id, i.repaired, i.sealed, \
     d.id AS delivery, d.tail, d.relay, d.tenant, d.unauthenticated_sender, d.received_at, d.first_item";

/// Pending items after `after`, in the order of taking, at most `max`.
pub(in crate::store) fn pending(connection: &Connection, after: i64, max: usize) -> Result<Vec<Taken>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {TAKEN} FROM item i JOIN delivery d ON d.id = i.delivery
         WHERE i.id > ?1 AND i.id >= (SELECT first_pending FROM progress)
         AND NOT EXISTS (SELECT 1 FROM conclusion c WHERE c.item = i.id)
         ORDER BY i.id LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![after, i64::try_from(max).unwrap_or(i64::MAX)])?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    while bytes < MOST_BYTES
        && let Some(row) = rows.next()?
    {
        let item = taken(row)?;
        bytes += item.sealed.bytes.len();
        items.push(item);
    }
    Ok(items)
}

/// Held items of one reason after `after`, in the order of arrival, at most `max`.
pub(in crate::store) fn held(
    connection: &Connection,
    after: Option<ItemId>,
    reason: Reason,
    max: usize,
) -> Result<Vec<(Taken, Held)>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {TAKEN}, h.reason, h.format, h.key_names, h.detail
         FROM held h JOIN item i ON i.id = h.item JOIN delivery d ON d.id = i.delivery
         WHERE h.item > ?1 AND h.reason = ?2 ORDER BY h.item LIMIT ?3"
    ))?;
    let after = after.map_or(0, |item| item.0);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, reason.as_str(), max])?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    while bytes < MOST_BYTES
        && let Some(row) = rows.next()?
    {
        let item = taken(row)?;
        bytes += item.sealed.bytes.len();
        items.push((item, held_for(row)?));
    }
    Ok(items)
}

fn taken(row: &Row<'_>) -> rusqlite::Result<Taken> {
    let item: i64 = row.get("id")?;
    let index = item - row.get::<_, i64>("first_item")?;
    Ok(Taken {
        id: ItemId(item),
        receipt: Id { ordinal: row.get("delivery")?, tail: row.get("tail")? }.uuid(),
        index: u32::try_from(index).map_err(|error| text::wrong(Type::Integer, error))?,
        origin: origin(row)?,
        received_at: Timestamp::from_millis(row.get("received_at")?),
        sealed: sealed(row)?,
        claims: claims(row)?,
    })
}

fn origin(row: &Row<'_>) -> rusqlite::Result<Origin> {
    Ok(Origin {
        relay: row.get("relay")?,
        tenant: row.get("tenant")?,
        unauthenticated_sender: row.get("unauthenticated_sender")?,
    })
}

fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    let tag: Option<i64> = row.get("cose_type")?;
    let cose_type = match tag {
        Some(tag) => Some(text::cose_type(tag).ok_or_else(|| text::wrong(Type::Integer, FromSqlError::InvalidType))?),
        None => None,
    };
    Ok(Sealed { bytes: Arc::from(row.get_ref("sealed")?.as_blob()?), cose_type })
}

/// What the relay says, from the columns of `item`.
pub(in crate::store) fn claims(row: &Row<'_>) -> rusqlite::Result<Claims> {
    Ok(Claims {
        endpoint: row.get("endpoint")?,
        prefix: row.get("prefix")?,
        path: row.get("path")?,
        time: row.get::<_, Option<i64>>("time")?.map(Timestamp::from_millis),
        seq: row.get::<_, Option<i64>>("seq")?.map(i64::cast_unsigned),
        id: row.get("relay_id")?,
        repaired: row.get("repaired")?,
    })
}

fn held_for(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        reason: text::named(row, "reason", text::reason)?,
        format: text::named_or_null(row, "format", text::format)?,
        key_names: text::json(row, "key_names")?,
        detail: row.get("detail")?,
    })
}
