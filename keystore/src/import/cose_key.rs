//! COSE_Key and COSE_KeySet (RFC 9052 §7): definite lengths, no label twice, nothing after the end. Such a file says
//! nothing of device or policy: the operator does.

use std::collections::BTreeSet;

use minicbor::Decoder;
use minicbor::data::Type;
use zeroize::Zeroizing;

use crate::import::draft::{Offered, Owner};
use crate::import::{Fault, Placed};
use crate::key::Algorithm;
use crate::private_key::{KeyMaterial, Point, Scalar, Symmetric};

/// Keys of one file, at most: what 1 MiB may hold is bounded by its bytes, this bounds what is said of them.
const KEYS_MAX: u64 = 65_536;

/// Values of `key_ops` by number (RFC 9052 §7.1), in JWK's words.
const OPERATIONS: &[&str] = &[
    "sign",
    "verify",
    "encrypt",
    "decrypt",
    "wrapKey",
    "unwrapKey",
    "deriveKey",
    "deriveBits",
    "MAC create",
    "MAC verify",
];

/// The labels of one key, not yet judged.
#[derive(Default)]
struct Labels<'a> {
    kty: Option<i64>,
    kid: Option<&'a [u8]>,
    alg: Option<i64>,
    operations: Option<Vec<i64>>,
    base_iv: Option<&'a [u8]>,
    crv: Option<i64>,
    /// k of a symmetric key; it stands under the label of `crv`.
    k: Option<&'a [u8]>,
    x: Option<&'a [u8]>,
    y: Option<Y<'a>>,
    d: Option<&'a [u8]>,
}

enum Y<'a> {
    Full(&'a [u8]),
    Odd(bool),
}

/// The keys of a COSE_Key or COSE_KeySet.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Placed>, Fault> {
    let mut decoder = Decoder::new(bytes);
    let count = match decoder.datatype() {
        Ok(Type::Map) => 1,
        Ok(Type::Array) => decoder.array().ok().flatten().filter(|count| *count <= KEYS_MAX).ok_or_else(unread)?,
        _ => return Err(unread()),
    };
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push(placed(&labels(&mut decoder)?));
    }
    if decoder.position() == bytes.len() { Ok(keys) } else { Err(Fault::whole("bytes after the COSE_Key")) }
}

fn labels<'a>(decoder: &mut Decoder<'a>) -> Result<Labels<'a>, Fault> {
    let (mut labels, mut seen) = (Labels::default(), BTreeSet::new());
    for _ in 0..decoder.map().ok().flatten().ok_or_else(unread)? {
        let label = decoder.i64().map_err(|_| Fault::whole("a COSE_Key label that is no integer"))?;
        if !seen.insert(label) {
            return Err(Fault::at(&label.to_string(), "stands twice in one key"));
        }
        take(decoder, label, &mut labels)
            .map_err(|_| Fault::at(&label.to_string(), "has a value of the wrong type"))?;
    }
    Ok(labels)
}

fn take<'a>(decoder: &mut Decoder<'a>, label: i64, into: &mut Labels<'a>) -> Result<(), minicbor::decode::Error> {
    match label {
        1 => into.kty = Some(decoder.i64()?),
        2 => into.kid = Some(decoder.bytes()?),
        3 => into.alg = Some(decoder.i64()?),
        4 => into.operations = Some(decoder.array_iter()?.collect::<Result<_, _>>()?),
        5 => into.base_iv = Some(decoder.bytes()?),
        -1 if decoder.datatype()? == Type::Bytes => into.k = Some(decoder.bytes()?),
        -1 => into.crv = Some(decoder.i64()?),
        -2 => into.x = Some(decoder.bytes()?),
        -3 if decoder.datatype()? == Type::Bool => into.y = Some(Y::Odd(decoder.bool()?)),
        -3 => into.y = Some(Y::Full(decoder.bytes()?)),
        -4 => into.d = Some(decoder.bytes()?),
        _ => decoder.skip()?,
    }
    Ok(())
}

fn placed(labels: &Labels<'_>) -> Placed {
    let kid = labels.kid.map(<[u8]>::to_vec);
    Placed { kid: kid.clone(), offered: offered(labels, kid) }
}

fn offered(labels: &Labels<'_>, kid: Option<Vec<u8>>) -> Result<Offered, Fault> {
    let mut owner = Owner::default();
    let base_iv = labels.base_iv.map(|base_iv| Zeroizing::new(base_iv.to_vec()));
    let material = match (labels.kty, labels.crv) {
        (Some(4), None) => {
            let k = labels.k.ok_or_else(|| Fault::at("-1", "is missing"))?;
            owner.stated.derive = base_iv.is_some().then_some(false);
            KeyMaterial::Symmetric(Symmetric { k: Zeroizing::new(k.to_vec()), base_iv })
        }
        (Some(2), Some(1)) => ec(labels)?,
        (Some(1), Some(6)) => {
            let x = labels.x.and_then(|x| x.try_into().ok());
            KeyMaterial::Ed25519Public(x.ok_or_else(|| Fault::at("-2", "must be 32 bytes"))?)
        }
        _ => return Err(Fault::unsupported("1", "and -1 name a kind of key that is not supported")),
    };
    Ok(Offered {
        signing_half: matches!(material, KeyMaterial::Ed25519Public(_)) && labels.d.is_some(),
        material,
        kid,
        usage: None,
        operations: labels.operations.as_deref().map(operations).transpose()?,
        alg: labels.alg.map(algorithm).transpose()?,
        owner,
    })
}

fn ec(labels: &Labels<'_>) -> Result<KeyMaterial, Fault> {
    let x = labels.x.ok_or_else(|| Fault::at("-2", "is missing"))?;
    let point = match labels.y.as_ref().ok_or_else(|| Fault::at("-3", "is missing"))? {
        Y::Full(y) => Point::new(x, y),
        Y::Odd(odd) => Point::decompress(x, *odd),
    };
    let point = point.ok_or_else(|| Fault::at("-2", "and -3 are no point of P-256"))?;
    let Some(d) = labels.d else { return Ok(KeyMaterial::EcPublic(point)) };
    let scalar = Scalar::new(d).ok_or_else(|| Fault::at("-4", "is no private key of P-256"))?;
    if scalar.point.sec1() == point.sec1() {
        Ok(KeyMaterial::EcPrivate(scalar))
    } else {
        Err(Fault::at("-4", "does not belong to -2 and -3"))
    }
}

fn operations(numbers: &[i64]) -> Result<Vec<String>, Fault> {
    let name = |number: &i64| {
        let at = usize::try_from(number - 1).ok()?;
        OPERATIONS.get(at).map(|name| (*name).to_owned())
    };
    numbers.iter().map(name).collect::<Option<_>>().ok_or_else(|| Fault::unsupported("4", "names an unknown operation"))
}

/// By number in the IANA COSE registry; EdDSA (−8) is Ed25519 for the curve that is supported.
fn algorithm(number: i64) -> Result<String, Fault> {
    let number = if number == -8 { Algorithm::Ed25519.cose() } else { number };
    let known = Algorithm::ALL.iter().find(|algorithm| algorithm.cose() == number);
    let known = known.ok_or_else(|| Fault::unsupported("3", "is an algorithm that is not supported"))?;
    Ok(known.name().to_owned())
}

fn unread() -> Fault {
    Fault::whole("CBOR, but no COSE_Key or COSE_KeySet of definite length")
}
