//! Peers that we did not write. Here pycose opens shapes S and G as `device/` seals them, and we open what pycose seals;
//! every other shape of COSE, with python-cwt beside it, is in `cose`; JOSE with jwcrypto and josekit in `jose`; CMS with
//! OpenSSL in `cms`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::gateway::Gateway;
use serde_json::{Value, json};

mod cms;
mod cose;
mod jose;

/// The interpreter with the peers, made by `make test`.
pub(crate) fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target folder");
    let python = target.join("peers-venv/bin/python");
    assert!(python.is_file(), "{} is not there: run `make peers` (`make test` does)", python.display());
    python
}

/// Puts questions to the peer, one JSON line each.
fn ask(questions: &[Value]) -> Vec<Value> {
    ask_peer("pycose_peer.py", questions)
}

/// The same, of a peer by its script. Questions are written beside the reading: a pipe holds only so much.
pub(crate) fn ask_peer(script: &str, questions: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(script);
    let mut child = Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Rows by name, and what became of each.
pub(crate) type Judged = Vec<(String, Result<(), String>)>;

/// Prints which rows ran and which the library lacks. Fails where one that must run did not, or one that is listed as
/// lacking did.
pub(crate) fn judge(what: &str, rows: Judged, lacks: &[&[&str]]) {
    let lacking = |name: &str| lacks.concat().iter().any(|known| name.starts_with(known));
    let mut wrong = Vec::new();
    println!("{what}");
    let unknown = lacks.concat().into_iter().filter(|known| !rows.iter().any(|(name, _)| name.starts_with(known)));
    let unknown: Vec<_> = unknown.collect();
    for (name, outcome) in rows {
        match (outcome, lacking(&name)) {
            (Ok(()), false) => println!("  ran    {name}"),
            (Err(_), true) => println!("  lacks  {name}"),
            (Ok(()), true) => wrong.push(format!("{name}: listed as lacking, and ran")),
            (Err(said), false) => wrong.push(format!("{name}: {said}")),
        }
    }
    wrong.extend(unknown.into_iter().map(|known| format!("{known}: listed as lacking, and no row")));
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

/// The test key of that kid, private members and all.
pub(crate) fn jwk(kid: &str) -> Value {
    let set: Value = serde_json::from_slice(&key_file()).unwrap();
    let found = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid);
    found.unwrap_or_else(|| panic!("no test key {kid}")).clone()
}

pub(crate) fn public(mut jwk: Value) -> Value {
    if jwk["kty"] != "oct" {
        for secret in ["d", "p", "q", "dp", "dq", "qi", "priv"] {
            jwk.as_object_mut().unwrap().remove(secret);
        }
    }
    jwk
}

fn key_file() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/keys.jwks.json")).unwrap()
}

/// The keys of profile.md §10.
const DEVICE: &str = "urn:dev:mac:0024befffe804ff1";
const AUDIENCE: &str = "https://gw.example";
const PATH: &str = "/19/0/0";
const MASTER: &str = "b895f1434b3a0397e94e000ed57b1385017d2bc40bd4cd515ca736ace524fe02";
const SIGN_D: &str = "f83a4797e160afc13428f10230b80c694b3b4a32f8a2c209c49dff1baca23013";
const SIGN_X: &str = "e8ca83951df3a804e7ac1fabd85dbadec167f9987b287470b9b772d6ca30f959";
const SIGN_Y: &str = "c25f3ef250c294fb047959cc3b42356ea2d5d718a3e1d23ac2c8b65358dfeaf7";
const CONTENT: &str = "81a2006c2f333330332f302f3537303002f94d60";
/// COSE numbers and names of the content algorithms that pycose knows.
const ALGORITHMS: [(i64, &str); 4] =
    [(10, "AES-CCM-16-64-128"), (30, "AES-CCM-16-128-128"), (1, "A128GCM"), (3, "A256GCM")];

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("hex")
}

