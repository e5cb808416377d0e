//! A SenML pack as CBOR writes it (RFC 8428 §6): labels are integers, text for members that end in `_` and for later
//! extensions. Indefinite lengths are legal CBOR and taken; labels stand once in a record.

use std::borrow::Cow;
use std::collections::BTreeSet;

use minicbor::data::Type;
use minicbor::decode::Decoder;

use crate::codec::senml::{Error, INTEGERS, Limits, Number, Written, WrittenValue};

/// Most chunks of one indefinite-length string.
const MAX_CHUNKS: usize = 1024;
/// Largest power of ten of a decimal fraction, either way: beyond it lies no finite number.
const MAX_EXPONENT: i128 = 400;
/// RFC 8949 §3.4.4.
const DECIMAL_FRACTION: u64 = 4;

impl From<minicbor::decode::Error> for Error {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed
    }
}

/// The records of a pack, as written.
pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<Written<'a>>, Error> {
    let mut pack = Decoder::new(bytes);
    let mut elements = Elements::of(pack.array()?);
    let mut written = Vec::new();
    while elements.next(&mut pack)? {
        if written.len() == limits.records {
            return Err(Error::TooLarge);
        }
        written.push(record(&mut pack, limits.depth.saturating_sub(2))?);
    }
    if pack.position() == bytes.len() { Ok(written) } else { Err(Error::Malformed) }
}

/// Steps through an array or map of either length form. A declared length allocates nothing.
struct Elements {
    left: Option<u64>,
}

impl Elements {
    const fn of(declared: Option<u64>) -> Self {
        Self { left: declared }
    }

    /// Whether another element stands next; takes the break of the indefinite form.
    fn next(&mut self, decoder: &mut Decoder<'_>) -> Result<bool, Error> {
        match &mut self.left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if decoder.datatype()? == Type::Break => {
                decoder.set_position(decoder.position() + 1);
                Ok(false)
            }
            None => Ok(true),
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Label<'a> {
    Integer(i128),
    Text(Cow<'a, str>),
}

fn record<'a>(pack: &mut Decoder<'a>, depth: usize) -> Result<Written<'a>, Error> {
    let mut record = Written::default();
    let mut unknown = BTreeSet::new();
    let mut members = Elements::of(pack.map()?);
    while members.next(pack)? {
        let label = label(pack)?;
        if !member(&mut record, &label, pack)? {
            // RFC 8428 §4.4: a label that ends in `_` must be understood.
            let must_understand = matches!(&label, Label::Text(text) if text.ends_with('_'));
            if must_understand || !unknown.insert(label) {
                return Err(Error::Malformed);
            }
            ignore(pack, depth)?;
        }
    }
    Ok(record)
}

fn label<'a>(pack: &mut Decoder<'a>) -> Result<Label<'a>, Error> {
    match pack.datatype()? {
        Type::String | Type::StringIndef => Ok(Label::Text(text(pack)?)),
        _ => Ok(Label::Integer(pack.int()?.into())),
    }
}

/// Reads the value of a label that SenML knows; false for any other.
fn member<'a>(record: &mut Written<'a>, label: &Label<'a>, pack: &mut Decoder<'a>) -> Result<bool, Error> {
    match label {
        Label::Integer(-1) => once(&mut record.base_version, number(pack)?)?,
        Label::Integer(-2) => once(&mut record.base_name, text(pack)?)?,
        Label::Integer(-3) => once(&mut record.base_time, number(pack)?)?,
        Label::Integer(-4) => once(&mut record.base_unit, text(pack)?)?,
        Label::Integer(-5) => once(&mut record.base_value, number(pack)?)?,
        Label::Integer(-6) => once(&mut record.base_sum, number(pack)?)?,
        Label::Integer(0) => once(&mut record.name, text(pack)?)?,
        Label::Integer(1) => once(&mut record.unit, text(pack)?)?,
        Label::Integer(2) => once(&mut record.value, WrittenValue::Number(number(pack)?))?,
        Label::Integer(3) => once(&mut record.value, WrittenValue::Text(text(pack)?))?,
        Label::Integer(4) => once(&mut record.value, WrittenValue::Boolean(pack.bool()?))?,
        Label::Integer(5) => once(&mut record.sum, number(pack)?)?,
        Label::Integer(6) => once(&mut record.time, number(pack)?)?,
        Label::Integer(7) => once(&mut record.update_time, number(pack)?)?,
        Label::Integer(8) => once(&mut record.value, WrittenValue::Data(bytes(pack)?))?,
        Label::Text(name) if name == "vlo" => once(&mut record.value, WrittenValue::Objlink(text(pack)?))?,
        Label::Text(name) if name == "ct" => once(&mut record.content_format, format(pack)?)?,
        Label::Text(name) if name == "bct" => once(&mut record.base_content_format, format(pack)?)?,
        Label::Integer(_) | Label::Text(_) => return Ok(false),
    }
    Ok(true)
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Error> {
    if field.replace(value).is_some() { Err(Error::Malformed) } else { Ok(()) }
}

fn text<'a>(pack: &mut Decoder<'a>) -> Result<Cow<'a, str>, Error> {
    if pack.datatype()? == Type::String {
        return Ok(Cow::Borrowed(pack.str()?));
    }
    let mut whole = String::new();
    for (index, chunk) in pack.str_iter()?.enumerate() {
        whole.push_str(chunk.ok().filter(|_| index < MAX_CHUNKS).ok_or(Error::Malformed)?);
    }
    Ok(Cow::Owned(whole))
}

