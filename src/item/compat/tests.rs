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
