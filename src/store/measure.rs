//! How a reading stands in the columns of `reading`: written when its message is concluded, read back as it was.
//!
//! Imports `payload` types and rusqlite.

use rusqlite::types::{FromSqlError, ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, Statement, params};

use crate::item::Timestamp;
use crate::payload::{Anchor, Reading, Value};
use crate::store::{checksum, flags, text};

/// The statement that [`write()`] runs.
pub(in crate::store) const INSERT: &str =
    "INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

const PATH_IS_NAME: i64 = 1;
const PATH_PROVEN: i64 = 2;
const FUTURE: i64 = 4;
/// SQLite has no "not a number": a NULL sum with this bit is one.
const SUM_IS_NAN: i64 = 8;

/// Kinds of value in the column `kind`.
pub(in crate::store) mod kind {
    /// No value.
    pub(in crate::store) const NONE: i64 = 0;
    /// 0 or 1.
    pub(in crate::store) const BOOLEAN: i64 = 1;
    /// A BLOB.
    pub(in crate::store) const BYTES: i64 = 2;
    /// An INTEGER.
    pub(in crate::store) const INTEGER: i64 = 3;
    /// A REAL; NULL is "not a number", which SQLite has no other form for.
    pub(in crate::store) const NUMBER: i64 = 4;
    /// TEXT, `object:instance`.
    pub(in crate::store) const OBJLINK: i64 = 5;
    /// TEXT.
    pub(in crate::store) const TEXT: i64 = 6;
    /// Milliseconds.
    pub(in crate::store) const TIME: i64 = 7;
    /// TEXT, an integer in decimal that an INTEGER cannot hold.
    pub(in crate::store) const BIG: i64 = 8;
}

/// Adds the reading at `place` of a message.
pub(in crate::store) fn write(
    statement: &mut Statement<'_>,
    message: i64,
    place: usize,
    reading: &Reading,
) -> rusqlite::Result<()> {
    let path_is_name = reading.path.is_some() && reading.path == reading.name;
    let (kind, value) = encode(reading.value.as_ref());
    let bits = flags::bit(path_is_name, PATH_IS_NAME)
        | flags::bit(reading.path_proven, PATH_PROVEN)
        | flags::bit(reading.future, FUTURE)
        | flags::bit(reading.sum.is_some_and(f64::is_nan), SUM_IS_NAN);
    let columns = params![
        message,
        i64::try_from(place).unwrap_or(i64::MAX),
        reading.time.millis(),
        reading.name,
        reading.path.as_ref().filter(|_| !path_is_name),
        kind,
        value,
        reading.unit,
        reading.unit_source,
        anchor_code(reading.time_anchor),
        bits,
        reading.update_time.map(unsigned_zero),
        reading.sum.map(unsigned_zero)
    ];
    checksum::write(statement, "reading", columns, &[])
}

/// Reads the columns of a reading; those of others may stand beside them.
pub(in crate::store) fn read(row: &Row<'_>) -> rusqlite::Result<Reading> {
    let bits: i64 = row.get("bits")?;
    let name: Option<String> = row.get("name")?;
    let path = if bits & PATH_IS_NAME == 0 { row.get("path")? } else { name.clone() };
    Ok(Reading {
        name,
        path,
        path_proven: bits & PATH_PROVEN != 0,
        value: decode(row.get("kind")?, row.get_ref("value")?)?,
        unit: row.get("unit")?,
        unit_source: text::named_or_null(row, "unit_source", unit_source)?,
        time: Timestamp::from_millis(row.get("time")?),
        time_anchor: anchor(row.get("time_anchor")?)?,
        update_time: row.get("update_time")?,
        sum: if bits & SUM_IS_NAN == 0 { row.get("sum")? } else { Some(f64::NAN) },
        future: bits & FUTURE != 0,
    })
}

fn encode(value: Option<&Value>) -> (i64, ToSqlOutput<'_>) {
    match value {
        None => (kind::NONE, borrowed(ValueRef::Null)),
        Some(Value::Boolean(value)) => (kind::BOOLEAN, ToSqlOutput::from(*value)),
        Some(Value::Bytes(value)) => (kind::BYTES, borrowed(ValueRef::Blob(value))),
        Some(Value::Integer(value)) => match i64::try_from(*value) {
            Ok(value) => (kind::INTEGER, ToSqlOutput::from(value)),
            Err(_) => (kind::BIG, ToSqlOutput::from(value.to_string())),
        },
        Some(Value::Number(value)) => (kind::NUMBER, ToSqlOutput::from(*value)),
        Some(Value::Objlink(value)) => (kind::OBJLINK, borrowed(ValueRef::Text(value.as_bytes()))),
        Some(Value::Text(value)) => (kind::TEXT, borrowed(ValueRef::Text(value.as_bytes()))),
        Some(Value::Time(value)) => (kind::TIME, ToSqlOutput::from(value.millis())),
    }
}

/// A REAL column keeps no sign of a zero: its checksum must be of what comes back.
fn unsigned_zero(number: f64) -> f64 {
    number + 0.0
}

const fn borrowed(value: ValueRef<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(value)
}

fn decode(kind: i64, value: ValueRef<'_>) -> rusqlite::Result<Option<Value>> {
    Ok(Some(match kind {
        kind::NONE => return Ok(None),
        kind::BOOLEAN => Value::Boolean(value.as_i64()? != 0),
        kind::BYTES => Value::Bytes(value.as_blob()?.to_vec()),
        kind::BIG => Value::Integer(value.as_str()?.parse().map_err(|error| text::wrong(Type::Text, error))?),
        kind::INTEGER => Value::Integer(value.as_i64()?.into()),
        kind::NUMBER => Value::Number(value.as_f64_or_null()?.unwrap_or(f64::NAN)),
        kind::OBJLINK => Value::Objlink(value.as_str()?.to_owned()),
        kind::TEXT => Value::Text(value.as_str()?.to_owned()),
        kind::TIME => Value::Time(Timestamp::from_millis(value.as_i64()?)),
        _ => return Err(text::wrong(Type::Integer, FromSqlError::InvalidType)),
    }))
}

const fn anchor_code(anchor: Anchor) -> i64 {
    match anchor {
        Anchor::Absolute => 0,
        Anchor::Received => 1,
        Anchor::Sealed => 2,
    }
}

fn anchor(code: i64) -> rusqlite::Result<Anchor> {
    [Anchor::Absolute, Anchor::Received, Anchor::Sealed]
        .into_iter()
        .find(|anchor| anchor_code(*anchor) == code)
        .ok_or_else(|| text::wrong(Type::Integer, FromSqlError::InvalidType))
}

/// The sources of payload.md §5 that name a unit.
fn unit_source(name: &str) -> Option<&'static str> {
    ["senml", "sibling", "config", "registry"].into_iter().find(|source| *source == name)
}
