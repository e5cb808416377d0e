//! What the reader answers, in the shapes of contract §3.

use serde_json::{Value as Json, json};

use super::house::{House, NOW, facts, held, item, numbered, opened, reading, refused, with_payload};
use crate::guard::settled::Flag;
use crate::item::{Claims, Item, Origin, Reason, Sealed, Timestamp, Verdict};
use crate::payload::{Payload, PayloadError, Value};
use crate::store::glob::Glob;
use crate::store::reader::{Aggregate, Cursor, MessageFilter, PageRequest, ReadingFilter, RefusalFilter};

fn to_json(value: &impl serde::Serialize) -> Json {
    serde_json::to_value(value).unwrap()
}

fn members(value: &Json) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn claimed() -> Item {
    let claims = Claims { endpoint: Some("ep".into()), path: Some("/19/0/0".into()), ..Claims::default() };
    Item { sealed: Sealed { bytes: (*b"sealed").into(), cose_type: None }, claims }
}

#[test]
fn a_message_has_the_members_of_the_contract() {
    let house = House::new();
    house.bring(opened(numbered(402, b"")));
    house.take("acme", vec![claimed()]).unwrap();
    let mut facts = numbered(405, b"");
    facts.flags = vec![Flag::Late];
    let payload = Payload { readings: vec![reading("/3303/0/5700", Value::Number(21.5), NOW)], error: None };
    let id = house.next()[0].id;
    let outcome = house.conclude(id, with_payload(facts, payload)).unwrap();
    let message = to_json(&house.message(outcome.message.unwrap()));
    let proof = json!({"sender": "urn:dev:1", "key": "k1", "key_version": 1, "kid_hex": "01a2b3c4", "countersignatures": [], "signature_alg": null,
            "content_alg": null, "key_management_alg": null, "sequence": 405, "kid_context_hex": null,
            "issued_at": null, "audience": null, "path": null, "token": null});
    let claims = json!({"relay": "acme", "relay_endpoint": "ep", "relay_prefix": null, "relay_path": "/19/0/0",
            "relay_time": null, "relay_seq": null, "relay_id": null, "repaired": false});
    let readings = json!([{"message": outcome.message.unwrap(), "device": "urn:dev:1", "name": "/3303/0/5700",
            "path": "/3303/0/5700", "path_proven": true, "object": null, "resource": null, "type": "number",
            "value": 21.5, "unit": "Cel", "unit_source": "senml", "time": "2026-01-01T00:00:00.000Z",
            "time_anchor": "sealed", "time_proven": true, "update_time": null, "sum": null, "sequence": 405,
            "index": 0, "content_format": 112, "flags": ["gap_before", "late"]}]);
    let expected = json!({
        "id": outcome.message.unwrap(), "received_at": "2026-01-01T00:00:00.000Z", "verdict": "opened",
        "flags": ["gap_before", "late"], "gap_before": {"from": 403, "to": 404}, "fills": null, "gap_left": null,
        "gaps_left": [], "identity_hex": "0000019500000000a5a5a5a5a5a5a5a5", "device": "urn:dev:1", "format": "cose",
        "structure": "COSE_Encrypt0",
        "layers": [{"structure": "COSE_Encrypt0", "alg": "AES-CCM-16-64-128", "kid_hex": "01a2b3c4", "countersignatures": []}],
        "proof": proof,
        "claims": claims,
        "content_format": 112, "content_b64": "gaA=", "payload_error": null,
        "readings": readings,
    });
    assert_eq!(message, expected);
}

#[test]
fn content_is_in_a_list_only_if_asked_for() {
    let house = House::new();
    house.bring(opened(facts(1)));
    let list = |content| {
        let page = house.store().reader.messages("default", &Default::default(), &PageRequest::default(), content);
        to_json(&page.unwrap())["items"][0].clone()
    };
    assert!(!members(&list(false)).contains(&"content_b64"));
    assert_eq!(list(true)["content_b64"], "gaA=");
}

