//! Every algorithm of COSE with two independent libraries, in both directions: they open what `device/` seals, and
//! `paperknife open` opens what they seal. What a library lacks is listed by name and tried all the same: a list that
//! says too much fails as one that says too little.

use paperknife_device::cose::algorithm::{Encryption, Mac, Management, Signature};
use paperknife_device::cose::headers::{Buckets, ContentType, Headers};
use paperknife_device::cose::recipient::{Announced, Inputs, Party, Recipient, Sender, Source};
use paperknife_device::cose::signature::Signer;
use paperknife_device::cose::{Message, Nonce, Structure};
use paperknife_device::key_set::KeySet;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};

use super::{Judged, ask_peer, judge, jwk, public};
use crate::gateway::paperknife;

#[cfg(feature = "hpke")]
mod hpke;

const CONTENT: &[u8] = b"This is the content.";
const AAD: &str = "11aa22bb33cc44dd55006699";

/// A library, and what it cannot do: rows that begin so.
struct Peer {
    name: &'static str,
    script: &'static str,
    /// Neither opens nor seals.
    lacks: &'static [&'static str],
    /// Opens, and does not seal, or not so that anybody else opens it.
    does_not_seal: &'static [&'static str],
}

const PYCOSE: Peer = Peer {
    name: "pycose 1.1.0",
    script: "pycose_peer.py",
    lacks: &[
        "Encrypt0 ChaCha20/Poly1305",
        "Mac0 of Encrypt0 A",
        // its symmetric keys have 16, 24 or 32 bytes
        "Mac0 HMAC 384/384",
        "Mac0 HMAC 512/512",
        "Sign1 ES256K",
        "Sign1 ESP",
        "Sign1 Ed25519",
        "Sign1 Ed448",
        "Sign1 ML-DSA",
        "Encrypt direct+HKDF",
        "Encrypt ECDH-ES+HKDF-256 x25519",
        "Encrypt ECDH-ES+HKDF-512 x25519",
        "Encrypt ECDH-SS+HKDF-256 x25519",
        "Encrypt ECDH-SS+HKDF-512 x25519",
        "Encrypt ECDH-ES+A128KW x25519",
        "Mac direct+HKDF",
        // its HMACs have no key length to derive
        "Mac ECDH-ES+HKDF-256",
        "Encrypt0 A128GCM countersigned",
        "Sign1 ES256 countersigned",
    ],
    // no content key for a MAC: its HMACs have no key length
    does_not_seal: &["Mac A256KW", "Mac ECDH-ES+A128KW"],
};

const PYTHON_CWT: Peer = Peer {
    name: "python-cwt 3.3.0",
    script: "cwt_peer.py",
    lacks: &[
        "Mac0 AES-MAC",
        "Sign1 ML-DSA",
        "Encrypt direct+HKDF-AES",
        // it takes the hash from the curve: SHA-256 on P-256, SHA-384 on P-384, SHA-512 on P-521
        "Encrypt ECDH-ES+HKDF-256 p384",
        "Encrypt ECDH-ES+HKDF-256 p521",
        "Encrypt ECDH-ES+HKDF-512 p256",
        "Encrypt ECDH-ES+HKDF-512 p384",
        "Encrypt ECDH-SS+HKDF-256 p521",
        "Encrypt ECDH-SS+HKDF-512 p256",
        "Encrypt ECDH-ES+A128KW p384",
        "Encrypt ECDH-ES+A128KW p521",
        "Encrypt ECDH-ES+A128KW x25519",
        "Encrypt RSAES-OAEP",
        // it appends the target's further fields to Countersign_structure, not an array of them (RFC 9338 §3.3)
        "Sign1 ES256 countersigned",
    ],
    does_not_seal: &[
        // it makes no ephemeral key on X25519
        "Encrypt ECDH-ES+HKDF-256 x25519",
        "Encrypt ECDH-ES+HKDF-512 x25519",
        // it takes a key wrap for the sign of an Encrypt
        "Mac ECDH-ES+A128KW",
    ],
};

/// One message to be exchanged.
#[derive(Clone)]
struct Row {
    name: String,
    structure: &'static str,
    /// Of the content, or of each signer; of the content within, after the outer one.
    algorithms: Vec<&'static str>,
    keys: Vec<&'static str>,
    management: Option<Management>,
    sender: Option<&'static str>,
    within: bool,
    countersigner: Option<&'static str>,
}

