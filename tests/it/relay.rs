//! What a relay sees: the same answer whatever it hands over, and no more.

use serde_json::json;

use crate::fleet;
use crate::gateway::{Answer, Gateway, eventually};
use crate::vectors;

/// All that a relay can tell answers apart by, but for the receipt's own digits and the date.
fn shape(answer: &Answer) -> (u16, usize, Vec<(String, Option<String>)>) {
    let varies = |name: &str| matches!(name, "date" | "x-request-id");
    let headers = answer.headers.iter().map(|(name, value)| (name.clone(), (!varies(name)).then(|| value.clone())));
    (answer.status, answer.body.len(), headers.collect())
}

#[test]
fn the_answer_is_the_same_for_every_verdict() {
    let gateway = Gateway::start();
    let mut devices = fleet::devices(&gateway, 3);
    gateway.import_json(&devices[0].keys);
    let (opened, held) = (devices[0].seal(21.5), devices[1].seal(21.5));
    let mut tampered = devices[0].seal(21.5);
    *tampered.last_mut().unwrap() ^= 1;
    let rows: [(&str, &[u8]); 5] = [
        ("opened", &opened),
        ("duplicate", &opened),
        ("held", &held),
        ("refused", &tampered),
        ("refused", b"no envelope at all"),
    ];
    let mut seen = Vec::new();
    for (verdict, body) in rows {
        let answer = gateway.ingest(body, &[("x-endpoint", &devices[0].name), ("x-path", fleet::PATH)]);
        let item = &gateway.verdicts(&answer)[0];
        // The held device's envelope names another endpoint, but no key is known to compare it with.
        assert_eq!(item["verdict"], verdict, "{item}");
        seen.push(shape(&answer));
    }
    assert_eq!(seen[0].0, 202);
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    let receipt = gateway.ingest(&opened, &[]).json();
    let mut members: Vec<&String> = receipt.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["items", "receipt"], "and no more");
    gateway.assert_conserved();
}

