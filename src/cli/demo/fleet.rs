//! Simulated devices: each format in each of its shapes in turn, with keys drawn for this run.

use std::time::{SystemTime, UNIX_EPOCH};

use paperknife_device::algorithm::SignatureAlgorithm;
use paperknife_device::cms;
use paperknife_device::device::Device;
use paperknife_device::error::SealError;
use paperknife_device::format::Format;
use paperknife_device::jose;
use paperknife_device::key::Gateway;
use paperknife_device::provision::{Blueprint, Kids, Provisioned, SysRng, provision};
use paperknife_device::seal::{Options, Shape};
use paperknife_device::senml::{self, Reading, Value};
use paperknife_device::sequence::Memory;
use serde_json::json;

/// Where the devices write their sealed readings, and another path that each may write to.
pub(super) const PATH: &str = "/19/0/0";
pub(super) const OTHER_PATH: &str = "/19/1/0";
/// What they measure.
const NAME: &str = "/3303/0/5700";
/// Envelopes that arrive later than this are flagged.
pub(super) const LATE_AFTER_S: i64 = 2;

/// One sealed reading, as the device hands it to the relay.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Which device of the fleet.
    pub(super) nth: usize,
    /// Its identity.
    pub(super) device: String,
    /// Its format.
    pub(super) format: &'static str,
    /// Its shape.
    pub(super) shape: &'static str,
    /// Its sequence number.
    pub(super) number: u64,
    /// The value inside.
    pub(super) value: f64,
    /// The envelope.
    pub(super) sealed: Vec<u8>,
}

/// The devices, taking turns.
pub(super) struct Fleet {
    devices: Vec<Simulated>,
    turn: usize,
}

struct Simulated {
    device: Device<Memory>,
    kind: (Format, Shape),
}

/// What the devices are, in turn.
const KINDS: [(Format, Shape); 8] = [
    (Format::Cose, Shape::S),
    (Format::Jose, Shape::P),
    (Format::Cms, Shape::S),
    (Format::Cose, Shape::G),
    (Format::Jose, Shape::S),
    (Format::Cms, Shape::P),
    (Format::Cose, Shape::P),
    (Format::Jose, Shape::G),
];

impl Fleet {
    /// Provisions `count` devices for an audience and a gateway's public key; also the JWK Set that the gateway imports.
    pub(super) fn provision(count: usize, audience: &str, gateway: &Gateway) -> Result<(Self, Vec<u8>), SealError> {
        let (mut kids, mut made, mut devices) = (Kids::default(), Vec::new(), Vec::new());
        for nth in 0..count {
            let (format, shape) = KINDS[nth % KINDS.len()];
            let blueprint = Blueprint {
                device: &format!("urn:dev:demo:{:04}", nth + 1),
                format,
                audience,
                paths: &[Some(PATH), Some(OTHER_PATH)],
                shapes: &[shape],
                signature: [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519][nth / KINDS.len() % 2],
                gateway: Some(gateway),
            };
            let Provisioned { sealer, gateway_keys, .. } = provision(&blueprint, &mut kids, &mut SysRng)?;
            devices.push(Simulated { device: Device::new(sealer, Memory::default(), 16)?, kind: (format, shape) });
            made.extend(gateway_keys);
        }
        Ok((Self { devices, turn: 0 }, gateway_side(made)))
    }

    /// The next device measures and seals.
    pub(super) fn measure(&mut self) -> Result<Sent, SealError> {
        let nth = self.turn % self.devices.len();
        self.turn += 1;
        // Eighths are exact in binary, so that what comes out can be compared with what went in.
        let value = 20.0 + (self.turn % 80) as f64 / 8.0;
        let Simulated { device, kind: (format, shape) } = &mut self.devices[nth];
        let number = device.next(*shape).unwrap_or_default();
        let reading = Reading { name: NAME, value: Value::Number(value), unit: Some("Cel"), time: None };
        let sealed = seal(device, *format, *shape, &[reading])?;
        let device = device.sealer().device.clone();
        Ok(Sent { nth, device, format: format.name(), shape: shape.name(), number, value, sealed })
    }
}

/// The reading as SenML of the format's own kind, sealed.
fn seal(
    device: &mut Device<Memory>,
    format: Format,
    shape: Shape,
    reading: &[Reading<'_>],
) -> Result<Vec<u8>, SealError> {
    let issued_at = Some(now_s());
    match format {
        Format::Cms => {
            let options = cms::profile::Options { issued_at, ..cms::profile::Options::default() };
            device.seal_cms(shape, &senml::pack(reading), &options, &mut SysRng)
        }
        Format::Cose => {
            let options = Options { issued_at, ..Options::default() };
            device.seal(shape, &senml::pack(reading), &options, &mut SysRng)
        }
        Format::Jose => {
            let options = jose::profile::Options { issued_at, ..jose::profile::Options::default() };
            device.seal_jose(shape, &senml::json(reading), &options, &mut SysRng).map(String::into_bytes)
        }
    }
}

/// The set that the gateway imports, with an acceptance window short enough for a demo.
fn gateway_side(keys: Vec<paperknife_device::key_set::Jwk>) -> Vec<u8> {
    let mut set = json!(paperknife_device::key_set::KeySet { keys });
    for key in set["keys"].as_array_mut().into_iter().flatten() {
        key["paperknife"]["late_after_s"] = json!(LATE_AFTER_S);
    }
    set.to_string().into_bytes()
}

#[expect(clippy::disallowed_methods, reason = "a simulated device has a clock of its own")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
