//! Readings as SenML CBOR (RFC 8428 §6), Content-Format 112: one pack, integer labels ascending, numbers in the shortest
//! exact form. With feature `std` also as SenML JSON (§5), Content-Format 110.

use alloc::vec::Vec;
use core::convert::Infallible;
#[cfg(feature = "std")]
use std::string::ToString;

#[cfg(feature = "std")]
use base64::Engine;
#[cfg(feature = "std")]
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use half::f16;
use minicbor::encode::Error;

use crate::cbor::{self, Writer};

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<'a> {
    /// What is measured, as `/3303/0/5700`.
    pub name: &'a str,
    /// Its value.
    pub value: Value<'a>,
    /// Unit (RFC 8428 §12.1).
    pub unit: Option<&'a str>,
    /// Seconds since 1970.
    pub time: Option<f64>,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// Boolean.
    Flag(bool),
    /// Integer.
    Integer(i64),
    /// Floating point.
    Number(f64),
    /// Text.
    Text(&'a str),
}

impl<'a> Reading<'a> {
    /// A number under a name, without unit and time.
    pub const fn number(name: &'a str, value: f64) -> Self {
        Self { name, value: Value::Number(value), unit: None, time: None }
    }

    #[cfg(feature = "std")]
    fn json(&self) -> serde_json::Value {
        let mut record = serde_json::json!({"n": self.name});
        if let Some(unit) = self.unit {
            record["u"] = unit.into();
        }
        if let Some(time) = self.time {
            record["t"] = time.into();
        }
        match self.value {
            Value::Data(bytes) => record["vd"] = URL_SAFE_NO_PAD.encode(bytes).into(),
            Value::Flag(flag) => record["vb"] = flag.into(),
            Value::Integer(integer) => record["v"] = integer.into(),
            Value::Number(float) => record["v"] = float.into(),
            Value::Text(text) => record["vs"] = text.into(),
        }
        record
    }
}

/// `[{0: name, ? 1: unit, value, ? 6: time}, …]`
pub fn pack(readings: &[Reading<'_>]) -> Vec<u8> {
    cbor::bytes(|to| {
        to.array(readings.len() as u64)?;
        readings.iter().try_for_each(|reading| record(to, reading))
    })
}

/// `[{"n": name, ? "u": unit, value, ? "t": time}, …]`. What JSON cannot write, a number that is none, becomes null.
#[cfg(feature = "std")]
pub fn json(readings: &[Reading<'_>]) -> Vec<u8> {
    let records: Vec<_> = readings.iter().map(Reading::json).collect();
    serde_json::Value::Array(records).to_string().into_bytes()
}

fn record(to: &mut Writer<'_>, reading: &Reading<'_>) -> Result<(), Error<Infallible>> {
    let members = 2 + u64::from(reading.unit.is_some()) + u64::from(reading.time.is_some());
    to.map(members)?.u8(0)?.str(reading.name)?;
    if let Some(unit) = reading.unit {
        to.u8(1)?.str(unit)?;
    }
    // data has label 8: after the time
    if let Value::Data(bytes) = reading.value {
        time(to, reading.time)?;
        return to.u8(8)?.bytes(bytes)?.ok();
    }
    value(to, reading.value)?;
    time(to, reading.time)
}

fn time(to: &mut Writer<'_>, time: Option<f64>) -> Result<(), Error<Infallible>> {
    time.map_or(Ok(()), |time| number(to.u8(6)?, time))
}

fn value(to: &mut Writer<'_>, value: Value<'_>) -> Result<(), Error<Infallible>> {
    match value {
        Value::Data(bytes) => to.u8(8)?.bytes(bytes)?.ok(),
        Value::Flag(flag) => to.u8(4)?.bool(flag)?.ok(),
        Value::Integer(integer) => to.u8(2)?.i64(integer)?.ok(),
        Value::Number(float) => number(to.u8(2)?, float),
        Value::Text(text) => to.u8(3)?.str(text)?.ok(),
    }
}

/// The shortest float that holds the value exactly.
fn number(to: &mut Writer<'_>, value: f64) -> Result<(), Error<Infallible>> {
    let half = f16::from_f64(value);
    if half.to_f64().to_bits() == value.to_bits() {
        let [high, low] = half.to_be_bytes();
        to.writer_mut().extend([0xf9, high, low]);
        return Ok(());
    }
    let single = value as f32;
    if f64::from(single).to_bits() == value.to_bits() { to.f32(single)?.ok() } else { to.f64(value)?.ok() }
}

#[cfg(test)]
mod tests;