#[test]
fn an_unknown_relay_and_a_bad_token_are_the_same_401() {
    let gateway = Gateway::start();
    let authorized = format!("Bearer {}", gateway.relay_token);
    let rows: [(&str, Option<&str>); 5] = [
        ("/ingest/acme", None),
        ("/ingest/acme", Some("Bearer pkr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("/ingest/acme", Some("Basic YWNtZTpub3RoaW5n")),
        ("/ingest/nobody", Some(&authorized)),
        ("/ingest/nobody", None),
    ];
    let mut bodies = Vec::new();
    for (path, token) in rows {
        let headers: Vec<_> = token.into_iter().map(|token| ("authorization", token)).collect();
        let answer = gateway.request("POST", path, b"x", &headers);
        assert_eq!(answer.status, 401, "{path} {token:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let mut problem = answer.json();
        problem["request_id"] = json!(null);
        bodies.push(problem);
    }
    assert_eq!(bodies[0]["code"], "unauthorized");
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
}

#[test]
fn basic_credentials_and_put_are_taken_too() {
    use base64::Engine;
    let gateway = Gateway::start();
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("acme:{}", gateway.relay_token));
    let headers = [("authorization", format!("Basic {credentials}"))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(gateway.request("PUT", "/ingest/acme", b"x", &headers).status, 202);
    assert_eq!(gateway.request("DELETE", "/ingest/acme", b"", &headers).status, 405);
}

#[test]
fn path_and_endpoint_come_from_where_the_account_says() {
    let gateway = Gateway::start();
    let mut device = fleet::known_devices(&gateway, 1).remove(0);
    let place = gateway.place();
    let token = crate::gateway::done(&[
        "relays",
        "add",
        "query",
        "--set",
        "path_from=query:p",
        "--set",
        "endpoint_from=query:ep",
        "--data",
        &place,
    ]);
    let bearer = format!("Bearer {token}");
    let path = format!("/ingest/query?p=%2F19%2F0%2F0&ep={}", device.name);
    let answer = gateway.request("POST", &path, &device.seal(1.0), &[("authorization", &bearer)]);
    let item = &gateway.verdicts(&answer)[0];
    assert_eq!(item["verdict"], "opened", "{item}");
    let message = gateway.get(&format!("/v1/messages/{}", item["message"].as_str().unwrap()));
    assert_eq!(message["claims"]["relay_path"], "/19/0/0");
    assert_eq!(message["claims"]["relay_endpoint"], device.name.as_str());
    assert_eq!(message["proof"]["path"], "/19/0/0");

    let elsewhere =
        gateway.request("POST", "/ingest/query?p=/19/1/0", &device.seal(1.0), &[("authorization", &bearer)]);
    assert_eq!(gateway.verdicts(&elsewhere)[0]["reason"], "binding_mismatch");
}

#[test]
fn a_removed_relay_is_unknown_at_once() {
    let gateway = Gateway::start();
    assert_eq!(gateway.ingest(b"x", &[]).status, 202);
    crate::gateway::done(&["relays", "remove", "acme", "--data", &gateway.place()]);
    assert_eq!(gateway.ingest(b"x", &[]).status, 401);
}

/// The cases of the shared relay messages that this version's profiles read.
fn is_read(id: &str) -> bool {
    const NAMED: [&str; 11] = [
        "raw-cms",
        "raw-cose",
        "raw-profile59",
        "raw-untagged",
        "raw-cbor-seq",
        "raw-gzip",
        "text-base64",
        "text-hex-upper",
        "text-base64-wrapped",
        "one-bad-of-four",
        "gateway25-mixed-pack",
    ];
    NAMED.contains(&id) || id.starts_with("senml-json-") || id.starts_with("senml-cbor-")
}

#[test]
fn what_a_delivery_held_is_kept_as_it_was_until_its_keys_come() {
    let Some(folder) = vectors::folder("relay-messages", "17 relay messages through HTTP") else { return };
    let manifest = vectors::json(&folder, "manifest.json");
    let mut run = 0;
    for case in manifest["cases"].as_array().expect("cases") {
        let id = case["id"].as_str().expect("an id");
        if is_read(id) {
            run += 1;
            assert_kept(&folder, case, id);
        }
    }
    assert!(run >= 15, "{run} cases");
    cleartext_alone_is_no_delivery(&folder);
}

fn assert_kept(folder: &std::path::Path, case: &serde_json::Value, id: &str) {
    let gateway = Gateway::start();
    let answer = hand_over(&gateway, folder, case);
    assert_eq!(answer.status, 202, "{id}: {}", String::from_utf8_lossy(&answer.body));
    let expected = case["expect"]["items"].as_array().expect("items");
    let kept = case["expect"]["kept"].as_array().expect("kept");
    assert_eq!(answer.json()["items"].as_u64(), Some((expected.len() + kept.len()) as u64), "{id}");
    eventually(std::time::Duration::from_secs(10), "concluded", || {
        gateway.verdicts(&answer).iter().all(|item| item["verdict"] != "pending")
    });

    let held = gateway.list("/v1/held?sealed=true");
    assert_eq!(held.len(), expected.len(), "{id}");
    for (held, item) in held.iter().zip(expected) {
        assert_eq!(sealed_hex(held), item["blob"].as_str().unwrap(), "{id}");
        assert_eq!(held["reason"], "no_key", "{id}");
        let claims = &held["claims"];
        assert_eq!(claims["relay_endpoint"], item["endpoint"], "{id}");
        assert_eq!(claims["relay_path"], item["path"], "{id}");
        assert_eq!(claims["relay_prefix"], item.get("prefix").cloned().unwrap_or_default(), "{id}");
        assert_time(&claims["relay_time"], item, held, case, id);
    }
    let refused = gateway.list("/v1/refusals?sealed=true");
    assert_eq!(refused.len(), kept.len(), "{id}");
    for (refused, item) in refused.iter().zip(kept) {
        assert_eq!(refused["reason"], "malformed", "{id}");
        assert_eq!(sealed_hex(refused), item["raw"].as_str().unwrap(), "{id}");
        assert_eq!(refused["claims"]["relay_path"], item["path"], "{id}");
    }
    gateway.assert_conserved();
}

fn sealed_hex(item: &serde_json::Value) -> String {
    use base64::Engine;
    let sealed = item["sealed_b64"].as_str().unwrap_or_else(|| panic!("no sealed bytes: {item}"));
    hex::encode(base64::engine::general_purpose::STANDARD.decode(sealed).unwrap())
}

/// A relative time moves with the arrival; the manifest's is relative to its own `received_at`.
fn assert_time(
    claimed: &serde_json::Value,
    item: &serde_json::Value,
    held: &serde_json::Value,
    case: &serde_json::Value,
    id: &str,
) {
    let millis = |value: &serde_json::Value| {
        value.as_str().map(|text| text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    };
    let (Some(due), Some(claimed)) = (millis(&item["time"]), millis(claimed)) else {
        assert_eq!(*claimed, item["time"], "{id}: time");
        return;
    };
    let received = millis(&held["received_at"]).expect("an arrival");
    let manifest_now = millis(&json!("2026-10-01T12:00:30Z")).unwrap();
    let relative = case["id"].as_str().unwrap().contains("relative");
    let due = if relative { received + due - manifest_now } else { due };
    // received_at is taken at the commit, a moment after the delivery was read
    assert!((claimed - due).abs() <= if relative { 5000 } else { 0 }, "{id}: {claimed} where {due} was due");
}

/// Hands a captured delivery over to a relay account of its profile.
fn hand_over(gateway: &Gateway, folder: &std::path::Path, case: &serde_json::Value) -> Answer {
    let place = gateway.place();
    let profile = case["profile"].as_str().expect("a profile");
    let mut add = vec!["relays", "add", "case", "--profile", profile, "--data", &place];
    let options: Vec<String> = case["options"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().expect("a text option")))
        .collect();
    for option in &options {
        add.extend(["--set", option]);
    }
    let bearer = format!("Bearer {}", crate::gateway::done(&add));
    let file = case["file"].as_str().expect("a file");
    let bytes = std::fs::read(folder.join(file)).expect("the body");
    let body = if file.ends_with(".hex") { hex::decode(bytes.trim_ascii()).expect("hex") } else { bytes };
    let mut headers = vec![("authorization", bearer.as_str())];
    if let Some(content_type) = case["content_type"].as_str() {
        headers.push(("content-type", content_type));
    }
    let sent = case["request"]["headers"].as_object();
    headers.extend(sent.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))));
    gateway.request("POST", "/ingest/case", &body, &headers)
}

