//! Subscriptions and the stream, asked without a socket.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use keystore::Scope;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::api::tests::house::{House, house};

pub(super) async fn subscribe(house: &House, token: &str, event: &str) -> Value {
    let body = json!({"name": "s", "sink": {"kind": "webhook", "url": "http://127.0.0.1:9/x"}, "events": [event]});
    let answer = house.ask("POST", "/v1/subscriptions", token, Some(&body.to_string())).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_made_shown_paused_and_removed() {
    let house = house().await;
    let token = house.token(&[Scope::Subscriptions]);
    let made = subscribe(&house, &token, "message.refused").await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(made["status"], "active");
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let shown = house.get(&path, &token).await.json();
    assert!(shown.get("secret").is_none());
    house.take(b"garbage").await;
    let list = house.get(&format!("{path}/deliveries?status=pending"), &token).await.json();
    assert_eq!(list["items"][0]["type"], "message.refused", "{list}");
    let resend = format!("{path}/deliveries/{}/resend", list["items"][0]["id"].as_str().unwrap());
    assert_eq!(house.ask("POST", &resend, &token, None).await.status, 202);
    let counts = house.get(&path, &token).await.json()["counts"].clone();
    assert_eq!(counts, json!({"enqueued": 1, "delivered": 0, "pending": 1, "dead": 0, "expired": 0}));
    let paused = house.ask("PATCH", &path, &token, Some(r#"{"status":"paused"}"#)).await;
    assert_eq!(paused.json()["status"], "paused");
    assert_eq!(house.ask("PATCH", &path, &token, Some(r#"{"status":"disabled"}"#)).await.status, 422);
    let range = r#"{"from":"2020-01-01T00:00:00Z"}"#;
    let replayed = house.ask("POST", &format!("{path}/replay"), &token, Some(range)).await;
    assert_eq!((replayed.status, replayed.json()), (202, json!({"enqueued": 1})));
    let other = house.token_of("other", &[Scope::Subscriptions]);
    assert_eq!(house.get(&path, &other).await.status, 404, "another tenant's");
    assert_eq!(house.get(&format!("{path}/deliveries"), &other).await.status, 404);
    let rotated = house.ask("POST", &format!("{path}/rotate-secret"), &token, Some("{}")).await.json();
    assert_ne!(rotated["secret"], made["secret"]);
    let tried = house.ask("POST", &format!("{path}/test"), &token, None).await.json();
    assert_eq!((&tried["status_code"], &tried["error"]), (&Value::Null, &json!("connect")));
    assert_eq!(house.ask("DELETE", &path, &token, None).await.status, 204);
    assert_eq!(house.get(&path, &token).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_refused() {
    let house = house().await;
    let token = house.token(&[Scope::Subscriptions]);
    let hook = |url: &str| json!({"name": "s", "sink": {"kind": "webhook", "url": url}, "events": ["message.opened"]});
    let with = |name: &str, value: Value| {
        let mut body = hook("http://127.0.0.1:9/");
        body[name] = value;
        body
    };
    let headed = |name: &str, value: &str| {
        with("sink", json!({"kind": "webhook", "url": "http://127.0.0.1:9/", "headers": {name: value}}))
    };
    let rows = [
        (hook("https://169.254.169.254/latest"), 422),
        (hook("https://10.0.0.1/"), 422),
        (hook("https://[::1]/"), 422),
        (hook("gopher://example.com/"), 422),
        (hook("https://user@example.com/"), 422),
        (headed("Host", "x"), 422),
        (headed("webhook-id", "x"), 422),
        (headed("x-own", "a\r\nb"), 422),
        (with("events", json!([])), 422),
        (with("events", json!(["message.unknown"])), 400),
        (with("events", json!(["subscription.test"])), 400),
        (with("name", json!("")), 422),
        (with("filter", json!({"tags": ["a"]})), 422),
        (with("filter", json!({"devices": [""]})), 422),
        (with("surprise", json!(1)), 400),
    ];
    for (body, status) in rows {
        let answer = house.ask("POST", "/v1/subscriptions", &token, Some(&body.to_string())).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let mut raw = with("body", json!("raw"));
    raw["events"] = json!(["device.gap"]);
    assert_eq!(house.ask("POST", "/v1/subscriptions", &token, Some(&raw.to_string())).await.status, 422);
    assert_eq!(house.get("/v1/subscriptions", &token).await.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_headers_are_not_shown_again() {
    let house = house().await;
    let token = house.token(&[Scope::Subscriptions]);
    let body = json!({"name": "s", "events": ["message.opened"],
        "sink": {"kind": "webhook", "url": "http://127.0.0.1:9/", "headers": {"authorization": "Bearer canary"}}});
    let made = house.ask("POST", "/v1/subscriptions", &token, Some(&body.to_string())).await;
    assert!(made.status == 201 && !made.text().contains("canary"), "{}", made.text());
    assert!(!house.get("/v1/subscriptions", &token).await.text().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_left() {
    let house = house().await;
    let token = house.token(&[Scope::Read]);
    let open = async |last: Option<&str>| {
        let request =
            Request::get("/v1/stream?events=message.refused").header("authorization", format!("Bearer {token}"));
        let request = last.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let answer = house.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body()
    };
    let next = async |body: &mut Body| {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.expect("an event");
        String::from_utf8(frame.unwrap().unwrap().into_data().unwrap().to_vec()).unwrap()
    };
    let id = |frame: &str| frame.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let mut body = open(None).await;
    house.take(b"garbage 1").await;
    let first = next(&mut body).await;
    assert!(first.contains("event: message.refused"), "{first}");
    drop(body);
    house.take(b"garbage 2").await;
    house.take(b"garbage 3").await;
    let mut body = open(Some(&id(&first))).await;
    let second = next(&mut body).await;
    let mut again = open(Some(&id(&second))).await;
    let (third, same) = (next(&mut body).await, next(&mut again).await);
    assert!(id(&first) < id(&second) && id(&second) < id(&third));
    assert_eq!(third, same);
    let bad =
        Request::get("/v1/stream").header("authorization", format!("Bearer {token}")).header("last-event-id", "x");
    assert_eq!(house.send(bad.body(Body::empty()).unwrap()).await.status, 400);
}
