//! Every algorithm of JOSE with two independent libraries, in both directions: jwcrypto and josekit open what `device/`
//! seals, and `paperknife open` opens what they seal. What a library lacks is listed by name and tried all the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use paperknife_device::jose::Serialization;
use paperknife_device::jose::algorithm::{Encryption, Management, Signature};
use paperknife_device::jose::jwe::{Jwe, Recipient};
use paperknife_device::jose::jws::{Jws, Signer};
use paperknife_device::key_set::KeySet;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::{Judged, ask_peer, judge, jwk, public};
use crate::gateway::paperknife;

mod josekit;

const CONTENT: &[u8] = b"This is the content.";

/// What jwcrypto 1.6.1 has not.
const JWCRYPTO_LACKS: &[&str] = &["JWE RSA-OAEP-384", "JWE RSA-OAEP-512"];

/// One message to be exchanged.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) what: What,
    /// Name of the test key.
    pub(super) key: String,
    pub(super) serialization: Serialization,
}

#[derive(Clone, Copy)]
pub(super) enum What {
    Jwe(Management, Encryption),
    Jws(Signature),
}

/// Every algorithm once, key agreements on every curve, each serialization.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for &management in Management::ALL {
        for key in receivers(management) {
            rows.push(Row::jwe(management, Encryption::A128Gcm, key, Serialization::Compact));
        }
    }
    for &encryption in Encryption::ALL {
        rows.push(Row::jwe(Management::A256Kw, encryption, "oct32", Serialization::Flattened));
        rows.push(Row::jwe(Management::EcdhEs, encryption, "p256", Serialization::Compact));
        let key = format!("oct{}", encryption.key_len());
        rows.push(Row::jwe(Management::Dir, encryption, &key, Serialization::General));
    }
    for &signature in Signature::ALL {
        rows.push(Row::jws(signature, Serialization::Compact));
    }
    for serialization in [Serialization::Flattened, Serialization::General] {
        rows.push(Row::jws(Signature::Es256, serialization));
    }
    rows
}

fn receivers(management: Management) -> &'static [&'static str] {
    match management {
        Management::Dir | Management::A128Kw | Management::A128GcmKw => &["oct16"],
        Management::A192Kw | Management::A192GcmKw => &["oct24"],
        _ if management.agrees() => &["p256", "p384", "p521", "x25519"],
        _ if management.name().starts_with("RSA") => &["rsa2048"],
        _ => &["oct32"],
    }
}

fn signing_key(signature: Signature) -> &'static str {
    match signature {
        Signature::Es256 => "p256",
        Signature::Es384 => "p384",
        Signature::Es512 => "p521",
        Signature::Es256k => "k256",
        Signature::EdDsa | Signature::Ed25519 => "ed25519",
        Signature::Hs256 => "oct32",
        Signature::Hs384 => "oct48",
        Signature::Hs512 => "oct64",
        Signature::MlDsa44 => "mldsa44",
        Signature::MlDsa65 => "mldsa65",
        Signature::MlDsa87 => "mldsa87",
        _ => "rsa2048",
    }
}

impl Row {
    fn jwe(management: Management, encryption: Encryption, key: &str, serialization: Serialization) -> Self {
        let name = format!("JWE {} {} {key} {serialization:?}", management.name(), encryption.name());
        Self { name, what: What::Jwe(management, encryption), key: key.to_owned(), serialization }
    }

    fn jws(signature: Signature, serialization: Serialization) -> Self {
        let name = format!("JWS {} {serialization:?}", signature.name());
        Self { name, what: What::Jws(signature), key: signing_key(signature).to_owned(), serialization }
    }

    const fn is_jwe(&self) -> bool {
        matches!(self.what, What::Jwe(..))
    }

