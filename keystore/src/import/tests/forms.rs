//! One key in every form that it may come in, and out again. The PEM files were made by OpenSSL for these tests alone.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::Value;

use super::{ImportOptions, Keystore, defaults, on_disk};
use crate::key::{Algorithm, KeyRef, Kty, Name};

const RSA_PKCS8: &str = include_str!("rsa_pkcs8.pem");
const RSA_PUBLIC: &str = include_str!("rsa_public.pem");
const P384_PKCS8: &str = include_str!("p384_pkcs8.pem");
const X25519_PKCS8: &str = include_str!("x25519_pkcs8.pem");
const CERTIFICATE: &str = include_str!("certificate.pem");
const CERTIFICATE_SHA256: &str = "4fe5dca0e829fcb5320d4576e17c8ec39e944cc3d623e56b13288b8f51c36ca7";
const CERTIFICATE_SKI: &str = "85730e1917676c03972d325ba1aa6b3034d781cf";

/// The one key of a file, offline.
fn offline(file: &[u8]) -> KeyRef {
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    keystore.import(file, &ImportOptions::default()).unwrap();
    keystore.find("default", None).unwrap().remove(0)
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    Base64::decode_vec(&body).unwrap()
}

#[test]
fn one_key_is_itself_in_every_form() {
    let rows: [(&str, Kty, &[&str]); 4] = [
        (RSA_PUBLIC, Kty::Rsa, &[RSA_PKCS8, include_str!("rsa_pkcs1.pem")]),
        (include_str!("p384_public.pem"), Kty::Ec2P384, &[P384_PKCS8, include_str!("p384_sec1.pem")]),
        (
            include_str!("p521_public.pem"),
            Kty::Ec2P521,
            &[include_str!("p521_pkcs8.pem"), include_str!("p521_sec1.pem")],
        ),
        (include_str!("x25519_public.pem"), Kty::OkpX25519, &[X25519_PKCS8]),
    ];
    for (public, kty, private) in rows {
        let public = [offline(public.as_bytes()), offline(&der(public))];
        assert!(public.iter().all(|key| key.kty == kty && !key.private), "{kty:?}");
        for pem in private {
            for private in [offline(pem.as_bytes()), offline(&der(pem))] {
                assert!(private.private && private.device.is_none(), "{kty:?}");
                assert_eq!(private.thumbprint, public[0].thumbprint, "{kty:?}");
            }
        }
    }
}

#[test]
fn what_an_unnamed_public_key_is_for() {
    let algs = |pem: &str| offline(pem.as_bytes()).policy.algs.clone();
    assert_eq!(algs(RSA_PUBLIC), [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512], "not RS256");
    let ecdsa = |own| vec![Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, own];
    assert_eq!(algs(include_str!("p384_public.pem")), ecdsa(Algorithm::Esp384));
    assert_eq!(algs(include_str!("p521_public.pem")), ecdsa(Algorithm::Esp512));
    assert_eq!(algs(include_str!("secp256k1_public.pem")), [Algorithm::Es256K]);
    let oaep = [Algorithm::RsaOaepSha256, Algorithm::RsaOaepSha384, Algorithm::RsaOaepSha512];
    assert_eq!(algs(RSA_PKCS8), oaep, "neither SHA-1 nor PKCS#1 v1.5");
    assert_eq!(algs(P384_PKCS8).len(), 11, "ECDH-ES and ECDH-SS, without triple DES");
    assert_eq!(algs(CERTIFICATE), [Algorithm::Esp256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512]);

    let ed448 = include_str!("ed448_public.pem").as_bytes();
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    assert!(keystore.import(ed448, &ImportOptions::default()).is_err(), "off by default");
    let also = ImportOptions { also: vec![Algorithm::Ed448, Algorithm::RsaOaepSha1], ..ImportOptions::default() };
    keystore.import(ed448, &also).unwrap();
    keystore.import(RSA_PKCS8.as_bytes(), &also).unwrap();
    let keys = keystore.find("default", None).unwrap();
    assert_eq!(keys[0].policy.algs, [Algorithm::Ed448]);
    assert!(keys[1].policy.algs.contains(&Algorithm::RsaOaepSha1));
}

