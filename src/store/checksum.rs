//! Checksums of rows. SQLite's pages have none, so a bit that flips on disk would be shown as what a device sealed: a
//! row that is an answer, or that decides what is one, carries a sum of all it says, and is compared when it is read.
//!
//! Imports rusqlite and sha2. Compared by a function of SQL, so that the sum is of the values as they stand in columns, and
//! holds in questions that add rows up; made from the values that a statement is given, where that is all of the row.
//! Against accidents: who can write the file can write sums as well.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, Statement};
use sha2::{Digest, Sha256};

use crate::store::failure;

/// Whether a message `m` is intact: with the name of its device `e`, which stands in a row of its own.
pub(in crate::store) const MESSAGE: &str = "intact(m.checksum, 'message', m.id, m.identity, m.tenant, m.device, \
     m.received_at, m.flags, m.sequence, m.gap_from, m.gap_to, m.filled, m.gaps_left, m.format, m.structure, \
     m.content_type, m.payload_error, m.relay, m.relay_endpoint, m.relay_prefix, m.relay_path, m.relay_time, \
     m.relay_seq, m.relay_id, m.repaired, m.proof, m.layers, m.content, m.readings, e.name)";
/// Whether a reading `r` is intact, by itself: its message has its own sum.
pub(in crate::store) const READING: &str = "intact(r.checksum, 'reading', r.message, r.place, r.time, r.name, r.path, \
     r.kind, r.value, r.unit, r.unit_source, r.time_anchor, r.bits, r.update_time, r.sum)";
/// Whether a counter is intact.
pub(in crate::store) const SEQUENCE: &str = "intact(checksum, 'sequence', key, tenant, key_version, kid_context, \
     device, accounted, expected, ranges)";
/// Whether a refusal `h` is intact.
pub(in crate::store) const REFUSAL: &str = "intact(h.checksum, 'refusal', h.id, h.tail, h.item, h.tenant, h.relay, \
     h.received_at, h.reason, h.detail, h.format, h.kid, h.device)";
/// Whether a held `h` is intact.
pub(in crate::store) const HELD: &str = "intact(h.checksum, 'held', h.id, h.tail, h.item, h.tenant, h.relay, \
     h.received_at, h.reason, h.detail, h.format, h.key_names)";
/// Whether an item `i` is intact; one that is no longer kept is.
pub(in crate::store) const ITEM: &str = "iif(i.id IS NULL, 1, intact(i.checksum, 'item', i.id, i.delivery, \
     i.cose_type, i.endpoint, i.prefix, i.path, i.time, i.seq, i.relay_id, i.repaired, i.sealed))";

/// Gives a connection `checksum(kind, id, …)`, and `intact(checksum, kind, id, …)`, which fails where it is not.
pub(in crate::store) fn install(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("checksum", -1, flags, |call| Ok(sum(call, 0)))?;
    connection.create_scalar_function("intact", -1, flags, |call| intact(call))
}

/// The sum of a row of that kind: of the values that its columns are given, in the order in which they are compared.
pub(in crate::store) fn of(kind: &str, values: &[&dyn ToSql]) -> rusqlite::Result<i64> {
    let mut sum = Sum::new(kind);
    for value in values {
        sum.enter(borrowed(&value.to_sql()?));
    }
    Ok(sum.finish())
}

/// Runs a statement whose last parameter is the sum of the others, and of what is `beside` the row.
pub(in crate::store) fn write(
    statement: &mut Statement<'_>,
    kind: &str,
    columns: &[&dyn ToSql],
    beside: &[&dyn ToSql],
) -> rusqlite::Result<()> {
    let mut sum = Sum::new(kind);
    for (at, column) in (1..).zip(columns) {
        let value = column.to_sql()?;
        sum.enter(borrowed(&value));
        statement.raw_bind_parameter(at, value)?;
    }
    for value in beside {
        sum.enter(borrowed(&value.to_sql()?));
    }
    statement.raw_bind_parameter(columns.len() + 1, sum.finish())?;
    statement.raw_execute().map(drop)
}

fn intact(call: &Context<'_>) -> rusqlite::Result<bool> {
    if call.get_raw(0) == ValueRef::Integer(sum(call, 1)) {
        return Ok(true);
    }
    let words = format!("{}{} {}", failure::ALTERED, shown(call.get_raw(1)), shown(call.get_raw(2)));
    Err(Error::UserFunctionError(words.into()))
}

/// Of all arguments from the first to be summed.
fn sum(call: &Context<'_>, first: usize) -> i64 {
    let mut sum = Sum::default();
    (first..call.len()).for_each(|argument| sum.enter(call.get_raw(argument)));
    sum.finish()
}

/// The first 64 bits of SHA-256. What is summed is collected first: a hash that is fed a few bytes at a time takes longer.
#[derive(Default)]
struct Sum(Vec<u8>);

impl Sum {
    fn new(kind: &str) -> Self {
        let mut sum = Self(Vec::with_capacity(1024));
        sum.enter(ValueRef::Text(kind.as_bytes()));
        sum
    }

    /// Type and length go first, so that no two rows are the same bytes.
    fn enter(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.part(0, &[]),
            ValueRef::Integer(number) => self.part(1, &number.to_be_bytes()),
            // SQLite has no "not a number", and binds NULL instead.
            ValueRef::Real(number) if number.is_nan() => self.part(0, &[]),
            ValueRef::Real(number) => self.part(2, &number.to_bits().to_be_bytes()),
            ValueRef::Text(text) => self.part(3, text),
            ValueRef::Blob(bytes) => self.part(4, bytes),
        }
    }

    fn part(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> i64 {
        let mut half = [0; 8];
        half.copy_from_slice(&Sha256::digest(&self.0)[..8]);
        i64::from_be_bytes(half)
    }
}

/// What a parameter is bound to; those of this house are plain values.
fn borrowed<'a>(value: &'a ToSqlOutput<'_>) -> ValueRef<'a> {
    match value {
        ToSqlOutput::Borrowed(value) => *value,
        ToSqlOutput::Owned(value) => value.into(),
        _ => ValueRef::Null,
    }
}

/// A kind, a row's number or a key's id; never content.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).escape_debug().to_string(),
        ValueRef::Blob(_) | ValueRef::Null | ValueRef::Real(_) => "of no name".into(),
    }
}

#[cfg(test)]
mod tests;
