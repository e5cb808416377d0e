//! What a relay gets, by the router alone: every answer is one of the documented few, and none says more than it must.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;
use tower::ServiceExt;

use crate::clock::SystemClock;
use crate::problem::{Complete, method_not_allowed, not_found};
use crate::relay::accounts::{self, Request as NewAccount};
use crate::relay::{Edge, Limits, routes};
use crate::store::intake::Intake;
use crate::store::{Limits as StoreLimits, Store};

/// An edge in front of a real store, with the accounts `acme` (raw) and `path` (token in the path).
struct House {
    _data: tempfile::TempDir,
    store: Store,
    app: Router,
    acme: String,
    path: String,
}

fn house() -> House {
    house_with(Limits { body_timeout: Duration::from_millis(200), ..Limits::default() }, StoreLimits::default())
}

fn house_with(limits: Limits, store_limits: StoreLimits) -> House {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), store_limits, Arc::new(SystemClock), Arc::new(())).unwrap();
    let acme = account(&store.intake, "acme", "raw", &[]);
    let path = account(&store.intake, "path", "raw", &[("token_in_path", "true")]);
    let edge = Edge::new(store.intake.clone(), limits, Arc::new(SystemClock), Arc::new(|_| ()));
    let app =
        routes(edge).fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(Complete::with(|_| ()));
    House { _data: data, store, app, acme, path }
}

fn account(intake: &Intake, name: &str, profile: &str, options: &[(&str, &str)]) -> String {
    let options: BTreeMap<_, _> = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let request = NewAccount { name: name.into(), tenant: "default".into(), profile: profile.into(), options };
    let (account, token) = accounts::make(&SystemClock, request).unwrap();
    intake.add_account(&account).unwrap();
    token.reveal().to_owned()
}

type Answer = (StatusCode, HeaderMap, Bytes);

async fn send(app: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    (parts.status, parts.headers, to_bytes(body, 1 << 20).await.unwrap())
}

fn to(path: &str, token: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path).header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn code(answer: &Answer) -> String {
    let document: Value = serde_json::from_slice(&answer.2).unwrap_or_default();
    document["code"].as_str().unwrap_or_default().to_owned()
}

