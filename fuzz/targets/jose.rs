//! JWE and JWS in each serialization, strict and under all compat names: read, described, and walked through the corridor
//! with test keys. What opens under a key that nobody else has would be a forgery. The first byte says whether the rest
//! is a token, or the JSON of a protected header to be put into one.
#![no_main]

mod corridor;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use paperknife::item::{Compat, Format, Sealed};
use paperknife::opening::House;

/// Keys of each kind, with kids of one letter that a mutation finds soon.
const KEYS: &str = r#"{"keys":[
 {"kty":"oct","kid":"a","k":"0pW5-Qv1nqJ8o2kYxX8b1g","alg":"A128GCM"},
 {"kty":"oct","kid":"b","k":"1pW5-Qv1nqJ8o2kYxX8b1g","alg":"A128KW"},
 {"kty":"oct","kid":"c","k":"0pW5-Qv1nqJ8o2kYxX8b1tKVufkL9Z6ifKNpGMV_G9Y","alg":"HS256"},
 {"kty":"oct","kid":"d","k":"2pW5-Qv1nqJ8o2kYxX8b1g","alg":"A128GCMKW"},
 {"kty":"oct","kid":"g","k":"2pW5-Qv1nqJ8o2kYxX8b1tKVufkL9Z6ifKNpGMV_G9Y","alg":"A128CBC-HS256"},
 {"kty":"EC","crv":"P-256","kid":"e","x":"JZRcVmnY-y3T9kZt_YIMGLbzViu6DUVf-tUuvKfAZko","y":"lti-Jsfjj78T43goPdPpFu58VS5v4vflbsdBh9ksq5I","d":"hS8wSZ36hKP430Reh-H9i6iEfyLOtT8_K8YnClLenwU"},
 {"kty":"EC","crv":"P-256","kid":"f","use":"sig","x":"6MqDlR3zqATnrB-r2F263sFn-Zh7KHRwubdy1sow-Vk","y":"wl8-8lDClPsEeVnMO0I1bqLV1xij4dI6wsi2U1jf6vc"}
]}"#;

static ALL: LazyLock<Compat> = LazyLock::new(Compat::everything);

static HOUSE: LazyLock<House> = LazyLock::new(|| corridor::house(KEYS, &ALL, Format::Jose));

/// A token of a protected header, with parts of the sizes that it may want.
fn token(how: u8, header: &[u8]) -> String {
    let part = |length: usize| BASE64URL.encode(vec![1; length]);
    let protected = BASE64URL.encode(header);
    match how % 4 {
        0 => format!("{protected}.{}.{}", part(20), part(64)),
        1 => format!("{protected}..{}.{}.{}", part(12), part(32), part(16)),
        2 => format!("{protected}.{}.{}.{}.{}", part(24), part(12), part(32), part(16)),
        _ => format!("{protected}.{}.{}.{}.{}", part(40), part(16), part(32), part(16)),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let bytes = if *first < 128 { bytes.to_vec() } else { token(*first, bytes).into_bytes() };
    corridor::walk(&HOUSE, &Sealed { bytes: bytes.into(), cose_type: None }, &ALL);
});
