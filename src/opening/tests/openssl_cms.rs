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
use crate::envelope::cms::fixture;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, Departure, Format, Reason, Sealed, Timestamp};
use crate::opening::{Finding, House, find, off_by_default};

/// What two of the honest files need is not there, which the README says: two hashes in one RSA padding.
const UNSUPPORTED: [&str; 2] =
    ["open/env-rsa-oaep-sha256-mgfsha1-aes128cbc.der", "open/signed-rsa-pss-sha512-mgf256.der"];
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
            let options =
                ImportOptions { also: off_by_default(compat, Some(Format::Cms)), anchor, ..ImportOptions::default() };
            keystore.import(bytes, &options).unwrap_or_else(|error| panic!("{}: {error}", self.file));
        };
        let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
        // The manifest names no anchor for one whose signature is honest.
        let forwarded = if self.file == NEEDS_V15 { vec!["keys/root.crt.pem"] } else { Vec::new() };
        names(&self.manifest["trust"]).iter().chain(&forwarded).for_each(|name| import(&file(name), true));
        for of in ["crls", "certs", "intermediates"] {
            names(&self.manifest[of]).iter().for_each(|name| import(&file(name), false));
        }
        let available = names(&self.manifest["available_keys"]);
        let recipients =
            if available.is_empty() { self.manifest["recipient"].as_str().into_iter().collect() } else { available };
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
            unauthenticated_sender: compat.allows(Departure::UnauthenticatedSender),
            detached: detached.as_deref(),
            ..Arrival::offline(&claims, compat, Timestamp::from_seconds(NOW_S))
        };
        let house = self.house(folder, compat);
        let start = Instant::now();
        let finding = find(&house, &arrival, &sealed).unwrap();
        if let Some(limit) = self.manifest["time_limit_ms"].as_u64() {
            assert!(start.elapsed() < Duration::from_millis(limit), "{}: {:?}", self.file, start.elapsed());
        }
        finding
    }

    /// An honest message that needs no name, and nothing that is not there.
    fn is_open_by_default(&self) -> bool {
        self.expected["default"] == "opens" && !UNSUPPORTED.contains(&self.file.as_str())
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
    let honest = std::fs::read(folder.join("open/signed-p256-sha256.der")).unwrap();
    match file {
        "refuse/sd-5000-signers.der" => fixture::many_signers(&honest, 5_000),
        "refuse/sd-5000-certs.der" => fixture::many_certificates(&honest, 5_000),
        "refuse/sd-ber-million-segments.ber" => fixture::many_segments(&honest, 1_000_000),
        other => panic!("{other} is not known"),
    }
}

/// Verdicts of a run, by what came of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    opened: [usize; 2],
    refused: [usize; 2],
}

/// Runs every entry and counts what opens and what does not, of the honest and of the others; faults are told together.
fn run(folder: &Path, compat: &Compat, verdict: impl Fn(&Entry, &Finding) -> Result<(), String>) -> Tally {
    let (mut tally, mut faults) = (Tally::default(), Vec::new());
    for entry in entries(folder) {
        let finding = entry.open(folder, compat);
        let kind = usize::from(entry.manifest["expect"] != "open");
        match &finding {
            Finding::Opened(..) => tally.opened[kind] += 1,
            Finding::Refused(_) | Finding::Held(_) => tally.refused[kind] += 1,
        }
        if let Err(why) = verdict(&entry, &finding) {
            faults.push(format!("{}: {why}", entry.file));
        }
    }
    assert!(faults.is_empty(), "{} of 237:\n{}", faults.len(), faults.join("\n"));
    tally
}

#[test]
fn under_all_names_every_honest_message_opens_and_no_other_but_what_nothing_can_tell() {
    let Some(folder) = folder() else { return };
    let all = compat(&["all"]);
    let tally = run(&folder, &all, |entry, finding| {
        let reasons = names(&entry.expected["reasons"]);
        if UNSUPPORTED.contains(&entry.file.as_str()) {
            return entry.is_expected(finding, "refused", &["unsupported"]);
        }
        entry.is_expected(finding, entry.expected["expect"].as_str().unwrap(), &reasons)
    });
    // two of the 104 are not supported; four of the 133 open: two altered, two undetectably
    assert_eq!(tally, Tally { opened: [102, 4], refused: [2, 129] });
}

