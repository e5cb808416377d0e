//! JWE and JWS in each serialization, strict and under all compat names: read, described, and walked through the corridor
//! with test keys. What opens under a key that nobody else has would be a forgery. The first byte says whether the rest
//! is a token, or the JSON of a protected header to be put into one.
#![no_main]

use std::sync::LazyLock;

use keystore::{Defaults, ImportOptions, Keystore};
use libfuzzer_sys::fuzz_target;
use paperknife::envelope::{self, Envelope, Limits, Reading};
use paperknife::guard::Arrival;
use paperknife::item::{Claims, Compat, Format, Sealed, Timestamp};
use paperknife::opening::{House, find, off_by_default};
use paperknife::store::ledger::Finding;

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

static ALL: LazyLock<Compat> = LazyLock::new(|| {
    let mut all = Compat::default();
    all.allow("all").expect("a name");
    all
});

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let keystore = Keystore::ephemeral(Defaults::default()).expect("a keystore in memory");
    let also = off_by_default(&ALL, Some(Format::Jose));
    keystore.import(KEYS.as_bytes(), &ImportOptions { also, ..ImportOptions::default() }).expect("sound keys");
    House::new(keystore.into(), Limits::default())
});

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64url(bytes: &[u8]) -> String {
    let group = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len())
            .map(move |nth| char::from(LETTERS[(bits >> (18 - 6 * nth)) as usize & 63]))
            .collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// A token of a protected header, with parts of the sizes that it may want.
fn token(how: u8, header: &[u8]) -> String {
    let part = |length: usize| base64url(&vec![1; length]);
    let protected = base64url(header);
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
    let sealed = Sealed { bytes: bytes.into(), cose_type: None };
    let limits = Limits::default();
    for compat in [Compat::STRICT, &*ALL] {
        let reading = Reading { limits: &limits, compat, detached: None };
        if let Ok(envelope) = Envelope::parse(&sealed, &reading) {
            let _ = (envelope.describe(), envelope.key_names());
        }
        let claims = Claims::default();
        let arrival = Arrival::offline(&claims, compat, Timestamp::from_millis(1_790_856_030_000));
        let finding = find(&HOUSE, &arrival, &sealed).expect("no failure of ours");
        assert!(!matches!(finding, Finding::Opened(..)), "a forgery");
    }
    let _ = envelope::recognise(&sealed.bytes, None);
});
