//! Readings of opened messages, one by one or summed up over time.
//!
//! Imports `item`, `payload` types, serde and rusqlite. A question about some time of one device costs what that time
//! holds; one about all of its readings, or all devices', goes through messages in the order of commits.

use rusqlite::{Connection, Row, params};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::item::{ContentType, Timestamp};
use crate::payload::Reading;
use crate::store::checksum::{MESSAGE, READING};
use crate::store::failure::Failure;
use crate::store::flags;
use crate::store::glob::Glob;
use crate::store::measure::{self, kind};
use crate::store::reader::messages::Source;
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
    /// Whose name fits.
    pub name: Option<Glob>,
    /// Measured then or later.
    pub from: Option<Timestamp>,
    /// Measured before then.
    pub to: Option<Timestamp>,
    /// Not one by one, but this many seconds of a device and name at a time.
    pub bucket_s: Option<i64>,
    /// Which of the numbers of a bucket is its `value`; the mean where nothing is said.
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
    /// The one that was asked for.
    #[serde(serialize_with = "json::number")]
    pub value: f64,
    /// How many there are.
    pub count: u64,
    /// The lowest.
    #[serde(serialize_with = "json::number")]
    pub min: f64,
    /// The highest.
    #[serde(serialize_with = "json::number")]
    pub max: f64,
    /// Their mean.
    #[serde(serialize_with = "json::number")]
    pub mean: f64,
    /// Their sum.
    #[serde(serialize_with = "json::number")]
    pub sum: f64,
    /// The earliest.
    #[serde(serialize_with = "json::number")]
    pub first: f64,
    /// The latest.
    #[serde(serialize_with = "json::number")]
    pub last: f64,
}

pub(super) fn list(
    connection: &Connection,
    tenant: &str,
    filter: &ReadingFilter,
    page: &PageRequest,
) -> Result<Page<Series>, Failure> {
    match filter.bucket_s {
        Some(bucket_s) => buckets(connection, tenant, filter, bucket_s, page),
        None => one_by_one(connection, tenant, filter, page),
    }
}

