//! `demo`: a gateway, simulated devices, and a relay that cheats.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use crate::cli::Failed;

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

/// PLACEHOLDER: replaced by the demo.
pub(super) fn run(_arguments: Arguments) -> Result<ExitCode, Failed> {
    Err(Failed::said("demo is not wired yet"))
}
