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

/// KDF inputs that are bytes, by their place in a record; a base IV goes into the nonce as they go into the key.
const KDF_INPUTS: [&str; 10] = [
    "party_u/identity",
    "party_u/nonce",
    "party_u/other",
    "party_v/identity",
    "party_v/nonce",
    "party_v/other",
    "salt",
    "pub_other",
    "priv_other",
    "base_iv",
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

/// One input in place of another, and all that is then opened with.
struct Change<'a> {
    input: &'static str,
    value: String,
    keys: Vec<Value>,
    claims: Claims,
    external_aad: Option<&'a [u8]>,
    guess: Guess<'a>,
}

/// Why `sealed` does not open.
pub(super) fn run(scene: &Scene<'_>, sealed: &Sealed) -> Result<Explanation, Failed> {
    let house = scene.house(&scene.keys)?;
    let changes = scene.changes();
    let variations = changes.iter().filter_map(|change| {
        let Change { input, value, keys, claims, external_aad, guess } = change;
        let arrival = Arrival { claims, external_aad: *external_aad, guess: *guess, ..scene.arrival };
        // A change that makes a record unsound is no remedy.
        let house = scene.house(keys).ok()?;
        Some(Variation { input, value: value.clone(), house, arrival })
    });
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
        match file.get_mut("keys").and_then(Value::as_array_mut) {
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

    /// Nothing changed yet.
    fn change(&self, input: &'static str, value: &str) -> Change<'a> {
        Change {
            input,
            value: value.to_owned(),
            keys: self.keys.clone(),
            claims: self.arrival.claims.clone(),
            external_aad: self.arrival.external_aad,
            guess: self.arrival.guess,
        }
    }

    fn changes(&'a self) -> Vec<Change<'a>> {
        let recorded = self.bindings().into_iter().chain(self.algorithms()).chain(self.kdf_inputs());
        let recorded = recorded.filter(|change| change.keys != self.keys);
        self.claims().into_iter().chain(recorded).chain(self.guesses()).collect()
    }

    /// Claims with another path that a record allows, or another endpoint; no external_aad where one is given.
    fn claims(&'a self) -> Vec<Change<'a>> {
        let base = self.arrival.claims;
        let path = |path: &String| Change {
            claims: Claims { path: Some(path.clone()), ..base.clone() },
            ..self.change("path", path)
        };
        let endpoint = |name: &String| Change {
            claims: Claims { endpoint: Some(name.clone()), ..base.clone() },
            ..self.change("endpoint", name)
        };
        let mut changes: Vec<_> = self.recorded_values("paths").iter().map(path).collect();
        let names = &self.recorded_values("endpoint") | &self.recorded_values("device");
        changes.extend(names.iter().map(endpoint));
        if self.arrival.external_aad.is_some() {
            changes.push(Change { external_aad: None, ..self.change("external_aad", "none") });
        }
        changes
    }

    /// One member of the keys' records in place of another.
    fn recorded(&self, input: &'static str, value: &str, place: &'static str, to: &Value) -> Change<'a> {
        Change { keys: with_records(&self.keys, |key| set(key, place, to)), ..self.change(input, value) }
    }

    /// What a profile's binding is made of, and where keys come from.
    fn bindings(&self) -> Vec<Change<'a>> {
        let mut changes = Vec::new();
        for audience in self.recorded_values("audience").iter().chain(&self.audience) {
            changes.push(self.recorded("audience", audience, "audience", &json!([audience])));
        }
        let claimed = self.arrival.claims.endpoint.iter().cloned();
        for name in self.recorded_values("device").into_iter().chain(claimed) {
            changes.push(self.recorded("endpoint of the record", &name, "endpoint", &json!(name)));
        }
        changes.push(self.recorded("paths of the record", "any", "paths", &Value::Null));
        changes
    }

    /// Each algorithm, for the keys that it fits.
    fn algorithms(&self) -> Vec<Change<'a>> {
        let of = |algorithm: &Algorithm| {
            let name = algorithm.name();
            let keys = with_records(&self.keys, |key| {
                let mut changed = key.clone();
                set(&mut changed, "algs", &json!([name]));
                if self.house(std::slice::from_ref(&changed)).is_ok() {
                    *key = changed;
                }
            });
            Change { keys, ..self.change("algs of the record", name) }
        };
        Algorithm::ALL.iter().map(of).collect()
    }

    /// What goes into a derivation: none, or what another record has at that place; and the parties the other way round.
    fn kdf_inputs(&self) -> Vec<Change<'a>> {
        let mut changes = Vec::new();
        for place in KDF_INPUTS {
            let recorded = self.recorded_values(place);
            let values = recorded.iter().map(|value| (value.as_str(), json!(value)));
            for (value, to) in std::iter::once(("none", Value::Null)).chain(values) {
                changes.push(self.recorded(place, value, place, &to));
                // Keys of other layers derive without any of it.
                let some = with_records(&self.keys, |key| {
                    if derives(key) {
                        set(key, place, &to)
                    }
                });
                changes.push(Change { keys: some, ..self.change(place, value) });
            }
        }
        let swapped = with_records(&self.keys, |key| {
            let Some(record) = key["paperknife"].as_object_mut() else { return };
            let (u, v) = (record.remove("party_u"), record.remove("party_v"));
            record.extend(v.map(|v| ("party_u".to_owned(), v)));
            record.extend(u.map(|u| ("party_v".to_owned(), u)));
        });
        changes.push(Change { keys: swapped, ..self.change("party_u and party_v", "each in the other's place") });
        let derived = |key: &mut Value| set(key, "kdf", &json!("paperknife-1"));
        let as_it_is = |key: &mut Value| key["paperknife"]["kdf"] = Value::Null;
        changes.push(Change { keys: with_records(&self.keys, derived), ..self.change("kdf", "paperknife-1") });
        changes.push(Change { keys: with_records(&self.keys, as_it_is), ..self.change("kdf", "none") });
        changes
    }

    /// Another content algorithm or kid context than the envelope says.
    fn guesses(&'a self) -> Vec<Change<'a>> {
        let allowed = self.recorded_values("algs");
        let content = Algorithm::ALL.iter().filter(|of| of.cose().is_some() && (of.is_aead() || of.is_mac()));
        let content = content.filter(|algorithm| allowed.is_empty() || allowed.contains(algorithm.name()));
        let algorithm = |algorithm: &Algorithm| {
            let guess = Guess { algorithm: algorithm.cose(), ..Guess::default() };
            Change { guess, ..self.change("algorithm", algorithm.name()) }
        };
        let context = |context: Option<&'a [u8]>| {
            let value = context.map_or_else(|| "none".to_owned(), hex::encode);
            let guess = Guess { kid_context: Some(context), ..Guess::default() };
            Change { guess, ..self.change("kid context", &value) }
        };
        let given = self.contexts.iter().map(|context| Some(context.as_slice()));
        content.map(algorithm).chain(std::iter::once(None).chain(given).map(context)).collect()
    }
}

/// Whether a key's record states an input of a derivation.
fn derives(key: &Value) -> bool {
    KDF_INPUTS.iter().any(|place| key["paperknife"].pointer(&format!("/{place}")).is_some())
}

/// Sets a member of a key's record, `party/member` for one of a party's; null removes it.
fn set(key: &mut Value, place: &str, to: &Value) {
    if place == "algs" {
        key.as_object_mut().map(|key| key.remove("alg"));
    }
    let (parents, member) = match place.split_once('/') {
        Some((party, member)) => (vec!["paperknife", party], member),
        None => (vec!["paperknife"], place),
    };
    let mut at = key;
    for parent in parents {
        let Some(members) = at.as_object_mut() else { return };
        if to.is_null() && !members.contains_key(parent) {
            return;
        }
        at = members.entry(parent).or_insert_with(|| json!({}));
    }
    let Some(members) = at.as_object_mut() else { return };
    match to {
        Value::Null => drop(members.remove(member)),
        value => drop(members.insert(member.to_owned(), value.clone())),
    }
}

#[cfg(test)]
mod tests;
