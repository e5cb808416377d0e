//! `relays`: accounts of those who hand deliveries over, and what a profile finds in a captured body.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::relays_test::{self, Test};
use crate::cli::{Failed, Place, TENANT, instant, list, now, put, read_bytes, say, show};
use crate::clock::SystemClock;
use crate::item::Timestamp;
use crate::relay::accounts;
use crate::store::intake::Account;

/// Administer relay accounts; try a profile on a captured body
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  paperknife relays add acme --profile senml-json --data ./data > acme.token
  paperknife relays list --data ./data";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account and print its token, alone; it is shown this once
    #[command(after_help = "\
Example:
  paperknife relays add acme --profile raw --set endpoint_from=header:X-Endpoint --data ./data > acme.token")]
    Add {
        /// Name: it stands in the relay's URL, /ingest/NAME
        name: String,
        /// How its bodies are read: raw, text, senml-json, senml-cbor
        #[arg(long, value_name = "P", default_value = "raw")]
        profile: String,
        /// Option of the account or its profile; may be repeated
        #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
        set: Vec<(String, String)>,
        #[command(flatten)]
        place: Place,
    },
    /// List accounts, without their tokens
    #[command(after_help = "Example:\n  paperknife relays list --json --data ./data")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show an account
    #[command(after_help = "Example:\n  paperknife relays show acme --data ./data")]
    Show {
        /// Name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove an account; what it handed over stays
    #[command(after_help = "Example:\n  paperknife relays remove acme --data ./data")]
    Remove {
        /// Name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Show what a profile finds in a captured body, without a gateway
    #[command(after_help = "\
Example:
  paperknife relays test --profile senml-json --content-type application/senml+json --json body.json")]
    Test(TestArguments),
}

#[derive(Args, Debug)]
struct TestArguments {
    /// Profile, or `auto`
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// Option of the profile; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// When the delivery arrived (RFC 3339). Default: now
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Timestamp>,
    /// URL that the body was sent to; its query is used
    #[arg(long, value_name = "U")]
    url: Option<String>,
    /// Endpoint name, where whoever pulled the body knows it
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Media type of the body
    #[arg(long, value_name = "T")]
    content_type: Option<String>,
    /// Topic that the body came on: of broker relays, whose profiles come later
    #[arg(long, value_name = "T")]
    topic: Option<String>,
    /// Header of the delivery; may be repeated
    #[arg(long, value_name = "K: V", value_parser = header)]
    header: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The body; `-` is standard input
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Command::Add { name, profile, set, place } => add(name, profile, set, place)?,
        Command::List { json, place } => {
            let accounts = place.relays()?.accounts(TENANT)?;
            list(&accounts.iter().map(Shown::of).collect::<Vec<_>>(), *json, Shown::line);
        }
        Command::Show { name, json, place } => {
            let account = place.relays()?.account(name)?;
            show(&Shown::of(&account.ok_or_else(|| unknown(name))?), *json, Shown::line);
        }
        Command::Remove { name, place } => {
            if !place.relays()?.remove(name)? {
                return Err(unknown(name));
            }
            say(format_args!("removed {name}"));
        }
        Command::Test(asked) => return test(asked),
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> Failed {
    Failed::said(format!("no relay named `{name}`"))
}

fn add(name: &str, profile: &str, set: &[(String, String)], place: &Place) -> Result<(), Failed> {
    let request = accounts::Request {
        name: name.to_owned(),
        tenant: TENANT.to_owned(),
        profile: profile.to_owned(),
        options: options(set),
    };
    let (account, token) = accounts::make(&SystemClock, request).map_err(|unmade| Failed::Usage(unmade.to_string()))?;
    place.new_relays()?.add(&account)?;
    say(token.reveal());
    Ok(())
}

/// An account as its operator sees it: without the hash of its token.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    tenant: &'a str,
    profile: &'a str,
    options: &'a BTreeMap<String, String>,
    created: Timestamp,
}

impl<'a> Shown<'a> {
    fn of(account: &'a Account) -> Self {
        let Account { name, tenant, profile, options, token_sha256: _, created } = account;
        Self { name, tenant, profile, options, created: *created }
    }

    fn line(&self) -> String {
        let options = self.options.iter().map(|(key, value)| format!("  {key}={}", value.escape_debug()));
        format!("{}  {}  since {}{}", self.name, self.profile, self.created, options.collect::<String>())
    }
}

fn test(asked: &TestArguments) -> Result<ExitCode, Failed> {
    let question = Test {
        profile: asked.profile.clone(),
        set: options(&asked.set),
        at: asked.at.unwrap_or_else(now),
        url: asked.url.clone(),
        endpoint: asked.endpoint.clone(),
        content_type: asked.content_type.clone(),
        headers: asked.header.clone(),
        json: asked.json,
    };
    let (text, code) = relays_test::run(&question, &read_bytes(&asked.file)?).map_err(Failed::Usage)?;
    put(&text);
    Ok(ExitCode::from(code))
}

fn options(set: &[(String, String)]) -> BTreeMap<String, String> {
    set.iter().cloned().collect()
}

/// `KEY=VALUE`.
fn assignment(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `Name: value`.
fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("must be 'NAME: VALUE'")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}
