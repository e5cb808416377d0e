//! Maps in shortest form, labels ascending.

use std::string::ToString;

use hex::encode;
use proptest::prelude::*;

use super::{Claims, PartialIv, Protected, Type};

#[test]
fn every_header_in_its_place() {
    let partial_iv = PartialIv::new(1);
    let map = Protected {
        algorithm: 10,
        content_type: Some(112),
        kid: Some(&[0x01, 0xa2, 0xb3, 0xc4]),
        partial_iv: Some(&partial_iv),
        kid_context: Some(&[0, 0, 0, 9]),
        claims: Claims { issued_at: Some(1_767_225_600), cti: Some(&[0xc0, 0xff, 0xee, 0x01]), ..Claims::default() },
        typ: Some(&Type::Number(16)),
    };
    assert_eq!(encode(map.encode()), "a7010a031870044401a2b3c40641010a44000000090fa2061a6955b9000744c0ffee011010");
}

#[test]
fn names_are_claims_2_and_3() {
    let claims = Claims { subject: Some("d"), audience: Some("a"), ..Claims::default() };
    let map = Protected { algorithm: -9, claims, ..Protected::default() };
    assert_eq!(encode(map.encode()), "a201280fa2026164036161");
    let map = Protected { typ: Some(&Type::Text("a/b".to_string())), ..map };
    assert_eq!(encode(map.encode()), "a301280fa20261640361611063612f62");
}

proptest! {
    #[test]
    fn a_partial_iv_is_the_shortest_big_endian_form(number in 0u64..1 << 40) {
        let partial_iv = PartialIv::new(number);
        let bytes = partial_iv.as_bytes();
        prop_assert_eq!(bytes.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte)), number);
        prop_assert!((1..=5).contains(&bytes.len()));
        prop_assert!(bytes.len() == 1 || bytes[0] != 0);
    }
}
