//! Readings as CSV (RFC 4180) that a spreadsheet may open: text that it would take for a formula is disarmed
//! (threat E14). Imports serde_json alone.

use serde_json::Value;

/// What a reader looks for first, and then the rest of a reading.
pub const READING: &[&str] = &[
    "time",
    "device",
    "name",
    "value",
    "unit",
    "type",
    "sum",
    "path",
    "path_proven",
    "time_anchor",
    "time_proven",
    "update_time",
    "unit_source",
    "object",
    "resource",
    "content_format",
    "flags",
    "sequence",
    "message",
    "index",
];
/// The same of a bucket.
pub const BUCKET: &[&str] =
    &["time", "device", "name", "value", "unit", "count", "min", "max", "mean", "sum", "first", "last"];

/// The line of names.
pub fn head(columns: &[&str]) -> String {
    joined(columns.iter().map(|column| (*column).to_owned()))
}

/// The line of one row.
pub fn line(columns: &[&str], row: &Value) -> String {
    joined(columns.iter().map(|column| cell(row.get(column).unwrap_or(&Value::Null))))
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    let mut line = cells.collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(&disarmed(text)),
        Value::Array(_) | Value::Object(_) => quoted(&listed(value)),
    }
}

/// Members of a list, separated by spaces; anything deeper as JSON.
fn listed(value: &Value) -> String {
    let words = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    disarmed(&words.map_or_else(|| value.to_string(), |words| words.join(" ")))
}

/// A leading apostrophe makes a spreadsheet take what follows as text. Full-width forms count: some fold them.
fn disarmed(text: &str) -> String {
    let armed = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if armed { format!("'{text}") } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
