//! Every message of the profile's vectors that a device following the profile could have sent, byte for byte from its
//! intermediate values. The folder stands beside the repository; without it the test says so and passes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::string::String;
use std::vec::Vec;
use std::{format, fs};

use hex::encode;
use minicbor::Decoder;
use minicbor::data::Type as CborType;
use serde_json::Value;

use super::opener::{Protected, read};
use super::{bytes, number};
use crate::algorithm::{ContentAlgorithm, SignatureAlgorithm};
use crate::header::Type;
use crate::key::KidContext;
use crate::key_set::KeySet;
use crate::script::Script;
use crate::seal::{Options, Sealer, Shape};

/// What no honest device sends, or whose keys the folder does not hold.
const NOT_OURS: &[&str] = &[
    "g-device-mismatch",         // two devices' keys in one message
    "g-piv-mismatch",            // two numbers in one message
    "p-other-recipient",         // the other recipient's key is not there
    "p-stranger",                // signed by a key that is not there
    "p-unsigned",                // no signature
    "s-header-order",            // protected map out of order
    "s-kid-unprotected",         // kid outside the protected map
    "s-piv-empty",               // number of no bytes
    "s-piv-not-shortest",        // number with leading zeros
    "s-tampered-ciphertext",     // changed on the way
    "s-tampered-content-format", // changed on the way
    "s-tampered-piv",            // changed on the way
    "s-tampered-tag",            // changed on the way
    "s-unknown-kid",             // the key is not there
    "s-unprotected-added",       // changed on the way
];

#[test]
fn every_honest_message_is_reproduced() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/profile");
    if !folder.join("manifest.json").exists() {
        say(&format!("skipped: 41 messages of the profile's vectors, because {} is not there", folder.display()));
        return;
    }
    let manifest: Value = json(&folder.join("manifest.json"));
    let keys = key_set(&folder);
    let mut skipped = BTreeSet::new();
    let mut reproduced = 0;
    for case in manifest["cases"].as_array().unwrap() {
        let name = text(case, "name");
        if NOT_OURS.contains(&name) {
            skipped.insert(name);
            continue;
        }
        assert_eq!(encode(reseal(case, &keys)), text(case, "hex"), "{name}");
        reproduced += 1;
    }
    assert_eq!(skipped.len(), NOT_OURS.len());
    say(&format!(
        "reproduced {reproduced} messages of the profile's vectors; {} are no honest device's",
        skipped.len()
    ));
    assert_eq!(reproduced, 41);
}

/// To standard error itself: the test harness swallows what a passing test prints otherwise.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

fn reseal(case: &Value, keys: &KeySet) -> Vec<u8> {
    let layers = case["intermediates"].as_array().unwrap();
    let (outer, innermost) = (&layers[0], layers.last().unwrap());
    let shape = Shape::from_name(text(case, "shape")).unwrap();
    let protected = read(&bytes(text(innermost, "protected"))).unwrap();
    let content = if shape == Shape::S { text(outer, "plaintext") } else { text(innermost, "payload") };
    let value = protected.partial_iv.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let mut rng = Script::of(&["ephemeral_d", "cek", "iv"].map(|name| bytes(outer[name].as_str().unwrap_or(""))));
    let options = options(case, outer, &protected);
    let sealer = sealer(keys, innermost, &protected);
    let sealed = sealer.seal(shape, number(value), &bytes(content), &options, &mut rng).unwrap();
    assert_eq!(rng.left(), 0);
    sealed
}

/// The sealer of the binding's device, bound as the message was.
fn sealer(keys: &KeySet, innermost: &Value, protected: &Protected) -> Sealer {
    let binding = bytes(text(innermost, "external_aad"));
    let mut from = Decoder::new(&binding);
    from.array().unwrap();
    from.skip().unwrap();
    let audience = from.str().unwrap();
    let mut sealer = keys.sealer(Some(from.str().unwrap())).unwrap_or_else(|fault| panic!("{fault}"));
    sealer.audience = audience.into();
    sealer.path = from.str().ok().map(Into::into);
    sealer.kid_context = protected.kid_context.as_deref().map(|bytes| KidContext::new(bytes).unwrap());
    sealer
}

fn options(case: &Value, outer: &Value, innermost: &Protected) -> Options {
    let outermost = read(&bytes(text(outer, "protected"))).unwrap();
    Options {
        content_format: innermost.content_type.map(|format| format.try_into().unwrap()),
        issued_at: innermost.issued_at,
        cti: innermost.cti.clone(),
        typ: outermost.typ.map(|number| Type::Number(number.try_into().unwrap())),
        content_algorithm: known(ContentAlgorithm::ALL, |algorithm| algorithm.id(), outermost.algorithm),
        signature_algorithm: known(SignatureAlgorithm::ALL, |algorithm| algorithm.id(), innermost.algorithm),
        full_y: text(case, "shape") == "P" && has_full_y(&bytes(text(case, "hex"))),
        names: false,
    }
}

fn known<A: Copy>(all: &[A], id: impl Fn(A) -> i32, number: i64) -> Option<A> {
    all.iter().copied().find(|&algorithm| i64::from(id(algorithm)) == number)
}

/// Whether label -3 of the ephemeral key is bytes.
fn has_full_y(sealed: &[u8]) -> bool {
    let mut from = Decoder::new(sealed);
    from.tag().unwrap();
    from.array().unwrap();
    (0..3).for_each(|_| from.skip().unwrap());
    from.array().unwrap();
    from.array().unwrap();
    from.skip().unwrap();
    from.map().unwrap();
    (0..3).for_each(|_| from.skip().unwrap());
    from.map().unwrap();
    (0..7).for_each(|_| from.skip().unwrap());
    from.datatype().unwrap() == CborType::Bytes
}

/// The folder's keys, with the devices' private signing keys put in.
fn key_set(folder: &Path) -> KeySet {
    let mut set: Value = json(&folder.join("keys.jwks.json"));
    let private: Value = json(&folder.join("device-private.json"));
    for key in set["keys"].as_array_mut().unwrap() {
        let kid = key["paperknife"]["kid_hex"].as_str().unwrap();
        if let Some(secret) = private["device_signing_private_keys"][kid].as_str() {
            key["d"] = base64url(&bytes(secret)).into();
        }
    }
    KeySet::from_json(&serde_json::to_vec(&set).unwrap()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn base64url(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}", format!("{path:?}: {error}")))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}
