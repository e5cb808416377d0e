//! Certificates in headers (RFC 9360, RFC 7515 §4.1.6): what is integrity-protected may lead to an anchor, what is not may
//! select a pinned certificate and no more.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use coset::cbor::value::Value as Cbor;
use coset::{CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable, iana};
use keystore::{Defaults, ImportOptions, Keystore};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, SigningKey, date_time_ymd,
};
use serde_json::json;
use sha2::{Digest, Sha256, Sha512};

use super::NOW_S;
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, Departure, KeyName, Reason, Sealed, Timestamp};
use crate::opening::{Finding, House, find};

const X5BAG: i64 = 32;
const X5CHAIN: i64 = 33;
const X5T: i64 = 34;

/// A root, a CA under it, and a device with a certificate of that CA.
struct Pki {
    root: Vec<u8>,
    between: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
    leaf: Vec<u8>,
}

fn says(name: &str, ca: bool) -> CertificateParams {
    let mut says = CertificateParams::default();
    says.distinguished_name = DistinguishedName::new();
    says.distinguished_name.push(DnType::CommonName, name);
    (says.not_before, says.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    if ca {
        says.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    } else {
        says.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    }
    says
}

impl Pki {
    fn new() -> Self {
        let (root_key, between_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = says("root", true).self_signed(&root_key).unwrap().der().to_vec();
        let issuer = Issuer::new(says("root", true), root_key);
        let between = says("between", true).signed_by(&between_key, &issuer).unwrap().der().to_vec();
        let issuer = Issuer::new(says("between", true), between_key);
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let leaf = says("meter-7", false).signed_by(&key, &issuer).unwrap().der().to_vec();
        Self { root, between, issuer, key, leaf }
    }

    /// Another certificate of the same key.
    fn also(&self, name: &str) -> Vec<u8> {
        says(name, false).signed_by(&self.key, &self.issuer).unwrap().der().to_vec()
    }

    /// A COSE_Sign1 of the device with these headers.
    fn sign1(&self, protected: Vec<(i64, Cbor)>, unprotected: Vec<(i64, Cbor)>) -> Vec<u8> {
        let headers = |headers: Vec<(i64, Cbor)>, mut builder: HeaderBuilder| {
            for (label, value) in headers {
                builder = builder.value(label, value);
            }
            builder.build()
        };
        let protected: Header = headers(protected, HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA));
        CoseSign1Builder::new()
            .protected(protected)
            .unprotected(headers(unprotected, HeaderBuilder::new()))
            .payload(b"21.5".to_vec())
            .create_signature(b"", |signed| self.key.sign(signed).unwrap())
            .build()
            .to_tagged_vec()
            .unwrap()
    }

    fn jws(&self, header: &serde_json::Value) -> Vec<u8> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(b"21.5"));
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(&signature)).into_bytes()
    }

    /// A recorded keystore with that anchor, which is gone with its folder.
    fn house(&self) -> (tempfile::TempDir, House) {
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::open(folder.path(), Defaults::default()).unwrap();
        keystore.import(&self.root, &ImportOptions { anchor: true, ..ImportOptions::default() }).unwrap();
        (folder, House::new(keystore.into(), Limits::default()))
    }
}

fn chain(certificates: &[&[u8]]) -> Cbor {
    match certificates {
        [one] => Cbor::Bytes(one.to_vec()),
        several => Cbor::Array(several.iter().map(|der| Cbor::Bytes(der.to_vec())).collect()),
    }
}

fn x5t(hash: i64, value: &[u8]) -> Cbor {
    Cbor::Array(vec![Cbor::Integer(hash.into()), Cbor::Bytes(value.to_vec())])
}

/// The sender, or why there is none.
fn sender(house: &House, sealed: Vec<u8>, compat: &Compat) -> Result<String, Reason> {
    match opened(house, sealed, compat) {
        Finding::Opened(settled, _) => Ok(settled.facts().proven.sender.clone().unwrap()),
        Finding::Refused(refusal) => Err(refusal.reason),
        Finding::Held(held) => {
            assert!(!held.key_names.is_empty(), "it is held for nothing that could come");
            Err(held.reason)
        }
    }
}

