//! Sealed records and row MACs by themselves.

use rusqlite::types::ValueRef;

use super::{HEADER, Ring, SEALS_MAX, covered};
use crate::fixture::{import, key, key_set, on_disk};
use crate::root::RootKey;

fn dek() -> std::sync::Arc<super::Dek> {
    let ring = Ring::locked(&RootKey::random().unwrap()).unwrap();
    std::sync::Arc::new(ring.root)
}

#[test]
fn a_record_opens_with_its_own_aad_alone() {
    let dek = dek();
    let record = dek.seal(b"row", b"secret").unwrap();
    assert_eq!(record.len(), HEADER + 6 + 16);
    assert_eq!(record[..5], [1, 0, 0, 0, 0]);
    assert_eq!(*dek.unseal(b"row", &record).unwrap(), b"secret");
    assert!(dek.unseal(b"another row", &record).is_err());
    for bit in 0..record.len() * 8 {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(dek.unseal(b"row", &flipped).is_err(), "bit {bit}");
    }
    for length in 0..record.len() {
        assert!(dek.unseal(b"row", &record[..length]).is_err(), "cut to {length}");
    }
    assert_ne!(record, dek.seal(b"row", b"secret").unwrap(), "a nonce is drawn for each");
}

#[test]
fn what_a_mac_covers_tells_columns_apart() {
    let of = |columns: &[ValueRef<'_>]| covered("key", columns.iter().copied());
    let distinct = [
        of(&[ValueRef::Text(b"ab"), ValueRef::Text(b"c")]),
        of(&[ValueRef::Text(b"a"), ValueRef::Text(b"bc")]),
        of(&[ValueRef::Blob(b"ab"), ValueRef::Text(b"c")]),
        of(&[ValueRef::Null, ValueRef::Text(b"c")]),
        of(&[ValueRef::Text(b""), ValueRef::Text(b"c")]),
        of(&[ValueRef::Integer(0), ValueRef::Text(b"c")]),
        of(&[ValueRef::Text(b"ab")]),
        covered("token", [ValueRef::Text(b"ab"), ValueRef::Text(b"c")].into_iter()),
    ];
    for (at, one) in distinct.iter().enumerate() {
        assert!(!distinct[..at].contains(one), "{at}");
    }
}

#[test]
fn at_its_limit_a_data_key_hands_over() {
    let (folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let before = keystore.ring.read().len();
    keystore.write(SEALS_MAX - 1, |_, _| Ok(())).unwrap();
    assert_eq!(keystore.ring.read().len(), before + 1);
    // Old records open under the old key, the same symmetric key is known again, new records are under the new one.
    key(&keystore, "01a2b3c4");
    assert!(import(&keystore, &key_set()).iter().all(|key| key.updated));
    drop(keystore);
    let again = crate::Keystore::open(folder.path(), crate::fixture::defaults()).unwrap();
    key(&again, "01a2b3c4");
    again.token_add("t", &[crate::Scope::Read], "default").unwrap();
}

#[test]
fn another_process_may_add_a_data_key() {
    let (folder, keystore) = on_disk();
    let other = crate::Keystore::open(folder.path(), crate::fixture::defaults()).unwrap();
    other.write(SEALS_MAX - 1, |_, _| Ok(())).unwrap();
    import(&other, &key_set());
    let token = other.token_add("t", &[crate::Scope::Read], "default").unwrap();
    key(&keystore, "01a2b3c4");
    assert!(keystore.token_check(&token).unwrap().is_some());
}
