//! Subscriptions, and what is on its way to them.
//!
//! Imports `item`, serde_json and rusqlite.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::item::Timestamp;
use crate::store::event::EventType;
use crate::store::failure::Failure;
use crate::store::id::Id;
use crate::store::outbox::Due;
use crate::store::reader::events;
use crate::store::reader::page::{Cursor, Page, PageRequest};
use crate::store::subscription::{Attempt, Delivery, DeliveryCounts, Status, Subscription};
use crate::store::text;

/// Those of a tenant, or of a status, or all; in the order of their making.
pub(in crate::store) fn subscriptions(
    connection: &Connection,
    tenant: Option<&str>,
    status: Option<Status>,
) -> Result<Vec<Subscription>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM subscription WHERE status <> 'removed' AND (?1 IS NULL OR tenant = ?1)
         AND (?2 IS NULL OR status = ?2) ORDER BY id",
    )?;
    let rows = statement.query_map(params![tenant, status.map(Status::as_str)], subscription)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All of them, and when the oldest that is on its way was enqueued.
pub(in crate::store) fn queues(connection: &Connection) -> Result<Vec<(Subscription, Option<Timestamp>)>, Failure> {
    let mut oldest = connection.prepare_cached(
        "SELECT min(id) FROM outbox INDEXED BY outbox_due WHERE subscription = ?1 AND status = 'pending'",
    )?;
    let all = subscriptions(connection, None, None)?;
    let aged = all.into_iter().map(|subscription| {
        // Where nothing waits, nothing is looked for.
        let id: Option<i64> = match subscription.counts.pending {
            0 => None,
            _ => oldest.query_row([subscription.row], |row| row.get(0))?,
        };
        Ok((subscription, id.map(|ordinal| Id { ordinal, tail: 0 }.time())))
    });
    aged.collect()
}

fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let id = Id { ordinal: row.get("id")?, tail: row.get("tail")? };
    Ok(Subscription {
        row: id.ordinal,
        id: id.uuid(),
        tenant: row.get("tenant")?,
        spec: text::json(row, "spec")?,
        status: text::named(row, "status", Status::from_name)?,
        failing_since: row.get::<_, Option<i64>>("failing_since")?.map(Timestamp::from_millis),
        counts: DeliveryCounts {
            enqueued: count("enqueued")?,
            delivered: count("delivered")?,
            pending: count("pending")?,
            dead: count("dead")?,
            expired: count("expired")?,
        },
    })
}

/// What is due. Where order is kept, only the first pending of a device is.
pub(in crate::store) fn due(
    connection: &Connection,
    subscription: i64,
    ordered: bool,
    now: Timestamp,
    busy: &[i64],
    max: usize,
) -> Result<Vec<Due>, Failure> {
    let heads = "AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.subscription = o.subscription AND p.device = o.device
                 AND p.status = 'pending' AND p.id < o.id)";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, attempts, kind, source FROM outbox o WHERE subscription = ?1 AND status = 'pending'
         AND next_attempt <= ?2 {} ORDER BY next_attempt, id LIMIT ?3",
        if ordered { heads } else { "" }
    ))?;
    let rows = statement.query_map(params![subscription, now.millis(), limit(max + busy.len())], |row| {
        Ok(Due {
            delivery: row.get(0)?,
            attempts: row.get(1)?,
            kind: text::known(row.get(2)?, EventType::from_code)?,
            source: row.get(3)?,
        })
    })?;
    let idle = |due: &rusqlite::Result<Due>| due.as_ref().map_or(true, |due| !busy.contains(&due.delivery));
    Ok(rows.filter(idle).take(max).collect::<Result<_, _>>()?)
}

/// When the next is due that is not busy.
pub(in crate::store) fn next_due(
    connection: &Connection,
    subscription: i64,
    busy: &[i64],
) -> Result<Option<Timestamp>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, next_attempt FROM outbox WHERE subscription = ?1 AND status = 'pending'
         ORDER BY next_attempt, id LIMIT ?2",
    )?;
    let rows =
        statement.query_map(params![subscription, limit(busy.len() + 1)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in rows {
        let (id, at): (i64, i64) = row?;
        if !busy.contains(&id) {
            return Ok(Some(Timestamp::from_millis(at)));
        }
    }
    Ok(None)
}

/// What is and was on its way to a subscription, with the log of its attempts.
pub(super) fn list(
    connection: &Connection,
    subscription: i64,
    status: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Delivery>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, tail, kind, source, status, next_attempt FROM outbox
         WHERE subscription = ?1 AND id {beyond} ?2 AND (?3 IS NULL OR status = ?3) ORDER BY id {order} LIMIT ?4",
        beyond = page.beyond(),
        order = page.order(),
    ))?;
    let rows = statement.query_map(params![subscription, page.from().row, status, page.rows()], |row| {
        let id = Id { ordinal: row.get(0)?, tail: row.get(1)? };
        let delivery = Delivery {
            id: id.uuid(),
            event: None,
            kind: text::known(row.get(2)?, EventType::from_code)?,
            status: row.get(4)?,
            attempts: Vec::new(),
            next_attempt_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        };
        Ok((id.ordinal, row.get::<_, i64>(3)?, delivery))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (row, source, mut delivery) = row?;
        delivery.attempts = attempts(connection, row)?;
        delivery.event = events::parcel(connection, delivery.kind, source)?.map(|parcel| parcel.event.id);
        found.push((Cursor { row, place: 0 }, delivery));
    }
    Ok(Page::cut(found, page))
}

fn attempts(connection: &Connection, delivery: i64) -> Result<Vec<Attempt>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT at, status_code, error, duration_ms FROM attempt WHERE delivery = ?1 ORDER BY at")?;
    let rows = statement.query_map([delivery], |row| {
        Ok(Attempt {
            at: Timestamp::from_millis(row.get(0)?),
            status_code: row.get(1)?,
            error: row.get(2)?,
            duration_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row of a tenant's subscription.
pub(super) fn row_of(connection: &Connection, tenant: &str, id: uuid::Uuid) -> Result<Option<i64>, Failure> {
    let Some(id) = Id::parse(id) else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT id FROM subscription WHERE id = ?1 AND tail = ?2 AND tenant = ?3 AND status <> 'removed'",
    )?;
    Ok(statement.query_row(params![id.ordinal, id.tail, tenant], |row| row.get(0)).optional()?)
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