#[test]
fn every_value_comes_back_as_it_was() {
    let house = House::new();
    let mut readings: Vec<_> = [
        Value::Boolean(true),
        Value::Bytes(vec![0, 255]),
        Value::Integer(i128::from(i64::MIN)),
        Value::Integer(i128::from(u64::MAX)),
        Value::Number(-0.5),
        Value::Number(f64::INFINITY),
        Value::Objlink("3303:0".into()),
        Value::Text(String::new()),
        Value::Time(NOW),
    ]
    .into_iter()
    .map(|value| reading("n", value, NOW))
    .collect();
    readings[0].future = true;
    readings[1].path = None;
    readings[2].name = None;
    readings[3].path = Some("/1/2/3".into());
    readings[4].value = None;
    readings[4].sum = Some(1.5);
    readings[5].update_time = Some(60.0);
    readings[5].unit = None;
    readings[5].unit_source = None;
    let payload = Payload { readings: readings.clone(), error: Some(PayloadError::PayloadTooLarge) };
    let outcome = house.bring(with_payload(facts(1), payload));
    let message = house.message(outcome.message.unwrap());
    assert_eq!(message.payload_error, Some(PayloadError::PayloadTooLarge));
    assert_eq!(message.readings.iter().map(|measured| measured.reading.clone()).collect::<Vec<_>>(), readings);
    assert_eq!(message.readings[0].flags, ["future"]);
    assert_eq!(to_json(&message.readings[3])["value"], json!(u64::MAX));
    assert_eq!(to_json(&message.readings[5])["value"], "Infinity");
}

#[test]
fn what_is_not_a_number_comes_back_so() {
    let house = House::new();
    let mut not = reading("n", Value::Number(f64::NAN), NOW);
    not.sum = Some(f64::NAN);
    let outcome = house.bring(with_payload(facts(1), Payload { readings: vec![not], error: None }));
    let message = to_json(&house.message(outcome.message.unwrap()));
    assert_eq!((&message["readings"][0]["value"], &message["readings"][0]["sum"]), (&json!("NaN"), &json!("NaN")));
}

#[test]
fn pages_follow_each_other_in_either_order() {
    let house = House::new();
    let all: Vec<_> = (0..7).map(|identity| house.bring(opened(facts(identity))).message.unwrap()).collect();
    for (descending, expected) in [(false, all.clone()), (true, all.iter().rev().copied().collect())] {
        let mut page = PageRequest { limit: 3, after: None, descending };
        let mut found = Vec::new();
        for size in [3, 3, 1] {
            let answer = house.store().reader.messages("default", &Default::default(), &page, false).unwrap();
            assert_eq!(answer.items.len(), size);
            found.extend(answer.items.iter().map(|message| message.id));
            page.after = answer.next.map(|cursor| cursor.to_string().parse().unwrap());
        }
        assert_eq!((found, page.after), (expected, None));
    }
}

#[test]
fn ids_sort_by_commit_even_when_the_clock_goes_back() {
    let house = House::new();
    let first = house.bring(opened(facts(1))).message.unwrap();
    house.clock.set(Timestamp::from_seconds(0));
    let second = house.bring(opened(facts(2))).message.unwrap();
    assert!(first < second);
    assert_eq!(second.get_version_num(), 7);
}

#[test]
fn a_cursor_that_is_not_ours_is_none() {
    let ours = "100000000000000203";
    assert_eq!(ours.parse::<Cursor>().unwrap().to_string(), ours);
    for text in [
        "",
        "1",
        "200000000000000203",
        "10000000000000020",
        "10000000000000020+3",
        "1000000000000002003",
        "10000000000000020A",
        "é",
    ] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}

/// A reader who follows the cursor sees every message once, whatever is written meanwhile.
#[test]
fn a_page_misses_nothing_that_is_written_meanwhile() {
    let house = House::new();
    let count = 300;
    let mut found = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for identity in 0..count {
                house.bring(opened(facts(identity)));
            }
        });
        let mut after = None;
        while found.len() < count as usize {
            let page = PageRequest { limit: 7, after, descending: false };
            let answer = house.store().reader.messages("default", &Default::default(), &page, false).unwrap();
            found.extend(answer.items.iter().map(|message| message.identity_hex[7]));
            after = answer.next.or_else(|| last(&answer.items).or(after));
        }
    });
    let expected: Vec<u8> = (0..count).map(|identity| identity as u8).collect();
    assert_eq!(found, expected);
}

/// Where a reader stands who has read everything so far.
fn last(messages: &[crate::store::reader::Message]) -> Option<Cursor> {
    let (high, _) = messages.last()?.id.as_u64_pair();
    format!("1{:016x}0", high >> 16 << 12 | high & 0xfff).parse().ok()
}

