//! SenML (RFC 8428) from JSON or CBOR to resolved records, with the versions of RFC 9100, the content formats of
//! RFC 9193 and LwM2M's object links.
//!
//! `json` and `cbor` read a pack as it is written; what the fields mean is decided here, once. Imports its children,
//! thiserror and std.

mod cbor;
mod json;

use std::borrow::Cow;

/// What a pack may cost (threats.md §2).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most records in the pack.
    pub records: usize,
    /// Deepest nesting, the pack and its records included.
    pub depth: usize,
    /// Longest resolved name, bytes.
    pub name: usize,
    /// Most bytes of resolved names, units and values together: a long base name makes a small pack grow.
    pub output: usize,
}

/// How `vd`, which JSON carries as text, is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataText {
    /// As it is written: the caller knows more codings than the standard's.
    AsWritten,
    /// Base64url; anything else is malformed.
    Base64url,
}

/// Why a pack is not taken. A pack is taken whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not SenML, or not of a version that is known.
    #[error("not a well-formed SenML pack")]
    Malformed,
    /// Beyond a limit.
    #[error("the SenML pack exceeds a limit")]
    TooLarge,
}

/// A resolved record: base fields are merged in.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Base name and name; not empty, no control characters.
    pub name: String,
    /// The value; none where only a sum is given.
    pub value: Option<Value>,
    /// Unit, as sent.
    pub unit: Option<String>,
    /// Integrated sum, base sum included.
    pub sum: Option<Number>,
    /// Base time and time.
    pub time: Time,
    /// Most seconds until the next update.
    pub update_time: Option<f64>,
    /// Content format of a data value (RFC 9193), as sent: a CoAP number or a media type.
    pub content_format: Option<String>,
}

/// A record's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `vb`.
    Boolean(bool),
    /// `vd`.
    Data(Vec<u8>),
    /// `vd` under [`DataText::AsWritten`].
    DataText(String),
    /// `v`, base value included.
    Number(Number),
    /// `vlo`: `object:instance`, both at most 65535.
    Objlink(String),
    /// `vs`.
    Text(String),
}

/// A number that is exact as long as all its parts were integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Floating point; from CBOR not necessarily finite.
    Float(f64),
    /// −2^64 … 2^64−1.
    Integer(i128),
}

/// A resolved time (RFC 8428 §4.5.3), milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Since 1970-01-01T00:00:00Z.
    Absolute(i64),
    /// Absent or 0.
    Now,
    /// From now; negative is past.
    Relative(i64),
}

/// Reads a pack written in JSON (content formats 110 and 320).
pub fn decode_json(bytes: &[u8], limits: &Limits, data: DataText) -> Result<Vec<Record>, Error> {
    resolve(json::read(bytes, limits)?, limits, data)
}

/// Reads a pack written in CBOR (content formats 112 and 322).
pub fn decode_cbor(bytes: &[u8], limits: &Limits) -> Result<Vec<Record>, Error> {
    resolve(cbor::read(bytes, limits)?, limits, DataText::Base64url)
}

impl Number {
    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Float(float) => float,
            #[expect(clippy::cast_precision_loss, reason = "asked for the nearest")]
            Self::Integer(integer) => integer as f64,
        }
    }

    /// The sum, exact where both are integers. Two finite numbers whose sum is not are an error, not an infinity.
    fn plus(self, other: Self) -> Result<Self, Error> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other)
            && let Some(sum) = a.checked_add(b).filter(|sum| INTEGERS.contains(sum))
        {
            return Ok(Self::Integer(sum));
        }
        let (a, b) = (self.to_f64(), other.to_f64());
        let sum = a + b;
        if a.is_finite() && b.is_finite() && !sum.is_finite() { Err(Error::Malformed) } else { Ok(Self::Float(sum)) }
    }
}

/// What CBOR's two integer types can say.
const INTEGERS: std::ops::RangeInclusive<i128> = -(1 << 64)..=(1 << 64) - 1;

impl Time {
    /// Below 2^28 seconds a time counts from now (RFC 8428 §4.5.3), also a negative one.
    const ABSOLUTE_FROM_S: f64 = 268_435_456.0;
    /// 9999-12-31T23:59:59Z: what RFC 3339 can show.
    const LAST_S: f64 = 253_402_300_799.0;

