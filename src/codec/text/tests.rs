//! Each coding takes the forms that it names, and no other.

use proptest::prelude::{any, proptest};

use crate::codec::text::{base64, base64url, base64url_strict, hex, strip, unwrap_lines};

#[test]
fn wrapping_is_stripped_once() {
    for (given, expected) in [
        ("\u{feff} d083\r\n", "d083"),
        ("\"d083\"", "d083"),
        ("'d083'\n", "d083"),
        ("\" d083 \"", "d083"),
        ("\"\"d083\"\"", "\"d083\""),
        ("\"", "\""),
        ("", ""),
    ] {
        assert_eq!(strip(given), expected, "{given:?}");
    }
    assert_eq!(unwrap_lines("ab\r\ncd ef\t"), "abcdef");
}

#[test]
fn forms_of_each_coding() {
    assert_eq!(hex("0xD0a3"), Some(vec![0xd0, 0xa3]));
    assert_eq!(hex("d0a"), None);
    assert_eq!(base64("+/8="), Some(vec![0xfb, 0xff]));
    assert_eq!(base64("+/8"), Some(vec![0xfb, 0xff]));
    assert_eq!(base64("-_8"), None);
    assert_eq!(base64url("-_8="), Some(vec![0xfb, 0xff]));
    assert_eq!(base64url("+/8"), None);
    assert_eq!(base64url("-_9"), Some(vec![0xfb, 0xff]), "an unused bit is set");
    assert_eq!(base64url_strict("-_9"), None);
    assert_eq!(base64url_strict("-_8"), Some(vec![0xfb, 0xff]));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        assert_eq!(hex(&hex::encode_upper(&bytes)).as_deref(), Some(bytes.as_slice()));
        assert_eq!(base64(&STANDARD.encode(&bytes)).as_deref(), Some(bytes.as_slice()));
        assert_eq!(base64url_strict(&URL_SAFE_NO_PAD.encode(&bytes)).as_deref(), Some(bytes.as_slice()));
    }
}
