//! JOSE: JWE and JWS in the compact, the flattened and the general serialization, read strictly (RFC 7515, 7516, 7518,
//! 7797).
//!
//! Imports `item`, `envelope`, serde_json, base64. What is authenticated is made of texts as they were received, never of
//! a re-encoding. `json` and `text` read what JOSE is written in, `serialization` takes the forms apart, `headers` reads
//! their names by type; `way` judges each recipient and signature by itself.

use crate::envelope::{Fault, Reading};
use crate::item::{Compat, KeyName, Reason};

mod algorithm;
mod claims;
mod describe;
pub mod headers;
mod json;
mod key;
mod pk1;
mod profile;
mod serialization;
mod text;
mod way;

pub use algorithm::{Encryption, KeyManagement, Management, Signature};
pub use claims::read as claims;
pub use headers::{Header, Headers};
pub use key::PublicKey;
pub use pk1::Pk1;
pub use serialization::{Form, Kind};
pub use way::Way;

use json::Object;
use serialization::{Jwe, Jws, Part, Parts};

/// Longest protected header, bytes (jose.md §6).
const PROTECTED: usize = 16 * 1024;
/// Longest envelope that is looked for in what a relay hands over: every reader's own limit (threats.md §2).
const LONGEST: usize = 1 << 20;

/// Where an envelope stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The outermost layer.
    Outer,
    /// Inside another, whose content type says `JOSE`.
    Inner,
    /// Inside another, whose content type says `JWT`: its content are claims.
    InnerJwt,
}

/// A parsed envelope.
#[derive(Clone, Debug)]
pub struct Message {
    form: Form,
    place: Place,
    body: Body,
    ways: Vec<Way>,
    /// None: strictly.
    compat: Option<Box<Compat>>,
}

#[derive(Clone, Debug)]
enum Body {
    Encrypted(Encrypted),
    Signed(Signed),
}

/// What all recipients of a JWE share.
#[derive(Clone, Debug)]
struct Encrypted {
    /// Additional authenticated data (RFC 7516 §5.1 step 14).
    aad: Vec<u8>,
    iv: Vec<u8>,
    /// Ciphertext and tag.
    sealed: Vec<u8>,
    encryption: Option<&'static Encryption>,
    deflated: bool,
}

/// What all signatures of a JWS share.
#[derive(Clone, Debug)]
struct Signed {
    payload: Vec<u8>,
    /// The payload as it enters the signing input.
    text: Vec<u8>,
    detached: bool,
}

/// Whether `bytes` are one whole JWE or JWS, in any serialization: parts of the right letters, and an algorithm named.
pub fn is_whole(bytes: &[u8]) -> bool {
    let parts = (bytes.len() <= LONGEST).then(|| serialization::read(bytes).ok()).flatten();
    match parts {
        Some((_, Parts::Jwe(jwe))) => is_whole_jwe(&jwe),
        Some((_, Parts::Jws(jws))) => is_whole_jws(&jws),
        None => false,
    }
}

fn is_whole_jwe(jwe: &Jwe) -> bool {
    let Ok(protected) = header(jwe.protected.as_deref()) else { return false };
    let names_alg = |part: &Part| protected.has("alg") || jwe.shared.has("alg") || part.own.has("alg");
    let shared = [&jwe.iv, &jwe.ciphertext, &jwe.tag].into_iter().all(|part| text::is_base64url(part));
    shared && jwe.recipients.iter().all(|part| names_alg(part) && text::is_base64url(&part.bytes))
}

fn is_whole_jws(jws: &Jws) -> bool {
    let is_whole = |part: &Part| {
        let Ok(protected) = header(part.protected.as_deref()) else { return false };
        let encoded = protected.get("b64") != Some(&json::Value::Bool(false));
        let payload = jws.payload.as_deref().is_none_or(|payload| !encoded || text::is_base64url(payload));
        payload && text::is_base64url(&part.bytes) && (protected.has("alg") || part.own.has("alg"))
    };
    jws.signatures.iter().all(is_whole)
}

/// Whether bytes begin as JOSE does: a JSON object, or base64url of one. No COSE message and no CMS begins so.
pub const fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [b'{' | b'e', ..])
}

/// The protected header of a text; none where there is no text. An empty one is none at all and may not be written
/// (RFC 7515 §7.2.1).
fn header(text: Option<&str>) -> Result<Object, Fault> {
    let Some(text) = text else { return Ok(Object::default()) };
    if text.len() > PROTECTED.div_ceil(3) * 4 {
        return Err(Fault { reason: Reason::TooLarge, detail: "a protected header over the limit" });
    }
    let header = json::object(&text::bytes(text)?)?;
    match header.0.is_empty() {
        true => Err(Fault::malformed("an empty protected header")),
        false => Ok(header),
    }
}