#[test]
fn a_cms_message_is_found_and_opened_in_every_form_that_it_is_written_in() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let Some(folder) = vectors::folder("relay-messages", "4 forms of a CMS message through HTTP") else { return };
    let blobs = vectors::json(&folder, "blobs.json");
    let blob = blobs["blobs"].as_array().unwrap().iter().find(|blob| blob["format"] == "cms").unwrap();
    let der = hex::decode(blob["hex"].as_str().unwrap()).unwrap();
    let keys = vectors::json(&folder, "keys.json");
    let mut key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == blob["kid"]).unwrap().clone();
    key["alg"] = json!("A128KW");
    key["paperknife"] = json!({"device": blob["kid"]});
    let gateway = Gateway::start();
    gateway.import_json(&json!({ "keys": [key] }));
    let add = ["relays", "add", "texts", "--profile", "text", "--data", &gateway.place()];
    let bearer = format!("Bearer {}", crate::gateway::done(&add));

    let item = gateway.verdicts(&gateway.ingest(&der, &[])).remove(0);
    assert_eq!(item["verdict"], "opened", "{item}");
    let message = gateway.get(&format!("/v1/messages/{}", item["message"].as_str().unwrap()));
    assert_eq!((&message["format"], &message["structure"]), (&json!("cms"), &json!("AuthEnvelopedData")));
    assert_eq!(message["device"], blob["kid"]);
    let content = STANDARD.decode(message["content_b64"].as_str().unwrap()).unwrap();
    assert_eq!(json!(hex::encode(content)), blob["plaintext_hex"]);

    // what opens to the same authenticated content is a duplicate, however it was written
    let base64 = STANDARD.encode(&der);
    let lines =
        base64.as_bytes().chunks(64).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect::<String>();
    let pem = format!("-----BEGIN CMS-----\r\n{lines}-----END CMS-----\r\n");
    let smime = format!("Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}");
    for written in [&base64, &lines, &pem, &smime] {
        for (path, token) in [("/ingest/texts", &bearer), ("/ingest/acme", &format!("Bearer {}", gateway.relay_token))]
        {
            let answer = gateway.request("POST", path, written.as_bytes(), &[("authorization", token)]);
            let item = gateway.verdicts(&answer).remove(0);
            assert_eq!(item["verdict"], "duplicate", "{path} {written}: {item}");
        }
    }
    gateway.assert_conserved();
}

