//! For tests alone: the keys and messages of profile.md §10, and short ways to a keystore.

use crate::key::{KeyRef, Name};
use crate::{Defaults, ImportOptions, Imported, Keystore};

pub(crate) const DEVICE: &str = "urn:dev:mac:0024befffe804ff1";
pub(crate) const MASTER: &str = "b895f1434b3a0397e94e000ed57b1385017d2bc40bd4cd515ca736ace524fe02";
pub(crate) const CONTENT: &str = "81a2006c2f333330332f302f3537303002f94d60";
pub(crate) const BINDING: &str = "846c70617065726b6e6966652d317268747470733a2f2f67772e6578616d706c65781c75726e3a6465763a6d61633a\
                                  30303234626566666665383034666631672f31392f302f30";
pub(crate) const S_ENC: &str = "8368456e6372797074304ca3010a044401a2b3c406412a5847";
pub(crate) const S_CIPHERTEXT: &str = "c62b2f29d017c00edbe11924b33895e1cc39a78d059145a99b8a9941";

pub(crate) const GATEWAY_JWK: &str = r#"{"kty":"EC","crv":"P-256","use":"enc",
    "x":"JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko","y":"lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I",
    "d":"hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU",
    "paperknife":{"kid_hex":"67772d31","profile":"paperknife-1","algs":["ECDH-ES+A128KW","ECDH-ES+A256KW"]}}"#;
pub(crate) const MASTER_JWK: &str = r#"{"kty":"oct","kid":"AaKzxA","k":"uJXxQ0s6A5fpTgAO1XsThQF9K8QL1M1RXKc2rOUk_gI",
    "paperknife":{"kid_hex":"01a2b3c4","profile":"paperknife-1","device":"urn:dev:mac:0024befffe804ff1",
    "audience":["https://gw.example"],"paths":["/19/0/0","/19/1/0"],"shapes":["S","G","P"]}}"#;
pub(crate) const SIGNER_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"6MqDlR3zqATnrB-r2F263sFn-Zh7KHRwubdy1sow-Vk",
    "y":"wl8-8lDClPsEeVnMO0I1bqLV1xij4dI6wsi2U1jf6vc","use":"sig",
    "paperknife":{"kid_hex":"b1a2b3c4","profile":"paperknife-1","device":"urn:dev:mac:0024befffe804ff1"}}"#;

/// The three keys as one JWK Set.
pub(crate) fn key_set() -> String {
    format!(r#"{{"keys":[{GATEWAY_JWK},{MASTER_JWK},{SIGNER_JWK}]}}"#)
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

pub(crate) fn defaults() -> Defaults {
    Defaults { audience: vec!["https://gw.example".to_owned()] }
}

/// A keystore in memory with the keys of that file.
pub(crate) fn offline(json: &str) -> Keystore {
    let keystore = Keystore::ephemeral(defaults()).unwrap();
    import(&keystore, json);
    keystore
}

pub(crate) fn import(keystore: &Keystore, file: &str) -> Vec<Imported> {
    keystore.import(file.as_bytes(), &ImportOptions::default()).unwrap()
}

/// A keystore on disk, gone with the folder.
pub(crate) fn on_disk() -> (tempfile::TempDir, Keystore) {
    let folder = tempfile::tempdir().unwrap();
    let keystore = Keystore::open(folder.path(), defaults()).unwrap();
    (folder, keystore)
}

/// The one key of that kid.
pub(crate) fn key(keystore: &Keystore, kid_hex: &str) -> KeyRef {
    let mut keys = keystore.find("default", Some(Name::Kid(&bytes(kid_hex)))).unwrap();
    assert_eq!(keys.len(), 1, "keys of kid {kid_hex}");
    keys.remove(0)
}