#[test]
fn filters_of_time_are_by_arrival() {
    let house = House::new();
    for second in 0..3 {
        house.clock.set(NOW.plus_seconds(second));
        house.bring(opened(facts(second.unsigned_abs())));
    }
    house.clock.set(NOW.plus_seconds(-100));
    let filter = MessageFilter {
        since: Some(NOW.plus_seconds(1)),
        until: Some(NOW.plus_seconds(2)),
        ..MessageFilter::default()
    };
    let found = house.store().reader.messages("default", &filter, &PageRequest::default(), false).unwrap().items;
    assert_eq!(found.iter().map(|message| message.received_at).collect::<Vec<_>>(), [NOW.plus_seconds(1)]);
}

/// Every question is of one tenant.
#[test]
fn another_tenant_sees_nothing() {
    let house = House::new();
    let message = house.bring(opened(numbered(1, b""))).message.unwrap();
    house.bring(refused(Reason::AuthFailed));
    house.bring(held(b"k"));
    let receipt = house.take("acme", vec![item(b"x")]).unwrap().receipt;
    let (reader, page) = (&house.store().reader, PageRequest::default());
    let refusal = reader.refusals("default", &Default::default(), &page, false).unwrap().items[0].id;
    let kept = reader.held("default", &Default::default(), &page, false).unwrap().items[0].item.id;
    assert!(reader.refusal("default", refusal, false).unwrap().is_some());
    assert!(reader.held_item("default", kept, true).unwrap().is_some());
    assert!(reader.messages("other", &Default::default(), &page, false).unwrap().items.is_empty());
    let filter = MessageFilter { device: Some("urn:dev:1".into()), ..MessageFilter::default() };
    assert!(reader.messages("other", &filter, &page, false).unwrap().items.is_empty());
    assert!(reader.message("other", message).unwrap().is_none());
    assert!(reader.readings("other", &Default::default(), &page).unwrap().items.is_empty());
    assert!(reader.devices("other", &page).unwrap().items.is_empty());
    assert!(reader.device("other", "urn:dev:1").unwrap().is_none());
    assert!(reader.gaps("other", "urn:dev:1").unwrap().is_none());
    assert!(reader.refusals("other", &Default::default(), &page, false).unwrap().items.is_empty());
    assert!(reader.refusal("other", refusal, false).unwrap().is_none());
    assert!(reader.held("other", &Default::default(), &page, false).unwrap().items.is_empty());
    assert!(reader.held_item("other", kept, false).unwrap().is_none());
    assert!(reader.receipt("other", receipt).unwrap().is_none());
}

/// The same device name, key id and number in two tenants are two.
#[test]
fn tenants_share_no_device_and_no_counter() {
    let house = House::new();
    house.open_one(numbered(5, b""));
    let origin = Origin { relay: "r".into(), tenant: "other".into(), unauthenticated_sender: false };
    house.take_from(origin, vec![item(b"x")]).unwrap();
    // Its identity differs: the tenant is in the hash.
    let finding = opened(super::house::other_content(numbered(5, b"")));
    assert_eq!(house.conclude(house.next()[0].id, finding).unwrap().verdict, Verdict::Opened);
    for tenant in ["default", "other"] {
        let device = house.store().reader.device(tenant, "urn:dev:1").unwrap().unwrap();
        assert_eq!(device.counts.opened, 1, "{tenant}");
    }
}

#[test]
fn an_id_with_another_tail_is_nobodys() {
    let house = House::new();
    let id = house.bring(opened(facts(1))).message.unwrap();
    let (high, low) = id.as_u64_pair();
    let other = uuid::Uuid::from_u64_pair(high, low ^ 1);
    assert!(house.store().reader.message("default", other).unwrap().is_none());
    assert!(house.store().reader.message("default", uuid::Uuid::nil()).unwrap().is_none());
}

