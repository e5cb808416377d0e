//! What an envelope is opened with: the files that the command line names, read once.

use std::path::{Path, PathBuf};

use keystore::key::Algorithm;
use keystore::{Defaults, ImportOptions, Imported, Keystore};

use crate::cli::{Failed, read_bytes};

use super::Arguments;

/// Files of keys, certificates and CRLs.
#[derive(Default)]
pub(super) struct Given {
    anchors: Vec<File>,
    keys: Vec<File>,
    password: Option<Vec<u8>>,
    crls: Vec<File>,
}

struct File {
    name: PathBuf,
    bytes: Vec<u8>,
}

impl Given {
    pub(super) fn read(arguments: &Arguments) -> Result<Self, Failed> {
        let keys: Vec<_> = arguments.jwks.iter().chain(&arguments.key).cloned().collect();
        Ok(Self {
            anchors: files(&arguments.anchors)?,
            keys: files(&keys)?,
            password: arguments.password_file.as_deref().map(password).transpose()?,
            crls: files(&arguments.crl)?,
        })
    }

    /// A keystore in memory that holds all of it. `off`: what keys that name no algorithm may run beside.
    pub(super) fn keystore(&self, defaults: Defaults, off: &[Algorithm]) -> Result<Keystore, Failed> {
        let keystore = Keystore::ephemeral(defaults)?;
        let options = |anchor| ImportOptions { also: off.to_vec(), anchor, ..ImportOptions::default() };
        // Where there are anchors the path decides, so they come first. CRLs come last: which of an issuer's is kept
        // depends on the certificates that they verify under.
        for file in &self.anchors {
            import(&keystore, file, &options(true))?;
        }
        for file in &self.keys {
            import(&keystore, file, &options(false))?;
        }
        if let Some(password) = &self.password {
            keystore
                .import_password(password, &options(false))
                .map_err(|error| Failed::said(format!("the password: {error}")))?;
        }
        for file in &self.crls {
            let imported = import(&keystore, file, &options(false))?;
            if imported.iter().any(|of| of.kind != "crl") {
                return Err(Failed::said(format!("{}: is not a CRL", file.name.display())));
            }
        }
        Ok(keystore)
    }

    /// Key files that are JSON.
    pub(super) fn records(&self) -> Vec<serde_json::Value> {
        self.keys.iter().filter_map(|file| serde_json::from_slice(&file.bytes).ok()).collect()
    }

    /// The same without those key files.
    pub(super) fn without_records(mut self) -> Self {
        self.keys.retain(|file| serde_json::from_slice::<serde::de::IgnoredAny>(&file.bytes).is_err());
        self
    }
}

fn files(names: &[PathBuf]) -> Result<Vec<File>, Failed> {
    names.iter().map(|name| Ok(File { name: name.clone(), bytes: read_bytes(name)? })).collect()
}

fn import(keystore: &Keystore, file: &File, options: &ImportOptions) -> Result<Vec<Imported>, Failed> {
    let imported = keystore.import(&file.bytes, options);
    imported.map_err(|error| Failed::said(format!("{}: {error}", file.name.display())))
}

/// A password, without the line end that an editor leaves after it.
fn password(file: &Path) -> Result<Vec<u8>, Failed> {
    let mut password = read_bytes(file)?;
    password.pop_if(|last| *last == b'\n');
    Ok(password)
}
