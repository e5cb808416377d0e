//! Readings as CSV (RFC 4180) that a spreadsheet may open: text that it would take for a formula is disarmed
//! (threat E14). Imports serde_json alone.

use serde_json::Value;

/// The header and a line for each row. The columns are the first row's members, those that name a reading first.
pub(super) fn write(rows: &[Value]) -> String {
    let columns = columns(rows);
    let mut text = line(columns.iter().map(|column| (*column).to_owned()));
    for row in rows {
        text.push_str(&line(columns.iter().map(|column| cell(row.get(column).unwrap_or(&Value::Null)))));
    }
    text
}

/// What a reader looks for first.
const FIRST: [&str; 6] = ["time", "device", "name", "value", "unit", "type"];

fn columns(rows: &[Value]) -> Vec<&str> {
    let Some(members) = rows.first().and_then(Value::as_object) else {
        return FIRST.to_vec();
    };
    let first = FIRST.into_iter().filter(|column| members.contains_key(*column));
    let rest = members.keys().map(String::as_str).filter(|column| !FIRST.contains(column));
    first.chain(rest).collect()
}

fn line(cells: impl Iterator<Item = String>) -> String {
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
