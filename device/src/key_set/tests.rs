//! Key sets as they come: what is taken from them, and what their faults say.

use std::format;
use std::string::{String, ToString};

use proptest::prelude::*;

use super::KeySet;
use crate::seal::Sealer;

const CANARY: &str = "Q0FOQVJZLWtleS1ieXRlcy1tdXN0LW5vdC1zaG93LTE";

fn set(keys: &str) -> KeySet {
    let json = format!("{{\"keys\":[{keys}]}}");
    KeySet::from_json(json.as_bytes()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn oct(device: &str, more: &str) -> String {
    format!(
        r#"{{"kty":"oct","kid":"abc","k":"{CANARY}","paperknife":{{"device":"{device}","audience":["a","b"]{more}}}}}"#
    )
}

fn sealer(keys: &str, device: Option<&str>) -> Result<Sealer, String> {
    set(keys).sealer(device).map_err(|fault| fault.to_string())
}

#[test]
fn the_first_audience_and_path_are_taken() {
    let sealer = sealer(&oct("d", r#","paths":["/1/2/3","/4/5/6"]"#), None).ok().unwrap();
    assert_eq!((sealer.device.as_str(), sealer.audience.as_str(), sealer.path.as_deref()), ("d", "a", Some("/1/2/3")));
    assert!(sealer.symmetric.is_some() && sealer.signing.is_none() && sealer.gateway.is_none());
}

#[test]
fn the_endpoint_is_the_name_of_the_binding() {
    let sealer = sealer(&oct("d", r#","endpoint":"urn:e""#), None).ok().unwrap();
    assert_eq!(sealer.device, "urn:e");
}

#[test]
fn a_kid_is_kid_hex_or_the_text_of_kid() {
    let kid = |more: &str| sealer(&oct("d", more), None).ok().unwrap().symmetric.unwrap().kid().as_bytes().to_vec();
    assert_eq!(kid(""), b"abc");
    assert_eq!(kid(r#","kid_hex":"01ff""#), [0x01, 0xff]);
    assert!(sealer(&oct("d", r#","kid_hex":"0""#), None).is_err());
}

#[test]
fn a_device_must_be_named_where_there_are_several() {
    let two = format!("{},{}", oct("d1", ""), oct("d2", ""));
    assert_eq!(sealer(&two, None).err().unwrap(), "keys of 2 devices: name one");
    assert_eq!(sealer(&two, Some("d2")).ok().unwrap().device, "d2");
    assert_eq!(sealer(&two, Some("d3")).err().unwrap(), "no key of device d3");
    assert_eq!(sealer("", None).err().unwrap(), "no key names a device");
}

#[test]
fn kdf_null_needs_a_base_iv_and_absent_derives() {
    assert!(sealer(&oct("d", r#","kdf":"paperknife-1""#), None).is_ok());
    let fault = sealer(&oct("d", r#","kdf":null"#), None).err().unwrap();
    assert_eq!(fault, "key 1 of the set: this shape needs a base_iv, because its kdf is null");
    assert!(sealer(&oct("d", r#","kdf":null,"base_iv":"Lxo4aC9VgMEsAQbCDw""#), None).is_ok());
}

#[test]
fn a_public_signing_key_signs_nothing_and_a_gateways_needs_no_device() {
    let point = r#""crv":"P-256","x":"JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko","y":"lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I""#;
    let gateway = format!(r#"{{"kty":"EC","kid":"gw-1","use":"enc",{point}}}"#);
    let public = format!(r#"{{"kty":"EC","kid":"s",{point},"paperknife":{{"device":"d"}}}}"#);
    let sealer = sealer(&format!("{public},{gateway}"), None).ok().unwrap();
    assert!(sealer.signing.is_none());
    assert_eq!(sealer.gateway.unwrap().kid().as_bytes(), b"gw-1");
}

#[test]
fn no_fault_shows_a_key() {
    let faulty = [
        format!(r#"{{"keys":"{CANARY}"}}"#),
        format!(r#"{{"keys":[{{"kty":"oct","k":["{CANARY}"]}}]}}"#),
        format!(r#"{{"keys":[{{"kty":"oct","k":"{CANARY}+"}}]}}"#),
        format!(r#"{{"keys":[{{"kty":"oct","k":"{CANARY}"#),
        format!(r#"{{"keys":[{{"kty":{{"{CANARY}":1}}}}]}}"#),
        CANARY.to_string(),
    ];
    for json in faulty {
        let fault = KeySet::from_json(json.as_bytes()).err().unwrap();
        assert!(!format!("{fault} {fault:?}").contains("Q0FO"), "{fault}");
        assert!(fault.to_string().starts_with("not a JWK Set: "), "{fault}");
    }
    let short = format!(r#"{{"kty":"oct","kid":"a","k":"{}","paperknife":{{"device":"d"}}}}"#, &CANARY[..8]);
    assert_eq!(sealer(&short, None).err().unwrap(), "key 1 of the set: a master must have 16 to 32 bytes");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeySet::from_json(&bytes);
    }

    #[test]
    fn no_members_make_it_panic(
        kty in "oct|EC|OKP|x",
        crv in "P-256|Ed25519|x",
        bytes in "[A-Za-z0-9_-]{0,60}",
        kid_hex in "([0-9a-f]{2}){0,20}",
        kdf in "null|\"paperknife-1\"|\"x\"",
    ) {
        let set = set(&format!(
            r#"{{"kty":"{kty}","crv":"{crv}","k":"AAAA","d":"AAAA","x":"AAAA","paperknife":{{"device":"d","kid_hex":"{kid_hex}","kdf":{kdf}}}}},
               {{"kty":"EC","crv":"P-256","kid":"{kid_hex}"}}"#
        ));
        let _ = set.sealer(None);
        let _ = KeySet::from_json(format!(r#"{{"keys":[{{"kty":"{kty}","d":"{bytes}","k":"{bytes}"}}]}}"#).as_bytes());
    }
}

#[cfg(feature = "cose-full")]
#[test]
fn a_key_for_any_structure_has_its_name_and_the_inputs_of_its_record() {
    let set = br#"{"keys": [
        {"kty": "oct", "kid": "a name that is longer than the profile allows", "k": "AAECAwQFBgcICQoLDA0ODw"},
        {"kty": "oct", "kid": "b", "k": "AAECAwQFBgcICQoLDA0ODw", "paperknife":
            {"kid_hex": "0102", "salt": "c2FsdA", "party_u": {"nonce": "b25jZQ"}, "priv_other": "cHJpdg"}},
        {"kty": "EC", "crv": "P-999", "kid": "c", "x": "AA", "y": "AA"}]}"#;
    let set = KeySet::from_json(set).unwrap();
    let (key, inputs) = set.cose_key(Some("a name that is longer than the profile allows")).unwrap();
    assert_eq!(key.kid(), Some(b"a name that is longer than the profile allows".as_slice()));
    assert!(inputs.salt.is_none() && inputs.unsent);
    let (key, inputs) = set.cose_key(Some("b")).unwrap();
    assert_eq!(key.kid(), Some([1, 2].as_slice()));
    assert_eq!(inputs.salt.as_deref(), Some(b"salt".as_slice()));
    assert_eq!(inputs.party_u.nonce.as_deref(), Some(b"once".as_slice()));
    assert_eq!(inputs.priv_other.as_deref(), Some(b"priv".as_slice()));
    let error = |name| set.cose_key(name).err().unwrap().to_string();
    assert_eq!(error(Some("c")), "key 3 of the set: not a valid supported key");
    assert_eq!(error(Some("d")), "no key named d");
    assert_eq!(error(None), "several keys: name one, as FILE#KID");
}
