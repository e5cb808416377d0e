//! Devices for tests: provisioned at a gateway, sealing readings of their own.

use paperknife_device::algorithm::SignatureAlgorithm;
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::key_set::KeySet;
use paperknife_device::provision::{Blueprint, Kids, SysRng, provision};
use paperknife_device::seal::{Options, Shape};
use paperknife_device::senml::{self, Reading};
use paperknife_device::sequence::Memory;
use serde_json::{Value, json};

use crate::gateway::Gateway;

/// Where every device writes.
pub(crate) const PATH: &str = "/19/0/0";
/// The name by which they address the gateway.
pub(crate) const AUDIENCE: &str = "https://gw.example";

/// A device, its shape, and what the gateway must know of it.
pub(crate) struct Simulated {
    pub(crate) name: String,
    shape: Shape,
    device: Device<Memory>,
    /// JWK Set for the gateway.
    pub(crate) keys: Value,
}

/// Makes `count` devices, shapes S, G, P in turn; nothing is imported yet.
pub(crate) fn devices(gateway: &Gateway, count: usize) -> Vec<Simulated> {
    devices_of(gateway, count, &[Shape::S, Shape::G, Shape::P])
}

/// Makes `count` devices of these shapes in turn; nothing is imported yet.
fn devices_of(gateway: &Gateway, count: usize, shapes: &[Shape]) -> Vec<Simulated> {
    let public = gateway.get_answer("/v1/keys/public").body;
    let ours = KeySet::from_json(&public).expect("a key set").gateway().expect("usable").expect("a public key");
    let mut kids = Kids::default();
    let make = |nth: usize| {
        let (name, shape) = (format!("urn:dev:test:{nth}"), shapes[nth % shapes.len()]);
        let blueprint = Blueprint {
            device: &name,
            format: Format::Cose,
            audience: AUDIENCE,
            paths: &[Some(PATH)],
            shapes: &[shape],
            signature: [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519][nth % 2],
            gateway: Some(&ours),
        };
        let made = provision(&blueprint, &mut kids, &mut SysRng).expect("keys");
        let keys = json!(KeySet { keys: made.gateway_keys });
        let device = Device::new(made.sealer, Memory::default(), 16).expect("a device");
        Simulated { name, shape, device, keys }
    };
    (0..count).map(make).collect()
}

/// Makes devices and imports all their keys at once.
pub(crate) fn known_devices(gateway: &Gateway, count: usize) -> Vec<Simulated> {
    import(gateway, devices(gateway, count))
}

/// The same of shape S alone, which seals fastest.
pub(crate) fn known_quick_devices(gateway: &Gateway, count: usize) -> Vec<Simulated> {
    import(gateway, devices_of(gateway, count, &[Shape::S]))
}

fn import(gateway: &Gateway, devices: Vec<Simulated>) -> Vec<Simulated> {
    let keys = devices.iter().flat_map(|device| device.keys["keys"].as_array().expect("keys").iter().cloned());
    gateway.import_json(&json!({"keys": keys.collect::<Vec<_>>()}));
    devices
}

impl Simulated {
    /// Seals a reading of this value.
    pub(crate) fn seal(&mut self, value: f64) -> Vec<u8> {
        self.seal_bytes(&senml::pack(&[Reading::number("/3303/0/5700", value)]))
    }

    /// Seals any content.
    pub(crate) fn seal_bytes(&mut self, content: &[u8]) -> Vec<u8> {
        self.device.seal(self.shape, content, &Options::default(), &mut SysRng).expect("sealed")
    }
}
