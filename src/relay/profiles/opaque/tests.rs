//! Forms of one envelope, what is never cut, and what is no envelope in any of them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use proptest::prelude::{any, prop, proptest};

use crate::item::CoseType;
use crate::relay::profiles::opaque::{Encoding, from_bytes, from_string, from_text};

/// A whole COSE_Encrypt0 by shape; its ciphertext makes both special characters of base64 occur.
const ENVELOPE: [u8; 12] = [0xd0, 0x83, 0x43, 0xa1, 0x01, 0x0a, 0xa0, 0x44, 0xfb, 0xff, 0xfe, 0xbf];
const JOSE: &str = "eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC";

fn wrapped(text: &str) -> String {
    text.as_bytes().chunks(6).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect()
}

#[test]
fn every_form_gives_the_envelope() {
    let (base64, hex) = (STANDARD.encode(ENVELOPE), hex::encode(ENVELOPE));
    let rows = [
        (hex.clone(), Encoding::Hex),
        (hex.to_uppercase() + "\r\n", Encoding::Hex),
        (format!("0x{hex}"), Encoding::Hex),
        (wrapped(&hex), Encoding::Hex),
        (base64.clone(), Encoding::Base64),
        (wrapped(&base64), Encoding::Base64),
        (format!("\u{feff}\"{base64}\"\n"), Encoding::Base64),
        (STANDARD_NO_PAD.encode(ENVELOPE), Encoding::Base64),
        (URL_SAFE_NO_PAD.encode(ENVELOPE), Encoding::Base64url),
        (STANDARD.encode(&base64), Encoding::Base64Base64),
        (STANDARD.encode(wrapped(&base64)), Encoding::Base64Base64),
        (STANDARD.encode(&hex), Encoding::Base64Hex),
    ];
    for (written, encoding) in rows {
        let found = from_string(&written, None, None).unwrap_or_else(|| panic!("{encoding:?}: {written}"));
        assert_eq!((found.bytes.as_slice(), found.encoding, found.repaired), (ENVELOPE.as_slice(), encoding, false));
    }
}

#[test]
fn pem_and_smime_are_the_text_itself() {
    // ContentInfo { id-data, [0] OCTET STRING "hi" }
    let base64 = STANDARD.encode(hex::decode("301106092a864886f70d010701a00404026869").unwrap());
    let pem = format!("-----BEGIN CMS-----\n{base64}\n-----END CMS-----");
    let smime = format!("Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n{base64}");
    for written in [pem, smime] {
        let found = from_string(&format!("{written}\n"), None, None).unwrap();
        assert_eq!((found.bytes.as_slice(), found.encoding), (written.as_bytes(), Encoding::Raw));
        assert_eq!(from_string(&written, Some(Encoding::Hex), None), None);
    }
    assert_eq!(from_string(&base64, None, None).unwrap().encoding, Encoding::Base64);
}

