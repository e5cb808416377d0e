//! `simulate`: a fleet that posts sealed readings to a gateway, as its relay would.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use paperknife_device::cms;
use paperknife_device::device::Device;
use paperknife_device::format::Format;
use paperknife_device::jose;
use paperknife_device::key::Gateway;
use paperknife_device::key_set::KeySet;
use paperknife_device::provision::{Provisioned, SysRng};
use paperknife_device::seal::{Options, Shape};
use paperknife_device::senml::{Reading, Value, json, pack};
use paperknife_device::sequence::Memory;
use zeroize::Zeroizing;

use super::keygen::Fleet;
use super::{Fault, file, keys, print, read_gateway, write_key_set};

/// Make devices and let them post sealed readings to a gateway
#[derive(Args)]
#[command(after_help = "Example: 20 devices, 50 readings a second for a minute
  paperknife-device simulate --url http://127.0.0.1:8080/ingest/acme --token-file acme.token \\
    --devices 20 --rate 50 --for 60 --keys fleet.jwks.json
  paperknife keys import fleet.jwks.json --data DIR

The gateway holds the readings until the keys are imported, then opens them.")]
pub(super) struct Arguments {
    /// Where the relay hands over: http://…/ingest/NAME
    #[arg(long)]
    url: String,
    /// File with the relay's token
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// How many devices
    #[arg(long, value_name = "N", default_value_t = 10)]
    devices: u32,
    /// Readings a second, of all devices together
    #[arg(long, value_name = "PER_S", default_value_t = 10.0, value_parser = parse_positive)]
    rate: f64,
    /// How long
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 10.0, value_parser = parse_positive)]
    seconds: f64,
    /// Where the JWK Set goes that the gateway is to import
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// JWK Set with the gateway's public key, for shape P [default: fetched from the gateway]
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    #[command(flatten)]
    fleet: Fleet,
}

/// One simulated device: it sends its shapes in turn.
struct Sensor {
    device: Device<Memory>,
    format: Format,
    shapes: Vec<Shape>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Fault> {
    let agent = agent();
    let gateway = gateway(arguments, &agent)?;
    let mut fleet = arguments.fleet.make(arguments.devices.max(1), gateway.as_ref())?;
    let jwks = fleet.iter_mut().flat_map(|made| made.gateway_keys.drain(..)).collect();
    write_key_set(&arguments.keys, &KeySet { keys: jwks })?;
    let mut sensors = sensors(fleet, &arguments.fleet)?;
    let (sent, refused) = post(arguments, &agent, &mut sensors)?;
    print(format!("{sent} readings of {} devices sent, {refused} not accepted\n", sensors.len()).as_bytes())?;
    if refused > 0 { Err(Fault::NotAccepted(refused, sent)) } else { Ok(()) }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .build()
        .into()
}

/// The gateway's public key, where the fleet needs it.
fn gateway(arguments: &Arguments, agent: &ureq::Agent) -> Result<Option<Gateway>, Fault> {
    match &arguments.gateway {
        Some(path) => read_gateway(path).map(Some),
        None if arguments.fleet.shapes.contains(&Shape::P) => fetch_gateway(&arguments.url, agent).map(Some),
        None => Ok(None),
    }
}

fn fetch_gateway(ingest: &str, agent: &ureq::Agent) -> Result<Gateway, Fault> {
    let origin = ingest.split_once("/ingest/").map_or(ingest, |(origin, _)| origin);
    let url = format!("{origin}/v1/keys/public");
    let answer = agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_to_vec());
    let body = answer.map_err(|error| Fault::Http { url: url.clone(), reason: error.to_string() })?;
    let set = KeySet::from_json(&body).map_err(keys(url.as_ref()))?;
    set.gateway().map_err(keys(url.as_ref()))?.ok_or(Fault::NoGateway(url))
}

fn sensors(fleet: Vec<Provisioned>, kind: &Fleet) -> Result<Vec<Sensor>, Fault> {
    let sensor = |made: Provisioned| {
        let device = Device::new(made.sealer, Memory::default(), 256)?;
        Ok(Sensor { device, format: kind.format, shapes: kind.shapes.clone() })
    };
    fleet.into_iter().map(sensor).collect()
}

/// Sends readings at the rate until the time is over: how many, and how many of them were not accepted.
fn post(arguments: &Arguments, agent: &ureq::Agent, sensors: &mut [Sensor]) -> Result<(u64, u64), Fault> {
    let token = Zeroizing::new(fs::read_to_string(&arguments.token_file).map_err(file(&arguments.token_file))?);
    let authorization = Zeroizing::new(format!("Bearer {}", token.trim()));
    let begun = Instant::now();
    let total = (arguments.rate * arguments.seconds).ceil() as u64;
    let mut refused = 0;
    for turn in 0..total {
        let due = begun + Duration::from_secs_f64(turn as f64 / arguments.rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let at = (turn % sensors.len() as u64) as usize;
        let sealed = sensors[at].measure(turn / sensors.len() as u64)?;
        let media_type = arguments.fleet.format.media_type();
        let accepted = hand_over(agent, &arguments.url, &authorization, media_type, &sealed);
        if let Err(reason) = accepted {
            refused += 1;
            complain(&arguments.url, reason, refused);
        }
    }
    Ok((total, refused))
}

impl Sensor {
    /// A temperature that wanders between 18 and 25 degrees, measured now.
    fn measure(&mut self, round: u64) -> Result<Vec<u8>, Fault> {
        let celsius = 21.5 + (round as f64 / 7.0).sin() * 3.5;
        let value = Value::Number((celsius * 16.0).round() / 16.0);
        let reading = [Reading { name: "/3303/0/5700", value, unit: Some("Cel"), time: None }];
        let issued_at = u64::try_from(Timestamp::now().as_second()).ok();
        let shape = self.shapes[round as usize % self.shapes.len()];
        match self.format {
            Format::Cms => {
                let options = cms::profile::Options { issued_at, ..cms::profile::Options::default() };
                Ok(self.device.seal_cms(shape, &pack(&reading), &options, &mut SysRng)?)
            }
            Format::Cose => {
                let options = Options { issued_at, ..Options::default() };
                Ok(self.device.seal(shape, &pack(&reading), &options, &mut SysRng)?)
            }
            Format::Jose => {
                let options = jose::profile::Options { issued_at, ..jose::profile::Options::default() };
                Ok(self.device.seal_jose(shape, &json(&reading), &options, &mut SysRng)?.into_bytes())
            }
        }
    }
}

fn hand_over(
    agent: &ureq::Agent,
    url: &str,
    authorization: &str,
    media_type: &str,
    sealed: &[u8],
) -> Result<(), String> {
    let request = agent.post(url).header("Authorization", authorization).header("Content-Type", media_type);
    let answer = request.send(sealed).map_err(|error| error.to_string())?;
    match answer.status().as_u16() {
        202 => Ok(()),
        status => Err(format!("answered {status}")),
    }
}

/// Says why, the first few times.
fn complain(url: &str, reason: String, count: u64) {
    if count <= 3 {
        let fault = Fault::Http { url: url.to_owned(), reason };
        // nobody is left to tell where stderr itself fails
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("paperknife-device: {fault}\n"));
    }
}

fn parse_positive(text: &str) -> Result<f64, String> {
    let positive = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    positive.ok_or_else(|| "a number above 0".to_owned())
}

#[cfg(test)]
mod tests;
