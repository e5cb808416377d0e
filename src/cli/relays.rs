//! `relays`: accounts of those who hand deliveries over, and what a profile finds in a captured body.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::relays_test::{self, Test};
use crate::cli::{Failed, instant, now, put, read_bytes};
use crate::item::Timestamp;

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
    /// Topic that the body came on
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
        Command::Test(asked) => test(asked),
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
        topic: asked.topic.clone(),
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
