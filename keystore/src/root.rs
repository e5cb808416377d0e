//! The root key's provider: a file of 32 random bytes beside the database, that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{AdminError, RootKeyError};

/// Name of the root key's file in the data folder.
const FILE: &str = "root.key";

/// 32 bytes under which the keyring is wrapped.
pub(crate) struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// Reads `root.key`; creates it (0600) where there is neither it nor a database that it should open.
    pub(crate) fn provide(data: &Path, database: &Path) -> Result<Self, AdminError> {
        let path = data.join(FILE);
        if !path.exists() {
            if database.exists() {
                return Err(RootKeyError::Missing(path.display().to_string()).into());
            }
            fs::DirBuilder::new().recursive(true).mode(0o700).create(data)?;
            create(&path)?;
        }
        Self::read(&path)
    }

    /// For a keystore in memory.
    pub(crate) fn random() -> Result<Self, AdminError> {
        let mut key = Zeroizing::new([0; 32]);
        fill(&mut key[..])?;
        Ok(Self(key))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The mode is that of the open file, so a symlink is judged by what it leads to.
    fn read(path: &Path) -> Result<Self, AdminError> {
        let mut file = File::open(path).map_err(|error| AdminError::Failed(format!("{}: {error}", path.display())))?;
        let found = file.metadata()?;
        if found.mode() & 0o077 != 0 {
            return Err(RootKeyError::Exposed(path.display().to_string()).into());
        }
        let mut key = Zeroizing::new([0; 32]);
        if !found.is_file() || found.len() != 32 || file.read_exact(&mut key[..]).is_err() {
            return Err(RootKeyError::Malformed(path.display().to_string()).into());
        }
        Ok(Self(key))
    }
}

/// Random bytes of the system's generator.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), AdminError> {
    getrandom::fill(bytes).map_err(|error| AdminError::Failed(format!("no random bytes: {error}")))
}

/// Written whole under another name, then linked: no crash leaves half a root key, and of two first starts at once the
/// second takes the first one's.
fn create(path: &Path) -> Result<(), AdminError> {
    let draft = draft_beside(path)?;
    let written = write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(AdminError::from),
    });
    fs::remove_file(&draft)?;
    written?;
    // The name must outlive a power cut before anything is sealed under the key.
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    Ok(())
}

fn draft_beside(path: &Path) -> Result<PathBuf, AdminError> {
    let mut suffix = [0; 8];
    fill(&mut suffix)?;
    Ok(path.with_extension(format!("key.{}", hex::encode(suffix))))
}

fn write(draft: &Path) -> Result<(), AdminError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(RootKey::random()?.bytes())?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests;