    pub(super) fn algorithms(&self) -> Vec<&'static str> {
        match self.what {
            What::Jwe(management, encryption) => [management.name(), encryption.name()].into(),
            What::Jws(signature) => [signature.name()].into(),
        }
    }

    /// As the device module seals it.
    fn seal(&self) -> String {
        let key = device_key(&self.key);
        let sealed = match self.what {
            What::Jwe(management, encryption) => {
                let jwe = Jwe::new(encryption, [Recipient::new(management, key)].into());
                Jwe { serialization: self.serialization, ..jwe }.seal(CONTENT, &mut SysRng)
            }
            What::Jws(signature) => {
                Jws { serialization: self.serialization, ..Jws::new(Signer::new(signature, key)) }.seal(CONTENT)
            }
        };
        sealed.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The key of whoever opens (private for a JWE), or of whoever seals.
    pub(super) fn half(&self, opening: bool) -> Value {
        if self.is_jwe() == opening { jwk(&self.key) } else { public(jwk(&self.key)) }
    }

    /// The question to jwcrypto.
    fn question(&self, task: &str) -> Value {
        let kind = if self.is_jwe() { "jwe" } else { "jws" };
        json!({"do": format!("{task}-{kind}"), "key": self.half(task == "open"), "algs": self.algorithms()})
    }

    pub(super) fn header(&self) -> Value {
        match self.what {
            What::Jwe(management, encryption) => {
                json!({"alg": management.name(), "enc": encryption.name(), "kid": self.key})
            }
            What::Jws(signature) => json!({"alg": signature.name(), "kid": self.key}),
        }
    }

    /// `paperknife open` on what a peer sealed.
    fn open(&self, sealed: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let (keys, message) = (folder.path().join("keys.json"), folder.path().join("sealed.jose"));
        std::fs::write(&keys, json!({"keys": [self.half(true)]}).to_string()).unwrap();
        std::fs::write(&message, sealed).unwrap();
        let (keys, message) = (keys.to_str().unwrap(), message.to_str().unwrap());
        let compat = "unauthenticated-sender,rsa-oaep,rsa1_5,pbes2";
        let output = paperknife(&["open", "--jwks", keys, "--compat", compat, message]);
        let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let verdict: Value = serde_json::from_slice(&output.stdout).map_err(|_| said())?;
        if verdict["plaintext_b64"] == json!(STANDARD.encode(CONTENT)) { Ok(()) } else { Err(said()) }
    }
}

fn device_key(name: &str) -> Key {
    let set = json!({"keys": [jwk(name)]});
    KeySet::from_json(set.to_string().as_bytes()).unwrap().key(None).unwrap()
}

#[test]
fn jwcrypto_opens_what_the_device_seals() {
    let rows = rows();
    let question = |row: &Row| {
        let mut question = row.question("open");
        question["sealed"] = json!(row.seal());
        question
    };
    let answers = ask_peer("jwcrypto_peer.py", &rows.iter().map(question).collect::<Vec<_>>());
    assert_eq!(answers.len(), rows.len());
    let opened = |answer: &Value| match answer["plaintext_hex"].as_str() {
        Some(hex) if hex == hex::encode(CONTENT) => Ok(()),
        _ => Err(answer.to_string()),
    };
    let judged: Judged = rows.iter().map(|row| row.name.clone()).zip(answers.iter().map(opened)).collect();
    judge("jwcrypto 1.6.1 opens ours", judged, &[JWCRYPTO_LACKS]);
}

#[test]
fn we_open_what_jwcrypto_seals() {
    let rows = rows();
    let question = |row: &Row| {
        let mut question = row.question("seal");
        question["content_hex"] = json!(hex::encode(CONTENT));
        question["header"] = row.header();
        question["form"] = json!(format!("{:?}", row.serialization).to_lowercase());
        question
    };
    let answers = ask_peer("jwcrypto_peer.py", &rows.iter().map(question).collect::<Vec<_>>());
    assert_eq!(answers.len(), rows.len());
    let opened = |row: &Row, answer: &Value| match answer["sealed"].as_str() {
        Some(sealed) => row.open(sealed),
        None => Err(answer.to_string()),
    };
    let outcomes = rows.iter().zip(&answers).map(|(row, answer)| (row.name.clone(), opened(row, answer)));
    judge("we open jwcrypto 1.6.1", outcomes.collect(), &[JWCRYPTO_LACKS]);
}
