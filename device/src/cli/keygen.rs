//! `keygen`: a fleet's keys, for both sides.

use std::path::PathBuf;

use clap::Args;
use paperknife_device::algorithm::SignatureAlgorithm;
use paperknife_device::format::Format;
use paperknife_device::key::Gateway;
use paperknife_device::provision::{self, Blueprint, Kids, Provisioned, SysRng};
use paperknife_device::seal::Shape;

use super::{Fault, parse_format, parse_shape, print, read_gateway, write_key_set};

/// Make devices: key sets for the gateway to import and for the devices to keep
#[derive(Args)]
#[command(after_help = "Example: three devices of shape G
  paperknife-device keygen --devices 3 --shape G --audience https://gw.example \\
    --gateway-keys gateway.jwks.json --device-keys devices.jwks.json
  paperknife keys import gateway.jwks.json --data DIR")]
pub(super) struct Arguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1)]
    devices: u32,
    #[command(flatten)]
    fleet: Fleet,
    /// JWK Set with the gateway's public key, needed for shape P
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Where the gateway's side goes: symmetric masters, public signing keys, policies
    #[arg(long, value_name = "FILE")]
    gateway_keys: PathBuf,
    /// Where the devices' side goes: private keys
    #[arg(long, value_name = "FILE")]
    device_keys: PathBuf,
}

/// What the devices of a fleet have in common.
#[derive(Args)]
pub(super) struct Fleet {
    /// Shapes that the devices send: S, G, P
    #[arg(long = "shape", value_name = "SHAPE", value_delimiter = ',', default_value = "S", value_parser = parse_shape)]
    pub(super) shapes: Vec<Shape>,
    /// Format that they seal in: cose, jose, or cms, which has no shape G
    #[arg(long, value_name = "FORMAT", default_value = "cose", value_parser = parse_format)]
    pub(super) format: Format,
    /// Application that they seal for
    #[arg(long, value_name = "NAME", default_value = "paperknife")]
    audience: String,
    /// Resources that they may write to
    #[arg(long = "path", value_name = "PATH", default_value = "/19/0/0")]
    paths: Vec<String>,
    /// Ed25519 signing keys instead of P-256
    #[arg(long)]
    ed25519: bool,
    /// Device names are this and a number
    #[arg(long, value_name = "TEXT", default_value = "urn:dev:ops:32473-paperknife-")]
    prefix: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let gateway = arguments.gateway.as_deref().map(read_gateway).transpose()?;
    let fleet = arguments.fleet.make(arguments.devices, gateway.as_ref())?;
    let (gateway_side, device_side) = provision::key_sets(fleet, gateway.as_ref());
    write_key_set(&arguments.gateway_keys, &gateway_side)?;
    write_key_set(&arguments.device_keys, &device_side)?;
    print(format!("{} devices\n", arguments.devices).as_bytes())
}

impl Fleet {
    /// Draws the keys of `count` devices.
    pub(super) fn make(&self, count: u32, gateway: Option<&Gateway>) -> Result<Vec<Provisioned>, Fault> {
        if gateway.is_none() && self.shapes.contains(&Shape::P) {
            return Err(Fault::NoGateway("--gateway".to_owned()));
        }
        if self.format == Format::Cms && self.shapes.contains(&Shape::G) {
            return Err(Fault::NoShape);
        }
        let mut kids = Kids::default();
        (1..=count).map(|number| self.device(number, gateway, &mut kids)).collect()
    }

    fn device(&self, number: u32, gateway: Option<&Gateway>, kids: &mut Kids) -> Result<Provisioned, Fault> {
        let device = format!("{}{number}", self.prefix);
        let paths: Vec<_> = self.paths.iter().map(|path| Some(path.as_str())).collect();
        let signature = if self.ed25519 { SignatureAlgorithm::Ed25519 } else { SignatureAlgorithm::Esp256 };
        let blueprint = Blueprint {
            device: &device,
            format: self.format,
            audience: &self.audience,
            paths: &paths,
            shapes: &self.shapes,
            signature,
            gateway,
        };
        Ok(provision::provision(&blueprint, kids, &mut SysRng)?)
    }
}