/// Every algorithm once, key agreements on every curve.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in Encryption::ALL {
        let key = symmetric(algorithm.key_len());
        if algorithm.authenticates() {
            rows.push(Row::of("Encrypt0", algorithm.name(), key));
        } else {
            let row = Row::of("Mac0", "HMAC 256/256", "oct32-outer");
            let name = format!("Mac0 of Encrypt0 {}", algorithm.name());
            rows.push(Row {
                name,
                algorithms: [row.algorithms[0], algorithm.name()].into(),
                keys: ["oct32-outer", key].into(),
                within: true,
                ..row
            });
        }
    }
    rows.extend(Mac::ALL.iter().map(|mac| Row::of("Mac0", mac.name(), symmetric(mac.key_len()))));
    rows.extend(Signature::ALL.iter().map(|signature| Row::of("Sign1", signature.name(), signing_key(*signature))));
    rows.push(Row { name: "Sign1 EdDSA on Ed448".into(), ..Row::of("Sign1", "EdDSA", "ed448") });
    rows.push(Row {
        name: "Sign ES256 and EdDSA".into(),
        algorithms: ["ES256", "EdDSA"].into(),
        keys: ["p256", "ed25519"].into(),
        ..Row::of("Sign", "", "")
    });
    for &management in Management::ALL {
        for key in receivers(management) {
            rows.push(Row::managed("Encrypt", "A128GCM", management, key));
        }
    }
    for (management, key) in [
        (Management::Direct, "oct32"),
        (Management::A256Kw, "oct32"),
        (Management::DirectHkdfSha256, "oct32"),
        (Management::EcdhEsHkdf256, "p256"),
        (Management::EcdhEsA128Kw, "p256"),
    ] {
        rows.push(Row::managed("Mac", "HMAC 256/256", management, key));
    }
    for (structure, algorithm, key) in [("Encrypt0", "A128GCM", "oct16"), ("Sign1", "ES256", "p256")] {
        let row = Row::of(structure, algorithm, key);
        rows.push(Row { name: format!("{} countersigned", row.name), countersigner: Some("p384"), ..row });
    }
    rows
}

impl Row {
    fn of(structure: &'static str, algorithm: &'static str, key: &'static str) -> Self {
        Self {
            name: format!("{structure} {algorithm}"),
            structure,
            algorithms: [algorithm].into(),
            keys: [key].into(),
            management: None,
            sender: None,
            within: false,
            countersigner: None,
        }
    }

    fn managed(structure: &'static str, algorithm: &'static str, management: Management, key: &'static str) -> Self {
        let sender = match key {
            "p521" => "p521-sender",
            "x25519" => "x25519-sender",
            _ => "p256-sender",
        };
        Self {
            name: format!("{structure} {} {key}", management.name()),
            management: Some(management),
            sender: management.is_static().then_some(sender),
            ..Self::of(structure, algorithm, key)
        }
    }

