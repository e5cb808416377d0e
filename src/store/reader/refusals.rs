//! What was not accepted, and what waits: for operators, with the reason.
//!
//! Imports `item`, serde and rusqlite.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use uuid::Uuid;

use crate::item::{Format, KeyName, Reason, Timestamp, Verdict};
use crate::store::checksum::{HELD, ITEM, REFUSAL};
use crate::store::failure::Failure;
use crate::store::id::{self, Id};
use crate::store::reader::json;
use crate::store::reader::messages::MessageClaims;
use crate::store::reader::page::{Cursor, Page, PageRequest};
use crate::store::sqlite::waiting;
use crate::store::text;

/// Which refused or held items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalFilter {
    /// Handed over by this relay.
    pub relay: Option<String>,
    /// For this reason.
    pub reason: Option<Reason>,
    /// Of this device, proven before the refusal; no held item has one.
    pub device: Option<String>,
    /// Received then or later.
    pub since: Option<Timestamp>,
    /// Received before then.
    pub until: Option<Timestamp>,
}

/// An item that is not opened (contract §3): refused, or held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnopenedItem {
    /// Grows in the order of commits.
    pub id: Uuid,
    /// When its delivery was committed.
    pub received_at: Timestamp,
    /// Who handed it over.
    pub relay: String,
    /// Refused or held.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub detail: Option<String>,
    /// Family, where recognised.
    pub format: Option<Format>,
    /// What the relay says.
    pub claims: MessageClaims,
    /// The kid that the envelope names, the first where there are several: a claim.
    #[serde(with = "crate::item::hex_option")]
    pub kid_hex: Option<Vec<u8>>,
    /// The device, where it authenticated; never of what is held.
    pub device: Option<String>,
    /// The bytes, if asked for and kept.
    #[serde(rename = "sealed_b64", serialize_with = "json::base64_option", skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Vec<u8>>,
}

/// A held item, and what would open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldItem {
    /// The item.
    #[serde(flatten)]
    pub item: UnopenedItem,
    /// The names of the keys that would help.
    pub key_names: Vec<KeyName>,
}

/// Claims of an item `i`; all NULL where its sealed bytes are no longer kept.
const CLAIMS: &str = "i.endpoint, i.prefix, i.path, i.time, i.seq, i.relay_id, coalesce(i.repaired, 0) AS repaired";

/// What a filter asks of a row `h`.
const FILTER: &str = "h.id >= ?2 AND h.tenant = ?3 AND (?4 IS NULL OR h.relay = ?4) AND (?5 IS NULL OR h.reason = ?5) \
     AND h.received_at >= ?6 AND h.received_at < ?7";

pub(super) fn refused(
    connection: &Connection,
    tenant: &str,
    filter: &RefusalFilter,
    page: &PageRequest,
    sealed: bool,
) -> Result<Page<UnopenedItem>, Failure> {
    let sql = format!(
        "SELECT h.*, {CLAIMS}, {sealed} AS sealed, {REFUSAL}, {ITEM} FROM refusal h LEFT JOIN item i ON i.id = h.item
         WHERE h.id {beyond} ?1 AND {FILTER} AND (?8 IS NULL OR h.device = ?8) ORDER BY h.id {order} LIMIT ?9",
        sealed = sealed_column(sealed),
        beyond = page.beyond(),
        order = page.order(),
    );
    list(connection, &sql, tenant, filter, page, read_refused)
}

pub(super) fn held(
    connection: &Connection,
    tenant: &str,
    filter: &RefusalFilter,
    page: &PageRequest,
    sealed: bool,
) -> Result<Page<HeldItem>, Failure> {
    let sql = format!(
        "SELECT h.*, {CLAIMS}, {sealed} AS sealed, {HELD}, {ITEM} FROM held h LEFT JOIN item i ON i.id = h.item
         WHERE h.id {beyond} ?1 AND {FILTER} AND ?8 IS NULL ORDER BY h.id {order} LIMIT ?9",
        sealed = sealed_column(sealed),
        beyond = page.beyond(),
        order = page.order(),
    );
    list(connection, &sql, tenant, filter, page, read_held)
}

