//! Planted faults: each wall is seen to fail before it is believed to stand.

use std::collections::BTreeSet;

use super::{Room, chains, faults, source, strongroom_crates};

/// The faults of one file with this code below a `//!`.
fn planted(file: &str, code: &str) -> Vec<String> {
    let crates: BTreeSet<String> =
        ["axum", "keystore", "paperknife", "proptest", "rusqlite", "serde", "tokio"].map(str::to_owned).into();
    faults(&[(file.to_owned(), format!("//! Job.\n{code}"))], &crates)
}

fn assert_fault(file: &str, code: &str, fault: &str) {
    assert_eq!(planted(file, code), [fault], "{code}");
}

fn assert_sound(file: &str, code: &str) {
    assert_eq!(planted(file, code), Vec::<String>::new(), "{code}");
}

#[test]
fn a_forbidden_room() {
    let fault = "src/store.rs:2: `store` may not import `guard/admit`";
    for code in [
        "use crate::guard::admit;",
        "use crate::guard::admit::Admitted;",
        "use crate::{item::Item, guard::{settled::Settled, admit::{self, Admitted as A}}};",
        "fn f(a: &crate::guard::admit::Admitted) {}",
        "type A = crate::guard::admit::Admitted;",
        "macro_rules! m { () => { $crate::guard::admit::admit() } }",
    ] {
        assert_fault("src/store.rs", code, fault);
    }
}

#[test]
fn a_forbidden_room_through_one_that_is_allowed() {
    let through = "use crate::guard;\nfn f() { guard::admit::admit() }";
    assert_fault("src/store.rs", through, "src/store.rs:3: `store` may not import `guard/admit`");
    let renamed = "use crate::guard as g;\nfn f() { g::admit::admit() }";
    assert_fault("src/store.rs", renamed, "src/store.rs:3: `store` may not import `guard/admit`");
    let of_an_alias = "use crate::guard;\nuse guard::admit;";
    assert_fault("src/store.rs", of_an_alias, "src/store.rs:3: `store` may not import `guard/admit`");
}

#[test]
fn a_child_of_the_own_room() {
    let child = "use crate::store;\nfn f() { store::ledger::open() }";
    assert_fault(
        "src/relay.rs",
        &format!("struct Edge {{}}\n{child}"),
        "src/relay.rs:4: `relay` may not import `store/ledger`",
    );
    let declared = "mod admit;\nuse admit::Admitted;";
    assert_fault("src/guard.rs", declared, "src/guard.rs:3: `guard` may not import `guard/admit`");
    let by_super = "use super::admit::Admitted;";
    assert_fault(
        "src/guard/settled.rs",
        by_super,
        "src/guard/settled.rs:2: `guard/settled` may not import `guard/admit`",
    );
}

#[test]
fn a_forbidden_crate() {
    assert_fault("src/store.rs", "use axum::Router;", "src/store.rs:2: `store` may not import `axum::Router`");
    assert_fault(
        "src/store.rs",
        "fn f() -> ::axum::Router {}",
        "src/store.rs:2: `store` may not import `axum::Router`",
    );
    assert_fault("src/opening.rs", "use rusqlite as r;", "src/opening.rs:2: `opening` may not import `rusqlite`");
    assert_fault("src/codec.rs", "#[tokio::main] fn f() {}", "src/codec.rs:2: `codec` may not import `tokio::main`");
}

#[test]
fn an_item_of_a_room_is_not_the_room() {
    assert_sound("src/relay/profiles.rs", "use crate::envelope::recognise;");
    assert_sound("src/relay/profiles.rs", "use crate::envelope;\nfn f() { envelope::recognise(&[]) }");
    let parse = "use crate::envelope;\nfn f() { envelope::parse(&[]) }";
    assert_fault("src/relay/profiles.rs", parse, "src/relay/profiles.rs:3: `relay/profiles` may not import `envelope`");
    assert_sound("src/guard/admit.rs", "use keystore::key::KeyRef;");
    let operations = "use keystore::Keystore;";
    assert_fault(
        "src/guard/admit.rs",
        operations,
        "src/guard/admit.rs:2: `guard/admit` may not import `keystore::Keystore`",
    );
}

#[test]
fn the_relay_and_a_key() {
    let edge = |code: &str| format!("struct Edge {{}}\n{code}");
    for room in ["open", "opening", "payload", "delivery", "api", "guard"] {
        let fault = format!("src/relay.rs:3: `relay` may not import `{room}`");
        assert_fault("src/relay.rs", &edge(&format!("use crate::{room}::Thing;")), &fault);
    }
    let keystore = "src/relay.rs:3: `relay` may not import `keystore::Keystore`";
    assert_fault("src/relay.rs", &edge("use keystore::Keystore;"), keystore);
}

#[test]
fn a_handle_in_the_relays_state() {
    for (field, fault) in [
        ("store: Store", "`Edge` may not hold `Store`"),
        ("store: Arc<Ledger>", "`Edge` may not hold `Ledger`"),
        ("hook: Arc<dyn Fn() -> bool>", "`Edge` may not hold `Fn`"),
        ("hook: Arc<dyn Fn(Duration) -> bool>", "`Edge` may not hold `Fn`"),
        ("hook: Box<dyn Hook>", "`Edge` may not hold `dyn`"),
    ] {
        let found = planted("src/relay.rs", &format!("pub struct Edge {{ {field} }}"));
        assert!(found.contains(&format!("src/relay.rs:2: {fault}")), "{found:?}");
    }
    assert_sound(
        "src/relay.rs",
        "pub struct Edge { intake: Intake, clock: Arc<dyn Clock>, told: Arc<dyn Fn(Duration) + Send> }",
    );
    assert_fault("src/relay.rs", "pub struct Other;", "src/relay.rs: has no `struct Edge`");
}

