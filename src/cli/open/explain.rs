//! `open --explain`: the inputs that might have been others, one at a time. Each variation has keys of its own, with one
//! member of their records changed to a value that some record, or the caller, allows.
//!
//! For somebody at a desk who holds the keys; a server never runs it.

use std::collections::BTreeSet;

use keystore::key::Algorithm;
use keystore::{Defaults, ImportOptions};
use serde_json::{Value, json};

use crate::envelope;
use crate::guard::{Arrival, Guess};
use crate::item::{Claims, Sealed};
use crate::opening::House;
use crate::opening::explain::{Explanation, Variation, explain};

use super::Failed;
use super::given::Given;

/// KDF inputs that are bytes, by their place in a record.
const KDF_INPUTS: [&str; 9] = [
    "party_u/identity",
    "party_u/nonce",
    "party_u/other",
    "party_v/identity",
    "party_v/nonce",
    "party_v/other",
    "salt",
    "pub_other",
    "priv_other",
];

/// Numbers and names of content algorithms (RFC 9053 §3, §4).
const ALGORITHMS: [(i64, &str); 20] = [
    (1, "A128GCM"),
    (2, "A192GCM"),
    (3, "A256GCM"),
    (4, "HMAC 256/64"),
    (5, "HMAC 256/256"),
    (6, "HMAC 384/384"),
    (7, "HMAC 512/512"),
    (10, "AES-CCM-16-64-128"),
    (11, "AES-CCM-16-64-256"),
    (12, "AES-CCM-64-64-128"),
    (13, "AES-CCM-64-64-256"),
    (14, "AES-MAC 128/64"),
    (15, "AES-MAC 256/64"),
    (24, "ChaCha20-Poly1305"),
    (25, "AES-MAC 128/128"),
    (26, "AES-MAC 256/128"),
    (30, "AES-CCM-16-128-128"),
    (31, "AES-CCM-16-128-256"),
    (32, "AES-CCM-64-128-128"),
    (33, "AES-CCM-64-128-256"),
];

/// What an envelope was opened with.
pub(super) struct Scene<'a> {
    /// Key files that are JSON: what their records say may be varied.
    pub(super) keys: Vec<Value>,
    /// All else that it was opened with.
    pub(super) given: Given,
    /// What keys that name no algorithm may run beside.
    pub(super) off: Vec<Algorithm>,
    /// The gateway's audience.
    pub(super) audience: Vec<String>,
    /// What is known beside the bytes.
    pub(super) arrival: Arrival<'a>,
    /// kid contexts that the device may have derived its keys with.
    pub(super) contexts: Vec<Vec<u8>>,
}

/// Why `sealed` does not open.
pub(super) fn run(scene: &Scene<'_>, sealed: &Sealed) -> Result<Explanation, Failed> {
    let house = scene.house(&scene.keys)?;
    let claims: Vec<(&str, String, Claims)> = scene.claims();
    let variations = scene.claimed(&claims).into_iter().chain(scene.recorded()).chain(scene.guessed());
    explain(&house, &scene.arrival, sealed, variations).map_err(|failure| Failed::said(failure.to_string()))
}

/// Every key of a file.
fn each_key(file: &Value) -> Vec<&Value> {
    match file["keys"].as_array() {
        Some(keys) => keys.iter().collect(),
        None => vec![file],
    }
}

/// Changes every key's record.
fn with_records(files: &[Value], change: impl Fn(&mut Value)) -> Vec<Value> {
    let mut files = files.to_vec();
    for file in &mut files {
        match file["keys"].as_array_mut() {
            Some(keys) => keys.iter_mut().for_each(&change),
            None => change(file),
        }
    }
    files
}

impl<'a> Scene<'a> {
    fn house(&self, keys: &[Value]) -> Result<House, Failed> {
        let keystore = self.given.keystore(Defaults { audience: self.audience.clone() }, &self.off)?;
        let options = ImportOptions { also: self.off.clone(), ..ImportOptions::default() };
        for file in keys {
            keystore.import(file.to_string().as_bytes(), &options)?;
        }
        Ok(House::new(keystore.into(), envelope::Limits::default()))
    }

    /// Every value that some record has at that place.
    fn recorded_values(&self, place: &str) -> BTreeSet<String> {
        let keys = self.keys.iter().flat_map(each_key);
        let values = keys.filter_map(|key| key["paperknife"].pointer(&format!("/{place}")));
        let texts = |value: &Value| match value {
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(text) => vec![text.clone()],
            _ => Vec::new(),
        };
        values.flat_map(texts).collect()
    }

