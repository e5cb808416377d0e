//! Departures by name.

use super::{Compat, Departure};

#[test]
fn a_departure_is_allowed_by_its_name_alone() {
    for departure in Departure::ALL {
        let mut compat = Compat::default();
        assert!(!compat.allows(*departure));
        compat.allow(departure.as_str()).unwrap();
        let others = Departure::ALL.iter().filter(|other| *other != departure);
        assert!(
            compat.allows(*departure)
                && others.clone().count() == Departure::ALL.len() - 1
                && others.cloned().all(|other| !compat.allows(other))
        );
    }
}

#[test]
fn labels_are_understood_by_name_and_all_is_everything() {
    let mut compat = Compat::default();
    compat.allow("crit-understood:reserved").unwrap();
    assert!(compat.understands("reserved") && !compat.understands("999"));
    compat.allow("all").unwrap();
    assert!(compat.understands("999") && compat.allows(Departure::TextKid));
    assert!(compat.allow("everything").unwrap_err().contains("text-kid"));
}

#[test]
fn a_record_adds_to_what_the_caller_allows_and_never_everything() {
    let of = |names: &[&str]| Compat::STRICT.with(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    let some = of(&["text-kid", "crit-understood:5"]);
    assert!(some.allows(Departure::TextKid) && some.understands("5") && !some.understands("6"));
    assert!(some.covers(&of(&["text-kid"])) && !of(&["text-kid"]).covers(&some));
    assert!(Compat::everything().covers(&some) && !some.covers(&Compat::everything()));
    assert_eq!(of(&["all"]), *Compat::STRICT);
}
