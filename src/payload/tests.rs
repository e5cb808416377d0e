//! The shared vectors, the RFC's own examples, anchors, limits and the form that is kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::{any, prop, proptest};
use serde_json::{Value as Json, json};

use crate::item::{ContentType, Timestamp};
use crate::payload::{Anchor, Context, Payload, PayloadError, Reading, Value, decode};

const RECEIVED: Timestamp = Timestamp::from_millis(1_790_856_030_000);
const CONTEXT: Context<'static> = Context {
    issued_at: None,
    received_at: RECEIVED,
    base_path: None,
    base_path_proven: false,
    max_future_s: 300,
    max_readings: 4096,
};

fn decode_as(number: u64, content: &[u8], context: &Context<'_>) -> Payload {
    decode(Some(&ContentType::Format(number)), content, context)
}

fn senml(text: &str) -> Payload {
    decode_as(110, text.as_bytes(), &CONTEXT)
}

fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/lwm2m-payload");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
    }
    folder.is_dir().then_some(folder)
}

fn read_json(path: PathBuf) -> Json {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The reading as the manifest writes it: bytes as hex, times as numbers.
fn as_in_manifest(reading: &Reading) -> (Option<String>, &'static str, Json) {
    let value = match &reading.value {
        Some(Value::Bytes(bytes)) => json!(hex::encode(bytes)),
        _ => reading.to_json()["value"].clone(),
    };
    (reading.name.clone(), reading.value.as_ref().map_or("none", Value::type_name), value)
}

fn same(a: &Json, b: &Json) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => (x - y).abs() <= 1e-12 * x.abs(),
        _ => a == b,
    }
}

fn check_reading(case: &str, reading: &Reading, expected: &Json) {
    let (name, kind, value) = as_in_manifest(reading);
    if let Some(expected) = expected.get("name") {
        assert_eq!(name.as_deref(), expected.as_str(), "{case}");
    }
    assert_eq!(kind, expected["type"].as_str().unwrap_or("none"), "{case}");
    assert!(same(&value, &expected["value"]), "{case}: {value} is not {}", expected["value"]);
    assert_eq!(reading.unit.as_deref(), expected["unit"].as_str(), "{case}");
    assert_eq!(reading.sum, expected["sum"].as_f64(), "{case}");
    assert_eq!(reading.update_time, expected["update_time"].as_f64(), "{case}");
    let given = (expected["time"].as_f64().unwrap_or_default() * 1000.0).round() as i64;
    let absolute = expected["time_is_relative"] == json!(false);
    let time = if absolute { given } else { RECEIVED.millis() + given };
    assert_eq!(reading.time.millis(), time, "{case}");
    assert_eq!(reading.time_anchor, if absolute { Anchor::Absolute } else { Anchor::Received }, "{case}");
}

#[test]
fn shared_vectors() {
    let Some(folder) = vectors() else { return };
    let manifest = read_json(folder.join("manifest.json"));
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut checked = 0;
    for case in manifest.as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let content = match (case["hex"].as_str(), case["text"].as_str()) {
            (Some(hex), _) => hex::decode(hex).unwrap(),
            (None, text) => text.unwrap().as_bytes().to_vec(),
        };
        let context = Context { base_path: case["base_path"].as_str(), ..CONTEXT };
        let payload = decode_as(case["content_format"].as_u64().unwrap(), &content, &context);
        if payload.error == Some(PayloadError::UnknownContentFormat) {
            skipped.entry(case["format"].as_str().unwrap()).or_default().push(id);
            continue;
        }
        checked += 1;
        assert_eq!(payload.error.is_none(), case["expect"] == "ok", "{id}: {:?}", payload.error);
        let expected = case["readings"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(payload.readings.len(), expected.len(), "{id}");
        for (reading, expected) in payload.readings.iter().zip(expected) {
            check_reading(id, reading, expected);
        }
    }
    println!("checked {checked} cases");
    for (format, cases) in &skipped {
        println!("skipped {} cases of {format}, which has no decoder yet: {}", cases.len(), cases.join(" "));
    }
    assert!(checked >= 70);
    assert!(["senml-json", "senml-cbor", "text", "opaque"].iter().all(|built| !skipped.contains_key(built)));
}

