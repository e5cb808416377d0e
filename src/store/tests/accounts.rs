//! Relay accounts, from a server and beside it; and one server a folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;

use super::house::{House, NOW, block_on, item, origin};
use crate::clock::FixedClock;
use crate::store::failure::Failure;
use crate::store::intake::{Account, Known};
use crate::store::{Limits, Store};

fn account(name: &str, tenant: &str) -> Account {
    Account {
        name: name.into(),
        tenant: tenant.into(),
        profile: "raw".into(),
        options: BTreeMap::from([("path_from".into(), "header:X-Path".into())]),
        token_sha256: [0xc7; 32],
        created: NOW,
    }
}

#[test]
fn an_account_comes_back_as_it_was_and_goes() {
    let house = House::new();
    let intake = &house.store().intake;
    assert_eq!(intake.account("acme").unwrap(), None);
    intake.add_account(&account("acme", "default")).unwrap();
    assert_eq!(intake.account("acme").unwrap(), Some(account("acme", "default")));
    assert!(matches!(intake.add_account(&account("acme", "other")), Err(Failure::Conflict(name)) if name == "acme"));
    assert!(intake.remove_account("acme").unwrap());
    assert!(!intake.remove_account("acme").unwrap());
    assert_eq!(intake.account("acme").unwrap(), None);
}

#[test]
fn a_list_is_of_one_tenant() {
    let house = House::new();
    let intake = &house.store().intake;
    for (name, tenant) in [("b", "default"), ("a", "default"), ("c", "other")] {
        intake.add_account(&account(name, tenant)).unwrap();
    }
    let names: Vec<String> = intake.accounts("default").unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn administration_works_before_a_server_and_beside_it() {
    let data = TempDir::new().unwrap();
    let accounts = Store::administer(data.path()).unwrap();
    accounts.add(&account("before", "default")).unwrap();
    let store = Store::open(data.path(), Limits::default(), Arc::new(FixedClock::at(NOW)), Arc::new(())).unwrap();
    assert!(store.intake.account("before").unwrap().is_some());
    let accounts = Store::administer(data.path()).unwrap();
    accounts.add(&account("beside", "default")).unwrap();
    assert!(store.intake.account("beside").unwrap().is_some(), "seen at once");
    assert_eq!(accounts.accounts("default").unwrap().len(), 2);
    assert!(accounts.remove("beside").unwrap());
    assert!(store.intake.account("beside").unwrap().is_none());
}

#[test]
fn a_delivery_of_an_account_that_others_have_changed_is_not_taken() {
    let house = House::new();
    let (intake, beside) = (&house.store().intake, Store::administer(house.data.path()).unwrap());
    ["acme", "other"].iter().for_each(|name| beside.add(&account(name, "default")).unwrap());
    let known = |name| intake.known(name).unwrap().unwrap();
    let bring = |known: Known| {
        house.watched(|store| block_on(store.intake.take_from(known, origin("acme"), vec![item(b"sealed")])))
    };
    bring(known("acme")).unwrap();
    let (acme, other) = (known("acme"), known("other"));
    assert!(beside.remove("acme").unwrap());
    assert!(intake.remembered("acme").is_some(), "nobody has told us");
    assert!(matches!(bring(acme), Err(Failure::AccountChanged)));
    bring(other).unwrap();
    assert!(intake.remembered("acme").is_none() && intake.known("acme").unwrap().is_none());
    assert_eq!(house.store().reader.counters().unwrap().total.received, 2);
}

#[test]
fn what_this_server_changes_is_forgotten_at_once() {
    let house = House::new();
    let intake = &house.store().intake;
    intake.add_account(&account("acme", "default")).unwrap();
    intake.known("acme").unwrap().unwrap();
    assert!(intake.remembered("acme").is_some());
    assert!(intake.remove_account("acme").unwrap());
    assert!(intake.remembered("acme").is_none());
}

#[test]
fn a_second_server_on_the_folder_is_refused_and_one_after_it_is_not() {
    let mut house = House::new();
    let second = Store::open(house.data.path(), Limits::default(), Arc::new(FixedClock::at(NOW)), Arc::new(()));
    let failure = second.err().unwrap();
    assert!(matches!(failure, Failure::InUse(_)));
    assert_eq!(failure.to_string(), format!("another server is running on {}", house.data.path().display()));
    house.restart();
}

#[test]
fn the_token_hash_is_not_shown() {
    let shown = format!("{:?}", account("acme", "default"));
    assert!(shown.contains("acme") && !shown.contains("199") && !shown.contains("c7"), "{shown}");
}
