//! Floors, load and benchmarks. Every figure stands beside its floor, measured in the same run on the same machine, so
//! that what is compared is ours alone. Server CPU a message (user and system of the server's process, until nothing is
//! pending) is steadier than throughput; medians of interleaved runs are steadier than any one of them.
//!
//! In the order of the data: `fleet` seals beforehand, `primitives` and `durable` are the floors, `opening` measures in
//! memory, `formats` JOSE and CMS beside other libraries, `server` and `load` drive a real process over HTTP, `whole`
//! compares the two, `scale` lets the store grow, `report` prints.

mod cpu;
mod durable;
mod fleet;
mod formats;
mod load;
mod opening;
mod primitives;
mod report;
mod rooms;
mod scale;
mod server;
mod shapes;
mod whole;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::fleet::{Order, Shape};
use crate::report::Report;

/// What went wrong: said once, then the run ends.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failed(String);

impl Failed {
    /// With the words of an error.
    pub(crate) fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Floors, load and benchmarks of paperknife
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything: floors, opening in memory, the whole server beside its floor, visible latency
    All(Run),
    /// Opening in memory beside bare primitives, and each room alone
    Opening {
        /// Measured batches
        #[arg(long, default_value_t = 21)]
        batches: usize,
        #[command(flatten)]
        place: Place,
    },
    /// Shape P in JOSE and CMS, beside bare primitives and other libraries
    Formats {
        /// Measured batches
        #[arg(long, default_value_t = 21)]
        batches: usize,
    },
    /// The whole server beside its floor
    Whole(Run),
    /// Drives a server with one pre-sealed fleet, and says what it cost
    Load {
        /// Shape of the envelopes: S, G or P
        #[arg(long, default_value = "S", value_parser = Shape::parse)]
        shape: Shape,
        /// Deliveries a second; as fast as they are answered where it is left out
        #[arg(long)]
        rate: Option<f64>,
        #[command(flatten)]
        run: Run,
    },
    /// Cost a message while the store grows to a million rows, with 100,000 devices; time to start
    Scale {
        /// Rows in the end
        #[arg(long, default_value_t = 1_000_000)]
        rows: usize,
        #[arg(long, default_value_t = 100_000)]
        devices: usize,
        #[command(flatten)]
        place: Place,
    },
    /// The floor's server: takes a body, commits it, answers
    #[command(hide = true)]
    Floor {
        /// Where its database goes
        data: PathBuf,
    },
}

#[derive(Args, Clone)]
struct Place {
    /// The gateway's release binary
    #[arg(long, default_value = "target/release/paperknife")]
    server: PathBuf,
    /// Folder for sealed fleets, data folders and the JSON report
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

#[derive(Args, Clone)]
struct Run {
    /// Envelopes sealed before the first request
    #[arg(long, default_value_t = 60_000)]
    messages: usize,
    /// Interleaved runs
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Devices
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    /// Connections
    #[arg(long, default_value_t = 32)]
    connections: usize,
    #[command(flatten)]
    place: Place,
}

impl Run {
    fn order(&self, shape: Shape) -> Order {
        Order { shape, devices: self.devices, messages: self.messages }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            report::say(format_args!("bench: {failed}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failed> {
    match command {
        Command::All(run) => all(&run),
        Command::Opening { batches, place } => {
            let mut report = Report::default();
            opening::measure(&place.folder, batches, &mut report)?;
            shapes::measure(batches, &mut report)?;
            formats::measure(batches, &mut report)?;
            rooms::measure(&place.folder, batches, &mut report)?;
            report.write(&place.folder.join("opening.json"))
        }
        Command::Formats { batches } => formats::measure(batches, &mut Report::default()),
        Command::Whole(run) => {
            let mut report = Report::default();
            opening::measure(&run.place.folder, 11, &mut report)?;
            whole::measure(&run, &mut report)?;
            report.write(&run.place.folder.join("whole.json"))
        }
        Command::Load { shape, rate, run } => load::command(&run, shape, rate),
        Command::Scale { rows, devices, place } => {
            let mut report = Report::default();
            scale::measure(&place, rows, devices, &mut report)?;
            report.write(&place.folder.join("scale.json"))
        }
        Command::Floor { data } => durable::serve(&data),
    }
}

fn all(run: &Run) -> Result<(), Failed> {
    let mut report = Report::default();
    opening::measure(&run.place.folder, 21, &mut report)?;
    shapes::measure(11, &mut report)?;
    formats::measure(21, &mut report)?;
    rooms::measure(&run.place.folder, 11, &mut report)?;
    whole::measure(run, &mut report)?;
    whole::visible(run, &mut report)?;
    report.write(&run.place.folder.join("bench.json"))
}
