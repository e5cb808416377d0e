//! `keys`: the keystore of a data folder, beside a running server or without one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystore::{ImportOptions, Imported, KeyInfo, Keystore};

use crate::cli::{Failed, Place, TENANT, list, read_bytes, say, show};

/// Administer keys
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  paperknife keys import devices.jwks --data ./data
  paperknife keys list --data ./data";

#[derive(Debug, Subcommand)]
enum Command {
    /// Import keys of devices, or the gateway's own; held envelopes that name them reopen by themselves
    #[command(after_help = "\
Example:
  paperknife keys import devices.jwks --data ./data
  paperknife keys import sensor.pem --device urn:dev:mac:0024befffe804ff1 --kid-hex 01a2b3c4 --alg ES256 --data ./data")]
    Import(ImportArguments),
    /// List keys, without a private or symmetric byte
    #[command(after_help = "Example:\n  paperknife keys list --json --data ./data")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show every version of a key, with its policy
    #[command(after_help = "Example:\n  paperknife keys show 01997a3c-5d4e-7c21-9f00-3a5b8e7d2c10 --data ./data")]
    Show(Named),
    /// Give one of the gateway's own keys a new version; the one before still opens
    #[command(after_help = "Example:\n  paperknife keys rotate 01997a3c-5d4e-7c21-9f00-3a5b8e7d2c10 --data ./data")]
    Rotate(Named),
    /// Refuse what a key seals from now on
    #[command(after_help = "\
Example:
  paperknife keys disable 01997a3c-5d4e-7c21-9f00-3a5b8e7d2c10 --reason stolen --data ./data")]
    Disable {
        #[command(flatten)]
        key: Versioned,
        /// Why, for the record
        #[arg(long, default_value = "disabled by the operator")]
        reason: String,
    },
    /// Take a disabled key back into use
    #[command(after_help = "Example:\n  paperknife keys enable 01997a3c-5d4e-7c21-9f00-3a5b8e7d2c10 --data ./data")]
    Enable(Versioned),
    /// Erase a disabled key for good; a tombstone stays
    #[command(after_help = "Example:\n  paperknife keys destroy 01997a3c-5d4e-7c21-9f00-3a5b8e7d2c10 --data ./data")]
    Destroy(Versioned),
}

#[derive(Args, Debug)]
struct ImportArguments {
    /// JWK Set, JWK, PEM or DER; public and private; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The identity that the keys prove, where the file does not say
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// The kid, for a file of one key that does not say
    #[arg(long, value_name = "HEX", value_parser = kid)]
    kid_hex: Option<Kid>,
    /// Algorithm, where the file does not say; may be repeated
    #[arg(long, value_name = "NAME")]
    alg: Vec<String>,
    /// Profile, where the file does not say
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
struct Named {
    /// Key id
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
struct Versioned {
    /// Key id
    id: String,
    /// Only this version. Default: all
    #[arg(long)]
    version: Option<u32>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Debug)]
struct Kid(Vec<u8>);

fn kid(text: &str) -> Result<Kid, hex::FromHexError> {
    hex::decode(text).map(Kid)
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Command::Import(asked) => import(asked)?,
        Command::List { json, place } => list(&place.keystore()?.keys(TENANT)?, *json, line),
        Command::Show(asked) => show_versions(&asked.place.keystore()?, asked)?,
        Command::Rotate(asked) => {
            let rotated = asked.place.keystore()?.rotate(TENANT, &asked.id)?;
            show(&rotated, asked.json, line);
        }
        Command::Disable { key, reason } => {
            key.place.keystore()?.disable(TENANT, &key.id, key.version, reason)?;
            say(format_args!("disabled {}", key.id));
        }
        Command::Enable(key) => {
            key.place.keystore()?.enable(TENANT, &key.id, key.version)?;
            say(format_args!("enabled {}", key.id));
        }
        Command::Destroy(key) => {
            key.place.keystore()?.destroy(TENANT, &key.id, key.version)?;
            say(format_args!("destroyed {}", key.id));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Every file is all or nothing; the first that is not taken ends the import.
fn import(asked: &ImportArguments) -> Result<(), Failed> {
    let keystore = asked.place.new_keystore()?;
    let options = ImportOptions {
        kid: asked.kid_hex.as_ref().map(|kid| kid.0.clone()),
        device: asked.device.clone(),
        tenant: None,
        profile: asked.profile.clone(),
        algs: asked.alg.clone(),
        also: Vec::new(),
        ..ImportOptions::default()
    };
    for file in &asked.files {
        let imported = keystore.import(&read_bytes(file)?, &options);
        let imported = imported.map_err(|error| Failed::said(format!("{}: {error}", file.display())))?;
        imported.iter().for_each(|key| say(import_line(key)));
    }
    Ok(())
}

fn import_line(key: &Imported) -> String {
    let what = if key.updated { "updated" } else { "imported" };
    format!(
        "{what} {} version {} kid {} {}",
        key.id,
        key.version,
        key.kid_hex,
        key.device.as_deref().unwrap_or("(gateway)")
    )
}

fn show_versions(keystore: &Keystore, asked: &Named) -> Result<(), Failed> {
    let versions = keystore.key(TENANT, &asked.id)?;
    list(&versions, asked.json, |key| format!("{}\n{:#}", line(key), key.policy));
    Ok(())
}

/// Names come from files of others: escaped, so that no control character reaches the terminal.
fn line(key: &KeyInfo) -> String {
    let device = key.device.as_deref().unwrap_or("(gateway)").escape_debug();
    let algs = key.algs.join(",");
    format!("{}  v{}  {:8}  {:3}  kid {}  {device}  {algs}", key.id, key.version, key.status, key.kty, key.kid_hex)
}
