//! What is taken, with which policy, and what is not, with which fault.

mod forms;
mod jose;

use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};

use crate::error::{AdminError, ImportError};
use crate::fixture::{GATEWAY_JWK, MASTER_JWK, SIGNER_JWK, bytes, defaults, import, key, key_set, offline, on_disk};
use crate::key::{Algorithm, EndpointBinding, Kty, PathBinding, Policy, Shape};
use crate::{ImportOptions, Keystore};

const K16: &str = "uJXxQ0s6A5fpTgAO1XsThQ";
const K32: &str = "uJXxQ0s6A5fpTgAO1XsThQF9K8QL1M1RXKc2rOUk_gI";
const EC: &str = r#""kty":"EC","crv":"P-256","x":"6MqDlR3zqATnrB-r2F263sFn-Zh7KHRwubdy1sow-Vk",
                   "y":"wl8-8lDClPsEeVnMO0I1bqLV1xij4dI6wsi2U1jf6vc""#;
const GATEWAY: &str = r#""kty":"EC","crv":"P-256","x":"JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko",
                        "y":"lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I","d":"hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU""#;
const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

/// A JWK of these members and these under `paperknife`, kid and device among them.
fn jwk(members: &str, paperknife: &str) -> String {
    let comma = if paperknife.is_empty() { "" } else { "," };
    format!(r#"{{{members},"paperknife":{{"kid_hex":"01","device":"d"{comma}{paperknife}}}}}"#)
}

fn oct(k: &str, paperknife: &str) -> String {
    jwk(&format!(r#""kty":"oct","k":"{k}""#), paperknife)
}

fn try_import(keystore: &Keystore, file: &str) -> Result<(), ImportError> {
    match keystore.import(file.as_bytes(), &ImportOptions::default()) {
        Ok(_) => Ok(()),
        Err(AdminError::Import(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

fn policy(file: &str) -> Policy {
    let (_folder, keystore) = on_disk();
    import(&keystore, file);
    key(&keystore, "01").policy.clone()
}

#[test]
fn the_profile_decides_the_defaults() {
    let expected = Policy {
        strict_profile: true,
        formats: vec!["cose".to_owned()],
        shapes: vec![Shape::S, Shape::G],
        algs: vec![
            Algorithm::AesCcm16_64_128,
            Algorithm::AesCcm16_128_128,
            Algorithm::A128Gcm,
            Algorithm::A256Gcm,
            Algorithm::ChaCha20Poly1305,
        ],
        endpoint: Some("d".to_owned()),
        paths: None,
        audience: vec!["https://gw.example".to_owned()],
        path_binding: PathBinding::Required,
        strip_prefix: false,
        endpoint_binding: EndpointBinding::Pinned,
        derive: true,
        kdf_inputs: crate::key::KdfInputs::default(),
        compat: Vec::new(),
        all_signers: false,
        iat_required: false,
        max_age_s: None,
        late_after_s: 3_600,
        max_future_s: 300,
        expect_from: None,
        max_silence_s: None,
        strict_order: false,
        content_format: Some(112),
        content_formats: vec![0, 40, 42, 50, 60, 110, 112, 11542, 11543, 11544],
        max_plaintext: 65_536,
        max_readings: 4_096,
    };
    assert_eq!(policy(&oct(K32, r#""profile":"paperknife-1""#)), expected);
    let without = Policy {
        strict_profile: false,
        formats: vec!["cose".to_owned(), "cms".to_owned(), "jose".to_owned()],
        algs: vec![Algorithm::A256Gcm],
        path_binding: PathBinding::IfKnown,
        endpoint_binding: EndpointBinding::Flagged,
        derive: false,
        content_format: None,
        content_formats: Vec::new(),
        ..expected
    };
    assert_eq!(policy(&oct(K32, r#""algs":["A256GCM"]"#)), without);
    assert_eq!(policy(&oct(K32, r#""profile":null,"algs":["A256GCM"]"#)), without);
}

#[test]
fn what_is_stated_is_taken() {
    let stated = policy(&oct(
        K32,
        r#""profile":"paperknife-1","formats":["cose","jose"],"shapes":["P","G"],"algs":["A128GCM"],"endpoint":"ep",
           "paths":["/19/0/0",null],"audience":["a","b"],"path_binding":"off","strip_prefix":true,
           "endpoint_binding":"ignored","kdf":"paperknife-1","iat_required":true,"max_age_s":31536000000,
           "late_after_s":1,"max_future_s":2,"expect_from":3,"max_silence_s":4,"order":"strict","content_format":60,
           "content_formats":[60],"max_plaintext":5,"max_readings":6,
           "compat":["text-kid","crit-understood:-70001"],"signers":"all""#,
    ));
    let expected = Policy {
        strict_profile: true,
        formats: vec!["cose".to_owned(), "jose".to_owned()],
        shapes: vec![Shape::G],
        algs: vec![Algorithm::A128Gcm],
        endpoint: Some("ep".to_owned()),
        paths: Some(vec![Some("/19/0/0".to_owned()), None]),
        audience: vec!["a".to_owned(), "b".to_owned()],
        path_binding: PathBinding::Off,
        strip_prefix: true,
        endpoint_binding: EndpointBinding::Ignored,
        derive: true,
        kdf_inputs: crate::key::KdfInputs::default(),
        compat: vec!["text-kid".to_owned(), "crit-understood:-70001".to_owned()],
        all_signers: true,
        iat_required: true,
        max_age_s: Some(31_536_000_000),
        late_after_s: 1,
        max_future_s: 2,
        expect_from: Some(3),
        max_silence_s: Some(4),
        strict_order: true,
        content_format: Some(60),
        content_formats: vec![60],
        max_plaintext: 5,
        max_readings: 6,
    };
    assert_eq!(stated, expected);
}

#[test]
fn algorithms_follow_from_what_is_said_and_what_fits() {
    let profile = r#""profile":"paperknife-1""#;
    let null_kdf = r#""profile":"paperknife-1","kdf":null,"algs":["AES-CCM-16-64-128"]"#;
    let cases: &[(String, &[Algorithm], bool)] = &[
        (oct(K16, profile), &[Algorithm::AesCcm16_64_128, Algorithm::AesCcm16_128_128, Algorithm::A128Gcm], true),
        (oct(K16, null_kdf), &[Algorithm::AesCcm16_64_128], false),
        (oct(K16, &format!(r#"{null_kdf},"base_iv":"Lxo4aC9VgMEsAQbCDw""#)), &[Algorithm::AesCcm16_64_128], false),
        (jwk(&format!(r#""kty":"oct","k":"{K16}","alg":"A128GCM""#), ""), &[Algorithm::A128Gcm], false),
        (jwk(&format!(r#""kty":"oct","k":"{K16}","alg":"A128GCM""#), profile), &[Algorithm::A128Gcm], true),
        (jwk(EC, profile), &[Algorithm::Esp256, Algorithm::Es256], false),
        (jwk(&format!(r#"{EC},"alg":"ES256""#), ""), &[Algorithm::Es256], false),
        (jwk(EC, r#""algs":["ES256","ESP256"]"#), &[Algorithm::Es256, Algorithm::Esp256], false),
        (jwk(ED, profile), &[Algorithm::Ed25519], false),
        (jwk(&format!(r#"{ED},"alg":"EdDSA""#), ""), &[Algorithm::Ed25519], false),
        (
            jwk(GATEWAY, profile).replace(r#","device":"d""#, ""),
            &[Algorithm::EcdhEsA128Kw, Algorithm::EcdhEsA256Kw],
            false,
        ),
    ];
    for (file, algs, derive) in cases {
        let policy = policy(file);
        assert_eq!((policy.algs.as_slice(), policy.derive), (*algs, *derive), "{file}");
    }
}

#[test]
fn what_is_not_taken_says_where_and_why() {
    let profile = r#""profile":"paperknife-1""#;
    let with = |extra: &str| oct(K32, &format!("{profile},{extra}"));
    let ec = |change: &str, to: &str| jwk(&EC.replace(change, to), profile);
    let cases: &[(&str, String, &str)] = &[
        // The file.
        ("", "{".to_owned(), "not JSON"),
        ("", r#"{"kty":"oct"} x"#.to_owned(), "not JSON"),
        ("", r#"{"keys":[]}"#.to_owned(), "no key in it"),
        ("keys", r#"{"keys":{}}"#.to_owned(), "list"),
        ("the key", r#"{"keys":[1]}"#.to_owned(), "object"),
        ("", "[]".to_owned(), "neither"),
        ("", " ".repeat(1 << 20) + "{}", "1 MiB"),
        ("", "-----BEGIN PUBLIC KEY-----\nAAAA".to_owned(), "no end"),
        // Duplicates, at any depth.
        ("kty", r#"{"kty":"oct","kty":"EC"}"#.to_owned(), "twice"),
        ("k", r#"{"kty":"oct","k":"a","k":"b"}"#.to_owned(), "twice"),
        ("device", oct(K32, r#""device":"e""#), "twice"),
        ("a", r#"{"kty":"oct","x5c":[{"a":1,"a":2}]}"#.to_owned(), "twice"),
        ("kid", r#"{"kty":"oct","kid":"a","\u006bid":"b"}"#.to_owned(), "twice"),
        // Kind and bytes.
        ("kty", r#"{"k":"AA"}"#.to_owned(), "missing"),
        ("kty", r#"{"kty":"DH"}"#.to_owned(), "must be AKP"),
        ("crv", ec("P-256", "P-192"), "curve"),
        ("crv", jwk(&ED.replace("Ed25519", "X448"), profile), "curve"),
        ("x", ec("P-256", "P-384"), "no point of P-384"),
        ("x", ec("P-256", "secp256k1"), "no point of secp256k1"),
        ("x", jwk(&ED.replace("Ed25519", "Ed448"), profile), "as long as"),
        ("x", jwk(&ED.replace("Ed25519", "X25519"), profile), "leaves no algorithm"),
        (
            "x",
            jwk(&format!(r#""kty":"OKP","crv":"X25519","x":"{}","alg":"ECDH-SS+A128KW""#, "A".repeat(43)), ""),
            "small order",
        ),
        ("n", r#"{"kty":"RSA"}"#.to_owned(), "missing"),
        ("n", r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), "2048 to 8192"),
        ("n", format!(r#"{{"kty":"RSA","n":"{}","e":"Aw"}}"#, "____".repeat(85) + "_w"), "2048 to 8192"),
        ("alg", r#"{"kty":"AKP","pub":"AA"}"#.to_owned(), "parameter set"),
        ("alg", r#"{"kty":"AKP","pub":"AA","alg":"ES256"}"#.to_owned(), "no ML-DSA"),
        ("pub", r#"{"kty":"AKP","pub":"AA","alg":"ML-DSA-44"}"#.to_owned(), "1312 bytes"),
        ("k", oct("", profile), "16 to 256"),
        ("k", oct("uJXxQ0s6A5fpTgAO1XsT", profile), "16 to 256"),
        ("k", oct(&K32.replace('_', "/"), profile), "base64url"),
        ("k", oct(&format!("{K16}=="), profile), "base64url"),
        ("k", oct("uJXxQ0s6A5fpTgAO1XsThR", profile), "base64url"),
        ("k", oct(&"A".repeat(43), profile), "repeated"),
        ("k", oct("_____________________w", profile), "repeated"),
        ("k", jwk(r#""kty":"oct","k":7"#, profile), "text"),
        ("k", jwk(r#""kty":"oct""#, profile), "missing"),
        ("x", ec("6MqD", "6MqE"), "no point"),
        ("x", ec("6MqD", ""), "no point"),
        ("y", jwk(r#""kty":"EC","crv":"P-256","x":"AA""#, profile), "missing"),
        ("d", jwk(&GATEWAY.replace("hS8w", "hS8x"), profile), "does not belong"),
        (
            "d",
            jwk(&GATEWAY.replace("hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU", &"A".repeat(43)), profile),
            "no private",
        ),
        ("x", jwk(&ED.replace("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", &"A".repeat(43)), profile), "small order"),
        ("x", jwk(&ED.replace("11qY", ""), profile), "as long as"),
        ("d", jwk(&format!(r#"{ED},"d":"{K32}""#), profile), "private signing key"),
        ("d", jwk(&format!(r#"{GATEWAY},"use":"sig""#), profile), "private signing key"),
        ("d", jwk(&format!(r#"{GATEWAY},"alg":"ES256""#), ""), "private signing key"),
        // Names.
        ("kid", oct(K32, profile).replace(r#""kid_hex":"01","#, ""), "missing"),
        ("kid", oct(K32, profile).replace(r#""01""#, r#""""#), "1 to 16 bytes"),
        ("kid", oct(K32, profile).replace("01", &"ab".repeat(17)), "1 to 16 bytes"),
        ("kid", oct(K32, r#""algs":["A256GCM"]"#).replace("01", &"ab".repeat(257)), "1 to 256 bytes"),
        ("kid_hex", oct(K32, profile).replace("01", "0"), "hexadecimal"),
        ("device", oct(K32, profile).replace(r#","device":"d""#, ""), "missing"),
        ("device", oct(K32, profile).replace(r#""d""#, r#""""#), "printable"),
        ("device", oct(K32, profile).replace(r#""d""#, r#""a\nb""#), "printable"),
        ("device", oct(K32, profile).replace(r#""d""#, "7"), "text"),
        ("device", jwk(GATEWAY, profile), "gateway's own"),
        ("tenant", with(r#""tenant":"""#), "printable"),
        // Policy.
        ("colour", with(r#""colour":"red""#), "not a member"),
        ("salt", with(r#""salt":7"#), "text"),
        ("salt", jwk(GATEWAY, &format!(r#"{profile},"salt":"{}""#, "A".repeat(1368))), "1024"),
        ("party_u", with(r#""salt":"AA""#), "something is derived"),
        ("party_u", with(r#""priv_other":"AA""#), "something is derived"),
        ("party_u", jwk(GATEWAY, &format!(r#"{profile},"party_u":7"#)), "object"),
        ("name", jwk(GATEWAY, &format!(r#"{profile},"party_v":{{"name":"AA"}}"#)), "not a member"),
        ("static_sender", jwk(GATEWAY, &format!(r#"{profile},"static_sender":{{{GATEWAY}}}"#)), "public EC"),
        ("static_sender", jwk(GATEWAY, &format!(r#"{profile},"static_sender":{{{EC}}}"#)), "ECDH-SS"),
        ("static_sender", jwk(GATEWAY, &format!(r#""algs":["ECDH-SS+A128KW"],"static_sender":{{{EC}}}"#)), "device"),
        ("profile", oct(K32, r#""profile":"paperknife-2""#), "paperknife-1"),
        ("paperknife", r#"{"kty":"oct","paperknife":7}"#.to_owned(), "object"),
        ("formats", with(r#""formats":["pgp"]"#), "cose, cms, jose"),
        ("formats", with(r#""formats":[]"#), "cose, cms, jose"),
        ("shapes", with(r#""shapes":["T"]"#), "S, G, P"),
        ("endpoint", with(r#""endpoint":"""#), "printable"),
        ("paths", with(r#""paths":[]"#), "1 to 64"),
        ("paths", with(r#""paths":["19/0/0"]"#), "slash"),
        ("paths", with(r#""paths":"/19/0/0""#), "list"),
        ("audience", with(r#""audience":[]"#), "1 to 64"),
        ("path_binding", with(r#""path_binding":"sometimes""#), "required"),
        ("endpoint_binding", with(r#""endpoint_binding":"""#), "pinned"),
        ("strip_prefix", with(r#""strip_prefix":1"#), "true or false"),
        ("order", with(r#""order":"random""#), "any, strict"),
        ("kdf", with(r#""kdf":"hkdf""#), "paperknife-1"),
        ("kdf", jwk(EC, r#""profile":"paperknife-1","kdf":"paperknife-1""#), "symmetric"),
        ("max_age_s", with(r#""max_age_s":-1"#), "not negative"),
        ("max_future_s", with(r#""max_future_s":1.5"#), "seconds"),
        ("expect_from", with(r#""expect_from":-1"#), "whole number"),
        ("content_format", with(r#""content_format":"senml""#), "number"),
        ("base_iv", with(r#""base_iv":"Lxo4aC9VgMEsAQbCDw""#), "kdf"),
        ("base_iv", oct(K16, r#""algs":["A128GCM"],"base_iv":"Lxo4aC9VgMEsAQbCDw""#), "nonce"),
        ("base_iv", jwk(EC, r#""algs":["ES256"],"base_iv":"Lxo4aC9VgMEsAQbCDw""#), "symmetric"),
        // Algorithms: one family, which the key fits.
        ("alg", oct(K32, ""), "missing"),
        ("algs", with(r#""algs":["ES256"]"#), "does not fit"),
        ("algs", oct(K16, r#""profile":"paperknife-1","algs":["A256GCM"]"#), "does not fit"),
        ("algs", oct(K32, r#""algs":["A128GCM"]"#), "does not fit"),
        ("algs", oct(K32, r#""algs":["A256GCM","ChaCha20-Poly1305"]"#), "one family"),
        ("algs", oct(K16, r#""profile":"paperknife-1","kdf":null"#), "one algorithm"),
        ("algs", with(r#""algs":[]"#), "once"),
        ("algs", with(r#""algs":["A128GCM","A128GCM"]"#), "once"),
        ("algs", with(r#""algs":["A128CBC"]"#), "does not fit"),
        ("algs", with(r#""algs":["HSS-LMS"]"#), "not supported"),
        ("alg", jwk(&format!(r#""kty":"oct","k":"{K32}","alg":"PBES2""#), ""), "not supported"),
        ("algs", jwk(&format!(r#""kty":"oct","k":"{K32}","alg":"HS512""#), ""), "does not fit"),
        ("algs", oct(K32, r#""algs":["HMAC 256/256","HMAC 256/64"]"#), "one family"),
        ("algs", oct(K32, r#""algs":["A256GCM","HMAC 256/256"]"#), "one family"),
        ("algs", jwk(EC, r#""algs":["ES256","ECDH-SS+A128KW"]"#), "one family"),
        ("algs", jwk(EC, r#""algs":["ESP384"]"#), "does not fit"),
        ("alg", jwk(&format!(r#"{EC},"alg":"ES384""#), ""), "does not go with"),
        (
            "alg",
            jwk(
                &format!(r#""kty":"oct","k":"{K32}","alg":"A128GCM""#),
                r#""profile":"paperknife-1","algs":["A256GCM"]"#,
            ),
            "among",
        ),
        ("alg", jwk(&format!(r#"{EC},"alg":"A128GCM""#), ""), "does not go with"),
        ("algs", jwk(&format!(r#"{EC},"alg":"ECDH-ES+A128KW""#), ""), "does not fit"),
        ("use", jwk(&format!(r#"{EC},"use":"enc""#), profile), "no algorithm"),
        ("use", jwk(&format!(r#"{ED},"use":"enc""#), profile), "must be sig"),
        ("use", jwk(&format!(r#""kty":"oct","k":"{K32}","use":"sig""#), profile), "no algorithm"),
        ("algs", jwk(&format!(r#""kty":"oct","k":"{K32}","use":"sig","alg":"A256GCM""#), ""), "does not fit"),
        ("algs", jwk(&format!(r#""kty":"oct","k":"{K32}","key_ops":["verify"],"alg":"A256GCM""#), ""), "does not fit"),
        ("key_ops", jwk(&format!(r#"{EC},"key_ops":["sign"]"#), profile), "verify"),
        ("key_ops", jwk(&format!(r#"{EC},"key_ops":["verify","verify"]"#), profile), "twice"),
        ("key_ops", jwk(&format!(r#""kty":"oct","k":"{K32}","key_ops":["encrypt"]"#), profile), "decrypt"),
    ];
    let (_folder, keystore) = on_disk();
    for (field, file, reason) in cases {
        let error = try_import(&keystore, file).expect_err(file);
        assert_eq!(error.field.as_deref().unwrap_or_default(), *field, "{error} of {file}");
        assert!(error.reason.contains(reason), "{error} of {file}");
    }
    assert_eq!(keystore.keys("default").unwrap().len(), 1, "only the gateway's own");
}

#[test]
fn a_fault_names_the_key_and_nothing_of_the_file_stays() {
    let (_folder, keystore) = on_disk();
    let file = format!(r#"{{"keys":[{MASTER_JWK},{}]}}"#, SIGNER_JWK.replace("6MqD", "6MqE"));
    let error = try_import(&keystore, &file).unwrap_err();
    assert_eq!((error.index, error.kid_hex.as_deref()), (Some(1), Some("b1a2b3c4")));
    assert_eq!(error.to_string(), "key 1 (kid b1a2b3c4): `x` and `y` are no point of P-256");
    assert_eq!(keystore.keys("default").unwrap().len(), 1);
    // A fault that only the records show.
    let twice = format!(r#"{{"keys":[{MASTER_JWK},{}]}}"#, MASTER_JWK.replace("24befffe804ff1", "24befffe804ff2"));
    let twice = twice.replacen("01a2b3c4", "01a2b3c5", 1);
    assert!(matches!(keystore.import(twice.as_bytes(), &ImportOptions::default()), Err(AdminError::Conflict(_))));
    assert_eq!(keystore.keys("default").unwrap().len(), 1);
}

#[test]
fn imported_again_a_key_gets_its_new_policy() {
    let (_folder, keystore) = on_disk();
    let first = import(&keystore, &key_set());
    assert!(first.iter().all(|key| !key.updated && key.version == 1));
    let again =
        import(&keystore, &key_set().replace(r#""shapes":["S","G","P"]"#, r#""shapes":["G"],"order":"strict""#));
    for (first, again) in first.iter().zip(&again) {
        assert_eq!((&first.id, first.version, true), (&again.id, again.version, again.updated));
    }
    let master = key(&keystore, "01a2b3c4");
    assert_eq!((master.policy.shapes.as_slice(), master.policy.strict_order), (&[Shape::G][..], true));
    assert_eq!(keystore.keys("default").unwrap().len(), 4);
}

#[test]
fn a_key_has_one_owner_and_one_name() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let conflicts = [
        MASTER_JWK.replace("804ff1", "804ff2"),
        SIGNER_JWK.replace("804ff1", "804ff2"),
        MASTER_JWK.replace(r#""profile""#, r#""tenant":"other","profile""#),
        MASTER_JWK.replace("01a2b3c4", "01a2b3c5"),
        GATEWAY_JWK.replace("67772d31", "67772d32"),
    ];
    for file in conflicts {
        let error = keystore.import(file.as_bytes(), &ImportOptions::default()).unwrap_err();
        assert!(matches!(error, AdminError::Conflict(_)), "{error} of {file}");
    }
}

#[test]
fn kid_hex_rules_over_kid() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &jwk(&format!(r#""kty":"oct","k":"{K32}","kid":"text""#), r#""profile":"paperknife-1""#));
    assert_eq!(key(&keystore, "01").kid, [1]);
    let utf8 = jwk(EC, r#""profile":"paperknife-1""#).replace(r#""kid_hex":"01","#, "");
    import(&keystore, &utf8.replacen('{', r#"{"kid":"gw-é","#, 1));
    assert_eq!(key(&keystore, &hex::encode("gw-é")).kty, Kty::Ec2P256);
}

#[test]
fn pem_and_der_take_names_and_policy_from_the_operator() {
    let secret = p256::SecretKey::from_slice(&bytes(&"2b".repeat(32))).unwrap();
    let (pkcs8, spki) = (secret.to_pkcs8_der().unwrap(), secret.public_key().to_public_key_der().unwrap());
    let sec1_pem = secret.to_sec1_pem(LineEnding::LF).unwrap();
    let with_parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{}", *sec1_pem);
    // RFC 8410 §10.1.
    let ed25519 = "-----BEGIN PUBLIC KEY-----\r\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\r\n\
                   -----END PUBLIC KEY-----\r\n";
    let cases: [(&str, &[u8], Kty, bool); 8] = [
        ("PKCS#8 PEM", secret.to_pkcs8_pem(LineEnding::CRLF).unwrap().as_bytes(), Kty::Ec2P256, true),
        ("PKCS#8 DER", pkcs8.as_bytes(), Kty::Ec2P256, true),
        ("SEC1 PEM", sec1_pem.as_bytes(), Kty::Ec2P256, true),
        ("SEC1 PEM of ecparam", with_parameters.as_bytes(), Kty::Ec2P256, true),
        ("SEC1 DER", &secret.to_sec1_der().unwrap(), Kty::Ec2P256, true),
        ("SPKI PEM", secret.public_key().to_public_key_pem(LineEnding::LF).unwrap().as_bytes(), Kty::Ec2P256, false),
        ("SPKI DER", spki.as_bytes(), Kty::Ec2P256, false),
        ("SPKI PEM of Ed25519", ed25519.as_bytes(), Kty::OkpEd25519, false),
    ]
    .map(|(what, file, kty, private)| (what, &*Vec::leak(file.to_vec()), kty, private));
    for (what, file, kty, private) in cases {
        let (_folder, keystore) = on_disk();
        let bare = keystore.import(file, &ImportOptions::default());
        assert!(matches!(bare, Err(AdminError::Import(_))), "{what} without kid");
        let options = ImportOptions {
            kid: Some(vec![1]),
            device: Some("d".to_owned()),
            profile: Some("paperknife-1".to_owned()),
            ..ImportOptions::default()
        };
        keystore.import(file, &options).unwrap();
        let key = key(&keystore, "01");
        assert_eq!((key.kty, key.private, key.device.is_none()), (kty, private, private), "{what}");
        assert!(key.policy.strict_profile);
    }
}

#[test]
fn a_pem_block_of_another_kind_is_not_taken() {
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    for label in ["RSA PRIVATE KEY", "CERTIFICATE", "ENCRYPTED PRIVATE KEY", "PUBLIC KEY"] {
        let file = format!("-----BEGIN {label}-----\nMAMCAQE=\n-----END {label}-----\n");
        assert!(try_import(&keystore, &file).is_err(), "{label}");
    }
}

#[test]
fn offline_takes_what_fits_and_leaves_the_rest() {
    let rsa = r#"{"kty":"DH","n":"AQAB","e":"AQAB"}"#;
    let p384 = r#"{"kty":"EC","crv":"P-192","x":"AA","y":"AA"}"#;
    let hmac = format!(r#"{{"kty":"oct","k":"{K32}","alg":"HS1"}}"#);
    let plain = format!(r#"{{"kty":"oct","k":"{K32}"}}"#);
    let keystore = offline(&format!(r#"{{"keys":[{rsa},{p384},{hmac},{plain},{{{EC}}},{{{ED}}}]}}"#));
    let keys = keystore.find("default", None).unwrap();
    let algs: Vec<_> = keys.iter().map(|key| key.policy.algs.clone()).collect();
    let expected = [
        vec![
            Algorithm::A256Gcm,
            Algorithm::ChaCha20Poly1305,
            Algorithm::A128CbcHs256,
            Algorithm::A256GcmKw,
            Algorithm::A256Kw,
            Algorithm::AesCcm16_128_256,
            Algorithm::AesCcm16_64_256,
            Algorithm::AesCcm64_128_256,
            Algorithm::AesCcm64_64_256,
            Algorithm::AesMac256_128,
            Algorithm::AesMac256_64,
            Algorithm::DirectHkdfAes256,
            Algorithm::DirectHkdfSha256,
            Algorithm::DirectHkdfSha512,
            Algorithm::Hmac256_256,
            Algorithm::Hmac256_64,
        ],
        vec![Algorithm::Esp256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512],
        vec![Algorithm::Ed25519],
    ];
    assert_eq!(algs, expected);
    assert!(keys.iter().all(|key| key.device.as_deref().is_some_and(|device| device.starts_with("jwk:"))));
    for alone in [rsa, p384, &*hmac] {
        assert!(try_import(&Keystore::ephemeral(defaults()).unwrap(), alone).is_err(), "alone it is a fault");
    }
    let unsound = format!(r#"{{"keys":[{plain},{{"kty":"oct","k":"AA"}}]}}"#);
    assert!(try_import(&Keystore::ephemeral(defaults()).unwrap(), &unsound).is_err());
}

#[test]
fn offline_a_signing_key_verifies_with_its_public_half() {
    let keystore = offline(&format!(r#"{{{GATEWAY},"alg":"ES256","key_ops":["sign"]}}"#));
    let key = keystore.find("default", None).unwrap().remove(0);
    assert_eq!((key.private, key.policy.algs.as_slice()), (false, &[Algorithm::Es256][..]));
    let ed = offline(&format!(r#"{{{ED},"d":"{K32}","use":"sig"}}"#));
    assert!(!ed.find("default", None).unwrap().remove(0).private);
}

#[test]
fn the_vectors_of_the_profile_are_taken() {
    // The third device of the vectors: its key is used as it is, with its base IV.
    let file = oct(
        "eIW9rstDyozxUoFXq8UzhQ",
        r#""profile":"paperknife-1","kdf":null,"base_iv":"Lxo4aC9VgMEsAQbCDw","shapes":["S","G","P"],
           "algs":["AES-CCM-16-64-128"],"iat_required":true,"max_age_s":31536000000,"max_future_s":300"#,
    );
    let policy = policy(&file);
    assert_eq!((policy.derive, policy.shapes.len(), policy.iat_required), (false, 2, true));
}

/// COSE_Keys in hex, spaced by label.
mod cose {
    use super::{EC, ImportOptions, Keystore, defaults, jwk, key, on_disk};
    use crate::error::AdminError;
    use crate::fixture::bytes;
    use crate::key::{Algorithm, Kty};

    const X: &str = "215820e8ca83951df3a804e7ac1fabd85dbadec167f9987b287470b9b772d6ca30f959";
    const Y: &str = "225820c25f3ef250c294fb047959cc3b42356ea2d5d718a3e1d23ac2c8b65358dfeaf7";
    const D: &str = "235820f83a4797e160afc13428f10230b80c694b3b4a32f8a2c209c49dff1baca23013";

    fn file(hex: &str) -> Vec<u8> {
        bytes(&hex.replace(' ', ""))
    }

    fn options() -> ImportOptions {
        let profile = Some("paperknife-1".to_owned());
        ImportOptions { device: Some("d".to_owned()), profile, ..ImportOptions::default() }
    }

    #[test]
    fn keys_of_every_kind_are_taken() {
        let symmetric = "a5 0104 024101 030a 0549 00 2050 b895f1434b3a0397e94e000ed57b1385";
        let symmetric = symmetric.replace("0549 00", "054d 2f1a38682f5580c12c0106c20f");
        let cases = [
            (format!("a5 0102 024101 2001 {X} {Y}"), Kty::Ec2P256, &[Algorithm::Esp256, Algorithm::Es256][..]),
            (format!("a5 0102 024101 2001 {X} 22f5"), Kty::Ec2P256, &[Algorithm::Esp256, Algorithm::Es256]),
            (format!("81 a7 0102 024101 0328 048102 2001 {X} {Y}"), Kty::Ec2P256, &[Algorithm::Esp256]),
            (
                format!("a6 0102 024101 2001 {X} {Y} {D}"),
                Kty::Ec2P256,
                &[Algorithm::EcdhEsA128Kw, Algorithm::EcdhEsA256Kw],
            ),
            (symmetric, Kty::Symmetric, &[Algorithm::AesCcm16_64_128]),
            (
                "a5 0101 024101 0327 2006 215820 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
                    .to_owned(),
                Kty::OkpEd25519,
                &[Algorithm::Ed25519],
            ),
        ];
        for (hex, kty, algs) in cases {
            let (_folder, keystore) = on_disk();
            keystore.import(&file(&hex), &options()).unwrap_or_else(|error| panic!("{error} of {hex}"));
            let key = key(&keystore, "01");
            assert_eq!((key.kty, key.policy.algs.as_slice()), (kty, algs), "{hex}");
            assert!(!key.policy.derive, "a base IV means that nothing is derived");
        }
    }

    #[test]
    fn the_same_key_in_either_form_is_one_key() {
        let (_folder, keystore) = on_disk();
        let first = keystore.import(jwk(EC, r#""profile":"paperknife-1""#).as_bytes(), &options()).unwrap();
        let second = keystore.import(&file(&format!("a5 0102 024101 2001 {X} {Y}")), &options()).unwrap();
        assert_eq!((&first[0].id, second[0].updated), (&second[0].id, true));
    }

    #[test]
    fn what_is_no_strict_key_is_not_taken() {
        let cases = [
            ("trailing byte", format!("a5 0102 024101 2001 {X} {Y} 00")),
            ("indefinite map", format!("bf 0102 024101 2001 {X} {Y} ff")),
            ("indefinite set", format!("9f a5 0102 024101 2001 {X} {Y} ff")),
            ("empty set", "80".to_owned()),
            ("a label twice", format!("a6 0102 0102 024101 2001 {X} {Y}")),
            ("non-minimal twin of a label", format!("a6 0102 180102 024101 2001 {X} {Y}")),
            ("text label", format!("a6 0102 613102 024101 2001 {X} {Y}")),
            ("text kid", format!("a5 0102 026101 2001 {X} {Y}")),
            ("no y", format!("a4 0102 024101 2001 {X}")),
            ("off the curve", format!("a5 0102 024101 2001 {X} {}", Y.replace("eaf7", "eaf8"))),
            ("another private key", format!("a6 0102 024101 2001 {X} {Y} {}", D.replace("3013", "3014"))),
            ("another curve", format!("a5 0102 024101 2002 {X} {Y}")),
            ("unknown algorithm", format!("a6 0102 024101 033903e6 2001 {X} {Y}")),
            ("unknown operation", format!("a6 0102 024101 04811863 2001 {X} {Y}")),
            ("operation that conflicts", format!("a6 0102 024101 048101 2001 {X} {Y}")),
            ("bomb", "9b ffffffffffffffff".to_owned()),
            ("map bomb", "bb ffffffffffffffff".to_owned()),
            ("nesting", "81".repeat(100_000)),
            ("nesting in an unknown label", format!("a1 1864 {}", "81".repeat(100_000))),
        ];
        for (what, hex) in cases {
            let keystore = Keystore::ephemeral(defaults()).unwrap();
            assert!(matches!(keystore.import(&file(&hex), &options()), Err(AdminError::Import(_))), "{what}");
        }
    }
}
