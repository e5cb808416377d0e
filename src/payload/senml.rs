//! SenML packs to readings: names are inside the sealed bytes, times are measured from the context's anchor.

use crate::codec::senml::{self, DataText, Number, Record, Time};
use crate::item::Timestamp;
use crate::payload::{
    Anchor, Context, MAX_DEPTH, MAX_GROWTH, MAX_NAME, MAX_OUTPUT, MAX_VALUE, PayloadError, Reading, Value, path,
};

/// Decodes a pack in JSON.
pub(super) fn from_json(content: &[u8], context: &Context<'_>) -> Result<Vec<Reading>, PayloadError> {
    readings(senml::decode_json(content, &limits(content, context), DataText::Base64url)?, context)
}

/// Decodes a pack in CBOR.
pub(super) fn from_cbor(content: &[u8], context: &Context<'_>) -> Result<Vec<Reading>, PayloadError> {
    readings(senml::decode_cbor(content, &limits(content, context))?, context)
}

impl From<senml::Error> for PayloadError {
    fn from(error: senml::Error) -> Self {
        match error {
            senml::Error::Malformed => Self::Malformed,
            senml::Error::TooLarge => Self::PayloadTooLarge,
        }
    }
}

fn limits(content: &[u8], context: &Context<'_>) -> senml::Limits {
    senml::Limits {
        records: context.max_readings,
        depth: MAX_DEPTH,
        name: MAX_NAME,
        output: content.len().saturating_mul(MAX_GROWTH).min(MAX_OUTPUT),
    }
}

fn readings(records: Vec<Record>, context: &Context<'_>) -> Result<Vec<Reading>, PayloadError> {
    records.into_iter().map(|record| reading(record, context)).collect()
}

fn reading(record: Record, context: &Context<'_>) -> Result<Reading, PayloadError> {
    let (time, time_anchor) = resolve_time(record.time, context);
    Ok(Reading {
        path: path::is_lwm2m(&record.name).then(|| record.name.clone()),
        name: Some(record.name),
        path_proven: true,
        value: record.value.map(value).transpose()?,
        unit_source: record.unit.is_some().then_some("senml"),
        unit: record.unit,
        time,
        time_anchor,
        update_time: record.update_time,
        sum: record.sum.map(Number::to_f64),
        future: time_anchor == Anchor::Absolute && time > context.now().0.plus_seconds(context.max_future_s),
    })
}

fn resolve_time(time: Time, context: &Context<'_>) -> (Timestamp, Anchor) {
    let (now, anchor) = context.now();
    match time {
        Time::Absolute(millis) => (Timestamp::from_millis(millis), Anchor::Absolute),
        Time::Now => (now, anchor),
        Time::Relative(millis) => (Timestamp::from_millis(now.millis().saturating_add(millis)), anchor),
    }
}

fn value(value: senml::Value) -> Result<Value, PayloadError> {
    let value = match value {
        senml::Value::Boolean(boolean) => Value::Boolean(boolean),
        senml::Value::Data(bytes) => Value::Bytes(bytes),
        senml::Value::Number(number) => number_value(number),
        senml::Value::Objlink(link) => Value::Objlink(link),
        senml::Value::DataText(text) | senml::Value::Text(text) => Value::Text(text),
    };
    let size = match &value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Text(text) => text.len(),
        _ => 0,
    };
    if size > MAX_VALUE { Err(PayloadError::PayloadTooLarge) } else { Ok(value) }
}

fn number_value(number: Number) -> Value {
    match number {
        Number::Integer(integer) if integer >= i128::from(i64::MIN) => Value::Integer(integer),
        // CBOR reaches down to −2^64, which no JSON reader keeps exact.
        number => Value::Number(number.to_f64()),
    }
}
