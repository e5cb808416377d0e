//! Every row of the table of profile.md §6, and what is reported with it.

use super::house::{House, numbered, opened, other_content};
use crate::guard::settled::{Facts, Flag, Sequenced};
use crate::item::{Reason, Span, Verdict};
use crate::store::reader::Message;

const fn span(from: u64, to: u64) -> Option<Span> {
    Some(Span { from, to })
}

fn strict(mut facts: Facts) -> Facts {
    facts.sequenced = Some(Sequenced { strict: true, ..facts.sequenced.unwrap() });
    facts
}

fn expecting(number: u64, from: u64) -> Facts {
    let mut facts = numbered(number, b"");
    facts.sequenced = Some(Sequenced { expect_from: Some(from), ..facts.sequenced.unwrap() });
    facts
}

fn gaps(house: &House) -> Vec<(u64, u64)> {
    let gaps = house.store().reader.gaps("default", "urn:dev:1").unwrap().unwrap();
    gaps.iter().map(|gap| (gap.from, gap.to)).collect()
}

fn report(message: &Message) -> (Vec<&'static str>, Option<Span>, Option<Span>, Option<Span>) {
    (message.flags.clone(), message.gap_before, message.fills, message.gap_left)
}

#[test]
fn first_and_next() {
    let house = House::new();
    assert_eq!(report(&house.open_one(numbered(400, b""))), (vec![], None, None, None), "sets the base");
    assert_eq!(report(&house.open_one(numbered(401, b""))), (vec![], None, None, None));
    assert!(gaps(&house).is_empty());
}

#[test]
fn higher_than_next_opens_a_gap() {
    let house = House::new();
    house.open_one(numbered(402, b""));
    let ahead = house.open_one(numbered(405, b""));
    assert_eq!(report(&ahead), (vec!["gap_before"], span(403, 404), None, None));
    assert_eq!(gaps(&house), [(403, 404)]);
    let gap = |commit: &crate::store::Commit| commit.concluded.iter().any(|conclusion| conclusion.gap);
    assert_eq!(house.seen.0.lock().unwrap().iter().filter(|commit| gap(commit)).count(), 1);
}

#[test]
fn in_a_hole_fills_it_and_says_what_is_left() {
    let mut house = House::new();
    house.open_one(numbered(1, b""));
    house.open_one(numbered(9, b""));
    let middle = house.open_one(numbered(5, b""));
    assert_eq!(report(&middle), (vec!["out_of_order"], None, span(5, 5), span(2, 4)));
    assert_eq!(middle.gaps_left, [Span { from: 2, to: 4 }, Span { from: 6, to: 8 }]);
    house.restart();
    assert_eq!(gaps(&house), [(2, 4), (6, 8)], "on disk");
    for number in [2, 3] {
        house.open_one(numbered(number, b""));
    }
    let closing = house.open_one(numbered(4, b""));
    assert_eq!(report(&closing), (vec!["out_of_order"], None, span(4, 4), None), "closed");
    assert_eq!(gaps(&house), [(6, 8)]);
}

#[test]
fn below_the_base_is_out_of_order() {
    let house = House::new();
    house.open_one(numbered(10, b""));
    assert_eq!(report(&house.open_one(numbered(9, b""))), (vec!["out_of_order"], None, None, None));
}

#[test]
fn a_first_number_beyond_the_expected_one_shows_a_gap_that_can_be_filled() {
    let house = House::new();
    let first = house.open_one(expecting(3, 0));
    assert_eq!(report(&first), (vec!["gap_before"], span(0, 2), None, None));
    assert_eq!(gaps(&house), [(0, 2)]);
    let filled = house.open_one(expecting(1, 0));
    assert_eq!(report(&filled), (vec!["out_of_order"], None, span(1, 1), span(0, 0)));
    assert_eq!(filled.gaps_left, [Span { from: 0, to: 0 }, Span { from: 2, to: 2 }]);
    house.open_one(expecting(0, 0));
    assert_eq!(gaps(&house), [(2, 2)]);
    house.open_one(expecting(2, 0));
    assert!(gaps(&house).is_empty());
}

#[test]
fn a_first_number_as_expected_or_below_shows_none() {
    for first in [5, 2] {
        let house = House::new();
        assert_eq!(report(&house.open_one(expecting(first, 5))), (vec![], None, None, None));
        assert!(gaps(&house).is_empty());
    }
}

