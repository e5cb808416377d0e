//! The JOSE header of one recipient or signature: the union of its protected header, the shared unprotected one and its
//! own (RFC 7515 §4, RFC 7516 §4, RFC 7518 §4).
//!
//! Imports its neighbours, `envelope::Fault` and `item`. A name stands in one of the three alone; registered members are
//! of their type or the envelope is malformed; others are ignored.

use super::json::{Object, Value};
use super::key::{self, PublicKey};
use super::pk1::{self, Pk1};
use super::{serialization::Kind, text};
use crate::envelope::Fault;
use crate::item::{Compat, Departure};

/// Longest kid, apu and apv, bytes.
const NAME: usize = 256;
/// Most names in crit.
const CRIT: usize = 16;
/// Most certificates in x5c, and bytes of one.
const CERTIFICATES: usize = 8;
const CERTIFICATE: usize = 16 * 1024;
/// Salt of PBES2, bytes, and its iterations (RFC 7518 §4.8.1).
const SALT: std::ops::RangeInclusive<usize> = 8..=256;
const ITERATIONS: std::ops::RangeInclusive<i128> = 1_000..=1_000_000;

/// Names that crit may not list (RFC 7515 §4.1.11): those of RFC 7515, 7516 and 7518.
const REGISTERED: [&str; 20] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc", "zip", "epk", "apu",
    "apv", "iv", "tag", "p2s", "p2c",
];

/// A header value, and whether it is integrity-protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<T> {
    /// The value.
    pub value: T,
    /// It stands in the protected header.
    pub protected: bool,
}

/// The headers that this reader knows.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// Algorithm: of a JWS the signature's, of a JWE the key management's.
    pub alg: Option<Header<String>>,
    /// Content encryption algorithm.
    pub enc: Option<Header<String>>,
    /// Compression of the plaintext.
    pub zip: Option<Header<String>>,
    /// Key identifier.
    pub kid: Option<Header<String>>,
    /// Content type.
    pub cty: Option<Header<String>>,
    /// Type of the whole.
    pub typ: Option<Header<String>>,
    /// The sender's ephemeral key.
    pub epk: Option<Header<PublicKey>>,
    /// PartyUInfo.
    pub apu: Option<Header<Vec<u8>>>,
    /// PartyVInfo.
    pub apv: Option<Header<Vec<u8>>>,
    /// IV of the key encryption.
    pub iv: Option<Header<Vec<u8>>>,
    /// Tag of the key encryption.
    pub tag: Option<Header<Vec<u8>>>,
    /// Salt of PBES2.
    pub p2s: Option<Header<Vec<u8>>>,
    /// Iterations of PBES2.
    pub p2c: Option<Header<u32>>,
    /// Whether the payload is base64url in the signing input (RFC 7797).
    pub b64: Option<Header<bool>>,
    /// The binding of the profile.
    pub pk1: Option<Header<Pk1>>,
    /// Certificates, DER, the end entity's first.
    pub x5c: Option<Header<Vec<Vec<u8>>>>,
    /// SHA-1 of a certificate.
    pub x5t: Option<Header<Vec<u8>>>,
    /// SHA-256 of a certificate.
    pub x5t_s256: Option<Header<Vec<u8>>>,
    crit: Option<Header<Vec<String>>>,
    /// Other names, protected or not.
    others: Vec<(String, bool)>,
    not_understood: bool,
}

impl Headers {
    /// Reads the three headers of a recipient or signature.
    pub(super) fn read(
        protected: &Object,
        shared: &Object,
        own: &Object,
        kind: Kind,
        compat: &Compat,
    ) -> Result<Self, Fault> {
        let mut headers = Self::default();
        for (header, is_protected) in [(protected, true), (shared, false), (own, false)] {
            for (name, value) in &header.0 {
                headers.member(name, value, is_protected)?;
            }
        }
        headers.check(kind, compat)?;
        Ok(headers)
    }

