//! JWK and JWK Set (RFC 7517), with the members under `"paperknife"` of contract.md §1.

use serde_json::value::RawValue;

use crate::import::draft::{Offered, Owner};
use crate::import::members::{Given, Members, check};
use crate::import::{Fault, Placed};
use crate::policy::{FORMATS, PROFILE};
use crate::private_key::{KeyMaterial, Point, Scalar, Symmetric};

/// KDF inputs that no algorithm of this version takes; they come with those that do.
const NOT_YET: &[&str] = &["party_u", "party_v", "salt", "pub_other", "priv_other", "static_sender"];

const TEXT: &str = "must be text";
const TEXTS: &str = "must be a list of texts";
const SECONDS: &str = "must be a number of seconds, not negative";
const COUNT: &str = "must be a whole number, not negative";
const FLAG: &str = "must be true or false";

/// The keys of a JWK or JWK Set, each as it was offered or with its fault.
pub(super) fn read(json: &str) -> Result<Vec<Placed>, Fault> {
    check(json)?;
    let mut members = Members::read(json, "the file")?;
    if !members.has("keys") {
        return Ok(vec![offered(members)]);
    }
    let keys: Vec<&RawValue> = members.require("keys", "must be a list of keys")?;
    Ok(keys
        .into_iter()
        .map(|key| match Members::read(key.get(), "the key") {
            Ok(members) => offered(members),
            Err(fault) => Placed { kid: None, offered: Err(fault) },
        })
        .collect())
}

/// The kid is read first, so that a fault can say which key it is about.
fn offered(mut members: Members<'_>) -> Placed {
    let owner_and_kid = owner(&mut members).and_then(|owner| {
        let kid = members.take::<String>("kid", TEXT)?.map(String::into_bytes);
        Ok((owner.kid.clone().or(kid), owner))
    });
    match owner_and_kid {
        Ok((kid, owner)) => Placed { kid: kid.clone(), offered: key(members, kid, owner) },
        Err(fault) => Placed { kid: None, offered: Err(fault) },
    }
}

fn key(mut members: Members<'_>, kid: Option<Vec<u8>>, mut owner: Owner) -> Result<Offered, Fault> {
    let kty: String = members.require("kty", TEXT)?;
    let signing_half = kty == "OKP" && members.has("d");
    let material = match kty.as_str() {
        "EC" => ec(&mut members)?,
        "OKP" => okp(&mut members)?,
        "oct" => {
            let k = members.bytes("k")?.ok_or_else(|| Fault::at("k", "is missing"))?;
            KeyMaterial::Symmetric(Symmetric { k, base_iv: owner.base_iv.take() })
        }
        _ => return Err(Fault::unsupported("kty", "must be EC, OKP or oct")),
    };
    Ok(Offered {
        material,
        signing_half,
        kid,
        usage: members.take("use", TEXT)?,
        operations: members.take("key_ops", TEXTS)?,
        alg: members.take("alg", TEXT)?,
        owner,
    })
}

fn ec(members: &mut Members<'_>) -> Result<KeyMaterial, Fault> {
    curve(members, "P-256")?;
    let x = members.bytes("x")?.ok_or_else(|| Fault::at("x", "is missing"))?;
    let y = members.bytes("y")?.ok_or_else(|| Fault::at("y", "is missing"))?;
    let point = Point::new(&x, &y).ok_or_else(|| Fault::at("x", "and `y` are no point of P-256"))?;
    let Some(d) = members.bytes("d")? else { return Ok(KeyMaterial::EcPublic(point)) };
    let scalar = Scalar::new(&d).ok_or_else(|| Fault::at("d", "is no private key of P-256"))?;
    if scalar.point.sec1() == point.sec1() {
        Ok(KeyMaterial::EcPrivate(scalar))
    } else {
        Err(Fault::at("d", "does not belong to `x` and `y`"))
    }
}

fn okp(members: &mut Members<'_>) -> Result<KeyMaterial, Fault> {
    curve(members, "Ed25519")?;
    let x = members.bytes("x")?.ok_or_else(|| Fault::at("x", "is missing"))?;
    let x = x.as_slice().try_into().map_err(|_| Fault::at("x", "must be 32 bytes"))?;
    Ok(KeyMaterial::Ed25519Public(x))
}

fn curve(members: &mut Members<'_>, known: &str) -> Result<(), Fault> {
    match members.require::<String>("crv", TEXT)? {
        curve if curve == known => Ok(()),
        _ => Err(Fault::unsupported("crv", "is a curve that is not supported with this kty")),
    }
}

