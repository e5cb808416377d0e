//! Public keys in headers: the sender's ephemeral key, `epk` (RFC 7518 §4.6.1.1).
//!
//! Imports its neighbours and `envelope::Fault`. Read strictly: a private member, a coordinate missing or of another
//! width than its curve's is refused here; whether a point is on its curve, the strongroom finds. A `jwk` is looked at
//! only to refuse a private one: no key comes out of an envelope.

use super::json::{Object, Value};
use super::text;
use crate::envelope::{Curve, Fault};

/// Members that only a private or symmetric JWK has (RFC 7518 §6, RFC 9964).
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// An ephemeral public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its curve; none where this reader does not know it, and then the key is of no use.
    pub curve: Option<Curve>,
    /// x, or u.
    pub x: Vec<u8>,
    /// y; none for a Montgomery curve.
    pub y: Option<Vec<u8>>,
}

/// Refuses a private key in a header.
pub(super) fn public(jwk: &Object) -> Result<(), Fault> {
    match PRIVATE.iter().any(|member| jwk.has(member)) {
        true => Err(Fault::malformed("a private key in an envelope")),
        false => Ok(()),
    }
}

/// Reads `epk`.
pub(super) fn ephemeral(jwk: &Object) -> Result<PublicKey, Fault> {
    public(jwk)?;
    let word = |name: &str| member(jwk, name)?.ok_or(Fault::malformed("epk without kty or crv"));
    let curve = curve(word("kty")?, word("crv")?);
    let coordinate = |name: &str| member(jwk, name)?.map(text::bytes).transpose();
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    let wide = |of: &Option<Vec<u8>>, curve: Curve| of.as_ref().is_some_and(|bytes| bytes.len() == curve.width());
    let fits = match curve {
        None => true,
        Some(Curve::X25519) => wide(&x, Curve::X25519) && y.is_none(),
        Some(curve) => wide(&x, curve) && wide(&y, curve),
    };
    match fits {
        true => Ok(PublicKey { curve, x: x.unwrap_or_default(), y }),
        false => Err(Fault::malformed("epk without a coordinate, or of another width than its curve's")),
    }
}

/// By its names in the registry.
fn curve(kty: &str, crv: &str) -> Option<Curve> {
    match (kty, crv) {
        ("EC", "P-256") => Some(Curve::P256),
        ("EC", "P-384") => Some(Curve::P384),
        ("EC", "P-521") => Some(Curve::P521),
        ("OKP", "X25519") => Some(Curve::X25519),
        _ => None,
    }
}

fn member<'a>(jwk: &'a Object, name: &str) -> Result<Option<&'a str>, Fault> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(Fault::malformed("a member of epk that is no text")),
    }
}
