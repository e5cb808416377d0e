//! What a message says of itself, as JSON for an operator. Every word of it is a claim.
//!
//! Imports its parent and neighbours, `envelope` and serde_json.

use serde_json::{Value, json};

use super::certificate::Named;
use super::recipient::{Agreement, Originator, Recipient, Way};
use super::signer::Signer;
use super::structure::Body;
use super::{Attributes, Message, Transport, oid};
use crate::envelope::Fault;

impl Message {
    /// Structure, algorithms, recipients, signers with their attributes, sizes.
    pub fn describe(&self) -> Value {
        let recipients: Vec<Value> = self.recipients().iter().map(|recipient| self.recipient(recipient)).collect();
        let signers: Vec<Value> = self.signers().iter().map(|signer| self.signer(signer)).collect();
        json!({
            "structure": self.structure.name(),
            "content_type": oid::dotted(self.content_type()),
            "content_bytes": self.content().len() - self.encryption().map_or(0, |encryption| encryption.tag),
            "content_detached": self.detached,
            "alg": self.algorithm(),
            "recipients": recipients,
            "signers": signers,
            "certificates": self.certificates.len(),
            "crls": match &self.body { Body::Signed { crls, .. } => *crls, _ => 0 },
            "attributes": self.attributes().map(|attributes| self.attributes_of(attributes)),
            "passed_over": passed_over(self.fault()),
        })
    }

    fn algorithm(&self) -> Value {
        match &self.body {
            Body::Authenticated { mac, .. } => json!(mac.map(|hash| format!("HMAC {}", hash.name()))),
            Body::Compressed { zlib } => json!(zlib.then_some("zlib")),
            Body::Data | Body::Signed { .. } => Value::Null,
            Body::Digested { hash, .. } => json!(hash.map(|hash| hash.name())),
            Body::Encrypted { encryption, .. } => json!(encryption.as_ref().map(|encryption| encryption.cipher.name())),
        }
    }

    fn recipient(&self, recipient: &Recipient) -> Value {
        let mut says = match recipient.way() {
            Way::Agreement(agreement) => self.agreement(agreement),
            Way::Encapsulation(encapsulation) => json!({
                "kind": "key_encapsulation",
                "certificate": self.named_as(&encapsulation.recipient),
                "alg": format!("ML-KEM-{}", encapsulation.set),
                "kdf": format!("HKDF {}", encapsulation.hash.name()),
                "wrap": encapsulation.wrap.name(),
            }),
            Way::Kek(identifier, wrap) => {
                json!({"kind": "kek", "kid_hex": hex::encode(self.slice(identifier)), "alg": wrap.name()})
            }
            Way::Other(what) => json!({"kind": "other", "what": what}),
            Way::Password(password) => json!({
                "kind": "password",
                "iterations": password.iterations,
                "prf": format!("HMAC {}", password.hash.name()),
                "alg": password.cipher.name(),
            }),
            Way::Transport(named, Transport::V15) => {
                json!({"kind": "key_transport", "certificate": self.named_as(named), "alg": "RSAES-PKCS1-v1_5"})
            }
            Way::Transport(named, Transport::Oaep { hash, mask, label }) => json!({
                "kind": "key_transport",
                "certificate": self.named_as(named),
                "alg": "RSAES-OAEP",
                "hash": hash.name(),
                "mgf1": mask.name(),
                "label_hex": hex::encode(self.slice(label)),
            }),
        };
        says["encrypted_key_bytes"] = json!(recipient.encrypted_key.len());
        says["passed_over"] = passed_over(recipient.fault());
        says
    }

    fn agreement(&self, agreement: &Agreement) -> Value {
        let originator = match &agreement.originator {
            Originator::Key(curve, point) => {
                json!({"curve": format!("{curve:?}"), "point_hex": hex::encode(self.slice(point))})
            }
            Originator::Named(named) => json!({"certificate": self.named_as(named)}),
        };
        json!({
            "kind": "key_agreement",
            "certificate": self.named_as(&agreement.recipient),
            "originator": originator,
            "kdf": format!("{:?}", agreement.derivation),
            "alg": agreement.wrap.name(),
        })
    }

    fn signer(&self, signer: &Signer) -> Value {
        json!({
            "certificate": signer.named().map(|named| self.named_as(named)),
            "digest": signer.digest.map(|hash| hash.name()),
            "alg": signer.algorithm().map(|algorithm| format!("{algorithm:?}")),
            "attributes": signer.attributes().map(|attributes| self.attributes_of(attributes)),
            "unsigned_attributes": signer.unsigned,
            "signature_bytes": signer.signature.len(),
            "passed_over": passed_over(signer.fault()),
        })
    }

    fn attributes_of(&self, attributes: &Attributes) -> Value {
        let types: Vec<String> = attributes.types.iter().map(|kind| oid::dotted(self.slice(kind))).collect();
        json!({
            "types": types,
            "signing_time": attributes.signing_time,
            "paperknife_1": attributes.statement.as_ref().map(|statement| json!({
                "audience": statement.audience,
                "endpoint": statement.endpoint,
                "path": statement.path,
                "kid_context_hex": statement.key_context.as_ref().map(|context| hex::encode(self.slice(context))),
                "sequence": statement.sequence,
                "content_format": statement.content_format,
            })),
        })
    }

    fn named_as(&self, named: &Named) -> Value {
        match named {
            Named::IssuerSerial(issuer, serial) => json!({
                "issuer_hex": hex::encode(self.slice(issuer)),
                "serial_hex": hex::encode(self.slice(serial)),
            }),
            Named::Ski(identifier) => json!({"ski_hex": hex::encode(self.slice(identifier))}),
        }
    }
}

fn passed_over(fault: Option<&Fault>) -> Value {
    json!(fault.map(|fault| json!({"reason": fault.reason, "detail": fault.detail})))
}
