//! What JOSE asks of keys (jose.md §5): names, sets, pairs, passwords, formats.

use serde_json::{Value, json};

use super::{EC, ED, GATEWAY, K16, K32, jwk, oct, try_import};
use crate::fixture::{defaults, key, on_disk};
use crate::key::{Algorithm, Name};
use crate::{AdminError, ImportOptions, Keystore};

#[test]
fn names_of_the_jose_registry_are_understood() {
    let long = "A".repeat(84) + "AQ";
    let rows = [
        (jwk(&format!(r#""kty":"oct","k":"{K16}","alg":"A128GCMKW""#), ""), Algorithm::A128GcmKw),
        (jwk(&format!(r#""kty":"oct","k":"{K32}","alg":"A128CBC-HS256""#), ""), Algorithm::A128CbcHs256),
        (
            jwk(&format!(r#""kty":"oct","k":"{K32}","alg":"HS256","key_ops":["sign","verify"]"#), ""),
            Algorithm::Hmac256_256,
        ),
        (jwk(&format!(r#""kty":"oct","k":"{long}","alg":"HS512""#), ""), Algorithm::Hmac512_512),
        (jwk(&format!(r#""kty":"oct","k":"{K16}","alg":"A128GCM","key_ops":["unwrapKey"]"#), ""), Algorithm::A128Gcm),
        (jwk(&format!(r#""kty":"oct","k":"{K16}","alg":"PBES2-HS256+A128KW""#), ""), Algorithm::Pbes2Hs256A128Kw),
        (jwk(&format!(r#"{ED},"alg":"Ed25519""#), ""), Algorithm::Ed25519),
        (jwk(&format!(r#"{EC},"alg":"ES256","use":"sig""#), ""), Algorithm::Es256),
    ];
    for (file, algorithm) in rows {
        let (_folder, keystore) = on_disk();
        try_import(&keystore, &file).unwrap();
        assert_eq!(key(&keystore, "01").policy.algs, [algorithm], "{file}");
    }
    for (name, kty) in [("dir", "oct"), ("HS1", "oct"), ("none", "oct"), ("hs256", "oct"), ("ES521", "EC")] {
        let members = if kty == "oct" { format!(r#""kty":"oct","k":"{K32}""#) } else { EC.to_owned() };
        let (_folder, keystore) = on_disk();
        let error = try_import(&keystore, &jwk(&format!(r#"{members},"alg":"{name}""#), "")).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("alg"), "{name}");
    }
}

/// Each name is of one algorithm, and is found again.
#[test]
fn names_are_distinct_in_both_registries() {
    for algorithm in Algorithm::ALL.iter().copied() {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        if let Some(name) = algorithm.jose() {
            let same = Algorithm::from_name(name).is_none_or(|named| named == algorithm);
            assert!(same, "{name} is {algorithm:?} in JOSE");
            assert_eq!(Algorithm::ALL.iter().filter(|other| other.jose() == Some(name)).count(), 1);
        }
        if let Some(number) = algorithm.cose() {
            assert_eq!(Algorithm::ALL.iter().filter(|other| other.cose() == Some(number)).count(), 1);
        }
    }
}

fn set(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

#[test]
fn one_kid_is_one_key_of_a_set() {
    let of = |kid: &str, members: &str| format!(r#"{{{members},"kid":"{kid}"}}"#);
    let (one, two) = (format!(r#""kty":"oct","k":"{K32}""#), r#""kty":"oct","k":"AAECAwQFBgcICQoLDA0ODw""#);
    let offline = |file: &str| try_import(&Keystore::ephemeral(defaults()).unwrap(), file);
    let error = offline(&set(&[&of("a", &one), &of("a", two)])).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("kid"));
    assert!(offline(&set(&[&of("a", &one), &of("b", two)])).is_ok(), "the untouched twin");
    assert!(offline(&set(&[&of("a", &one), &of("a", EC)])).is_ok(), "of another kty");
    assert!(offline(&set(&[&of("a", EC), &of("a", ED)])).is_ok(), "of another kty");
}

#[test]
fn both_halves_of_a_pair_are_recorded() {
    let public = GATEWAY.split_once(r#","d""#).unwrap().0;
    let ours = format!(r#"{{{GATEWAY},"kid":"pair","paperknife":{{"algs":["ECDH-ES+A128KW"]}}}}"#);
    let theirs = format!(r#"{{{public},"kid":"pair","alg":"ES256","paperknife":{{"device":"d"}}}}"#);
    for files in [[&ours, &theirs], [&theirs, &ours]] {
        let (_folder, keystore) = on_disk();
        files.iter().for_each(|file| try_import(&keystore, file).unwrap());
        // Again: both are known, and restated each for itself.
        for file in files {
            assert!(keystore.import(file.as_bytes(), &ImportOptions::default()).unwrap()[0].updated);
        }
        let mut keys = keystore.find("default", Some(Name::Kid(b"pair"))).unwrap();
        keys.sort_by_key(|key| key.private);
        let algs: Vec<_> = keys.iter().map(|key| (key.private, key.policy.algs.clone())).collect();
        assert_eq!(algs, [(false, vec![Algorithm::Es256]), (true, vec![Algorithm::EcdhEsA128Kw])]);
    }
    let offline = Keystore::ephemeral(defaults()).unwrap();
    try_import(&offline, &set(&[&ours, &theirs])).unwrap();
    assert_eq!(offline.find("default", Some(Name::Kid(b"pair"))).unwrap().len(), 2);
    // A half is still one device's alone.
    let (_folder, keystore) = on_disk();
    try_import(&keystore, &theirs).unwrap();
    let other = theirs.replace(r#""device":"d""#, r#""device":"e""#);
    assert!(matches!(keystore.import(other.as_bytes(), &ImportOptions::default()), Err(AdminError::Conflict(_))));
}

/// A key of `RSA-OAEP` or `RSA1_5`, whose names have marks of their own, comes back from its record.
#[test]
fn rsa_names_survive_their_record() {
    let pem = include_bytes!("rsa_pkcs8.pem");
    for (name, algorithm) in [("RSA1_5", Algorithm::RsaPkcs1V15), ("RSA-OAEP", Algorithm::RsaOaepSha1)] {
        let (_folder, keystore) = on_disk();
        let options = ImportOptions { kid: Some(vec![1]), algs: vec![name.to_owned()], ..ImportOptions::default() };
        keystore.import(pem, &options).unwrap();
        assert_eq!(key(&keystore, "01").policy.algs, [algorithm]);
    }
}

/// RFC 7518 §6.3.1: no leading zeros, in n or in e.
#[test]
fn rsa_integers_are_minimal() {
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    let n = |first: u8| {
        let mut n = vec![0xc5; 256];
        n[0] = first;
        n[255] = 1;
        base64url(&n)
    };
    let jwk = |n: &str, e: &str| format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#);
    assert!(try_import(&keystore, &jwk(&n(0xc5), "AQAB")).is_ok(), "the untouched twin");
    assert!(try_import(&keystore, &jwk(&n(0x00), "AQAB")).is_err());
    assert!(try_import(&keystore, &jwk(&n(0xc5), "AAEAAQ")).is_err());
    assert!(try_import(&keystore, &jwk(&n(0xc5), "Aw")).is_err(), "3");
    assert!(try_import(&keystore, &jwk(&n(0xc5), "AQAA")).is_err(), "even");
}

fn base64url(bytes: &[u8]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::encode_string(bytes)
}

#[test]
fn a_password_is_a_key_of_passwords_alone() {
    let offline = Keystore::ephemeral(defaults()).unwrap();
    offline.import_password("paß".as_bytes(), &ImportOptions::default()).unwrap();
    let key = offline.find("default", None).unwrap().remove(0);
    assert_eq!(key.policy.algs.len(), 4);
    assert!(key.policy.algs.contains(&Algorithm::PwriKek));
    assert!(offline.import_password(b"", &ImportOptions::default()).is_err());
    assert!(offline.import_password(&[7; 257], &ImportOptions::default()).is_err());

    let (_folder, keystore) = on_disk();
    assert!(keystore.import_password(b"password", &ImportOptions::default()).is_err(), "whose?");
    let options = ImportOptions {
        kid: Some(b"pw".to_vec()),
        device: Some("d".to_owned()),
        algs: vec!["PBES2-HS256+A128KW".to_owned()],
        ..ImportOptions::default()
    };
    keystore.import_password(b"password", &options).unwrap();
    let key = keystore.find("default", Some(Name::Kid(b"pw"))).unwrap().remove(0);
    assert_eq!(key.policy.algs, [Algorithm::Pbes2Hs256A128Kw]);
    let short = r#"{"kty":"oct","k":"cGFzc3dvcmQ","alg":"A128KW"}"#;
    assert!(try_import(&offline, short).is_err(), "as anything else it is too short");
}

/// A master is of COSE, where its derivation is at home; other keys are of every format that their owner does not exclude.
#[test]
fn formats_follow_from_what_the_key_is() {
    let profile = r#""profile":"paperknife-1""#;
    let rows = [
        (oct(K32, profile), &["cose"][..], true),
        (oct(K32, r#""profile":"paperknife-1","kdf":null,"algs":["A256GCM"]"#), &["cose", "cms", "jose"], false),
        (oct(K32, r#""profile":"paperknife-1","formats":["jose"],"algs":["A256GCM"]"#), &["jose"], false),
        (oct(K32, r#""algs":["A256GCM"]"#), &["cose", "cms", "jose"], false),
        (jwk(EC, profile), &["cose", "cms", "jose"], false),
        (jwk(EC, r#""profile":"paperknife-1","formats":["cms"]"#), &["cms"], false),
    ];
    for (file, formats, derives) in rows {
        let (_folder, keystore) = on_disk();
        try_import(&keystore, &file).unwrap();
        let policy = key(&keystore, "01").policy.clone();
        let named: Vec<_> = policy.formats.iter().map(String::as_str).collect();
        assert_eq!((named.as_slice(), policy.derive), (formats, derives), "{file}");
    }
}

/// The gateway's public keys go out as JWKs that JOSE understands, and no other does.
#[test]
fn the_gateway_s_keys_are_exported_by_their_jose_names() {
    let (_folder, keystore) = on_disk();
    let of = |alg: &str, kid: &str| format!(r#"{{{GATEWAY},"kid":"{kid}","paperknife":{{"algs":["{alg}"]}}}}"#);
    try_import(&keystore, &of("ECDH-ES", "jose")).unwrap();
    keystore.import(oct(K32, r#""algs":["A256GCM"]"#).as_bytes(), &ImportOptions::default()).unwrap();
    let exported: Value = serde_json::to_value(keystore.public_keys("default").unwrap()).unwrap();
    let keys = exported["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "its own and no device's");
    for key in keys {
        assert_eq!(key["kty"], "EC");
        assert!(key.get("d").is_none() && key.get("k").is_none());
    }
    let alg = |kid: &str| keys.iter().find(|key| key["kid"] == kid).unwrap()["alg"].clone();
    assert_eq!(alg("jose"), json!("ECDH-ES"));
}
