//! A fleet and what it sent, sealed before the first request and kept on disk: sealing costs more than opening, and is not
//! what is measured. Beside the envelopes stands a data folder whose gateway knows the fleet's keys and its relay; each run
//! works on a copy of it, so that each begins with an empty store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use axum::body::Bytes;
use keystore::{Defaults, ImportOptions, Keystore, Scope};
use paperknife::clock::SystemClock;
use paperknife::relay::accounts::{self, Request};
use paperknife::store::Store;
use paperknife_device::algorithm::SignatureAlgorithm;
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::key::Gateway;
use paperknife_device::key_set::{Jwk, KeySet};
use paperknife_device::provision::{Blueprint, Kids, SysRng, provision};
use paperknife_device::seal::{Options, Shape as Sealed};
use paperknife_device::senml::{Reading, Value, pack};
use paperknife_device::sequence::Memory;
use serde::{Deserialize, Serialize};

use crate::{Failed, report};

/// The relay's account, and the tenant of everything.
pub(crate) const RELAY: &str = "bench";
pub(crate) const TENANT: &str = "default";
const AUDIENCE: &str = "bench";
const PATH: &str = "/19/0/0";
/// Devices whose keys go into one file of keys, which may not exceed 1 MiB.
const IMPORTED: usize = 800;

/// A structure of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape(Sealed);

impl Shape {
    pub(crate) const G: Self = Self(Sealed::G);
    pub(crate) const P: Self = Self(Sealed::P);
    pub(crate) const S: Self = Self(Sealed::S);

    /// Reads its letter.
    pub(crate) fn parse(letter: &str) -> Result<Self, String> {
        Sealed::from_name(letter).map(Self).ok_or_else(|| "S, G or P".to_owned())
    }

    /// Its letter.
    pub(crate) const fn name(self) -> &'static str {
        self.0.name()
    }
}

/// How large a fleet is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) shape: Shape,
    pub(crate) devices: usize,
    pub(crate) messages: usize,
}

/// A sealed fleet.
pub(crate) struct Fleet {
    /// In the order of sending: device after device, again and again.
    pub(crate) envelopes: Vec<Bytes>,
    /// Of the relay's account.
    pub(crate) relay_token: String,
    /// May read everything.
    pub(crate) api_token: String,
    template: PathBuf,
}

#[derive(Deserialize, Serialize)]
struct Tokens {
    relay: String,
    api: String,
}

impl Fleet {
    /// Reads the fleet from `folder`, or seals it there first.
    pub(crate) fn ready(folder: &Path, order: Order) -> Result<Self, Failed> {
        let Order { shape, devices, messages } = order;
        let place = folder.join(format!("fleet-{}-{devices}-{messages}", shape.name()));
        if !place.join("envelopes").exists() {
            report::say(format_args!(
                "  sealing {messages} envelopes of shape {} of {devices} devices ...",
                shape.name()
            ));
            make(&place, order)?;
        }
        let tokens = fs::read(place.join("tokens.json")).map_err(Failed::of)?;
        let Tokens { relay, api } = serde_json::from_slice(&tokens).map_err(Failed::of)?;
        let envelopes = split(Bytes::from(fs::read(place.join("envelopes")).map_err(Failed::of)?));
        Ok(Self { envelopes, relay_token: relay, api_token: api, template: place.join("data") })
    }

    /// A fresh data folder at `data`, which knows the fleet and has taken nothing yet.
    pub(crate) fn lay_out(&self, data: &Path) -> Result<(), Failed> {
        fresh(data)?;
        for file in fs::read_dir(&self.template).map_err(Failed::of)? {
            let file = file.map_err(Failed::of)?;
            fs::copy(file.path(), data.join(file.file_name())).map_err(Failed::of)?;
        }
        Ok(())
    }

    /// A keystore on a fresh copy of the fleet's keys.
    pub(crate) fn keystore(&self, data: &Path) -> Result<Keystore, Failed> {
        self.lay_out(data)?;
        Keystore::open(data, Defaults::default()).map_err(Failed::of)
    }
}

/// An empty folder.
pub(crate) fn fresh(folder: &Path) -> Result<(), Failed> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(Failed::of)
}

