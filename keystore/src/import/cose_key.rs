//! COSE_Key and COSE_KeySet (RFC 9052 §7): definite lengths, no label twice, nothing after the end. Such a file says
//! nothing of device or policy: the operator does.

use std::collections::BTreeSet;

use minicbor::Decoder;
use minicbor::data::Type;
use zeroize::Zeroizing;

use crate::import::draft::{Offered, Owner};
use crate::import::{Fault, Placed};
use crate::key::{Algorithm, Kty};
use crate::private_key::{Curve, KeyMaterial, Point, RsaPrivate, RsaPublic, Scalar, Symmetric, X25519};

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
    /// k of a symmetric key, n of an RSA key, the key of AKP; it stands under the label of `crv`.
    k: Option<&'a [u8]>,
    x: Option<&'a [u8]>,
    y: Option<Y<'a>>,
    d: Option<&'a [u8]>,
    /// q, dP, dQ, qInv of an RSA key; its p stands under the label of d, its d under that of y.
    primes: [Option<&'a [u8]>; 4],
    /// More than two primes.
    other_primes: bool,
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
        -8..=-5 => into.primes[(-5 - label) as usize] = Some(decoder.bytes()?),
        -12..=-9 => {
            into.other_primes = true;
            decoder.skip()?;
        }
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
    let (material, signing_half) = match (labels.kty, labels.crv) {
        (Some(4), None) => {
            let k = labels.k.ok_or_else(|| Fault::at("-1", "is missing"))?;
            owner.stated.derive = base_iv.is_some().then_some(false);
            (KeyMaterial::Symmetric(Symmetric { k: Zeroizing::new(k.to_vec()), base_iv }), false)
        }
        (Some(1), Some(crv)) => okp(labels, crv)?,
        (Some(2), Some(crv)) => ec(labels, Curve::from_cose(crv).ok_or_else(other_kind)?)?,
        (Some(3), None) => (rsa(labels)?, false),
        (Some(7), None) => akp(labels)?,
        _ => return Err(other_kind()),
    };
    Ok(Offered {
        signing_half,
        material,
        kid,
        usage: None,
        operations: labels.operations.as_deref().map(operations).transpose()?,
        alg: labels.alg.map(algorithm).transpose()?,
        owner,
        certified: None,
    })
}

fn other_kind() -> Fault {
    Fault::unsupported("1", "and -1 name a kind of key that is not supported")
}

/// Of a signing pair the private half is not read.
fn okp(labels: &Labels<'_>, crv: i64) -> Result<(KeyMaterial, bool), Fault> {
    let x = labels.x.ok_or_else(|| Fault::at("-2", "is missing"))?;
    let short = |_| Fault::at("-2", "must be as long as the curve's public keys");
    match crv {
        6 => Ok((KeyMaterial::Ed25519Public(x.try_into().map_err(short)?), labels.d.is_some())),
        7 => Ok((KeyMaterial::Ed448Public(x.try_into().map_err(short)?), labels.d.is_some())),
        4 => {
            let x = x.try_into().map_err(short)?;
            let Some(d) = labels.d else { return Ok((KeyMaterial::X25519Public(x), false)) };
            let key = X25519::new(d).ok_or_else(|| Fault::at("-4", "must be 32 bytes"))?;
            let pair = key.x == x;
            pair.then(|| (KeyMaterial::X25519Private(key), false))
                .ok_or_else(|| Fault::at("-4", "does not belong to -2"))
        }
        _ => Err(other_kind()),
    }
}

fn ec(labels: &Labels<'_>, curve: Curve) -> Result<(KeyMaterial, bool), Fault> {
    let x = labels.x.ok_or_else(|| Fault::at("-2", "is missing"))?;
    let point = match labels.y.as_ref().ok_or_else(|| Fault::at("-3", "is missing"))? {
        Y::Full(y) => Point::new(curve, x, y),
        Y::Odd(odd) => Point::decompress(curve, x, *odd),
    };
    let point = point.ok_or_else(|| Fault::at("-2", format!("and -3 are no point of {}", curve.name())))?;
    if !curve.agrees() {
        return Ok((KeyMaterial::EcPublic(point), labels.d.is_some()));
    }
    let Some(d) = labels.d else { return Ok((KeyMaterial::EcPublic(point), false)) };
    let scalar = Scalar::new(curve, d);
    let scalar = scalar.ok_or_else(|| Fault::at("-4", format!("is no private key of {}", curve.name())))?;
    if scalar.point.sec1() == point.sec1() {
        Ok((KeyMaterial::EcPrivate(scalar), false))
    } else {
        Err(Fault::at("-4", "does not belong to -2 and -3"))
    }
}

/// RFC 8230 §4: −1 n, −2 e, −3 d, −4 p … −8 qInv.
fn rsa(labels: &Labels<'_>) -> Result<KeyMaterial, Fault> {
    let (n, e) = (labels.k.unwrap_or_default(), labels.x.unwrap_or_default());
    let public = RsaPublic::new(n, e).ok_or_else(|| Fault::at("-1", "and -2 are no RSA key of 2048 to 8192 bits"))?;
    let Some(Y::Full(d)) = labels.y else { return Ok(KeyMaterial::RsaPublic(public)) };
    if labels.other_primes {
        return Err(Fault::unsupported("-9", "is not taken: a key has two primes"));
    }
    let part = |bytes: Option<&[u8]>| bytes.map(|bytes| Zeroizing::new(bytes.to_vec()));
    let [q, dp, dq, qi] = labels.primes.map(part);
    let parts = [part(Some(d)), part(labels.d), q, dp, dq, qi];
    let parts: Option<Vec<_>> = parts.into_iter().collect();
    let key = parts.and_then(|parts| RsaPrivate::new(public, parts.try_into().ok()?));
    key.map(KeyMaterial::RsaPrivate).ok_or_else(|| Fault::at("-3", "and the primes do not belong to -1 and -2"))
}

/// RFC 9964: −1 is the public key, −2 the private one, which is not read.
fn akp(labels: &Labels<'_>) -> Result<(KeyMaterial, bool), Fault> {
    let set = labels.alg.and_then(|alg| Algorithm::from_cose(alg, Kty::Akp));
    let set = set.and_then(|set| Some((set, set.ml_dsa_key()?)));
    let (set, length) = set.ok_or_else(|| Fault::unsupported("3", "is no ML-DSA that is supported"))?;
    let key = labels.k.filter(|key| key.len() == length);
    let key = key.ok_or_else(|| Fault::at("-1", format!("must be {length} bytes")))?;
    Ok((KeyMaterial::AkpPublic(set, key.to_vec()), labels.x.is_some()))
}

fn operations(numbers: &[i64]) -> Result<Vec<String>, Fault> {
    let name = |number: &i64| {
        let at = usize::try_from(number - 1).ok()?;
        OPERATIONS.get(at).map(|name| (*name).to_owned())
    };
    numbers.iter().map(name).collect::<Option<_>>().ok_or_else(|| Fault::unsupported("4", "names an unknown operation"))
}

/// By number in the IANA COSE registry; which EdDSA (−8) it is, the curve says.
fn algorithm(number: i64) -> Result<String, Fault> {
    if number == -8 {
        return Ok("EdDSA".to_owned());
    }
    let known = Algorithm::ALL.iter().find(|algorithm| algorithm.cose() == Some(number));
    let known = known.ok_or_else(|| Fault::unsupported("3", "is an algorithm that is not supported"))?;
    Ok(known.name().to_owned())
}

fn unread() -> Fault {
    Fault::whole("CBOR, but no COSE_Key or COSE_KeySet of definite length")
}
