//! `keys`: the keystore of a data folder, beside a running server or without one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystore::{CertificateInfo, CrlInfo, ImportOptions, Imported, KeyInfo, Keystore};
use serde_json::json;

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
  paperknife keys import sensor.pem --device urn:dev:mac:0024befffe804ff1 --kid-hex 01a2b3c4 --alg ES256 --data ./data
  paperknife keys import plant-ca.pem --anchor --device-from serial-number --data ./data
  paperknife keys import sub-ca.pem plant-ca.crl --data ./data

A certificate gives its names to one of the gateway's own keys if it is that key's. Otherwise it is an anchor with
--anchor, pinned with --device (the first certificate of each file), and else a candidate for paths, which is not trusted
for being there. Where an issuer has a CRL that is stale, badly signed or unreadable, nothing of that issuer is trusted.")]
    Import(ImportArguments),
    /// List keys, without a private or symmetric byte, then certificates and CRLs
    #[command(after_help = "Example:\n  paperknife keys list --json --data ./data")]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show every version of a key, with its policy; or an anchor, a candidate for paths, a CRL
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
    /// Remove an anchor, a candidate for paths, or a CRL: what needs it is no longer trusted
    #[command(after_help = "Example:\n  paperknife keys forget crl:5f2c…e1 --data ./data")]
    Forget {
        /// Its id, as `keys list` shows it
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Erase a disabled key for good; a tombstone stays
    #[command(after_help = "Example:\n  paperknife keys destroy 01997a3c-5d4e-7c21-9f00-3a5b8e7d2c10 --data ./data")]
    Destroy(Versioned),
}

#[derive(Args, Debug)]
struct ImportArguments {
    /// JWK Set, JWK, COSE_Key, PEM or DER; keys, certificates, chains, CRLs; public and private; `-` is standard input
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
    /// Trust these certificates of CAs: whom they certify is a sender, under the profile and algorithms given here
    #[arg(long)]
    anchor: bool,
    /// Of an anchor: where certificates name their device: hardware-module, uri, serial-number, common-name. In order;
    /// default: all four
    #[arg(long, value_name = "SOURCE,...", value_delimiter = ',', requires = "anchor")]
    device_from: Vec<String>,
    /// Of an anchor: extended key usages taken beside clientAuth and anyExtendedKeyUsage
    #[arg(long, value_name = "OID,...", value_delimiter = ',', requires = "anchor")]
    purpose: Vec<String>,
    /// Of an anchor: trust nothing whose issuer has no CRL here
    #[arg(long, requires = "anchor")]
    revocation_required: bool,
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
        Command::List { json, place } => list_all(&place.keystore()?, *json)?,
        Command::Show(asked) => show_one(&asked.place.keystore()?, asked)?,
        Command::Forget { id, place } => {
            place.keystore()?.forget(TENANT, id)?;
            say(format_args!("forgot {}", id.escape_debug()));
        }
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
        anchor: asked.anchor,
        device_from: asked.device_from.clone(),
        purposes: asked.purpose.clone(),
        revocation_required: asked.revocation_required,
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
    if key.kind != "key" {
        return format!("{what} {} {}", key.kind, key.id);
    }
    format!(
        "{what} {} version {} kid {} {}",
        key.id,
        key.version,
        key.kid_hex,
        key.device.as_deref().unwrap_or("(gateway)")
    )
}

/// Keys are the list that the API gives; certificates and CRLs stand beside it.
fn list_all(keystore: &Keystore, json: bool) -> Result<(), Failed> {
    let (keys, certificates, crls) = (keystore.keys(TENANT)?, keystore.certificates(TENANT)?, keystore.crls(TENANT)?);
    if json {
        let all = json!({ "items": keys, "next": null, "certificates": certificates, "crls": crls });
        say(format_args!("{all:#}"));
        return Ok(());
    }
    keys.iter().for_each(|key| say(line(key)));
    certificates.iter().for_each(|certificate| say(certificate_line(certificate)));
    crls.iter().for_each(|crl| say(crl_line(crl)));
    Ok(())
}

fn show_one(keystore: &Keystore, asked: &Named) -> Result<(), Failed> {
    if let Some(certificate) = keystore.certificates(TENANT)?.iter().find(|of| of.id == asked.id) {
        let policy = certificate.policy.as_ref().map(|policy| format!("\n{policy:#}")).unwrap_or_default();
        show(certificate, asked.json, |of| format!("{}{policy}", certificate_line(of)));
        return Ok(());
    }
    if let Some(crl) = keystore.crls(TENANT)?.iter().find(|of| of.id == asked.id) {
        show(crl, asked.json, crl_line);
        return Ok(());
    }
    let versions = keystore.key(TENANT, &asked.id)?;
    list(&versions, asked.json, |key| format!("{}\n{:#}", line(key), key.policy));
    Ok(())
}

fn certificate_line(of: &CertificateInfo) -> String {
    let (subject, issuer) = (of.subject.escape_debug(), of.issuer.escape_debug());
    format!("{}  {:9}  {subject}  by {issuer} serial {}  until {}", of.id, of.role, of.serial_hex, of.not_after)
}

fn crl_line(of: &CrlInfo) -> String {
    let until = of.next_update.as_deref().unwrap_or("(not said)");
    let fault = match (of.readable, of.verified) {
        (false, _) => "  CANNOT BE READ: nothing of this issuer is trusted",
        (true, false) => "  signed by no certificate that is recorded",
        (true, true) => "",
    };
    format!("{}  {}  {} revoked  until {until}{fault}", of.id, of.issuer.escape_debug(), of.revoked)
}

/// Names come from files of others: escaped, so that no control character reaches the terminal.
fn line(key: &KeyInfo) -> String {
    let device = key.device.as_deref().unwrap_or("(gateway)").escape_debug();
    let algs = key.algs.join(",");
    format!("{}  v{}  {:8}  {:3}  kid {}  {device}  {algs}", key.id, key.version, key.status, key.kty, key.kid_hex)
}
