//! Resolution field by field, the attacks of threats.md C1–C11 row by row, and what holds for any pack.

use minicbor::encode::Encoder;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::json;

use crate::codec::senml::{DataText, Error, Limits, Number, Record, Time, Value, decode_cbor, decode_json};

const LIMITS: Limits = Limits { records: 16, depth: 16, name: 64, output: 4096 };

fn from_json(text: &str) -> Result<Vec<Record>, Error> {
    decode_json(text.as_bytes(), &LIMITS, DataText::Base64url)
}

fn from_hex(text: &str) -> Result<Vec<Record>, Error> {
    decode_cbor(&hex::decode(text.replace(' ', "")).unwrap(), &LIMITS)
}

fn only(text: &str) -> Record {
    let mut records = from_json(text).unwrap();
    assert_eq!(records.len(), 1, "{text}");
    records.pop().unwrap()
}

fn int(integer: i128) -> Option<Value> {
    Some(Value::Number(Number::Integer(integer)))
}

#[test]
fn base_fields_hold_until_replaced() {
    let records = from_json(
        r#"[{"bn":"/3303/0/","bt":1790856000,"bu":"Cel","bv":20,"bs":5,"bct":"60","n":"5700","v":1},
            {"bn":"/3304/0/"},
            {"n":"5700","u":"%RH","v":2.5,"t":-1,"s":1,"ct":"16","ut":30},
            {"bv":0,"bt":0,"n":"1","v":3}]"#,
    )
    .unwrap();
    let names: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
    assert_eq!(names, ["/3303/0/5700", "/3304/0/5700", "/3304/0/1"]);
    assert_eq!(records[0].value, int(21));
    assert_eq!(records[0].time, Time::Absolute(1_790_856_000_000));
    assert_eq!(records[0].unit.as_deref(), Some("Cel"));
    assert_eq!(records[0].sum, Some(Number::Integer(5)));
    assert_eq!(records[0].content_format.as_deref(), Some("60"));
    assert_eq!(records[1].value, Some(Value::Number(Number::Float(22.5))));
    assert_eq!(records[1].unit.as_deref(), Some("%RH"));
    assert_eq!(records[1].sum, Some(Number::Integer(6)));
    assert_eq!(records[1].time, Time::Absolute(1_790_855_999_000));
    assert_eq!(records[1].update_time, Some(30.0));
    assert_eq!(records[1].content_format.as_deref(), Some("16"));
    assert_eq!((records[2].value.clone(), records[2].time), (int(3), Time::Now));
}

