//! `config init` writes the commented defaults; `config check` explains every fault.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::{Failed, complain, say};
use crate::config;

/// Write or check a configuration file
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  paperknife config init paperknife.toml
  paperknife config check paperknife.toml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the commented defaults
    #[command(
        after_help = "Example:\n  paperknife config init paperknife.toml\n  paperknife config init > paperknife.toml"
    )]
    Init {
        /// File to create; never overwritten. Default: standard output
        file: Option<PathBuf>,
    },
    /// Explain every fault of a file and of the environment
    #[command(after_help = "Example:\n  paperknife config check paperknife.toml")]
    Check {
        /// File to check. Default: the environment alone
        file: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Command::Init { file: None } => say(config::DEFAULTS.trim_end()),
        Command::Init { file: Some(file) } => create(file)?,
        Command::Check { file } => return Ok(check(file.as_ref())),
    }
    Ok(ExitCode::SUCCESS)
}

fn create(file: &PathBuf) -> Result<(), Failed> {
    let mut created = OpenOptions::new().write(true).create_new(true).open(file).map_err(Failed::io(file.display()))?;
    created.write_all(config::DEFAULTS.as_bytes()).map_err(Failed::io(file.display()))
}

fn check(file: Option<&PathBuf>) -> ExitCode {
    match config::load(file.map(PathBuf::as_path), &config::environment()) {
        Ok(loaded) => {
            loaded.idle.iter().for_each(say);
            say("no fault found");
            ExitCode::SUCCESS
        }
        Err(config::Faults(faults)) => {
            faults.iter().for_each(complain);
            ExitCode::FAILURE
        }
    }
}