#[test]
fn names_of_both_registries_are_understood() {
    let rows = [
        ("RSA-OAEP-256", Algorithm::RsaOaepSha256),
        ("RSA-OAEP", Algorithm::RsaOaepSha1),
        ("RSAES-OAEP w/ SHA-512", Algorithm::RsaOaepSha512),
    ];
    let (_folder, keystore) = on_disk();
    for (name, algorithm) in rows {
        let options =
            ImportOptions { kid: Some(b"k".to_vec()), algs: vec![name.to_owned()], ..ImportOptions::default() };
        keystore.import(RSA_PKCS8.as_bytes(), &options).unwrap();
        let key = keystore.find("default", Some(Name::Kid(b"k"))).unwrap().remove(0);
        assert_eq!(key.policy.algs, [algorithm], "{name}, recorded and read back");
    }
    for (name, algorithm) in
        [("ECDH-ES + A192KW", Algorithm::EcdhEsA192Kw), ("ECDH-SS+HKDF-512", Algorithm::EcdhSsHkdf512)]
    {
        let options = ImportOptions { algs: vec![name.to_owned()], ..ImportOptions::default() };
        let keystore = Keystore::ephemeral(defaults()).unwrap();
        keystore.import(P384_PKCS8.as_bytes(), &options).unwrap();
        assert_eq!(keystore.find("default", None).unwrap()[0].policy.algs, [algorithm]);
    }
}

#[test]
fn the_gateways_keys_of_every_kind_are_published() {
    let (_folder, keystore) = on_disk();
    for (kid, pem, alg) in [
        ("rsa", RSA_PKCS8, "RSAES-OAEP w/ SHA-256"),
        ("p384", P384_PKCS8, "ECDH-ES+A256KW"),
        ("x", X25519_PKCS8, "ECDH-ES+HKDF-256"),
    ] {
        let (kid, algs) = (Some(kid.as_bytes().to_vec()), vec![alg.to_owned()]);
        keystore.import(pem.as_bytes(), &ImportOptions { kid, algs, ..ImportOptions::default() }).unwrap();
    }
    let published = keystore.public_keys("default").unwrap();
    let json: Value = serde_json::to_value(&published).unwrap();
    let kinds: Vec<_> = json["keys"].as_array().unwrap().iter().map(|key| (&key["kty"], &key["crv"])).collect();
    let of = |kty: &str, crv: Value| (Value::from(kty), crv);
    let expected =
        [of("EC", "P-256".into()), of("RSA", Value::Null), of("EC", "P-384".into()), of("OKP", "X25519".into())];
    assert_eq!(kinds, expected.each_ref().map(|(kty, crv)| (kty, crv)));
    let text = json.to_string();
    assert!(["\"d\"", "\"p\"", "\"q\"", "\"dp\""].iter().all(|member| !text.contains(member)));

    let pem = published.to_pem();
    let blocks: Vec<_> = pem.split_inclusive("-----END PUBLIC KEY-----\n").collect();
    let public = [RSA_PUBLIC, include_str!("p384_public.pem"), include_str!("x25519_public.pem")];
    assert_eq!(
        blocks[1..].iter().map(|block| der(block)).collect::<Vec<_>>(),
        public.map(der),
        "as OpenSSL writes them"
    );
    assert!(published.to_cose_key_set().starts_with(&[0x84]));
}

#[test]
fn keys_of_every_kind_are_read_back_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let device = || Some("d".to_owned());
    let rows = [
        (RSA_PKCS8, "RSAES-OAEP w/ SHA-256", None),
        (P384_PKCS8, "ECDH-ES+A256KW", None),
        (include_str!("p521_pkcs8.pem"), "ECDH-SS+HKDF-256", None),
        (X25519_PKCS8, "ECDH-ES+HKDF-512", None),
        (include_str!("secp256k1_public.pem"), "ES256K", device()),
        (include_str!("ed448_public.pem"), "Ed448", device()),
        (CERTIFICATE, "ES256", device()),
    ];
    let keystore = Keystore::open(folder.path(), defaults()).unwrap();
    for (at, (pem, alg, device)) in (0_u8..).zip(&rows) {
        let options = ImportOptions {
            kid: Some(vec![at]),
            device: device.clone(),
            algs: vec![(*alg).to_owned()],
            ..ImportOptions::default()
        };
        keystore.import(pem.as_bytes(), &options).unwrap();
    }
    drop(keystore);
    let keystore = Keystore::open(folder.path(), defaults()).unwrap();
    for (at, (_, alg, device)) in (0_u8..).zip(rows) {
        let key = keystore.find("default", Some(Name::Kid(&[at]))).unwrap().remove(0);
        assert_eq!((key.policy.algs[0].name(), &key.device, key.private), (alg, &device, device.is_none()));
    }
}