impl Message {
    /// Parses one envelope that fills `bytes`.
    pub fn parse(bytes: &[u8], place: Place, reading: &Reading<'_>) -> Result<Self, Fault> {
        let (form, parts) = serialization::read(bytes)?;
        let mut message = match parts {
            Parts::Jwe(jwe) => encrypted(form, place, jwe, reading)?,
            Parts::Jws(jws) => signed(form, place, jws, reading)?,
        };
        message.judge(reading)?;
        Ok(message)
    }

    /// Faults of single recipients and signatures are theirs alone; of the envelope where none is left to try.
    fn judge(&mut self, reading: &Reading<'_>) -> Result<(), Fault> {
        let faults: Vec<Option<Fault>> = self.ways.iter().map(|way| self.fault(way, reading.compat)).collect();
        if faults.iter().all(Option::is_some) {
            return Err(furthest(faults.into_iter().flatten()));
        }
        for (way, fault) in self.ways.iter_mut().zip(faults) {
            way.fault = fault;
        }
        Ok(())
    }

    /// The departures that it was read with.
    pub fn read_with(&self) -> &Compat {
        self.compat.as_deref().unwrap_or(Compat::STRICT)
    }

    /// Whether a recipient or signature is passed over, which other departures might not.
    pub fn passes_over(&self) -> bool {
        self.ways.iter().any(|way| way.fault.is_some())
    }

    /// JWE or JWS.
    pub const fn kind(&self) -> Kind {
        match self.body {
            Body::Encrypted(_) => Kind::Jwe,
            Body::Signed(_) => Kind::Jws,
        }
    }

    /// The serialization.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Where it stands.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The name of the structure.
    pub const fn structure(&self) -> &'static str {
        match self.body {
            Body::Encrypted(_) => "JWE",
            Body::Signed(_) => "JWS",
        }
    }

    /// Recipients or signatures that may be tried, each with its number.
    pub fn ways(&self) -> impl Iterator<Item = (usize, &Way)> {
        self.ways.iter().enumerate().filter(|(_, way)| way.fault.is_none())
    }

    /// A recipient or signature by its number.
    pub fn way(&self, nth: usize) -> Option<&Way> {
        self.ways.get(nth)
    }

    /// The names by which the envelope asks for keys, as an operator sees them: kids of ways that may be tried.
    pub fn key_names(&self) -> Vec<KeyName> {
        let kids = self.ways().filter_map(|(_, way)| way.headers.kid.as_ref());
        kids.map(|kid| KeyName::Kid(kid.value.clone().into_bytes())).collect()
    }

    /// The content encryption algorithm of a JWE.
    pub const fn encryption(&self) -> Option<&'static Encryption> {
        match &self.body {
            Body::Encrypted(body) => body.encryption,
            Body::Signed(_) => None,
        }
    }

    /// Whether the plaintext is compressed.
    pub const fn is_deflated(&self) -> bool {
        matches!(&self.body, Body::Encrypted(Encrypted { deflated: true, .. }))
    }

    /// IV of a JWE.
    pub fn iv(&self) -> &[u8] {
        match &self.body {
            Body::Encrypted(body) => &body.iv,
            Body::Signed(_) => &[],
        }
    }

    /// Ciphertext and tag of a JWE, payload of a JWS.
    pub fn content(&self) -> &[u8] {
        match &self.body {
            Body::Encrypted(body) => &body.sealed,
            Body::Signed(body) => &body.payload,
        }
    }

    /// Where an envelope within stands, if the content is one: cty says so, in the protected header (RFC 7519 §5.2). It
    /// is never guessed from the content.
    pub fn nested(way: &Way) -> Option<Place> {
        let cty = way.headers.cty.as_ref().filter(|cty| cty.protected)?;
        let media = media(&cty.value);
        if media.eq_ignore_ascii_case("jwt") {
            return Some(Place::InnerJwt);
        }
        let jose = media.eq_ignore_ascii_case("jose") || media.eq_ignore_ascii_case("jose+json");
        jose.then_some(Place::Inner)
    }

    /// What a way authenticates: AAD of a JWE (RFC 7516 §5.1), JWS Signing Input (RFC 7515 §5.1, RFC 7797 §3).
    pub fn authenticated(&self, way: &Way) -> Vec<u8> {
        match &self.body {
            Body::Encrypted(body) => body.aad.clone(),
            Body::Signed(body) => [way.protected.as_bytes(), b".", &body.text].concat(),
        }
    }
}

