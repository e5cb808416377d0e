//! What an envelope says of itself, as JSON for an operator. Every word of it is a claim.
//!
//! Imports its neighbours and serde_json.

use serde_json::{Map, Value, json};

use super::headers::Headers;
use super::{Body, Form, Kind, Message, Way};
use crate::envelope::Curve;

impl Message {
    /// Structure, serialization, headers by place, recipients or signatures, sizes.
    pub fn describe(&self) -> Value {
        let ways: Vec<Value> = self.ways.iter().map(|way| self.describe_way(way)).collect();
        let form = self.ways.first().map_or(Err("no recipient"), |way| self.profile_form(way));
        let mut described = json!({
            "structure": self.structure(),
            "serialization": match self.form {
                Form::Compact => "compact",
                Form::Flattened => "flattened JSON",
                Form::General => "general JSON",
            },
            "paperknife_1": form.map_or_else(|broken| json!({"broken": broken}), |()| json!(true)),
        });
        match &self.body {
            Body::Encrypted(body) => {
                described["enc"] =
                    json!(self.ways.first().and_then(|way| way.headers.enc.as_ref()).map(|enc| &enc.value));
                described["iv_hex"] = json!(hex::encode(&body.iv));
                described["ciphertext_bytes"] = json!(body.sealed.len() - body.encryption.map_or(0, |known| known.tag));
                described["recipients"] = json!(ways);
            }
            Body::Signed(body) => {
                described["content_bytes"] = json!(body.payload.len());
                described["content_detached"] = json!(body.detached);
                described["signatures"] = json!(ways);
            }
        }
        described
    }

    fn describe_way(&self, way: &Way) -> Value {
        let size = if self.kind() == Kind::Jwe { "encrypted_key_bytes" } else { "signature_bytes" };
        let fault = way.fault.as_ref();
        json!({
            "alg": way.headers.alg.as_ref().map(|alg| &alg.value),
            "headers": describe_headers(&way.headers),
            size: way.bytes.len(),
            "passed_over": fault.map(|fault| json!({"reason": fault.reason, "detail": fault.detail})),
        })
    }
}

/// Headers by place.
#[derive(Default)]
struct Shown {
    protected: Map<String, Value>,
    unprotected: Map<String, Value>,
}

impl Shown {
    fn put(&mut self, name: &str, protected: bool, value: Value) {
        let map = if protected { &mut self.protected } else { &mut self.unprotected };
        map.insert(name.to_owned(), value);
    }
}

fn describe_headers(headers: &Headers) -> Value {
    let mut shown = Shown::default();
    let texts = [
        ("alg", &headers.alg),
        ("enc", &headers.enc),
        ("zip", &headers.zip),
        ("kid", &headers.kid),
        ("cty", &headers.cty),
        ("typ", &headers.typ),
    ];
    for (name, header) in texts {
        header.iter().for_each(|header| shown.put(name, header.protected, json!(header.value)));
    }
    let bytes = [
        ("apu_hex", &headers.apu),
        ("apv_hex", &headers.apv),
        ("iv_hex", &headers.iv),
        ("tag_hex", &headers.tag),
        ("p2s_hex", &headers.p2s),
        ("x5t_hex", &headers.x5t),
        ("x5t#S256_hex", &headers.x5t_s256),
    ];
    for (name, header) in bytes {
        header.iter().for_each(|header| shown.put(name, header.protected, json!(hex::encode(&header.value))));
    }
    if let Some(p2c) = &headers.p2c {
        shown.put("p2c", p2c.protected, json!(p2c.value));
    }
    if let Some(b64) = &headers.b64 {
        shown.put("b64", b64.protected, json!(b64.value));
    }
    if let Some(epk) = &headers.epk {
        let curve = epk.value.curve.map(Curve::name);
        shown.put("epk", epk.protected, json!({"crv": curve, "x_hex": hex::encode(&epk.value.x)}));
    }
    if let Some(pk1) = &headers.pk1 {
        shown.put("pk1", pk1.protected, describe_pk1(&pk1.value));
    }
    if let Some(x5c) = &headers.x5c {
        shown.put("x5c_hex", x5c.protected, json!(x5c.value.iter().map(hex::encode).collect::<Vec<_>>()));
    }
    if let Some(crit) = headers.critical() {
        shown.put("crit", true, json!(crit));
    }
    headers.others().iter().for_each(|(name, protected)| shown.put(name, *protected, json!("not interpreted")));
    json!({"protected": shown.protected, "unprotected": shown.unprotected})
}

fn describe_pk1(pk1: &super::Pk1) -> Value {
    json!({
        "aud": pk1.audience,
        "ep": pk1.endpoint,
        "path": pk1.path,
        "seq": pk1.sequence,
        "ctx_hex": pk1.kid_context.as_ref().map(hex::encode),
        "iat": pk1.issued_at,
    })
}