fn opened(house: &House, sealed: Vec<u8>, compat: &Compat) -> Finding {
    let sealed = Sealed { bytes: sealed.into(), cose_type: None };
    let claims = Claims::default();
    let arrival = Arrival { judges_expiry: false, ..Arrival::offline(&claims, compat, Timestamp::from_seconds(NOW_S)) };
    find(house, &arrival, &sealed).unwrap()
}

/// A row: what it is, protected headers, unprotected headers, what comes of it.
type Row = (&'static str, Vec<(i64, Cbor)>, Vec<(i64, Cbor)>, Result<&'static str, Reason>);

#[test]
fn what_is_protected_may_lead_to_an_anchor() {
    let pki = Pki::new();
    let whole = chain(&[&pki.leaf, &pki.between]);
    let sha256 = x5t(-16, &Sha256::digest(&pki.leaf));
    let sha512 = x5t(-44, &Sha512::digest(&pki.leaf));
    let short = x5t(-15, &Sha256::digest(&pki.leaf)[..8]);
    let other = x5t(-16, &Sha256::digest(&pki.between));
    let bag = chain(&[&pki.between, &pki.leaf]);
    let rows: Vec<Row> = vec![
        ("x5chain", vec![(X5CHAIN, whole.clone())], vec![], Ok("meter-7")),
        ("x5chain, unprotected", vec![], vec![(X5CHAIN, whole.clone())], Err(Reason::NoKey)),
        ("with its hash", vec![(X5T, sha256.clone())], vec![(X5CHAIN, whole.clone())], Ok("meter-7")),
        ("with a longer hash", vec![(X5T, sha512)], vec![(X5CHAIN, whole.clone())], Ok("meter-7")),
        ("with a short hash", vec![(X5T, short.clone())], vec![(X5CHAIN, whole.clone())], Err(Reason::NoKey)),
        ("both, short hash", vec![(X5T, short), (X5CHAIN, whole.clone())], vec![], Ok("meter-7")),
        ("hash unprotected", vec![], vec![(X5T, sha256.clone()), (X5CHAIN, whole.clone())], Err(Reason::NoKey)),
        ("hash of another", vec![(X5T, other)], vec![(X5CHAIN, whole)], Err(Reason::KeyNotUsable)),
        ("bag with its hash", vec![(X5T, sha256.clone())], vec![(X5BAG, bag.clone())], Ok("meter-7")),
        ("bag alone", vec![(X5BAG, bag)], vec![], Err(Reason::NoKey)),
        ("issuer missing", vec![(X5CHAIN, chain(&[&pki.leaf]))], vec![], Err(Reason::NoKey)),
        (
            "issuer in the bag",
            vec![(X5CHAIN, chain(&[&pki.leaf]))],
            vec![(X5BAG, chain(&[&pki.between]))],
            Ok("meter-7"),
        ),
        ("hash alone", vec![(X5T, sha256)], vec![], Err(Reason::NoKey)),
    ];
    for (what, protected, unprotected, expected) in rows {
        // A house each: a path once found is kept, with whatever issuers it was found by.
        let (_folder, house) = pki.house();
        let sealed = pki.sign1(protected, unprotected);
        assert_eq!(sender(&house, sealed, Compat::STRICT), expected.map(str::to_owned), "{what}");
    }
}

#[test]
fn a_certificate_that_nothing_protects_may_be_exchanged() {
    let pki = Pki::new();
    let (_folder, house) = pki.house();
    let (seven, eight) = (chain(&[&pki.leaf, &pki.between]), chain(&[&pki.also("meter-8"), &pki.between]));
    let lenient = Compat::of(&[Departure::X5chainUnprotected]);
    // Whoever carries the message may choose whose it is: hence the rule.
    for (certificate, device) in [(seven, "meter-7"), (eight, "meter-8")] {
        let sealed = pki.sign1(vec![], vec![(X5CHAIN, certificate)]);
        assert_eq!(sender(&house, sealed.clone(), &lenient), Ok(device.to_owned()));
        assert_eq!(sender(&house, sealed, Compat::STRICT), Err(Reason::NoKey));
    }
}

