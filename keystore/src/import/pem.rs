//! PEM and DER: SubjectPublicKeyInfo, PKCS#8 and SEC1 keys of P-256, public keys of Ed25519 (RFC 5280, 5958, 5915, 8410).
//! Such a file says nothing of kid, device or policy: the operator does.

use p256::pkcs8::{DecodePrivateKey, DecodePublicKey};

use crate::import::draft::{Offered, Owner};
use crate::import::{Fault, Placed};
use crate::private_key::{KeyMaterial, Point, Scalar};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 §4): it has no other form in DER.
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The keys of a PEM file, block by block.
pub(super) fn read(pem: &str) -> Result<Vec<Placed>, Fault> {
    let mut keys = Vec::new();
    let mut rest = pem;
    while let Some(begin) = rest.find(BEGIN) {
        let block = &rest[begin..];
        let end = block.find(END).ok_or_else(|| Fault::whole("a PEM block has no end"))?;
        let after = block[end..].find('\n').map_or(block.len(), |line| end + line + 1);
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        // `openssl ecparam` writes the curve in a block of its own; the key names it again.
        if label != "EC PARAMETERS" {
            keys.push(placed(key(label, &block[..after])));
        }
        rest = &block[after..];
    }
    Ok(keys)
}

/// One key in DER.
pub(super) fn read_der(der: &[u8]) -> Placed {
    let private = || {
        let key = p256::SecretKey::from_pkcs8_der(der).ok().or_else(|| p256::SecretKey::from_sec1_der(der).ok())?;
        Scalar::of(&key).map(KeyMaterial::EcPrivate)
    };
    placed(public(der).or_else(private).ok_or_else(|| Fault::whole("DER, but no key of P-256 or Ed25519")))
}

fn key(label: &str, block: &str) -> Result<KeyMaterial, Fault> {
    let unread = || Fault::unsupported("PEM", format!("block {label:?} is no key of P-256 or Ed25519"));
    match label {
        "PUBLIC KEY" => public(&der(block).ok_or_else(unread)?).ok_or_else(unread),
        "PRIVATE KEY" => private(p256::SecretKey::from_pkcs8_pem(block).ok()).ok_or_else(unread),
        "EC PRIVATE KEY" => private(p256::SecretKey::from_sec1_pem(block).ok()).ok_or_else(unread),
        _ => Err(unread()),
    }
}

fn private(key: Option<p256::SecretKey>) -> Option<KeyMaterial> {
    key.and_then(|key| Scalar::of(&key)).map(KeyMaterial::EcPrivate)
}

fn public(der: &[u8]) -> Option<KeyMaterial> {
    if let Some(x) = der.strip_prefix(ED25519_SPKI) {
        return x.try_into().ok().map(KeyMaterial::Ed25519Public);
    }
    let key = p256::PublicKey::from_public_key_der(der).ok()?;
    Some(KeyMaterial::EcPublic(Point::of(&key)))
}

fn der(block: &str) -> Option<Vec<u8>> {
    p256::pkcs8::Document::from_pem(block).ok().map(|(_, document)| document.as_bytes().to_vec())
}

fn placed(material: Result<KeyMaterial, Fault>) -> Placed {
    let offered = material.map(|material| Offered {
        material,
        signing_half: false,
        kid: None,
        usage: None,
        operations: None,
        alg: None,
        owner: Owner::default(),
    });
    Placed { kid: None, offered }
}
