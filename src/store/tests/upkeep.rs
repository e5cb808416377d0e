//! Caps, retention, and the index behind the messages.

use std::time::{Duration, Instant};

use super::house::{House, NOW, facts, held, item, opened, refused};
use crate::item::{Reason, Verdict};
use crate::store::Limits;
use crate::store::reader::{MessageFilter, PageRequest};

/// Waits for what the writer does when it is quiet.
fn soon(mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "not done in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_oldest_held_of_a_relay_expire_and_no_other_relays() {
    let house = House::with(Limits { held_quota: 2, ..Limits::default() });
    house.take("other", vec![item(b"o")]).unwrap();
    let other = house.next()[0].id;
    house.conclude(other, held(b"k")).unwrap();
    let receipt = house.take("acme", vec![item(b"1"), item(b"2"), item(b"3")]).unwrap();
    for taken in house.next() {
        house.conclude(taken.id, held(b"k")).unwrap();
    }
    let state = house.store().reader.receipt("default", receipt.receipt).unwrap().unwrap();
    let verdicts: Vec<Verdict> = state.items.iter().map(|item| item.verdict).collect();
    assert_eq!(verdicts, [Verdict::Expired, Verdict::Held, Verdict::Held]);
    assert_eq!(state.items[0].reason, None);
    let kept = house.store().ledger.held(None, Reason::NoKey, 10).unwrap();
    assert_eq!(kept.iter().map(|(taken, _)| &taken.sealed.bytes[..]).collect::<Vec<_>>(), [b"o", b"2", b"3"]);
    let expired = |commit: &crate::store::Commit| {
        commit.concluded.iter().filter(|conclusion| conclusion.verdict == Verdict::Expired).count()
    };
    assert_eq!(house.seen.0.lock().unwrap().iter().map(expired).sum::<usize>(), 1, "and it is told");
}

#[test]
fn the_oldest_refusals_are_forgotten_and_stay_refused() {
    let house = House::with(Limits { refused_quota: 1, ..Limits::default() });
    for _ in 0..3 {
        house.bring(refused(Reason::AuthFailed));
    }
    let counters = house.store().reader.counters().unwrap();
    let total = &counters.total;
    assert_eq!((total.refused, total.refusals_kept, total.refusals_evicted), (3, 1, 2));
    assert_eq!(counters.conservation_error, 0);
    let kept = house.store().reader.refusals("default", &Default::default(), &PageRequest::default(), true).unwrap();
    assert_eq!(kept.items.len(), 1);
    assert!(kept.items[0].sealed.is_some());
}

#[test]
fn what_is_older_than_it_is_kept_goes_and_replay_protection_stays() {
    let limits = Limits {
        keep_sealed_s: Some(10),
        keep_receipts_s: Some(20),
        keep_refused_s: Some(30),
        retention_s: Some(40),
        ..Limits::default()
    };
    let house = House::with(limits);
    let opened_one = house.bring(opened(facts(1)));
    house.bring(refused(Reason::AuthFailed));
    house.bring(held(b"k"));
    let receipt = house.take("acme", vec![item(b"pending")]).unwrap();
    house.clock.set(NOW.plus_seconds(100));
    let reader = &house.store().reader;
    soon(|| {
        let refusals = reader.refusals("default", &Default::default(), &PageRequest::default(), false).unwrap();
        let messages = reader.messages("default", &MessageFilter::default(), &PageRequest::default(), false).unwrap();
        refusals.items.is_empty() && messages.items.is_empty()
    });
    let state = reader.receipt("default", receipt.receipt).unwrap().unwrap();
    assert!(state.is_pending(), "what is pending stays");
    let kept = house.store().ledger.held(None, Reason::NoKey, 10).unwrap();
    assert_eq!(kept.len(), 1, "what is held stays");
    let counters = reader.counters().unwrap();
    assert_eq!((counters.conservation_error, counters.total.received, counters.total.refusals_kept), (0, 4, 0));
    let again = house.bring(opened(facts(1)));
    assert_eq!((again.verdict, again.message), (Verdict::Duplicate, opened_one.message));
}

#[test]
fn the_index_by_device_changes_no_answer() {
    let house = House::new();
    let bring = |identity: u64| {
        let mut facts = facts(identity);
        facts.proven.sender = Some(format!("urn:dev:{}", identity % 3));
        house.bring(opened(facts)).message.unwrap()
    };
    let all: Vec<_> = (0..9).map(bring).collect();
    let of_one = |descending: bool| {
        let filter = MessageFilter { device: Some("urn:dev:1".into()), ..MessageFilter::default() };
        let mut page = PageRequest { limit: 2, descending, ..PageRequest::default() };
        let mut found = Vec::new();
        loop {
            let answer = house.store().reader.messages("default", &filter, &page, false).unwrap();
            found.extend(answer.items.iter().map(|message| message.id));
            page.after = answer.next;
            if page.after.is_none() {
                return found;
            }
        }
    };
    let expected = vec![all[1], all[4], all[7]];
    assert_eq!(of_one(false), expected, "before it is built");
    let data = house.data.path();
    let indexed = || {
        let connection = crate::store::sqlite::connection::for_reading(&data.join("store.db")).unwrap();
        connection.query_row("SELECT count(*) FROM message_by_device", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    soon(|| indexed() == 9);
    assert_eq!(of_one(false), expected);
    let more = bring(10);
    assert_eq!(of_one(false), [expected.clone(), vec![more]].concat(), "half of it");
    assert_eq!(of_one(true), [vec![more], expected.into_iter().rev().collect()].concat());
}

#[test]
fn the_wal_is_emptied_when_it_is_quiet() {
    let house = House::new();
    house.bring(opened(facts(1)));
    let wal = house.data.path().join("store.db-wal");
    soon(|| std::fs::metadata(&wal).unwrap().len() == 0);
}
