//! The page says all of the document and asks for nothing from outside; its examples are sent, and answered as the
//! document says.

use std::sync::Arc;

use axum::Router;
use axum::body::Body as Bytes;
use axum::http::Request;
use keystore::Scope;
use serde_json::Value;

use crate::api::docs::example::{Body, Example};
use crate::api::tests::contract::{conforms, document, resolve};
use crate::api::tests::deliver::subscribe;
use crate::api::tests::house::{Answer, House, house};
use crate::clock::SystemClock;
use crate::relay::{self, Edge};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds_every_operation_and_loads_nothing_from_elsewhere() {
    let house = house().await;
    let page = house.get("/docs", "").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    let (text, document) = (page.text(), document());
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values().filter(|one| one["operationId"].is_string()) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(
                text.contains(&format!("<article id=\"{id}\">")) && text.contains(&format!("#{id}\"")),
                "{path} {id}"
            );
        }
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("<article id=\"{name}\">")), "{name}");
    }
    // Each link within the page leads somewhere; nothing is loaded but the style sheet, and nothing runs.
    for target in text.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(text.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
    }
    assert_eq!(text.matches("<link ").count(), 1);
    assert!(!text.contains("<script") && !text.contains(" src=") && !text.contains(" style="));
    assert!(house.get("/docs/style.css", "").await.text().contains("grid-template-columns"));
}

/// What the examples name, as it is here.
struct Names {
    token: String,
    relay: String,
    receipt: String,
    message: String,
    refusal: String,
    held: String,
    api_token: String,
    subscription: String,
    delivery: String,
}

impl Names {
    fn of(&self, path: &str, name: &str) -> Option<String> {
        let id = match path.split('/').nth(2)? {
            "messages" => &self.message,
            "devices" => return (name == "id").then(|| "d1".to_owned()),
            "refusals" => &self.refusal,
            "held" => &self.held,
            "receipts" => &self.receipt,
            "tokens" => &self.api_token,
            "subscriptions" if name == "delivery" => &self.delivery,
            "subscriptions" => &self.subscription,
            _ => return None,
        };
        Some(id.clone())
    }
}

async fn send(house: &House, app: &Router, example: &Example, names: &Names) -> Answer {
    let mut request = Request::builder().method(example.method.as_str()).uri(&example.path);
    request = match example.scheme.as_deref() {
        Some("relay_token") => request.header("authorization", format!("Bearer {}", names.relay)),
        Some(_) => request.header("authorization", format!("Bearer {}", names.token)),
        None => request,
    };
    let request = match example.body.clone() {
        None => request.body(Bytes::empty()),
        Some(Body::Envelope) => request.header("content-type", "application/cose").body(Bytes::from("sealed")),
        // The one name of the outside that the examples hold.
        Some(Body::Json(json)) => request
            .header("content-type", "application/json")
            .body(Bytes::from(json.replace("https://hooks.example.com/paperknife", "http://127.0.0.1:9/x"))),
    };
    house.send_to(app, request.unwrap()).await
}

/// First what makes things, then what shows them, then what ends them.
fn in_order(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let mut all: Vec<(String, String)> = paths
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())))
        .filter(|(_, method)| method != "parameters")
        .collect();
    all.sort_by_key(|(path, method)| match (method.as_str(), path.as_str()) {
        ("post", "/v1/relays") => 0,
        ("post", "/v1/subscriptions" | "/v1/tokens") => 1,
        ("delete", _) => 4,
        ("patch", _) => 3,
        _ => 2,
    });
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_answered_as_the_document_says() {
    let (document, mut house) = (document(), house().await);
    house.closing = None;
    let edge = Edge::new(house.store.intake.clone(), Default::default(), Arc::new(SystemClock), Arc::new(|_| ()));
    let app = relay::routes(edge).merge(house.app.clone());
    let token = house.token(Scope::ALL);
    house.take(b"garbage").await;
    house.take(&hex::decode(super::house::NO_KEY).unwrap()).await;
    let first = async |path: &str| {
        let list = house.get(path, &token).await.json();
        list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{path}: {list}")).to_owned()
    };
    let hooked = subscribe(&house, &token, "message.refused").await["id"].as_str().unwrap().to_owned();
    house.take(b"garbage").await;
    let body = r#"{"name": "path", "options": {"token_in_path": "true"}}"#;
    let in_path =
        house.ask("POST", "/v1/relays", &token, Some(body)).await.json()["token"].as_str().unwrap().to_owned();
    let mut names = Names {
        delivery: first(&format!("/v1/subscriptions/{hooked}/deliveries")).await,
        refusal: first("/v1/refusals").await,
        held: first("/v1/held").await,
        receipt: house.receipt.to_string(),
        message: house.message.to_string(),
        relay: String::new(),
        api_token: String::new(),
        subscription: String::new(),
        token: token.clone(),
    };
    for (path, method) in in_order(&document) {
        let own = |name: &str| match (path.ends_with("{relay}/{token}"), name) {
            (true, "relay") => Some("path".to_owned()),
            (true, "token") => Some(in_path.clone()),
            _ if path.ends_with("/resend") && name == "id" => Some(hooked.clone()),
            _ => names.of(&path, name),
        };
        let example = Example::of(&document, &path, &method, own);
        let answer = send(&house, &app, &example, &names).await;
        let responses = document["paths"][&path][&method]["responses"].as_object().unwrap();
        let (status, response) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
        assert_eq!(answer.status.to_string(), *status, "{}: {}", example.curl(), answer.text());
        let schema = &resolve(&document, response)["content"]["application/json"]["schema"];
        if schema.is_object() {
            conforms(&document, schema, &answer.json(), &path);
        }
        match (method.as_str(), path.as_str()) {
            ("post", "/v1/relays") => names.relay = answer.json()["token"].as_str().unwrap().to_owned(),
            ("post", "/v1/tokens") => names.api_token = answer.json()["id"].as_str().unwrap().to_owned(),
            ("post", "/v1/subscriptions") => names.subscription = answer.json()["id"].as_str().unwrap().to_owned(),
            _ => {}
        }
    }
}
