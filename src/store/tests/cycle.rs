//! Taking, handing over, concluding: nothing acknowledged is lost, nothing is given out twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::house::{House, NOW, block_on, facts, held, item, opened, origin, refused, snapshot};
use crate::clock::FixedClock;
use crate::item::{Claims, CoseType, Item, ItemId, Origin, Reason, Sealed, Taken, Timestamp, Verdict};
use crate::store::failure::Failure;
use crate::store::ledger::Finding;
use crate::store::sqlite::connection;
use crate::store::sqlite::handover::MOST_ITEMS;
use crate::store::{Limits, Store};

fn full_item() -> Item {
    Item {
        sealed: Sealed { bytes: (*b"\xd0\x83").into(), cose_type: Some(CoseType::Encrypt0) },
        claims: Claims {
            endpoint: Some("ep".into()),
            prefix: Some("d01".into()),
            path: Some("/19/0/0".into()),
            time: Some(Timestamp::from_millis(-5)),
            seq: Some(u64::MAX),
            id: Some("m-1".into()),
            repaired: true,
        },
    }
}

#[test]
fn a_delivery_is_handed_over_as_it_came() {
    let house = House::new();
    let receipt = house.take("acme", vec![full_item(), item(b"two")]).unwrap();
    assert_eq!(receipt.items, 2);
    let taken = house.next();
    assert_eq!(taken.iter().map(|taken| taken.index).collect::<Vec<_>>(), [0, 1]);
    assert!(taken.iter().all(|taken| taken.receipt == receipt.receipt && taken.received_at == NOW));
    assert_eq!((&taken[0].sealed, &taken[0].claims), (&full_item().sealed, &full_item().claims));
    assert_eq!(house.store().ledger.pending().unwrap(), 2);
}

#[test]
fn what_is_read_back_equals_what_was_handed_over() {
    let house = House::new();
    let origin = Origin { relay: "r".into(), tenant: "t".into(), unauthenticated_sender: true };
    house.take_from(origin, vec![item(b"one"), full_item()]).unwrap();
    let handed_over = house.next();
    house.store().ledger.rewind();
    let read_back = house.next();
    assert_eq!(format!("{handed_over:?}"), format!("{read_back:?}"));
}

/// D1: the answer comes after COMMIT, so a copy of the files made after the answer has the items.
#[test]
fn an_answer_means_committed() {
    let house = House::new();
    for round in 1..=3 {
        house.take("acme", vec![item(b"sealed")]).unwrap();
        let copy = snapshot(house.data.path());
        let clock = Arc::new(FixedClock::at(NOW));
        let store = Store::open(copy.path(), Limits::default(), clock, Arc::new(())).unwrap();
        assert_eq!(store.ledger.next(Duration::ZERO, 10).unwrap().len(), round);
        assert_eq!(store.reader.counters().unwrap().conservation_error, 0);
    }
}

#[test]
fn no_answer_while_nothing_can_be_committed() {
    let house = House::new();
    let other = connection::for_writing(&connection::file(house.data.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| house.take("acme", vec![item(b"sealed")]));
        std::thread::sleep(Duration::from_millis(150));
        assert!(!taking.is_finished(), "answered before COMMIT");
        other.execute_batch("ROLLBACK").unwrap();
        taking.join().unwrap().unwrap();
    });
}

#[test]
fn an_outcome_means_committed() {
    let house = House::new();
    let outcome = house.bring(opened(facts(1)));
    let copy = snapshot(house.data.path());
    let store = Store::open(copy.path(), Limits::default(), Arc::new(FixedClock::at(NOW)), Arc::new(())).unwrap();
    assert!(store.reader.message("default", outcome.message.unwrap()).unwrap().is_some());
    assert!(store.ledger.next(Duration::ZERO, 10).unwrap().is_empty());
}

