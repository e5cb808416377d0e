//! PEM and DER: SubjectPublicKeyInfo, PKCS#8, SEC1 and PKCS#1 keys, X.509 certificates and CRLs (RFC 5280, 5958, 5915,
//! 8017, 8410, 9881). Such a file says nothing of device or policy: the operator does.

use p256::pkcs8::der::asn1::{AnyRef, OctetStringRef};
use p256::pkcs8::der::{Decode, Encode};
use p256::pkcs8::spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};
use p256::pkcs8::{DecodePrivateKey, Document, PrivateKeyInfoRef};
use pkcs1::UintRef;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::import::draft::{Offered, Owner};
use crate::import::{Entry, Fault, Placed};
use crate::key::Algorithm;
use crate::private_key::{Curve, Kem, KeyMaterial, Point, RsaPrivate, RsaPublic, Scalar, X25519};
use crate::trust::revocation::Crl;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA: ObjectIdentifier = pkcs1::ALGORITHM_OID;

/// Keys without parameters: the OID says it all.
const OKP_X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
const OKP_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OKP_ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

/// ML-KEM (RFC 9935 §3).
const ML_KEM: &[(ObjectIdentifier, Algorithm)] = &[
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.1"), Algorithm::MlKem512),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.2"), Algorithm::MlKem768),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.3"), Algorithm::MlKem1024),
];

/// Named curves (RFC 5480 §2.1.1.1).
const CURVES: &[(ObjectIdentifier, Curve)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), Curve::P256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Curve::P384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Curve::P521),
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), Curve::Secp256k1),
];

/// What a PEM file holds, block by block.
pub(super) fn read(pem: &str) -> Result<Vec<Entry>, Fault> {
    let mut keys = Vec::new();
    let mut rest = pem;
    while let Some(begin) = rest.find(BEGIN) {
        let block = &rest[begin..];
        let end = block.find(END).ok_or_else(|| Fault::whole("a PEM block has no end"))?;
        let after = block[end..].find('\n').map_or(block.len(), |line| end + line + 1);
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        // `openssl ecparam` writes the curve in a block of its own; the key names it again.
        if label != "EC PARAMETERS" {
            keys.push(entry(label, &block[..after]));
        }
        rest = &block[after..];
    }
    Ok(keys)
}

/// One key, certificate or CRL in DER.
pub(super) fn read_der(der: &[u8]) -> Entry {
    if let Some(certificate) = Certificate::read(der) {
        return Entry::Certificate(Box::new(certificate));
    }
    if let Some(crl) = Crl::read(der) {
        return Entry::Crl(Box::new(crl));
    }
    let material = public(der).or_else(|| private(der)).or_else(|| sec1(der)).or_else(|| pkcs1_private(der));
    placed(material.ok_or_else(|| Fault::whole("DER, but no key or certificate that is supported")))
}

fn entry(label: &str, block: &str) -> Entry {
    let unread = || Fault::unsupported("PEM", format!("block {label:?} is no key that is supported"));
    let Some(der) = der(block) else { return placed(Err(unread())) };
    let certificate = || Certificate::read(&der).map(|certificate| Entry::Certificate(Box::new(certificate)));
    let crl = || Crl::read(&der).map(|crl| Entry::Crl(Box::new(crl)));
    let material = match label {
        "CERTIFICATE" => return certificate().unwrap_or_else(|| placed(Err(unread()))),
        "X509 CRL" => return crl().unwrap_or_else(|| placed(Err(unread()))),
        "PUBLIC KEY" => public(&der),
        "PRIVATE KEY" => private(&der),
        "EC PRIVATE KEY" => sec1(&der),
        "RSA PUBLIC KEY" => pkcs1_public(&der),
        "RSA PRIVATE KEY" => pkcs1_private(&der),
        _ => None,
    };
    placed(material.ok_or_else(unread))
}

/// SubjectPublicKeyInfo (RFC 5280 §4.1).
pub(crate) fn public(der: &[u8]) -> Option<KeyMaterial> {
    let SubjectPublicKeyInfoRef { algorithm, subject_public_key } = SubjectPublicKeyInfoRef::from_der(der).ok()?;
    let key = subject_public_key.as_bytes()?;
    let fixed =
        |set: Algorithm| (Some(key.len()) == set.ml_dsa_key()).then(|| KeyMaterial::AkpPublic(set, key.to_vec()));
    match algorithm.oid {
        EC => Point::of_sec1(curve(&algorithm)?, key).map(KeyMaterial::EcPublic),
        RSA => pkcs1_public(key),
        OKP_X25519 => key.try_into().ok().map(KeyMaterial::X25519Public),
        OKP_ED25519 => key.try_into().ok().map(KeyMaterial::Ed25519Public),
        OKP_ED448 => key.try_into().ok().map(KeyMaterial::Ed448Public),
        ML_DSA_44 => fixed(Algorithm::MlDsa44),
        ML_DSA_65 => fixed(Algorithm::MlDsa65),
        ML_DSA_87 => fixed(Algorithm::MlDsa87),
        _ => None,
    }
}

