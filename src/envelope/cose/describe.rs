//! What a message says of itself, as JSON for an operator. Every word of it is a claim.
//!
//! Imports its parent, `item` and serde_json.

use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::headers::{Bucket, Header, Headers, Rare};
use super::key::PublicKey;
use super::{Countersignature, Message, Place, Recipient, Signer, Way};
use crate::envelope::{Curve, Fault};
use crate::item::ContentType;

impl Message {
    /// Structure, headers by bucket, recipients or signers, countersignatures, sizes.
    pub fn describe(&self) -> Value {
        let recipients: Vec<Value> =
            self.recipients().iter().map(|recipient| self.describe_recipient(recipient)).collect();
        let signers: Vec<Value> = self.signers().iter().map(|signer| self.describe_signer(signer)).collect();
        json!({
            "structure": self.structure().name(),
            "alg": name(self.headers()),
            "alg_id": alg_id(self.headers()),
            "headers": self.describe_headers(self.headers()),
            "content_bytes": self.content().len(),
            "content_detached": self.is_detached(),
            "signature_bytes": self.authenticator(Way::BODY).len(),
            "recipients": recipients,
            "signers": signers,
            "countersignatures": self.describe_countersignatures(&self.headers().countersignatures),
            "paperknife_1": match self.profile_form(Place::Outer) {
                Ok(()) => json!(true),
                Err(broken) => json!({"broken": broken}),
            },
        })
    }

    fn describe_recipient(&self, recipient: &Recipient) -> Value {
        let below: Vec<Value> = recipient.recipients().iter().map(|below| self.describe_recipient(below)).collect();
        json!({
            "alg": name(recipient.headers()),
            "alg_id": alg_id(recipient.headers()),
            "headers": self.describe_headers(recipient.headers()),
            "ciphertext_bytes": recipient.ciphertext().len(),
            "recipients": below,
            "countersignatures": self.describe_countersignatures(&recipient.headers().countersignatures),
            "passed_over": passed_over(recipient.fault()),
        })
    }

    fn describe_signer(&self, signer: &Signer) -> Value {
        json!({
            "alg": name(signer.headers()),
            "alg_id": alg_id(signer.headers()),
            "headers": self.describe_headers(signer.headers()),
            "signature_bytes": signer.signature().len(),
            "countersignatures": self.describe_countersignatures(&signer.headers().countersignatures),
            "passed_over": passed_over(signer.fault()),
        })
    }

    fn describe_countersignatures(&self, countersignatures: &[Countersignature]) -> Vec<Value> {
        let describe = |of: &Countersignature| {
            json!({
                "label": of.label,
                "alg": name(&of.headers),
                "headers": self.describe_headers(&of.headers),
                "signature_bytes": of.signature.len(),
            })
        };
        countersignatures.iter().map(describe).collect()
    }

    fn describe_headers(&self, headers: &Headers) -> Value {
        let mut shown = Shown::default();
        let bytes = [
            ("kid_hex", &headers.kid),
            ("iv_hex", &headers.iv),
            ("partial_iv_hex", &headers.partial_iv),
            ("kid_context_hex", &headers.kid_context),
        ];
        for (name, header) in bytes {
            shown.put(name, header.as_ref(), |value| json!(hex::encode(self.slice(value))));
        }
        shown.put("content_type", headers.content_type.as_ref(), content_type);
        shown.put("typ", headers.typ.as_ref(), content_type);
        shown.put("claims", headers.claims.as_ref(), |claims| {
            let iss = claims.token.as_ref().and_then(|token| token.iss.as_deref());
            json!({"iss": iss, "sub": claims.sub, "aud": audience(&claims.aud), "exp": claims.exp,
                    "nbf": claims.nbf, "iat": claims.iat})
        });
        shown.put("ephemeral_key", headers.ephemeral.as_ref(), |key| self.describe_key(key));
        for (label, header) in &headers.rare {
            shown.put(rare_name(*label), Some(header), |rare| self.describe_rare(rare));
        }
        if let Some(labels) = &headers.crit {
            let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            shown.protected.insert("crit".to_owned(), json!(labels));
        }
        for Header { value, bucket } in &headers.unknown {
            shown.map(*bucket).insert(value.to_string(), json!("not interpreted"));
        }
        json!({"protected": shown.protected, "unprotected": shown.unprotected})
    }

    fn describe_key(&self, key: &PublicKey) -> Value {
        json!({"crv": key.curve.map(Curve::name), "x_hex": hex::encode(self.slice(&key.x))})
    }

    fn describe_rare(&self, rare: &Rare) -> Value {
        match rare {
            Rare::Certificates(all) => json!(all.iter().map(|der| hex::encode(self.slice(der))).collect::<Vec<_>>()),
            Rare::Party(field) => json!(minicbor::display(self.slice(field)).to_string()),
            Rare::Encapsulated(bytes) | Rare::PskId(bytes) | Rare::Salt(bytes) | Rare::StaticKeyId(bytes) => {
                json!(hex::encode(self.slice(bytes)))
            }
            Rare::StaticKey(key) => self.describe_key(key),
            Rare::Thumbprint(of) => json!({"alg_id": of.algorithm, "digest_hex": hex::encode(self.slice(&of.digest))}),
            Rare::Url(text) => json!(String::from_utf8_lossy(self.slice(text))),
        }
    }
}

/// Headers by bucket.
#[derive(Default)]
struct Shown {
    protected: Map<String, Value>,
    unprotected: Map<String, Value>,
}

impl Shown {
    fn map(&mut self, bucket: Bucket) -> &mut Map<String, Value> {
        if bucket == Bucket::Protected { &mut self.protected } else { &mut self.unprotected }
    }

    fn put<T>(&mut self, name: &str, header: Option<&Header<T>>, show: impl FnOnce(&T) -> Value) {
        if let Some(Header { value, bucket }) = header {
            let shown = show(value);
            self.map(*bucket).insert(name.to_owned(), shown);
        }
    }
}

const fn rare_name(label: i64) -> &'static str {
    match label {
        32 => "x5bag_hex",
        33 => "x5chain_hex",
        34 => "x5t",
        35 => "x5u",
        -2 => "static_key",
        -3 => "static_key_id_hex",
        -4 => "encapsulated_key_hex",
        -5 => "psk_id_hex",
        -20 => "salt_hex",
        -21 => "party_u_identity",
        -22 => "party_u_nonce",
        -23 => "party_u_other",
        -24 => "party_v_identity",
        -25 => "party_v_nonce",
        -26 => "party_v_other",
        -27 => "x5t_sender",
        -28 => "x5u_sender",
        _ => "x5chain_sender_hex",
    }
}

fn passed_over(fault: Option<&Fault>) -> Value {
    fault.map_or(Value::Null, |fault| json!({"reason": fault.reason, "detail": fault.detail}))
}

fn alg_id(headers: &Headers) -> Option<i64> {
    headers.alg.as_ref()?.value
}

fn name(headers: &Headers) -> Option<&'static str> {
    alg_id(headers).and_then(Algorithm::of).map(|algorithm| algorithm.name)
}

/// One is a text, several are a list.
fn audience(all: &[String]) -> Value {
    match all {
        [] | [_] => json!(all.first()),
        several => json!(several),
    }
}

fn content_type(value: &ContentType) -> Value {
    match value {
        ContentType::Format(number) => json!(number),
        ContentType::Media(media) => json!(media),
    }
}
