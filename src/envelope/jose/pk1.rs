//! `pk1`: the binding of profile `paperknife-1` in a protected header (jose.md §9). Compact JOSE has no external AAD, so
//! the binding travels.
//!
//! Imports its neighbours and `envelope::Fault`.

use super::json::Value;
use super::text;
use crate::envelope::Fault;

/// Its members (jose.md §9).
const MEMBERS: [&str; 6] = ["aud", "ep", "path", "seq", "ctx", "iat"];
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
    if object.0.iter().any(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        return Err(FAULT);
    }
    let required = |name: &str| object.get(name).ok_or(FAULT);
    Ok(Pk1 {
        audience: name(required("aud")?)?,
        endpoint: name(required("ep")?)?,
        path: match required("path")? {
            Value::Null => None,
            path => Some(name(path)?),
        },
        sequence: sequence(required("seq")?)?,
        kid_context: object.get("ctx").map(context).transpose()?,
        issued_at: object.get("iat").map(seconds).transpose()?,
    })
}

fn name(value: &Value) -> Result<String, Fault> {
    match value {
        Value::Text(text) if text.len() <= NAME => Ok(text.clone()),
        _ => Err(FAULT),
    }
}

fn sequence(value: &Value) -> Result<u64, Fault> {
    match value {
        Value::Integer(number) if (0..SEQUENCES).contains(number) => u64::try_from(*number).map_err(|_| FAULT),
        _ => Err(FAULT),
    }
}

fn context(value: &Value) -> Result<Vec<u8>, Fault> {
    let Value::Text(text) = value else { return Err(FAULT) };
    let context = text::bytes(text)?;
    if (1..=CONTEXT).contains(&context.len()) { Ok(context) } else { Err(FAULT) }
}

fn seconds(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Integer(seconds) if *seconds >= 0 => i64::try_from(*seconds).map_err(|_| FAULT),
        _ => Err(FAULT),
    }
}
