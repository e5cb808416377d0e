//! Readings of opened messages, one by one or summed up over time.
//!
//! Imports `item`, `payload` types, serde and rusqlite. Until a series has an index of its own, a question about one
//! device costs what that device has sent.

use rusqlite::{Connection, Row, params};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::item::{ContentType, Timestamp};
use crate::payload::Reading;
use crate::store::checksum::{MESSAGE, READING};
use crate::store::failure::Failure;
use crate::store::flags;
use crate::store::measure::{self, kind};
use crate::store::reader::page::{Cursor, Page, PageRequest};
use crate::store::reader::{json, messages};

/// Columns of a reading `r` of a message `m` of a device `e`.
const MEASURED: &str = "r.message, r.place, r.time, r.name, r.path, r.kind, r.value, r.unit, r.unit_source, \
     r.time_anchor, r.bits, r.update_time, r.sum, m.identity, m.sequence, m.content_type, m.flags, e.name AS device";

/// Which readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadingFilter {
    /// Of this device.
    pub device: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// Measured then or later.
    pub from: Option<Timestamp>,
    /// Measured before then.
    pub to: Option<Timestamp>,
    /// Not one by one, but this many seconds of a device and name at a time; goes with `aggregate`.
    pub bucket_s: Option<i64>,
    /// What the numbers of a bucket come to.
    pub aggregate: Option<Aggregate>,
}

/// What a question about readings is answered with: all of a page are of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Series {
    /// Numbers summed up.
    Bucket(Bucket),
    /// One reading.
    Measured(Measured),
}

/// A reading and the message that holds it (payload.md §7).
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The message.
    pub message: Uuid,
    /// Who authenticated it.
    pub device: Option<String>,
    /// The reading.
    pub reading: Reading,
    /// The message's sequence number.
    pub sequence: Option<u64>,
    /// Its place in the message, from 0.
    pub index: u32,
    /// Type of the message's content.
    pub content_format: Option<ContentType>,
    /// The message's, and `future`.
    pub flags: Vec<&'static str>,
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("device", &self.device)?;
        for (member, value) in self.reading.to_json() {
            map.serialize_entry(&member, &value)?;
        }
        map.serialize_entry("sequence", &self.sequence)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("content_format", &self.content_format)?;
        map.serialize_entry("flags", &self.flags)?;
        map.end()
    }
}

/// How the numbers of a bucket become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many.
    Count,
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// The highest.
    Max,
    /// Their mean.
    Mean,
    /// The lowest.
    Min,
    /// Their sum.
    Sum,
}

impl Aggregate {
    /// Of its name in a query.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "first" => Self::First,
            "last" => Self::Last,
            "max" => Self::Max,
            "mean" => Self::Mean,
            "min" => Self::Min,
            "sum" => Self::Sum,
            _ => return None,
        })
    }

    /// In SQL, with a column after it that decides where a bare `r.value` comes from.
    const fn sql(self) -> &'static str {
        match self {
            Self::Count => "count(*), NULL",
            // With one min() or max(), a bare column is of the row that has it (sqlite.org/lang_select.html).
            Self::First => "r.value, min(r.time)",
            Self::Last => "r.value, max(r.time)",
            Self::Max => "max(r.value), NULL",
            Self::Mean => "avg(r.value), NULL",
            Self::Min => "min(r.value), NULL",
            Self::Sum => "total(r.value), NULL",
        }
    }
}

/// Numbers of one device and name over some time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// Who authenticated.
    pub device: Option<String>,
    /// What was measured.
    pub name: Option<String>,
    /// Its unit, of one of the readings.
    pub unit: Option<String>,
    /// When the bucket begins.
    pub time: Timestamp,
    /// What the numbers come to.
    #[serde(serialize_with = "json::number")]
    pub value: f64,
    /// How many there are.
    pub count: u64,
}

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    filter: &ReadingFilter,
    page: &PageRequest,
) -> Result<Page<Series>, Failure> {
    match (filter.bucket_s, filter.aggregate) {
        (Some(bucket_s), Some(aggregate)) => buckets(connection, tenant, filter, bucket_s, aggregate, page),
        _ => one_by_one(connection, tenant, filter, page),
    }
}

