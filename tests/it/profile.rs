//! Profile `paperknife-1` against the shared vectors: every case offline and through HTTP, every sequence through HTTP.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::gateway::{Gateway, paperknife};
use crate::vectors;

const SKIPPED: &str = "56 cases and 12 sequences of profile paperknife-1";

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member}: {value}"))
}

fn envelope(case: &Value) -> Vec<u8> {
    hex::decode(text(case, "hex")).expect("hex")
}

/// Whether an opened message proves what the manifest says.
fn assert_opened(name: &str, message: &Value, expected: &Value, content: &str) {
    let proof = &message["proof"];
    assert_eq!(proof["sender"], expected["sender"], "{name}: sender");
    assert_eq!(proof["sequence"], expected["sequence"], "{name}: sequence");
    assert_eq!(proof["kid_context_hex"], expected.get("kid_context_hex").cloned().unwrap_or_default(), "{name}");
    let bytes = BASE64.decode(text(message, content)).expect("base64");
    assert_eq!(hex::encode(bytes), text(expected, "plaintext_hex"), "{name}: content");
    if let Some(seconds) = expected["issued_at"].as_i64() {
        let issued: jiff::Timestamp = text(proof, "issued_at").parse().expect("a time");
        assert_eq!(issued.as_second(), seconds, "{name}: issued_at");
    }
}

fn assert_reason(name: &str, reason: &Value, expected: &Value) {
    let allowed = expected["reason_any"].as_array().expect("reasons");
    assert!(allowed.contains(reason), "{name}: {reason} is none of {allowed:?}");
}

fn open_offline(folder: &Path, case: &Value, flags: &[&str]) -> (Value, Option<i32>) {
    let (keys, file) = (folder.join("keys.jwks.json"), folder.join(text(case, "file")));
    let fixed = ["open", "--jwks", keys.to_str().unwrap(), file.to_str().unwrap()];
    let output = paperknife(&[&fixed, flags].concat());
    let verdict = serde_json::from_slice(&output.stdout);
    (verdict.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))), output.status.code())
}

fn assert_offline(case: &Value, expected_verdict: &str, (verdict, code): &(Value, Option<i32>)) {
    let (name, expected) = (text(case, "name"), &case["expect"]);
    assert_eq!(text(verdict, "verdict"), expected_verdict, "{name}: {}", verdict["reason"]);
    let due = match expected_verdict {
        "opened" => 0,
        "refused" => 3,
        _ => 4,
    };
    assert_eq!(*code, Some(due), "{name}: exit code");
    if expected_verdict != "opened" {
        assert_reason(name, &verdict["reason"], expected);
    } else if expected["verdict"] == "opened" {
        assert_opened(name, verdict, expected, "plaintext_b64");
    }
}

#[test]
fn every_case_has_its_verdict_offline_by_claims_and_by_aad() {
    let Some(folder) = vectors::folder("profile", SKIPPED) else { return };
    let manifest = vectors::json(&folder, "manifest.json");
    let cases = manifest["cases"].as_array().expect("cases");
    for case in cases {
        let claims = &case["relay_claims"];
        let (path, endpoint) = (text(claims, "path"), text(claims, "endpoint"));
        let by_claims = ["--path", path, "--endpoint", endpoint, "--audience", text(&manifest, "audience")];
        assert_offline(case, text(&case["expect"], "verdict"), &open_offline(&folder, case, &by_claims));

        // With the binding alone nothing is claimed that could contradict it.
        let needs_claims = case["expect"]["needs"] == "relay_claims";
        let due = if needs_claims { "opened" } else { text(&case["expect"], "verdict") };
        assert_offline(case, due, &open_offline(&folder, case, &["--aad", text(case, "aad_hex")]));
    }
    assert_eq!(cases.len(), 56);
}

fn deliver(gateway: &Gateway, case: &Value) -> Value {
    let claims = &case["relay_claims"];
    gateway.deliver(&envelope(case), Some(text(claims, "endpoint")), Some(text(claims, "path")))
}