#[test]
fn a_pinned_certificate_is_selected_by_whatever_names_it() {
    let pki = Pki::new();
    let (_folder, house) = pki.house();
    let pin = ImportOptions {
        device: Some("gauge-1".to_owned()),
        algs: vec!["EdDSA".to_owned()],
        ..ImportOptions::default()
    };
    house.keystore.import(&pki.leaf, &pin).unwrap();
    let (alone, hash) = (chain(&[&pki.leaf]), x5t(-16, &Sha256::digest(&pki.leaf)));
    for unprotected in [vec![(X5CHAIN, alone)], vec![(X5T, hash)]] {
        let sealed = pki.sign1(vec![], unprotected);
        assert_eq!(sender(&house, sealed, Compat::STRICT), Ok("gauge-1".to_owned()));
    }
}

#[test]
fn a_recorded_certificate_stands_in_for_one_that_is_left_out() {
    let pki = Pki::new();
    let (_folder, house) = pki.house();
    let hash = x5t(-16, &Sha256::digest(&pki.leaf));
    let (bound, loose) = (pki.sign1(vec![(X5T, hash.clone())], vec![]), pki.sign1(vec![], vec![(X5T, hash)]));
    let Finding::Held(held) = opened(&house, bound.clone(), Compat::STRICT) else { panic!("not held") };
    let named = KeyName::Thumbprint { hash: -16, value: Sha256::digest(&pki.leaf).to_vec() };
    assert_eq!(held.key_names, [named]);
    for der in [&pki.leaf, &pki.between] {
        house.keystore.import(der, &ImportOptions::default()).unwrap();
    }
    assert_eq!(sender(&house, bound, Compat::STRICT), Ok("meter-7".to_owned()));
    assert_eq!(sender(&house, loose, Compat::STRICT), Err(Reason::NoKey));
}

#[test]
fn what_is_known_and_may_not_be_used_is_refused() {
    let pki = Pki::new();
    let mut says = says("meter-7", false);
    says.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let leaf = says.signed_by(&pki.key, &pki.issuer).unwrap().der().to_vec();
    let sealed = pki.sign1(vec![(X5CHAIN, chain(&[&leaf, &pki.between]))], vec![]);
    let (_folder, house) = pki.house();
    let Finding::Refused(refusal) = opened(&house, sealed, Compat::STRICT) else { panic!("not refused") };
    assert_eq!(refusal.reason, Reason::KeyNotUsable);
    assert!(refusal.detail.unwrap().contains("keyUsage"));
}

#[test]
fn a_certificate_of_another_key_does_not_help() {
    let pki = Pki::new();
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let leaf = says("meter-7", false).signed_by(&other, &pki.issuer).unwrap().der().to_vec();
    let sealed = pki.sign1(vec![(X5CHAIN, chain(&[&leaf, &pki.between]))], vec![]);
    let (_folder, house) = pki.house();
    assert_eq!(sender(&house, sealed, Compat::STRICT), Err(Reason::AuthFailed));
}

#[test]
fn jose_names_certificates_too() {
    let pki = Pki::new();
    let x5c = json!([STANDARD.encode(&pki.leaf), STANDARD.encode(&pki.between)]);
    let hash = |der: &[u8]| URL_SAFE_NO_PAD.encode(Sha256::digest(der));
    let rows = [
        (json!({"alg": "EdDSA", "x5c": x5c}), Ok("meter-7")),
        (json!({"alg": "EdDSA", "x5c": x5c, "x5t#S256": hash(&pki.leaf)}), Ok("meter-7")),
        (json!({"alg": "EdDSA", "x5c": x5c, "x5t#S256": hash(&pki.between)}), Err(Reason::KeyNotUsable)),
        (json!({"alg": "EdDSA", "x5c": [x5c[0]]}), Err(Reason::NoKey)),
        (json!({"alg": "EdDSA", "x5t#S256": hash(&pki.leaf)}), Err(Reason::NoKey)),
    ];
    for (header, expected) in rows {
        let (_folder, house) = pki.house();
        let found = sender(&house, pki.jws(&header), Compat::STRICT);
        assert_eq!(found, expected.map(str::to_owned), "{header}");
    }
}
