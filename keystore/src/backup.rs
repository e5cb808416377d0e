//! A copy of the keystore while it is in use, and the proof that a copy is whole. The copy holds what the file holds:
//! records sealed under data keys that the root key wraps. The root key is not in it.

use std::path::Path;

use crate::Keystore;
use crate::error::AdminError;
use crate::records::key;

impl Keystore {
    /// Writes a copy of `keystore.db` to `file`, which must not be there: one state of it, whatever is written meanwhile.
    pub fn back_up(&self, file: &Path) -> Result<(), AdminError> {
        let name = file.to_str().ok_or_else(|| AdminError::Invalid("the file's name is not UTF-8".to_owned()))?;
        self.records.read(|connection| Ok(connection.execute("VACUUM INTO ?", [name]).map(drop)?))
    }

    /// Unseals every record, and forgets it again; how many there are.
    pub fn verify(&self) -> Result<usize, AdminError> {
        self.records.read(|connection| {
            let mut statement = connection.prepare("SELECT DISTINCT tenant FROM key")?;
            let tenants: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut count = 0;
            for tenant in tenants {
                for found in key::by_tenant(connection, &self.ring, &tenant)? {
                    let row = found.map_err(AdminError::Tampered)?;
                    if row.sealed.is_some() {
                        row.unseal(&self.ring).map_err(|_| AdminError::Tampered(row.id.clone()))?;
                    }
                    count += 1;
                }
            }
            Ok(count)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{defaults, import, key_set, on_disk};
    use crate::{AdminError, Keystore};

    #[test]
    fn a_copy_opens_under_the_same_root_key_alone_and_every_record_unseals() {
        let (folder, keystore) = on_disk();
        import(&keystore, &key_set());
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join("keystore.db");
        keystore.back_up(&file).unwrap();
        let refused = Keystore::open(copy.path(), defaults());
        assert!(matches!(refused, Err(AdminError::RootKey(_))), "without the root key");
        std::fs::copy(folder.path().join("root.key"), copy.path().join("root.key")).unwrap();
        let restored = Keystore::open(copy.path(), defaults()).unwrap();
        assert_eq!(restored.verify().unwrap(), keystore.verify().unwrap());
        let spoilt = "UPDATE key SET sealed = zeroblob(length(sealed)) WHERE sealed NOT NULL";
        restored.records.write(|transaction| Ok(transaction.execute_batch(spoilt)?)).unwrap();
        assert!(matches!(restored.verify(), Err(AdminError::Tampered(_))));
    }
}