    /// Claims with another path that a record allows, or another endpoint.
    fn claims(&self) -> Vec<(&'static str, String, Claims)> {
        let base = self.arrival.claims;
        let paths = self.recorded_values("paths").into_iter();
        let paths = paths.map(|path| ("path", path.clone(), Claims { path: Some(path), ..base.clone() }));
        let names = self.recorded_values("endpoint").into_iter().chain(self.recorded_values("device"));
        let endpoints = names.map(|name| ("endpoint", name.clone(), Claims { endpoint: Some(name), ..base.clone() }));
        paths.chain(endpoints).collect()
    }

    fn claimed<'v>(&'v self, claims: &'v [(&'static str, String, Claims)]) -> Vec<Variation<'v>>
    where
        'a: 'v,
    {
        let of = |(input, value, claims): &'v (&'static str, String, Claims)| {
            let house = self.house(&self.keys).ok()?;
            Some(Variation { input, value: value.clone(), house, arrival: Arrival { claims, ..self.arrival } })
        };
        claims.iter().filter_map(of).collect()
    }

    /// The keys with one member of their records changed.
    fn recorded(&self) -> Vec<Variation<'_>> {
        let mut changes: Vec<(&'static str, String, Vec<Value>)> = Vec::new();
        let mut change = |input, value: &str, member: &'static str, to: Value| {
            let changed = with_records(&self.keys, |key| set(key, member, &to));
            changes.push((input, value.to_owned(), changed));
        };
        for audience in self.recorded_values("audience").iter().chain(&self.audience) {
            change("audience", audience, "audience", json!([audience]));
        }
        let claimed = self.arrival.claims.endpoint.iter().cloned();
        for name in self.recorded_values("device").into_iter().chain(claimed) {
            change("endpoint of the record", &name, "endpoint", json!(name));
        }
        change("paths of the record", "any", "paths", Value::Null);
        for (_, name) in ALGORITHMS {
            change("algs of the record", name, "algs", json!([name]));
        }
        for place in KDF_INPUTS {
            change(place, "none", place, Value::Null);
            for value in self.recorded_values(place) {
                change(place, &value, place, json!(value));
            }
        }
        let variation = |(input, value, keys): (&'static str, String, Vec<Value>)| {
            // A change that makes a record unsound is no remedy.
            let house = self.house(&keys).ok()?;
            Some(Variation { input, value, house, arrival: self.arrival })
        };
        changes.into_iter().filter(|(_, _, keys)| *keys != self.keys).filter_map(variation).collect()
    }

    /// Another content algorithm or kid context than the envelope says.
    fn guessed(&self) -> Vec<Variation<'_>> {
        let allowed = self.recorded_values("algs");
        let named = ALGORITHMS.iter().filter(|(_, name)| allowed.is_empty() || allowed.contains(*name));
        let algorithms = named
            .map(|(id, name)| ("algorithm", (*name).to_owned(), Guess { algorithm: Some(*id), ..Guess::default() }));
        let none = std::iter::once(("kid context", "none".to_owned(), None));
        let given = self.contexts.iter().map(|context| ("kid context", hex::encode(context), Some(context.as_slice())));
        let contexts = none
            .chain(given)
            .map(|(input, value, context)| (input, value, Guess { kid_context: Some(context), ..Guess::default() }));
        let variation = |(input, value, guess)| {
            let house = self.house(&self.keys).ok()?;
            Some(Variation { input, value, house, arrival: Arrival { guess, ..self.arrival } })
        };
        algorithms.chain(contexts).filter_map(variation).collect()
    }
}

/// Sets a member of a key's record, `party/member` for one of a party's; null removes it.
fn set(key: &mut Value, place: &str, to: &Value) {
    let Some(key) = key.as_object_mut() else { return };
    if place == "algs" {
        key.remove("alg");
    }
    let record = key.entry("paperknife").or_insert_with(|| json!({}));
    let (parent, member) = match place.split_once('/') {
        Some((parent, member)) => match record.get_mut(parent) {
            Some(party) => (party, member),
            None => return,
        },
        None => (record, place),
    };
    let Some(parent) = parent.as_object_mut() else { return };
    match to {
        Value::Null => drop(parent.remove(member)),
        value => drop(parent.insert(member.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests;
