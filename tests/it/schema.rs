//! `openapi.yaml` against the gateway, by a peer that makes requests out of it: what the document allows is answered as
//! it says, what it does not allow is refused, links lead on, and nothing is a fault of ours.

use std::path::Path;
use std::process::Command;

use crate::crash::setting;
use crate::fleet;
use crate::gateway::{Gateway, done};
use crate::peers;

/// Rates off; webhooks may go to this machine, where nobody listens.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PAPERKNIFE_LIMITS__TOKEN_RATE", "0"),
    ("PAPERKNIFE_LIMITS__GUESS_RATE", "0"),
    ("PAPERKNIFE_DELIVERY__ALLOW_HTTP", "true"),
    ("PAPERKNIFE_DELIVERY__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
];

#[test]
fn a_peer_finds_nothing_that_the_document_does_not_say() {
    explore(8);
}

#[test]
#[ignore = "some minutes: make test-full"]
fn a_peer_finds_nothing_in_many_more_requests() {
    explore(300);
}

/// Every check of schemathesis, with so many examples an operation; SCHEMA_SEED repeats a run.
fn explore(examples: u32) {
    let gateway = Gateway::start_with(&ENVIRONMENT);
    let names = furnish(&gateway);
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.yaml");
    std::fs::write(&document, within_reach(include_str!("../../openapi.yaml"))).unwrap();
    let seed = setting("SCHEMA_SEED").unwrap_or_else(|| std::process::id().into()).to_string();
    let output = Command::new(peers::python())
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/schemathesis.toml"))
        .args(["run", "--url", gateway.url(), "--checks", "all", "--seed", &seed, "--no-color"])
        .args(["--max-examples", &examples.to_string()])
        .arg(&document)
        .envs(names)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{}", said.split("SUMMARY").last().unwrap_or_default());
    assert!(output.status.success(), "seed {seed}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    gateway.assert_conserved();
    assert!(!gateway.logged().contains("panicked"));
}

/// Names in the outside do not resolve here: the one URL that is allowed leads to this machine.
fn within_reach(document: &str) -> String {
    let here = "http://127.0.0.1:9/hook";
    let open = "url: {type: string, format: uri, maxLength: 2048}";
    assert!(document.contains(open));
    document.replace(open, &format!("url: {{const: \"{here}\"}}")).replace("https://hooks.example.com/paperknife", here)
}

/// Something of everything that an operation asks for by name.
fn furnish(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let mut devices = fleet::known_devices(gateway, 1);
    let sealed = devices[0].seal(21.5);
    let opened = gateway.deliver(&sealed, None, None);
    assert_eq!(opened["verdict"], "opened", "{opened}");
    let mut unknown = fleet::devices(gateway, 1);
    let receipt = gateway.ingest(&unknown[0].seal(1.0), &[]).json()["receipt"].as_str().unwrap().to_owned();
    gateway.deliver(b"garbage", None, None);
    let first = |path: &str, member: &str| gateway.list(path)[0][member].as_str().unwrap().to_owned();
    let place = gateway.place();
    vec![
        ("RELAY_TOKEN", gateway.relay_token.clone()),
        ("PATH_TOKEN", done(&["relays", "add", "path", "--set", "token_in_path=true", "--data", &place])),
        ("API_TOKEN", done(&["tokens", "add", "peer", "--scope", "read,admin,keys,subscriptions", "--data", &place])),
        ("MESSAGE", first("/v1/messages", "id")),
        ("DEVICE", first("/v1/devices", "device")),
        ("REFUSAL", first("/v1/refusals", "id")),
        ("HELD", first("/v1/held", "id")),
        ("RECEIPT", receipt),
    ]
}