    /// A critical header stands here that neither this reader nor the application understands.
    pub const fn is_misunderstood(&self) -> bool {
        self.not_understood
    }

    /// Whether the payload is base64url in the signing input: unless b64 says otherwise.
    pub fn is_encoded(&self) -> bool {
        self.b64.as_ref().is_none_or(|b64| b64.value)
    }

    /// The binding, where it is protected: elsewhere it is a member like any other.
    pub fn bound(&self) -> Option<&Pk1> {
        self.pk1.as_ref().filter(|pk1| pk1.protected).map(|pk1| &pk1.value)
    }

    /// The names that crit lists.
    pub(super) fn critical(&self) -> Option<&[String]> {
        self.crit.as_ref().map(|crit| crit.value.as_slice())
    }

    /// Names that this reader does not know, and whether they are protected.
    pub(super) fn others(&self) -> &[(String, bool)] {
        &self.others
    }

    fn member(&mut self, name: &str, value: &Value, protected: bool) -> Result<(), Fault> {
        match name {
            "alg" => set(&mut self.alg, words(value)?, protected),
            "enc" => set(&mut self.enc, words(value)?, protected),
            "zip" => set(&mut self.zip, words(value)?, protected),
            "kid" => set(&mut self.kid, kid(value)?, protected),
            "cty" => set(&mut self.cty, words(value)?, protected),
            "typ" => set(&mut self.typ, words(value)?, protected),
            "epk" => set(&mut self.epk, key::ephemeral(object(value)?)?, protected),
            "apu" => set(&mut self.apu, info(value)?, protected),
            "apv" => set(&mut self.apv, info(value)?, protected),
            "iv" => set(&mut self.iv, bytes(value)?, protected),
            "tag" => set(&mut self.tag, bytes(value)?, protected),
            "p2s" => set(&mut self.p2s, salt(value)?, protected),
            "p2c" => set(&mut self.p2c, iterations(value)?, protected),
            "b64" => set(&mut self.b64, flag(value)?, protected),
            "crit" => set(&mut self.crit, critical(value)?, protected),
            "x5c" => set(&mut self.x5c, certificates(value)?, protected),
            "x5t" => set(&mut self.x5t, bytes(value)?, protected),
            "x5t#S256" => set(&mut self.x5t_s256, bytes(value)?, protected),
            "pk1" if protected => set(&mut self.pk1, pk1::read(value)?, protected),
            "jwk" => key::public(object(value)?).and_then(|()| self.other(name, protected)),
            // never fetched (jose.md §5)
            "jku" | "x5u" => words(value).and_then(|_| self.other(name, protected)),
            _ => self.other(name, protected),
        }
    }

    fn other(&mut self, name: &str, protected: bool) -> Result<(), Fault> {
        let known = name == "pk1" && self.pk1.is_some();
        if known || self.others.iter().any(|(other, _)| other == name) {
            return Err(TWICE);
        }
        self.others.push((name.to_owned(), protected));
        Ok(())
    }

    /// What the three headers must hold together.
    fn check(&mut self, kind: Kind, compat: &Compat) -> Result<(), Fault> {
        let stray = |protected: Option<bool>| protected == Some(false);
        let unprotected = stray(self.zip.as_ref().map(|header| header.protected))
            || stray(self.b64.as_ref().map(|header| header.protected))
            || stray(self.crit.as_ref().map(|header| header.protected));
        if unprotected {
            return Err(Fault::malformed("zip, b64 or crit outside the protected header"));
        }
        let critical = self.crit.as_ref().map_or(&[][..], |crit| &crit.value);
        if critical.iter().any(|name| REGISTERED.contains(&name.as_str()) || !self.is_protected(name)) {
            return Err(Fault::malformed("crit names a registered header, or one that is not protected"));
        }
        let signed = kind == Kind::Jws;
        let critical_b64 = critical.iter().any(|name| name == "b64");
        if signed && !self.is_encoded() && !critical_b64 && !compat.allows(Departure::B64NoCrit) {
            return Err(Fault::malformed("b64 false that crit does not name"));
        }
        let understood = |name: &str| match name {
            "b64" => signed,
            "pk1" => true,
            name => compat.understands(name),
        };
        self.not_understood = !critical.iter().all(|name| understood(name));
        Ok(())
    }

