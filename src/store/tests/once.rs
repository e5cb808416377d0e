//! The same authenticated content has one effect (threats.md A1).

use super::house::{House, counter, facts, numbered, opened, other_content, with_payload};
use crate::guard::settled::{Counter, Facts, Sequenced};
use crate::item::{Reason, Verdict};
use crate::payload::{Payload, Value};
use crate::store::reader::{MessageFilter, PageRequest};

#[test]
fn the_same_content_again_names_the_first_message() {
    let mut house = House::new();
    let first = house.bring(opened(facts(1)));
    let second = house.bring(opened(facts(1)));
    assert_eq!((second.verdict, second.message), (Verdict::Duplicate, first.message));
    house.restart();
    let third = house.bring(opened(facts(1)));
    assert_eq!((third.verdict, third.message), (Verdict::Duplicate, first.message), "after a restart");
    let messages =
        house.store().reader.messages("default", &MessageFilter::default(), &PageRequest::default(), false).unwrap();
    assert_eq!(messages.items.len(), 1);
    let device = house.store().reader.device("default", "urn:dev:1").unwrap().unwrap();
    assert_eq!((device.counts.opened, device.counts.duplicate), (1, 2));
}

#[test]
fn twice_in_one_batch_is_once() {
    let house = House::new();
    house.take("acme", vec![super::house::item(b"a"), super::house::item(b"b")]).unwrap();
    let findings = house.next().iter().map(|taken| super::house::concluding(taken.id, opened(facts(1)))).collect();
    let outcomes = house.conclude_all(findings);
    assert_eq!(
        outcomes.iter().map(|outcome| outcome.verdict).collect::<Vec<_>>(),
        [Verdict::Opened, Verdict::Duplicate]
    );
    assert_eq!(outcomes[0].message, outcomes[1].message);
}

#[test]
fn a_duplicate_adds_no_reading_and_no_sign_of_life() {
    let house = House::new();
    let reading = super::house::reading("/3303/0/5700", Value::Number(21.5), super::house::NOW);
    let payload = Payload { readings: vec![reading], error: None };
    house.bring(with_payload(facts(1), payload.clone()));
    house.clock.set(super::house::NOW.plus_seconds(60));
    house.bring(with_payload(facts(1), payload));
    let readings =
        house.store().reader.readings("default", &Default::default(), &PageRequest::default()).unwrap().items;
    assert_eq!(readings.len(), 1);
    let device = house.store().reader.device("default", "urn:dev:1").unwrap().unwrap();
    assert_eq!(device.last_seen, Some(super::house::NOW), "a replay proves nothing of today");
}

#[test]
fn the_same_number_with_other_content_is_refused_and_changes_nothing() {
    let house = House::new();
    house.open_one(numbered(1, b""));
    let reused = house.bring(opened(other_content(numbered(1, b""))));
    assert_eq!((reused.verdict, reused.reason, reused.message), (Verdict::Refused, Some(Reason::SequenceReused), None));
    assert_eq!(house.bring(opened(numbered(1, b""))).verdict, Verdict::Duplicate, "the first stands");
    let next = house.open_one(numbered(2, b""));
    assert_eq!(next.gap_before, None);
    let refusals =
        house.store().reader.refusals("default", &Default::default(), &PageRequest::default(), false).unwrap().items;
    assert_eq!(refusals[0].device.as_deref(), Some("urn:dev:1"), "it is authentic");
    let device = house.store().reader.device("default", "urn:dev:1").unwrap().unwrap();
    assert_eq!(device.counts.refused, 1);
}

/// Shape G: counted under the symmetric key, remembered under the signing key.
fn shape_g(number: u64) -> Facts {
    let mut facts = numbered(number, b"");
    facts.sequenced = Some(Sequenced { also: Some(counter("sign", b"")), ..facts.sequenced.unwrap() });
    facts
}

/// Shape P of the same device: counted under the signing key.
fn shape_p(number: u64) -> Facts {
    let mut facts = numbered(number, b"");
    facts.sequenced = Some(Sequenced { counter: counter("sign", b""), ..facts.sequenced.unwrap() });
    facts
}

#[test]
fn signed_content_brought_back_in_another_shape_is_a_duplicate() {
    let house = House::new();
    let first = house.bring(opened(shape_g(5)));
    let again = house.bring(opened(shape_p(5)));
    assert_eq!((again.verdict, again.message), (Verdict::Duplicate, first.message));
}

#[test]
fn a_number_remembered_under_the_signing_key_is_taken_in_either_direction() {
    let house = House::new();
    house.open_one(shape_g(5));
    let p = house.bring(opened(other_content(shape_p(5))));
    assert_eq!(p.reason, Some(Reason::SequenceReused));
    house.open_one(shape_p(6));
    let g = house.bring(opened(other_content(shape_g(6))));
    assert_eq!(g.reason, Some(Reason::SequenceReused));
    assert_eq!(house.open_one(shape_g(7)).gap_before.map(|gap| (gap.from, gap.to)), Some((6, 6)));
}

#[test]
fn a_counter_that_is_only_remembered_names_no_gaps() {
    let house = House::new();
    for number in [1, 2, 9] {
        house.open_one(shape_g(number));
    }
    let keys = |house: &House| {
        let gaps = house.store().reader.gaps("default", "urn:dev:1").unwrap().unwrap();
        gaps.into_iter().map(|gap| (gap.key, gap.from, gap.to)).collect::<Vec<_>>()
    };
    assert_eq!(keys(&house), [("k1".to_owned(), 3, 8)]);
    house.open_one(shape_p(10));
    assert_eq!(keys(&house), [("k1".to_owned(), 3, 8), ("sign".to_owned(), 3, 8)], "once it counts, its holes do");
}

#[test]
fn counters_of_other_tenants_keys_and_versions_are_others() {
    let house = House::new();
    house.open_one(numbered(5, b""));
    let mut newer = other_content(numbered(5, b""));
    let counter = Counter { key_version: 2, ..counter("k1", b"") };
    newer.sequenced = Some(Sequenced { counter, ..newer.sequenced.unwrap() });
    house.open_one(newer);
}
