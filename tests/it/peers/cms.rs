//! CMS with OpenSSL as the peer: `openssl cms` opens and verifies what `device/` seals, wherever it can parse it at all.

use std::path::PathBuf;
use std::process::Command;

use paperknife_device::cms::algorithm::{Agreement, Encryption, Signature, Wrap};
use paperknife_device::cms::attribute::{Attribute, Binding};
use paperknife_device::cms::recipient::{Identifier, KeyAgreement, Password, Recipient, Transport};
use paperknife_device::cms::signer::Signer;
use paperknife_device::cms::{Cipher, Content, Nesting, Signed, Structure};
use paperknife_device::key_set::KeySet;
use paperknife_device::primitive::digest::Hash;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Judged, ask_peer, judge, jwk};

const CONTENT: &[u8] = b"This is the content.";
/// What has a certificate.
const CERTIFIED: [&str; 4] = ["p256", "p384", "p521", "rsa2048"];

/// Keys and certificates as files.
pub(super) struct Bench {
    folder: TempDir,
    certificates: Vec<(&'static str, Vec<u8>)>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let questions: Vec<Value> = CERTIFIED.iter().map(|name| json!({"key": jwk(name)})).collect();
        let answers = ask_peer("certificates.py", &questions);
        let write = |(name, answer): (&&'static str, &Value)| {
            let text = |member: &str| answer[member].as_str().unwrap().to_owned();
            std::fs::write(folder.path().join(format!("{name}.key.pem")), text("key_pem")).unwrap();
            std::fs::write(folder.path().join(format!("{name}.crt.pem")), text("certificate_pem")).unwrap();
            (*name, hex::decode(text("certificate_hex")).unwrap())
        };
        let certificates = CERTIFIED.iter().zip(&answers).map(write).collect();
        Self { folder, certificates }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn certificate(&self, name: &str) -> &[u8] {
        &self.certificates.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// By issuer and serial number.
    fn identifier(&self, name: &str) -> Identifier {
        Identifier::of_certificate(self.certificate(name)).unwrap()
    }

    /// `openssl cms` on a message: what it writes.
    pub(super) fn openssl(&self, arguments: &[String], input: &[u8]) -> Result<Vec<u8>, String> {
        let (from, to) = (self.path("message"), self.path("out"));
        std::fs::write(&from, input).unwrap();
        let _ = std::fs::remove_file(&to);
        let mut command = Command::new("openssl");
        command.arg("cms").args(arguments).args(["-binary", "-in"]).arg(&from).arg("-out").arg(&to);
        let output = command.output().expect("openssl is there");
        if output.status.success() {
            std::fs::read(to).map_err(|error| error.to_string())
        } else {
            Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
        }
    }

    fn opens(&self, how: &[String], sealed: &[u8]) -> Result<(), String> {
        let content = self.openssl(how, sealed)?;
        if content == CONTENT { Ok(()) } else { Err(format!("other content: {}", hex::encode(content))) }
    }

    /// Arguments that decrypt with a certified key.
    pub(super) fn decrypt(&self, name: &str) -> Vec<String> {
        let (certificate, key) = (self.file(&format!("{name}.crt.pem")), self.file(&format!("{name}.key.pem")));
        arguments(&["-decrypt", "-inform", "DER", "-recip", &certificate, "-inkey", &key])
    }

    /// Arguments that verify with a certificate that does not come along.
    fn verify(&self, name: &str) -> Vec<String> {
        let certificate = self.file(&format!("{name}.crt.pem"));
        let how = ["-verify", "-inform", "DER", "-purpose", "any", "-CAfile", &certificate, "-certfile", &certificate];
        arguments(&how)
    }
}

pub(super) fn arguments(given: &[&str]) -> Vec<String> {
    given.iter().map(|&argument| argument.to_owned()).collect()
}

fn key(name: &str) -> Key {
    let set = json!({"keys": [jwk(name)]});
    KeySet::from_json(set.to_string().as_bytes()).unwrap().key(None).unwrap()
}

fn seal(structure: &Structure, content: &Content) -> Vec<u8> {
    structure.seal(content, &mut SysRng).unwrap().content_info()
}

fn agreement(bench: &Bench, name: &str, agreement: Agreement, wrap: Wrap) -> Recipient {
    Recipient::KeyAgreement(KeyAgreement::new(bench.identifier(name), key(name), agreement, wrap))
}

/// Every recipient that OpenSSL knows, and how it opens.
fn recipients(bench: &Bench) -> Vec<(String, Recipient, Vec<String>)> {
    let mut all = Vec::new();
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        for label in [None, Some(b"gateway".to_vec())] {
            let name = format!("OAEP {hash:?} label {}", label.is_some());
            let transport = Transport::Oaep(hash, label);
            let recipient = Recipient::KeyTransport(bench.identifier("rsa2048"), key("rsa2048"), transport);
            all.push((name, recipient, bench.decrypt("rsa2048")));
        }
    }
    let by_name = Identifier::KeyIdentifier(b"rsa2048".to_vec());
    for (name, whose) in [("PKCS1", bench.identifier("rsa2048")), ("PKCS1 by key identifier", by_name)] {
        let recipient = Recipient::KeyTransport(whose, key("rsa2048"), Transport::Pkcs1);
        all.push((name.to_owned(), recipient, bench.decrypt("rsa2048")));
    }
    for name in ["p256", "p384", "p521"] {
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            for scheme in [Agreement::Standard(hash), Agreement::Cofactor(hash)] {
                for &wrap in Wrap::ALL {
                    let row = format!("{name} {scheme:?} {}", wrap.name());
                    all.push((row, agreement(bench, name, scheme, wrap), bench.decrypt(name)));
                }
            }
        }
    }
    let mut known = KeyAgreement::new(
        Identifier::KeyIdentifier(b"p256".to_vec()),
        key("p256"),
        Agreement::Standard(Hash::Sha256),
        Wrap::A128Kw,
    );
    known.ukm = Some(b"user keying material".to_vec());
    all.push(("p256 by key identifier, ukm".to_owned(), Recipient::KeyAgreement(known), bench.decrypt("p256")));
    for len in [16, 24, 32] {
        let name = format!("oct{len}");
        let secret = hex::encode(secret(&name));
        let how = ["-decrypt", "-inform", "DER", "-secretkey", &secret, "-secretkeyid", &hex::encode(&name)];
        all.push((format!("KEK {name}"), Recipient::Kek(key(&name)), arguments(&how)));
    }
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512] {
        let password = Password { hash, ..Password::new(b"correct horse", 2000) };
        let how = ["-decrypt", "-inform", "DER", "-pwri_password", "correct horse"];
        all.push((format!("password {hash:?}"), Recipient::Password(password), arguments(&how)));
    }
    all
}

