//! Wycheproof's json_web_signature and json_web_key: as marked, but for the cases listed here, each for its reason
//! (jose.md §7).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Desk;
use crate::opening::Finding;

/// json_web_signature, valid and refused here.
const REFUSED: [(u64, &str); 6] = [
    (346, "PS384 under a key whose alg is PS256"),
    (350, "PS384 under a key whose alg is PS256"),
    (347, "a key whose alg is `ES521`, which is none, and which json_web_key 19 wants refused"),
    (351, "a key whose alg is `ES521`"),
    (372, "`?` in base64url"),
    (373, "`?` in base64url"),
];
/// json_web_signature, invalid and opened here.
const OPENED: [(u64, &str); 2] = [(367, "byte for byte the valid case 357"), (370, "byte for byte the valid case 357")];
/// json_web_key, invalid and loaded here.
const LOADED: [(u64, &str); 1] = [(1, "a secret and a public key in one set: each has its own use")];

fn file(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/wycheproof-jose").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) => {
            eprintln!("SKIPPED: Wycheproof's JOSE cases ({} is not there)", path.display());
            None
        }
    }
}

/// Whether a token opens under a key or a set; what is not loaded opens nothing.
fn opens(keys: &Value, token: &Value) -> bool {
    let keys = keys["keys"].as_array().cloned().unwrap_or_else(|| vec![keys.clone()]);
    let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
    let desk = Desk::of(&keys);
    desk.house().is_some_and(|house| matches!(desk.open_in(&house, token.as_bytes()), Finding::Opened(..)))
}

/// Runs each case and compares: how many are as marked, of the valid and of the invalid ones.
fn compare(file: &Value, listed: &[(u64, &str)], opens: impl Fn(&Value, &Value) -> bool) -> BTreeMap<String, usize> {
    let mut as_marked = BTreeMap::new();
    for group in file["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let (id, result) = (case["tcId"].as_u64().unwrap(), case["result"].as_str().unwrap());
            let agrees = opens(group, case) == (result == "valid");
            assert_eq!(agrees, !listed.iter().any(|(listed, _)| *listed == id), "case {id}: {}", case["comment"]);
            *as_marked.entry(result.to_owned()).or_default() += usize::from(agrees);
        }
    }
    as_marked
}

#[test]
fn json_web_signature_is_as_marked_but_for_eight_cases() {
    let Some(file) = file("json_web_signature_test.json") else { return };
    let listed: Vec<(u64, &str)> = REFUSED.into_iter().chain(OPENED).collect();
    let as_marked = compare(&file, &listed, |group, case| {
        opens(group.get("public").unwrap_or_else(|| &group["private"]), &case["jws"])
    });
    assert_eq!((as_marked["valid"], as_marked["invalid"]), (40, 353));
}

#[test]
fn json_web_key_is_as_marked_but_for_one_set() {
    let Some(file) = file("json_web_key_test.json") else { return };
    let as_marked = compare(&file, &LOADED, |group, case| {
        opens(group.get("public").unwrap_or_else(|| &group["private"]), &case["jws"])
    });
    assert_eq!((as_marked["valid"], as_marked["invalid"]), (5, 20));
}
