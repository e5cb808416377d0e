//! The example messages of the COSE working group (cose.md §5): under all compat names every positive opens with its
//! content and every negative is refused; by default exactly those open that expected.json says, for its reasons.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use keystore::{Defaults, ImportOptions, Keystore};
use serde_json::{Map, Value, json};

use super::{NOW_S, reason};
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, CoseType, Sealed, Timestamp};
use crate::opening::{Finding, House, find, off_by_default};

/// A file, what is expected of it, and the message in it.
struct Case {
    name: String,
    expected: Value,
    input: Value,
    message: Value,
    sealed: Vec<u8>,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/cose-wg-examples");
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: 306 messages of the COSE working group ({} is not there)", folder.display());
    None
}

fn read(file: &Path) -> Value {
    let bytes = std::fs::read(file).unwrap();
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).unwrap()
}

fn cases(folder: &Path) -> Vec<Case> {
    let case = |expected: &Value| {
        let name = expected["file"].as_str().unwrap().to_owned();
        let file = read(&folder.join(&name));
        let input = file["input"].clone();
        let kinds = ["sign0", "sign", "mac", "mac0", "encrypted", "enveloped"];
        let message = kinds.iter().find_map(|kind| input.get(kind)).unwrap().clone();
        let sealed = hex::decode(file["output"]["cbor"].as_str().unwrap()).unwrap();
        Case { name, expected: expected.clone(), input, message, sealed }
    };
    read(&folder.join("expected.json")).as_array().unwrap().iter().map(case).collect()
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key in the examples' notation as a JWK: `NAME_hex` members are bytes, and what tells use or algorithm is left out.
fn jwk(key: &Value, private: bool) -> Map<String, Value> {
    let mut jwk = Map::new();
    for (name, value) in key.as_object().unwrap() {
        let (stem, hex) = name.strip_suffix("_hex").map_or((name.as_str(), false), |stem| (stem, true));
        let value = match (stem, hex) {
            ("use" | "alg" | "key_ops" | "kid", _) => continue,
            (_, true) => json!(base64url(&hex::decode(value.as_str().unwrap()).unwrap())),
            // one file has a `k` whose unused bits are not zero
            ("k", false) => json!(base64url(&LENIENT.decode(value.as_str().unwrap()).unwrap())),
            (_, false) => value.clone(),
        };
        let name = match stem {
            "dP" => "dp",
            "dQ" => "dq",
            stem => stem,
        };
        jwk.insert(name.to_owned(), value);
    }
    if jwk["kty"] == "EC2" {
        jwk["kty"] = json!("EC");
    }
    if !private {
        ["d", "p", "q", "dp", "dq", "qi"].iter().for_each(|member| drop(jwk.remove(*member)));
    }
    jwk
}

/// What is not on the wire of a recipient, as members of its key's record.
fn unsent(case: &Case, recipient: &Value) -> Value {
    let mut record = json!({});
    let unsent = &recipient["unsent"];
    let text = |name: &str| unsent[name].as_str().map(|text| base64url(text.as_bytes()));
    for (party, of) in [("party_u", "apu_id"), ("party_v", "apv_id")] {
        if let Some(identity) = text(of) {
            record[party] = json!({"identity": identity});
        }
    }
    for name in ["pub_other", "priv_other"] {
        if let Some(other) = text(name) {
            record[name] = json!(other);
        }
    }
    if let Some(sender) = recipient.get("sender_key") {
        let mut sender = jwk(sender, false);
        sender.insert("paperknife".to_owned(), json!({"device": "urn:dev:sender"}));
        record["static_sender"] = Value::Object(sender);
    }
    if let Some(full) = case.message["unsent"]["IV_hex"].as_str() {
        record["base_iv"] = json!(base64url(&base_iv(full, &case.message["unprotected"])));
    }
    record
}

/// The files state the full nonce: the base IV is that XOR the Partial IV.
fn base_iv(full: &str, unprotected: &Value) -> Vec<u8> {
    let mut nonce = hex::decode(full).unwrap();
    let partial = hex::decode(unprotected["partialIV_hex"].as_str().unwrap()).unwrap();
    let start = nonce.len() - partial.len();
    nonce[start..].iter_mut().zip(partial).for_each(|(byte, of_partial)| *byte ^= of_partial);
    nonce
}

/// Every key of a part of a message, and of the parts within it.
fn keys(case: &Case, part: &Value, signs: bool, into: &mut Vec<Value>) {
    match part {
        Value::Array(parts) => parts.iter().for_each(|part| keys(case, part, signs, into)),
        Value::Object(members) => {
            if let Some(key) = members.get("key") {
                let mut jwk = jwk(key, !signs);
                let mut record = if signs { json!({}) } else { unsent(case, part) };
                // What the message names counts: some files state another kid for the key.
                let named = ["protected", "unprotected"].iter().find_map(|bucket| part[*bucket]["kid"].as_str());
                if let Some(kid) = named {
                    record["kid_hex"] = json!(hex::encode(kid));
                }
                jwk.insert("paperknife".to_owned(), record);
                into.push(Value::Object(jwk));
            }
            for (name, below) in members {
                let signs = signs || matches!(name.as_str(), "signers" | "countersign" | "countersign0" | "sign0");
                keys(case, below, signs, into);
            }
        }
        _ => {}
    }
}

fn external(message: &Value) -> Option<Vec<u8>> {
    let of = |part: &Value| part["external"].as_str().map(|text| hex::decode(text).unwrap());
    of(message).or_else(|| message["signers"].as_array()?.iter().find_map(of))
}

fn cose_type(name: &str) -> CoseType {
    match name {
        "Encrypt" => CoseType::Encrypt,
        "Encrypt0" => CoseType::Encrypt0,
        "Mac" => CoseType::Mac,
        "Mac0" => CoseType::Mac0,
        "Sign" => CoseType::Sign,
        _ => CoseType::Sign1,
    }
}

impl Case {
    /// With these departures in the record of each key.
    fn house(&self, folder: &Path, compat: &Compat, recorded: &[&str]) -> House {
        let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
        let options = ImportOptions { also: off_by_default(compat, None), ..ImportOptions::default() };
        let mut found = Vec::new();
        let sign0 = self.input.get("sign0").is_some();
        keys(self, &self.message, sign0, &mut found);
        found.dedup();
        if ["03", "04", "05"].iter().any(|nth| self.name == format!("x509-examples/signed-{nth}.json")) {
            let pinned = std::fs::read(folder.join("x509-examples/alice.der")).unwrap();
            keystore.import(&pinned, &options).unwrap();
            found.clear();
        }
        for mut key in found {
            key["paperknife"]["compat"] = json!(recorded);
            if let Err(error) = keystore.import(json!({"keys": [key]}).to_string().as_bytes(), &options) {
                eprintln!("{}: {error}", self.name);
            }
        }
        House::new(keystore.into(), Limits::default())
    }

    fn open(&self, folder: &Path, compat: &Compat) -> Finding {
        self.open_with(&self.house(folder, compat, &[]), compat, true)
    }

    fn open_with(&self, house: &House, compat: &Compat, unauthenticated_sender: bool) -> Finding {
        let claims = Claims::default();
        let external_aad = external(&self.message);
        let named = self.expected["tag"].is_null().then(|| cose_type(self.expected["type"].as_str().unwrap()));
        let arrival = Arrival {
            unauthenticated_sender,
            external_aad: external_aad.as_deref(),
            ..Arrival::offline(&claims, compat, Timestamp::from_seconds(NOW_S))
        };
        let sealed = Sealed { bytes: self.sealed.as_slice().into(), cose_type: named };
        find(house, &arrival, &sealed).unwrap()
    }

    fn content(&self) -> Vec<u8> {
        match self.input["plaintext"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => hex::decode(self.input["plaintext_hex"].as_str().unwrap()).unwrap(),
        }
    }

    /// What is wrong with a finding, if anything.
    fn judge(&self, finding: &Finding, expected: &str) -> Option<String> {
        let verdict = match finding {
            Finding::Opened(..) => "opens",
            Finding::Held(_) => "held",
            Finding::Refused(_) => "refused",
        };
        if verdict != expected {
            return Some(format!("{}: {verdict} ({:?}), due: {expected}", self.name, reason(finding)));
        }
        match finding {
            Finding::Opened(settled, _) if settled.facts().content != self.content() => {
                Some(format!("{}: other content", self.name))
            }
            Finding::Refused(refusal) if self.expected["reason"] != refusal.reason.as_str() => {
                Some(format!("{}: {}, due: {}", self.name, refusal.reason.as_str(), self.expected["reason"]))
            }
            _ => None,
        }
    }
}

fn faults(expected: &str, compat: &Compat) -> Option<Vec<String>> {
    let folder = folder()?;
    let cases = cases(&folder);
    assert_eq!(cases.len(), 306);
    let judge = |case: &Case| case.judge(&case.open(&folder, compat), case.expected[expected].as_str().unwrap());
    Some(cases.iter().filter_map(judge).collect())
}

#[test]
fn under_all_compat_names_every_positive_opens_and_every_negative_is_refused() {
    let mut all = Compat::default();
    all.allow("all").unwrap();
    let Some(faults) = faults("expect", &all) else { return };
    assert!(faults.is_empty(), "{} of 306:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn by_default_exactly_the_listed_files_are_refused_each_with_its_reason() {
    let Some(faults) = faults("default", Compat::STRICT) else { return };
    assert!(faults.is_empty(), "{} of 306:\n{}", faults.len(), faults.join("\n"));
}

/// As a server opens them, which knows no departure but those of its keys' records: with its list each file opens, and
/// without any one name of it none does.
#[test]
fn what_a_file_needs_the_record_of_its_key_may_allow() {
    let Some(folder) = folder() else { return };
    let mut opened = 0;
    for case in cases(&folder).iter().filter(|case| case.expected["compat"].is_array()) {
        let names: Vec<&str> = case.expected["compat"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let open =
            |recorded: &[&str]| case.open_with(&case.house(&folder, Compat::STRICT, recorded), Compat::STRICT, false);
        let due = [names.as_slice(), &["unauthenticated-sender"]].concat();
        assert_eq!(case.judge(&open(&due), "opens"), None);
        for name in &names {
            let others: Vec<&str> = due.iter().copied().filter(|other| other != name).collect();
            assert_eq!(case.judge(&open(&others), "refused"), None, "without {name}");
        }
        opened += 1;
    }
    assert_eq!(opened, 35);
}

#[test]
fn all_thirty_countersignatures_of_the_older_form_verify() {
    let Some(folder) = folder() else { return };
    let mut all = Compat::default();
    all.allow("all").unwrap();
    let mut verified = 0;
    for case in cases(&folder) {
        let Some(expected) = case.expected["countersignatures_v1"].as_array() else { continue };
        let due: u64 = expected.iter().map(|on| on["count"].as_u64().unwrap()).sum();
        let Finding::Opened(settled, _) = case.open(&folder, &all) else { panic!("{} does not open", case.name) };
        let found = settled.facts().proven.countersignatures.len();
        assert_eq!(found as u64, due, "{}: {:?}", case.name, settled.facts().layers);
        verified += found;
        let Finding::Opened(settled, _) = case.open(&folder, Compat::STRICT) else { continue };
        let unchecked = settled.facts().layers.iter().flat_map(|layer| &layer.countersignatures);
        assert!(unchecked.clone().count() as u64 == due && unchecked.clone().all(|of| of.verified.is_none()));
    }
    assert_eq!(verified, 30);
}