#[test]
fn jose_is_the_text_itself() {
    let found = from_string(&format!("{JOSE}\n"), None, None).unwrap();
    assert_eq!((found.bytes.as_slice(), found.encoding), (JOSE.as_bytes(), Encoding::Jose));
    let json =
        format!(r#"{{"protected": "{}", "payload": "a b", "signature": ""}}"#, "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2V9");
    let found = from_string(&format!(" {json}\n"), None, None).unwrap();
    assert_eq!((found.bytes.as_slice(), found.encoding), (json.as_bytes(), Encoding::Jose));
    let wrapped = from_string(&JOSE.replace("..", "..\n "), None, None).unwrap();
    assert_eq!(wrapped.bytes, JOSE.as_bytes());
    let encoded = from_string(&STANDARD.encode(JOSE), None, None).unwrap();
    assert_eq!((encoded.bytes.as_slice(), encoded.encoding), (JOSE.as_bytes(), Encoding::Base64));
}

#[test]
fn a_configured_encoding_is_tried_alone() {
    let hex = hex::encode(ENVELOPE);
    assert!(from_string(&hex, Some(Encoding::Hex), None).is_some());
    for other in [Encoding::Base64, Encoding::Base64url, Encoding::Jose, Encoding::Base64Hex] {
        assert_eq!(from_string(&hex, Some(other), None), None, "{other:?}");
        assert_eq!(from_string(&format!("{hex}U"), Some(other), None), None, "{other:?}");
    }
}

#[test]
fn an_untagged_structure_must_be_named() {
    let untagged = hex::encode(&ENVELOPE[1..]);
    assert_eq!(from_text(&untagged, None, None), None);
    assert!(from_text(&untagged, None, Some(CoseType::Encrypt0)).is_some());
    assert_eq!(from_bytes(&ENVELOPE[1..], None), None);
    assert!(from_bytes(&ENVELOPE[1..], Some(CoseType::Encrypt0)).is_some());
}

#[test]
fn trailing_text_is_cut_up_to_eight_characters_and_flagged() {
    let forms = [hex::encode(ENVELOPE), STANDARD.encode(ENVELOPE), URL_SAFE_NO_PAD.encode(ENVELOPE)];
    for form in &forms {
        for garbage in ["U", "\0", "\u{fffd}U", "AAAAAAAA", "!!!!!!!!"] {
            let found = from_string(&format!("{form}{garbage}"), None, None);
            let found = found.unwrap_or_else(|| panic!("{form} and {garbage:?}"));
            assert_eq!((found.bytes.as_slice(), found.repaired), (ENVELOPE.as_slice(), true));
        }
        assert_eq!(from_string(&format!("{form}!!!!!!!!!"), None, None), None, "nine are too many");
    }
}

#[test]
fn padding_behind_which_garbage_stands_leaves_one_envelope() {
    // One byte more than a multiple of three: the encoding ends in `==`.
    let envelope = [ENVELOPE.as_slice(), &[0]].concat();
    let envelope = [&envelope[..7], &[0x45], &envelope[8..]].concat();
    let written = STANDARD.encode(&envelope);
    assert!(written.ends_with("=="));
    let found = from_string(&format!("{written}U"), None, None).unwrap();
    assert_eq!((found.bytes, found.repaired), (envelope, true));
}

#[test]
fn nothing_is_cut_off_binary_or_off_jose() {
    assert_eq!(from_bytes(&[ENVELOPE.as_slice(), &[0]].concat(), None), None);
    let encoded = STANDARD.encode([ENVELOPE.as_slice(), &[0]].concat());
    assert_eq!(from_text(&encoded, None, None), None, "a data value is binary");
    assert_eq!(from_bytes(format!("{}U", hex::encode(ENVELOPE)).as_bytes(), None), None);
    assert_eq!(from_string(&format!("{JOSE} !"), None, None), None);
}

#[test]
fn a_text_that_no_envelope_fills_is_not_searched() {
    let written = hex::encode(ENVELOPE);
    let spaces = " ".repeat(3 * 1024 * 1024 - written.len());
    assert!(from_string(&format!("{written}{spaces}"), None, None).is_some());
    assert_eq!(from_string(&format!("{written}{spaces} "), None, None), None);
}

#[test]
fn bytes_that_are_text_are_read_as_text() {
    let found = from_bytes(STANDARD.encode(ENVELOPE).as_bytes(), None).unwrap();
    assert_eq!((found.bytes.as_slice(), found.encoding), (ENVELOPE.as_slice(), Encoding::Base64));
    assert_eq!(from_bytes(&ENVELOPE, None).unwrap().encoding, Encoding::Raw);
}

proptest! {
    #[test]
    fn any_text_is_bounded(text in "\\PC{0,200}") {
        if let Some(found) = from_string(&text, None, None) {
            assert!(found.bytes.len() <= text.len());
        }
    }

    #[test]
    fn garbage_never_changes_the_envelope(garbage in "\\PC{0,12}", bytes in prop::collection::vec(any::<u8>(), 0..23)) {
        let envelope = [&ENVELOPE[..7], &[0x40 + bytes.len() as u8], &bytes].concat();
        for written in [hex::encode(&envelope), STANDARD.encode(&envelope), URL_SAFE_NO_PAD.encode(&envelope)] {
            if let Some(found) = from_string(&format!("{written}{garbage}"), None, None) {
                assert_eq!(&found.bytes, &envelope);
            }
        }
    }
}
