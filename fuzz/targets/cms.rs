//! CMS of every structure, strict and under all compat names: read, described, and walked through the corridor with test
//! keys. What opens under a key that nobody else has would be a forgery.
#![no_main]

mod corridor;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paperknife::item::{Compat, Format, Sealed};
use paperknife::opening::House;

/// Keys of each kind, with kids of one letter that a mutation finds soon: as key identifiers and as names of KEKs.
const KEYS: &str = r#"{"keys":[
 {"kty":"oct","kid":"b","k":"1pW5-Qv1nqJ8o2kYxX8b1g","alg":"A128KW"},
 {"kty":"oct","kid":"p","k":"2pW5-Qv1nqJ8o2kYxX8b1g","alg":"PWRI-KEK"},
 {"kty":"EC","crv":"P-256","kid":"e","x":"JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko","y":"lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I","d":"hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU"},
 {"kty":"EC","crv":"P-256","kid":"f","use":"sig","x":"6MqDlR3zqATnrB-r2F263sFn-Zh7KHRwubdy1sow-Vk","y":"wl8-8lDClPsEeVnMO0I1bqLV1xij4dI6wsi2U1jf6vc"}
]}"#;

/// Every compat name but those that let pass what nothing authenticates.
const NAMES: [&str; 16] = [
    "3des",
    "cbc-sign-inside",
    "cbc-under-signature",
    "compressed",
    "data",
    "digested-data",
    "eku-any",
    "gcm-nonce",
    "icv-short",
    "kdf-sha1",
    "no-signed-attrs",
    "oaep-sha1",
    "password",
    "rsa-pkcs1v15",
    "sha3",
    "smime-entity",
];

static NAMED: LazyLock<Compat> = LazyLock::new(|| {
    let mut compat = Compat::default();
    NAMES.iter().for_each(|name| compat.allow(name).expect("a name"));
    compat
});

static HOUSE: LazyLock<House> = LazyLock::new(|| corridor::house(KEYS, &NAMED, Format::Cms));

fuzz_target!(|bytes: &[u8]| {
    corridor::walk(&HOUSE, &Sealed { bytes: bytes.into(), cose_type: None }, &NAMED);
});