    fn aad(&self) -> &'static str {
        // RFC 9459 §4: CTR and CBC take none, and the tool gives every layer the same
        if self.within { "" } else { AAD }
    }

    /// The question to a peer, but for what is to be opened or sealed. The holder of a key has its private half.
    fn question(&self, opening: bool) -> Value {
        let signs = self.structure.starts_with("Sign");
        let half = |key: &str, private: bool| if private { jwk(key) } else { public(jwk(key)) };
        let keys: Vec<_> = self.keys.iter().map(|key| half(key, signs != opening)).collect();
        json!({
            "id": self.name,
            "structure": self.structure,
            "aad_hex": self.aad(),
            "algs": self.algorithms.iter().map(|name| number(name)).collect::<Vec<_>>(),
            "keys": keys,
            "management": self.management.map(Management::id),
            "sender": self.sender.map(|sender| half(sender, !opening)),
            "within": self.within,
            "countersigner": self.countersigner.map(|key| json!({"alg": -35, "key": half(key, !opening)})),
        })
    }

    /// As the device module seals it.
    fn seal(&self) -> Vec<u8> {
        let name = self.algorithms[0];
        let structure = match self.structure {
            "Encrypt" => Structure::Encrypt(encryption(name), Nonce::Random, [self.recipient()].into()),
            "Encrypt0" => Structure::Encrypt0(encryption(name), Nonce::Random, key(self.keys[0])),
            "Mac" => Structure::Mac(Mac::from_name(name).unwrap(), [self.recipient()].into()),
            "Mac0" => Structure::Mac0(Mac::from_name(name).unwrap(), key(self.keys[0])),
            "Sign" => Structure::Sign(self.signers()),
            _ => Structure::Sign1(self.signers().remove(0)),
        };
        let mut message = Message::new(structure);
        message.external_aad = hex::decode(self.aad()).unwrap();
        message.countersigners.extend(self.countersigner.map(|name| Signer::new(Signature::Es384, key(name))));
        let sealed = if self.within {
            message.headers.protected = Headers::new().content_type(&ContentType::Number(16));
            let inner = Structure::Encrypt0(encryption(self.algorithms[1]), Nonce::Random, key(self.keys[1]));
            Message::new(inner).seal_within(&message, CONTENT, &mut SysRng)
        } else {
            message.seal(CONTENT, &mut SysRng)
        };
        sealed.unwrap_or_else(|error| panic!("{}: {error}", self.name)).bytes
    }

    fn recipient(&self) -> Recipient {
        let management = self.management.unwrap();
        let receiver = key(self.keys[0]);
        let agrees = management.name().starts_with("ECDH");
        let source = match self.sender {
            Some(sender) => Source::Agreement(receiver, Sender::Static(key(sender), Announced::Key)),
            None if agrees => Source::Agreement(receiver, Sender::Ephemeral { compressed: false }),
            None => Source::Key(receiver),
        };
        let nonce = Some(b"once only".to_vec());
        let party_u = Party { nonce, ..Party::default() };
        let derives = management.name().contains("HKDF");
        let inputs = if derives { Inputs { party_u, ..Inputs::default() } } else { Inputs::default() };
        Recipient { inputs, headers: Buckets::default(), ..Recipient::new(management, source) }
    }

    fn signers(&self) -> Vec<Signer> {
        let pairs = self.algorithms.iter().zip(&self.keys);
        pairs.map(|(name, signer)| Signer::new(Signature::from_name(name).unwrap(), key(signer))).collect()
    }

    /// The keys of `paperknife open`: what receives, and the public half of what signs and sends.
    fn key_set(&self) -> Value {
        let signs = self.structure.starts_with("Sign");
        let mut keys: Vec<_> = self.keys.iter().map(|name| if signs { public(jwk(name)) } else { jwk(name) }).collect();
        keys.extend(self.sender.iter().chain(&self.countersigner).map(|name| public(jwk(name))));
        // what is off by default is named in the key's policy
        if self.algorithms[0].starts_with("RS") {
            keys[0]["paperknife"] = json!({"algs": [self.algorithms[0]]});
        }
        if self.within {
            keys[1]["paperknife"] = json!({"algs": [self.algorithms[1]]});
        }
        if self.management == Some(Management::OaepSha1) {
            keys[0]["paperknife"] = json!({"algs": [Management::OaepSha1.name()]});
        }
        json!({ "keys": keys })
    }
}

#[test]
fn peers_open_what_the_device_seals() {
    for peer in [PYCOSE, PYTHON_CWT] {
        let rows = rows();
        let question = |row: &Row| {
            let mut question = row.question(true);
            question["do"] = json!("open-cose");
            question["sealed_hex"] = json!(hex::encode(row.seal()));
            question
        };
        let answers = ask_peer(peer.script, &rows.iter().map(question).collect::<Vec<_>>());
        let opened = |answer: &Value| match answer["plaintext_hex"].as_str() {
            Some(hex) if hex == hex::encode(CONTENT) => Ok(()),
            _ => Err(answer.to_string()),
        };
        let outcomes: Vec<_> = answers.iter().map(opened).collect();
        judge(&format!("{} opens ours", peer.name), named(&rows, outcomes), &[peer.lacks]);
    }
}