#[test]
fn a_receipt_tells_the_verdicts_of_its_items() {
    let house = House::new();
    let first = house.bring(opened(facts(1))).message.unwrap();
    let receipt = house.take("acme", (0..5).map(|_| item(b"x")).collect()).unwrap().receipt;
    let taken = house.next();
    let findings = [opened(facts(2)), opened(facts(1)), refused(Reason::Malformed), held(b"k")];
    for (taken, finding) in taken.iter().zip(findings) {
        house.conclude(taken.id, finding).unwrap();
    }
    let state = house.store().reader.receipt("default", receipt).unwrap().unwrap();
    assert!(state.is_pending());
    let opened_id = state.items[0].message.unwrap();
    let expected = json!({"id": receipt, "relay": "acme", "received_at": "2026-01-01T00:00:00.000Z", "items": [
        {"index": 0, "verdict": "opened", "reason": null, "message": opened_id},
        {"index": 1, "verdict": "duplicate", "reason": null, "message": first},
        {"index": 2, "verdict": "refused", "reason": "malformed", "message": null},
        {"index": 3, "verdict": "held", "reason": "no_key", "message": null},
        {"index": 4, "verdict": "pending", "reason": null, "message": null},
    ]});
    assert_eq!(to_json(&state), expected);
    house.conclude(taken[4].id, refused(Reason::Malformed)).unwrap();
    assert!(!house.store().reader.receipt("default", receipt).unwrap().unwrap().is_pending());
}

#[test]
fn refused_and_held_items_have_the_members_of_the_contract() {
    let house = House::new();
    house.take("acme", vec![claimed(), claimed()]).unwrap();
    let taken = house.next();
    house.conclude(taken[0].id, refused(Reason::AuthFailed)).unwrap();
    house.conclude(taken[1].id, held(&[1, 2])).unwrap();
    let (reader, page) = (&house.store().reader, PageRequest::default());
    let claims = json!({"relay": "acme", "relay_endpoint": "ep", "relay_prefix": null, "relay_path": "/19/0/0",
        "relay_time": null, "relay_seq": null, "relay_id": null, "repaired": false});
    let refusal = to_json(&reader.refusals("default", &Default::default(), &page, true).unwrap())["items"][0].clone();
    assert_eq!(
        refusal,
        json!({"id": refusal["id"], "received_at": "2026-01-01T00:00:00.000Z", "relay": "acme", "verdict": "refused",
            "reason": "auth_failed", "detail": "why", "format": "cose", "claims": claims, "kid_hex": "07",
            "device": null, "sealed_b64": "c2VhbGVk"})
    );
    let kept = to_json(&reader.held("default", &Default::default(), &page, false).unwrap())["items"][0].clone();
    assert_eq!(
        kept,
        json!({"id": kept["id"], "received_at": "2026-01-01T00:00:00.000Z", "relay": "acme", "verdict": "held",
            "reason": "no_key", "detail": null, "format": "cose", "claims": claims, "kid_hex": "0102",
            "device": null, "key_names": [{"kid_hex": "0102"}]})
    );
}

#[test]
fn refusals_are_filtered() {
    let house = House::new();
    house.bring(refused(Reason::AuthFailed));
    house.bring(refused(Reason::Malformed));
    let count = |filter: RefusalFilter| {
        house.store().reader.refusals("default", &filter, &PageRequest::default(), false).unwrap().items.len()
    };
    let none = RefusalFilter::default;
    assert_eq!(count(none()), 2);
    assert_eq!(count(RefusalFilter { reason: Some(Reason::Malformed), ..none() }), 1);
    assert_eq!(count(RefusalFilter { relay: Some("acme".into()), ..none() }), 2);
    assert_eq!(count(RefusalFilter { relay: Some("other".into()), ..none() }), 0);
    assert_eq!(count(RefusalFilter { device: Some("urn:dev:1".into()), ..none() }), 0);
    assert_eq!(count(RefusalFilter { since: Some(NOW), ..none() }), 2);
    assert_eq!(count(RefusalFilter { until: Some(NOW), ..none() }), 0);
}

#[test]
fn a_device_has_the_members_of_the_contract() {
    let house = House::new();
    let mut first = numbered(1, &[0xaa]);
    first.max_silence_s = Some(60);
    house.bring(opened(first.clone()));
    let mut second = numbered(4, &[0xaa]);
    second.max_silence_s = Some(60);
    let last = house.bring(opened(second)).message;
    house.clock.set(NOW.plus_seconds(60));
    let device = |house: &House| to_json(&house.store().reader.device("default", "urn:dev:1").unwrap().unwrap());
    let expected = json!({"device": "urn:dev:1", "tenant": "default", "class": null, "keys": [],
        "first_seen": "2026-01-01T00:00:00.000Z", "last_seen": "2026-01-01T00:00:00.000Z", "last_message": last,
        "silent": false,
        "sequences": [{"key": "k1", "key_version": 1, "kid_context_hex": "aa", "next": 5,
            "opened": [[1, 1], [4, 4]], "gaps": [[2, 3]]}],
        "counts": {"opened": 2, "duplicate": 0, "refused": 0}});
    assert_eq!(device(&house), expected);
    house.clock.set(NOW.plus_seconds(61));
    assert_eq!(device(&house)["silent"], true);
    let gaps = to_json(&house.store().reader.gaps("default", "urn:dev:1").unwrap());
    assert_eq!(gaps, json!([{"key": "k1", "key_version": 1, "kid_context_hex": "aa", "from": 2, "to": 3}]));
}