fn make(place: &Path, order: Order) -> Result<(), Failed> {
    let data = place.join("data");
    fresh(&data)?;
    let keystore = Keystore::open(&data, Defaults::default()).map_err(Failed::of)?;
    let (devices, keys) = devices(order, &gateway(&keystore)?)?;
    import(&keystore, keys)?;
    let api = keystore.token_add("bench", &[Scope::Read, Scope::Admin], TENANT).map_err(Failed::of)?;
    drop(keystore);
    let request =
        Request { name: RELAY.into(), tenant: TENANT.into(), profile: "raw".into(), options: BTreeMap::new() };
    let (account, token) = accounts::make(&SystemClock, request).map_err(Failed::of)?;
    Store::administer(&data).and_then(|accounts| accounts.add(&account)).map_err(Failed::of)?;
    let tokens = serde_json::to_vec(&Tokens { relay: token.reveal().to_owned(), api }).map_err(Failed::of)?;
    fs::write(place.join("tokens.json"), tokens).map_err(Failed::of)?;
    // Last: a fleet without envelopes is made anew.
    fs::write(place.join("envelopes"), seal(devices, order)?).map_err(Failed::of)
}

fn gateway(keystore: &Keystore) -> Result<Gateway, Failed> {
    let public = keystore.public_keys(TENANT).map_err(Failed::of)?;
    let set = KeySet::from_json(&serde_json::to_vec(&public).map_err(Failed::of)?).map_err(Failed::of)?;
    set.gateway().map_err(Failed::of)?.ok_or_else(|| Failed("the gateway has no key".to_owned()))
}

fn devices(order: Order, gateway: &Gateway) -> Result<(Vec<Device<Memory>>, Vec<Jwk>), Failed> {
    let (mut kids, mut devices, mut keys) = (Kids::default(), Vec::new(), Vec::new());
    for nth in 0..order.devices {
        let blueprint = Blueprint {
            device: &format!("urn:dev:bench:{nth:06}"),
            format: Format::Cose,
            audience: AUDIENCE,
            paths: &[Some(PATH)],
            shapes: &[order.shape.0],
            signature: SignatureAlgorithm::Esp256,
            gateway: Some(gateway),
        };
        let made = provision(&blueprint, &mut kids, &mut SysRng).map_err(Failed::of)?;
        keys.extend(made.gateway_keys);
        devices.push(Device::new(made.sealer, Memory::default(), 256).map_err(Failed::of)?);
    }
    Ok((devices, keys))
}

fn import(keystore: &Keystore, mut keys: Vec<Jwk>) -> Result<(), Failed> {
    while !keys.is_empty() {
        let set = KeySet { keys: keys.split_off(keys.len().saturating_sub(IMPORTED)) };
        keystore.import(&set.to_json(), &ImportOptions::default()).map_err(Failed::of)?;
    }
    Ok(())
}

/// Seals on all cores: each has its own devices, which take turns. Lengths of two bytes stand before the envelopes.
fn seal(devices: Vec<Device<Memory>>, order: Order) -> Result<Vec<u8>, Failed> {
    let (count, rounds) = (devices.len(), order.messages.div_ceil(devices.len()));
    let mut parts = split_evenly(devices, thread::available_parallelism().map_or(1, usize::from));
    let sealed: Vec<Result<Vec<Vec<u8>>, Failed>> = thread::scope(|scope| {
        let workers: Vec<_> =
            parts.iter_mut().map(|part| scope.spawn(|| rounds_of(part, rounds, order.shape))).collect();
        let lost = |_| Err(Failed("a sealing thread panicked".to_owned()));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(lost)).collect()
    });
    let sealed: Vec<Vec<u8>> = sealed.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let mut file = Vec::new();
    for nth in 0..order.messages {
        let envelope = &sealed[nth % count * rounds + nth / count];
        file.extend_from_slice(&(envelope.len() as u16).to_be_bytes());
        file.extend_from_slice(envelope);
    }
    Ok(file)
}

fn split_evenly(mut devices: Vec<Device<Memory>>, parts: usize) -> Vec<Vec<Device<Memory>>> {
    let each = devices.len().div_ceil(parts);
    let mut split = Vec::new();
    while !devices.is_empty() {
        let rest = devices.split_off(each.min(devices.len()));
        split.push(std::mem::replace(&mut devices, rest));
    }
    split
}

/// All messages of each device, one device after the other.
fn rounds_of(devices: &mut [Device<Memory>], rounds: usize, shape: Shape) -> Result<Vec<Vec<u8>>, Failed> {
    let mut sealed = Vec::with_capacity(devices.len() * rounds);
    for device in devices {
        for round in 0..rounds {
            let value = Value::Number(21.5 + (round % 16) as f64 / 4.0);
            let content = pack(&[Reading { name: "/3303/0/5700", value, unit: None, time: None }]);
            sealed.push(device.seal(shape.0, &content, &Options::default(), &mut SysRng).map_err(Failed::of)?);
        }
    }
    Ok(sealed)
}

fn split(mut file: Bytes) -> Vec<Bytes> {
    let mut envelopes = Vec::new();
    while file.len() > 2 {
        let length = file.split_to(2);
        envelopes.push(file.split_to(usize::from(u16::from_be_bytes([length[0], length[1]]))));
    }
    envelopes
}
