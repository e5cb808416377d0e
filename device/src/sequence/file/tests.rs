//! A counter in a real file.

use std::fs::{self, File, TryLockError};
use std::string::ToString;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{FileStorage, parse};
use crate::error::SealError;
use crate::key::Kid;
use crate::sequence::{Sequence, Storage};

#[test]
fn numbers_go_on_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state");
    let kid = Kid::new(&[1]).unwrap();
    for expected in 0..3 {
        let mut storage = FileStorage::open(&path).unwrap();
        let mut sequence = Sequence::resume(&mut storage, &kid, None, 1).unwrap();
        assert_eq!(sequence.draw(&mut storage).unwrap().value(), expected);
    }
    assert!(fs::read_to_string(&path).unwrap().ends_with("\n01 3\n"));
}

#[test]
fn counters_stand_side_by_side() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state");
    let mut storage = FileStorage::open(&path).unwrap();
    storage.store("01", 5).unwrap();
    storage.store("02.aa", 7).unwrap();
    drop(storage);
    let mut storage = FileStorage::open(&path).unwrap();
    assert_eq!(storage.load("01"), Ok(Some(5)));
    assert_eq!(storage.load("02.aa"), Ok(Some(7)));
    assert_eq!(storage.load("03"), Ok(None));
}

#[test]
fn a_damaged_file_never_starts_again_at_0() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state");
    for damaged in ["01 5", "01\n", "01 x\n", "01 -1\n", "\0\0\0\0", "01 5\n\n"] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(FileStorage::open(&path), Err(SealError::Storage(_))), "{damaged:?}");
    }
}

#[test]
fn a_second_process_has_to_wait() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state");
    let storage = FileStorage::open(&path).unwrap();
    let lock = File::options().write(true).open(folder.path().join("state.lock")).unwrap();
    assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    drop(storage);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    let fault = FileStorage::open(&folder.path().join("none/state")).unwrap_err();
    assert!(fault.to_string().contains("none/state"));
}

proptest! {
    #[test]
    fn only_whole_lines_are_read(text in "(#.{0,9}\n|[0-9a-f.]{1,8} [0-9]{1,6}\n){0,5}", cut in any::<proptest::sample::Index>()) {
        prop_assert!(parse(&text).is_some());
        let cut = cut.index(text.len() + 1);
        if text.is_char_boundary(cut) && cut > 0 && !text[..cut].ends_with('\n') {
            prop_assert!(parse(&text[..cut]).is_none());
        }
    }
}
