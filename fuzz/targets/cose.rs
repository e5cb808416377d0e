//! COSE of every structure, strict and under all compat names, tagged or named: read, described, and walked through the
//! corridor with test keys. What opens under a key that nobody else has would be a forgery.
#![no_main]

mod corridor;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paperknife::item::{Compat, CoseType, Format, Sealed};
use paperknife::opening::House;

/// Keys of each kind, with kids of one letter that a mutation finds soon.
const KEYS: &str = r#"{"keys":[
 {"kty":"oct","kid":"a","k":"0pW5-Qv1nqJ8o2kYxX8b1g","alg":"A128GCM"},
 {"kty":"oct","kid":"b","k":"1pW5-Qv1nqJ8o2kYxX8b1g","alg":"A128KW"},
 {"kty":"oct","kid":"c","k":"0pW5-Qv1nqJ8o2kYxX8b1tKVufkL9Z6ifKNpGMV_G9Y","alg":"HMAC 256/256"},
 {"kty":"oct","kid":"d","k":"1pW5-Qv1nqJ8o2kYxX8b1tKVufkL9Z6ifKNpGMV_G9Y","alg":"direct+HKDF-SHA-256"},
 {"kty":"EC","crv":"P-256","kid":"e","x":"JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko","y":"lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I","d":"hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU"},
 {"kty":"EC","crv":"P-256","kid":"f","use":"sig","x":"6MqDlR3zqATnrB-r2F263sFn-Zh7KHRwubdy1sow-Vk","y":"wl8-8lDClPsEeVnMO0I1bqLV1xij4dI6wsi2U1jf6vc"}
]}"#;

static HOUSE: LazyLock<House> = LazyLock::new(|| corridor::house(KEYS, Compat::STRICT, Format::Cose));

static ALL: LazyLock<Compat> = LazyLock::new(Compat::everything);

const NAMED: [Option<CoseType>; 7] = [
    None,
    Some(CoseType::Encrypt),
    Some(CoseType::Encrypt0),
    Some(CoseType::Mac),
    Some(CoseType::Mac0),
    Some(CoseType::Sign),
    Some(CoseType::Sign1),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let cose_type = NAMED[usize::from(*first) % NAMED.len()];
    corridor::walk(&HOUSE, &Sealed { bytes: bytes.into(), cose_type }, &ALL);
});
