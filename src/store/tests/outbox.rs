//! Who is told what: matching, the outbox and its counters, the order of events.

use crate::item::{Reason, Timestamp, Verdict};
use crate::payload::{Payload, Value};
use crate::store::event::{EventType, Interest};
use crate::store::glob::Glob;
use crate::store::outbox::{Attempted, Becomes, Made};
use crate::store::reader::{Cursor, PageRequest};
use crate::store::subscription::{BodyFormat, Filter, Order, Sink, Spec, Status, Subscription};
use crate::store::tests::house::{
    House, NOW, facts, held, numbered, opened, other_content, reading, refused, with_payload,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn spec(events: &[EventType]) -> Spec {
    let sink = Sink::Webhook { url: "https://example.com/".into(), headers: Default::default() };
    let (filter, body, order) = (Filter::default(), BodyFormat::Standard, Order::Any);
    Spec { name: "s".into(), sink, events: events.to_vec(), filter, body, order }
}

fn subscribe(house: &House, tenant: &str, spec: Spec) -> Subscription {
    let outbox = &house.store().outbox;
    let id = house.watched(|store| store.outbox.add(tenant, spec)).unwrap();
    let row = outbox.subscription(tenant, id).unwrap().unwrap().row;
    set(house, row, Status::Active);
    outbox.subscription(tenant, id).unwrap().unwrap()
}

/// Waits until the writer is done with it, as the house does with all else.
fn set(house: &House, row: i64, status: Status) {
    assert!(house.watched(|store| store.outbox.set(row, status)).unwrap());
}

fn now_of(house: &House, subscription: &Subscription) -> Subscription {
    house.store().outbox.subscription(&subscription.tenant, subscription.id).unwrap().unwrap()
}

fn due(house: &House, subscription: &Subscription) -> Vec<EventType> {
    let due = house.store().outbox.due(subscription, NOW, &[], 100).unwrap();
    due.iter().map(|due| due.kind).collect()
}

fn assert_counted(house: &House) {
    for (subscription, _) in house.store().outbox.queues().unwrap() {
        let counts = subscription.counts;
        assert_eq!(counts.enqueued, counts.delivered + counts.pending + counts.dead + counts.expired, "{counts:?}");
    }
}

fn attempted(delivery: i64, at: i64, becomes: Becomes, status_code: u16) -> Attempted {
    let attempt = Some(Made { status_code: Some(status_code), error: None, duration_ms: 3 });
    Attempted { delivery, at: Timestamp::from_millis(at), attempt, becomes, gone: status_code == 410 }
}

fn glob(pattern: &str) -> Vec<Glob> {
    vec![Glob::parse(pattern).unwrap()]
}

#[test]
fn each_event_reaches_those_who_want_it_and_nobody_else() {
    let house = House::new();
    let all = subscribe(&house, "default", spec(&EventType::ALL));
    let gaps = subscribe(&house, "default", spec(&[EventType::DeviceGap]));
    let elsewhere = subscribe(&house, "other", spec(&EventType::ALL));
    house.bring(opened(numbered(1, b"")));
    house.bring(opened(numbered(5, b"")));
    house.bring(opened(numbered(3, b"")));
    house.bring(opened(numbered(3, b"")));
    house.bring(opened(other_content(numbered(3, b""))));
    house.bring(refused(Reason::AuthFailed));
    house.bring(held(b"k"));
    use EventType as E;
    let expected = [
        E::MessageOpened,
        E::MessageOpened,
        E::DeviceGap,
        E::MessageOpened,
        E::DeviceGapFilled,
        E::DeviceReplay,
        E::MessageRefused,
        E::DeviceNonceReuse,
        E::MessageRefused,
        E::MessageHeld,
    ];
    assert_eq!(due(&house, &all), expected);
    assert_eq!(due(&house, &gaps), [E::DeviceGap]);
    assert_eq!(due(&house, &elsewhere), []);
    assert_counted(&house);
    // The stream tells the same in the same order, and each event under one id.
    let events = house.store().reader.events("default", &Interest::default(), Cursor::before(NOW), 100).unwrap();
    let told: Vec<_> = events.items.iter().map(|(_, event)| event.kind).collect();
    assert_eq!(told, expected);
    let parcels = house.store().outbox.due(&all, NOW, &[], 100).unwrap();
    for (due, (_, event)) in parcels.iter().zip(&events.items) {
        let parcel = house.store().outbox.parcel(due).unwrap().unwrap();
        assert_eq!(serde_json::to_string(&parcel.event).unwrap(), serde_json::to_string(event).unwrap());
        assert!(!event.id.to_string().contains('.'));
    }
    let mut ids: Vec<_> = events.items.iter().map(|(_, event)| event.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 10);
    // However it is paged, each once.
    for size in 1..6 {
        let (mut after, mut paged) = (Cursor::before(NOW), Vec::new());
        loop {
            let page = house.store().reader.events("default", &Interest::default(), after, size).unwrap();
            paged.extend(page.items.iter().map(|(_, event)| event.id));
            after = page.position;
            if page.is_last {
                break;
            }
        }
        assert_eq!(paged, events.items.iter().map(|(_, event)| event.id).collect::<Vec<_>>(), "pages of {size}");
    }
    // From any event on, the rest.
    for (at, (cursor, _)) in events.items.iter().enumerate() {
        let rest = house.store().reader.events("default", &Interest::default(), *cursor, 100).unwrap();
        assert_eq!(rest.items.len(), 9 - at);
    }
}

#[test]
fn filters_go_by_device_and_by_name_of_reading() {
    let house = House::new();
    let mut named = spec(&[EventType::MessageOpened, EventType::MessageRefused]);
    named.filter.names = glob("/3303/*");
    let mut mine = spec(&[EventType::MessageOpened, EventType::MessageRefused]);
    mine.filter.devices = glob("urn:dev:?");
    let (named, mine) = (subscribe(&house, "default", named), subscribe(&house, "default", mine));
    let readings = vec![reading("/3303/0/5700", Value::Integer(1), NOW)];
    house.bring(with_payload(facts(1), Payload { readings, error: None }));
    house.bring(opened(facts(2)));
    let mut other = facts(3);
    other.proven.sender = Some("urn:dev:22".into());
    house.bring(opened(other));
    house.bring(refused(Reason::AuthFailed));
    assert_eq!(due(&house, &named).len(), 1);
    assert_eq!(due(&house, &mine).len(), 2, "not of another device, nor of nobody");
}

#[test]
fn who_is_paused_or_removed_is_told_nothing_and_a_replay_brings_it() {
    let house = House::new();
    let one = subscribe(&house, "default", spec(&[EventType::MessageOpened]));
    let outbox = &house.store().outbox;
    set(&house, one.row, Status::Paused);
    house.bring(opened(facts(1)));
    assert_eq!(due(&house, &one).len(), 0);
    set(&house, one.row, Status::Active);
    house.bring(opened(facts(2)));
    assert_eq!(due(&house, &one).len(), 1);
    let range = (NOW.plus_seconds(-1), NOW.plus_seconds(60));
    assert_eq!(house.watched(|store| store.outbox.replay(&one, range, &one.spec.interest())).unwrap(), 2);
    assert_eq!((due(&house, &one).len(), now_of(&house, &one).counts.enqueued), (3, 3));
    assert!(
        house.watched(|store| store.outbox.remove(one.row)).unwrap()
            && outbox.subscription("default", one.id).unwrap().is_none()
    );
    let revived = house.watched(|store| store.outbox.set(one.row, Status::Active)).unwrap();
    assert!(!revived, "what is removed stays so");
    house.bring(opened(facts(3)));
    assert!(house.store().reader.deliveries("default", one.id, None, &PageRequest::default()).unwrap().is_none());
}

#[test]
fn attempts_are_logged_and_counted_and_a_restart_keeps_them() {
    let mut house = House::new();
    let one = subscribe(&house, "default", spec(&[EventType::MessageOpened]));
    for identity in 1..=4 {
        house.bring(opened(facts(identity)));
    }
    let outbox = house.store().outbox.clone();
    let rows: Vec<i64> = outbox.due(&one, NOW, &[], 9).unwrap().iter().map(|due| due.delivery).collect();
    assert_eq!(outbox.due(&one, NOW, &rows[..1], 2).unwrap().len(), 2, "what is busy is passed over");
    let later = NOW.plus_seconds(60);
    let said = vec![
        attempted(rows[0], NOW.millis(), Becomes::Delivered, 200),
        attempted(rows[1], NOW.millis(), Becomes::Again(later), 500),
        attempted(rows[2], NOW.millis(), Becomes::Dead, 500),
    ];
    outbox.attempted(one.row, said.clone(), DAY_MS).unwrap();
    outbox.attempted(one.row, said[..1].to_vec(), DAY_MS).unwrap();
    drop(outbox);
    house.restart();
    let counts = now_of(&house, &one).counts;
    assert_eq!(
        (counts.enqueued, counts.delivered, counts.pending, counts.dead),
        (4, 1, 2, 1),
        "said twice, counted once"
    );
    assert_counted(&house);
    let outbox = &house.store().outbox;
    assert_eq!(outbox.due(&one, NOW, &[], 9).unwrap().len(), 1);
    assert_eq!(outbox.next_due(one.row, &rows[3..]).unwrap(), Some(later));
    let page = house.store().reader.deliveries("default", one.id, Some("dead"), &PageRequest::default());
    let dead = page.unwrap().unwrap().items.remove(0);
    assert_eq!((dead.attempts.len(), dead.attempts[0].status_code), (1, Some(500)));
    assert!(outbox.resend(one.row, dead.id).unwrap());
    assert!(!outbox.resend(one.row + 1, dead.id).unwrap(), "not another's");
    assert_eq!((outbox.due(&one, NOW, &[], 9).unwrap().len(), now_of(&house, &one).counts.dead), (2, 0));
    assert_counted(&house);
}

#[test]
fn where_order_is_kept_a_device_has_one_on_its_way() {
    let house = House::new();
    let one = subscribe(&house, "default", Spec { order: Order::PerDevice, ..spec(&[EventType::MessageOpened]) });
    house.bring(opened(facts(1)));
    house.bring(opened(facts(2)));
    let mut other = facts(3);
    other.proven.sender = Some("urn:dev:2".into());
    house.bring(opened(other));
    let outbox = &house.store().outbox;
    let found = outbox.due(&one, NOW, &[], 9).unwrap();
    assert_eq!(found.len(), 2, "the first of each");
    let failed = attempted(found[0].delivery, NOW.millis(), Becomes::Again(NOW.plus_seconds(60)), 500);
    outbox.attempted(one.row, vec![failed], DAY_MS).unwrap();
    assert_eq!(outbox.due(&one, NOW, &[], 9).unwrap().len(), 1, "it waits for its first");
    outbox
        .attempted(one.row, vec![attempted(found[0].delivery, NOW.millis() + 1, Becomes::Delivered, 200)], DAY_MS)
        .unwrap();
    assert_eq!(outbox.due(&one, NOW, &[], 9).unwrap().len(), 2);
}

#[test]
fn who_fails_for_too_long_or_is_gone_is_disabled_and_others_are_told() {
    let house = House::new();
    let [failing, gone] = [0, 1].map(|_| subscribe(&house, "default", spec(&[EventType::MessageOpened])));
    let watching = subscribe(&house, "default", spec(&[EventType::SubscriptionDisabled]));
    house.bring(opened(facts(1)));
    let outbox = &house.store().outbox;
    let first = outbox.due(&failing, NOW, &[], 1).unwrap()[0].delivery;
    let fail = |at: i64| {
        let again = Becomes::Again(Timestamp::from_millis(at));
        outbox.attempted(failing.row, vec![attempted(first, at, again, 500)], DAY_MS).unwrap();
        now_of(&house, &failing).status
    };
    assert_eq!(fail(NOW.millis()), Status::Active);
    assert_eq!(fail(NOW.millis() + DAY_MS - 1), Status::Active);
    assert_eq!(fail(NOW.millis() + DAY_MS), Status::Disabled);
    let first = outbox.due(&gone, NOW, &[], 1).unwrap()[0].delivery;
    outbox.attempted(gone.row, vec![attempted(first, NOW.millis(), Becomes::Dead, 410)], DAY_MS).unwrap();
    assert_eq!(now_of(&house, &gone).status, Status::Disabled);
    let told = outbox.due(&watching, NOW, &[], 9).unwrap();
    let data: Vec<String> =
        told.iter().map(|due| outbox.parcel(due).unwrap().unwrap().event.data.get().to_owned()).collect();
    assert!(
        data.len() == 2 && data[0].contains(r#""reason":"failing""#) && data[1].contains(r#""reason":"gone""#),
        "{data:?}"
    );
    outbox.set(failing.row, Status::Active).unwrap();
    assert_eq!((now_of(&house, &failing).failing_since, due(&house, &failing).len()), (None, 1), "due at once");
    assert_counted(&house);
}

#[test]
fn without_subscriptions_nothing_is_written_for_a_message() {
    let house = House::new();
    let message = house.open_one(facts(1));
    assert_eq!(message.verdict, Verdict::Opened);
    let connection = rusqlite::Connection::open(house.data.path().join("store.db")).unwrap();
    let count =
        |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    assert_eq!((count("outbox").unwrap(), count("event").unwrap()), (0, 0));
}