    fn of_seconds(seconds: f64) -> Result<Self, Error> {
        if !seconds.is_finite() || seconds.abs() > Self::LAST_S {
            return Err(Error::Malformed);
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by LAST_S")]
        let millis = (seconds * 1000.0).round() as i64;
        Ok(match seconds {
            _ if seconds == 0.0 => Self::Now,
            _ if seconds < Self::ABSOLUTE_FROM_S => Self::Relative(millis),
            _ => Self::Absolute(millis),
        })
    }
}

/// A record as it is written: fields of RFC 8428 §4.1 and §4.2, not yet judged.
#[derive(Debug, Default)]
struct Written<'a> {
    base_content_format: Option<Cow<'a, str>>,
    base_name: Option<Cow<'a, str>>,
    base_sum: Option<Number>,
    base_time: Option<Number>,
    base_unit: Option<Cow<'a, str>>,
    base_value: Option<Number>,
    base_version: Option<Number>,
    content_format: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    sum: Option<Number>,
    time: Option<Number>,
    unit: Option<Cow<'a, str>>,
    update_time: Option<Number>,
    value: Option<WrittenValue<'a>>,
}

#[derive(Debug)]
enum WrittenValue<'a> {
    Boolean(bool),
    Data(Cow<'a, [u8]>),
    DataText(Cow<'a, str>),
    Number(Number),
    Objlink(Cow<'a, str>),
    Text(Cow<'a, str>),
}

impl Written<'_> {
    fn has_base_fields(&self) -> bool {
        let texts = [&self.base_name, &self.base_unit, &self.base_content_format];
        let numbers = [self.base_version, self.base_time, self.base_value, self.base_sum];
        texts.into_iter().any(Option::is_some) || numbers.iter().any(Option::is_some)
    }

    fn has_other_fields(&self) -> bool {
        let texts = [&self.name, &self.unit, &self.content_format];
        let numbers = [self.sum, self.time, self.update_time];
        texts.into_iter().any(Option::is_some) || numbers.iter().any(Option::is_some) || self.value.is_some()
    }
}

/// Base fields in force: each holds for its record and all after, until replaced (RFC 8428 §4.1).
#[derive(Default)]
struct Base<'a> {
    content_format: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    sum: Option<Number>,
    time: Option<Number>,
    unit: Option<Cow<'a, str>>,
    value: Option<Number>,
}

fn resolve(written: Vec<Written<'_>>, limits: &Limits, data: DataText) -> Result<Vec<Record>, Error> {
    check_version(&written)?;
    let mut base = Base::default();
    let mut budget = Budget { left: limits.output, longest_name: limits.name };
    let mut records = Vec::new();
    for mut record in written {
        base.take_over(&mut record);
        if record.has_other_fields() {
            budget.spend(&base, &record)?;
            records.push(base.resolve(record, data)?);
        } else if !record.has_base_fields() {
            return Err(Error::Malformed);
        }
    }
    Ok(records)
}

/// The pack's version, 10 where none is written, is one for all its records (RFC 8428 §4.4).
fn check_version(written: &[Written<'_>]) -> Result<(), Error> {
    let Some(first) = written.first() else { return Ok(()) };
    let version = first.base_version.unwrap_or(Number::Integer(10));
    let differs = written.iter().filter_map(|record| record.base_version).any(|other| other != version);
    if differs || !version_is_known(version) { Err(Error::Malformed) } else { Ok(()) }
}

/// RFC 8428 §4.4 refuses versions larger than what is understood: 10 (its own example 3 says 5). RFC 9100 reads larger
/// ones as a sum of features; 26 is 10 and secondary units, the only feature there is.
fn version_is_known(version: Number) -> bool {
    matches!(version, Number::Integer(1..=10 | 26))
}

/// Counts what a pack becomes, before it becomes that.
struct Budget {
    left: usize,
    longest_name: usize,
}

impl Budget {
    fn spend(&mut self, base: &Base<'_>, record: &Written<'_>) -> Result<(), Error> {
        let name = base.name.len() + record.name.as_deref().map_or(0, str::len);
        let unit = record.unit.as_ref().or(base.unit.as_ref()).map_or(0, |unit| unit.len());
        let format = record.content_format.as_ref().or(base.content_format.as_ref()).map_or(0, |format| format.len());
        let value = record.value.as_ref().map_or(0, WrittenValue::size);
        let left = self.left.checked_sub(name + unit + format + value);
        self.left = left.filter(|_| name <= self.longest_name).ok_or(Error::TooLarge)?;
        Ok(())
    }
}

impl<'a> Base<'a> {
    fn take_over(&mut self, record: &mut Written<'a>) {
        if let Some(name) = record.base_name.clone() {
            self.name = name;
        }
        replace(&mut self.content_format, &record.base_content_format);
        replace(&mut self.sum, &record.base_sum);
        replace(&mut self.time, &record.base_time);
        replace(&mut self.unit, &record.base_unit);
        replace(&mut self.value, &record.base_value);
    }

    /// RFC 8428 §4.6. Where only one of base and own number is given, it is the number.
    fn resolve(&self, record: Written<'_>, data: DataText) -> Result<Record, Error> {
        let value = self.value(record.value, data)?;
        let sum = added(self.sum, record.sum)?;
        if value.is_none() && sum.is_none() {
            // A name alone is a composite-read request (LwM2M TS 1.1), not data.
            return Err(Error::Malformed);
        }
        let time = added(self.time, record.time)?.map_or(0.0, Number::to_f64);
        Ok(Record {
            name: self.name(record.name.as_deref().unwrap_or_default())?,
            value,
            unit: record.unit.as_ref().or(self.unit.as_ref()).map(ToString::to_string),
            sum,
            time: Time::of_seconds(time)?,
            update_time: record.update_time.map(finite).transpose()?,
            content_format: record.content_format.as_ref().or(self.content_format.as_ref()).map(ToString::to_string),
        })
    }

    /// LwM2M names start with `/`, so that RFC 8428 §4.5.1's rule for the first character cannot be kept; what could
    /// break a line or a terminal is refused all the same.
    fn name(&self, own: &str) -> Result<String, Error> {
        let name = format!("{}{own}", self.name);
        if name.is_empty() || name.chars().any(char::is_control) { Err(Error::Malformed) } else { Ok(name) }
    }

    fn value(&self, written: Option<WrittenValue<'_>>, data: DataText) -> Result<Option<Value>, Error> {
        let Some(written) = written else { return Ok(self.value.map(Value::Number)) };
        Ok(Some(match written {
            WrittenValue::Boolean(boolean) => Value::Boolean(boolean),
            WrittenValue::Data(bytes) => Value::Data(bytes.into_owned()),
            WrittenValue::DataText(text) if data == DataText::AsWritten => Value::DataText(text.into_owned()),
            WrittenValue::DataText(text) => {
                Value::Data(crate::codec::text::base64url_strict(&text).ok_or(Error::Malformed)?)
            }
            WrittenValue::Number(number) => Value::Number(added(self.value, Some(number))?.unwrap_or(number)),
            WrittenValue::Objlink(link) if is_objlink(&link) => Value::Objlink(link.into_owned()),
            WrittenValue::Objlink(_) => return Err(Error::Malformed),
            WrittenValue::Text(text) => Value::Text(text.into_owned()),
        }))
    }
}

impl WrittenValue<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Boolean(_) | Self::Number(_) => size_of::<Number>(),
            Self::Data(bytes) => bytes.len(),
            Self::DataText(text) | Self::Objlink(text) | Self::Text(text) => text.len(),
        }
    }
}

fn replace<T: Clone>(base: &mut Option<T>, new: &Option<T>) {
    if new.is_some() {
        base.clone_from(new);
    }
}

fn added(base: Option<Number>, own: Option<Number>) -> Result<Option<Number>, Error> {
    match (base, own) {
        (Some(base), Some(own)) => base.plus(own).map(Some),
        (base, own) => Ok(own.or(base)),
    }
}

fn finite(number: Number) -> Result<f64, Error> {
    Some(number.to_f64()).filter(|float| float.is_finite()).ok_or(Error::Malformed)
}

/// `object:instance`; 65535:65535 is LwM2M's null link.
fn is_objlink(text: &str) -> bool {
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit()) && id.parse::<u16>().is_ok();
    text.split_once(':').is_some_and(|(object, instance)| is_id(object) && is_id(instance))
}

#[cfg(test)]
mod tests;