#[test]
fn by_default_those_open_that_need_no_name() {
    let Some(folder) = folder() else { return };
    let tally = run(&folder, &compat(&["unauthenticated-sender"]), |entry, finding| {
        let switched = !names(&entry.expected["compat"]).is_empty();
        let mut expect = entry.expected["default"].as_str().unwrap();
        if entry.file == NEEDS_V15 || UNSUPPORTED.contains(&entry.file.as_str()) {
            expect = "refused";
        }
        // a message that needs a name may be refused for lack of it
        let reasons = if switched || is_switched(finding) { Vec::new() } else { names(&entry.expected["reasons"]) };
        entry.is_expected(finding, expect, &reasons)
    });
    assert_eq!(tally, Tally { opened: [55, 1], refused: [49, 132] });
}

/// Whether the reason is one that a name takes away.
fn is_switched(finding: &Finding) -> bool {
    use Reason::{AlgNotAllowed, KeyNotUsable, UnauthenticatedSender, Unsupported};
    matches!(refusal_of(finding), Some(AlgNotAllowed | KeyNotUsable | UnauthenticatedSender | Unsupported))
}

fn refusal_of(finding: &Finding) -> Option<Reason> {
    match finding {
        Finding::Opened(..) => None,
        finding => Some(refusal(finding)),
    }
}

#[test]
fn without_a_name_a_sender_is_due() {
    let Some(folder) = folder() else { return };
    let opened = |entry: &Entry, finding: &Finding| match finding {
        finding if entry.is_open_by_default() && entry.expected["sender"] != "none" => {
            entry.is_expected(finding, "opens", &[])
        }
        Finding::Opened(settled, _) if settled.facts().proven.sender.is_none() => Err("opened for nobody".to_owned()),
        Finding::Opened(..) if entry.expected["sender"] == "none" => Err("opened without a sender".to_owned()),
        _ => Ok(()),
    };
    let tally = run(&folder, Compat::STRICT, opened);
    // 38 by signature, of which one is not supported, and 4 by a shared key
    assert_eq!(tally.opened, [41, 1]);
}

#[test]
fn each_opens_with_the_names_that_it_needs_and_with_none_of_them_missing() {
    let Some(folder) = folder() else { return };
    let mut tried = 0;
    for entry in entries(&folder).iter().filter(|entry| entry.expected["expect"] == "opens") {
        let needed: Vec<&str> = names(&entry.expected["compat"]);
        let given = [needed.as_slice(), &["unauthenticated-sender"]].concat();
        if UNSUPPORTED.contains(&entry.file.as_str()) {
            continue;
        }
        let finding = entry.open(&folder, &compat(&given));
        entry.is_expected(&finding, "opens", &[]).unwrap_or_else(|why| panic!("{} with {given:?}: {why}", entry.file));
        for missing in &needed {
            let given: Vec<&str> = given.iter().filter(|name| name != &missing).copied().collect();
            let finding = entry.open(&folder, &compat(&given));
            entry
                .is_expected(&finding, "refused", &[])
                .unwrap_or_else(|why| panic!("{} without {missing}: {why}", entry.file));
            tried += 1;
        }
    }
    assert_eq!(tried, 60);
}

#[test]
fn the_bombs_have_the_size_that_the_manifest_says() {
    let Some(folder) = folder() else { return };
    let built: Vec<Entry> =
        entries(&folder).into_iter().filter(|entry| entry.manifest["built_by_test"] == true).collect();
    assert_eq!(built.len(), 3);
    for entry in built {
        assert_eq!(entry.bytes(&folder).len() as u64, entry.manifest["size"].as_u64().unwrap(), "{}", entry.file);
    }
}
