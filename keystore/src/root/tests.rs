//! Who may read the root key, and what a wrong one meets.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::Digest;

use crate::error::{AdminError, RootKeyError};
use crate::fixture::{defaults, import, key_set, on_disk};
use crate::{Keystore, OpenError};

fn open(data: &Path) -> Result<Keystore, AdminError> {
    Keystore::open(data, defaults())
}

/// Every file of the folder with a digest of its bytes.
fn files(data: &Path) -> BTreeMap<String, String> {
    let digest = |path| hex::encode(sha2::Sha256::digest(fs::read(path).unwrap()));
    let entries = fs::read_dir(data).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), digest(entry.path()))).collect()
}

fn refused(data: &Path) -> RootKeyError {
    match open(data).err() {
        Some(AdminError::RootKey(error)) => error,
        other => panic!("opened, or another error: {other:?}"),
    }
}

#[test]
fn first_start_makes_a_private_root_key() {
    let (folder, keystore) = on_disk();
    for file in ["root.key", "keystore.db"] {
        let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::read(folder.path().join("root.key")).unwrap().len(), 32);
    let names: Vec<_> = files(folder.path()).into_keys().filter(|name| name.starts_with("root")).collect();
    assert_eq!(names, ["root.key"], "no draft is left");
    drop(keystore);
    assert!(open(folder.path()).is_ok(), "and opens again");
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a b?/#%41");
    open(&data).unwrap();
    assert!(open(&data).is_ok(), "and found again under a name full of traps");
}

#[test]
fn a_root_key_that_others_may_read_is_refused() {
    let (folder, keystore) = on_disk();
    drop(keystore);
    let path = folder.path().join("root.key");
    for mode in [0o640, 0o604, 0o620, 0o660, 0o644, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(matches!(refused(folder.path()), RootKeyError::Exposed(_)), "{mode:o}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(open(folder.path()).is_ok());
}

#[test]
fn a_symlink_is_judged_by_what_it_leads_to() {
    let (folder, keystore) = on_disk();
    drop(keystore);
    let (path, elsewhere) = (folder.path().join("root.key"), folder.path().join("elsewhere"));
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(open(folder.path()).is_ok());
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(refused(folder.path()), RootKeyError::Exposed(_)));
}

#[test]
fn only_32_bytes_are_a_root_key() {
    let (folder, keystore) = on_disk();
    drop(keystore);
    let path = folder.path().join("root.key");
    for length in [0, 31, 33, 64] {
        fs::write(&path, vec![1; length]).unwrap();
        assert!(matches!(refused(folder.path()), RootKeyError::Malformed(_)), "{length} bytes");
    }
}

#[test]
fn no_new_root_key_beside_an_old_database() {
    let (folder, keystore) = on_disk();
    drop(keystore);
    fs::remove_file(folder.path().join("root.key")).unwrap();
    let before = files(folder.path());
    assert!(matches!(refused(folder.path()), RootKeyError::Missing(_)));
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_wrong_root_key_changes_nothing() {
    let (folder, keystore) = on_disk();
    import(&keystore, &key_set());
    drop(keystore);
    fs::write(folder.path().join("root.key"), [9; 32]).unwrap();
    let (before, start) = (files(folder.path()), Instant::now());
    let error = refused(folder.path());
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(matches!(error, RootKeyError::Wrong(_)));
    assert_eq!(error.to_string().lines().count(), 1);
    assert_eq!(files(folder.path()), before, "byte for byte, and no file more");
}

#[test]
fn a_wrong_root_key_after_a_crash_changes_neither_database_nor_log() {
    let (folder, keystore) = on_disk();
    import(&keystore, &key_set());
    // A crash leaves the log behind: copied while the database is open.
    let crashed = tempfile::tempdir().unwrap();
    for name in files(folder.path()).into_keys() {
        fs::copy(folder.path().join(&name), crashed.path().join(&name)).unwrap();
    }
    fs::write(crashed.path().join("root.key"), [9; 32]).unwrap();
    fs::set_permissions(crashed.path().join("root.key"), Permissions::from_mode(0o600)).unwrap();
    let durable = |data: &Path| {
        let mut files = files(data);
        files.remove("keystore.db-shm");
        files
    };
    let before = durable(crashed.path());
    assert_ne!(fs::metadata(crashed.path().join("keystore.db-wal")).unwrap().len(), 0);
    assert!(matches!(refused(crashed.path()), RootKeyError::Wrong(_)));
    assert_eq!(durable(crashed.path()), before);
}

#[test]
fn the_root_key_of_a_new_keystore_may_be_given() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root.key"), [7; 32]).unwrap();
    fs::set_permissions(folder.path().join("root.key"), Permissions::from_mode(0o600)).unwrap();
    assert!(open(folder.path()).is_ok());
    assert_eq!(fs::read(folder.path().join("root.key")).unwrap(), [7; 32]);
}

#[test]
fn a_database_that_is_none_is_a_failure() {
    let (folder, keystore) = on_disk();
    drop(keystore);
    fs::write(folder.path().join("keystore.db"), vec![0x5a; 8_192]).unwrap();
    assert!(matches!(open(folder.path()).err(), Some(AdminError::Failed(_))));
}

#[test]
fn a_newer_schema_is_left_alone() {
    let (folder, keystore) = on_disk();
    keystore.records.write(|transaction| Ok(transaction.pragma_update(None, "user_version", 99)?)).unwrap();
    drop(keystore);
    let before = files(folder.path());
    let error = open(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("newer"), "{error}");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn starts_at_once_agree_on_one_root_key() {
    let folder = tempfile::tempdir().unwrap();
    let stores = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| open(folder.path()))).collect();
        starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    let gateways: Vec<_> = stores.iter().map(|store| store.keys("default").unwrap()).collect();
    assert!(gateways.iter().all(|keys| keys.len() == 1 && *keys == gateways[0]));
}

#[test]
fn an_open_error_has_no_reason() {
    assert_eq!(OpenError::Rejected.to_string(), "not authentic");
}