fn one_by_one(
    connection: &Connection,
    tenant: &str,
    filter: &ReadingFilter,
    page: &PageRequest,
) -> Result<Page<Series>, Failure> {
    let device = filter.device.as_deref();
    let Some(mut sources) = messages::sources(connection, tenant, device, page)? else { return Ok(Page::empty()) };
    let mut rows = Vec::new();
    for source in &mut sources {
        if source.is_indexed() && is_short(connection, source.key, filter)? {
            *source = Source { from: TIMELINE, only: "m.device = ?1", key: source.key };
        }
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {MEASURED}, {READING} FROM {from} LEFT JOIN device e ON e.id = m.device
             CROSS JOIN reading r ON r.message = m.id WHERE {MESSAGE} AND {only} AND m.id {beyond}= ?2 AND (m.id {beyond} ?2 OR r.place {beyond} ?3) AND m.tenant = ?4
             AND (?5 IS NULL OR r.name GLOB ?5) AND r.time >= ?6 AND r.time < ?7
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
            .query_map(params![source.key, row, place, tenant, pattern(filter), from, to, left], |row| {
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

/// In the place of `message_by_device` where the time is short: the messages with a reading of that time, in the order of
/// commits. Each once, so that its checksum is computed once.
const TIMELINE: &str = "(SELECT DISTINCT message FROM reading_by_time WHERE device = ?1 AND time >= ?6 AND time < ?7
     ORDER BY message) x CROSS JOIN message m ON m.id = x.message";

/// Readings up to which a time is short: each page of it sorts them all.
const SHORT: i64 = 20_000;

fn is_short(connection: &Connection, device: i64, filter: &ReadingFilter) -> Result<bool, Failure> {
    if filter.from.is_none() && filter.to.is_none() {
        return Ok(false);
    }
    let (from, to) = times(filter);
    let mut statement = connection.prepare_cached(
        "SELECT count(*) <= ?4 FROM
         (SELECT 1 FROM reading_by_time WHERE device = ?1 AND time >= ?2 AND time < ?3 LIMIT ?4 + 1)",
    )?;
    Ok(statement.query_row(params![device, from, to, SHORT], |row| row.get(0))?)
}

/// A page ends within the buckets of one time, or between two: its cursor is that time and how many of it were given.
fn buckets(
    connection: &Connection,
    tenant: &str,
    filter: &ReadingFilter,
    bucket_s: i64,
    page: &PageRequest,
) -> Result<Page<Series>, Failure> {
    let length = bucket_s.max(1).saturating_mul(1000);
    let (mut from, mut to) = times(filter);
    let mut last = page.after.map(|cursor| (begin_of(cursor, length), cursor.place));
    match last {
        Some((begin, _)) if page.descending => to = to.min(begin.saturating_add(length)),
        Some((begin, _)) => from = from.max(begin),
        None => {}
    }
    // Both sources at once: a bucket may have readings of either.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT e.name, r.name, max(r.unit), r.time - (r.time % ?1 + ?1) % ?1 AS bucket, count(*), min(r.value),
         max(r.value), avg(r.value), total(r.value), first_of(r.value, r.time), last_of(r.value, r.time)
         FROM (SELECT id FROM message WHERE ?2 IS NULL AND tenant = ?3
               UNION ALL SELECT DISTINCT x.message FROM reading_by_time x
                   WHERE x.device = (SELECT id FROM device WHERE tenant = ?3 AND name = ?2)
                   AND x.time >= ?5 AND x.time < ?6
               UNION ALL SELECT id FROM message WHERE id > (SELECT indexed FROM progress)
                   AND device = (SELECT id FROM device WHERE tenant = ?3 AND name = ?2)) s
         CROSS JOIN message m ON m.id = s.id LEFT JOIN device e ON e.id = m.device
         CROSS JOIN reading r ON r.message = m.id
         WHERE {MESSAGE} AND {READING} AND (?2 IS NULL OR e.name = ?2) AND r.kind IN ({INTEGER}, {NUMBER})
         AND r.value IS NOT NULL AND (?4 IS NULL OR r.name GLOB ?4) AND r.time >= ?5 AND r.time < ?6
         GROUP BY bucket, m.device, r.name ORDER BY bucket {order}, e.name {order}, r.name {order} LIMIT ?7 OFFSET ?8",
        order = page.order(),
        INTEGER = kind::INTEGER,
        NUMBER = kind::NUMBER,
    ))?;
    let skip = last.map_or(0, |(_, given)| given);
    let found = statement
        .query_map(params![length, filter.device, tenant, pattern(filter), from, to, page.rows(), skip], |row| {
            read_bucket(row, filter.aggregate)
        })?;
    let mut rows = Vec::new();
    for bucket in found {
        let bucket = bucket?;
        let begin = bucket.time.millis();
        let given = last.filter(|(of, _)| *of == begin).map_or(1, |(_, given)| given + 1);
        last = Some((begin, given));
        rows.push((Cursor { row: numbered(begin, length), place: given }, Series::Bucket(bucket)));
    }
    Ok(Page::cut(rows, page))
}

/// Buckets are counted from one far before 1970: a cursor holds no negative number.
const FAR_BEFORE: i64 = 1 << 62;

const fn numbered(begin: i64, length: i64) -> i64 {
    FAR_BEFORE + begin.div_euclid(length)
}

const fn begin_of(cursor: Cursor, length: i64) -> i64 {
    (cursor.row - FAR_BEFORE).saturating_mul(length)
}

fn pattern(filter: &ReadingFilter) -> Option<String> {
    filter.name.as_ref().map(Glob::sql)
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

fn read_bucket(row: &Row<'_>, aggregate: Option<Aggregate>) -> rusqlite::Result<Bucket> {
    let count = row.get::<_, i64>(4)?.cast_unsigned();
    let [min, max, mean, sum, first, last] =
        [row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?];
    let value = match aggregate.unwrap_or(Aggregate::Mean) {
        Aggregate::Count => count as f64,
        Aggregate::First => first,
        Aggregate::Last => last,
        Aggregate::Max => max,
        Aggregate::Mean => mean,
        Aggregate::Min => min,
        Aggregate::Sum => sum,
    };
    let time = Timestamp::from_millis(row.get(3)?);
    let (device, name, unit) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(Bucket { device, name, unit, time, value, count, min, max, mean, sum, first, last })
}

fn times(filter: &ReadingFilter) -> (i64, i64) {
    (filter.from.map_or(i64::MIN, Timestamp::millis), filter.to.map_or(i64::MAX, Timestamp::millis))
}