pub(super) fn find(
    connection: &Connection,
    tenant: &str,
    id: Uuid,
    sealed: bool,
) -> Result<Option<UnopenedItem>, Failure> {
    one(connection, ("refusal", REFUSAL), tenant, id, sealed, read_refused)
}

pub(super) fn find_held(
    connection: &Connection,
    tenant: &str,
    id: Uuid,
    sealed: bool,
) -> Result<Option<HeldItem>, Failure> {
    one(connection, ("held", HELD), tenant, id, sealed, read_held)
}

/// The refusal of a row number, of whatever tenant, and its id.
pub(super) fn at(connection: &Connection, ordinal: i64) -> Result<Option<(Id, UnopenedItem)>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT h.*, {CLAIMS}, NULL AS sealed, {REFUSAL}, {ITEM} FROM refusal h LEFT JOIN item i ON i.id = h.item
         WHERE h.id = ?1"
    ))?;
    let found = statement
        .query_row([ordinal], |row| Ok((Id { ordinal: row.get("id")?, tail: row.get("tail")? }, read_refused(row)?)));
    Ok(found.optional()?)
}

fn one<T>(
    connection: &Connection,
    (table, intact): (&str, &str),
    tenant: &str,
    id: Uuid,
    sealed: bool,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Failure> {
    let Some(id) = Id::parse(id) else { return Ok(None) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT h.*, {CLAIMS}, {sealed} AS sealed, {intact}, {ITEM} FROM {table} h LEFT JOIN item i ON i.id = h.item
         WHERE h.id = ?1 AND h.tail = ?2 AND h.tenant = ?3",
        sealed = sealed_column(sealed),
    ))?;
    Ok(statement.query_row(params![id.ordinal, id.tail, tenant], read).optional()?)
}

fn list<T>(
    connection: &Connection,
    sql: &str,
    tenant: &str,
    filter: &RefusalFilter,
    page: &PageRequest,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Page<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let parameters = params![
        page.from().row,
        filter.since.map_or(0, id::floor),
        tenant,
        filter.relay,
        filter.reason.map(Reason::as_str),
        filter.since.map_or(i64::MIN, Timestamp::millis),
        filter.until.map_or(i64::MAX, Timestamp::millis),
        filter.device,
        page.rows()
    ];
    let rows = statement.query_map(parameters, |row| Ok((Cursor { row: row.get("id")?, place: 0 }, read(row)?)))?;
    Ok(Page::cut(rows.collect::<Result<_, _>>()?, page))
}

const fn sealed_column(sealed: bool) -> &'static str {
    if sealed { "i.sealed" } else { "NULL" }
}

fn read_refused(row: &Row<'_>) -> rusqlite::Result<UnopenedItem> {
    unopened(row, Verdict::Refused, row.get("kid")?, row.get("device")?)
}

fn read_held(row: &Row<'_>) -> rusqlite::Result<HeldItem> {
    let key_names: Vec<KeyName> = text::json(row, "key_names")?;
    let kid = key_names.first().and_then(KeyName::kid).map(<[u8]>::to_vec);
    Ok(HeldItem { item: unopened(row, Verdict::Held, kid, None)?, key_names })
}

/// The columns that both tables have.
fn unopened(
    row: &Row<'_>,
    verdict: Verdict,
    kid_hex: Option<Vec<u8>>,
    device: Option<String>,
) -> rusqlite::Result<UnopenedItem> {
    Ok(UnopenedItem {
        id: Id { ordinal: row.get("id")?, tail: row.get("tail")? }.uuid(),
        received_at: Timestamp::from_millis(row.get("received_at")?),
        relay: row.get("relay")?,
        verdict,
        reason: text::named(row, "reason", text::reason)?,
        detail: row.get("detail")?,
        format: text::named_or_null(row, "format", text::format)?,
        claims: claims(row)?,
        kid_hex,
        device,
        sealed: row.get("sealed")?,
    })
}

fn claims(row: &Row<'_>) -> rusqlite::Result<MessageClaims> {
    let claims = waiting::claims(row)?;
    Ok(MessageClaims {
        relay: row.get("relay")?,
        relay_endpoint: claims.endpoint,
        relay_prefix: claims.prefix,
        relay_path: claims.path,
        relay_time: claims.time,
        relay_seq: claims.seq,
        relay_id: claims.id,
        repaired: claims.repaired,
    })
}
