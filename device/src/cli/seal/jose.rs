//! `seal --structure jwe` and `jws`.

use clap::{Args, ValueEnum};
use paperknife_device::jose::Serialization;
use paperknife_device::jose::algorithm::{Encryption, Management, Signature};
use paperknife_device::jose::header::Header;
use paperknife_device::jose::jwe::{Jwe, Recipient};
use paperknife_device::jose::jws::{Jws, Signer};
use paperknife_device::provision::SysRng;
use serde_json::Value;

use super::structure::Place;
use super::{Arguments, names};
use crate::cli::{Fault, file};

/// What JOSE needs beside algorithm and keys.
#[derive(Args)]
#[group(id = "jose")]
pub(super) struct Parts {
    /// How a JWE or JWS is written down
    #[arg(long, value_enum, value_name = "FORM", default_value = "compact")]
    serialization: Form,
    /// Protected header parameter of a JWE or JWS; a value that is no JSON is text. Repeat for several
    #[arg(long = "header", value_name = "NAME=JSON", value_parser = parameter)]
    headers: Vec<(String, Value)>,
    /// Compress the content of a JWE
    #[arg(long)]
    compressed: bool,
    /// Sign the payload of a JWS as it is (RFC 7797)
    #[arg(long)]
    unencoded: bool,
}

/// A serialization's name.
#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Compact,
    Flattened,
    General,
}

impl Parts {
    const fn serialization(&self) -> Serialization {
        match self.serialization {
            Form::Compact => Serialization::Compact,
            Form::Flattened => Serialization::Flattened,
            Form::General => Serialization::General,
        }
    }

    fn protected(&self) -> Header {
        self.headers.iter().fold(Header::new(), |header, (name, value)| header.with(name, value.clone()))
    }
}

pub(super) fn jwe(all: &Arguments, parts: &Parts, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let encryption = encryption(all.alg.as_deref().unwrap_or_default())?;
    let recipient = |(name, place): &(String, Place)| Ok(Recipient::new(management(name)?, place.key()?));
    let recipients = all.structure.recipients.iter().map(recipient).collect::<Result<_, Fault>>()?;
    let jwe = Jwe {
        serialization: parts.serialization(),
        protected: parts.protected(),
        aad: all.structure.aad.clone().map(|aad| aad.0),
        compressed: parts.compressed,
        ..Jwe::new(encryption, recipients)
    };
    Ok(jwe.seal(content, &mut SysRng)?.into_bytes())
}

pub(super) fn jws(all: &Arguments, parts: &Parts, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let signer = |(name, place): &(String, Place)| {
        let known = || names(Signature::ALL.iter().map(|one| one.name()));
        let algorithm = Signature::from_name(name).ok_or_else(|| Fault::Algorithm(known()))?;
        Ok(Signer { protected: parts.protected(), ..Signer::new(algorithm, place.key()?) })
    };
    let signers = all.structure.signers.iter().map(signer).collect::<Result<_, Fault>>()?;
    let detached = all.structure.detach.is_some();
    let jws = Jws { signers, serialization: parts.serialization(), detached, unencoded: parts.unencoded };
    let sealed = jws.seal(content)?;
    if let Some(path) = &all.structure.detach {
        std::fs::write(path, content).map_err(file(path))?;
    }
    Ok(sealed.into_bytes())
}

pub(super) fn encryption(name: &str) -> Result<Encryption, Fault> {
    let known = || names(Encryption::ALL.iter().map(|one| one.name()));
    Encryption::from_name(name).ok_or_else(|| Fault::Algorithm(known()))
}

pub(super) fn management(name: &str) -> Result<Management, Fault> {
    let known = || names(Management::ALL.iter().map(|one| one.name()));
    Management::from_name(name).ok_or_else(|| Fault::Algorithm(known()))
}

fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=JSON")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}
