//! The four forms of a body, and headers that may not be sent along.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Letter, custom_header};
use crate::item::{ContentType, Timestamp};
use crate::store::event::{Event, EventType};
use crate::store::outbox::Parcel;
use crate::store::subscription::BodyFormat;

fn parcel() -> Parcel {
    let event = Event {
        kind: EventType::MessageOpened,
        id: Uuid::parse_str("01900000-0000-7000-8000-000000000001").unwrap(),
        time: Timestamp::parse("2026-10-01T12:00:00Z").unwrap(),
        data: RawValue::from_string(r#"{"device":"d\u00e9 1"}"#.to_owned()).unwrap(),
        device: Some("dé \"1\"".to_owned()),
    };
    Parcel { event, content: Some((Some(ContentType::Format(112)), b"\x81\xa0".to_vec())) }
}

fn letter(format: BodyFormat) -> Letter {
    Letter::write(&parcel(), format, "https://gw.example").unwrap()
}

#[test]
fn standard_is_the_event() {
    let letter = letter(BodyFormat::Standard);
    assert_eq!(
        serde_json::from_slice::<Value>(&letter.body).unwrap(),
        json!({"type": "message.opened", "id": letter.id, "time": "2026-10-01T12:00:00.000Z", "data": {"device": "dé 1"}})
    );
    assert_eq!(letter.headers["content-type"], "application/json");
    assert!(!letter.id.contains('.'));
}

#[test]
fn cloudevents_are_structured_or_binary() {
    let structured: Value = serde_json::from_slice(&letter(BodyFormat::CloudEvents).body).unwrap();
    assert_eq!(structured["specversion"], "1.0");
    assert_eq!(structured["type"], "example.paperknife.message.opened");
    assert_eq!((&structured["source"], &structured["subject"]), (&json!("https://gw.example"), &json!("dé \"1\"")));
    let binary = letter(BodyFormat::CloudEventsBinary);
    assert_eq!(binary.headers["ce-subject"], "d%C3%A9%20%221%22");
    assert_eq!(
        (&binary.headers["ce-id"], &*binary.body),
        (&binary.id.parse().unwrap(), &br#"{"device":"d\u00e9 1"}"#[..])
    );
}

#[test]
fn raw_is_the_cleartext_with_its_media_type() {
    let raw = letter(BodyFormat::Raw);
    assert_eq!(
        (&*raw.body, &raw.headers["content-type"]),
        (&b"\x81\xa0"[..], &"application/senml+cbor".parse().unwrap())
    );
}

#[test]
fn what_is_signed_begins_with_the_id_and_the_seconds_of_the_attempt() {
    let mut letter = letter(BodyFormat::Standard);
    let at = Timestamp::from_millis(1_790_856_000_999);
    assert_eq!(letter.prefix(at), format!("{}.1790856000.", letter.id));
    letter.sign(at, "v1,abc v1,def");
    assert_eq!(letter.headers["webhook-timestamp"], "1790856000");
    assert_eq!(letter.headers["webhook-signature"], "v1,abc v1,def");
    assert_eq!(letter.headers["webhook-id"], letter.id.as_str());
}

#[test]
fn headers_that_frame_or_sign_are_not_the_operators() {
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "webhook-id",
        "Webhook-Signature",
        "ce-id",
        "connection",
        "a b",
        "",
        "x\r\ny",
        "proxy-authorization",
    ] {
        assert!(custom_header(name, "1").is_none(), "{name:?}");
    }
    for value in ["a\r\nb", "a\nb", "\0"] {
        assert!(custom_header("x-own", value).is_none(), "{value:?}");
    }
    let (_, value) = custom_header("Authorization", "Bearer secret").unwrap();
    assert!(!format!("{value:?}").contains("secret"));
}
