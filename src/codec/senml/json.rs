//! A SenML pack as JSON writes it (RFC 8428 §5), read strictly: members once only, numbers of sane length, depth capped.
//!
//! serde_json refuses what is no JSON at all (lone surrogates where text is read, a byte order mark, 1e400).

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::codec::senml::{Error, Limits, Number, Written, WrittenValue};

/// Longest number, characters (threats.md §2).
const LONGEST_NUMBER: usize = 64;

/// The records of a pack, as written.
pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<Written<'a>>, Error> {
    if longest_number(bytes) > LONGEST_NUMBER {
        return Err(Error::Malformed);
    }
    let too_many = Cell::new(false);
    let pack = Pack { limits, too_many: &too_many };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = pack.deserialize(&mut json).and_then(|written| json.end().map(|()| written));
    read.map_err(|_| if too_many.get() { Error::TooLarge } else { Error::Malformed })
}

/// Characters of the longest run that a number could be, outside strings.
fn longest_number(bytes: &[u8]) -> usize {
    let (mut longest, mut run, mut in_string, mut escaped) = (0, 0, false, false);
    for byte in bytes {
        let in_number = !in_string && matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        run = if in_number { run + 1 } else { 0 };
        longest = longest.max(run);
        in_string ^= *byte == b'"' && !escaped;
        escaped = in_string && *byte == b'\\' && !escaped;
    }
    longest
}

struct Pack<'l> {
    limits: &'l Limits,
    too_many: &'l Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Pack<'_> {
    type Value = Vec<Written<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pack<'_> {
    type Value = Vec<Written<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut written = Vec::new();
        let depth = self.limits.depth.saturating_sub(2);
        while let Some(record) = array.next_element_seed(RecordSeed { depth })? {
            if written.len() == self.limits.records {
                self.too_many.set(true);
                return Err(A::Error::custom("too many records"));
            }
            written.push(record);
        }
        Ok(written)
    }
}

/// Reads one record; `depth` is what is left for values of unknown members.
struct RecordSeed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for RecordSeed {
    type Value = Written<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut record = Written::default();
        let mut unknown = BTreeSet::new();
        while let Some(Text(member)) = map.next_key()? {
            if !read_member(&mut record, &member, &mut map)? {
                // RFC 8428 §4.4: a member that ends in `_` must be understood.
                if member.ends_with('_') || !unknown.insert(member) {
                    return Err(A::Error::custom("a member that must be understood, or twice the same"));
                }
                map.next_value_seed(Ignored { depth: self.depth })?;
            }
        }
        Ok(record)
    }
}

/// Reads the value of a member that SenML knows; false for any other.
fn read_member<'de, A: MapAccess<'de>>(record: &mut Written<'de>, member: &str, map: &mut A) -> Result<bool, A::Error> {
    match member {
        "bver" => number(&mut record.base_version, map)?,
        "bn" => text(&mut record.base_name, map)?,
        "bt" => number(&mut record.base_time, map)?,
        "bu" => text(&mut record.base_unit, map)?,
        "bv" => number(&mut record.base_value, map)?,
        "bs" => number(&mut record.base_sum, map)?,
        "bct" => format(&mut record.base_content_format, map)?,
        "n" => text(&mut record.name, map)?,
        "u" => text(&mut record.unit, map)?,
        "s" => number(&mut record.sum, map)?,
        "t" => number(&mut record.time, map)?,
        "ut" => number(&mut record.update_time, map)?,
        "ct" => format(&mut record.content_format, map)?,
        "v" => once(&mut record.value, WrittenValue::Number(map.next_value()?))?,
        "vs" => once(&mut record.value, WrittenValue::Text(map.next_value::<Text<'de>>()?.0))?,
        "vb" => once(&mut record.value, WrittenValue::Boolean(map.next_value()?))?,
        "vd" => once(&mut record.value, WrittenValue::DataText(map.next_value::<Text<'de>>()?.0))?,
        "vlo" => once(&mut record.value, WrittenValue::Objlink(map.next_value::<Text<'de>>()?.0))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn number<'de, A: MapAccess<'de>>(field: &mut Option<Number>, map: &mut A) -> Result<(), A::Error> {
    once(field, map.next_value()?)
}

fn text<'de, A: MapAccess<'de>>(field: &mut Option<Cow<'de, str>>, map: &mut A) -> Result<(), A::Error> {
    once(field, map.next_value::<Text<'de>>()?.0)
}

fn format<'de, A: MapAccess<'de>>(field: &mut Option<Cow<'de, str>>, map: &mut A) -> Result<(), A::Error> {
    once(
        field,
        match map.next_value::<Format<'de>>()? {
            Format::Number(number) => Cow::Owned(number.to_string()),
            Format::Text(text) => text.0,
        },
    )
}

/// Members stand once in a record, and of the values one alone.
fn once<T, E: serde::de::Error>(field: &mut Option<T>, value: T) -> Result<(), E> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("twice the same member, or two values")),
    }
}

/// Text, borrowed where no escape had to be undone.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// RFC 9193 writes a content format as text; stacks also send the bare number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Format<'a> {
    Number(u64),
    #[serde(borrow)]
    Text(Text<'a>),
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Number, E> {
        Ok(Number::Integer(integer.into()))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Number, E> {
        Ok(Number::Integer(integer.into()))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Number, E> {
        Ok(Number::Float(float))
    }
}

/// Reads and drops a value, as strictly as if it mattered: no member twice, not too deep.
struct Ignored {
    depth: usize,
}

impl Ignored {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Ignored {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ignored {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        while array.next_element_seed(Self { depth })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let mut members = BTreeSet::new();
        while let Some(Text(member)) = map.next_key()? {
            if !members.insert(member) {
                return Err(A::Error::custom("twice the same member"));
            }
            map.next_value_seed(Self { depth })?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
