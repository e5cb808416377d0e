//! What leaves: the gateway's public keys, as JWK Set, COSE_KeySet and PEM. Nothing private has a way out of here.

use std::convert::Infallible;

use base64ct::{Base64UrlUnpadded, Encoding};
use minicbor::encode::Error;
use p256::pkcs8::LineEnding;
use p256::pkcs8::der::asn1::BitStringRef;
use p256::pkcs8::der::{self, Encode};
use p256::pkcs8::spki::SubjectPublicKeyInfoRef;
use pkcs1::{RsaPublicKey, UintRef};
use serde::Serialize;

use crate::cbor::{self, Writer};
use crate::import::pem;
use crate::key::Algorithm;
use crate::private_key::{KeyMaterial, Point, RsaPublic};
use crate::records::key::KeyRow;

/// One of the gateway's public keys as a JWK (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKeyInfo {
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#pub: Option<String>,
    kid: String,
    r#use: &'static str,
    /// JWK has room for one, of the JOSE registry; all of them stand under `paperknife`.
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
    /// SHA-256 thumbprint as a COSE_Key (RFC 9679).
    #[serde(skip_serializing_if = "Option::is_none")]
    cose_thumbprint_hex: Option<String>,
}

/// What COSE_Key and PEM are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CoseForm {
    kid: Vec<u8>,
    alg: Option<Algorithm>,
    key: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Ec(Point),
    Kem(Algorithm, Vec<u8>),
    Rsa(RsaPublic),
    X25519([u8; 32]),
}

/// The gateway's public keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKeys {
    keys: Vec<PublicKeyInfo>,
}

impl PublicKeyInfo {
    /// None for what is no private key of ours.
    pub(crate) fn new(row: &KeyRow, material: &KeyMaterial) -> Option<Self> {
        let key = match material {
            KeyMaterial::EcPrivate(scalar) => Public::Ec(scalar.point.clone()),
            KeyMaterial::KemPrivate(key) => Public::Kem(key.set, key.public().to_vec()),
            KeyMaterial::RsaPrivate(key) => Public::Rsa(key.public.clone()),
            KeyMaterial::X25519Private(key) => Public::X25519(key.x),
            _ => return None,
        };
        let alg = row.algs.first().copied();
        let [x, y, n, e, r#pub] = key.members();
        Some(Self {
            kty: row.kty.jwk(),
            crv: key.curve(),
            x,
            y,
            n,
            e,
            r#pub,
            kid: kid_text(&row.kid),
            r#use: row.purpose.name(),
            // AKP has no form without: the name tells the parameter set.
            alg: alg.and_then(|alg| alg.jose().or_else(|| alg.kem().map(|_| alg.name()))),
            paperknife: Beside {
                kid_hex: hex::encode(&row.kid),
                algs: row.algs.iter().map(|algorithm| algorithm.name()).collect(),
                formats: row.formats.clone(),
                tenant: row.tenant.clone(),
                cose_thumbprint_hex: key.thumbprint().map(hex::encode),
            },
            cose: CoseForm { kid: row.kid.clone(), alg, key },
        })
    }
}

impl Public {
    /// Number in the IANA COSE registry.
    const fn kty(&self) -> u8 {
        match self {
            Self::Ec(_) => 2,
            Self::Kem(..) => 7,
            Self::Rsa(_) => 3,
            Self::X25519(_) => 1,
        }
    }

    const fn curve(&self) -> Option<&'static str> {
        match self {
            Self::Ec(point) => Some(point.curve.name()),
            Self::Kem(..) | Self::Rsa(_) => None,
            Self::X25519(_) => Some("X25519"),
        }
    }

    /// x, y, n, e, pub in base64url.
    fn members(&self) -> [Option<String>; 5] {
        let text = |bytes: &[u8]| Some(Base64UrlUnpadded::encode_string(bytes));
        match self {
            Self::Ec(point) => [text(&point.x), text(&point.y), None, None, None],
            Self::Kem(_, key) => [None, None, None, None, text(key)],
            Self::Rsa(key) => [None, None, text(&key.n), text(&key.e), None],
            Self::X25519(x) => [text(x), None, None, None, None],
        }
    }