fn one_by_one(
    connection: &Connection,
    tenant: &str,
    filter: &ReadingFilter,
    page: &PageRequest,
) -> Result<Page<Series>, Failure> {
    let device = filter.device.as_deref();
    let Some(sources) = messages::sources(connection, tenant, device, page)? else { return Ok(Page::empty()) };
    let mut rows = Vec::new();
    for source in sources {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {MEASURED}, {READING} FROM {from} LEFT JOIN device e ON e.id = m.device
             CROSS JOIN reading r ON r.message = m.id WHERE {MESSAGE} AND {only} AND m.id {beyond}= ?2 AND (m.id {beyond} ?2 OR r.place {beyond} ?3) AND m.tenant = ?4
             AND (?5 IS NULL OR r.name = ?5) AND r.time >= ?6 AND r.time < ?7
             ORDER BY m.id {order}, r.place {order} LIMIT ?8",
            from = source.from,
            only = source.only,
            beyond = page.beyond(),
            order = page.order(),
        ))?;
        let (from, to) = times(filter);
        let Cursor { row, place } = page.from();
        let left = page.rows() - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let found = statement
            .query_map(params![source.key, row, place, tenant, filter.name, from, to, left], |row| {
                Ok((Cursor { row: row.get("message")?, place: row.get("place")? }, Series::Measured(measured(row)?)))
            })?;
        for row in found {
            rows.push(row?);
        }
    }
    Ok(Page::cut(rows, page))
}

/// Of one message that is intact, in order.
pub(super) fn of_message(connection: &Connection, message: i64) -> Result<Vec<Measured>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MEASURED}, {READING} FROM message m CROSS JOIN reading r ON r.message = m.id LEFT JOIN device e ON e.id = m.device
         WHERE m.id = ?1 ORDER BY r.place"
    ))?;
    let readings = statement.query_map([message], measured)?.collect::<Result<_, _>>()?;
    Ok(readings)
}

fn buckets(
    connection: &Connection,
    tenant: &str,
    filter: &ReadingFilter,
    bucket_s: i64,
    aggregate: Aggregate,
    page: &PageRequest,
) -> Result<Page<Series>, Failure> {
    // Both sources at once: a bucket may have readings of either.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT e.name, r.name, max(r.unit), r.time - (r.time % ?1 + ?1) % ?1 AS bucket, count(*), {aggregate}
         FROM (SELECT id FROM message WHERE ?2 IS NULL AND tenant = ?3
               UNION ALL SELECT x.message FROM message_by_device x
                   WHERE x.device = (SELECT id FROM device WHERE tenant = ?3 AND name = ?2)
               UNION ALL SELECT id FROM message WHERE id > (SELECT indexed FROM progress)
                   AND device = (SELECT id FROM device WHERE tenant = ?3 AND name = ?2)) s
         CROSS JOIN message m ON m.id = s.id LEFT JOIN device e ON e.id = m.device
         CROSS JOIN reading r ON r.message = m.id
         WHERE {MESSAGE} AND {READING} AND (?2 IS NULL OR e.name = ?2) AND r.kind IN ({INTEGER}, {NUMBER}) AND r.value IS NOT NULL
         AND (?4 IS NULL OR r.name = ?4) AND r.time >= ?5 AND r.time < ?6
         GROUP BY bucket, m.device, r.name ORDER BY bucket {order}, e.name {order}, r.name {order} LIMIT ?7 OFFSET ?8",
        aggregate = aggregate.sql(),
        order = page.order(),
        INTEGER = kind::INTEGER,
        NUMBER = kind::NUMBER,
    ))?;
    let bucket = bucket_s.max(1).saturating_mul(1000);
    let (from, to) = times(filter);
    let skip = page.after.map_or(0, |cursor| cursor.row);
    let found = statement
        .query_map(params![bucket, filter.device, tenant, filter.name, from, to, page.rows(), skip], read_bucket)?;
    let rows = (skip + 1..).zip(found).map(|(row, bucket)| Ok((Cursor { row, place: 0 }, Series::Bucket(bucket?))));
    Ok(Page::cut(rows.collect::<Result<_, Failure>>()?, page))
}

fn measured(row: &Row<'_>) -> rusqlite::Result<Measured> {
    let reading = measure::read(row)?;
    let mut flags = flags::names(row.get("flags")?);
    if reading.future {
        flags.push("future");
    }
    Ok(Measured {
        message: messages::uuid(row.get("message")?, &row.get("identity")?),
        device: row.get("device")?,
        sequence: row.get::<_, Option<i64>>("sequence")?.map(i64::cast_unsigned),
        index: row.get("place")?,
        content_format: messages::content_type(row)?,
        flags,
        reading,
    })
}

fn read_bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    let count: i64 = row.get(4)?;
    Ok(Bucket {
        device: row.get(0)?,
        name: row.get(1)?,
        unit: row.get(2)?,
        time: Timestamp::from_millis(row.get(3)?),
        value: row.get(5)?,
        count: count.cast_unsigned(),
    })
}

fn times(filter: &ReadingFilter) -> (i64, i64) {
    (filter.from.map_or(i64::MIN, Timestamp::millis), filter.to.map_or(i64::MAX, Timestamp::millis))
}