#[test]
fn we_open_what_peers_seal() {
    for peer in [PYCOSE, PYTHON_CWT] {
        let rows = rows();
        let question = |row: &Row| {
            let mut question = row.question(false);
            question["do"] = json!("seal-cose");
            question["content_hex"] = json!(hex::encode(CONTENT));
            question
        };
        let answers = ask_peer(peer.script, &rows.iter().map(question).collect::<Vec<_>>());
        let outcomes: Vec<_> = rows.iter().zip(&answers).map(|(row, answer)| open(row, answer)).collect();
        judge(&format!("we open {}", peer.name), named(&rows, outcomes), &[peer.lacks, peer.does_not_seal]);
    }
}

fn named(rows: &[Row], outcomes: Vec<Result<(), String>>) -> Judged {
    assert_eq!(rows.len(), outcomes.len());
    rows.iter().map(|row| row.name.clone()).zip(outcomes).collect()
}

/// `paperknife open` on what a peer sealed.
fn open(row: &Row, answer: &Value) -> Result<(), String> {
    let sealed = answer["sealed_hex"].as_str().ok_or_else(|| answer.to_string())?;
    let folder = tempfile::tempdir().unwrap();
    let (keys, message) = (folder.path().join("keys.json"), folder.path().join("sealed.cbor"));
    std::fs::write(&keys, row.key_set().to_string()).unwrap();
    std::fs::write(&message, hex::decode(sealed).unwrap()).unwrap();
    let (keys, message) = (keys.to_str().unwrap(), message.to_str().unwrap());
    let compat = "ed448,unauthenticated-sender,rsa-oaep-sha1";
    let output = paperknife(&["open", "--jwks", keys, "--aad", row.aad(), "--compat", compat, message]);
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let verdict: Value = serde_json::from_slice(&output.stdout).map_err(|_| said())?;
    use base64::Engine;
    let content = base64::engine::general_purpose::STANDARD.encode(CONTENT);
    let countersigned = verdict["proof"]["countersignatures"].as_array().map_or(0, Vec::len);
    let holds = countersigned == usize::from(row.countersigner.is_some());
    if verdict["plaintext_b64"] == json!(content) && holds { Ok(()) } else { Err(said()) }
}

/// The same key for the device module.
fn key(kid: &str) -> Key {
    let set = json!({"keys": [jwk(kid)]});
    KeySet::from_json(set.to_string().as_bytes()).unwrap().cose_key(None).unwrap().0
}

/// Number of an algorithm of content or signature.
fn number(name: &str) -> i32 {
    let encryption = Encryption::from_name(name).map(Encryption::id);
    let mac = Mac::from_name(name).map(Mac::id);
    encryption.or(mac).or_else(|| Signature::from_name(name).map(Signature::id)).unwrap()
}

fn encryption(name: &str) -> Encryption {
    Encryption::from_name(name).unwrap()
}

fn symmetric(len: usize) -> &'static str {
    match len {
        16 => "oct16",
        24 => "oct24",
        32 => "oct32",
        48 => "oct48",
        _ => "oct64",
    }
}

fn signing_key(algorithm: Signature) -> &'static str {
    match algorithm {
        Signature::Es256 | Signature::Esp256 => "p256",
        Signature::EdDsa | Signature::Ed25519 => "ed25519",
        Signature::Es384 | Signature::Esp384 => "p384",
        Signature::Es512 | Signature::Esp512 => "p521",
        Signature::Ed448 => "ed448",
        Signature::Es256k => "k256",
        Signature::MlDsa44 => "mldsa44",
        Signature::MlDsa65 => "mldsa65",
        Signature::MlDsa87 => "mldsa87",
        _ => "rsa2048",
    }
}

/// Who receives by that algorithm.
fn receivers(management: Management) -> &'static [&'static str] {
    match management {
        Management::A128Kw | Management::Direct | Management::DirectHkdfAes128 => &["oct16"],
        Management::A192Kw => &["oct24"],
        Management::A256Kw | Management::DirectHkdfSha256 | Management::DirectHkdfSha512 => &["oct32"],
        Management::DirectHkdfAes256 => &["oct32"],
        Management::EcdhEsHkdf256 | Management::EcdhEsHkdf512 | Management::EcdhEsA128Kw => {
            &["p256", "p384", "p521", "x25519"]
        }
        Management::EcdhSsHkdf256 | Management::EcdhSsHkdf512 => &["p256", "p521", "x25519"],
        Management::OaepSha1 | Management::OaepSha256 | Management::OaepSha512 => &["rsa2048"],
        _ => &["p256"],
    }
}
