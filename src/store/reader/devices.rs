//! Devices that authenticated: when, how often, which numbers were seen and which are missing.
//!
//! Imports `item`, `guard::sequence`, serde and rusqlite. What a device is allowed, and its keys, the keystore knows.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::guard::sequence::Ranges;
use crate::item::{Span, Timestamp};
use crate::store::checksum::SEQUENCE;
use crate::store::failure::Failure;
use crate::store::reader::page::{Cursor, Page, PageRequest};
use crate::store::sqlite::sequences;

/// A device (contract §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name.
    pub device: String,
    /// Whose it is.
    pub tenant: String,
    /// The keystore's to say: none here.
    pub class: Option<String>,
    /// Ids of its keys: the keystore's to say, none here.
    pub keys: Vec<String>,
    /// Arrival of its first message.
    pub first_seen: Option<Timestamp>,
    /// Arrival of its latest.
    pub last_seen: Option<Timestamp>,
    /// The message concluded last.
    pub last_message: Option<Uuid>,
    /// Not seen for longer than its policy allows.
    pub silent: bool,
    /// Its counters.
    pub sequences: Vec<SequenceState>,
    /// How often what.
    pub counts: DeviceCounts,
}

/// Verdicts on what a device authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceCounts {
    /// Messages.
    pub opened: u64,
    /// The same again.
    pub duplicate: u64,
    /// Authentic and refused.
    pub refused: u64,
}

/// One counter of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceState {
    /// Id of the sender's key.
    pub key: String,
    /// Its version.
    pub key_version: u32,
    /// Boot epoch or key generation.
    #[serde(with = "crate::item::hex_option")]
    pub kid_context_hex: Option<Vec<u8>>,
    /// The number after the highest.
    pub next: u64,
    /// Numbers seen.
    #[serde(serialize_with = "pairs")]
    pub opened: Vec<Span>,
    /// Numbers missing; none of a counter that is only remembered.
    #[serde(serialize_with = "pairs")]
    pub gaps: Vec<Span>,
}

/// Numbers missing of a counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Id of the sender's key.
    pub key: String,
    /// Its version.
    pub key_version: u32,
    /// Boot epoch or key generation.
    #[serde(with = "crate::item::hex_option")]
    pub kid_context_hex: Option<Vec<u8>>,
    /// First number.
    pub from: u64,
    /// Last number.
    pub to: u64,
}

fn pairs<S: Serializer>(spans: &[Span], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(spans.iter().map(|span| [span.from, span.to]))
}

/// The row of a device.
pub(super) fn key(connection: &Connection, tenant: &str, name: &str) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached("SELECT id FROM device WHERE tenant = ?1 AND name = ?2")?;
    Ok(statement.query_row([tenant, name], |row| row.get(0)).optional()?)
}

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    page: &PageRequest,
    now: Timestamp,
) -> Result<Page<Device>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT * FROM device WHERE id {beyond} ?1 AND tenant = ?2 ORDER BY id {order} LIMIT ?3",
        beyond = page.beyond(),
        order = page.order(),
    ))?;
    let found = statement.query_map(params![page.from().row, tenant, page.rows()], |row| {
        Ok((Cursor { row: row.get("id")?, place: 0 }, read(row, now)?))
    })?;
    let mut rows = Vec::new();
    for row in found {
        let (cursor, device) = row?;
        rows.push((cursor, with_sequences(connection, cursor.row, device)?));
    }
    Ok(Page::cut(rows, page))
}

pub(super) fn find(
    connection: &Connection,
    tenant: &str,
    name: &str,
    now: Timestamp,
) -> Result<Option<Device>, Failure> {
    let mut statement = connection.prepare_cached("SELECT * FROM device WHERE tenant = ?1 AND name = ?2")?;
    let row = statement.query_row([tenant, name], |row| Ok((row.get("id")?, read(row, now)?))).optional()?;
    match row {
        Some((key, device)) => with_sequences(connection, key, device).map(Some),
        None => Ok(None),
    }
}

pub(super) fn silent(connection: &Connection, now: Timestamp) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM device WHERE max_silence_s IS NOT NULL AND last_seen + max_silence_s * 1000 < ?1",
    )?;
    Ok(statement.query_row([now.millis()], |row| row.get::<_, i64>(0))?.cast_unsigned())
}

pub(super) fn gaps(connection: &Connection, tenant: &str, name: &str) -> Result<Option<Vec<Gap>>, Failure> {
    let Some(key) = key(connection, tenant, name)? else { return Ok(None) };
    let of_counter = |counter: SequenceState| {
        let SequenceState { key, key_version, kid_context_hex, gaps, .. } = counter;
        gaps.into_iter().map(move |Span { from, to }| Gap {
            key: key.clone(),
            key_version,
            kid_context_hex: kid_context_hex.clone(),
            from,
            to,
        })
    };
    Ok(Some(counters(connection, key)?.into_iter().flat_map(of_counter).collect()))
}

fn with_sequences(connection: &Connection, key: i64, device: Device) -> Result<Device, Failure> {
    Ok(Device { sequences: counters(connection, key)?, ..device })
}

fn read(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Device> {
    let time = |column| row.get::<_, Option<i64>>(column).map(|millis| millis.map(Timestamp::from_millis));
    let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let last_seen = time("last_seen")?;
    let max_silence_s: Option<i64> = row.get("max_silence_s")?;
    let last_message: Option<[u8; 16]> = row.get("last_message")?;
    Ok(Device {
        device: row.get("name")?,
        tenant: row.get("tenant")?,
        class: None,
        keys: Vec::new(),
        first_seen: time("first_seen")?,
        last_seen,
        last_message: last_message.map(Uuid::from_bytes),
        silent: last_seen.zip(max_silence_s).is_some_and(|(seen, silence_s)| seen.plus_seconds(silence_s) < now),
        sequences: Vec::new(),
        counts: DeviceCounts { opened: count("opened")?, duplicate: count("duplicate")?, refused: count("refused")? },
    })
}

fn counters(connection: &Connection, device: i64) -> Result<Vec<SequenceState>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT key, key_version, kid_context, accounted, expected, ranges, {SEQUENCE} FROM sequence WHERE device = ?1
         ORDER BY key, key_version, length(kid_context), kid_context"
    ))?;
    let mut rows = statement.query([device])?;
    let mut states = Vec::new();
    while let Some(row) = rows.next()? {
        let ranges = sequences::decode(row.get_ref("ranges")?.as_blob().map_err(rusqlite::Error::from)?)?;
        states.push(state(row, &ranges)?);
    }
    Ok(states)
}

fn state(row: &Row<'_>, ranges: &Ranges) -> rusqlite::Result<SequenceState> {
    let context: Vec<u8> = row.get("kid_context")?;
    let expected = row.get::<_, Option<i64>>("expected")?.map(i64::cast_unsigned);
    let is_accounted: bool = row.get("accounted")?;
    Ok(SequenceState {
        key: row.get("key")?,
        key_version: row.get("key_version")?,
        kid_context_hex: (!context.is_empty()).then_some(context),
        next: ranges.next(),
        opened: ranges.spans().to_vec(),
        gaps: if is_accounted { sequences::gaps(ranges, expected) } else { Vec::new() },
    })
}
