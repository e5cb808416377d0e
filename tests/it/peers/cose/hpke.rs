//! HPKE with python-cwt, in both directions and both forms: each suite with the content itself, and with its key.

use paperknife_device::cose::algorithm::Encryption;
use paperknife_device::cose::hpke::Hpke;
use paperknife_device::cose::{Message, Nonce, Structure};
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::{AAD, CONTENT, PYTHON_CWT, jwk, key, public};
use crate::gateway::paperknife;
use crate::peers::ask_peer;

/// Each suite in each form; `true`: it brings a content key.
fn rows() -> impl Iterator<Item = (Hpke, bool)> {
    Hpke::ALL.iter().flat_map(|&hpke| [(hpke, false), (hpke, true)])
}

const fn receiver(hpke: Hpke) -> &'static str {
    match hpke {
        Hpke::Hpke0 | Hpke::Hpke7 => "p256",
        Hpke::Hpke1 => "p384",
        Hpke::Hpke2 => "p521",
        Hpke::Hpke3 | Hpke::Hpke4 => "x25519",
    }
}

fn question((hpke, wraps): (Hpke, bool), opening: bool) -> Value {
    let receiver = jwk(receiver(hpke));
    json!({
        "id": format!("{}{}", hpke.name(), if wraps { "-KE" } else { "" }),
        "do": if opening { "open-hpke" } else { "seal-hpke" },
        "alg": if wraps { hpke.key_encryption() } else { hpke.id() },
        "key": if opening { receiver } else { public(receiver) },
        "wraps": wraps,
        "aad_hex": AAD,
        "content_hex": hex::encode(CONTENT),
    })
}

#[test]
fn python_cwt_opens_what_the_device_seals() {
    let seal = |(hpke, wraps): (Hpke, bool)| {
        let to = key(receiver(hpke));
        let mut message = Message::new(match wraps {
            true => Structure::HpkeEncrypt(Encryption::A128Gcm, Nonce::Random, vec![(hpke, to)]),
            false => Structure::HpkeEncrypt0(hpke, to),
        });
        message.external_aad = hex::decode(AAD).unwrap();
        let mut question = question((hpke, wraps), true);
        question["sealed_hex"] = json!(hex::encode(message.seal(CONTENT, &mut SysRng).unwrap().bytes));
        question
    };
    let questions: Vec<_> = rows().map(seal).collect();
    for answer in ask_peer(PYTHON_CWT.script, &questions) {
        assert_eq!(answer["plaintext_hex"], hex::encode(CONTENT), "{answer}");
    }
    let mut elsewhere = questions[0].clone();
    elsewhere["aad_hex"] = json!("00");
    assert!(ask_peer(PYTHON_CWT.script, &[elsewhere])[0]["error"].is_string(), "the peer is no rubber stamp");
}

#[test]
fn we_open_what_python_cwt_seals() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, message) = (folder.path().join("keys.json"), folder.path().join("sealed.cbor"));
    let questions: Vec<_> = rows().map(|row| question(row, false)).collect();
    let answers = ask_peer(PYTHON_CWT.script, &questions);
    for ((hpke, wraps), answer) in rows().zip(answers) {
        let sealed = answer["sealed_hex"].as_str().unwrap_or_else(|| panic!("{answer}"));
        std::fs::write(&keys, json!({"keys": [jwk(receiver(hpke))]}).to_string()).unwrap();
        std::fs::write(&message, hex::decode(sealed).unwrap()).unwrap();
        let open = |aad: &str, compat: &[&str]| {
            let files = ["open", "--jwks", keys.to_str().unwrap(), message.to_str().unwrap(), "--aad", aad];
            let output = paperknife(&[&files, compat].concat());
            serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{answer}"))
        };
        let anybody = ["--compat", "unauthenticated-sender"];
        let verdict = open(AAD, &anybody);
        use base64::Engine;
        let content = base64::engine::general_purpose::STANDARD.encode(CONTENT);
        assert_eq!(verdict["plaintext_b64"], content, "{answer}: {verdict}");
        assert_eq!(verdict["proof"]["sender"], Value::Null, "whoever has our public key can have sealed it");
        let alg = if wraps { "key_management_alg" } else { "content_alg" };
        assert!(verdict["proof"][alg].as_str().is_some_and(|name| name.starts_with(hpke.name())), "{verdict}");
        assert_eq!(open(AAD, &[])["reason"], "unauthenticated_sender");
        assert_eq!(open("00", &anybody)["reason"], "auth_failed");
    }
}
