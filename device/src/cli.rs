//! The command line: arguments in, exit code out (0 done, 1 failed, 2 usage). Errors name files and keys by number, never
//! their bytes.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use paperknife_device::error::SealError;
use paperknife_device::format::Format;
use paperknife_device::key::Gateway;
use paperknife_device::key_set::{KeySet, KeySetError};
use paperknife_device::seal::Shape;
use zeroize::Zeroizing;

mod keygen;
mod seal;
mod simulate;

/// The other end of paperknife: seals readings end to end (profile paperknife-1), so that no relay can read or change them
/// unseen.
#[derive(Parser)]
#[command(name = "paperknife-device", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make devices: key sets for the gateway to import and for the devices to keep
    Keygen(keygen::Arguments),
    /// Seal one reading
    Seal(Box<seal::Arguments>),
    /// Make devices and let them post sealed readings to a gateway
    Simulate(simulate::Arguments),
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("--alg: {0}")]
    Algorithm(String),
    #[error("{path}: {error}")]
    File { path: String, error: io::Error },
    #[error("{url}: {reason}")]
    Http { url: String, reason: String },
    #[error("{path}: {error}")]
    Keys { path: String, error: KeySetError },
    #[error("no P-256 key without a device in {0}: shape P encrypts to the gateway's public key")]
    NoGateway(String),
    #[error("{0} of {1} readings were not accepted")]
    NotAccepted(u64, u64),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("--kid-context and --cti take hexadecimal bytes")]
    NotHex,
    #[error("--structure {0} needs {1}")]
    Needs(&'static str, &'static str),
    #[error("CMS has no shape G")]
    NoShape,
    #[error("no audience: name the application with --audience")]
    NoAudience,
}

/// Reads the arguments and obeys.
pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Seal(arguments) => seal::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // nobody is left to tell where stderr itself fails
            let _ = writeln!(io::stderr(), "paperknife-device: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn read_key_set(path: &Path) -> Result<KeySet, Fault> {
    let json = Zeroizing::new(fs::read(path).map_err(file(path))?);
    KeySet::from_json(&json).map_err(keys(path))
}

fn read_gateway(path: &Path) -> Result<Gateway, Fault> {
    let gateway = read_key_set(path)?.gateway().map_err(keys(path))?;
    gateway.ok_or_else(|| Fault::NoGateway(path.display().to_string()))
}

/// Writes a file that only its owner reads: it holds keys.
fn write_key_set(path: &Path, set: &KeySet) -> Result<(), Fault> {
    let mut options = fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(path).map_err(file(path))?;
    out.write_all(&set.to_json()).map_err(file(path))
}

/// A file's content, or standard input's for `-`, up to a byte more than can be sealed.
fn read_content(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    let limit = 65_536;
    let read = match path.to_str() {
        Some("-") => io::stdin().lock().take(limit).read_to_end(&mut content),
        _ => fs::File::open(path).and_then(|from| from.take(limit).read_to_end(&mut content)),
    };
    read.map(|_| content).map_err(file(path))
}

fn print(bytes: &[u8]) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(file(&PathBuf::from("standard output")))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> Fault {
    let path = path.display().to_string();
    |error| Fault::File { path, error }
}

fn keys(path: &Path) -> impl FnOnce(KeySetError) -> Fault {
    let path = path.display().to_string();
    |error| Fault::Keys { path, error }
}

fn parse_shape(letter: &str) -> Result<Shape, String> {
    Shape::from_name(letter).ok_or_else(|| "one of S, G, P".to_owned())
}

fn parse_format(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| "one of cms, cose, jose".to_owned())
}

#[cfg(test)]
mod tests;
