//! `pk1`: the binding of profile `paperknife-1` in a protected header (jose.md §9). Compact JOSE has no external AAD, so
//! the binding travels.
//!
//! Imports its neighbours and `envelope::Fault`.

use super::json::{Object, Value};
use super::text;
use crate::envelope::Fault;

/// Sequence numbers are below 2^40, as a Partial IV of five bytes is (profile.md §2).
const SEQUENCES: i128 = 1 << 40;
/// Longest kid context, bytes.
const CONTEXT: usize = 16;
/// Longest name or path, bytes.
const NAME: usize = 256;

/// What the sender bound its message to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pk1 {
    /// The application.
    pub audience: String,
    /// The device.
    pub endpoint: String,
    /// The resource path; none where the device cannot know it.
    pub path: Option<String>,
    /// Sequence number.
    pub sequence: u64,
    /// Boot epoch or key generation.
    pub kid_context: Option<Vec<u8>>,
    /// When it was issued, seconds.
    pub issued_at: Option<i64>,
}

const FAULT: Fault = Fault::malformed("a pk1 that is not the profile's");

/// Reads the member: all that the profile names, and nothing else.
pub(super) fn read(value: &Value) -> Result<Pk1, Fault> {
    let Value::Object(object) = value else { return Err(FAULT) };
    let mut object = object.clone();
    let pk1 = Pk1 {
        audience: name(object.take("aud"))?.ok_or(FAULT)?,
        endpoint: name(object.take("ep"))?.ok_or(FAULT)?,
        path: match object.take("path") {
            Some(Value::Null) => None,
            path => Some(name(path)?.ok_or(FAULT)?),
        },
        sequence: sequence(object.take("seq"))?,
        kid_context: object.take("ctx").map(context).transpose()?,
        issued_at: object.take("iat").map(seconds).transpose()?,
    };
    if object == Object::default() { Ok(pk1) } else { Err(FAULT) }
}

fn name(value: Option<Value>) -> Result<Option<String>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) if text.len() <= NAME => Ok(Some(text)),
        Some(_) => Err(FAULT),
    }
}

fn sequence(value: Option<Value>) -> Result<u64, Fault> {
    match value {
        Some(Value::Integer(number)) if (0..SEQUENCES).contains(&number) => u64::try_from(number).map_err(|_| FAULT),
        _ => Err(FAULT),
    }
}

fn context(value: Value) -> Result<Vec<u8>, Fault> {
    let Value::Text(text) = value else { return Err(FAULT) };
    let context = text::bytes(&text)?;
    if (1..=CONTEXT).contains(&context.len()) { Ok(context) } else { Err(FAULT) }
}

fn seconds(value: Value) -> Result<i64, Fault> {
    match value {
        Value::Integer(seconds) if seconds >= 0 => i64::try_from(seconds).map_err(|_| FAULT),
        _ => Err(FAULT),
    }
}