#[test]
fn a_new_context_has_its_own_state_and_the_old_one_keeps_its_own() {
    let house = House::new();
    for facts in [numbered(7, &[0, 1]), numbered(8, &[0, 1]), numbered(0, &[0, 2]), numbered(1, &[0, 2])] {
        assert_eq!(report(&house.open_one(facts)), (vec![], None, None, None));
    }
    assert_eq!(house.bring(opened(numbered(7, &[0, 1]))).verdict, Verdict::Duplicate);
    let reused = house.bring(opened(other_content(numbered(7, &[0, 1]))));
    assert_eq!(reused.reason, Some(Reason::SequenceReused), "replay-proof for ever");
}

#[test]
fn an_older_context_after_a_newer_one_is_out_of_order() {
    let mut house = House::new();
    house.open_one(numbered(1, &[0, 1]));
    house.open_one(numbered(1, &[0, 2]));
    assert_eq!(house.open_one(numbered(2, &[0, 1])).flags, ["out_of_order"]);
    house.restart();
    assert_eq!(house.open_one(numbered(3, &[0, 1])).flags, ["out_of_order"], "read back");
    assert!(house.open_one(numbered(2, &[0, 2])).flags.is_empty());
    assert_eq!(house.open_one(numbered(1, &[0, 0])).flags, ["out_of_order"], "never seen, and older");
}

#[test]
fn contexts_of_other_lengths_and_random_ones_have_no_order() {
    let house = House::new();
    house.open_one(numbered(1, &[9, 9]));
    assert!(house.open_one(numbered(1, &[1])).flags.is_empty());
    house.open_one(numbered(1, &[9; 8]));
    assert!(house.open_one(numbered(1, &[1; 8])).flags.is_empty());
}

#[test]
fn strict_order_refuses_what_comes_behind_and_takes_what_comes_ahead() {
    let house = House::new();
    house.open_one(strict(numbered(1, &[0, 2])));
    assert_eq!(house.open_one(strict(numbered(4, &[0, 2]))).gap_before, span(2, 3), "a lost message blocks nothing");
    for (what, behind) in
        [("in a hole", numbered(2, &[0, 2])), ("below", numbered(0, &[0, 2])), ("older", numbered(9, &[0, 1]))]
    {
        let outcome = house.bring(opened(strict(behind)));
        assert_eq!((outcome.verdict, outcome.reason), (Verdict::Refused, Some(Reason::OrderViolated)), "{what}");
    }
    assert_eq!(house.open_one(strict(numbered(5, &[0, 2]))).gap_before, None, "and moved nothing");
}

#[test]
fn a_message_without_a_number_has_no_place_in_any_order() {
    let house = House::new();
    for identity in [1, 2] {
        assert_eq!(report(&house.open_one(super::house::facts(identity))), (vec![], None, None, None));
    }
    assert!(gaps(&house).is_empty());
}

#[test]
fn a_refused_or_held_message_moves_nothing() {
    let house = House::new();
    house.open_one(numbered(1, b""));
    house.bring(super::house::refused(Reason::AuthFailed));
    house.bring(super::house::held(b"k"));
    assert_eq!(house.open_one(numbered(2, b"")).gap_before, None);
}

#[test]
fn flags_of_the_guard_stand_beside_those_of_the_order() {
    let house = House::new();
    house.open_one(numbered(1, b""));
    let mut ahead = numbered(3, b"");
    ahead.flags = vec![Flag::EndpointMismatch, Flag::Late];
    assert_eq!(house.open_one(ahead).flags, ["gap_before", "late", "endpoint_mismatch"]);
}

#[test]
fn the_highest_number_there_is() {
    let house = House::new();
    house.open_one(numbered(u64::MAX >> 32, b""));
    let mut last = other_content(numbered(0, b""));
    last.sequenced = Some(Sequenced { number: u64::MAX, ..last.sequenced.unwrap() });
    last.proven.sequence = Some(u64::MAX);
    let message = house.open_one(last);
    assert_eq!(message.proof.sequence, Some(u64::MAX));
    assert_eq!(message.gap_before, span((u64::MAX >> 32) + 1, u64::MAX - 1));
}
