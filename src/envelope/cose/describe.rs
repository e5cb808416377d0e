//! What a message says of itself, as JSON for an operator. Every word of it is a claim.
//!
//! Imports its parent, `item` and serde_json.

use serde_json::{Map, Value, json};

use super::headers::{Bucket, Header, Headers, Label};
use super::{Message, Place};
use crate::item::ContentType;

impl Message {
    /// Structure, headers by bucket, recipients, sizes.
    pub fn describe(&self) -> Value {
        let recipients: Vec<Value> = self
            .recipients()
            .iter()
            .map(|recipient| {
                json!({
                    "alg": recipient.algorithm(),
                    "alg_id": alg_id(recipient.headers()),
                    "headers": self.describe_headers(recipient.headers()),
                    "ciphertext_bytes": recipient.ciphertext().len(),
                })
            })
            .collect();
        json!({
            "structure": self.structure().name(),
            "alg": self.algorithm(),
            "alg_id": alg_id(self.headers()),
            "headers": self.describe_headers(self.headers()),
            "content_bytes": self.content().len(),
            "signature_bytes": self.signature().len(),
            "recipients": recipients,
            "paperknife_1": match self.profile_form(Place::Outer) {
                Ok(()) => json!(true),
                Err(broken) => json!({"broken": broken}),
            },
        })
    }

    fn describe_headers(&self, headers: &Headers) -> Value {
        let (mut protected, mut unprotected) = (Map::new(), Map::new());
        let mut put = |bucket: Bucket, name: &str, value: Value| {
            let map = if bucket == Bucket::Protected { &mut protected } else { &mut unprotected };
            map.insert(name.to_owned(), value);
        };
        let bytes = [
            ("kid_hex", &headers.kid),
            ("iv_hex", &headers.iv),
            ("partial_iv_hex", &headers.partial_iv),
            ("kid_context_hex", &headers.kid_context),
        ];
        for (name, header) in bytes {
            if let Some(Header { value, bucket }) = header {
                put(*bucket, name, json!(hex::encode(self.slice(value))));
            }
        }
        for (name, header) in [("content_type", &headers.content_type), ("typ", &headers.typ)] {
            if let Some(Header { value, bucket }) = header {
                put(*bucket, name, content_type(value));
            }
        }
        if let Some(Header { value, bucket }) = &headers.claims {
            put(*bucket, "claims", json!({"sub": value.sub, "aud": value.aud, "iat": value.iat}));
        }
        if let Some(Header { value, bucket }) = &headers.ephemeral {
            put(*bucket, "ephemeral_key", json!({"crv": "P-256", "x_hex": hex::encode(self.slice(&value.x))}));
        }
        for Header { value, bucket } in &headers.unknown {
            let name = match value {
                Label::Int(number) => number.to_string(),
                Label::Text(text) => text.clone(),
            };
            put(*bucket, &name, json!("not interpreted"));
        }
        json!({"protected": protected, "unprotected": unprotected})
    }
}

fn alg_id(headers: &Headers) -> Option<i64> {
    headers.alg.as_ref()?.value
}

fn content_type(value: &ContentType) -> Value {
    match value {
        ContentType::Format(number) => json!(number),
        ContentType::Media(media) => json!(media),
    }
}
