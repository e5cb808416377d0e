//! JWT claims (RFC 7519 §4.1), read from content that is authentic by then.
//!
//! Imports its neighbours, `envelope` and `item`. Registered claims are of their type or the envelope is malformed; times
//! are whole seconds, not negative; others are ignored.

use super::json::{self, Object, Value};
use super::{Message, Place, Way};
use crate::envelope::{Claims, Fault};
use crate::item::{Timestamp, Token};

/// Longest text of a claim, bytes, and most audiences.
const TEXT: usize = 4_096;
const AUDIENCES: usize = 16;

impl Message {
    /// Whether the content is claims: the type says `JWT`, here or by the layer around.
    pub fn holds_claims(&self, way: &Way) -> bool {
        let typ = way.headers().typ.as_ref();
        let says = typ.is_some_and(|typ| typ.protected && super::media(&typ.value).eq_ignore_ascii_case("jwt"));
        says || self.place() == Place::InnerJwt
    }
}

/// Reads the claims of a JWT.
pub fn read(content: &[u8]) -> Result<Claims, Fault> {
    let mut claims = json::object(content)?;
    let (exp, nbf) = (seconds(&mut claims, "exp")?, seconds(&mut claims, "nbf")?);
    let token = Token {
        iss: text(&mut claims, "iss")?,
        sub: text(&mut claims, "sub")?,
        exp: exp.map(Timestamp::from_seconds),
        nbf: nbf.map(Timestamp::from_seconds),
        jti: text(&mut claims, "jti")?,
    };
    let (aud, iat) = (audiences(&mut claims)?, seconds(&mut claims, "iat")?);
    Ok(Claims { aud, iat, exp, nbf, token: Some(token), ..Claims::default() })
}

const FAULT: Fault = Fault::malformed("a claim of another type than its own");

fn short(text: String) -> Result<String, Fault> {
    if text.len() <= TEXT { Ok(text) } else { Err(FAULT) }
}

fn text(claims: &mut Object, name: &str) -> Result<Option<String>, Fault> {
    match claims.take(name) {
        None => Ok(None),
        Some(Value::Text(text)) => short(text).map(Some),
        Some(_) => Err(FAULT),
    }
}

fn seconds(claims: &mut Object, name: &str) -> Result<Option<i64>, Fault> {
    match claims.take(name) {
        None => Ok(None),
        Some(Value::Integer(seconds)) if seconds >= 0 => i64::try_from(seconds).map(Some).map_err(|_| FAULT),
        Some(_) => Err(FAULT),
    }
}

/// One audience, or a list (RFC 7519 §4.1.3).
fn audiences(claims: &mut Object) -> Result<Vec<String>, Fault> {
    let audience = |value| match value {
        Value::Text(text) => short(text),
        _ => Err(FAULT),
    };
    match claims.take("aud") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= AUDIENCES => list.into_iter().map(audience).collect(),
        Some(one) => audience(one).map(|one| vec![one]),
    }
}
