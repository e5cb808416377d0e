//! Counters in a text file: replaced as a whole, synced before use, locked against a second process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::{format, io};

use super::Storage;
use crate::error::SealError;

const HEADING: &str = "# paperknife-device: the next sequence number of each key. Never copy this file or set it back:\n\
                       # a number used twice gives the key away.\n";

/// Counters in a file, one `NAME NEXT` a line. Held open under a lock (`FILE.lock`) for as long as this value lives.
#[derive(Debug)]
pub struct FileStorage {
    path: PathBuf,
    counters: BTreeMap<String, u64>,
    _lock: File,
}

impl FileStorage {
    /// Reads the file, or starts with none; waits while another process holds it. A damaged file is an error: to start
    /// again at 0 would repeat nonces.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let lock = lock(path).map_err(|error| failure(path, &error))?;
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failure(path, &error)),
        };
        let counters = parse(&text).ok_or_else(|| failure(path, &"not a file of sequence numbers"))?;
        Ok(Self { path: path.to_path_buf(), counters, _lock: lock })
    }

    fn write(&self) -> io::Result<()> {
        let temporary = beside(&self.path, "new");
        let mut file = File::create(&temporary)?;
        file.write_all(HEADING.as_bytes())?;
        for (counter, next) in &self.counters {
            writeln!(file, "{counter} {next}")?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        // the rename is durable only once its directory is
        File::open(directory(&self.path))?.sync_all()
    }
}

impl Storage for FileStorage {
    fn load(&mut self, counter: &str) -> Result<Option<u64>, SealError> {
        Ok(self.counters.get(counter).copied())
    }

    fn store(&mut self, counter: &str, next: u64) -> Result<(), SealError> {
        self.counters.insert(counter.to_string(), next);
        self.write().map_err(|error| failure(&self.path, &error))
    }
}

/// The counters; none where the text is anything but whole lines.
fn parse(text: &str) -> Option<BTreeMap<String, u64>> {
    if !(text.is_empty() || text.ends_with('\n')) {
        return None;
    }
    text.lines().filter(|line| !line.starts_with('#')).map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(String, u64)> {
    let (counter, next) = line.split_once(' ')?;
    Some((counter.to_string(), next.parse().ok()?))
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(beside(path, "lock"))?;
    file.lock()?;
    Ok(file)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{suffix}"));
    PathBuf::from(name)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn failure(path: &Path, error: &dyn core::fmt::Display) -> SealError {
    SealError::Storage(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
