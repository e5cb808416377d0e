//! Accounts and tokens against a real store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::SystemClock;
use crate::relay::accounts::{Place, Request, Token, Unmade, authenticate, make, origin};
use crate::store::{Limits, Store};

fn store() -> (tempfile::TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), Limits::default(), Arc::new(SystemClock), Arc::new(())).unwrap();
    (data, store)
}

fn add(store: &Store, request: Request) -> Token {
    let (account, token) = make(&SystemClock, request).unwrap();
    store.intake.add_account(&account).unwrap();
    token
}

fn request(name: &str, options: &[(&str, &str)]) -> Request {
    let options: BTreeMap<_, _> = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Request { name: name.into(), tenant: "default".into(), profile: "raw".into(), options }
}

#[test]
fn a_token_opens_its_own_account_alone() {
    let (_data, store) = store();
    let a = add(&store, request("a", &[]));
    let b = add(&store, request("b", &[("token_in_path", "true")]));
    let opens =
        |name: &str, token: Option<&str>, place| authenticate(&store.intake, name, token, place).unwrap().is_some();
    assert!(opens("a", Some(a.reveal()), Place::Header) && opens("b", Some(b.reveal()), Place::Path));
    assert!(!opens("a", Some(b.reveal()), Place::Header) && !opens("a", Some(a.reveal()), Place::Path));
    assert!(!opens("a", None, Place::Header) && !opens("c", Some(a.reveal()), Place::Header));
    assert!(!opens("a", Some(""), Place::Header));
}

#[test]
fn tokens_are_long_different_and_kept_as_a_hash_only() {
    let (_data, store) = store();
    let a = add(&store, request("a", &[]));
    let b = add(&store, request("b", &[]));
    assert!(a.reveal().starts_with("pkr_") && a.reveal().len() == 47 && a.reveal() != b.reveal());
    let kept = store.intake.account("a").unwrap().unwrap();
    assert!(!format!("{kept:?}").contains(a.reveal()));
}

#[test]
fn what_is_no_account_is_not_made() {
    let made = |request| make(&SystemClock, request);
    assert!(made(request("a", &[])).is_ok());
    for name in ["", "a/b", "a b", "é", &"a".repeat(65)] {
        assert!(matches!(made(request(name, &[])), Err(Unmade::Name)), "{name}");
    }
    assert!(matches!(made(request("b", &[("token_in_path", "yes")])), Err(Unmade::Option(_))));
    assert!(matches!(made(request("b", &[("no_such_option", "x")])), Err(Unmade::Profile(_))));
    assert!(matches!(made(Request { profile: "none".into(), ..request("b", &[]) }), Err(Unmade::Profile(_))));
}

#[test]
fn the_policy_of_the_account_goes_with_its_deliveries() {
    let (_data, store) = store();
    add(&store, request("strict", &[]));
    add(&store, request("open", &[("unauthenticated_sender", "true")]));
    let lets_through = |name| origin(&store.intake.account(name).unwrap().unwrap()).unauthenticated_sender;
    assert!(!lets_through("strict") && lets_through("open"));
}
