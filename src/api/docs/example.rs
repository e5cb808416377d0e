//! How an operation is asked, as the document's own examples have it: shown on the page, and sent by a test. Imports
//! serde_json alone.

use serde_json::Value;

use super::schema::{list, resolve, text};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Example {
    pub(in crate::api) method: String,
    pub(in crate::api) path: String,
    /// The `security` scheme that it shows credentials of.
    pub(in crate::api) scheme: Option<String>,
    pub(in crate::api) body: Option<Body>,
}

/// What is sent along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum Body {
    /// Sealed bytes, from a file.
    Envelope,
    Json(String),
}

impl Example {
    /// Of the operation `method` of `path`; `own` gives a path parameter another value than the document's example.
    pub(in crate::api) fn of(document: &Value, path: &str, method: &str, own: impl Fn(&str) -> Option<String>) -> Self {
        let item = &document["paths"][path];
        let operation = &item[method];
        let (mut filled, mut query) = (path.to_owned(), Vec::new());
        for parameter in list(&item["parameters"]).chain(list(&operation["parameters"])) {
            let parameter = resolve(document, parameter);
            let Some(value) = parameter.get("example").map(plain) else { continue };
            let name = text(&parameter["name"]);
            match text(&parameter["in"]) {
                "path" => filled = filled.replace(&format!("{{{name}}}"), &own(name).unwrap_or(value)),
                "query" => query.push(format!("{name}={value}")),
                _ => {}
            }
        }
        let joint = if query.is_empty() { "" } else { "?" };
        let scheme = list(&operation["security"]).next().and_then(Value::as_object).and_then(|one| one.keys().next());
        Self {
            method: method.to_uppercase(),
            path: format!("{filled}{joint}{}", query.join("&")),
            scheme: scheme.cloned(),
            body: body(&operation["requestBody"]["content"]),
        }
    }

    /// For a shell.
    pub(in crate::api) fn curl(&self) -> String {
        let mut words = vec![match self.method.as_str() {
            "GET" => format!("curl \"$GATEWAY{}\"", self.path),
            method => format!("curl -X {method} \"$GATEWAY{}\"", self.path),
        }];
        match self.scheme.as_deref() {
            Some("relay_token") => words.push("-H \"Authorization: Bearer $RELAY_TOKEN\"".to_owned()),
            Some(_) => words.push("-H \"Authorization: Bearer $TOKEN\"".to_owned()),
            None => {}
        }
        match &self.body {
            Some(Body::Envelope) => {
                words.push("-H 'Content-Type: application/cose' --data-binary @envelope.cose".to_owned())
            }
            Some(Body::Json(json)) => words.push(format!("-H 'Content-Type: application/json' -d '{json}'")),
            None => {}
        }
        words.join(" \\\n  ")
    }
}

fn body(content: &Value) -> Option<Body> {
    match content.get("application/json") {
        Some(json) => json.get("example").map(|example| Body::Json(example.to_string())),
        None => content.as_object().map(|_| Body::Envelope),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
