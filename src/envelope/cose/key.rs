//! Public keys in headers (RFC 9052 §7): the sender's ephemeral or static key of a recipient.
//!
//! Imports its neighbours and minicbor. The map is read strictly: a private half, a coordinate missing or of another
//! width than its curve's is refused here; whether a point is on its curve, the strongroom finds.

use std::ops::Range;

use minicbor::Decoder;
use minicbor::data::Type;

use super::headers::{Label, byte_string, label};
use crate::envelope::{Curve, Fault};

/// Widest coordinate, bytes: P-521's.
const WIDEST: usize = 66;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its curve; none where this reader does not know it, and then the key is of no use.
    pub curve: Option<Curve>,
    /// x, or u.
    pub x: Range<usize>,
    /// y; none for a Montgomery curve.
    pub y: Option<Ordinate>,
    /// It has no member beside kind, curve and coordinates.
    pub plain: bool,
}

/// The y of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordinate {
    /// As wide as x.
    Full(Range<usize>),
    /// Compressed: whether it is odd.
    Odd(bool),
}

const FAULT: Fault = Fault::malformed("a key in a header");

/// Reads `{1: kty, -1: crv, -2: x, -3: y}`.
pub(super) fn read(decoder: &mut Decoder<'_>, base: usize) -> Result<PublicKey, Fault> {
    let entries = decoder.map().ok().flatten().ok_or(FAULT)?;
    let (mut kty, mut crv, mut x, mut y, mut plain) = (None, None, None, None, true);
    for _ in 0..entries {
        match label(decoder)? {
            Label::Int(1) => kty = Some(number(decoder)?),
            Label::Int(-1) => crv = Some(number(decoder)?),
            Label::Int(-2) => x = Some(byte_string(decoder, base, 1..=WIDEST)?),
            Label::Int(-3) => y = Some(ordinate(decoder, base)?),
            Label::Int(-4) => return Err(Fault::malformed("a private key in an envelope")),
            _ => {
                plain = false;
                decoder.skip().map_err(|_| FAULT)?;
            }
        }
    }
    let kty = kty.ok_or(Fault::malformed("a key without a type"))?;
    let curve = crv.and_then(|crv| curve(kty, crv));
    let fits = match (curve, &x, &y) {
        (None, ..) => true,
        (Some(Curve::X25519), Some(u), None) => u.len() == Curve::X25519.width(),
        (Some(Curve::X25519), ..) => false,
        (Some(curve), Some(x), Some(Ordinate::Odd(_))) => x.len() == curve.width(),
        (Some(curve), Some(x), Some(Ordinate::Full(y))) => x.len() == curve.width() && y.len() == curve.width(),
        (Some(_), ..) => false,
    };
    if !fits {
        return Err(Fault::malformed("a key without a coordinate, or of another width than its curve's"));
    }
    Ok(PublicKey { curve, x: x.unwrap_or_default(), y, plain })
}

/// By its numbers in the registry.
const fn curve(kty: i64, crv: i64) -> Option<Curve> {
    match (kty, crv) {
        (2, 1) => Some(Curve::P256),
        (2, 2) => Some(Curve::P384),
        (2, 3) => Some(Curve::P521),
        (1, 4) => Some(Curve::X25519),
        _ => None,
    }
}

fn number(decoder: &mut Decoder<'_>) -> Result<i64, Fault> {
    decoder.i64().map_err(|_| FAULT)
}

fn ordinate(decoder: &mut Decoder<'_>, base: usize) -> Result<Ordinate, Fault> {
    match decoder.datatype() {
        Ok(Type::Bool) => decoder.bool().map(Ordinate::Odd).map_err(|_| FAULT),
        _ => byte_string(decoder, base, 1..=WIDEST).map(Ordinate::Full),
    }
}