fn secret(name: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jwk(name)["k"].as_str().unwrap()).unwrap()
}

#[test]
fn openssl_opens_what_the_device_encrypts() {
    let bench = Bench::new();
    let content = Content::data(CONTENT);
    let mut judged = Judged::new();
    for encryption in [Encryption::A128Gcm, Encryption::A256Gcm, Encryption::A128Cbc, Encryption::A256Cbc] {
        for (name, recipient, how) in recipients(&bench) {
            let cipher = Cipher::new(encryption);
            let structure = if encryption.authenticates() {
                Structure::AuthEnvelopedData(cipher, [recipient].into(), Vec::new())
            } else {
                Structure::EnvelopedData(cipher, [recipient].into())
            };
            let outcome = bench.opens(&how, &seal(&structure, &content));
            judged.push((format!("{} {name}", encryption.name()), outcome));
        }
    }
    judge("openssl cms decrypts ours", judged, &[]);
}

/// Every signature that OpenSSL knows.
fn signers(bench: &Bench) -> Vec<(String, &'static str, Signer)> {
    let mut all = Vec::new();
    for &algorithm in Signature::ALL.iter().filter(|&&one| one != Signature::Ed25519) {
        let names: &[&str] = match algorithm {
            Signature::Es256 | Signature::Es512 => &["p256", "p521"],
            Signature::Es384 => &["p256", "p384", "p521"],
            _ => &["rsa2048"],
        };
        for &name in names {
            let row = format!("{} {name}", algorithm.name());
            all.push((row, name, Signer::new(bench.identifier(name), key(name), algorithm)));
        }
    }
    let plain = || Signer::new(bench.identifier("p256"), key("p256"), Signature::Es256);
    let by_name = Identifier::KeyIdentifier(b"p256".to_vec());
    all.push(("by key identifier".to_owned(), "p256", Signer { identifier: by_name, ..plain() }));
    all.push(("bare".to_owned(), "p256", Signer { bare: true, ..plain() }));
    all.push(("algorithm protection".to_owned(), "p256", Signer { algorithm_protection: true, ..plain() }));
    let binding = Binding {
        audience: "https://gw.example".to_owned(),
        endpoint: "dev-7".to_owned(),
        sequence: Some(42),
        ..Binding::default()
    };
    let attributes = vec![Attribute::binding(&binding), Attribute::signing_time(1_790_856_000)];
    all.push(("binding".to_owned(), "p256", Signer { attributes, ..plain() }));
    let rsa = Signer::new(bench.identifier("rsa2048"), key("rsa2048"), Signature::Rs256);
    all.push(("rsaEncryption".to_owned(), "rsa2048", Signer { rsa_encryption: true, ..rsa }));
    all
}

