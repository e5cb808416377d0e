//! Key sets as they come: what is taken from them, and what their faults say.

use std::format;
use std::string::{String, ToString};

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
