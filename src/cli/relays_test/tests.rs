//! The shared vectors through the command, as an operator runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::cli::relays_test::{Test, run};
use crate::item::Timestamp;
use crate::relay::profiles::Kind;

fn test(profile: &str) -> Test {
    Test {
        profile: profile.to_owned(),
        set: BTreeMap::new(),
        at: Timestamp::parse("2026-10-01T12:00:30Z").unwrap(),
        url: None,
        endpoint: None,
        content_type: None,
        headers: Vec::new(),
        json: true,
    }
}

fn report(test: &Test, body: &[u8]) -> (Json, u8) {
    let (text, code) = run(test, body).unwrap();
    (serde_json::from_str(&text).unwrap(), code)
}

fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/relay-messages");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
    }
    folder.is_dir().then_some(folder)
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn pairs(json: &Json) -> Vec<(String, String)> {
    let members = json.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// The command line that a case stands for.
fn of_case(case: &Json, profile: &str) -> Test {
    let request = &case["request"];
    Test {
        set: pairs(&case["options"]).into_iter().collect(),
        at: Timestamp::parse("2026-10-01T12:00:30.000Z").unwrap(),
        url: text(&request["url"]),
        endpoint: text(&request["endpoint"]),
        content_type: text(&case["content_type"]),
        headers: pairs(&request["headers"]),
        ..test(profile)
    }
}

fn body_of(folder: &Path, case: &Json) -> Vec<u8> {
    let file = case["file"].as_str().unwrap();
    let bytes = std::fs::read(folder.join(file)).unwrap();
    if file.ends_with(".hex") { hex::decode(bytes.trim_ascii()).unwrap() } else { bytes }
}

/// Every member that the manifest states, and no item more or fewer.
fn check(id: &str, reported: &Json, expected: &Json) {
    for (list, renamed) in
        [("items", [("blob", "sealed_hex")].as_slice()), ("cleartext", &[]), ("kept", &[("raw", "raw_hex")])]
    {
        let (reported, expected) = (reported[list].as_array().unwrap(), expected[list].as_array().unwrap());
        assert_eq!(reported.len(), expected.len(), "{id}: {list}");
        for (reported, expected) in reported.iter().zip(expected) {
            for (member, value) in expected.as_object().unwrap() {
                let name =
                    renamed.iter().find(|(theirs, _)| theirs == member).map_or(member.as_str(), |(_, ours)| ours);
                assert_eq!(&reported[name], value, "{id}: {list}: {member}");
            }
        }
    }
    assert_eq!(reported["error"], expected["error"], "{id}");
}

#[test]
fn shared_vectors() {
    let Some(folder) = vectors() else { return };
    let manifest: Json = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let (mut checked, mut skipped) = (0, Vec::new());
    for case in manifest["cases"].as_array().unwrap() {
        let (id, profile) = (case["id"].as_str().unwrap(), case["profile"].as_str().unwrap());
        if profile != "auto" && Kind::ALL.iter().all(|kind| kind.as_str() != profile) {
            skipped.push(format!("{id} ({profile})"));
            continue;
        }
        let body = body_of(&folder, case);
        let (reported, code) = report(&of_case(case, profile), &body);
        check(id, &reported, &case["expect"]);
        assert_eq!(code == 0, case["expect"]["error"].is_null(), "{id}");
        let (guessed, _) = report(&of_case(case, "auto"), &body);
        assert_eq!(guessed["profile"], case["auto"], "{id}: auto");
        checked += 1;
    }
    println!("checked {checked} cases");
    println!("skipped {} cases of profiles that are not built yet: {}", skipped.len(), skipped.join(", "));
    assert!(checked >= 19, "{checked}");
}

#[test]
fn auto_says_unknown_rather_than_guess() {
    for body in [br#"{"data":"0INDoQEKoEA="}"#.as_slice(), br#"[{"bar":"hello"}]"#, b"hello", &[0x80]] {
        let (reported, code) = report(&test("auto"), body);
        assert_eq!((&reported["profile"], &reported["error"], code), (&Json::Null, &json!("no_envelope"), 1));
    }
    for (body, profile) in [
        (b"d08343a1010aa040".as_slice(), "text"),
        (b"\xd0\x83\x43\xa1\x01\x0a\xa0\x40", "raw"),
        (br#"[{"n":"/19/0/0","vd":"0INDoQEKoEA"}]"#, "senml-json"),
        (b"\x81\xa2\x00\x61a\x08\x48\xd0\x83\x43\xa1\x01\x0a\xa0\x40", "senml-cbor"),
    ] {
        assert_eq!(report(&test("auto"), body).0["profile"], profile);
    }
}

#[test]
fn claims_come_from_the_command_line() {
    let sealed = b"\xd0\x83\x43\xa1\x01\x0a\xa0\x40";
    let mut asked = Test {
        url: Some("https://gw.example/ingest/acme?path=%2F3303%2F0%2F5700&ep=urn:dev:1".into()),
        endpoint: Some("urn:dev:pulled".into()),
        ..test("raw")
    };
    asked.set.insert("path_from".into(), "query:path".into());
    let (reported, code) = report(&asked, sealed);
    assert_eq!((&reported["items"][0]["path"], code), (&json!("/3303/0/5700"), 0));
    assert_eq!(reported["items"][0]["endpoint"], "urn:dev:pulled", "where the delivery names none");
    asked.set.insert("endpoint_from".into(), "query:ep".into());
    assert_eq!(report(&asked, sealed).0["items"][0]["endpoint"], "urn:dev:1");
    asked.set.insert("colour".into(), "red".into());
    assert!(run(&asked, sealed).unwrap_err().contains("colour"));
    assert!(run(&test("leshan"), sealed).unwrap_err().contains("known: raw"));
}

#[test]
fn an_item_has_every_member() {
    let (reported, _) = report(&test("raw"), b"\xd0\x83\x43\xa1\x01\x0a\xa0\x40");
    assert_eq!(
        reported,
        json!({"items":[{"endpoint":null,"prefix":null,"path":null,"time":null,"seq":null,"id":null,"encoding":"raw",
                         "repaired":false,"sealed_hex":"d08343a1010aa040"}],
               "cleartext":[],"kept":[],"error":null,"profile":"raw"})
    );
}

#[test]
fn bombs_and_unknown_codings() {
    let coded = |coding: &str| Test { headers: vec![("Content-Encoding".into(), coding.into())], ..test("raw") };
    assert!(run(&coded("br"), b"x").unwrap_err().contains("coding"));
    let large = vec![0; 9 << 20];
    let (reported, code) = report(&test("raw"), &large);
    assert_eq!((&reported["error"], code), (&json!("too_large"), 1));
}

#[test]
fn lines_for_people_carry_no_control_characters() {
    let hostile = r#"[{"n":"/19/0/0","vd":"0INDoQEKoEA"},{"n":"a\u202eb","vs":"\u001b[31mred\n"}]"#;
    let (text, code) = run(&Test { json: false, ..test("senml-json") }, hostile.as_bytes()).unwrap();
    assert!(text.starts_with("profile senml-json\nenvelope  base64  8 bytes  path /19/0/0\n"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    assert_eq!((text.lines().count(), code), (3, 0));
}
