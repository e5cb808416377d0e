//! Packs, read back by another reader.

use std::vec::Vec;

use hex::encode;
use minicbor::Decoder;
use minicbor::data::Type;
use proptest::prelude::*;

use super::{Reading, Value, pack};

#[test]
fn the_profiles_reading() {
    let content = pack(&[Reading::number("/3303/0/5700", 21.5)]);
    assert_eq!(encode(content), "81a2006c2f333330332f302f3537303002f94d60");
}

#[test]
fn every_kind_of_value_with_labels_ascending() {
    let rows = [
        (Value::Integer(-3), "81a400616e0162256802220601"),
        (Value::Flag(true), "81a400616e0162256804f50601"),
        (Value::Text("on"), "81a400616e01622568 03626f6e 0601"),
        (Value::Data(&[1, 2]), "81a400616e01622568 0601 08420102"),
    ];
    for (value, expected) in rows {
        let content = pack(&[Reading { name: "n", value, unit: Some("%h"), time: Some(1.0) }]);
        // the time is the half float 1.0
        assert_eq!(encode(content), expected.replace(' ', "").replacen("0601", "06f93c00", 1), "{value:?}");
    }
}

#[test]
fn no_readings_are_an_empty_pack() {
    assert_eq!(pack(&[]), [0x80]);
}

fn read_number(content: &[u8]) -> (Type, f64) {
    let mut decoder = Decoder::new(content);
    decoder.array().unwrap();
    decoder.map().unwrap();
    decoder.skip().unwrap();
    decoder.skip().unwrap();
    decoder.skip().unwrap();
    let kind = decoder.datatype().unwrap();
    let rest = &content[decoder.position()..];
    let value = match kind {
        Type::F16 => half::f16::from_be_bytes(rest[1..3].try_into().unwrap()).to_f64(),
        Type::F32 => f64::from(f32::from_be_bytes(rest[1..5].try_into().unwrap())),
        _ => f64::from_be_bytes(rest[1..9].try_into().unwrap()),
    };
    (kind, value)
}

#[test]
fn floats_have_their_shortest_exact_form() {
    let rows = [
        (0.0, Type::F16),
        (-0.0, Type::F16),
        (65504.0, Type::F16),
        (5.960_464_477_539_063e-8, Type::F16),
        (f64::INFINITY, Type::F16),
        (65505.0, Type::F32),
        (21.7_f32.into(), Type::F32),
        (21.7, Type::F64),
        (1e300, Type::F64),
    ];
    for (value, kind) in rows {
        assert_eq!(read_number(&pack(&[Reading::number("n", value)])).0, kind, "{value}");
    }
}

proptest! {
    #[test]
    fn a_number_comes_back_bit_for_bit(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(!value.is_nan());
        prop_assert_eq!(read_number(&pack(&[Reading::number("n", value)])).1.to_bits(), bits);
    }

    #[test]
    fn a_pack_is_one_whole_item(names in proptest::collection::vec("[a-z/0-9]{1,30}", 0..40)) {
        let readings: Vec<_> = names.iter().map(|name| Reading::number(name, 0.1)).collect();
        let content = pack(&readings);
        let mut decoder = Decoder::new(&content);
        decoder.skip().unwrap();
        prop_assert_eq!(decoder.position(), content.len());
    }
}

#[cfg(feature = "std")]
#[test]
fn json_has_the_names_of_rfc_8428() {
    let readings = [
        Reading { name: "t", value: Value::Number(21.5), unit: Some("Cel"), time: Some(7.0) },
        Reading { name: "d", value: Value::Data(&[0xfb]), unit: None, time: None },
        Reading { name: "b", value: Value::Flag(true), unit: None, time: None },
        Reading { name: "i", value: Value::Integer(-3), unit: None, time: None },
        Reading { name: "s", value: Value::Text("x"), unit: None, time: None },
    ];
    let expected = serde_json::json!([
        {"n": "t", "u": "Cel", "t": 7.0, "v": 21.5},
        {"n": "d", "vd": "-w"},
        {"n": "b", "vb": true},
        {"n": "i", "v": -3},
        {"n": "s", "vs": "x"},
    ]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&super::json(&readings)).unwrap(), expected);
}
