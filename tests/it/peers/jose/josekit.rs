//! josekit 0.10.3 as the peer.

use josekit::jwe::{self, JweDecrypter, JweEncrypter, JweHeader, JweHeaderSet};
use josekit::jwk::Jwk;
use josekit::jws::{self, JwsHeader, JwsHeaderSet, JwsSigner, JwsVerifier};
use paperknife_device::jose::Serialization;
use paperknife_device::jose::algorithm::{Management, Signature};
use serde_json::{Map, Value};

use super::{CONTENT, Row, What, rows};
use crate::peers::judge;

const LACKS: &[&str] = &["JWS Ed25519", "JWS ML-DSA"];

fn peers_key(value: Value) -> Jwk {
    let Value::Object(members) = value else { panic!("a JWK is an object") };
    Jwk::from_map(members).unwrap()
}

/// One match over josekit's algorithms, each of a type of its own.
macro_rules! by_name {
    ($algorithm:expr, $make:ident, $jwk:expr, $($variant:path => $known:path,)+) => {
        match $algorithm {
            $($variant => Ok(Box::new($known.$make($jwk).map_err(|error| error.to_string())?)),)+
            #[allow(unreachable_patterns, reason = "where josekit has all of them")]
            _ => Err("not known".to_owned()),
        }
    };
}

macro_rules! managements {
    ($algorithm:expr, $make:ident, $jwk:expr) => {
        by_name!($algorithm, $make, $jwk,
            Management::Dir => jwe::Dir,
            Management::A128Kw => jwe::A128KW,
            Management::A192Kw => jwe::A192KW,
            Management::A256Kw => jwe::A256KW,
            Management::A128GcmKw => jwe::A128GCMKW,
            Management::A192GcmKw => jwe::A192GCMKW,
            Management::A256GcmKw => jwe::A256GCMKW,
            Management::EcdhEs => jwe::ECDH_ES,
            Management::EcdhEsA128Kw => jwe::ECDH_ES_A128KW,
            Management::EcdhEsA192Kw => jwe::ECDH_ES_A192KW,
            Management::EcdhEsA256Kw => jwe::ECDH_ES_A256KW,
            Management::RsaOaep => jwe::RSA_OAEP,
            Management::RsaOaep256 => jwe::RSA_OAEP_256,
            Management::RsaOaep384 => jwe::RSA_OAEP_384,
            Management::RsaOaep512 => jwe::RSA_OAEP_512,
            Management::Rsa15 => RSA1_5,
            Management::Pbes2A128Kw => jwe::PBES2_HS256_A128KW,
            Management::Pbes2A192Kw => jwe::PBES2_HS384_A192KW,
            Management::Pbes2A256Kw => jwe::PBES2_HS512_A256KW,
        )
    };
}

macro_rules! signatures {
    ($algorithm:expr, $make:ident, $jwk:expr) => {
        by_name!($algorithm, $make, $jwk,
            Signature::Es256 => jws::ES256,
            Signature::Es384 => jws::ES384,
            Signature::Es512 => jws::ES512,
            Signature::Es256k => jws::ES256K,
            Signature::EdDsa => jws::EdDSA,
            Signature::Ps256 => jws::PS256,
            Signature::Ps384 => jws::PS384,
            Signature::Ps512 => jws::PS512,
            Signature::Rs256 => jws::RS256,
            Signature::Rs384 => jws::RS384,
            Signature::Rs512 => jws::RS512,
            Signature::Hs256 => jws::HS256,
            Signature::Hs384 => jws::HS384,
            Signature::Hs512 => jws::HS512,
        )
    };
}

#[expect(deprecated, reason = "off by default here too, and to be opened under its name")]
const RSA1_5: jwe::alg::rsaes::RsaesJweAlgorithm = jwe::RSA1_5;

fn encrypter(management: Management, key: &Jwk) -> Result<Box<dyn JweEncrypter>, String> {
    managements!(management, encrypter_from_jwk, key)
}

