//! What leaves: the gateway's public keys, as JWK Set, COSE_KeySet and PEM. Nothing private has a way out of here.

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use serde::Serialize;

use crate::cbor;
use crate::key::Algorithm;
use crate::private_key::Point;
use crate::records::key::KeyRow;

/// One of the gateway's public keys as a JWK (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKeyInfo {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
    kid: String,
    r#use: &'static str,
    /// JWK has room for one; all of them stand under `paperknife`.
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    paperknife: Beside,
    #[serde(skip)]
    cose: CoseForm,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Beside {
    kid_hex: String,
    algs: Vec<&'static str>,
    formats: Vec<String>,
    tenant: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CoseForm {
    kid: Vec<u8>,
    alg: Option<Algorithm>,
    sec1: [u8; 65],
}

/// The gateway's public keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKeys {
    keys: Vec<PublicKeyInfo>,
}

impl PublicKeyInfo {
    pub(crate) fn new(row: &KeyRow, point: &Point) -> Self {
        let alg = row.algs.first().copied();
        Self {
            kty: "EC",
            crv: "P-256",
            x: Base64UrlUnpadded::encode_string(&point.x),
            y: Base64UrlUnpadded::encode_string(&point.y),
            kid: kid_text(&row.kid),
            r#use: row.purpose.name(),
            alg: alg.map(Algorithm::name),
            paperknife: Beside {
                kid_hex: hex::encode(&row.kid),
                algs: row.algs.iter().map(|algorithm| algorithm.name()).collect(),
                formats: row.formats.clone(),
                tenant: row.tenant.clone(),
            },
            cose: CoseForm { kid: row.kid.clone(), alg, sec1: point.sec1() },
        }
    }
}

impl PublicKeys {
    pub(crate) const fn new(keys: Vec<PublicKeyInfo>) -> Self {
        Self { keys }
    }

    /// The keys; serializes, as does the whole, as a JWK Set.
    pub fn keys(&self) -> &[PublicKeyInfo] {
        &self.keys
    }

    /// COSE_KeySet (RFC 9052 §7): labels 1 kty, 2 kid, 3 alg, −1 crv, −2 x, −3 y.
    pub fn to_cose_key_set(&self) -> Vec<u8> {
        cbor::build(128 * self.keys.len(), |out| {
            out.array(self.keys.len() as u64)?;
            for PublicKeyInfo { cose, .. } in &self.keys {
                out.map(5 + u64::from(cose.alg.is_some()))?.u8(1)?.u8(2)?.u8(2)?.bytes(&cose.kid)?;
                if let Some(alg) = cose.alg {
                    out.u8(3)?.i64(alg.cose())?;
                }
                out.i8(-1)?.u8(1)?.i8(-2)?.bytes(&cose.sec1[1..33])?.i8(-3)?.bytes(&cose.sec1[33..])?;
            }
            Ok(())
        })
    }

    /// SubjectPublicKeyInfo blocks (RFC 5280 §4.1), one after the other.
    pub fn to_pem(&self) -> String {
        let point = |key: &PublicKeyInfo| p256::PublicKey::from_sec1_bytes(&key.cose.sec1).ok();
        let block = |key: p256::PublicKey| key.to_public_key_pem(LineEnding::LF).ok();
        self.keys.iter().filter_map(point).filter_map(block).collect()
    }
}

/// JWK's kid is text: the bytes themselves where they are readable text, else their base64url. `kid_hex` rules.
fn kid_text(kid: &[u8]) -> String {
    match std::str::from_utf8(kid) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => Base64UrlUnpadded::encode_string(kid),
    }
}