#[test]
fn openssl_verifies_what_the_device_signs() {
    let bench = Bench::new();
    let content = Content::data(CONTENT);
    let mut judged = Judged::new();
    for detached in [false, true] {
        for (name, whose, signer) in signers(&bench) {
            let signed = Signed { signers: vec![signer], certificates: Vec::new(), detached };
            let sealed = seal(&Structure::SignedData(signed), &content);
            let mut how = bench.verify(whose);
            if detached {
                std::fs::write(bench.path("content"), CONTENT).unwrap();
                how.extend(arguments(&["-content", &bench.file("content")]));
            }
            judged.push((format!("{name} detached {detached}"), bench.opens(&how, &sealed)));
        }
    }
    judge("openssl cms verifies ours", judged, &[]);
}

#[test]
fn openssl_opens_what_is_signed_then_encrypted_and_the_reverse() {
    let bench = Bench::new();
    let signed = || {
        let signer = Signer::new(bench.identifier("p256"), key("p256"), Signature::Es256);
        let certificates = vec![bench.certificate("p256").to_vec()];
        Structure::SignedData(Signed { signers: vec![signer], certificates, detached: false })
    };
    let encrypted = || {
        let recipient = agreement(&bench, "p384", Agreement::Standard(Hash::Sha256), Wrap::A128Kw);
        Structure::AuthEnvelopedData(Cipher::new(Encryption::A128Gcm), [recipient].into(), Vec::new())
    };
    let nested = |inner: Structure, outer: Structure| {
        let inner = inner.seal(&Content::data(CONTENT), &mut SysRng).unwrap();
        seal(&outer, &inner.nested(Nesting::ContentInfo))
    };
    let [verify, decrypt] = [bench.verify("p256"), bench.decrypt("p384")];
    let within = bench.openssl(&decrypt, &nested(signed(), encrypted())).unwrap();
    assert_eq!(bench.opens(&verify, &within), Ok(()));
    let within = bench.openssl(&verify, &nested(encrypted(), signed())).unwrap();
    assert_eq!(bench.opens(&decrypt, &within), Ok(()));
}

