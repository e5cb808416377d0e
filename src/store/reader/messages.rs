//! Opened messages: what is proven apart from what the relay claims.
//!
//! Imports `item`, `payload` types, serde and rusqlite.

use rusqlite::types::{FromSqlError, Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use uuid::Uuid;

use crate::item::{ContentType, Format, LayerSummary, Proven, Span, Timestamp, Verdict};
use crate::payload::PayloadError;
use crate::store::checksum::MESSAGE;
use crate::store::failure::Failure;
use crate::store::id::{self, Id};
use crate::store::reader::page::{Cursor, Page, PageRequest};
use crate::store::reader::readings::{self, Measured};
use crate::store::reader::{devices, json};
use crate::store::{flags, text};

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Of this device.
    pub device: Option<String>,
    /// Received then or later.
    pub since: Option<Timestamp>,
    /// Received before then.
    pub until: Option<Timestamp>,
}

/// An opened envelope as it is kept (contract §3).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Grows in the order of commits.
    pub id: Uuid,
    /// When its delivery was committed.
    pub received_at: Timestamp,
    /// Opened.
    pub verdict: Verdict,
    /// What is reported instead of refused.
    pub flags: Vec<&'static str>,
    /// Numbers missing below it when it came.
    pub gap_before: Option<Span>,
    /// The number that it closed of a hole.
    pub fills: Option<Span>,
    /// The first part of that hole that stayed open.
    pub gap_left: Option<Span>,
    /// All parts of it.
    pub gaps_left: Vec<Span>,
    /// Of the authenticated content.
    #[serde(with = "crate::item::hex_bytes")]
    pub identity_hex: Vec<u8>,
    /// Who authenticated.
    pub device: Option<String>,
    /// Family of the outermost layer.
    pub format: Format,
    /// Its structure.
    pub structure: String,
    /// Outermost first.
    pub layers: Vec<LayerSummary>,
    /// What was authenticated.
    pub proof: Proven,
    /// What was not.
    pub claims: MessageClaims,
    /// Type of the content.
    pub content_format: Option<ContentType>,
    /// The cleartext.
    #[serde(rename = "content_b64", serialize_with = "json::base64_option", skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<u8>>,
    /// What it measures.
    pub readings: Vec<Measured>,
    /// Why there are no readings, or not all.
    pub payload_error: Option<PayloadError>,
}

/// What the relay says; nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageClaims {
    /// Its account.
    pub relay: String,
    /// Endpoint name.
    pub relay_endpoint: Option<String>,
    /// Gateway prefix.
    pub relay_prefix: Option<String>,
    /// Resource path.
    pub relay_path: Option<String>,
    /// Its time.
    pub relay_time: Option<Timestamp>,
    /// Its sequence number.
    pub relay_seq: Option<u64>,
    /// Its own id of the item.
    pub relay_id: Option<String>,
    /// Trailing text was cut to find the envelope.
    pub repaired: bool,
}

/// All columns but the content, of a message `m` and its device `e`.
const COLUMNS: &str = "m.id, m.identity, m.received_at, m.flags, m.gap_from, m.gap_to, m.filled, m.gaps_left, m.format, \
     m.structure, m.content_type, m.payload_error, m.relay, m.relay_endpoint, m.relay_prefix, m.relay_path, \
     m.relay_time, m.relay_seq, m.relay_id, m.repaired, m.proof, m.layers, m.sequence, m.readings, e.name AS device";

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    filter: &MessageFilter,
    page: &PageRequest,
    with_content: bool,
) -> Result<Page<Message>, Failure> {
    let Some(sources) = sources(connection, tenant, filter.device.as_deref(), page)? else { return Ok(Page::empty()) };
    let content = if with_content { "m.content" } else { "NULL" };
    let mut rows = Vec::new();
    for source in sources {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS}, {content} AS content, {MESSAGE} FROM {from} LEFT JOIN device e ON e.id = m.device
             WHERE {only} AND m.id {beyond} ?2 AND m.id >= ?3 AND m.tenant = ?4
             AND m.received_at >= ?5 AND m.received_at < ?6 ORDER BY m.id {order} LIMIT ?7",
            from = source.from,
            only = source.only,
            beyond = page.beyond(),
            order = page.order(),
        ))?;
        let since = filter.since.map_or(i64::MIN, Timestamp::millis);
        let until = filter.until.map_or(i64::MAX, Timestamp::millis);
        let lowest = filter.since.map_or(0, id::floor);
        let left = page.rows() - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let found = statement
            .query_map(params![source.key, page.from().row, lowest, tenant, since, until, left], |row| {
                Ok((Cursor { row: row.get("id")?, place: 0 }, read(row)?, row.get("readings")?))
            })?;
        for row in found {
            let (cursor, message, count) = row?;
            rows.push((cursor, with_readings(connection, cursor.row, message, count)?));
        }
    }
    Ok(Page::cut(rows, page))
}

pub(super) fn find(connection: &Connection, tenant: &str, id: Uuid) -> Result<Option<Message>, Failure> {
    let Some(id) = Id::parse(id) else { return Ok(None) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, m.content, {MESSAGE} FROM message m LEFT JOIN device e ON e.id = m.device
         WHERE m.id = ?1 AND m.tenant = ?2"
    ))?;
    let message =
        statement.query_row(params![id.ordinal, tenant], |row| Ok((read(row)?, row.get("readings")?))).optional()?;
    match message.filter(|(message, _)| message.id == id.uuid()) {
        Some((message, count)) => with_readings(connection, id.ordinal, message, count).map(Some),
        None => Ok(None),
    }
}