/// A media type without the `application/` that may be left out (RFC 7515 §4.1.9).
fn media(value: &str) -> &str {
    match value.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => value,
    }
}

/// The reason that got furthest, in the order of contract.md §4.
fn furthest(faults: impl Iterator<Item = Fault>) -> Fault {
    let order = |fault: &Fault| Reason::ALL.iter().position(|reason| *reason == fault.reason);
    let none = Fault::malformed("no recipient or signature");
    faults.reduce(|furthest, fault| if order(&fault) > order(&furthest) { fault } else { furthest }).unwrap_or(none)
}

fn encrypted(form: Form, place: Place, jwe: Jwe, reading: &Reading<'_>) -> Result<Message, Fault> {
    if reading.detached.is_some() {
        return Err(Fault::malformed("content is supplied, and the envelope has its own"));
    }
    let protected = header(jwe.protected.as_deref())?;
    let way = |part: Part| {
        let headers = Headers::read(&protected, &jwe.shared, &part.own, Kind::Jwe, reading.compat)?;
        Ok(Way { protected: String::new(), headers, bytes: text::bytes(&part.bytes)?, fault: None })
    };
    let ways = jwe.recipients.into_iter().map(way).collect::<Result<Vec<Way>, Fault>>()?;
    let encryption = way::one_encryption(&ways)?;
    let iv = text::bytes(&jwe.iv)?;
    let mut sealed = text::bytes(&jwe.ciphertext)?;
    let tag = text::bytes(&jwe.tag)?;
    if let Some(encryption) = encryption {
        way::sizes(encryption, iv.len(), sealed.len(), tag.len())?;
        way::shapes(&ways, encryption)?;
    }
    sealed.extend_from_slice(&tag);
    let aad = match &jwe.aad {
        None => jwe.protected.unwrap_or_default(),
        Some(aad) => {
            text::bytes(aad)?;
            format!("{}.{aad}", jwe.protected.unwrap_or_default())
        }
    };
    let deflated = ways.iter().any(|way| way.headers.zip.is_some());
    let body = Encrypted { aad: aad.into_bytes(), iv, sealed, encryption, deflated };
    Ok(Message { form, place, body: Body::Encrypted(body), ways, compat: reading.compat.kept() })
}

fn signed(form: Form, place: Place, jws: Jws, reading: &Reading<'_>) -> Result<Message, Fault> {
    let way = |part: Part| {
        let protected = header(part.protected.as_deref())?;
        let headers = Headers::read(&protected, &Object::default(), &part.own, Kind::Jws, reading.compat)?;
        let bytes = text::bytes(&part.bytes)?;
        Ok(Way { protected: part.protected.unwrap_or_default(), headers, bytes, fault: None })
    };
    let ways = jws.signatures.into_iter().map(way).collect::<Result<Vec<Way>, Fault>>()?;
    let encoded = way::one_encoding(&ways)?;
    let body = payload(form, jws.payload, encoded, reading.detached)?;
    Ok(Message { form, place, body: Body::Signed(body), ways, compat: reading.compat.kept() })
}

/// The payload, and its text in the signing input: base64url, or with b64 false the payload itself (RFC 7797 §3, §5).
fn payload(form: Form, text: Option<String>, encoded: bool, detached: Option<&[u8]>) -> Result<Signed, Fault> {
    let (text, payload) = match (text, detached) {
        (Some(_), Some(_)) => return Err(Fault::malformed("content is supplied, and the envelope has its own")),
        (None, None) if form != Form::Compact => return Err(Fault::malformed("no payload, and none is supplied")),
        (None, supplied) => {
            let payload = supplied.unwrap_or_default().to_vec();
            (if encoded { text::of(&payload).into_bytes() } else { payload.clone() }, payload)
        }
        (Some(text), None) if encoded => {
            let payload = text::bytes(&text)?;
            (text.into_bytes(), payload)
        }
        (Some(text), None) if form == Form::Compact && !text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => {
            return Err(Fault::malformed("a payload that the compact form cannot carry"));
        }
        (Some(text), None) => (text.clone().into_bytes(), text.into_bytes()),
    };
    Ok(Signed { payload, text, detached: detached.is_some() })
}

#[cfg(test)]
mod tests;