#[test]
fn openssl_opens_what_is_encrypted_under_a_key_or_digested() {
    let bench = Bench::new();
    let secret = hex::encode(secret("oct32"));
    let encrypted = Structure::EncryptedData(Cipher::new(Encryption::A256Cbc), key("oct32"));
    let decrypt = arguments(&["-EncryptedData_decrypt", "-inform", "DER", "-secretkey", &secret]);
    assert_eq!(bench.opens(&decrypt, &seal(&encrypted, &Content::data(CONTENT))), Ok(()));
    let digested = Structure::DigestedData(Hash::Sha384);
    let verify = arguments(&["-digest_verify", "-inform", "DER"]);
    assert_eq!(bench.opens(&verify, &seal(&digested, &Content::data(CONTENT))), Ok(()));
}

/// One message that OpenSSL makes, by its arguments, and what `paperknife open` is given.
struct Made {
    name: &'static str,
    /// Each makes a layer around what the one before made.
    steps: Vec<Vec<String>>,
    /// Further arguments of `paperknife open`.
    keys: Vec<String>,
    compat: &'static str,
}

impl Bench {
    fn with(&self, verb: &str, cipher: &str, name: &str, options: &[&str]) -> Vec<String> {
        let recipient = self.file(&format!("{name}.crt.pem"));
        arguments(&[&[verb, "-outform", "DER", cipher, "-recip", &recipient], options].concat())
    }

    fn sign(&self, name: &str, options: &[&str]) -> Vec<String> {
        let (certificate, key) = (self.file(&format!("{name}.crt.pem")), self.file(&format!("{name}.key.pem")));
        let how = ["-sign", "-outform", "DER", "-nodetach", "-signer", &certificate, "-inkey", &key];
        arguments(&[&how, options].concat())
    }

    /// A private key with its certificate, as the opener is given them.
    fn ours(&self, name: &str) -> Vec<String> {
        let (key, certificate) = (self.file(&format!("{name}.key.pem")), self.file(&format!("{name}.crt.pem")));
        arguments(&["--key", &key, "--key", &certificate])
    }

    /// A pinned certificate.
    fn theirs(&self, name: &str) -> Vec<String> {
        arguments(&["--key", &self.file(&format!("{name}.crt.pem"))])
    }

    fn made(&self) -> Vec<Made> {
        let secret = hex::encode(secret("oct32"));
        let jwks = arguments(&["--jwks", &self.file("oct32.jwks.json")]);
        let password = arguments(&["--password-file", &self.file("password")]);
        let row = |name, steps, keys, compat| Made { name, steps, keys, compat };
        let encrypt = |cipher, name, options: &[&str]| vec![self.with("-encrypt", cipher, name, options)];
        let oaep = ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"];
        let ecdh = ["-keyopt", "ecdh_kdf_md:sha256", "-aes128-wrap"];
        let kek = |cipher| {
            let named = ["-secretkey", &secret, "-secretkeyid", &hex::encode("oct32")];
            vec![arguments(&[&["-encrypt", "-outform", "DER", cipher], &named[..]].concat())]
        };
        let under_password = ["-encrypt", "-outform", "DER", "-aes-256-cbc", "-pwri_password", "correct horse"];
        let streamed = ["-keyopt", "ecdh_kdf_md:sha256", "-aes128-wrap", "-stream", "-indef"];
        let signed = || self.sign("p256", &["-md", "sha256"]);
        let gcm = || self.with("-encrypt", "-aes-128-gcm", "p384", &ecdh);
        let both = || [self.ours("p384"), self.theirs("p256")].concat();
        vec![
            row("RSA OAEP, GCM", encrypt("-aes-128-gcm", "rsa2048", &oaep), self.ours("rsa2048"), ""),
            row("RSA PKCS1, GCM", encrypt("-aes-256-gcm", "rsa2048", &[]), self.ours("rsa2048"), "rsa-pkcs1v15"),
            row("RSA OAEP, CBC", encrypt("-aes-128-cbc", "rsa2048", &oaep), self.ours("rsa2048"), "cbc-bare"),
            row("P-256, GCM", encrypt("-aes-128-gcm", "p256", &ecdh), self.ours("p256"), ""),
            row("P-384, GCM", encrypt("-aes-192-gcm", "p384", &ecdh), self.ours("p384"), ""),
            row("P-521, GCM", encrypt("-aes-256-gcm", "p521", &ecdh), self.ours("p521"), ""),
            row("P-256, SHA-1", encrypt("-aes-128-gcm", "p256", &["-aes128-wrap"]), self.ours("p256"), "kdf-sha1"),
            row("P-256, GCM, streamed", encrypt("-aes-128-gcm", "p256", &streamed), self.ours("p256"), ""),
            row("P-256, CBC, streamed", encrypt("-aes-128-cbc", "p256", &streamed), self.ours("p256"), "cbc-bare"),
            row("KEK, GCM", kek("-aes-256-gcm"), jwks.clone(), ""),
            row("KEK, CBC", kek("-aes-256-cbc"), jwks.clone(), "cbc-bare"),
            row("password, CBC", vec![arguments(&under_password)], password, "password,cbc-bare"),
            row("signed, P-256", vec![signed()], self.theirs("p256"), ""),
            row("signed, P-384, SHA-384", vec![self.sign("p384", &["-md", "sha384"])], self.theirs("p384"), ""),
            row("signed, P-521, SHA-512", vec![self.sign("p521", &["-md", "sha512"])], self.theirs("p521"), ""),
            row("signed, RSA", vec![self.sign("rsa2048", &["-md", "sha256"])], self.theirs("rsa2048"), ""),
            row(
                "signed, PSS",
                vec![self.sign("rsa2048", &["-md", "sha256", "-keyopt", "rsa_padding_mode:pss"])],
                self.theirs("rsa2048"),
                "",
            ),
            row("signed, streamed", vec![self.sign("p256", &["-stream", "-indef"])], self.theirs("p256"), ""),
            row("signed, by key identifier", vec![self.sign("p256", &["-keyid"])], self.theirs("p256"), ""),
            row("signed, no certificate", vec![self.sign("p256", &["-nocerts"])], self.theirs("p256"), ""),
            row("signed, bare", vec![self.sign("p256", &["-noattr"])], self.theirs("p256"), "no-signed-attrs"),
            row("signed, then encrypted", vec![signed(), gcm()], both(), ""),
            row("encrypted, then signed", vec![gcm(), signed()], both(), ""),
        ]
    }
}

