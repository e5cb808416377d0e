//! `tokens`: who may use the API.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystore::{Scope, TokenInfo};

use crate::cli::{Failed, Place, TENANT, list, say};

/// Administer API tokens
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  paperknife tokens add dashboard --scope read --data ./data > dashboard.token
  paperknife tokens list --data ./data";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print it, alone; it is shown this once
    #[command(
        after_help = "Example:\n  paperknife tokens add dashboard --scope read,admin --data ./data > dashboard.token"
    )]
    Add {
        /// A name for it
        name: String,
        /// What it may do: read, admin, keys, keys:export, subscriptions, firmware
        #[arg(long, required = true, value_delimiter = ',', value_parser = scope)]
        scope: Vec<Scope>,
        #[command(flatten)]
        place: Place,
    },
    /// List tokens, without their secrets
    #[command(after_help = "Example:\n  paperknife tokens list --json --data ./data")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a token, by name or id
    #[command(after_help = "Example:\n  paperknife tokens revoke dashboard --data ./data")]
    Revoke {
        /// Name or id
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

fn scope(name: &str) -> Result<Scope, String> {
    let known = || Scope::ALL.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ");
    Scope::from_name(name).ok_or_else(|| format!("must be among {}", known()))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Command::Add { name, scope, place } => say(place.new_keystore()?.token_add(name, scope, TENANT)?),
        Command::List { json, place } => list(&place.keystore()?.tokens()?, *json, line),
        Command::Revoke { name, place } => {
            place.keystore()?.token_revoke(name)?;
            say(format_args!("revoked {name}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(token: &TokenInfo) -> String {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
    format!("{}  {}  {}  {}  since {}", token.id, token.name, token.status, scopes.join(","), token.created)
}