    /// RFC 9679 §4: SHA-256 over the COSE_Key of the required members alone, deterministically encoded. What has no
    /// COSE_Key has none.
    fn thumbprint(&self) -> Option<Vec<u8>> {
        let members = |entries| cbor::build(160, |out| required(out.map(entries)?, self));
        let key = match self {
            Self::Ec(_) => members(4),
            Self::Kem(..) => return None,
            Self::Rsa(_) | Self::X25519(_) => members(3),
        };
        Some(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key).as_ref().to_vec())
    }

    /// SubjectPublicKeyInfo (RFC 5280 §4.1, 5480, 8410, 3279).
    fn to_spki(&self) -> Option<Vec<u8>> {
        let (algorithm, key) = match self {
            Self::Ec(point) => (pem::ec_algorithm(point.curve), point.sec1()),
            Self::Kem(set, key) => (pem::kem_algorithm(*set)?, key.clone()),
            Self::Rsa(key) => {
                let (modulus, public_exponent) = (UintRef::new(&key.n).ok()?, UintRef::new(&key.e).ok()?);
                (pkcs1::ALGORITHM_ID, RsaPublicKey { modulus, public_exponent }.to_der().ok()?)
            }
            Self::X25519(x) => (pem::x25519_algorithm(), x.to_vec()),
        };
        let subject_public_key = BitStringRef::from_bytes(&key).ok()?;
        SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok()
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

    /// COSE_KeySet (RFC 9052 §7): labels 1 kty, 2 kid, 3 alg, then the key's own by kind. ML-KEM has no COSE_Key yet.
    pub fn to_cose_key_set(&self) -> Vec<u8> {
        let keys: Vec<_> = self.keys.iter().filter(|key| !matches!(key.cose.key, Public::Kem(..))).collect();
        cbor::build(128 * keys.len(), |out| {
            out.array(keys.len() as u64)?;
            for PublicKeyInfo { cose, .. } in keys {
                write(out, cose)?;
            }
            Ok(())
        })
    }

    /// SubjectPublicKeyInfo blocks (RFC 5280 §4.1), one after the other.
    pub fn to_pem(&self) -> String {
        let block = |spki: Vec<u8>| der::pem::encode_string("PUBLIC KEY", LineEnding::LF, &spki).ok();
        self.keys.iter().filter_map(|key| key.cose.key.to_spki()).filter_map(block).collect()
    }
}

fn write(out: &mut Writer, CoseForm { kid, alg, key }: &CoseForm) -> Result<(), Error<Infallible>> {
    let entries = match key {
        Public::Ec(_) => 5,
        Public::Kem(..) => 2,
        Public::Rsa(_) | Public::X25519(_) => 4,
    };
    let alg = alg.and_then(Algorithm::cose);
    out.map(entries + u64::from(alg.is_some()))?.u8(1)?.u8(key.kty())?.u8(2)?.bytes(kid)?;
    if let Some(alg) = alg {
        out.u8(3)?.i64(alg)?;
    }
    own(out, key)
}

/// kty, and the key's own labels: all that a thumbprint is of.
fn required(out: &mut Writer, key: &Public) -> Result<(), Error<Infallible>> {
    out.u8(1)?.u8(key.kty())?;
    own(out, key)
}

fn own(out: &mut Writer, key: &Public) -> Result<(), Error<Infallible>> {
    match key {
        Public::Ec(point) => {
            out.i8(-1)?.i64(point.curve.cose())?.i8(-2)?.bytes(&point.x)?.i8(-3)?.bytes(&point.y)?.ok()
        }
        Public::Kem(_, key) => out.i8(-1)?.bytes(key)?.ok(),
        Public::Rsa(key) => out.i8(-1)?.bytes(&key.n)?.i8(-2)?.bytes(&key.e)?.ok(),
        Public::X25519(x) => out.i8(-1)?.u8(4)?.i8(-2)?.bytes(x)?.ok(),
    }
}

/// JWK's kid is text: the bytes themselves where they are readable text, else their base64url. `kid_hex` rules.
fn kid_text(kid: &[u8]) -> String {
    match std::str::from_utf8(kid) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => Base64UrlUnpadded::encode_string(kid),
    }
}

#[cfg(test)]
mod tests;