/// Two devices, one of them with readings of two names over three minutes.
fn with_readings() -> House {
    let house = House::new();
    let numbers = |base: f64| {
        let at = |minute: i64, value: f64| reading("t", Value::Number(value), NOW.plus_seconds(minute * 60));
        vec![
            at(0, base + 1.0),
            at(0, base + 3.0),
            at(2, base),
            reading("h", Value::Integer(7), NOW),
            reading("s", Value::Text("no number".into()), NOW),
        ]
    };
    for (identity, device) in [(1, "a"), (2, "b")] {
        let mut facts = facts(identity);
        facts.proven.sender = Some(device.into());
        let payload = Payload { readings: numbers(identity as f64 * 10.0), error: None };
        house.bring(with_payload(facts, payload));
    }
    house
}

#[test]
fn readings_are_filtered_and_paged() {
    let house = with_readings();
    let count = |filter: ReadingFilter| {
        let mut page = PageRequest { limit: 2, ..PageRequest::default() };
        let mut found = 0;
        loop {
            let answer = house.store().reader.readings("default", &filter, &page).unwrap();
            found += answer.items.len();
            page.after = answer.next;
            if page.after.is_none() {
                return found;
            }
        }
    };
    let none = ReadingFilter::default;
    assert_eq!(count(none()), 10);
    assert_eq!(count(ReadingFilter { device: Some("a".into()), ..none() }), 5);
    assert_eq!(count(ReadingFilter { device: Some("nobody".into()), ..none() }), 0);
    assert_eq!(count(ReadingFilter { name: Glob::parse("t"), ..none() }), 6);
    assert_eq!(count(ReadingFilter { from: Some(NOW.plus_seconds(1)), ..none() }), 2);
    assert_eq!(count(ReadingFilter { to: Some(NOW.plus_seconds(1)), ..none() }), 8);
}

#[test]
fn numbers_are_summed_up_in_buckets() {
    let house = with_readings();
    let of = |aggregate| {
        let filter = ReadingFilter {
            device: Some("a".into()),
            name: Glob::parse("t"),
            bucket_s: Some(120),
            aggregate: Some(aggregate),
            ..ReadingFilter::default()
        };
        let page = house.store().reader.readings("default", &filter, &PageRequest::default()).unwrap();
        page.items.iter().map(|bucket| to_json(bucket)["value"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of(Aggregate::Min), [11.0, 10.0]);
    assert_eq!(of(Aggregate::Max), [13.0, 10.0]);
    assert_eq!(of(Aggregate::Mean), [12.0, 10.0]);
    assert_eq!(of(Aggregate::Sum), [24.0, 10.0]);
    assert_eq!(of(Aggregate::Count), [2.0, 1.0]);
    assert_eq!(of(Aggregate::Last).len(), 2);
    assert_eq!(of(Aggregate::First)[1], 10.0);
}

#[test]
fn buckets_of_all_devices_are_paged() {
    let house = with_readings();
    let filter = ReadingFilter { bucket_s: Some(60), aggregate: Some(Aggregate::Count), ..ReadingFilter::default() };
    let mut page = PageRequest { limit: 4, ..PageRequest::default() };
    let first = house.store().reader.readings("default", &filter, &page).unwrap();
    page.after = first.next;
    let second = house.store().reader.readings("default", &filter, &page).unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next), (4, 2, None));
    let names: Vec<Json> = first.items.iter().map(|bucket| to_json(bucket)["name"].clone()).collect();
    assert_eq!(names, ["h", "t", "h", "t"]);
    assert_eq!(
        to_json(&first.items[1]),
        json!({"device": "a", "name": "t", "unit": "Cel", "time": "2026-01-01T00:00:00.000Z", "value": 2.0, "count": 2,
               "min": 11.0, "max": 13.0, "mean": 12.0, "sum": 24.0, "first": 11.0, "last": 13.0})
    );
}