fn received(house: &House) -> u64 {
    house.store.ledger.pending().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_and_gives_a_receipt() {
    let house = house();
    let (status, headers, body) = send(&house.app, to("/ingest/acme", &house.acme, &[], "sealed")).await;
    let receipt: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &receipt["items"]), (StatusCode::ACCEPTED, &Value::from(1)));
    assert_eq!(receipt["receipt"].as_str().unwrap().len(), 36);
    assert_eq!(receipt.as_object().unwrap().len(), 2);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(received(&house), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_does_not_depend_on_what_is_in_the_body() {
    let house = house();
    let bodies: [&[u8]; 4] = [b"x", b"\xd0\x83\x43\xa1\x01\x0a\xa0\x41\x00", &[0xff; 4096], b"{\"e\":[]}"];
    let mut shapes = Vec::new();
    for body in bodies {
        let (status, headers, answer) = send(&house.app, to("/ingest/acme", &house.acme, &[], body)).await;
        let names: Vec<_> = headers.keys().map(|name| (name.clone(), headers[name].len())).collect();
        shapes.push((status, names, answer.len()));
    }
    assert!(shapes.windows(2).all(|pair| pair[0] == pair[1]), "{shapes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_may_come_by_basic_put_or_path() {
    let house = house();
    let basic = format!("Basic {}", STANDARD.encode(format!("acme:{}", house.acme)));
    let rows = [
        Request::post("/ingest/acme").header("authorization", &basic),
        Request::put("/ingest/acme").header("authorization", format!("bearer {}", house.acme)),
        Request::post(format!("/ingest/path/{}", house.path)),
        Request::post("/ingest/path").header("authorization", format!("Bearer {}", house.path)),
    ];
    for row in rows {
        let answer = send(&house.app, row.body(Body::from("sealed")).unwrap()).await;
        assert_eq!(answer.0, StatusCode::ACCEPTED);
    }
    assert_eq!(received(&house), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_token_gets_the_same_401() {
    let house = house();
    let bearer = format!("Bearer {}", house.acme);
    let other = format!("Basic {}", STANDARD.encode(format!("path:{}", house.acme)));
    let rows = [
        Request::post("/ingest/acme"),
        Request::post("/ingest/nobody").header("authorization", &bearer),
        Request::post("/ingest/acme").header("authorization", "Bearer "),
        Request::post("/ingest/acme").header("authorization", "Bearer pkr_wrong"),
        Request::post("/ingest/acme").header("authorization", format!("{bearer}x")),
        Request::post("/ingest/acme").header("authorization", format!("Bearer {}", house.path)),
        Request::post("/ingest/acme").header("authorization", format!("Bearer {bearer}")),
        Request::post("/ingest/acme").header("authorization", &bearer).header("authorization", &bearer),
        Request::post("/ingest/acme").header("authorization", &other),
        Request::post("/ingest/acme").header("authorization", "Basic ???"),
        Request::post("/ingest/acme").header("authorization", "Digest x"),
        Request::post(format!("/ingest/acme?token={}", house.acme)),
        Request::post(format!("/ingest/acme/{}", house.acme)), // not by this account's option
        Request::post("/ingest/path/pkr_wrong"),
        Request::post("/ingest/ACME").header("authorization", &bearer),
    ];
    let mut bodies = Vec::new();
    for row in rows {
        let answer = send(&house.app, row.body(Body::from("sealed")).unwrap()).await;
        assert_eq!(answer.0, StatusCode::UNAUTHORIZED);
        let mut document: Value = serde_json::from_slice(&answer.2).unwrap();
        document["request_id"] = Value::Null;
        bodies.push((document, answer.2.len()));
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    assert_eq!(received(&house), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_405_with_allow() {
    let house = house();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH"] {
        let request = Request::builder().method(method).uri("/ingest/acme").body(Body::empty()).unwrap();
        let (status, headers, _) = send(&house.app, request).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(headers["allow"], "POST,PUT", "{method}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_codings_are_undone_or_refused() {
    let house = house();
    let sealed: Vec<u8> = (0..200).collect();
    let bomb = gzip(&vec![0; 4 << 20]);
    let rows = [
        (vec!["gzip"], gzip(&sealed), 202),
        (vec!["deflate"], deflate(&sealed), 202),
        (vec!["identity"], sealed.clone(), 202),
        (vec!["br"], sealed.clone(), 415),
        (vec!["gzip, gzip"], gzip(&gzip(&sealed)), 415),
        (vec!["gzip", "gzip"], gzip(&gzip(&sealed)), 415),
        (vec!["gzip"], sealed.clone(), 400),
        (vec!["gzip"], gzip(&sealed)[..40].to_vec(), 400),
        (vec!["gzip"], bomb, 413),
        (vec!["gzip"], Vec::new(), 400),
    ];
    for (at, (codings, body, status)) in rows.into_iter().enumerate() {
        let headers: Vec<_> = codings.into_iter().map(|coding| ("content-encoding", coding)).collect();
        let answer = send(&house.app, to("/ingest/acme", &house.acme, &headers, body)).await;
        assert_eq!(answer.0.as_u16(), status, "row {at}: {}", code(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_size_and_a_time() {
    let house = house();
    let at_limit = vec![1; 8 << 20];
    let answer = send(&house.app, to("/ingest/acme", &house.acme, &[], [at_limit.clone(), vec![1]].concat())).await;
    assert_eq!((answer.0.as_u16(), code(&answer).as_str()), (413, "body_too_large"));
    let chunks = [at_limit, vec![1]].map(Ok::<_, std::io::Error>);
    let unsized_body = Body::new(Chunks(chunks.into_iter().collect()));
    let answer = send(&house.app, to("/ingest/acme", &house.acme, &[], unsized_body)).await;
    assert_eq!((answer.0.as_u16(), code(&answer).as_str()), (413, "body_too_large"));
    let answer = send(&house.app, to("/ingest/acme", &house.acme, &[], "")).await;
    assert_eq!((answer.0.as_u16(), code(&answer).as_str()), (400, "no_envelope"));
    let answer = send(&house.app, to("/ingest/acme", &house.acme, &[], Body::new(Never))).await;
    assert_eq!((answer.0.as_u16(), code(&answer).as_str()), (408, "timeout"));
    assert_eq!(received(&house), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_place_is_400() {
    let house = house();
    let token = account(&house.store.intake, "senml", "senml-json", &[]);
    for body in ["{", "[]", "nonsense"] {
        let answer = send(&house.app, to("/ingest/senml", &token, &[], body)).await;
        assert_eq!((answer.0.as_u16(), code(&answer).as_str()), (400, "no_envelope"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_pending_is_503_and_says_when_to_come_back() {
    let house = house_with(Limits::default(), StoreLimits { max_pending: 1, ..StoreLimits::default() });
    send(&house.app, to("/ingest/acme", &house.acme, &[], "first")).await;
    let answer = send(&house.app, to("/ingest/acme", &house.acme, &[], "second")).await;
    assert_eq!((answer.0.as_u16(), code(&answer).as_str()), (503, "overloaded"));
    assert!(answer.1.contains_key("retry-after"));
}

/// A body in pieces, of no declared length.
struct Chunks(std::collections::VecDeque<Result<Vec<u8>, std::io::Error>>);

impl axum::body::HttpBody for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        let next = self.0.pop_front();
        std::task::Poll::Ready(next.map(|chunk| chunk.map(|bytes| hyper::body::Frame::data(bytes.into()))))
    }
}

/// A body that never comes.
struct Never;

impl axum::body::HttpBody for Never {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