#[test]
fn a_chain_of_rooms_to_a_key() {
    let rooms = [
        Room("relay", "", "store/intake item"),
        Room("store/intake", "", "store"),
        Room("store", "", "item opening/Reopen"),
    ];
    assert_eq!(chains(&rooms), ["relay → store/intake → store → opening"]);
    let crates = [Room("relay", "", "item"), Room("item", "", "keystore/key")];
    assert_eq!(chains(&crates), ["relay → item → keystore/key"]);
    let ring = [Room("relay", "", "item"), Room("item", "", "relay")];
    assert_eq!(chains(&ring), Vec::<String>::new());
}

#[test]
fn an_operation_on_keys_outside_open() {
    let fault = "src/opening.rs:2: `opening` may not run an operation on keys";
    assert_fault("src/opening.rs", "fn f(house: &House) { house.keystore.run(&recipe) }", fault);
    assert_fault("src/opening.rs", "fn f(house: &House) { Keystore::run(&house.keystore, &recipe) }", fault);
    let recipe = "src/opening.rs:2: `opening` may not import `keystore::recipe::Recipe`";
    assert_fault("src/opening.rs", "use keystore::recipe::Recipe;", recipe);
    assert_sound("src/open.rs", "use keystore::recipe::Recipe;\nfn f(k: &Keystore) { k.run(&recipe) }");
}

#[test]
fn a_thing_handed_on() {
    let hands_on = "src/open.rs:2: `open` hands on `guard::admit::Admitted`, which is of another room";
    for code in ["pub use crate::guard::admit::Admitted;", "pub(crate) use crate::guard::admit::Admitted;"] {
        assert_fault("src/open.rs", code, hands_on);
    }
    let child = "src/store.rs:3: `store` hands on `store::ledger::Ledger`, which is of another room";
    assert_fault("src/store.rs", "mod ledger;\npub use ledger::Ledger;", child);
}

#[test]
fn what_is_not_planned() {
    assert_fault("src/util.rs", "", "src/util.rs: unplanned module");
    assert_fault("src/guard/helpers.rs", "", "src/guard/helpers.rs: unplanned module in `guard`");
    assert_sound("src/relay/transports/mqtt.rs", "");
    assert_sound("src/guard/admit/tests.rs", "");
}

#[test]
fn what_has_no_form() {
    assert_eq!(
        faults(&[("src/item.rs".into(), "use std::fmt;".into())], &BTreeSet::new()),
        ["src/item.rs: does not open with `//!`"]
    );
    assert_fault(
        "src/guard/admit/tests.rs",
        "use super::super::sequence;",
        "src/guard/admit/tests.rs:2: `super::super`",
    );
    assert_fault("src/open.rs", "use crate::guard::*;", "src/open.rs:2: `open` imports all of `guard` by a glob");
    assert_fault("src/open.rs", "use crate::app;", "src/open.rs:2: `open` imports `app` of the crate's root");
}

#[test]
fn what_only_looks_like_an_import() {
    for code in [
        "// use crate::guard::admit;",
        "/* /* nested */ use crate::guard::admit; */",
        "const S: &str = \"crate::guard::admit\"; const R: &str = r#\"\" crate::open::x\"#; const C: char = '\"';",
        "pub(in crate::guard) fn f<'a>(s: &'a str) {}",
        "enum E { Serde } impl E { fn f() { E::Serde; Self::Serde } }",
        "use std::fmt; use serde::{Deserialize, Serialize};",
    ] {
        assert_sound("src/store.rs", code);
    }
}

#[test]
fn tests_are_set_up_with_more_but_no_key() {
    assert_sound("src/store/tests.rs", "use proptest::proptest;");
    assert_fault(
        "src/store.rs",
        "use proptest::proptest;",
        "src/store.rs:2: `store` may not import `proptest::proptest`",
    );
    assert_sound("src/store.rs", "#[cfg(test)]\nmod tests { use super::*; use proptest::proptest; }");
    assert_fault(
        "src/store/tests.rs",
        "use crate::open::Proof;",
        "src/store/tests.rs:2: `store` may not import `open`",
    );
    assert_sound("src/opening/tests.rs", "use crate::relay::Edge; use keystore::ImportOptions;");
    let keystore = "src/store/tests.rs:2: `store` may not import `keystore::Keystore`";
    assert_fault("src/store/tests.rs", "use keystore::Keystore;", keystore);
    let after = "#[cfg(test)]\nmod tests { fn f() {} }\nuse proptest::proptest;";
    assert_fault("src/store.rs", after, "src/store.rs:4: `store` may not import `proptest::proptest`");
}

#[test]
fn a_manifest_with_a_cipher() {
    let manifest =
        "[dependencies]\nserde = \"1\"\nccm = \"0.6\"\np256.workspace = true\n[dev-dependencies]\ncoset = \"1\"\n";
    assert_eq!(strongroom_crates(manifest), ["ccm", "p256"]);
}

#[test]
fn a_function_is_measured_to_its_brace() {
    let words = source::words("fn a() -> [u8; 2] {\n    if x { y }\n}\nfn b();\n", false);
    let lengths: Vec<_> = source::functions(&words).iter().map(|f| (f.name.clone(), f.last - f.first + 1)).collect();
    assert_eq!(lengths, [("a".to_owned(), 3), ("b".to_owned(), 1)]);
}