#[test]
fn examples_of_rfc_8428() {
    let Some(folder) = vectors().map(|folder| folder.join("senml-rfc8428")) else { return };
    for number in [1, 2, 3, 4, 6, 8, 9, 10, 12] {
        let resolved = read_json(folder.join(format!("ex{number}.gen.resolved.json")));
        // The resolved form of records without a time carries the clock of the tool that wrote it.
        let timeless = matches!(number, 1 | 2 | 9);
        for (file, format) in [("json", 110), ("gen.json", 110), ("gen.cbor", 112)] {
            let Ok(content) = std::fs::read(folder.join(format!("ex{number}.{file}"))) else { continue };
            let payload = decode_as(format, &content, &CONTEXT);
            assert_eq!(payload.error, None, "ex{number}.{file}");
            assert_eq!(payload.readings.len(), resolved.as_array().unwrap().len());
            for (reading, expected) in payload.readings.iter().zip(resolved.as_array().unwrap()) {
                assert_eq!(reading.name.as_deref(), expected["n"].as_str());
                assert_eq!(reading.unit.as_deref(), expected["u"].as_str());
                let value = ["v", "vs", "vb", "vd"].iter().find_map(|member| expected.get(member)).unwrap();
                let shown = &reading.to_json()["value"];
                assert!(same(shown, value), "ex{number}.{file}: {shown} is not {value}");
                let time = (expected["t"].as_f64().unwrap() * 1000.0).round() as i64;
                assert!(timeless || (reading.time.millis() - time).abs() <= 1, "ex{number}.{file}");
            }
        }
    }
}