fn bytes<'a>(pack: &mut Decoder<'a>) -> Result<Cow<'a, [u8]>, Error> {
    if pack.datatype()? == Type::Bytes {
        return Ok(Cow::Borrowed(pack.bytes()?));
    }
    let mut whole = Vec::new();
    for (index, chunk) in pack.bytes_iter()?.enumerate() {
        whole.extend_from_slice(chunk.ok().filter(|_| index < MAX_CHUNKS).ok_or(Error::Malformed)?);
    }
    Ok(Cow::Owned(whole))
}

/// RFC 9193 writes a content format as text; stacks also send the bare number.
fn format<'a>(pack: &mut Decoder<'a>) -> Result<Cow<'a, str>, Error> {
    match pack.datatype()? {
        Type::U8 | Type::U16 => Ok(Cow::Owned(pack.u64()?.to_string())),
        _ => text(pack),
    }
}

fn number(pack: &mut Decoder<'_>) -> Result<Number, Error> {
    match pack.datatype()? {
        Type::F16 => half(pack),
        Type::F32 => Ok(Number::Float(pack.f32()?.into())),
        Type::F64 => Ok(Number::Float(pack.f64()?)),
        Type::Tag => decimal_fraction(pack),
        _ => Ok(Number::Integer(pack.int()?.into())),
    }
}

/// Half precision (RFC 8949 appendix D), every value of which is exact in double precision.
fn half(pack: &mut Decoder<'_>) -> Result<Number, Error> {
    let at = pack.position() + 1;
    let [high, low] = *pack.input().get(at..at + 2).ok_or(Error::Malformed)? else { return Err(Error::Malformed) };
    pack.set_position(at + 2);
    let bits = u16::from_be_bytes([high, low]);
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    Ok(Number::Float(if bits & 0x8000 == 0 { magnitude } else { -magnitude }))
}

/// Tag 4: `[exponent, mantissa]`, mantissa × 10^exponent. Bounded before anything is computed.
fn decimal_fraction(pack: &mut Decoder<'_>) -> Result<Number, Error> {
    if pack.tag()?.as_u64() != DECIMAL_FRACTION {
        return Err(Error::Malformed);
    }
    let mut parts = Elements::of(pack.array()?);
    let (mut exponent, mut mantissa) = (0i128, 0i128);
    for part in [&mut exponent, &mut mantissa] {
        if !parts.next(pack)? {
            return Err(Error::Malformed);
        }
        *part = pack.int()?.into();
    }
    if parts.next(pack)? || exponent.abs() > MAX_EXPONENT {
        return Err(Error::Malformed);
    }
    if let Some(integer) = scaled(mantissa, exponent) {
        return Ok(Number::Integer(integer));
    }
    // The decimal reader rounds correctly, which a multiplication would not.
    let float: f64 = format!("{mantissa}e{exponent}").parse().map_err(|_| Error::Malformed)?;
    if float.is_finite() { Ok(Number::Float(float)) } else { Err(Error::Malformed) }
}

fn scaled(mantissa: i128, exponent: i128) -> Option<i128> {
    let power = 10i128.checked_pow(u32::try_from(exponent).ok()?)?;
    mantissa.checked_mul(power).filter(|integer| INTEGERS.contains(integer))
}

/// Reads and drops a value: no key twice in a map, `depth` levels at most (tags are levels too).
fn ignore(pack: &mut Decoder<'_>, depth: usize) -> Result<(), Error> {
    let deeper = || depth.checked_sub(1).ok_or(Error::Malformed);
    match pack.datatype()? {
        Type::Array | Type::ArrayIndef => {
            let (mut elements, depth) = (Elements::of(pack.array()?), deeper()?);
            while elements.next(pack)? {
                ignore(pack, depth)?;
            }
            Ok(())
        }
        Type::Map | Type::MapIndef => ignore_map(pack, deeper()?),
        Type::Tag => {
            pack.tag()?;
            ignore(pack, deeper()?)
        }
        Type::Break | Type::Unknown(_) => Err(Error::Malformed),
        _ => Ok(pack.skip()?),
    }
}

fn ignore_map(pack: &mut Decoder<'_>, depth: usize) -> Result<(), Error> {
    let mut members = Elements::of(pack.map()?);
    let mut keys = BTreeSet::new();
    while members.next(pack)? {
        let start = pack.position();
        ignore(pack, depth)?;
        if !keys.insert(&pack.input()[start..pack.position()]) {
            return Err(Error::Malformed);
        }
        ignore(pack, depth)?;
    }
    Ok(())
}
