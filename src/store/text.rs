//! How names and small structures stand in columns: the words of the contract, and JSON.
//!
//! A column that does not hold what was written is an error of its row, never a default.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Row, RowIndex};
use serde::de::DeserializeOwned;

use crate::item::{CoseType, Format, Reason, Verdict};
use crate::payload::PayloadError;

/// The value of a JSON column.
pub(in crate::store) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| wrong(Type::Text, error))
}

/// The value of a column of one of the closed lists below.
pub(in crate::store) fn named<T, I: RowIndex>(
    row: &Row<'_>,
    column: I,
    find: fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let value = row.get_ref(column)?;
    find(value.as_str()?).ok_or_else(|| wrong(Type::Text, FromSqlError::InvalidType))
}

/// The same of a column that may be NULL.
pub(in crate::store) fn named_or_null<T>(
    row: &Row<'_>,
    column: &str,
    find: fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(name) => find(name).map(Some).ok_or_else(|| wrong(Type::Text, FromSqlError::InvalidType)),
        None => Ok(None),
    }
}

/// The value that a number of a column stands for.
pub(in crate::store) fn known<T>(code: i64, find: fn(i64) -> Option<T>) -> rusqlite::Result<T> {
    find(code).ok_or_else(|| wrong(Type::Integer, FromSqlError::InvalidType))
}

/// An error of a column's content.
pub(in crate::store) fn wrong(found: Type, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, found, Box::new(error))
}

/// The verdict of that name.
pub(in crate::store) fn verdict(name: &str) -> Option<Verdict> {
    [Verdict::Duplicate, Verdict::Expired, Verdict::Held, Verdict::Opened, Verdict::Pending, Verdict::Refused]
        .into_iter()
        .find(|verdict| verdict.as_str() == name)
}

/// The reason of that name.
pub(in crate::store) fn reason(name: &str) -> Option<Reason> {
    Reason::from_name(name)
}

/// The format of that name.
pub(in crate::store) fn format(name: &str) -> Option<Format> {
    [Format::Cms, Format::Cose, Format::Jose].into_iter().find(|format| format.as_str() == name)
}

/// The name of a payload error.
pub(in crate::store) const fn payload_error_name(error: PayloadError) -> &'static str {
    match error {
        PayloadError::Malformed => "malformed",
        PayloadError::PayloadTooLarge => "payload_too_large",
        PayloadError::UnknownContentFormat => "unknown_content_format",
    }
}

/// The payload error of that name.
pub(in crate::store) fn payload_error(name: &str) -> Option<PayloadError> {
    [PayloadError::Malformed, PayloadError::PayloadTooLarge, PayloadError::UnknownContentFormat]
        .into_iter()
        .find(|error| payload_error_name(*error) == name)
}

/// A COSE structure as its CBOR tag (RFC 9052 §2).
pub(in crate::store) const fn cose_tag(structure: CoseType) -> i64 {
    match structure {
        CoseType::Encrypt => 96,
        CoseType::Encrypt0 => 16,
        CoseType::Mac => 97,
        CoseType::Mac0 => 17,
        CoseType::Sign => 98,
        CoseType::Sign1 => 18,
    }
}

/// The COSE structure of a CBOR tag.
pub(in crate::store) fn cose_type(tag: i64) -> Option<CoseType> {
    use CoseType::{Encrypt, Encrypt0, Mac, Mac0, Sign, Sign1};
    [Encrypt, Encrypt0, Mac, Mac0, Sign, Sign1].into_iter().find(|structure| cose_tag(*structure) == tag)
}
