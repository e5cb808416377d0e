//! The JOSE cookbook (RFC 7520, RFC 7797, RFC 8037): the gate of jose.md §7. By default exactly those entries open that
//! this table says; the others are refused for its reasons, open under exactly its names and not with one fewer.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Desk, reason};
use crate::item::{Departure, Reason};
use crate::opening::Finding;

/// A file or a part of it, its forms, the names that its entries need, and why they are refused without.
struct Row(&'static str, &'static [&'static str], &'static [&'static str], Option<Reason>);

const ALL: &[&str] = &["compact", "json", "json_flat"];
const JSON: &[&str] = &["json", "json_flat"];
const UNPROTECTED: Option<Reason> = Some(Reason::AlgNotProtected);
const OFF: Option<Reason> = Some(Reason::AlgNotAllowed);

const ROWS: &[Row] = &[
    Row("curve25519/ecdh-es.json", ALL, &[], None),
    Row("curve25519/jws.json", ALL, &[], None),
    Row("jwe/5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2.json", ALL, &["rsa1_5"], OFF),
    Row("jwe/5_10.including_additional_authentication_data.json", JSON, &[], None),
    Row("jwe/5_11.protecting_specific_header_fields.json", JSON, &["unprotected-alg"], UNPROTECTED),
    Row("jwe/5_12.protecting_content_only.json", JSON, &["unprotected-alg"], UNPROTECTED),
    Row("jwe/5_13.encrypting_to_multiple_recipients.json", &["json"], &["unprotected-alg"], UNPROTECTED),
    Row("jwe/5_2.key_encryption_using_rsa-oaep_with_aes-gcm.json", ALL, &["rsa-oaep"], OFF),
    Row("jwe/5_3.key_wrap_using_pbes2-aes-keywrap_with-aes-cbc-hmac-sha2.json", ALL, &["pbes2"], OFF),
    Row("jwe/5_4.key_agreement_with_key_wrapping_using_ecdh-es_and_aes-keywrap_with_aes-gcm.json", ALL, &[], None),
    Row("jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2.json", ALL, &[], None),
    Row("jwe/5_6.direct_encryption_using_aes-gcm.json", ALL, &[], None),
    Row("jwe/5_7.key_wrap_using_aes-gcm_keywrap_with_aes-cbc-hmac-sha2.json", ALL, &[], None),
    Row("jwe/5_8.key_wrap_using_aes-keywrap_with_aes-gcm.json", ALL, &[], None),
    Row("jwe/5_9.compressed_content.json", ALL, &["zip"], OFF),
    Row("jws/4_1.rsa_v15_signature.json", ALL, &[], None),
    Row("jws/4_2.rsa-pss_signature.json", ALL, &[], None),
    Row("jws/4_3.ecdsa_signature.json", ALL, &[], None),
    Row("jws/4_4.hmac-sha2_integrity_protection.json", ALL, &[], None),
    Row("jws/4_5.signature_with_detached_content.json", ALL, &[], None),
    Row("jws/4_6.protecting_specific_header_fields.json", JSON, &[], None),
    Row("jws/4_7.protecting_content_only.json", JSON, &["unprotected-alg"], UNPROTECTED),
    Row("jws/4_8.multiple_signatures.json", &["json"], &[], None),
    Row("rfc7797/4.2.hmac-sha2_b64_false.json", JSON, &["b64-no-crit"], Some(Reason::Malformed)),
    Row("rfc7797/hmac-sha2_b64_false.json", ALL, &[], None),
    Row("6.nesting_signatures_and_encryption.json#sign", &["compact"], &[], None),
    Row("6.nesting_signatures_and_encryption.json#encrypt", ALL, &["rsa-oaep"], OFF),
];

/// What is encrypted to our public key, and nobody known stands behind.
const TO_US: [&str; 6] = ["curve25519/ecdh-es", "jwe/5_1.", "jwe/5_2.", "jwe/5_4.", "jwe/5_5.", "jwe/5_13."];

/// One message of the cookbook.
struct Entry {
    name: String,
    names: &'static [&'static str],
    refused: Option<Reason>,
    keys: Vec<Value>,
    content: Vec<u8>,
    detached: bool,
    sealed: Vec<u8>,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/jose-cookbook");
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: 69 messages of the JOSE cookbook ({} is not there)", folder.display());
    None
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// The keys of a part, its password as a key.
fn keys(part: &Value) -> Vec<Value> {
    let input = &part["input"];
    match (&input["key"], input["pwd"].as_str()) {
        (Value::Array(keys), _) => keys.clone(),
        (Value::Null, Some(password)) => vec![json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(password)})],
        (Value::Null, None) => Vec::new(),
        (key, _) => vec![key.clone()],
    }
}

fn entries(folder: &Path, row: &Row) -> Vec<Entry> {
    let (file, part) = row.0.split_once('#').unwrap_or((row.0, ""));
    let whole = read(&folder.join(file));
    let this = if part.is_empty() { &whole } else { &whole[part] };
    let mut all = keys(this);
    if part == "encrypt" {
        all.extend(keys(&whole["sign"]));
    }
    let innermost = if part == "encrypt" { &whole["sign"] } else { this };
    let content = ["payload", "plaintext"].iter().find_map(|name| innermost["input"][name].as_str()).unwrap();
    let entry = |form: &&str| Entry {
        name: format!("{} {form}", row.0),
        names: row.1.iter().find(|known| known == &form).map(|_| row.2).unwrap(),
        refused: row.3,
        keys: all.clone(),
        content: content.as_bytes().to_vec(),
        detached: file.contains("4_5."),
        sealed: match &this["output"][*form] {
            Value::String(compact) => compact.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        },
    };
    row.1.iter().map(entry).collect()
}

fn all(folder: &Path) -> Vec<Entry> {
    ROWS.iter().flat_map(|row| entries(folder, row)).collect()
}

impl Entry {
    fn is_to_us(&self) -> bool {
        TO_US.iter().any(|prefix| self.name.starts_with(prefix))
    }

    fn open(&self, names: &[&str]) -> Finding {
        self.open_with(&self.keys, names)
    }

    fn open_with(&self, keys: &[Value], names: &[&str]) -> Finding {
        let detached = self.detached.then_some(self.content.as_slice());
        // exp of the nested token is in 2011
        Desk { detached, judges_expiry: false, ..Desk::of(keys) }.under(names).open(&self.sealed)
    }

    fn assert_opens(&self, names: &[&str]) {
        match self.open(names) {
            Finding::Opened(settled, _) => assert_eq!(settled.facts().content, self.content, "{}", self.name),
            Finding::Refused(refusal) => panic!("{} under {names:?}: {refusal:?}", self.name),
            Finding::Held(held) => panic!("{} under {names:?}: {held:?}", self.name),
        }
    }
}

#[test]
fn the_table_is_the_one_that_comes_with_the_vectors() {
    let Some(folder) = folder() else { return };
    let expected = read(&folder.join("expected.json"));
    let expected = expected.as_array().unwrap();
    assert_eq!((expected.len(), all(&folder).len()), (69, 69));
    for entry in expected {
        let (file, form) = (entry["file"].as_str().unwrap(), entry["form"].as_str().unwrap());
        let part = entry["part"].as_str().map_or(String::new(), |part| format!("#{part}"));
        let row = ROWS.iter().find(|row| row.0 == format!("{file}{part}") && row.1.contains(&form)).unwrap();
        assert_eq!(json!(row.2), entry["compat"], "{file} {form}");
        assert_eq!(json!(row.3), entry["reason"], "{file} {form}");
        assert_eq!(row.3.is_none(), entry["default"] == "opens", "{file} {form}");
    }
}

#[test]
fn by_default_45_entries_open_and_24_are_refused_for_their_reasons() {
    let Some(folder) = folder() else { return };
    let (mut opened, mut refused) = (0, 0);
    for entry in all(&folder) {
        match entry.refused {
            None => {
                entry.assert_opens(&["unauthenticated-sender"]);
                opened += 1;
            }
            Some(expected) => {
                assert_eq!(reason(&entry.open(&["unauthenticated-sender"])), Some(expected), "{}", entry.name);
                refused += 1;
            }
        }
    }
    assert_eq!((opened, refused), (45, 24));
}

#[test]
fn with_no_name_at_all_what_anybody_can_encrypt_to_us_is_refused() {
    let Some(folder) = folder() else { return };
    let mut opened = 0;
    for entry in all(&folder).iter().filter(|entry| entry.refused.is_none()) {
        let expected = entry.is_to_us().then_some(Reason::UnauthenticatedSender);
        assert_eq!(reason(&entry.open(&[])), expected, "{}", entry.name);
        opened += usize::from(expected.is_none());
    }
    assert_eq!(opened, 36);
}

#[test]
fn each_entry_opens_under_exactly_its_names_and_not_with_one_fewer() {
    let Some(folder) = folder() else { return };
    for entry in all(&folder) {
        let mut names = entry.names.to_vec();
        names.push("unauthenticated-sender");
        entry.assert_opens(&names);
        for left_out in entry.names {
            let fewer: Vec<&str> = names.iter().filter(|name| name != &left_out).copied().collect();
            assert_eq!(reason(&entry.open(&fewer)), entry.refused, "{} without {left_out}", entry.name);
        }
        let others = Departure::ALL.iter().map(|departure| departure.as_str());
        let others: Vec<&str> = others.filter(|name| !entry.names.contains(name)).collect();
        assert_eq!(reason(&entry.open(&others)), entry.refused, "{} under all others", entry.name);
    }
}

#[test]
fn under_all_names_every_entry_opens() {
    let Some(folder) = folder() else { return };
    all(&folder).iter().for_each(|entry| entry.assert_opens(&["all"]));
}

#[test]
fn each_recipient_of_several_opens_under_its_own_names() {
    let Some(folder) = folder() else { return };
    let row = ROWS.iter().find(|row| row.0.contains("5_13.")).unwrap();
    let entry = entries(&folder, row).remove(0);
    let needed: [&[&str]; 3] = [&["rsa1_5", "unprotected-alg"], &["unprotected-alg"], &["unprotected-alg"]];
    for (key, needed) in entry.keys.iter().zip(needed) {
        let key = std::slice::from_ref(key);
        let mut names = needed.to_vec();
        names.push("unauthenticated-sender");
        assert_eq!(reason(&entry.open_with(key, &names)), None, "{needed:?}");
        for left_out in needed {
            let fewer: Vec<&str> = names.iter().filter(|name| name != &left_out).copied().collect();
            assert!(reason(&entry.open_with(key, &fewer)).is_some(), "{needed:?} without {left_out}");
        }
    }
}

#[test]
fn a_signature_whose_algorithm_is_unprotected_is_passed_over_and_the_others_verify() {
    let Some(folder) = folder() else { return };
    let row = ROWS.iter().find(|row| row.0.contains("4_8.")).unwrap();
    let entry = entries(&folder, row).remove(0);
    let verified = |key: usize, names: &[&str]| reason(&entry.open_with(&entry.keys[key..=key], names));
    assert_eq!((verified(0, &[]), verified(2, &[])), (None, None));
    assert_ne!(verified(1, &[]), None);
    assert_eq!(verified(1, &["unprotected-alg"]), None);
}

#[test]
fn the_keys_of_the_cookbook_load() {
    let Some(folder) = folder() else { return };
    let files = [
        "3_1.ec_public_key.json",
        "3_2.ec_private_key.json",
        "3_3.rsa_public_key.json",
        "3_4.rsa_private_key.json",
        "3_5.symmetric_key_mac_computation.json",
        "3_6.symmetric_key_encryption.json",
    ];
    for file in files {
        let key = read(&folder.join("jwk").join(file));
        assert!(Desk::of(&[key]).house().is_some(), "{file}");
    }
}