#[test]
fn a_restart_gives_out_what_is_pending_and_only_that() {
    let mut house = House::new();
    for _ in 0..4 {
        house.take("acme", vec![item(b"sealed")]).unwrap();
    }
    let taken = house.next();
    house.conclude(taken[1].id, opened(facts(1))).unwrap();
    house.restart();
    assert_eq!(house.store().ledger.pending().unwrap(), 3);
    let again = ids(&house.next());
    assert_eq!(again, [taken[0].id, taken[2].id, taken[3].id]);
    house.take("acme", vec![item(b"new")]).unwrap();
    let next = house.next();
    assert_eq!(next.len(), 1);
    assert!(next[0].id > taken[3].id, "numbers go on");
}

#[test]
fn a_rewind_gives_out_what_is_pending_again() {
    let house = House::new();
    house.take("acme", vec![item(b"a"), item(b"b"), item(b"c")]).unwrap();
    let taken = house.next();
    house.conclude(taken[0].id, refused(Reason::Malformed)).unwrap();
    assert!(house.next().is_empty(), "each once");
    house.store().ledger.rewind();
    assert_eq!(ids(&house.next()), [taken[1].id, taken[2].id]);
    assert!(house.next().is_empty());
}

/// More than memory holds: the rest comes from disk, in order, once, while more arrives.
#[test]
fn what_does_not_fit_is_read_back_once_and_in_order() {
    let house = House::new();
    let total = MOST_ITEMS * 2;
    let delivery = |count: usize| (0..count).map(|_| item(b"s")).collect::<Vec<_>>();
    house.take("acme", delivery(MOST_ITEMS - 10)).unwrap();
    house.take("acme", delivery(20)).unwrap();
    let mut given = house.store().ledger.next(Duration::ZERO, 500).unwrap();
    house.take("acme", delivery(total - MOST_ITEMS - 10)).unwrap();
    loop {
        let next = house.store().ledger.next(Duration::ZERO, 700).unwrap();
        if next.is_empty() {
            break;
        }
        given.extend(next);
    }
    let first = given[0].id.0;
    let expected: Vec<ItemId> = (first..).take(total).map(ItemId).collect();
    assert!(ids(&given) == expected, "in order, each once");
    house.take("acme", delivery(1)).unwrap();
    assert_eq!(house.next().len(), 1, "and memory is used again");
}

#[test]
fn many_relays_and_one_opener_lose_and_repeat_nothing() {
    let mut house = House::new();
    let (relays, deliveries) = (8, 200);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        for relay in 0..relays {
            let intake = house.store().intake.clone();
            scope.spawn(move || {
                for _ in 0..deliveries {
                    block_on(intake.take(origin(&format!("r{relay}")), vec![item(b"x"), item(b"y")])).unwrap();
                }
            });
        }
        while seen.len() < relays * deliveries * 2 {
            let taken = house.store().ledger.next(Duration::from_millis(50), 64).unwrap();
            let findings =
                taken.iter().map(|taken| super::house::concluding(taken.id, opened(facts(taken.id.0 as u64))));
            let outcomes = house.store().ledger.conclude(findings.collect()).unwrap();
            assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Opened));
            seen.extend(ids(&taken));
        }
    });
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    let counters = house.store().reader.counters().unwrap();
    assert_eq!((counters.conservation_error, counters.total.opened), (0, 3200));
    assert_eq!(house.store().ledger.pending().unwrap(), 0);
    house.store = None; // the last commit is told by now
    let commits = house.seen.0.lock().unwrap();
    assert!(commits.len() < 2 * relays * deliveries, "deliveries share their commits");
    let (taken, concluded) = commits.iter().fold((0, 0), |(taken, concluded), commit| {
        (taken + commit.taken.iter().map(|(_, items)| items).sum::<u64>(), concluded + commit.concluded.len())
    });
    assert_eq!((taken, concluded), (3200, 3200));
}

