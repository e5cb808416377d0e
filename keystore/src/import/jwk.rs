//! JWK and JWK Set (RFC 7517), with the members under `"paperknife"` of contract.md §1.

use std::collections::HashSet;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::import::draft::{Offered, Owner, Sender};
use crate::import::members::{Given, Members, check};
use crate::import::{Fault, Placed};
use crate::key::{Algorithm, COMPAT, Kty, UNDERSTOOD};
use crate::policy::{Bytes, FORMATS, PROFILE, PartyStated};
use crate::private_key::{Curve, KeyMaterial, Point, RsaPrivate, RsaPublic, Scalar, Symmetric, X25519};

/// Longest salt, party field and other KDF input, bytes (cose.md §6).
const KDF_INPUT_MAX: usize = 1_024;
/// Longest name of a departure, bytes; and most of them.
const DEPARTURE_MAX: usize = 128;
const DEPARTURES_MAX: usize = 32;

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
    let placed: Vec<_> = keys
        .into_iter()
        .map(|key| match Members::read(key.get(), "the key") {
            Ok(members) => offered(members),
            Err(fault) => Placed { kid: None, offered: Err(fault) },
        })
        .collect();
    distinct(&placed)?;
    Ok(placed)
}

/// No kid twice in one set, but for keys of another kty, which nobody confuses (RFC 7517 §4.5), and for the other half of a
/// pair, which is of another use.
fn distinct(placed: &[Placed]) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for Placed { kid, offered } in placed {
        let (Some(kid), Ok(offered)) = (kid, offered) else { continue };
        if !seen.insert((kid, offered.material.kty().jwk(), offered.material.is_private())) {
            return Err(Fault::at("kid", "stands twice in one set for keys of one kty"));
        }
    }
    Ok(())
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
    let alg: Option<String> = members.take("alg", TEXT)?;
    let (material, signing_half) = match kty.as_str() {
        "AKP" => akp(&mut members, alg.as_deref())?,
        "EC" => ec(&mut members)?,
        "OKP" => okp(&mut members)?,
        "RSA" => (rsa(&mut members)?, false),
        "oct" => {
            let k = members.bytes("k")?.ok_or_else(|| Fault::at("k", "is missing"))?;
            (KeyMaterial::Symmetric(Symmetric { k, base_iv: owner.base_iv.take() }), false)
        }
        _ => return Err(Fault::unsupported("kty", "must be AKP, EC, OKP, RSA or oct")),
    };
    suits(alg.as_deref(), material.kty())?;
    Ok(Offered {
        material,
        signing_half,
        kid,
        usage: members.take("use", TEXT)?,
        operations: members.take("key_ops", TEXTS)?,
        alg,
        owner,
        certified: None,
    })
}

/// A name of the JOSE registry means what it means there: ES512 is of P-521 alone.
fn suits(alg: Option<&str>, kty: Kty) -> Result<(), Fault> {
    let known = alg.and_then(|name| Algorithm::from_jose(name, kty));
    if known.is_none_or(|algorithm| algorithm.suits_jose(kty)) {
        return Ok(());
    }
    Err(Fault::at("alg", "does not go with this kind of key"))
}

/// RFC 9964. The private half, if it is there, is not read.
fn akp(members: &mut Members<'_>, alg: Option<&str>) -> Result<(KeyMaterial, bool), Fault> {
    let set = alg.ok_or_else(|| Fault::at("alg", "is missing: it names the parameter set"))?;
    let set = Algorithm::from_name(set).and_then(|set| Some((set, set.ml_dsa_key()?)));
    let (set, length) = set.ok_or_else(|| Fault::unsupported("alg", "is no ML-DSA that is supported"))?;
    let public = members.bytes("pub")?.filter(|public| public.len() == length);
    let public = public.ok_or_else(|| Fault::at("pub", format!("must be {length} bytes")))?;
    Ok((KeyMaterial::AkpPublic(set, public.to_vec()), members.has("priv")))
}

fn ec(members: &mut Members<'_>) -> Result<(KeyMaterial, bool), Fault> {
    let curve = Curve::from_name(&members.require::<String>("crv", TEXT)?).ok_or_else(other_curve)?;
    let x = members.bytes("x")?.ok_or_else(|| Fault::at("x", "is missing"))?;
    let y = members.bytes("y")?.ok_or_else(|| Fault::at("y", "is missing"))?;
    let point = Point::new(curve, &x, &y);
    let point = point.ok_or_else(|| Fault::at("x", format!("and `y` are no point of {}", curve.name())))?;
    if !curve.agrees() {
        return Ok((KeyMaterial::EcPublic(point), members.has("d")));
    }
    let Some(d) = members.bytes("d")? else { return Ok((KeyMaterial::EcPublic(point), false)) };
    let scalar = Scalar::new(curve, &d);
    let scalar = scalar.ok_or_else(|| Fault::at("d", format!("is no private key of {}", curve.name())))?;
    if scalar.point.sec1() == point.sec1() {
        Ok((KeyMaterial::EcPrivate(scalar), false))
    } else {
        Err(Fault::at("d", "does not belong to `x` and `y`"))
    }
}

