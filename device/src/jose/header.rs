//! Header parameters by name, in any of the places that JOSE has for them. A later value of a name replaces an earlier one;
//! they are written in the order of their names. What is put where is the caller's business: tests want odd ones too.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use serde::Serialize;
use serde_json::Value;

use super::base64url;
use crate::error::SealError;
use crate::primitive::key::Key;

/// Header parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Header(BTreeMap<String, Value>);

impl Header {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_string(), value.into());
        self
    }

    /// With bytes, as base64url.
    #[must_use]
    pub fn bytes(self, name: &str, value: &[u8]) -> Self {
        self.with(name, base64url(value))
    }

    /// With one that a receiver must understand (`crit`), beside those that are named already.
    #[must_use]
    pub fn critical(mut self, name: &str) -> Self {
        let named = self.0.entry("crit".to_string()).or_insert_with(|| Value::Array([].into()));
        if let Value::Array(names) = named {
            names.push(name.into());
        }
        self
    }

    /// With the key's name, unless there is one. JOSE knows names as text alone.
    pub(crate) fn naming(self, key: &Key) -> Result<Self, SealError> {
        match key.kid() {
            Some(kid) if !self.has("kid") => {
                let kid = core::str::from_utf8(kid).map_err(|_| SealError::BadKey("named in text"))?;
                Ok(self.with("kid", kid))
            }
            _ => Ok(self),
        }
    }

    /// With all of another's; this one's values stand.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its JSON as base64url; nothing where it is empty (RFC 7516 §5.1 step 13).
    pub(crate) fn encoded(&self) -> String {
        if self.is_empty() { String::new() } else { base64url(self.json().to_string().as_bytes()) }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::json!(self)
    }
}