/// What the device module seals, each shape under each algorithm, as a question to the peer.
fn sealed_by_us() -> Vec<Value> {
    use paperknife_device::algorithm::{ContentAlgorithm, SignatureAlgorithm};
    use paperknife_device::device::Device;
    use paperknife_device::key::{Kid, SigningKey, SymmetricKey};
    use paperknife_device::provision::SysRng;
    use paperknife_device::seal::{Options, Sealer, Shape};
    use paperknife_device::sequence::Memory;

    let sealer = Sealer {
        device: DEVICE.to_owned(),
        audience: AUDIENCE.to_owned(),
        path: Some(PATH.to_owned()),
        kid_context: None,
        symmetric: Some(SymmetricKey::master(Kid::new(&bytes("01a2b3c4")).unwrap(), &bytes(MASTER)).unwrap()),
        signing: Some(SigningKey::p256(Kid::new(&bytes("b1a2b3c4")).unwrap(), &bytes(SIGN_D)).unwrap()),
        gateway: None,
    };
    let mut device = Device::new(sealer, Memory::default(), 1).unwrap();
    let mut questions = Vec::new();
    for (shape, name) in [(Shape::S, "S"), (Shape::G, "G")] {
        for (_, algorithm) in ALGORITHMS {
            let options = Options {
                content_algorithm: ContentAlgorithm::from_name(algorithm),
                signature_algorithm: Some(SignatureAlgorithm::Es256),
                ..Options::default()
            };
            let sealed = device.seal(shape, &bytes(CONTENT), &options, &mut SysRng).unwrap();
            let mut question = json!({
                "do": "open", "id": name, "sealed_hex": hex::encode(sealed),
                "audience": AUDIENCE, "device": DEVICE, "path": PATH, "master_hex": MASTER,
            });
            if shape == Shape::G {
                question["verify"] = json!({"x_hex": SIGN_X, "y_hex": SIGN_Y});
            }
            questions.push(question);
        }
    }
    questions
}

#[test]
fn pycose_opens_what_the_device_seals() {
    let questions = sealed_by_us();
    let answers = ask(&questions);
    assert_eq!(answers.len(), questions.len());
    for (nth, answer) in answers.iter().enumerate() {
        assert_eq!(answer["plaintext_hex"], CONTENT, "{answer}");
        assert_eq!(answer["shape"], questions[nth]["id"], "{answer}");
        assert_eq!(answer["sequence"], nth, "{answer}");
    }
    // The peer is no rubber stamp: another path is another binding.
    let mut elsewhere = questions[0].clone();
    elsewhere["path"] = json!("/19/1/0");
    assert!(ask(&[elsewhere])[0]["error"].is_string());
}

#[test]
fn we_open_what_pycose_seals() {
    let gateway = Gateway::start();
    let base64url = |hex: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes(hex))
    };
    let policy = |kid: &str| json!({"kid_hex": kid, "profile": "paperknife-1", "device": DEVICE, "audience": [AUDIENCE], "paths": [PATH]});
    gateway.import_json(&json!({"keys": [
        {"kty": "oct", "kid": "s", "k": base64url(MASTER), "paperknife": policy("01a2b3c4")},
        {"kty": "EC", "crv": "P-256", "kid": "v", "use": "sig", "x": base64url(SIGN_X), "y": base64url(SIGN_Y), "paperknife": policy("b1a2b3c4")},
    ]}));
    let mut questions = Vec::new();
    for shape in ["S", "G"] {
        for (number, _) in ALGORITHMS {
            let mut question = json!({
                "do": "seal", "shape": shape, "content_hex": CONTENT, "alg": number, "kid_hex": "01a2b3c4",
                "sequence": questions.len() + 1, "audience": AUDIENCE, "device": DEVICE, "path": PATH, "master_hex": MASTER,
            });
            if shape == "G" {
                question["sign"] = json!({"kid_hex": "b1a2b3c4", "d_hex": SIGN_D, "x_hex": SIGN_X, "y_hex": SIGN_Y});
            }
            questions.push(question);
        }
    }
    for (nth, answer) in ask(&questions).iter().enumerate() {
        let sealed = bytes(answer["sealed_hex"].as_str().unwrap_or_else(|| panic!("{answer}")));
        let item = gateway.deliver(&sealed, Some(DEVICE), Some(PATH));
        assert_eq!(item["verdict"], "opened", "{}: {}", questions[nth]["shape"], item["reason"]);
        let message = gateway.get(&format!("/v1/messages/{}", item["message"].as_str().unwrap()));
        assert_eq!(message["proof"]["sequence"], nth + 1);
        assert_eq!(message["readings"][0]["value"], 21.5);
    }
}