/// PrivateKeyInfo (RFC 5958) of a key that agrees or decrypts.
fn private(der: &[u8]) -> Option<KeyMaterial> {
    let info = PrivateKeyInfoRef::try_from(der).ok()?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        EC => match curve(&info.algorithm)? {
            Curve::P256 => scalar(Curve::P256, p256::SecretKey::from_pkcs8_der(der).ok()?.to_bytes()),
            Curve::P384 => scalar(Curve::P384, p384::SecretKey::from_pkcs8_der(der).ok()?.to_bytes()),
            Curve::P521 => scalar(Curve::P521, p521::SecretKey::from_pkcs8_der(der).ok()?.to_bytes()),
            Curve::Secp256k1 => None,
        },
        RSA => pkcs1_private(key),
        OKP_X25519 => {
            let d = <&OctetStringRef>::from_der(key).ok()?;
            X25519::new(d.as_bytes()).map(KeyMaterial::X25519Private)
        }
        oid => {
            let (_, set) = ML_KEM.iter().find(|(of, _)| *of == oid)?;
            kem_private(*set, key).filter(|key| key.set == *set).map(KeyMaterial::KemPrivate)
        }
    }
}

/// ML-KEM-PrivateKey (RFC 9935 §6): a CHOICE of the seed (tag 0, 64 bytes), the expanded key, or both of them, which then
/// belong together.
fn kem_private(set: Algorithm, der: &[u8]) -> Option<Kem> {
    if let [0x80, 64, seed @ ..] = der {
        return Kem::of_seed(set, seed);
    }
    if let Ok(expanded) = <&OctetStringRef>::from_der(der) {
        return Kem::new(expanded.as_bytes());
    }
    let both = Vec::<&OctetStringRef>::from_der(der).ok()?;
    let [seed, expanded] = both.as_slice() else { return None };
    let key = Kem::of_seed(set, seed.as_bytes())?;
    (key.private.as_slice() == expanded.as_bytes()).then_some(key)
}

/// ECPrivateKey (RFC 5915).
fn sec1(der: &[u8]) -> Option<KeyMaterial> {
    let p256 = || scalar(Curve::P256, p256::SecretKey::from_sec1_der(der).ok()?.to_bytes());
    let p384 = || scalar(Curve::P384, p384::SecretKey::from_sec1_der(der).ok()?.to_bytes());
    let p521 = || scalar(Curve::P521, p521::SecretKey::from_sec1_der(der).ok()?.to_bytes());
    p256().or_else(p384).or_else(p521)
}

fn scalar(curve: Curve, d: impl AsRef<[u8]> + zeroize::Zeroize) -> Option<KeyMaterial> {
    let d = Zeroizing::new(d);
    Scalar::new(curve, (*d).as_ref()).map(KeyMaterial::EcPrivate)
}

/// RSAPublicKey (RFC 8017 A.1.1).
fn pkcs1_public(der: &[u8]) -> Option<KeyMaterial> {
    let key: pkcs1::RsaPublicKey<UintRef<'_>> = Decode::from_der(der).ok()?;
    RsaPublic::new(key.modulus.as_bytes(), key.public_exponent.as_bytes()).map(KeyMaterial::RsaPublic)
}

/// RSAPrivateKey (RFC 8017 A.1.2) of two primes.
fn pkcs1_private(der: &[u8]) -> Option<KeyMaterial> {
    let key: pkcs1::RsaPrivateKey<UintRef<'_>> = Decode::from_der(der).ok()?;
    if key.other_prime_infos.is_some() {
        return None;
    }
    let public = RsaPublic::new(key.modulus.as_bytes(), key.public_exponent.as_bytes())?;
    let parts = [key.private_exponent, key.prime1, key.prime2, key.exponent1, key.exponent2, key.coefficient];
    let parts = parts.map(|part| Zeroizing::new(part.as_bytes().to_vec()));
    RsaPrivate::new(public, parts).map(KeyMaterial::RsaPrivate)
}

fn curve(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<Curve> {
    let named = algorithm.parameters_oid().ok()?;
    CURVES.iter().find(|(oid, _)| *oid == named).map(|(_, curve)| *curve)
}

/// The algorithm of an EC key in a SubjectPublicKeyInfo.
pub(crate) fn ec_algorithm(curve: Curve) -> AlgorithmIdentifierRef<'static> {
    let named = CURVES.iter().find(|(_, of)| *of == curve).map(|(oid, _)| AnyRef::from(oid));
    AlgorithmIdentifierRef { oid: EC, parameters: named }
}

/// The algorithm of an ML-KEM key in a SubjectPublicKeyInfo (RFC 9935 §4).
pub(crate) fn kem_algorithm(set: Algorithm) -> Option<AlgorithmIdentifierRef<'static>> {
    let (oid, _) = ML_KEM.iter().find(|(_, of)| *of == set)?;
    Some(AlgorithmIdentifierRef { oid: *oid, parameters: None })
}

/// The algorithm of an X25519 key in a SubjectPublicKeyInfo.
pub(crate) const fn x25519_algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid: OKP_X25519, parameters: None }
}

fn der(block: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, document) = Document::from_pem(block).ok()?;
    Some(Zeroizing::new(document.to_der().ok()?))
}

fn placed(material: Result<KeyMaterial, Fault>) -> Entry {
    Entry::Key(Box::new(Placed { kid: None, offered: material.map(offered) }))
}

/// A key of which nothing else is said.
pub(super) fn offered(material: KeyMaterial) -> Offered {
    Offered {
        material,
        signing_half: false,
        kid: None,
        usage: None,
        operations: None,
        alg: None,
        owner: Owner::default(),
        certified: None,
    }
}