#[test]
fn too_much_pending_is_turned_away_and_let_in_again() {
    let house = House::with(Limits { max_pending: 2, ..Limits::default() });
    house.take("acme", vec![item(b"a"), item(b"b")]).unwrap();
    let refusal = house.take("acme", vec![item(b"c")]).unwrap_err();
    assert!(refusal.is_overload());
    let taken = house.next();
    house.conclude(taken[0].id, held(b"k")).unwrap();
    house.take("acme", vec![item(b"c")]).unwrap();
    assert!(house.take("acme", vec![item(b"d")]).unwrap_err().is_overload(), "only one was concluded");
}

#[test]
fn too_many_bytes_are_turned_away() {
    let mut house = House::with(Limits { max_pending_bytes: 10, ..Limits::default() });
    house.take("acme", vec![item(&[0; 6])]).unwrap();
    assert!(house.take("acme", vec![item(&[0; 5])]).unwrap_err().is_overload());
    house.restart();
    assert!(house.take("acme", vec![item(&[0; 5])]).unwrap_err().is_overload(), "counted anew on start");
    house.take("acme", vec![item(&[0; 4])]).unwrap();
}

#[test]
fn after_the_end_handles_say_so() {
    let mut house = House::new();
    let (intake, ledger) = (house.store().intake.clone(), house.store().ledger.clone());
    house.store.take().unwrap().close();
    assert!(matches!(block_on(intake.take(origin("acme"), vec![item(b"x")])), Err(Failure::Stopped)));
    assert!(matches!(ledger.conclude(Vec::new()), Err(Failure::Stopped)));
    assert!(intake.healthy().is_err());
}

#[test]
fn what_is_concluded_is_not_concluded_again() {
    let house = House::new();
    house.take("acme", vec![item(b"x")]).unwrap();
    let taken = house.next()[0].id;
    let twice = || vec![taken, taken].into_iter().map(|id| super::house::concluding(id, refused(Reason::AuthFailed)));
    assert_eq!(house.conclude_all(twice().collect()).len(), 1, "within a batch");
    assert!(house.conclude_all(twice().collect()).is_empty(), "and after it");
    assert!(house.conclude(ItemId(999), opened(facts(1))).is_none(), "nor what never was");
    assert_eq!(house.store().reader.counters().unwrap().total.refused, 1);
}

#[test]
fn held_items_are_found_by_reason_and_reopen_once() {
    let house = House::new();
    house.take("acme", vec![item(b"a"), item(b"b"), item(b"c")]).unwrap();
    let taken = house.next();
    for item in &taken {
        house.conclude(item.id, held(b"k")).unwrap();
    }
    let ledger = &house.store().ledger;
    let page = ledger.held(None, Reason::NoKey, 2).unwrap();
    assert_eq!(page.iter().map(|(item, _)| item.id).collect::<Vec<_>>(), [taken[0].id, taken[1].id]);
    assert_eq!(format!("{:?}", page[0].0), format!("{:?}", taken[0]));
    let Finding::Held(expected) = held(b"k") else { unreachable!() };
    assert_eq!(page[0].1, expected);
    assert_eq!(ledger.held(Some(taken[1].id), Reason::NoKey, 9).unwrap().len(), 1);
    assert!(ledger.held(None, Reason::InternalError, 9).unwrap().is_empty());

    assert_eq!(house.conclude(taken[0].id, opened(facts(1))).unwrap().verdict, Verdict::Opened);
    assert!(house.conclude(taken[0].id, opened(facts(1))).is_none(), "a second reopener finds nothing to do");
    assert_eq!(house.conclude(taken[1].id, held(b"other")).unwrap().verdict, Verdict::Held, "still held");
    let counters = house.store().reader.counters().unwrap();
    assert_eq!((counters.total.held, counters.total.opened, counters.conservation_error), (2, 1, 0));
}

fn ids(taken: &[Taken]) -> Vec<ItemId> {
    taken.iter().map(|taken| taken.id).collect()
}
