//! What operators see and do.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystore::Scope;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::tests::house::{NO_KEY, house, item, origin};

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_waits_for_its_verdicts_and_no_longer() {
    let house = house().await;
    let token = house.token(&[Scope::Admin]);
    let taken = house.store.intake.take(origin(), vec![item(b"garbage")]).await.unwrap();
    let receipt = taken.receipt.to_string();
    let begun = Instant::now();
    let state = house.get(&format!("/v1/receipts/{receipt}?wait=60s"), &token).await.json();
    assert!(begun.elapsed() < Duration::from_secs(50));
    let item = json!({ "index": 0, "verdict": "refused", "reason": "malformed", "message": null });
    assert_eq!((&state["id"], &state["items"]), (&json!(receipt), &json!([item])));
    let first = house.get(&format!("/v1/receipts/{}", house.receipt), &token).await.json();
    assert_eq!(first["items"][0]["message"], json!(house.message));
    assert_eq!(house.get("/v1/receipts/none?wait=5s", &token).await.status, 404);
    assert_eq!(house.get(&format!("/v1/receipts/{receipt}?wait=soon"), &token).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_held_items_are_shown_with_their_bytes_on_request() {
    let house = house().await;
    let token = house.token(&[Scope::Admin]);
    house.take(b"garbage").await;
    house.take(&hex::decode(NO_KEY).unwrap()).await;
    let sealed = [STANDARD.encode("garbage"), STANDARD.encode(hex::decode(NO_KEY).unwrap())];
    for ((list, reason), sealed) in [("refusals", "malformed"), ("held", "no_key")].into_iter().zip(sealed) {
        let items = house.get(&format!("/v1/{list}?reason={reason}"), &token).await.json()["items"].clone();
        assert_eq!((items.as_array().unwrap().len(), &items[0]["reason"]), (1, &json!(reason)));
        assert_eq!(items[0]["claims"]["relay_path"], "/19/0/0");
        assert!(items[0].get("sealed_b64").is_none(), "{list}");
        let one = format!("/v1/{list}/{}", items[0]["id"].as_str().unwrap());
        assert_eq!(house.get(&one, &token).await.json(), items[0]);
        assert_eq!(house.get(&format!("{one}?sealed=true"), &token).await.json()["sealed_b64"], json!(sealed));
        assert_eq!(house.get(&format!("/v1/{list}?relay=other"), &token).await.json()["items"], json!([]));
    }
    assert_eq!(
        house.get("/v1/held", &token).await.json()["items"][0]["key_names"][0]["kid_hex"],
        hex::encode("urn:dev:ow:1")
    );
    assert_eq!(house.ask("POST", "/v1/held/reopen", &token, None).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_is_made_used_and_removed() {
    let house = house().await;
    let token = house.token(&[Scope::Admin]);
    let body = r#"{"name":"acme","profile":"text","options":{"encoding":"hex"}}"#;
    let made = house.ask("POST", "/v1/relays", &token, Some(body)).await;
    assert_eq!(made.status, 201);
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    assert!(house.lets_in(&secret));
    assert_eq!(house.ask("POST", "/v1/relays", &token, Some(body)).await.code(), "conflict");
    let shown = house.get("/v1/relays/acme", &token).await;
    assert!(!shown.text().contains(&secret) && shown.json().get("token").is_none());
    assert_eq!(shown.json()["options"], json!({ "encoding": "hex" }));
    assert_eq!(house.get("/v1/relays", &token).await.json()["items"], json!([shown.json()]));
    assert_eq!(house.ask("DELETE", "/v1/relays/acme", &token, None).await.status, 204);
    assert_eq!(house.ask("DELETE", "/v1/relays/acme", &token, None).await.status, 404);
    assert!(!house.lets_in(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_and_revoked_and_gives_no_more_than_it_has() {
    let house = house().await;
    let admin = house.token(&[Scope::Admin, Scope::Read]);
    let made = house.ask("POST", "/v1/tokens", &admin, Some(r#"{"name":"app","scopes":["read"]}"#)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(house.get("/v1/messages", &secret).await.status, 200);
    assert!(!house.get("/v1/tokens", &admin).await.text().contains(&secret));
    let lifted = house.ask("POST", "/v1/tokens", &admin, Some(r#"{"name":"thief","scopes":["keys:export"]}"#)).await;
    assert_eq!((lifted.status, lifted.code().as_str()), (403, "forbidden"));
    let path = format!("/v1/tokens/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(house.ask("DELETE", &path, &admin, None).await.status, 204);
    assert_eq!(house.ask("DELETE", &path, &admin, None).await.status, 404);
    assert_eq!(house.get("/v1/messages", &secret).await.status, 401);
}

/// Threat E21: what is not said in the contract is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_exact() {
    let house = house().await;
    let token = house.token(Scope::ALL);
    let rows = [
        ("/v1/relays", "", 400),
        ("/v1/relays", "{", 400),
        ("/v1/relays", "[]", 400),
        ("/v1/relays", r#"{"name":1}"#, 400),
        ("/v1/relays", r#"{"name":null}"#, 400),
        ("/v1/relays", r#"{"name":"a","name":"b"}"#, 400),
        ("/v1/relays", r#"{"name":"a","admin":true}"#, 400),
        ("/v1/relays", r#"{"name":"a"} x"#, 400),
        ("/v1/relays", r#"{"name":"a","profile":"none"}"#, 422),
        ("/v1/relays", r#"{"name":"a","options":{"none":"x"}}"#, 422),
        ("/v1/relays", r#"{"name":"a/b"}"#, 422),
        ("/v1/tokens", r#"{"name":"a","scopes":["root"]}"#, 422),
        ("/v1/tokens", r#"{"name":"a","scopes":[]}"#, 422),
        ("/v1/tokens", r#"{"name":"","scopes":["read"]}"#, 422),
        ("/v1/tokens", r#"{"scopes":["read"]}"#, 400),
    ];
    for (path, body, status) in rows {
        let answer = house.ask("POST", path, &token, Some(body)).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(70_000));
    assert_eq!(house.ask("POST", "/v1/relays", &token, Some(&long)).await.code(), "body_too_large");
    let untyped = Request::post("/v1/relays").header("authorization", format!("Bearer {token}"));
    let untyped = house.send(untyped.body(Body::from(r#"{"name":"a"}"#)).unwrap()).await;
    assert_eq!((untyped.status, untyped.code().as_str()), (415, "unsupported_media_type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn public_keys_come_in_three_forms_and_hold_nothing_private() {
    let house = house().await;
    let set: Value = house.get("/v1/keys/public", "").await.json();
    assert_eq!(set["keys"][0]["kty"], "EC");
    assert!(set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
    for (accept, begin) in
        [("application/x-pem-file", "-----BEGIN PUBLIC KEY-----"), ("application/cose-key-set", "\u{fffd}")]
    {
        let request = Request::get("/v1/keys/public").header("accept", accept).body(Body::empty()).unwrap();
        let answer = house.send(request).await;
        assert_eq!(answer.headers["content-type"], accept);
        assert!(answer.text().starts_with(begin), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_answer() {
    let house = house().await;
    assert_eq!(house.get("/healthz", "").await.status, 200);
    assert_eq!(house.get("/readyz", "").await.status, 200);
    let metrics = house.get("/metrics", &house.token(&[Scope::Firmware])).await;
    assert_eq!((metrics.status, metrics.text().as_str()), (200, "paperknife_pending 0\n"));
}
