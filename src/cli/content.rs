//! `payload decode`: its arguments, and the call of [`crate::cli::payload`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::payload::{Decode, decode};
use crate::cli::{Failed, instant, now, put, read_bytes};
use crate::item::Timestamp;

/// Look into opened content
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  paperknife payload decode --content-format 110 pack.json";

#[derive(Debug, Subcommand)]
enum Command {
    /// Decode content to readings
    #[command(after_help = "\
Example:
  paperknife payload decode --content-format 112 --base-time 2026-11-24T09:00:00Z --json pack.cbor")]
    Decode(DecodeArguments),
}

#[derive(Args, Debug)]
struct DecodeArguments {
    /// CoAP Content-Format number, or a media type
    #[arg(long, value_name = "N")]
    content_format: String,
    /// Path of formats that name nothing
    #[arg(long, value_name = "P")]
    base_path: Option<String>,
    /// Instant that relative times are measured from (RFC 3339). Default: now
    #[arg(long, value_name = "TIME", value_parser = instant)]
    base_time: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The content; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let Command::Decode(asked) = &arguments.command;
    let question = Decode {
        content_format: &asked.content_format,
        base_path: asked.base_path.as_deref(),
        base_time: asked.base_time,
        now: now(),
        json: asked.json,
    };
    let (text, code) = decode(&question, &read_bytes(&asked.file)?);
    put(&text);
    Ok(ExitCode::from(code))
}