fn cleartext_alone_is_no_delivery(folder: &std::path::Path) {
    let gateway = Gateway::start();
    let manifest = vectors::json(folder, "manifest.json");
    let case = manifest["cases"].as_array().unwrap().iter().find(|case| case["id"] == "cleartext-only").unwrap();
    let answer = hand_over(&gateway, folder, case);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["code"], "no_envelope");
}

/// A JWE in each serialization.
fn serializations(compact: &str) -> [(&'static str, String); 3] {
    let parts: Vec<&str> = compact.split('.').collect();
    let flattened = json!({"protected": parts[0], "iv": parts[2], "ciphertext": parts[3], "tag": parts[4]});
    let mut general = flattened.clone();
    general["recipients"] = json!([{}]);
    [("compact", format!("{compact}\n")), ("flattened", format!("{flattened:#}\n")), ("general", general.to_string())]
}

#[test]
fn jose_is_found_and_opened_in_each_serialization_through_raw_and_text() {
    let Some(folder) = vectors::folder("relay-messages", "a JWE of the relay messages") else { return };
    let compact = std::fs::read_to_string(folder.join("text-jose-compact.txt")).unwrap();
    let keys = vectors::json(&folder, "keys.json");
    let mut key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == "urn:dev:jose:1").unwrap().clone();
    key["alg"] = json!("A128GCM");
    key["paperknife"] = json!({"device": "urn:dev:jose:1"});
    for profile in ["raw", "text"] {
        let gateway = Gateway::start();
        gateway.import_json(&json!({"keys": [key]}));
        let token = crate::gateway::done(&["relays", "add", profile, "--profile", profile, "--data", &gateway.place()]);
        let bearer = format!("Bearer {token}");
        let mut first = None;
        for (name, body) in serializations(compact.trim()) {
            let path = format!("/ingest/{profile}");
            let answer = gateway.request("POST", &path, body.as_bytes(), &[("authorization", &bearer)]);
            let item = &gateway.verdicts(&answer)[0];
            let message = item["message"].as_str().map(str::to_owned);
            match &first {
                None => {
                    assert_eq!(item["verdict"], "opened", "{profile}, {name}: {item}");
                    first = message;
                }
                // The same content in another serialization is the same message (threats.md A2).
                Some(first) => {
                    assert_eq!(item["verdict"], "duplicate", "{profile}, {name}: {item}");
                    assert_eq!(message.as_ref(), Some(first), "{profile}, {name}");
                }
            }
        }
        let message = gateway.get(&format!("/v1/messages/{}", first.unwrap()));
        assert_eq!((&message["format"], &message["structure"]), (&json!("jose"), &json!("JWE")));
        assert_eq!(message["device"], "urn:dev:jose:1");
        assert_eq!(message["proof"]["key_management_alg"], "dir");
        assert_eq!(message["readings"].as_array().map(Vec::len), Some(1), "{message}");
        gateway.assert_conserved();
    }
}