/// The message of a row number, of whatever tenant, with its content and readings.
pub(super) fn at(connection: &Connection, ordinal: i64) -> Result<Option<Message>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, m.content, {MESSAGE} FROM message m LEFT JOIN device e ON e.id = m.device WHERE m.id = ?1"
    ))?;
    let message = statement.query_row([ordinal], |row| Ok((read(row)?, row.get("readings")?))).optional()?;
    message.map(|(message, count)| with_readings(connection, ordinal, message, count)).transpose()
}

/// Where messages are found: a FROM clause that calls them `m`, and what restricts it, with `?1` for `key`.
pub(super) struct Source {
    pub(super) from: &'static str,
    pub(super) only: &'static str,
    pub(super) key: i64,
}

impl Source {
    /// Whether an index by device leads to it.
    pub(super) fn is_indexed(&self) -> bool {
        self.from != "message m"
    }
}

/// One source for all devices; two for one device, in the order of the page: what the index by device reaches, and the
/// messages behind it. None where there is no such device.
pub(super) fn sources(
    connection: &Connection,
    tenant: &str,
    device: Option<&str>,
    page: &PageRequest,
) -> Result<Option<Vec<Source>>, Failure> {
    let Some(device) = device else {
        return Ok(Some(vec![Source { from: "message m", only: "?1 = 0", key: 0 }]));
    };
    let Some(key) = devices::key(connection, tenant, device)? else { return Ok(None) };
    let indexed = Source {
        from: "message_by_device x CROSS JOIN message m ON m.id = x.message",
        only: "x.device = ?1 AND m.device = ?1 AND x.message = m.id",
        key,
    };
    let rest = Source { from: "message m", only: "m.device = ?1 AND m.id > (SELECT indexed FROM progress)", key };
    Ok(Some(if page.descending { vec![rest, indexed] } else { vec![indexed, rest] }))
}

/// The type in the column `content_type`.
pub(super) fn content_type(row: &Row<'_>) -> rusqlite::Result<Option<ContentType>> {
    match row.get_ref("content_type")? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(ContentType::Format(number.cast_unsigned()))),
        ValueRef::Text(_) => Ok(Some(ContentType::Media(row.get("content_type")?))),
        ValueRef::Blob(_) | ValueRef::Real(_) => Err(text::wrong(Type::Blob, FromSqlError::InvalidType)),
    }
}

/// The id of a message from its row number and identity.
pub(super) fn uuid(ordinal: i64, identity: &[u8; 16]) -> Uuid {
    Id::of_message(ordinal, identity).uuid()
}

/// With all of its `count` readings, or not at all.
fn with_readings(connection: &Connection, ordinal: i64, message: Message, count: u32) -> Result<Message, Failure> {
    let readings = readings::of_message(connection, ordinal)?;
    match u32::try_from(readings.len()) == Ok(count) {
        true => Ok(Message { readings, ..message }),
        false => Err(Failure::Damaged(format!("readings of message {ordinal} are lost"))),
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    let identity: [u8; 16] = row.get("identity")?;
    let gaps_left =
        if row.get_ref("gaps_left")? == ValueRef::Null { Vec::new() } else { text::json(row, "gaps_left")? };
    Ok(Message {
        id: uuid(row.get("id")?, &identity),
        received_at: Timestamp::from_millis(row.get("received_at")?),
        verdict: Verdict::Opened,
        flags: flags::names(row.get("flags")?),
        gap_before: span(row.get("gap_from")?, row.get("gap_to")?),
        fills: row.get::<_, Option<i64>>("filled")?.and_then(|number| span(Some(number), Some(number))),
        gap_left: gaps_left.first().copied(),
        gaps_left,
        identity_hex: identity.to_vec(),
        device: row.get("device")?,
        format: text::named(row, "format", text::format)?,
        structure: row.get("structure")?,
        layers: text::json(row, "layers")?,
        proof: text::json(row, "proof")?,
        claims: claims(row)?,
        content_format: content_type(row)?,
        content: row.get("content")?,
        readings: Vec::new(),
        payload_error: text::named_or_null(row, "payload_error", text::payload_error)?,
    })
}

fn claims(row: &Row<'_>) -> rusqlite::Result<MessageClaims> {
    Ok(MessageClaims {
        relay: row.get("relay")?,
        relay_endpoint: row.get("relay_endpoint")?,
        relay_prefix: row.get("relay_prefix")?,
        relay_path: row.get("relay_path")?,
        relay_time: row.get::<_, Option<i64>>("relay_time")?.map(Timestamp::from_millis),
        relay_seq: row.get::<_, Option<i64>>("relay_seq")?.map(i64::cast_unsigned),
        relay_id: row.get("relay_id")?,
        repaired: row.get("repaired")?,
    })
}

fn span(from: Option<i64>, to: Option<i64>) -> Option<Span> {
    Some(Span { from: from?.cast_unsigned(), to: to?.cast_unsigned() })
}
