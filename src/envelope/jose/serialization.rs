//! The three serializations, taken apart: compact, flattened JSON and general JSON, of a JWE or a JWS (RFC 7515 §7, RFC
//! 7516 §7). Texts stay as they were received: what is authenticated is made of them.
//!
//! Imports its neighbours, `envelope::Fault` and `item`. Parts are counted before anything is decoded.

use super::json::{self, Object, Value};
use crate::envelope::Fault;
use crate::item::Reason;

/// Most recipients, or signatures (jose.md §6).
const WAYS: usize = 16;

/// How an envelope is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Parts between dots.
    Compact,
    /// JSON of one recipient or signature.
    Flattened,
    /// JSON of several.
    General,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Encrypted.
    Jwe,
    /// Signed, or authenticated by a MAC.
    Jws,
}

/// One recipient or signature.
pub(super) struct Part {
    /// A signature's protected header.
    pub(super) protected: Option<String>,
    /// Its unprotected header.
    pub(super) own: Object,
    /// The encrypted key, or the signature.
    pub(super) bytes: String,
}

/// A JWE.
pub(super) struct Jwe {
    pub(super) protected: Option<String>,
    pub(super) shared: Object,
    pub(super) recipients: Vec<Part>,
    pub(super) aad: Option<String>,
    pub(super) iv: String,
    pub(super) ciphertext: String,
    pub(super) tag: String,
}

/// A JWS.
pub(super) struct Jws {
    /// None: it is supplied beside, or in the compact form empty.
    pub(super) payload: Option<String>,
    pub(super) signatures: Vec<Part>,
}

/// An envelope's parts.
pub(super) enum Parts {
    Jwe(Jwe),
    Jws(Jws),
}

/// Takes an envelope apart: what begins with `{` is JSON, anything else compact.
pub(super) fn read(bytes: &[u8]) -> Result<(Form, Parts), Fault> {
    match bytes.first() {
        Some(b'{') => read_json(json::object(bytes)?),
        _ => compact(bytes).map(|parts| (Form::Compact, parts)),
    }
}

fn compact(bytes: &[u8]) -> Result<Parts, Fault> {
    const FAULT: Fault = Fault::malformed("neither the three parts of a JWS nor the five of a JWE");
    let dots = bytes.iter().filter(|byte| **byte == b'.').count();
    if dots != 2 && dots != 4 {
        return Err(FAULT);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| FAULT)?;
    let parts: Vec<&str> = text.split('.').collect();
    let text = |part: &str| part.to_owned();
    match *parts.as_slice() {
        [protected, payload, signature] => Ok(Parts::Jws(Jws {
            payload: (!payload.is_empty()).then(|| text(payload)),
            signatures: vec![Part { protected: Some(text(protected)), own: Object::default(), bytes: text(signature) }],
        })),
        [protected, encrypted_key, iv, ciphertext, tag] => Ok(Parts::Jwe(Jwe {
            protected: Some(text(protected)),
            shared: Object::default(),
            recipients: vec![Part { protected: None, own: Object::default(), bytes: text(encrypted_key) }],
            aad: None,
            iv: text(iv),
            ciphertext: text(ciphertext),
            tag: text(tag),
        })),
        _ => Err(FAULT),
    }
}

fn read_json(mut root: Object) -> Result<(Form, Parts), Fault> {
    match (root.has("ciphertext"), root.has("signature") || root.has("signatures")) {
        (true, false) => jwe(&mut root).map(|(form, jwe)| (form, Parts::Jwe(jwe))),
        (false, true) => jws(&mut root).map(|(form, jws)| (form, Parts::Jws(jws))),
        (true, true) => Err(Fault::malformed("both a JWE and a JWS")),
        (false, false) => Err(Fault::malformed("neither a JWE nor a JWS")),
    }
}

fn jwe(root: &mut Object) -> Result<(Form, Jwe), Fault> {
    let (form, recipients) = match list(root, "recipients", &["header", "encrypted_key", "signature"])? {
        Some(list) => (Form::General, list),
        None => (Form::Flattened, vec![Object(pick(root, &["header", "encrypted_key"]))]),
    };
    let recipient = |mut recipient: Object| {
        let own = header(&mut recipient, "header")?;
        let bytes = text(&mut recipient, "encrypted_key")?.unwrap_or_default();
        Ok(Part { protected: None, own, bytes })
    };
    let jwe = Jwe {
        protected: text(root, "protected")?,
        shared: header(root, "unprotected")?,
        recipients: recipients.into_iter().map(recipient).collect::<Result<_, _>>()?,
        aad: text(root, "aad")?,
        iv: text(root, "iv")?.unwrap_or_default(),
        ciphertext: text(root, "ciphertext")?.unwrap_or_default(),
        tag: text(root, "tag")?.unwrap_or_default(),
    };
    Ok((form, jwe))
}

fn jws(root: &mut Object) -> Result<(Form, Jws), Fault> {
    let flattened = ["header", "signature", "protected", "encrypted_key"];
    let (form, signatures) = match list(root, "signatures", &flattened)? {
        Some(list) => (Form::General, list),
        None if root.has("recipients") => return Err(MIXED),
        None => (Form::Flattened, vec![Object(pick(root, &["header", "signature", "protected"]))]),
    };
    let signature = |mut signature: Object| {
        Ok(Part {
            protected: text(&mut signature, "protected")?,
            own: header(&mut signature, "header")?,
            bytes: text(&mut signature, "signature")?.ok_or(Fault::malformed("a signature without its bytes"))?,
        })
    };
    let signatures = signatures.into_iter().map(signature).collect::<Result<_, _>>()?;
    Ok((form, Jws { payload: text(root, "payload")?, signatures }))
}

const MIXED: Fault = Fault::malformed("members of the flattened form beside those of the general one");

/// The objects of a list that makes the general form; members of the flattened one may not stand beside it.
fn list(root: &mut Object, name: &str, flattened: &[&str]) -> Result<Option<Vec<Object>>, Fault> {
    let Some(value) = root.take(name) else { return Ok(None) };
    if flattened.iter().any(|member| root.has(member)) {
        return Err(MIXED);
    }
    let Value::Array(list) = value else { return Err(Fault::malformed("recipients or signatures that are no list")) };
    match list.len() {
        0 => return Err(Fault::malformed("no recipient or signature")),
        1..=WAYS => {}
        _ => return Err(Fault { reason: Reason::TooLarge, detail: "too many recipients or signatures" }),
    }
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(Fault::malformed("a recipient or signature that is no object")),
    };
    list.into_iter().map(object).collect::<Result<_, _>>().map(Some)
}

/// Takes these members out, those that are there.
fn pick(root: &mut Object, names: &[&str]) -> Vec<(String, Value)> {
    names.iter().filter_map(|name| root.take(name).map(|value| ((*name).to_owned(), value))).collect()
}

fn text(of: &mut Object, name: &str) -> Result<Option<String>, Fault> {
    match of.take(name) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(Fault::malformed("a member that must be text")),
    }
}

/// An unprotected header; an empty one is as good as none.
fn header(of: &mut Object, name: &str) -> Result<Object, Fault> {
    match of.take(name) {
        None => Ok(Object::default()),
        Some(Value::Object(header)) => Ok(header),
        Some(_) => Err(Fault::malformed("a header that is no object")),
    }
}