#[test]
fn anchors_say_what_a_time_is_measured_from() {
    let sealed = Timestamp::from_seconds(1_790_000_000);
    let with_iat = Context { issued_at: Some(sealed), ..CONTEXT };
    let rows = [
        ("0", &CONTEXT, RECEIVED, Anchor::Received, false),
        ("-10", &CONTEXT, RECEIVED.plus_seconds(-10), Anchor::Received, false),
        ("-10", &with_iat, sealed.plus_seconds(-10), Anchor::Sealed, true),
        ("1700000000", &CONTEXT, Timestamp::from_seconds(1_700_000_000), Anchor::Absolute, true),
        ("1700000000", &with_iat, Timestamp::from_seconds(1_700_000_000), Anchor::Absolute, true),
    ];
    for (time, context, expected, anchor, proven) in rows {
        let pack = format!(r#"[{{"n":"/3303/0/5700","v":21.5,"t":{time}}}]"#);
        let reading = decode_as(110, pack.as_bytes(), context).readings.remove(0);
        assert_eq!((reading.time, reading.time_anchor, reading.time_proven()), (expected, anchor, proven), "{time}");
    }
}

#[test]
fn a_time_too_far_ahead_is_flagged_not_refused() {
    for (ahead, future) in [(300, false), (301, true)] {
        let time = RECEIVED.plus_seconds(ahead).millis() / 1000;
        assert_eq!(senml(&format!(r#"[{{"n":"a","v":1,"t":{time}}}]"#)).readings[0].future, future, "{ahead}");
    }
    assert!(!senml(r#"[{"n":"a","v":1,"t":1000}]"#).readings[0].future, "only absolute times are");
}

#[test]
fn a_reading_as_the_world_sees_it() {
    let payload = senml(r#"[{"n":"/3303/0/5700","u":"Cel","v":21.5,"bt":1767225600}]"#);
    assert_eq!(
        Json::Object(payload.readings[0].to_json()),
        json!({"name":"/3303/0/5700","path":"/3303/0/5700","path_proven":true,"object":null,"resource":null,
               "type":"number","value":21.5,"unit":"Cel","unit_source":"senml","time":"2026-01-01T00:00:00.000Z",
               "time_anchor":"absolute","time_proven":true,"update_time":null,"sum":null})
    );
    let named = senml(r#"[{"n":"urn:dev:ow:1","vd":"AQID"}]"#).readings.remove(0).to_json();
    assert_eq!((&named["path"], &named["type"], &named["value"]), (&Json::Null, &json!("bytes"), &json!("AQID")));
    assert_eq!((&named["unit"], &named["unit_source"]), (&Json::Null, &Json::Null));
    let summed = senml(r#"[{"n":"a","s":2}]"#).readings.remove(0).to_json();
    assert_eq!((&summed["type"], &summed["value"], &summed["sum"]), (&Json::Null, &Json::Null, &json!(2.0)));
}

#[test]
fn what_is_not_finite_is_text() {
    for (hex, text) in [("f97e00", "NaN"), ("f97c00", "Infinity"), ("f9fc00", "-Infinity")] {
        let content = hex::decode(format!("81a300616102{hex}05{hex}")).unwrap();
        let reading = decode_as(112, &content, &CONTEXT).readings.remove(0);
        let shown = reading.to_json();
        assert_eq!((&shown["type"], &shown["value"], &shown["sum"]), (&json!("number"), &json!(text), &json!(text)));
        let kept: Reading = serde_json::from_str(&serde_json::to_string(&reading).unwrap()).unwrap();
        assert_eq!(kept.to_json(), shown);
    }
}

#[test]
fn single_values_are_named_by_the_base_path() {
    let claimed = Context { base_path: Some("/3303/0/5700"), ..CONTEXT };
    let proven = Context { base_path_proven: true, ..claimed.clone() };
    for (context, path, is_proven) in
        [(&CONTEXT, None, false), (&claimed, claimed.base_path, false), (&proven, proven.base_path, true)]
    {
        for (number, content, value) in
            [(0, b"21.5".as_slice(), Value::Text("21.5".into())), (42, b"\x00\xff", Value::Bytes(vec![0, 0xff]))]
        {
            let reading = decode_as(number, content, context).readings.remove(0);
            assert_eq!(
                (reading.path.as_deref(), reading.name.as_deref(), reading.path_proven),
                (path, path, is_proven)
            );
            assert_eq!(reading.value, Some(value));
        }
    }
    assert_eq!(decode_as(0, b"\xff", &CONTEXT).error, Some(PayloadError::Malformed));
}

#[test]
fn the_type_decides_never_the_content() {
    let pack = br#"[{"n":"a","v":1}]"#;
    for (media_type, readings) in [
        ("application/senml+json", 1),
        ("Application/SenML+JSON; charset=utf-8", 1),
        ("application/senml-etch+json", 1),
        ("text/plain;charset=utf-8", 1),
        ("text/plain", 1),
        ("text/plain; charset=iso-8859-1", 0),
        ("application/json", 0),
    ] {
        let payload = decode(Some(&ContentType::Media(media_type.into())), pack, &CONTEXT);
        assert_eq!(payload.readings.len(), readings, "{media_type}");
        assert_eq!(payload.error.is_some(), readings == 0, "{media_type}");
    }
    assert_eq!(decode(None, pack, &CONTEXT).error, Some(PayloadError::UnknownContentFormat));
    assert_eq!(decode_as(112, pack, &CONTEXT).error, Some(PayloadError::Malformed), "JSON under CBOR's number");
    assert_eq!(decode_as(11542, pack, &CONTEXT).error, Some(PayloadError::UnknownContentFormat));
}

#[test]
fn limits_leave_no_reading() {
    let text = "x".repeat(16 * 1024);
    let over = |payload: Payload| (payload.readings.len(), payload.error) == (0, Some(PayloadError::PayloadTooLarge));
    assert_eq!(senml(&format!(r#"[{{"n":"a","vs":"{text}"}}]"#)).error, None);
    assert!(over(senml(&format!(r#"[{{"n":"a","vs":"{text}x"}}]"#))), "a text too long");
    assert!(over(senml(&format!(r#"[{{"n":"{}","v":1}}]"#, "n".repeat(257)))), "a name too long");
    let records = |count: usize| format!("[{}]", vec![r#"{"n":"a","v":1}"#; count].join(","));
    assert_eq!(senml(&records(4096)).readings.len(), 4096);
    assert!(over(senml(&records(4097))), "too many");
    assert!(over(decode_as(110, records(3).as_bytes(), &Context { max_readings: 2, ..CONTEXT })), "by policy");
    assert!(over(decode_as(0, &[b'x'; 16 * 1024 + 1], &CONTEXT)) && over(decode_as(42, &[0; 16 * 1024 + 1], &CONTEXT)));
    let growing = format!(
        r#"[{{"bn":"{}","bu":"{}","v":1}},{}]"#,
        "n".repeat(256),
        "u".repeat(800),
        vec![r#"{"v":1}"#; 2000].join(",")
    );
    assert!(over(senml(&growing)), "more than a mebibyte");
}

proptest! {
    #[test]
    fn any_content_decodes_or_says_why(content in prop::collection::vec(any::<u8>(), 0..300)) {
        for number in [0, 42, 110, 112, 320, 322, 60] {
            let payload = decode_as(number, &content, &CONTEXT);
            assert!(payload.error.is_none() || payload.readings.is_empty());
        }
    }

    #[test]
    fn what_is_kept_reads_back_the_same(integer in any::<i64>(), float in -1e300..1e300f64, text in "\\PC{0,20}", bytes in prop::collection::vec(any::<u8>(), 0..20), time in -253_402_300_799_999i64..253_402_300_799_999) {
        let values = [
            Value::Integer(integer.into()), Value::Integer(u64::MAX.into()), Value::Number(float), Value::Text(text.clone()),
            Value::Bytes(bytes), Value::Boolean(true), Value::Objlink("1:2".into()), Value::Time(Timestamp::from_millis(time)),
        ];
        for value in values.into_iter().map(Some).chain([None]) {
            let reading = Reading {
                name: Some(text.clone()), path: None, path_proven: true, value, unit: Some("Cel".into()), unit_source: Some("senml"),
                time: Timestamp::from_millis(time), time_anchor: Anchor::Sealed, update_time: None, sum: Some(float), future: true,
            };
            let kept = serde_json::to_string(&reading).unwrap();
            assert_eq!(serde_json::from_str::<Reading>(&kept).unwrap(), reading, "{kept}");
        }
    }
}