    /// Whether a header that crit may name is there, and protected.
    fn is_protected(&self, name: &str) -> bool {
        match name {
            "b64" => self.b64.is_some(),
            "pk1" => self.pk1.is_some(),
            name => self.others.iter().any(|(other, protected)| other == name && *protected),
        }
    }
}

const TWICE: Fault = Fault::malformed("a header in two places");

/// Sets a header once; the same name in another header is refused even if it is equal (RFC 7516 §7.2.1).
fn set<T>(header: &mut Option<Header<T>>, value: T, protected: bool) -> Result<(), Fault> {
    match header.replace(Header { value, protected }) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}

fn text_of(value: &Value) -> Result<&str, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Fault::malformed("a header that must be text")),
    }
}

fn words(value: &Value) -> Result<String, Fault> {
    text_of(value).map(str::to_owned)
}

fn object(value: &Value) -> Result<&Object, Fault> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Fault::malformed("a key in a header that is no object")),
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>, Fault> {
    text::bytes(text_of(value)?)
}

fn flag(value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        _ => Err(Fault::malformed("b64 that is neither true nor false")),
    }
}

fn kid(value: &Value) -> Result<String, Fault> {
    let kid = text_of(value)?;
    match (1..=NAME).contains(&kid.len()) {
        true => Ok(kid.to_owned()),
        false => Err(Fault::malformed("a kid that is empty or too long")),
    }
}

fn info(value: &Value) -> Result<Vec<u8>, Fault> {
    let info = bytes(value)?;
    if info.len() <= NAME { Ok(info) } else { Err(Fault::malformed("apu or apv too long")) }
}

fn salt(value: &Value) -> Result<Vec<u8>, Fault> {
    let salt = bytes(value)?;
    if SALT.contains(&salt.len()) { Ok(salt) } else { Err(Fault::malformed("p2s too short or too long")) }
}

/// What it costs is bounded before anybody pays (threats.md §2).
fn iterations(value: &Value) -> Result<u32, Fault> {
    match value {
        Value::Integer(count) if ITERATIONS.contains(count) => u32::try_from(*count).map_err(|_| TOO_MUCH_WORK),
        Value::Integer(count) if *count > *ITERATIONS.end() => Err(TOO_MUCH_WORK),
        _ => Err(Fault::malformed("p2c that is no number of iterations")),
    }
}

/// More work than an envelope may ask for.
pub(super) const TOO_MUCH_WORK: Fault =
    Fault { reason: crate::item::Reason::TooLarge, detail: "more iterations than an envelope may ask for" };

/// crit is not empty and names each header once.
fn critical(value: &Value) -> Result<Vec<String>, Fault> {
    const FAULT: Fault = Fault::malformed("crit is no list of names, or is empty or too long");
    let Value::Array(names) = value else { return Err(FAULT) };
    if !(1..=CRIT).contains(&names.len()) {
        return Err(FAULT);
    }
    let names = names.iter().map(words).collect::<Result<Vec<_>, _>>()?;
    match names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
        true => Err(Fault::malformed("crit names a header twice")),
        false => Ok(names),
    }
}

fn certificates(value: &Value) -> Result<Vec<Vec<u8>>, Fault> {
    const FAULT: Fault = Fault::malformed("x5c is no list of certificates, or is empty or too long");
    let Value::Array(chain) = value else { return Err(FAULT) };
    if !(1..=CERTIFICATES).contains(&chain.len()) {
        return Err(FAULT);
    }
    let certificate = |of: &Value| {
        let der = text::certificate(text_of(of)?)?;
        if der.len() <= CERTIFICATE { Ok(der) } else { Err(FAULT) }
    };
    chain.iter().map(certificate).collect()
}
