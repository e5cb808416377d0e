//! Readings, errors and exit codes.

use serde_json::{Value as Json, json};

use crate::cli::payload::{Decode, decode};
use crate::item::Timestamp;

const ASKED: Decode<'static> = Decode {
    content_format: "110",
    base_path: None,
    base_time: None,
    now: Timestamp::from_millis(1_790_856_030_000),
    json: true,
};

#[test]
fn readings_as_json() {
    let (text, code) = decode(&ASKED, br#"[{"n":"/3303/0/5700","u":"Cel","v":21.5}]"#);
    let report: Json = serde_json::from_str(&text).unwrap();
    let reading = &report["readings"][0];
    assert_eq!((code, &report["payload_error"]), (0, &Json::Null));
    assert_eq!(
        (&reading["index"], &reading["content_format"], &reading["flags"]),
        (&json!(0), &json!(110), &json!([]))
    );
    assert_eq!((&reading["value"], &reading["time_anchor"]), (&json!(21.5), &json!("received")));
}

#[test]
fn the_base_time_is_the_anchor() {
    let asked = Decode { base_time: Some(Timestamp::from_seconds(1_790_000_000)), ..ASKED };
    let (text, _) = decode(&asked, br#"[{"n":"a","v":1,"t":-10}]"#);
    let report: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(report["readings"][0]["time"], json!(Timestamp::from_seconds(1_789_999_990)));
    assert_eq!(report["readings"][0]["time_anchor"], "sealed");
}

#[test]
fn errors_exit_with_one() {
    for (content_format, content, error) in [
        ("110", "[{", "malformed"),
        ("11542", "", "unknown_content_format"),
        ("application/json", "{}", "unknown_content_format"),
    ] {
        let (text, code) = decode(&Decode { content_format, ..ASKED }, content.as_bytes());
        let report: Json = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &report["payload_error"], &report["readings"]), (1, &json!(error), &json!([])));
        let (text, code) = decode(&Decode { content_format, json: false, ..ASKED }, content.as_bytes());
        assert!(code == 1 && text.contains(error), "{text}");
    }
}

#[test]
fn lines_for_people() {
    let asked = Decode { content_format: "application/senml+json", json: false, ..ASKED };
    let (text, code) = decode(&asked, br#"[{"n":"/3303/0/5700","u":"Cel","v":21.5},{"n":"b","vs":"\u001b[31m"}]"#);
    assert_eq!(text.lines().next(), Some("2026-10-01T12:00:30.000Z  /3303/0/5700  21.5 Cel"));
    assert!(code == 0 && !text.contains('\u{1b}'), "{text}");
    let (text, _) = decode(&Decode { content_format: "0", base_path: Some("/5/0/1"), json: false, ..ASKED }, b"on");
    assert_eq!(text, "2026-10-01T12:00:30.000Z  /5/0/1  \"on\"\n");
}
