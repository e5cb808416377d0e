//! Schemas in words: what kind of value, and which members. Imports serde_json alone.

use std::fmt::Write;

use serde_json::Value;

/// Follows one `#/…`.
pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// The elements of a list; none where there is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The text; empty where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Text for HTML, between tags and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One line of prose, with `code` in backticks.
pub(super) fn line(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in escaped(text.trim()).split('`').enumerate() {
        match at % 2 {
            0 => html.push_str(part),
            _ => html.push_str(&code(part)),
        }
    }
    html
}

/// Paragraphs.
pub(super) fn prose(text: &str) -> String {
    text.trim().split("\n\n").filter(|part| !part.is_empty()).map(|part| format!("<p>{}</p>", line(part))).collect()
}

pub(super) fn code(escaped: &str) -> String {
    format!("<code>{escaped}</code>")
}

/// What kind of value: a link to a named schema, the values of a choice, a type.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(choice) = schema["enum"].as_array() {
        return choice.iter().map(|value| code(&escaped(&shown(value)))).collect::<Vec<_>>().join(" ");
    }
    if let Some(value) = schema.get("const") {
        return code(&escaped(&shown(value)));
    }
    for (joint, word) in [("oneOf", " or "), ("allOf", " of ")] {
        if schema[joint].is_array() {
            return list(&schema[joint]).map(kind).filter(|kind| !kind.is_empty()).collect::<Vec<_>>().join(word);
        }
    }
    // The second half of a page: what it is a page of.
    if let Some(items) = schema["properties"]["items"].get("items").filter(|_| schema["type"].is_null()) {
        return kind(items);
    }
    types(schema)
}

fn types(schema: &Value) -> String {
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        many => list(many).filter_map(Value::as_str).collect(),
    };
    let words = names.into_iter().map(|name| match name {
        "array" => format!(
            "list of {}",
            Some(kind(&schema["items"])).filter(|kind| !kind.is_empty()).unwrap_or_else(|| "values".to_owned())
        ),
        "string" => word(text(&schema["format"])).to_owned(),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

const fn word(format: &str) -> &str {
    match format.as_bytes() {
        b"" => "text",
        b"binary" => "bytes",
        b"byte" => "base64",
        b"date-time" => "time",
        _ => format,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A table of an object's members; empty where it has none.
pub(super) fn members(schema: &Value) -> String {
    let mut rows = String::new();
    let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let mark = if required.contains(&name.as_str()) { "" } else { "<small>optional</small>" };
        let more = members(if member["items"].is_object() { &member["items"] } else { member });
        let told = line(text(&member["description"]));
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}{mark}</th><td>{}</td><td>{told}{more}</td></tr>",
            code(&escaped(name)),
            kind(member)
        );
    }
    if rows.is_empty() { rows } else { format!("<table>{rows}</table>") }
}