/// The names without which a row does not open, beside that for messages that anybody can make.
fn open(bench: &Bench, made: &Made, compat: &str) -> Result<(), String> {
    let mut message = CONTENT.to_vec();
    for step in &made.steps {
        message = bench.openssl(step, &message)?;
    }
    let file = bench.file("made");
    std::fs::write(&file, &message).unwrap();
    let mut how = arguments(&["open", "--compat", compat]);
    how.extend(made.keys.clone());
    how.push(file);
    let how: Vec<&str> = how.iter().map(String::as_str).collect();
    let output = crate::gateway::paperknife(&how);
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let verdict: Value = serde_json::from_slice(&output.stdout).map_err(|_| said())?;
    use base64::Engine;
    let content = base64::engine::general_purpose::STANDARD.encode(CONTENT);
    if verdict["plaintext_b64"] == json!(content) { Ok(()) } else { Err(said()) }
}

#[test]
fn we_open_what_openssl_makes_and_only_under_the_names_that_it_needs() {
    let bench = Bench::new();
    std::fs::write(bench.path("password"), "correct horse\n").unwrap();
    std::fs::write(bench.path("oct32.jwks.json"), json!({"keys": [jwk("oct32")]}).to_string()).unwrap();
    let (mut judged, mut strict) = (Judged::new(), Judged::new());
    for made in bench.made() {
        let compat = format!("unauthenticated-sender,{}", made.compat);
        judged.push((made.name.to_owned(), open(&bench, &made, compat.trim_end_matches(','))));
        if !made.compat.is_empty() {
            let opened = open(&bench, &made, "unauthenticated-sender");
            strict.push((made.name.to_owned(), opened.err().map(drop).ok_or_else(|| "opened without".to_owned())));
        }
    }
    judge("we open openssl cms", judged, &[]);
    judge("we refuse by default of openssl cms", strict, &[]);
}
