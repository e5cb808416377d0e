//! Shared test data, where it is there; what is skipped is said by name and count.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of that name, or none, with a line that says how much is skipped.
pub(crate) fn folder(name: &str, skipped: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors").join(name);
    if folder.join("manifest.json").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {skipped} ({} is not there)", folder.display());
    None
}

/// A JSON file of a folder.
pub(crate) fn json(folder: &Path, file: &str) -> Value {
    let bytes = std::fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"))
}