/// Of a signing pair the private half is not read.
fn okp(members: &mut Members<'_>) -> Result<(KeyMaterial, bool), Fault> {
    let curve: String = members.require("crv", TEXT)?;
    let x = members.bytes("x")?.ok_or_else(|| Fault::at("x", "is missing"))?;
    let short = |_| Fault::at("x", "must be as long as the curve's public keys");
    match curve.as_str() {
        "Ed25519" => Ok((KeyMaterial::Ed25519Public(x.as_slice().try_into().map_err(short)?), members.has("d"))),
        "Ed448" => Ok((KeyMaterial::Ed448Public(x.as_slice().try_into().map_err(short)?), members.has("d"))),
        "X25519" => {
            let x = x.as_slice().try_into().map_err(short)?;
            let Some(d) = members.bytes("d")? else { return Ok((KeyMaterial::X25519Public(x), false)) };
            let key = X25519::new(&d).ok_or_else(|| Fault::at("d", "must be 32 bytes"))?;
            let pair = key.x == x;
            pair.then(|| (KeyMaterial::X25519Private(key), false))
                .ok_or_else(|| Fault::at("d", "does not belong to `x`"))
        }
        _ => Err(other_curve()),
    }
}

fn rsa(members: &mut Members<'_>) -> Result<KeyMaterial, Fault> {
    let n = members.bytes("n")?.ok_or_else(|| Fault::at("n", "is missing"))?;
    let e = members.bytes("e")?.ok_or_else(|| Fault::at("e", "is missing"))?;
    let public = RsaPublic::new(&n, &e).ok_or_else(|| Fault::at("n", "and `e` are no RSA key of 2048 to 8192 bits"))?;
    let Some(d) = members.bytes("d")? else { return Ok(KeyMaterial::RsaPublic(public)) };
    let mut part =
        |name| members.bytes(name)?.ok_or_else(|| Fault::at(name, "is missing: all primes or no private key"));
    let parts = [d, part("p")?, part("q")?, part("dp")?, part("dq")?, part("qi")?];
    if members.has("oth") {
        return Err(Fault::unsupported("oth", "is not taken: a key has two primes"));
    }
    RsaPrivate::new(public, parts)
        .map(KeyMaterial::RsaPrivate)
        .ok_or_else(|| Fault::at("d", "and the primes do not belong to `n` and `e`"))
}

fn other_curve() -> Fault {
    Fault::unsupported("crv", "is a curve that is not supported with this kty")
}

/// The members under `"paperknife"`, each checked for itself; what they mean together is [`Offered`]'s to judge.
fn owner(members: &mut Members<'_>) -> Result<Owner, Fault> {
    let Some(raw) = members.take::<&RawValue>("paperknife", "must be an object")? else { return Ok(Owner::default()) };
    let mut of = Members::read(raw.get(), "paperknife")?;
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
    departures(&mut of, &mut owner)?;
    // An export says it of a key, which says it itself.
    of.take::<&RawValue>("cose_thumbprint_hex", TEXT)?;
    binding(&mut of, &mut owner)?;
    acceptance(&mut of, &mut owner)?;
    kdf_inputs(&mut of, &mut owner)?;
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

/// What is allowed beyond the strict default, and how many signers must hold.
fn departures(of: &mut Members<'_>, owner: &mut Owner) -> Result<(), Fault> {
    let stated = &mut owner.stated;
    stated.compat = of.take::<Vec<String>>("compat", TEXTS)?;
    let known = |name: &String| COMPAT.contains(&name.as_str()) || name.starts_with(UNDERSTOOD);
    let named = stated.compat.as_deref().unwrap_or_default();
    if named.len() > DEPARTURES_MAX || named.iter().any(|name| !known(name) || name.len() > DEPARTURE_MAX) {
        return Err(Fault::at("compat", format!("must be of {}, {UNDERSTOOD}LABEL", COMPAT.join(", "))));
    }
    stated.all_signers = word(of.take("signers", TEXT)?, "signers", &["any", "all"])?.map(|signers| signers == "all");
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

fn kdf_inputs(of: &mut Members<'_>, owner: &mut Owner) -> Result<(), Fault> {
    owner.stated.party_u = party(of, "party_u")?;
    owner.stated.party_v = party(of, "party_v")?;
    owner.stated.salt = input(of, "salt")?.map(|bytes| Bytes(bytes.to_vec()));
    owner.stated.pub_other = input(of, "pub_other")?.map(|bytes| Bytes(bytes.to_vec()));
    owner.priv_other = input(of, "priv_other")?;
    let Some(raw) = of.take::<&RawValue>("static_sender", "must be a JWK")? else { return Ok(()) };
    let Offered { material, signing_half, kid, owner: of_sender, .. } =
        offered(Members::read(raw.get(), "static_sender")?).offered?;
    let public = matches!(material, KeyMaterial::EcPublic(_) | KeyMaterial::X25519Public(_)) && !signing_half;
    if !public || of_sender.static_sender.is_some() {
        return Err(Fault::at("static_sender", "must be a public EC or X25519 key"));
    }
    owner.static_sender = Some(Sender { material, kid, device: of_sender.device });
    Ok(())
}

fn party(of: &mut Members<'_>, name: &str) -> Result<PartyStated, Fault> {
    let Some(raw) = of.take::<&RawValue>(name, "must be an object")? else { return Ok(PartyStated::default()) };
    let mut members = Members::read(raw.get(), name)?;
    let party = PartyStated {
        identity: input(&mut members, "identity")?.map(|bytes| Bytes(bytes.to_vec())),
        nonce: input(&mut members, "nonce")?.map(|bytes| Bytes(bytes.to_vec())),
        other: input(&mut members, "other")?.map(|bytes| Bytes(bytes.to_vec())),
    };
    members.nothing_left()?;
    Ok(party)
}

fn input(of: &mut Members<'_>, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
    match of.bytes(name)? {
        Some(bytes) if bytes.len() > KDF_INPUT_MAX => Err(Fault::at(name, "must be at most 1024 bytes")),
        bytes => Ok(bytes),
    }
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
