//! `open --explain` as somebody at a desk runs it; and that nobody can ask a server for it.

use std::path::Path;

use paperknife_device::cose::algorithm::{Encryption, Management};
use paperknife_device::cose::recipient::{Inputs, Party, Recipient, Source};
use paperknife_device::cose::{Message, Nonce, Structure};
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use crate::fleet;
use crate::gateway::{Gateway, paperknife};

/// Exit code and verdict of `paperknife open` with these keys and further arguments.
fn open(folder: &Path, keys: &Value, sealed: &[u8], arguments: &[&str]) -> (Option<i32>, Value) {
    let (keys_file, sealed_file) = (folder.join("keys.jwks"), folder.join("sealed.cbor"));
    std::fs::write(&keys_file, keys.to_string()).unwrap();
    std::fs::write(&sealed_file, sealed).unwrap();
    let given = ["open", "--jwks", keys_file.to_str().unwrap(), sealed_file.to_str().unwrap()];
    let output = paperknife(&[&given, arguments].concat());
    let verdict = serde_json::from_slice(&output.stdout);
    (output.status.code(), verdict.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

#[test]
fn the_command_line_names_the_layer_and_the_value_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start();
    let mut device = fleet::devices(&gateway, 1).remove(0);
    let sealed = device.seal(20.0);
    let place = ["--endpoint", device.name.as_str(), "--audience", fleet::AUDIENCE];
    let ask = |path: &str, more: &[&str]| {
        open(folder.path(), &device.keys, &sealed, &[&place[..], &["--path", path], more].concat())
    };
    let (code, verdict) = ask("/19/1/0", &["--explain"]);
    assert_eq!((code, &verdict["reason"]), (Some(3), &json!("binding_mismatch")), "{verdict}");
    let would_open = json!([{"input": "path", "value": fleet::PATH}]);
    assert_eq!(verdict["explanation"], json!({"layer": 0, "would_open": would_open}));
    // Unasked, or where it opens, nothing is explained.
    assert!(ask("/19/1/0", &[]).1.get("explanation").is_none());
    let (code, opened) = ask(fleet::PATH, &["--explain"]);
    assert_eq!((code, opened.get("explanation")), (Some(0), None), "{opened}");
}

#[test]
fn the_command_line_names_a_kdf_input_of_another_record() {
    const SECRET: &[u8] = b"a key of two and thirty octets..";
    let folder = tempfile::tempdir().unwrap();
    let party_u = Party { identity: Some(b"lamp".to_vec()), nonce: Some(b"once".to_vec()), other: None };
    let inputs = Inputs { party_u, unsent: true, ..Inputs::default() };
    let source = Source::Key(Key::symmetric(SECRET).named(b"lamp"));
    let recipients = vec![Recipient { inputs, ..Recipient::new(Management::DirectHkdfSha256, source) }];
    let message = Message::new(Structure::Encrypt(Encryption::A128Gcm, Nonce::Random, recipients));
    let sealed = message.seal(b"content", &mut SysRng).unwrap().bytes;
    let text = |bytes: &[u8]| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    };
    let key = |kid: &str, k: &[u8], identity: &[u8]| {
        let record = json!({"party_u": {"identity": text(identity), "nonce": text(b"once")}});
        json!({"kty": "oct", "kid": kid, "alg": "direct+HKDF-SHA-256", "k": text(k), "paperknife": record})
    };
    let other = key("other", b"another of two and thirty octets", b"lamp");
    let keys = json!({"keys": [key("lamp", SECRET, b"lantern"), other]});
    let (code, verdict) = open(folder.path(), &keys, &sealed, &["--explain"]);
    assert_eq!((code, &verdict["reason"]), (Some(3), &json!("auth_failed")), "{verdict}");
    let would_open = json!([{"input": "party_u/identity", "value": text(b"lamp")}]);
    assert_eq!(verdict["explanation"], json!({"layer": 0, "would_open": would_open}));
}

#[test]
fn no_server_explains_anything() {
    let gateway = Gateway::start();
    let mut device = fleet::known_devices(&gateway, 1).remove(0);
    let item = gateway.deliver(&device.seal(20.0), None, Some("/19/1/0"));
    assert_eq!(item["reason"], "binding_mismatch");
    let authorization = format!("Bearer {}", gateway.api_token);
    let headers = [("Authorization", authorization.as_str())];
    let refusals = gateway.request("GET", "/v1/refusals?sealed=true", b"", &headers);
    let answers = [refusals.body, item.to_string().into_bytes()];
    let said: String = answers.iter().map(|answer| String::from_utf8_lossy(answer)).collect();
    assert!(!said.contains("explanation") && !said.contains("would_open"), "{said}");
    // Of routes there are those of openapi.yaml (a test of `api` holds that), and none is for this.
    let openapi = include_str!("../../openapi.yaml");
    assert!(!openapi.contains("explain") && !openapi.contains("would_open"));
    for path in ["/v1/explain", "/v1/open", "/v1/open/explain", "/v1/refusals/explain", "/explain", "/ingest/explain"] {
        for method in ["GET", "POST"] {
            let status = gateway.request(method, path, &device.seal(20.0), &headers).status;
            assert!(matches!(status, 401 | 404 | 405), "{method} {path}: {status}");
        }
    }
    // Asking with a delivery changes nothing in its receipt.
    let sealed = device.seal(20.0);
    let relay = format!("Bearer {}", gateway.relay_token);
    let post = |path: &str| gateway.request("POST", path, &sealed, &[("Authorization", relay.as_str())]);
    let (plain, asked) = (post("/ingest/acme"), post("/ingest/acme?explain=true"));
    assert_eq!(plain.status, 202);
    assert_eq!((plain.status, plain.body.len()), (asked.status, asked.body.len()));
}
