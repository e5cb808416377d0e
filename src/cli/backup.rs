//! `backup` and `restore`: store and keystore together, while the gateway runs, and back again.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use keystore::{Defaults, Keystore};
use serde::{Deserialize, Serialize};

use crate::cli::{Failed, Place, existing, now, say};
use crate::item::Timestamp;
use crate::store::backup::{self, Epoch};

/// What a copy says of itself.
const LABEL: &str = "backup.json";
/// The root key, in a data folder and, where it was asked for, in a copy.
const ROOT_KEY: &str = "root.key";

/// Copy store and keystore, also while the gateway runs
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  paperknife backup /backups/2026-11-24 --data ./data

The copy holds messages in the clear. It opens with root.key alone: keep that apart from it.")]
pub(super) struct Backup {
    /// Folder to make
    #[arg(value_name = "FOLDER")]
    into: PathBuf,
    /// Copy root.key too: whoever has the copy then has everything
    #[arg(long)]
    with_root_key: bool,
    #[command(flatten)]
    place: Place,
}

/// Make a data folder of a copy
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  paperknife restore /backups/2026-11-24 --root-key /safe/root.key --data ./data

Every page of the store is checked and every key unsealed before the data folder is there. What was taken after the
copy was made is not in it; what relays send again of that is taken as new, and what the copy holds is a duplicate.")]
pub(super) struct Restore {
    /// Folder that `backup` made
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    /// The root key, where the copy does not hold it
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    backed_up_at: Timestamp,
    version: String,
}

pub(super) fn back_up(arguments: &Backup) -> Result<ExitCode, Failed> {
    let data = arguments.place.settle()?.config.server.data;
    existing(&data)?;
    appear(&arguments.into, |folder| {
        let backed_up_at = now();
        // The store first: what the keystore gained meanwhile is more than it needs, never less.
        backup::back_up(&data, folder)?;
        Keystore::open(&data, Defaults::default())?.back_up(&folder.join("keystore.db"))?;
        if arguments.with_root_key {
            copy_key(&data.join(ROOT_KEY), folder)?;
        }
        let label = Label { backed_up_at, version: env!("CARGO_PKG_VERSION").to_owned() };
        let file = folder.join(LABEL);
        fs::write(&file, format!("{:#}\n", serde_json::json!(label))).map_err(Failed::io(file.display()))
    })?;
    say(format_args!("copied to {}", arguments.into.display()));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn restore(arguments: &Restore) -> Result<ExitCode, Failed> {
    let (from, data) = (&arguments.from, arguments.place.settle()?.config.server.data);
    let label = fs::read_to_string(from.join(LABEL)).map_err(Failed::io(from.join(LABEL).display()))?;
    let label: Label = serde_json::from_str(&label).map_err(|error| Failed::said(format!("{LABEL}: {error}")))?;
    let mut keys = 0;
    appear(&data, |folder| {
        let root_key = arguments.root_key.clone().unwrap_or_else(|| from.join(ROOT_KEY));
        copy_key(&root_key, folder)?;
        let (copy, own) = (from.join("keystore.db"), folder.join("keystore.db"));
        fs::copy(&copy, own).map_err(Failed::io(copy.display()))?;
        keys = Keystore::open(folder, Defaults::default())?.verify()?;
        Ok(backup::restore(from, folder, Epoch { restored_at: now(), backed_up_at: label.backed_up_at })?)
    })?;
    say(format_args!("restored what was there at {}; {keys} keys unsealed", label.backed_up_at));
    Ok(ExitCode::SUCCESS)
}

/// Fills a folder under another name, and gives it its own when all of it is on disk: a folder of that name is whole,
/// and none is overwritten.
fn appear(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), Failed>) -> Result<(), Failed> {
    if folder.exists() {
        return Err(Failed::said(format!("{} is there already", folder.display())));
    }
    // Without a slash at its end, if it has one.
    let mut partial = folder.components().collect::<PathBuf>().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    match fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Failed::io(partial.display())(error)),
        _ => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&partial).map_err(Failed::io(partial.display()))?;
    fill(&partial)?;
    let settled = fs::read_dir(&partial)
        .and_then(|mut entries| entries.try_for_each(|entry| File::open(entry?.path())?.sync_all()))
        .and_then(|()| File::open(&partial)?.sync_all())
        .and_then(|()| fs::rename(&partial, folder));
    settled.map_err(Failed::io(folder.display()))
}

fn copy_key(from: &Path, folder: &Path) -> Result<(), Failed> {
    let to = folder.join(ROOT_KEY);
    let copied = File::open(from).and_then(|mut key| {
        let mut copy = File::options().write(true).create_new(true).mode(0o600).open(&to)?;
        std::io::copy(&mut key, &mut copy)
    });
    copied.map(drop).map_err(Failed::io(from.display()))
}
