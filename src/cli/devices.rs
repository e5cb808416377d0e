//! `devices`: who may send, in the keystore of a data folder.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystore::DeviceInfo;

use crate::cli::{Failed, Place, TENANT, list, say, show};

/// Administer devices
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  paperknife devices list --data ./data
  paperknife devices revoke urn:dev:mac:0024befffe804ff1 --reason stolen --data ./data";

#[derive(Debug, Subcommand)]
enum Command {
    /// List devices
    #[command(after_help = "Example:\n  paperknife devices list --json --data ./data")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a device and its keys
    #[command(after_help = "Example:\n  paperknife devices show urn:dev:mac:0024befffe804ff1 --data ./data")]
    Show {
        /// Identity
        device: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Add a device before its keys come
    #[command(after_help = "Example:\n  paperknife devices add urn:dev:mac:0024befffe804ff1 --data ./data")]
    Add {
        /// Identity
        device: String,
        #[command(flatten)]
        place: Place,
    },
    /// Refuse whatever a device seals from now on, with any of its keys
    #[command(after_help = "\
Example:
  paperknife devices revoke urn:dev:mac:0024befffe804ff1 --reason stolen --data ./data")]
    Revoke {
        /// Identity
        device: String,
        /// Why, for the record
        #[arg(long, default_value = "revoked by the operator")]
        reason: String,
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Command::List { json, place } => list(&place.keystore()?.devices(TENANT)?, *json, line),
        Command::Show { device, json, place } => show(&place.keystore()?.device(TENANT, device)?, *json, line),
        Command::Add { device, place } => {
            place.new_keystore()?.device_add(TENANT, device)?;
            say(format_args!("added {device}"));
        }
        Command::Revoke { device, reason, place } => {
            place.keystore()?.device_revoke(TENANT, device, reason)?;
            say(format_args!("revoked {device}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(device: &DeviceInfo) -> String {
    format!("{}  {}  {} keys  since {}", device.device.escape_debug(), device.status, device.keys.len(), device.created)
}