#[test]
fn a_value_is_there_or_made_of_what_is() {
    assert_eq!(only(r#"[{"bv":7,"n":"a"}]"#).value, int(7), "base value alone");
    let summed = only(r#"[{"n":"a","s":3.5}]"#);
    assert_eq!((summed.value, summed.sum), (None, Some(Number::Float(3.5))), "sum alone");
    assert_eq!(only(r#"[{"bs":3,"n":"a"}]"#).sum, Some(Number::Integer(3)), "base sum alone");
    assert_eq!(only(r#"[{"bv":7,"n":"a","vs":"x"}]"#).value, Some(Value::Text("x".into())), "not added to a text");
    assert_eq!(from_json(r#"[{"bn":"/3/","bv":7,"bver":10}]"#), Ok(vec![]), "base fields only");
    assert_eq!(from_json("[]"), Ok(vec![]), "an empty pack");
}

#[test]
fn each_kind_of_value() {
    let rows = [
        (r#"[{"n":"a","vb":true}]"#, Value::Boolean(true)),
        (r#"[{"n":"a","vd":"-_8"}]"#, Value::Data(vec![0xfb, 0xff])),
        (r#"[{"n":"a","vd":"-_8="}]"#, Value::Data(vec![0xfb, 0xff])),
        (r#"[{"n":"a","vlo":"65535:65535"}]"#, Value::Objlink("65535:65535".into())),
        (r#"[{"n":"a","vs":"\u00fc\/"}]"#, Value::Text("ü/".into())),
        (r#"[{"n":"a","v":18446744073709551615}]"#, Value::Number(Number::Integer(u64::MAX.into()))),
        (r#"[{"n":"a","v":1.5e3}]"#, Value::Number(Number::Float(1500.0))),
    ];
    for (text, expected) in rows {
        assert_eq!(only(text).value, Some(expected), "{text}");
    }
    let as_written = decode_json(br#"[{"n":"a","vd":"d083"}]"#, &LIMITS, DataText::AsWritten).unwrap();
    assert_eq!(as_written[0].value, Some(Value::DataText("d083".into())));
}

#[test]
fn integers_add_without_loss_and_nothing_overflows() {
    assert_eq!(only(r#"[{"bv":9007199254740993,"n":"a","v":2}]"#).value, int(9_007_199_254_740_995));
    let beyond = only(r#"[{"bv":18446744073709551615,"n":"a","v":1}]"#).value;
    assert_eq!(beyond, Some(Value::Number(Number::Float(18_446_744_073_709_551_616.0))));
    assert_eq!(from_json(r#"[{"bv":1.7e308,"n":"a","v":1.7e308}]"#), Err(Error::Malformed));
    assert_eq!(from_json(r#"[{"bs":1.7e308,"n":"a","s":1.7e308}]"#), Err(Error::Malformed));
}

#[test]
fn times_below_2_28_are_relative() {
    let rows = [
        ("0", Time::Now),
        ("-5.0004", Time::Relative(-5000)),
        ("268435455.999", Time::Relative(268_435_455_999)),
        ("268435456", Time::Absolute(268_435_456_000)),
        ("1790856001.5", Time::Absolute(1_790_856_001_500)),
        ("-1e11", Time::Relative(-100_000_000_000_000)),
    ];
    for (time, expected) in rows {
        assert_eq!(only(&format!(r#"[{{"n":"a","v":1,"t":{time}}}]"#)).time, expected, "{time}");
    }
    for time in ["1e12", "-1e12", "1e300"] {
        assert_eq!(from_json(&format!(r#"[{{"n":"a","v":1,"t":{time}}}]"#)), Err(Error::Malformed), "{time}");
    }
}

#[test]
fn cbor_numbers_of_every_width() {
    let number =
        |hex: &str| from_hex(&format!("81 a2 00 6161 02 {hex}")).map(|records| records[0].value.clone().unwrap());
    let float = |float: f64| Ok(Value::Number(Number::Float(float)));
    let integer = |integer: i128| Ok(Value::Number(Number::Integer(integer)));
    assert_eq!(number("f94d60"), float(21.5));
    assert_eq!(number("f90001"), float(5.960_464_477_539_063e-8), "smallest subnormal half");
    assert_eq!(number("f97bff"), float(65504.0));
    assert_eq!(number("f9c000"), float(-2.0));
    assert_eq!(number("f9fc00"), float(f64::NEG_INFINITY));
    assert!(matches!(number("f97e00"), Ok(Value::Number(Number::Float(nan))) if nan.is_nan()));
    assert_eq!(number("fa41ac0000"), float(21.5));
    assert_eq!(number("3bffffffffffffffff"), integer(-(1 << 64)));
    assert_eq!(number("c48221190ad7"), float(27.75), "a decimal fraction");
    assert_eq!(number("c4820205"), integer(500), "a positive exponent stays exact");
    assert_eq!(number("c49f2005ff"), float(0.5), "indefinite length");
    for bad in [
        "c4821a7fffffff01",
        "c4823a7fffffff01",
        "c4830102 03",
        "c48101",
        "c4822041ff",
        "c249ffffffffffffffffff",
        "f5",
        "f6",
        "6131",
    ] {
        assert_eq!(number(&bad.replace(' ', "")), Err(Error::Malformed), "{bad}");
    }
    assert_eq!(number("c482190190 1bffffffffffffffff"), Err(Error::Malformed), "beyond any float");
}

#[test]
fn versions_known_and_unknown() {
    for (pack, taken) in [
        (r#"[{"bver":10,"n":"a","v":1}]"#, true),
        (r#"[{"bver":26,"n":"a","v":1},{"bver":26,"n":"b","v":1}]"#, true),
        (r#"[{"bver":5,"n":"a","v":1}]"#, true),
        (r#"[{"n":"a","v":1},{"bver":10,"n":"b","v":1}]"#, true),
        (r#"[{"bver":11,"n":"a","v":1}]"#, false),
        (r#"[{"bver":42,"n":"a","v":1}]"#, false),
        (r#"[{"bver":0,"n":"a","v":1}]"#, false),
        (r#"[{"bver":-10,"n":"a","v":1}]"#, false),
        (r#"[{"bver":10.5,"n":"a","v":1}]"#, false),
        (r#"[{"bver":10,"n":"a","v":1},{"bver":26,"n":"b","v":1}]"#, false),
        (r#"[{"n":"a","v":1},{"bver":26,"n":"b","v":1}]"#, false),
    ] {
        assert_eq!(from_json(pack).is_ok(), taken, "{pack}");
    }
}

#[test]
fn malformed_json_packs() {
    let nested = |depth: usize| format!(r#"[{{"n":"a","v":1,"x":{}{}}}]"#, "[".repeat(depth), "]".repeat(depth));
    assert!(from_json(&nested(14)).is_ok(), "the pack and the record are two levels of sixteen");
    let long = format!(r#"[{{"n":"a","v":0.{}}}]"#, "1".repeat(63));
    let rows = [
        nested(15),
        nested(10_000),
        long,
        r#"[{"n":"a","v":1}],"#.into(),
        r#"[{"n":"a","v":1}] []"#.into(),
        r#"[{"n":"a","v":1},]"#.into(),
        r#"{"n":"a","v":1}"#.into(),
        r#"[{"n":"a","v":1,"n":"a"}]"#.into(),
        r#"[{"n":"a","v":1,"\u006e":"a"}]"#.into(),
        r#"[{"n":"a","v":1,"x":1,"x":1}]"#.into(),
        r#"[{"n":"a","v":1,"x":{"y":1,"y":1}}]"#.into(),
        r#"[{"n":"a","v":1,"vs":"x"}]"#.into(),
        r#"[{"n":"a","v":1e400}]"#.into(),
        r#"[{"n":"a","v":NaN}]"#.into(),
        r#"[{"n":"a","v":null}]"#.into(),
        r#"[{"n":"a","v":"1"}]"#.into(),
        r#"[{"n":null,"v":1}]"#.into(),
        r#"[{"n":"a","vs":"\ud800"}]"#.into(),
        r#"[{"n":"a","v":1,"x":"\ud800"}]"#.into(),
        "\u{feff}[{\"n\":\"a\",\"v\":1}]".into(),
        "[{\"n\":\"a\",\"v\":1}/* */]".into(),
        r#"[{"n":"a"}]"#.into(),
        r#"[{"t":1}]"#.into(),
        "[{}]".into(),
        r#"[{"x":1}]"#.into(),
        r#"[{"v":1}]"#.into(),
        r#"[{"n":"","v":1}]"#.into(),
        r#"[{"n":"a\u0000","v":1}]"#.into(),
        r#"[{"n":"a\u001b[31m","v":1}]"#.into(),
        r#"[{"n":"a","v":1,"must_":1}]"#.into(),
        r#"[{"n":"a","vd":"+/8"}]"#.into(),
        r#"[{"n":"a","vd":"-_9"}]"#.into(),
        r#"[{"n":"a","vd":"- _8"}]"#.into(),
        r#"[{"n":"a","vlo":"1"}]"#.into(),
        r#"[{"n":"a","vlo":"1:65536"}]"#.into(),
        r#"[{"n":"a","vlo":"+1:2"}]"#.into(),
        String::new(),
    ];
    for row in rows {
        assert_eq!(from_json(&row), Err(Error::Malformed), "{}", &row[..row.len().min(80)]);
    }
    assert_eq!(decode_json(b"\xff\xfe[\x00]\x00", &LIMITS, DataText::Base64url), Err(Error::Malformed), "UTF-16");
    assert!(
        from_json(r#"[{"n":"a","v":1,"l":{"x":[1,-1,0.5,null,true,"\\\"1"]}}]"#).is_ok(),
        "unknown members are ignored"
    );
}

#[test]
fn malformed_cbor_packs() {
    let deep = format!("81 a3 00 6161 02 01 03e8 {} 00", "81".repeat(10)).replace("03e8", "1903e8");
    assert!(from_hex(&deep).is_ok(), "an unknown label is ignored");
    let rows = [
        format!("81 a3 00 6161 02 01 1903e8 {} 00", "81".repeat(100_000)),
        format!("81 a3 00 6161 02 01 1903e8 {} 00", "c1".repeat(10_000)),
        format!("81 a2 00 7f 6161 {} ff 02 01", "60".repeat(1_000_000)),
        "81 a3 00 6161 00 6161 02 01".into(),
        "81 a3 00 6161 1800 6161 02 01".into(),
        "81 a4 00 6161 02 01 1864 01 1864 01".into(),
        "81 a3 00 6161 02 01 1864 a2 01 01 01 01".into(),
        "81 a3 00 6161 02 01 fb3ff0000000000000 01".into(),
        "81 a3 00 6161 02 01 62785f 01".into(),
        "81 a2 00 6161 02 01 00".into(),
        "81 a2 00 6161 02 01 81 a2 00 6161 02 01".into(),
        "82 a2 00 6161 02 01".into(),
        "9f a2 00 6161 02 01".into(),
        "81 bf 00 6161 02 ff".into(),
        "9b7fffffffffffffff".into(),
        "81 bb7fffffffffffffff".into(),
        "81 a2 00 6161 08 5b7fffffffffffffff".into(),
        "81 a2 00 6161 03 62c328".into(),
        "81 a2 00 6161 08 6130".into(),
        "81 a2 00 6161 06 f97e00".into(),
        "81 a3 00 6161 02 01 07 f97c00".into(),
        "81 a2 00 6161 06 fb7ff0000000000000".into(),
        "81 a1 00 6161".into(),
        "81 a0".into(),
        "81 01".into(),
        "a2 00 6161 02 01".into(),
        String::new(),
    ];
    for row in rows {
        assert_eq!(from_hex(&row), Err(Error::Malformed), "{}", &row[..row.len().min(80)]);
    }
    for legal in [
        "9f bf 00 7f 6161 ff 08 5f 4101 4102 ff ff ff",
        "81 a2 00 6161 63766c6f 63313a32",
        "81 a3 6462657374 01 00 6161 02 01",
    ] {
        assert!(from_hex(legal).is_ok(), "{legal}");
    }
}

#[test]
fn growth_is_counted_before_it_happens() {
    let many = |records: usize, name: usize| {
        let rest = vec![r#"{"v":1}"#; records - 1].join(",");
        format!(r#"[{{"bn":"{}","v":1}},{rest}]"#, "n".repeat(name))
    };
    assert!(from_json(&many(16, 64)).is_ok());
    assert_eq!(from_json(&many(17, 1)), Err(Error::TooLarge), "one record too many");
    assert_eq!(from_json(&many(2, 65)), Err(Error::TooLarge), "a name too long");
    let wide = Limits { records: 4096, depth: 16, name: 1024, output: 1 << 20 };
    let bomb = many(4096, 1000);
    assert!(bomb.len() < 40_000);
    assert_eq!(decode_json(bomb.as_bytes(), &wide, DataText::Base64url), Err(Error::TooLarge), "threats.md C8");
    let units = format!(r#"[{{"bu":"{}","n":"a","v":1}},{{"n":"a","v":1}}]"#, "u".repeat(3000));
    assert_eq!(from_json(&units), Err(Error::TooLarge), "units grow as names do");
    let cbor = format!("91 {}", "a2 00 6161 02 01".repeat(17));
    assert_eq!(from_hex(&cbor), Err(Error::TooLarge));
}

/// What a record may be made of, to write it in both forms.
#[derive(Clone, Debug)]
struct Draft {
    base_name: Option<String>,
    base_time: Option<i64>,
    base_value: Option<i32>,
    name: String,
    time: Option<i64>,
    value: DraftValue,
}

#[derive(Clone, Debug)]
enum DraftValue {
    Boolean(bool),
    Data(Vec<u8>),
    Float(f64),
    Integer(i64),
    Text(String),
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let value = prop_oneof![
        any::<bool>().prop_map(DraftValue::Boolean),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(DraftValue::Data),
        (-1e9..1e9).prop_map(DraftValue::Float),
        any::<i64>().prop_map(DraftValue::Integer),
        "\\PC{0,10}".prop_map(DraftValue::Text),
    ];
    let time = prop_oneof![Just(0i64), -1000i64..1000, 1_600_000_000i64..1_900_000_000];
    let draft = (
        prop::option::of("/[a-z0-9/]{0,8}"),
        prop::option::of(time.clone()),
        prop::option::of(any::<i32>()),
        "[a-z0-9]{1,8}",
        prop::option::of(time),
        value,
    );
    let draft = draft.prop_map(|(base_name, base_time, base_value, name, time, value)| Draft {
        base_name,
        base_time,
        base_value,
        name,
        time,
        value,
    });
    prop::collection::vec(draft, 0..8)
}

fn as_json(drafts: &[Draft]) -> Vec<u8> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let records: Vec<serde_json::Value> = drafts
        .iter()
        .map(|draft| {
            let mut record = json!({"n": draft.name});
            for (member, value) in [
                ("bn", draft.base_name.as_ref().map(|name| json!(name))),
                ("bt", draft.base_time.map(|time| json!(time))),
                ("bv", draft.base_value.map(|value| json!(value))),
                ("t", draft.time.map(|time| json!(time))),
            ] {
                if let Some(value) = value {
                    record[member] = value;
                }
            }
            match &draft.value {
                DraftValue::Boolean(boolean) => record["vb"] = json!(boolean),
                DraftValue::Data(bytes) => record["vd"] = json!(URL_SAFE_NO_PAD.encode(bytes)),
                DraftValue::Float(float) => record["v"] = json!(float),
                DraftValue::Integer(integer) => record["v"] = json!(integer),
                DraftValue::Text(text) => record["vs"] = json!(text),
            }
            record
        })
        .collect();
    serde_json::to_vec(&records).unwrap()
}

fn as_cbor(drafts: &[Draft]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.array(drafts.len() as u64).unwrap();
    for draft in drafts {
        encoder.begin_map().unwrap().i8(0).unwrap().str(&draft.name).unwrap();
        if let Some(name) = &draft.base_name {
            encoder.i8(-2).unwrap().str(name).unwrap();
        }
        if let Some(time) = draft.base_time {
            encoder.i8(-3).unwrap().i64(time).unwrap();
        }
        if let Some(value) = draft.base_value {
            encoder.i8(-5).unwrap().i32(value).unwrap();
        }
        if let Some(time) = draft.time {
            encoder.i8(6).unwrap().i64(time).unwrap();
        }
        match &draft.value {
            DraftValue::Boolean(boolean) => encoder.u8(4).unwrap().bool(*boolean),
            DraftValue::Data(bytes) => encoder.u8(8).unwrap().bytes(bytes),
            DraftValue::Float(float) => encoder.u8(2).unwrap().f64(*float),
            DraftValue::Integer(integer) => encoder.u8(2).unwrap().i64(*integer),
            DraftValue::Text(text) => encoder.u8(3).unwrap().str(text),
        }
        .unwrap()
        .end()
        .unwrap();
    }
    encoder.into_writer()
}

/// A resolved pack, written out again.
fn rewritten(records: &[Record]) -> Vec<u8> {
    let drafts: Vec<Draft> = records
        .iter()
        .map(|record| Draft {
            base_name: None,
            base_time: None,
            base_value: None,
            name: record.name.clone(),
            time: match record.time {
                Time::Now => None,
                Time::Absolute(millis) | Time::Relative(millis) => Some(millis / 1000),
            },
            value: match record.value.clone().unwrap() {
                Value::Boolean(boolean) => DraftValue::Boolean(boolean),
                Value::Data(bytes) => DraftValue::Data(bytes),
                Value::Number(Number::Float(float)) => DraftValue::Float(float),
                Value::Number(Number::Integer(integer)) => match i64::try_from(integer) {
                    Ok(integer) => DraftValue::Integer(integer),
                    #[expect(clippy::cast_precision_loss, reason = "a number of the test")]
                    Err(_) => DraftValue::Float(integer as f64),
                },
                Value::DataText(text) | Value::Objlink(text) | Value::Text(text) => DraftValue::Text(text),
            },
        })
        .collect();
    as_cbor(&drafts)
}

proptest! {
    #[test]
    fn both_forms_say_the_same(drafts in drafts()) {
        let wide = Limits { output: 1 << 20, name: 256, ..LIMITS };
        let json = decode_json(&as_json(&drafts), &wide, DataText::Base64url);
        assert_eq!(json.as_ref().map(Vec::len), Ok(drafts.len()));
        assert_eq!(json, decode_cbor(&as_cbor(&drafts), &wide));
    }

    #[test]
    fn resolving_the_resolved_changes_nothing(drafts in drafts()) {
        let wide = Limits { output: 1 << 20, name: 256, ..LIMITS };
        let in_i64 = |record: &Record| !matches!(record.value, Some(Value::Number(Number::Integer(i))) if i64::try_from(i).is_err());
        let records = decode_cbor(&as_cbor(&drafts), &wide).unwrap();
        if records.iter().all(in_i64) {
            assert_eq!(decode_cbor(&rewritten(&records), &wide), Ok(records));
        }
    }

    #[test]
    fn any_bytes_give_records_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_cbor(&bytes, &LIMITS);
        let _ = decode_json(&bytes, &LIMITS, DataText::AsWritten);
    }

    #[test]
    fn a_damaged_pack_is_bounded(drafts in drafts(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for mut bytes in [as_json(&drafts), as_cbor(&drafts)] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            for records in [decode_cbor(&bytes, &LIMITS), decode_json(&bytes, &LIMITS, DataText::AsWritten)].into_iter().flatten() {
                let names: usize = records.iter().map(|record| record.name.len()).sum();
                assert!(records.len() <= LIMITS.records && names <= LIMITS.output);
            }
        }
    }
}
