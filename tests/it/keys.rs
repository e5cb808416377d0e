//! Keys under a running server: imported, disabled and opened by the command line beside it; and never seen again.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::fleet;
use crate::gateway::{Gateway, done, eventually, paperknife};

#[test]
fn a_key_that_arrives_opens_what_was_held_within_a_second() {
    let gateway = Gateway::start();
    let mut devices = fleet::devices(&gateway, 3);
    for device in &mut devices {
        let item = gateway.deliver(&device.seal(20.0), None, Some(fleet::PATH));
        assert_eq!((&item["verdict"], &item["reason"]), (&json!("held"), &json!("no_key")));
        gateway.import_json(&device.keys);
        let message = format!("/v1/messages?device={}", device.name);
        eventually(Duration::from_secs(1), "held items opened", || !gateway.list(&message).is_empty());
    }
    assert_eq!(gateway.list("/v1/held").len(), 0);
    gateway.assert_conserved();
}

#[test]
fn a_disabled_key_refuses_the_next_message() {
    let gateway = Gateway::start();
    let mut device = fleet::known_devices(&gateway, 1).remove(0);
    assert_eq!(gateway.deliver(&device.seal(20.0), None, Some(fleet::PATH))["verdict"], "opened");
    let place = gateway.place();
    let keys = done(&["keys", "list", "--json", "--data", &place]);
    let keys: serde_json::Value = serde_json::from_str(&keys).expect("JSON");
    let listed = keys.as_array().or_else(|| keys["items"].as_array()).expect("a list");
    let id = listed.iter().find(|key| key["device"] == device.name.as_str()).expect("its key")["id"].as_str().unwrap();
    done(&["keys", "disable", id, "--data", &place]);
    let item = gateway.deliver(&device.seal(20.0), None, Some(fleet::PATH));
    assert_eq!((&item["verdict"], &item["reason"]), (&json!("refused"), &json!("key_not_usable")));
}

#[test]
fn a_server_departs_from_the_strict_default_where_a_keys_record_says_so() {
    use paperknife_device::cose::headers::Headers;
    use paperknife_device::cose::{Message, Nonce, Structure, algorithm::Encryption};
    use paperknife_device::primitive::key::Key;
    use paperknife_device::provision::SysRng;
    let gateway = Gateway::start();
    let sealed = |kid: &[u8]| {
        let key = Key::symmetric(b"a key of sixteen").named(kid);
        let mut message = Message::new(Structure::Encrypt0(Encryption::A128Gcm, Nonce::Random, key));
        message.headers.unprotected = Headers::new().integer(1, 1);
        message.seal(b"content", &mut SysRng).unwrap().bytes
    };
    let deliver = |kid: &[u8]| gateway.deliver(&sealed(kid), None, None)["reason"].clone();
    assert_eq!(deliver(b"lenient"), "alg_not_protected");
    gateway.import_json(
        &json!({"keys": [{"kty": "oct", "kid": "lenient", "k": "YSBrZXkgb2Ygc2l4dGVlbg", "alg": "A128GCM",
        "paperknife": {"device": "urn:dev:lenient", "compat": ["unprotected-alg"]}}]}),
    );
    assert_eq!(deliver(b"lenient"), serde_json::Value::Null);
    assert_eq!(deliver(b"another"), "alg_not_protected");
}

#[test]
fn a_wrong_root_key_is_one_clear_line_and_changes_nothing() {
    let mut gateway = Gateway::start();
    assert_eq!(gateway.terminate(), Some(0));
    let root = gateway.data().join("root.key");
    std::fs::write(&root, [7u8; 32]).unwrap();
    let before = contents(&gateway.data());
    let started = std::time::Instant::now();
    let output = paperknife(&["serve", "--listen", "127.0.0.1:0", "--data", &gateway.place()]);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("root"), "{complaint}");
    assert_eq!(complaint.trim().lines().count(), 1, "{complaint}");
    let keystore = |files: &[(String, Vec<u8>)]| {
        files.iter().filter(|(name, _)| name.starts_with("keystore") || name == "root.key").cloned().collect::<Vec<_>>()
    };
    assert_eq!(keystore(&before), keystore(&contents(&gateway.data())));
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let gateway = Gateway::start();
    let output = paperknife(&["serve", "--listen", "127.0.0.1:0", "--data", &gateway.place()]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint.trim().lines().count(), 1, "{complaint}");
}

/// Every file of a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("a file"))
    };
    let mut files: Vec<_> = entries.filter(|entry| entry.path().is_file()).map(read).collect();
    files.sort();
    files
}

#[test]
fn a_canary_key_is_found_nowhere() {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let canary = *b"canary-master-of-32-bytes-length";
    let gateway = Gateway::start_with(&[("PAPERKNIFE_LOG__LEVEL", "trace")]);
    let key = |device: &str, k: &[u8]| {
        json!({"kty": "oct", "kid": "c1", "k": URL_SAFE_NO_PAD.encode(k),
               "paperknife": {"profile": "paperknife-1", "device": device, "audience": ["https://gw.example"]}})
    };
    gateway.import_json(&json!({"keys": [key("urn:dev:canary", &canary)]}));
    // Used, misused, listed, and offered again in a file that is not taken.
    let sealed =
        hex::decode("d0834aa3010a0442633106412aa0581cc62b2f29d017c00edbe11924b33895e1cc39a78d059145a99b8a9941")
            .unwrap();
    assert_eq!(gateway.deliver(&sealed, None, Some("/19/0/0"))["reason"], "auth_failed");
    let mut seen = Vec::new();
    for path in ["/v1/keys", "/v1/keys/public", "/v1/refusals?sealed=true", "/v1/devices", "/metrics"] {
        seen.push((path.to_owned(), gateway.get_answer(path).body));
    }
    let faulty = gateway.data().with_file_name("faulty.jwks");
    let mut broken = key("urn:dev:other", &canary);
    broken["k"] = json!(format!("{}*", URL_SAFE_NO_PAD.encode(canary)));
    std::fs::write(&faulty, json!({"keys": [broken]}).to_string()).unwrap();
    for arguments in [["keys", "import", faulty.to_str().unwrap()].as_slice(), &["keys", "list", "--json"]] {
        let output = paperknife(&[arguments, &["--data", &gateway.place()]].concat());
        seen.push((arguments.join(" "), [output.stdout, output.stderr].concat()));
    }
    seen.push(("server log".to_owned(), gateway.logged().into_bytes()));
    seen.extend(contents(&gateway.data()));
    let environment = std::fs::read(format!("/proc/{}/environ", gateway.pid())).unwrap();
    seen.push(("environment".to_owned(), environment));

    let forms = [
        canary.to_vec(),
        hex::encode(canary).into_bytes(),
        hex::encode_upper(canary).into_bytes(),
        STANDARD_NO_PAD.encode(canary).into_bytes(),
        URL_SAFE_NO_PAD.encode(canary).into_bytes(),
    ];
    assert!(seen.iter().any(|(name, _)| name == "keystore.db"));
    for (name, bytes) in &seen {
        for form in &forms {
            assert!(!bytes.windows(form.len()).any(|window| window == form), "the canary is in {name}");
        }
    }
}