fn decrypter(management: Management, key: &Jwk) -> Result<Box<dyn JweDecrypter>, String> {
    managements!(management, decrypter_from_jwk, key)
}

fn signer(signature: Signature, key: &Jwk) -> Result<Box<dyn JwsSigner>, String> {
    signatures!(signature, signer_from_jwk, key)
}

fn verifier(signature: Signature, key: &Jwk) -> Result<Box<dyn JwsVerifier>, String> {
    signatures!(signature, verifier_from_jwk, key)
}

fn opened(row: &Row) -> Result<(), String> {
    let (sealed, key) = (row.seal(), peers_key(row.half(true)));
    let compact = row.serialization == Serialization::Compact;
    let content = match row.what {
        What::Jwe(management, _) => {
            let by = decrypter(management, &key)?;
            let content =
                if compact { jwe::deserialize_compact(&sealed, &*by) } else { jwe::deserialize_json(&sealed, &*by) };
            content.map(|(content, _)| content)
        }
        What::Jws(signature) => {
            let by = verifier(signature, &key)?;
            let content =
                if compact { jws::deserialize_compact(&sealed, &*by) } else { jws::deserialize_json(&sealed, &*by) };
            content.map(|(content, _)| content)
        }
    };
    let content = content.map_err(|error| error.to_string())?;
    if content == CONTENT { Ok(()) } else { Err("other content".to_owned()) }
}

fn members(row: &Row) -> Map<String, Value> {
    let Value::Object(members) = row.header() else { panic!("a header is an object") };
    members
}

fn sealed(row: &Row) -> Result<String, String> {
    let key = peers_key(row.half(false));
    let sealed = match row.what {
        What::Jwe(management, _) => seal_jwe(row, &*encrypter(management, &key)?),
        What::Jws(signature) => seal_jws(row, &*signer(signature, &key)?),
    };
    sealed.map_err(|error| error.to_string())
}

/// With `alg` in the protected header: josekit puts it elsewhere, unless it is told. A recipient of the general form must
/// have a header of its own.
fn seal_jwe(row: &Row, by: &dyn JweEncrypter) -> Result<String, josekit::JoseError> {
    let (mut set, mut own) = (JweHeaderSet::new(), JweHeader::new());
    own.set_key_id(&row.key);
    let is_general = row.serialization == Serialization::General;
    for (name, value) in members(row).into_iter().filter(|(name, _)| !is_general || name != "kid") {
        set.set_claim(&name, Some(value), true)?;
    }
    match row.serialization {
        Serialization::Compact => jwe::serialize_compact(CONTENT, &JweHeader::from_map(members(row))?, by),
        Serialization::Flattened => jwe::serialize_flattened_json(CONTENT, Some(&set), None, None, by),
        Serialization::General => jwe::serialize_general_json(CONTENT, Some(&set), &[(Some(&own), by)], None),
    }
}

fn seal_jws(row: &Row, by: &dyn JwsSigner) -> Result<String, josekit::JoseError> {
    let mut set = JwsHeaderSet::new();
    for (name, value) in members(row) {
        set.set_claim(&name, Some(value), true)?;
    }
    match row.serialization {
        Serialization::Compact => jws::serialize_compact(CONTENT, &JwsHeader::from_map(members(row))?, by),
        Serialization::Flattened => jws::serialize_flattened_json(CONTENT, &set, by),
        Serialization::General => jws::serialize_general_json(CONTENT, &[(&set, by)]),
    }
}

#[test]
fn josekit_opens_what_the_device_seals() {
    let judged = rows().iter().map(|row| (row.name.clone(), opened(row))).collect();
    judge("josekit 0.10.3 opens ours", judged, &[LACKS]);
}

#[test]
fn we_open_what_josekit_seals() {
    let judged =
        rows().iter().map(|row| (row.name.clone(), sealed(row).and_then(|sealed| row.open(&sealed)))).collect();
    judge("we open josekit 0.10.3", judged, &[LACKS]);
}
