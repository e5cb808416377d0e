//! Who may ask what: every route, every lack of a token, every tenant.

use axum::body::Body;
use axum::http::Request;
use keystore::Scope;
use serde_json::Value;

use crate::api::gate::Needs;
use crate::api::tests::house::{House, house};
use crate::api::{Route, table};

/// A path of the route that names nothing.
fn concrete(route: &Route) -> String {
    route
        .path
        .replace("{id}", "01900000-0000-7000-8000-000000000000")
        .replace("{name}", "nobody")
        .replace("{delivery}", "01900000-0000-7000-8000-000000000000")
}

async fn status(house: &House, route: &Route, token: Option<&str>) -> u16 {
    let mut request = Request::builder().method(route.method.clone()).uri(concrete(route));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    house.send(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_scope_and_takes_no_other() {
    let mut house = house().await;
    house.closing = None;
    let tokens: Vec<_> = Scope::ALL.iter().map(|scope| (*scope, house.token(&[*scope]))).collect();
    for route in table() {
        let none = status(&house, &route, None).await;
        assert_eq!(
            none == 401,
            route.needs != Needs::Nothing,
            "{} {} without a token: {none}",
            route.method,
            route.path
        );
        for (scope, token) in &tokens {
            let status = status(&house, &route, Some(token)).await;
            let allowed = !matches!(route.needs, Needs::Scope(needed) if needed != *scope);
            assert_eq!(status == 403, !allowed, "{} {} with {scope:?}: {status}", route.method, route.path);
            assert!(status != 401 && status < 500, "{} {} with {scope:?}: {status}", route.method, route.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lack_of_a_token_is_the_same_401() {
    let house = house().await;
    let good = house.token(&[Scope::Read]);
    let revoked = house.keystore.token_add("gone", &[Scope::Read], "default").unwrap();
    house.keystore.token_revoke("gone").unwrap();
    let rows: Vec<Vec<String>> = vec![
        vec![],
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![good.clone()],
        vec![format!("Bearer {good}x")],
        vec![format!("Bearer {}", &good[..good.len() - 1])],
        vec![format!("Bearer Bearer {good}")],
        vec![format!("Basic {good}")],
        vec![format!("Bearer {good}"), format!("Bearer {good}")],
        vec![format!("Bearer {revoked}")],
        vec!["Bearer pkr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()],
    ];
    let mut bodies = Vec::new();
    for row in rows {
        let mut request = Request::get(format!("/v1/messages?limit={}", bodies.len() + 1));
        for value in &row {
            request = request.header("authorization", value);
        }
        let answer = house.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 401, "{row:?}");
        let mut document = answer.json();
        document["request_id"] = Value::Null;
        bodies.push(document);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    let in_query = house.send(Request::get(format!("/v1/messages?token={good}")).body(Body::empty()).unwrap()).await;
    assert_eq!(in_query.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_sees_nothing() {
    let house = house().await;
    let refused = house.take(b"garbage").await;
    let ours = house.token(Scope::ALL);
    let theirs = house.token_of("other", Scope::ALL);
    let refusal = house.get("/v1/refusals", &ours).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let (message, receipt) = (house.message, house.receipt);
    let single = [
        format!("/v1/messages/{message}"),
        format!("/v1/messages/{message}/content"),
        "/v1/devices/d1".to_owned(),
        "/v1/devices/d1/gaps".to_owned(),
        format!("/v1/refusals/{refusal}"),
        format!("/v1/receipts/{receipt}"),
        format!("/v1/receipts/{refused}?wait=1s"),
    ];
    for path in single {
        assert_eq!(house.get(&path, &ours).await.status, 200, "{path}");
        let answer = house.get(&path, &theirs).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
    for path in ["/v1/messages", "/v1/readings", "/v1/devices", "/v1/refusals", "/v1/held", "/v1/relays"] {
        assert_eq!(house.get(path, &theirs).await.json()["items"], Value::Array(Vec::new()), "{path}");
    }
    let tokens = house.get("/v1/tokens", &theirs).await.json();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_exact() {
    let house = house().await;
    let token = house.token(Scope::ALL);
    for path in
        ["/v1/messages/", "//v1/messages", "/v1//messages", "/V1/messages", "/v1/messages;x", "/v1/%2e/messages"]
    {
        assert_eq!(house.get(path, &token).await.status, 404, "{path}");
    }
    for (method, path) in [("POST", "/v1/messages"), ("OPTIONS", "/v1/messages"), ("PATCH", "/v1/relays")] {
        let answer = house.ask(method, path, &token, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
        assert!(answer.headers["allow"].to_str().unwrap().starts_with("GET"), "{method} {path}");
    }
    let overridden = Request::get("/v1/relays/acme").header("x-http-method-override", "DELETE");
    let overridden = overridden.header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    assert_eq!(house.send(overridden).await.status, 404);
}