/// The members under `"paperknife"`, each checked for itself; what they mean together is [`Offered`]'s to judge.
fn owner(members: &mut Members<'_>) -> Result<Owner, Fault> {
    let Some(raw) = members.take::<&RawValue>("paperknife", "must be an object")? else { return Ok(Owner::default()) };
    let mut of = Members::read(raw.get(), "paperknife")?;
    if let Some(name) = NOT_YET.iter().find(|name| of.has(name)) {
        return Err(Fault::at(name, "is not supported yet: no algorithm of this version takes it"));
    }
    let mut owner = Owner {
        kid: of.take::<String>("kid_hex", TEXT)?.map(|text| kid(&text)).transpose()?,
        device: of.take("device", TEXT)?,
        tenant: of.take("tenant", TEXT)?,
        strict: profile(&mut of)?,
        formats: words(of.take("formats", TEXTS)?, "formats", FORMATS)?,
        algs: of.take("algs", TEXTS)?,
        base_iv: of.bytes("base_iv")?,
        ..Owner::default()
    };
    binding(&mut of, &mut owner)?;
    acceptance(&mut of, &mut owner)?;
    of.nothing_left()?;
    Ok(owner)
}

fn kid(text: &str) -> Result<Vec<u8>, Fault> {
    hex::decode(text).map_err(|_| Fault::at("kid_hex", "must be hexadecimal"))
}

fn profile(of: &mut Members<'_>) -> Result<Option<bool>, Fault> {
    match of.given::<String>("profile", TEXT)? {
        Given::Absent => Ok(None),
        Given::Null => Ok(Some(false)),
        Given::Value(name) if name == PROFILE => Ok(Some(true)),
        Given::Value(_) => Err(Fault::at("profile", "must be \"paperknife-1\" or null")),
    }
}

fn binding(of: &mut Members<'_>, owner: &mut Owner) -> Result<(), Fault> {
    let stated = &mut owner.stated;
    stated.shapes = words(of.take("shapes", TEXTS)?, "shapes", &["S", "G", "P"])?;
    stated.endpoint = of.take("endpoint", TEXT)?;
    stated.paths = of.take("paths", "must be a list of texts and null")?;
    stated.audience = of.take("audience", TEXTS)?;
    stated.path_binding = word(of.take("path_binding", TEXT)?, "path_binding", &["required", "if_known", "off"])?;
    stated.strip_prefix = of.take("strip_prefix", FLAG)?;
    stated.endpoint_binding =
        word(of.take("endpoint_binding", TEXT)?, "endpoint_binding", &["pinned", "flagged", "ignored"])?;
    stated.derive = match of.given::<String>("kdf", TEXT)? {
        Given::Absent => None,
        Given::Null => Some(false),
        Given::Value(name) if name == PROFILE => Some(true),
        Given::Value(_) => return Err(Fault::at("kdf", "must be \"paperknife-1\" or null")),
    };
    Ok(())
}

fn acceptance(of: &mut Members<'_>, owner: &mut Owner) -> Result<(), Fault> {
    let stated = &mut owner.stated;
    stated.iat_required = of.take("iat_required", FLAG)?;
    stated.max_age_s = seconds(of, "max_age_s")?;
    stated.late_after_s = seconds(of, "late_after_s")?;
    stated.max_future_s = seconds(of, "max_future_s")?;
    stated.max_silence_s = seconds(of, "max_silence_s")?;
    stated.expect_from = of.take("expect_from", COUNT)?;
    stated.strict_order = word(of.take("order", TEXT)?, "order", &["any", "strict"])?.map(|order| order == "strict");
    stated.content_format = of.take("content_format", "must be a CoAP Content-Format, a number")?;
    stated.content_formats = of.take("content_formats", "must be a list of CoAP Content-Formats, numbers")?;
    stated.max_plaintext = of.take("max_plaintext", COUNT)?;
    stated.max_readings = of.take("max_readings", COUNT)?;
    Ok(())
}

fn seconds(of: &mut Members<'_>, name: &str) -> Result<Option<i64>, Fault> {
    match of.take::<i64>(name, SECONDS)? {
        Some(..0) => Err(Fault::at(name, SECONDS)),
        seconds => Ok(seconds),
    }
}

fn word(given: Option<String>, name: &str, known: &[&str]) -> Result<Option<String>, Fault> {
    let words = words(given.map(|word| vec![word]), name, known)?;
    Ok(words.and_then(|mut words| words.pop()))
}

fn words(given: Option<Vec<String>>, name: &str, known: &[&str]) -> Result<Option<Vec<String>>, Fault> {
    match &given {
        Some(words) if words.is_empty() || words.iter().any(|word| !known.contains(&word.as_str())) => {
            Err(Fault::at(name, format!("must be of {}", known.join(", "))))
        }
        Some(_) | None => Ok(given),
    }
}
