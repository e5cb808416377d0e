//! The command line: parse arguments, wire the rooms, run; one file a command.
//!
//! May import everything, to wire, and holds no logic of its own. Administration works on the data folder beside a
//! running server. A secret is never an argument: it comes from a file or standard input, and a new one goes to
//! standard output, alone, once.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use keystore::{AdminError, Keystore};
use serde::Serialize;

use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::envelope;
use crate::item::{Format, Timestamp};
use crate::store::accounts::Accounts;
use crate::store::{Store, failure};

mod backup;
mod content;
mod demo;
mod devices;
mod export;
mod gateway;
mod healthcheck;
mod inspect;
mod keys;
mod open;
mod payload;
mod relays;
mod relays_test;
mod serve;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;

/// Opens what devices sealed, behind a relay that is not trusted.
#[derive(Debug, Parser)]
#[command(name = "paperknife", version, arg_required_else_help = true, after_help = EXAMPLE)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Commands administer one tenant.
const TENANT: &str = "default";

/// Of one input file: more than any limit that a reader has.
const MOST_BYTES: u64 = 64 << 20;

const EXAMPLE: &str = "\
Example, from nothing to a first reading:
  paperknife demo
Example, a gateway:
  paperknife serve --data ./data &
  paperknife relays add acme --data ./data > acme.token
  paperknife keys import devices.jwks --data ./data

Exit codes: 0 done, 1 failed, 2 usage; open: 3 refused, 4 held.";

#[derive(Debug, Subcommand)]
enum Command {
    Backup(backup::Backup),
    Config(settings::Arguments),
    Demo(demo::Arguments),
    Devices(devices::Arguments),
    Export(export::Arguments),
    Healthcheck(healthcheck::Arguments),
    Inspect(inspect::Arguments),
    Keys(keys::Arguments),
    Open(open::Arguments),
    Payload(content::Arguments),
    Relays(relays::Arguments),
    Restore(backup::Restore),
    Serve(serve::Arguments),
    Tokens(tokens::Arguments),
}

/// Parses the process's arguments and runs the command.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments.command),
        Err(usage) => return usage_exit(&usage),
    };
    outcome.unwrap_or_else(|failed| {
        complain(&failed);
        failed.exit()
    })
}

/// `--help` and `--version` are done (0); all else is wrong usage (2).
fn usage_exit(usage: &clap::Error) -> ExitCode {
    // Where even the terminal is gone there is nobody left to tell.
    let _ = usage.print();
    ExitCode::from(if usage.use_stderr() { 2 } else { 0 })
}

fn dispatch(command: Command) -> Result<ExitCode, Failed> {
    match command {
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Config(arguments) => settings::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::Payload(arguments) => content::run(&arguments),
        Command::Relays(arguments) => relays::run(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Tokens(arguments) => tokens::run(&arguments),
    }
}

/// Where the data folder is.
#[derive(Args, Clone, Debug, Default)]
struct Place {
    /// Data folder: root.key, keystore.db, store.db
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration: file, then environment, then flags.
    fn settle(&self) -> Result<config::Loaded, Failed> {
        let mut loaded = config::load(self.config.as_deref(), &config::environment())?;
        if let Some(data) = &self.data {
            loaded.config.server.data.clone_from(data);
        }
        Ok(loaded)
    }

    /// The keystore of a data folder that is there.
    fn keystore(&self) -> Result<Keystore, Failed> {
        let config = self.settle()?.config;
        existing(&config.server.data)?;
        gateway::open_keystore(&config)
    }

    /// The same, for what may be the first act on a new data folder.
    fn new_keystore(&self) -> Result<Keystore, Failed> {
        let config = self.settle()?.config;
        gateway::prepare(&config.server.data)?;
        gateway::open_keystore(&config)
    }

    /// The relay accounts of a data folder that is there.
    fn relays(&self) -> Result<Accounts, Failed> {
        let config = self.settle()?.config;
        existing(&config.server.data)?;
        Ok(Store::administer(&config.server.data)?)
    }

    /// The same, for what may be the first act on a new data folder.
    fn new_relays(&self) -> Result<Accounts, Failed> {
        let config = self.settle()?.config;
        gateway::prepare(&config.server.data)?;
        Ok(Store::administer(&config.server.data)?)
    }
}

/// A mistyped folder is told, not made.
fn existing(data: &Path) -> Result<(), Failed> {
    match data.is_dir() {
        true => Ok(()),
        false => Err(Failed::said(format!("no data folder at {}", data.display()))),
    }
}

/// Why a command failed, as its one line on standard error.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] config::Faults),
    #[error(transparent)]
    Keystore(#[from] AdminError),
    #[error(transparent)]
    Store(#[from] failure::Failure),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("{0}")]
    Said(String),
    #[error("{0}")]
    Usage(String),
}

impl Failed {
    fn exit(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }

    /// A failure that its own words explain.
    fn said(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }

    /// For `map_err` at a file operation: names what was tried.
    fn io(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_string();
        |source| Self::Io { what, source }
    }
}

/// An RFC 3339 argument.
fn instant(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("must be an RFC 3339 time such as 2026-11-24T09:00:00Z")
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// A file's bytes, or those of standard input for `-`; no more than any reader here takes.
fn read_bytes(file: &Path) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes),
        false => File::open(file).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)),
    };
    match read.map_err(Failed::io(file.display()))? as u64 {
        0..=MOST_BYTES => Ok(bytes),
        _ => Err(Failed::said(format!("{}: is larger than {MOST_BYTES} bytes", file.display()))),
    }
}

/// An envelope as a file carries it: JOSE is text, and white space around it is the file's own.
fn carried(bytes: &[u8]) -> &[u8] {
    let text = bytes.trim_ascii();
    let whole = envelope::recognise(bytes, None).is_some();
    if !whole && envelope::family(text, None) == Some(Format::Jose) { text } else { bytes }
}

/// A list: a line for each, or JSON in the shape that the API gives.
fn list<T: Serialize>(items: &[T], json: bool, line: impl Fn(&T) -> String) {
    match json {
        true => say(format_args!("{:#}", serde_json::json!({ "items": items, "next": null }))),
        false => items.iter().for_each(|item| say(line(item))),
    }
}

/// One thing, as a line or as JSON.
fn show<T: Serialize>(item: &T, json: bool, line: impl Fn(&T) -> String) {
    match json {
        true => say(format_args!("{:#}", serde_json::json!(item))),
        false => say(line(item)),
    }
}

/// Text on standard output, as it is.
fn put(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// One line on standard output. A reader that has gone (`| head`) is no failure.
fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// One line on standard error.
fn complain(line: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "paperknife: {line}");
}