#[test]
fn every_case_has_its_verdict_through_http() {
    let Some(folder) = vectors::folder("profile", SKIPPED) else { return };
    let manifest = vectors::json(&folder, "manifest.json");
    // Some cases share a sequence number or are replays of each other: the state of one must not meet the next.
    let mut gateways: Vec<(Gateway, Vec<String>)> = Vec::new();
    for case in manifest["cases"].as_array().expect("cases") {
        let (name, expected) = (text(case, "name"), &case["expect"]);
        let slot = counter_slot(case);
        let fresh = gateways.iter().position(|(_, seen)| !seen.contains(&slot));
        let at = fresh.unwrap_or_else(|| {
            let gateway = Gateway::start();
            gateway.import(&folder.join("keys.jwks.json"));
            gateways.push((gateway, Vec::new()));
            gateways.len() - 1
        });
        let (gateway, seen) = &mut gateways[at];
        seen.push(slot);
        let item = deliver(gateway, case);
        assert_eq!(item["verdict"], expected["verdict"], "{name}: {}", item["reason"]);
        if item["verdict"] == "opened" {
            let message = gateway.get(&format!("/v1/messages/{}", text(&item, "message")));
            assert_opened(name, &message, expected, "content_b64");
            assert_eq!(message["claims"]["relay"], "acme");
        } else {
            assert_reason(name, &item["reason"], expected);
        }
    }
    gateways.iter().for_each(|(gateway, _)| gateway.assert_conserved());
}

/// Cases of one slot would meet in a counter: the claimed number and kid context of the vectors' manifest.
fn counter_slot(case: &Value) -> String {
    let expected = &case["expect"];
    match expected["sequence"].as_u64() {
        Some(number) => format!("{} {number} {}", expected["sender"], expected["kid_context_hex"]),
        None => text(case, "name").to_owned(),
    }
}

#[test]
fn every_sequence_runs_through_http() {
    let Some(folder) = vectors::folder("profile", SKIPPED) else { return };
    let manifest = vectors::json(&folder, "manifest.json");
    let sequences = manifest["sequences"].as_array().expect("sequences");
    for sequence in sequences {
        let mut gateway = Gateway::start();
        gateway.import(&folder.join("keys.jwks.json"));
        let restarts = text(sequence, "name") == "replay-restart";
        for (nth, step) in sequence["steps"].as_array().expect("steps").iter().enumerate() {
            if restarts && nth > 0 {
                assert_eq!(gateway.terminate(), Some(0), "a clean end");
                gateway.restart();
            }
            let mut cases = manifest["cases"].as_array().expect("cases").iter();
            let case = cases.find(|case| case["name"] == step["case"]).expect("the step's case");
            assert_step(&gateway, text(sequence, "name"), case, &step["expect"]);
        }
        gateway.assert_conserved();
    }
    assert_eq!(sequences.len(), 12);
}

fn assert_step(gateway: &Gateway, sequence: &str, case: &Value, expected: &Value) {
    let name = format!("{sequence}: {}", text(case, "name"));
    let item = deliver(gateway, case);
    assert_eq!(item["verdict"], expected["verdict"], "{name}: {}", item["reason"]);
    match text(&item, "verdict") {
        "opened" => {
            let message = gateway.get(&format!("/v1/messages/{}", text(&item, "message")));
            assert_order(&name, &message, expected);
        }
        "duplicate" => assert!(item["message"].is_string(), "{name}: names the first message"),
        _ => assert_reason(&name, &item["reason"], expected),
    }
}

/// Gap, fill and flags of a message are exactly those expected.
fn assert_order(name: &str, message: &Value, expected: &Value) {
    for member in ["gap_before", "fills", "gap_left"] {
        let due = expected.get(member).cloned().unwrap_or_default();
        assert_eq!(message[member], due, "{name}: {member}");
    }
    let flags: Vec<&str> = message["flags"].as_array().expect("flags").iter().filter_map(Value::as_str).collect();
    assert_eq!(flags.contains(&"gap_before"), expected.get("gap_before").is_some(), "{name}: {flags:?}");
    let any: Vec<&str> = expected["flag_any"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if any.is_empty() {
        assert_eq!(flags.contains(&"out_of_order"), expected["out_of_order"] == true, "{name}: {flags:?}");
    } else {
        assert!(any.iter().any(|flag| flags.contains(flag)), "{name}: {flags:?} has none of {any:?}");
    }
}