#[test]
fn a_rsa_key_whose_parts_do_not_belong_together_is_refused() {
    let text = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let file = der(RSA_PKCS8);
    let key: p256::pkcs8::PrivateKeyInfoRef<'_> = file.as_slice().try_into().unwrap();
    let der = key.private_key.as_bytes().to_vec();
    let key: pkcs1::RsaPrivateKey<pkcs1::UintRef<'_>> = p256::pkcs8::der::Decode::from_der(&der).unwrap();
    let parts = [key.private_exponent, key.prime1, key.prime2, key.exponent1, key.exponent2, key.coefficient];
    let jwk = |parts: &[Vec<u8>]| {
        let names = ["d", "p", "q", "dp", "dq", "qi"];
        let parts: String =
            names.iter().zip(parts).map(|(name, part)| format!(r#","{name}":"{}""#, text(part))).collect();
        format!(r#"{{"kty":"RSA","n":"{}","e":"{}"{parts}}}"#, text(key.modulus.as_bytes()), text(&[1, 0, 1]))
    };
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.as_bytes().to_vec()).collect();
    assert_eq!(offline(jwk(&parts).as_bytes()).thumbprint, offline(RSA_PUBLIC.as_bytes()).thumbprint);
    let import =
        |jwk: &str| Keystore::ephemeral(defaults()).unwrap().import(jwk.as_bytes(), &ImportOptions::default()).is_err();
    for at in 0..6 {
        let mut altered = parts.clone();
        altered[at][9] ^= 4;
        assert!(import(&jwk(&altered)), "part {at}");
        assert!(at == 0 || import(&jwk(&parts[..at])), "{at} parts");
    }
    let mut twice = parts.clone();
    twice[2] = twice[1].clone();
    assert!(import(&jwk(&twice)), "one prime twice");
}

#[test]
fn a_pinned_certificate_is_known_by_its_names() {
    let (_folder, keystore) = on_disk();
    let options = ImportOptions {
        device: Some("meter-7".to_owned()),
        algs: vec!["ES256".to_owned()],
        ..ImportOptions::default()
    };
    let imported = keystore.import(CERTIFICATE.as_bytes(), &options).unwrap();
    assert_eq!(imported[0].kid_hex, CERTIFICATE_SKI, "where the operator names no kid");
    let issuer =
        hex::decode("3024 3110300e06035504030c076d657465722d37 3110300e060355040a0c074578616d706c65".replace(' ', ""));
    let (issuer, sha256) = (issuer.unwrap(), hex::decode(CERTIFICATE_SHA256).unwrap());
    let (ski, serial) = (hex::decode(CERTIFICATE_SKI).unwrap(), [0, 0xf1, 0xe2, 0xd3, 0xc4]);
    let found = |name: Name<'_>| keystore.find("default", Some(name)).unwrap().len();
    let known = [
        Name::Kid(&ski),
        Name::Ski(&ski),
        Name::Thumbprint { hash: -16, value: &sha256 },
        Name::Thumbprint { hash: -15, value: &sha256[..8] },
        Name::IssuerSerial { issuer: &issuer, serial: &serial },
    ];
    for name in known {
        assert_eq!(found(name), 1, "{name:?}");
        assert_eq!(keystore.find("other", Some(name)).unwrap().len(), 0, "{name:?} of another tenant");
    }
    let unknown = [
        Name::Thumbprint { hash: -16, value: &sha256[..8] },
        Name::Thumbprint { hash: -44, value: &sha256 },
        Name::Thumbprint { hash: -16, value: &[] },
        Name::IssuerSerial { issuer: &issuer, serial: &serial[..4] },
        Name::IssuerSerial { issuer: &issuer[..4], serial: &serial },
        Name::IssuerSerial { issuer: &[7; 5_000], serial: &serial },
        Name::Ski(&[]),
        Name::Ski(&sha256),
    ];
    for name in unknown {
        assert_eq!(found(name), 0, "{name:?}");
    }
    let key = keystore.find("default", Some(Name::Ski(&ski))).unwrap().remove(0);
    assert_eq!((key.not_before, key.device.as_deref()), (Some(1_795_523_593_000), Some("meter-7")));
    keystore.destroy("default", &key.id, None).unwrap();
    assert_eq!(found(Name::Ski(&ski)), 0, "destroyed");
}

#[test]
fn an_index_row_that_the_key_does_not_confirm_finds_nothing() {
    let (folder, keystore) = on_disk();
    let options = ImportOptions {
        device: Some("meter-7".to_owned()),
        algs: vec!["ES256".to_owned()],
        ..ImportOptions::default()
    };
    keystore.import(CERTIFICATE.as_bytes(), &options).unwrap();
    let file = rusqlite::Connection::open(folder.path().join("keystore.db")).unwrap();
    let planted = "INSERT INTO key_name SELECT tenant, 'ski:07', id, version FROM key WHERE device = 'meter-7'";
    assert_eq!(file.execute(planted, []).unwrap(), 1);
    assert!(keystore.find("default", Some(Name::Ski(&[7]))).unwrap().is_empty());
}
