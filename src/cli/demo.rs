//! `demo`: a gateway, simulated devices, and a relay that cheats.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use keystore::Scope;
use paperknife_device::key_set::KeySet;
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior};

use self::fleet::Fleet;
use self::gateway::Client;
use self::relay::Relay;
use self::tally::Tally;
use crate::cli::gateway::Gateway;
use crate::cli::{Failed, TENANT, say};
use crate::config::Config;

mod fleet;
mod gateway;
mod relay;
mod tally;

/// The name by which the simulated devices address the gateway.
const AUDIENCE: &str = "https://demo.example";

/// Run a gateway, simulated devices and a relay that sometimes cheats, and watch
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Simulated devices
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) devices: u16,
    /// Readings a second, of all devices together
    #[arg(long, value_name = "PER_S", default_value_t = 20.0)]
    pub(super) rate: f64,
    /// How long to run
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) seconds: u64,
    /// Where the gateway listens; port 0 is any free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
}

const EXAMPLE: &str = "\
Example:
  paperknife demo --devices 20 --for 60";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let folder = Folder::temporary();
    let mut config = Config::default();
    config.server.data.clone_from(&folder.0);
    config.gateway.audience = vec![AUDIENCE.to_owned()];
    let runtime = tokio::runtime::Runtime::new().map_err(Failed::io("cannot start"))?;
    let gateway = Gateway::open(&config)?;
    let played = runtime.block_on(serve_and_play(&gateway, arguments));
    gateway.close();
    Ok(if played? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A data folder that goes with the demo.
struct Folder(PathBuf);

impl Folder {
    fn temporary() -> Self {
        Self(std::env::temp_dir().join(format!("paperknife-demo-{}", uuid::Uuid::now_v7())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is a temporary folder: what cannot be removed now, the system removes later.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn serve_and_play(gateway: &Gateway, arguments: &Arguments) -> Result<bool, Failed> {
    let listener = super::gateway::bind(arguments.listen).await?;
    let client = introduce(gateway, &listener)?;
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let stop = async {
        // Either word ends the service: that the play is over, or that it broke off.
        let _ = ended.await;
    };
    let play = async {
        let played = play(gateway, &client, arguments).await;
        drop(done);
        played
    };
    tokio::join!(gateway.serve(listener, stop, std::future::pending()), play).1
}

/// Makes the relay's account and the operator's token, and says where to look.
fn introduce(gateway: &Gateway, listener: &TcpListener) -> Result<Client, Failed> {
    let address = listener.local_addr().map_err(Failed::io("no address"))?;
    let options = [("endpoint_from", "header:x-endpoint"), ("path_from", "header:x-path")];
    let options: BTreeMap<_, _> = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let relay_token = gateway.add_relay("demo", "raw", options)?;
    let api_token = gateway.keystore().token_add("demo", &[Scope::Read, Scope::Admin], TENANT)?;
    let url = format!("http://{address}");
    say(format_args!("A gateway with an empty data folder listens on {url}. While it runs, look:"));
    for path in ["/v1/readings?order=desc", "/v1/devices", "/v1/refusals", "/metrics"] {
        say(format_args!("  curl -H 'Authorization: Bearer {api_token}' '{url}{path}'"));
    }
    Ok(Client::new(url, relay_token, api_token))
}

/// The devices measure, the relay passes on or cheats, and every outcome is checked; then the account is made up.
async fn play(gateway: &Gateway, client: &Client, arguments: &Arguments) -> Result<bool, Failed> {
    let mut fleet = provision(gateway, client, usize::from(arguments.devices)).await?;
    let (mut relay, mut tally) = (Relay::new(), Tally::default());
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / arguments.rate));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    while Instant::now() < end || relay.withholds() {
        beat.tick().await;
        if Instant::now() >= end {
            relay.reform();
        }
        relay.handle(client, measure(&mut fleet)?).await?.into_iter().for_each(|event| tally.note(event));
    }
    relay.release(client, true).await?.into_iter().for_each(|event| tally.note(event));
    tally.check_messages(&client.messages().await?);
    tally.check_counters(&client.metrics().await?);
    Ok(tally.conclude())
}

async fn provision(gateway: &Gateway, client: &Client, devices: usize) -> Result<Fleet, Failed> {
    let public = client.public_keys().await?;
    let keys = KeySet::from_json(&public).and_then(|keys| keys.gateway());
    let ours = keys.map_err(|error| Failed::said(error.to_string()))?;
    let ours = ours.ok_or_else(|| Failed::said("the gateway has no public key"))?;
    let (fleet, imported) =
        Fleet::provision(devices, AUDIENCE, &ours).map_err(|error| Failed::said(error.to_string()))?;
    gateway.keystore().import(&imported, &keystore::ImportOptions::default())?;
    say(format_args!("{devices} devices are provisioned: COSE, JOSE and CMS, each in its shapes in turn.\n"));
    Ok(fleet)
}

fn measure(fleet: &mut Fleet) -> Result<fleet::Sent, Failed> {
    fleet.measure().map_err(|error| Failed::said(format!("a device cannot seal: {error}")))
}
