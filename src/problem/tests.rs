//! Every code as a document; what routers and extractors refuse by themselves.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::Value;
use tower::ServiceExt;

use crate::problem::{Code, Complete, Problem, method_not_allowed, not_found};

fn app(problem: Problem) -> Router {
    Router::new()
        .route("/problem", get(move || async move { problem }))
        .route("/panic", get(async || -> &'static str { panic!("secret of the stack") }))
        .route("/number/{n}", get(|Path(_): Path<u32>| async {}))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Complete::with(|_| ()))
}

async fn ask(app: Router, method: &str, path: &str) -> (StatusCode, axum::http::HeaderMap, Value) {
    let request = Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 1 << 16).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn each_code_is_a_complete_document() {
    for &code in Code::ALL {
        let problem = Problem::with_detail(code, "in words").retry_after(7);
        let (status, headers, document) = ask(app(problem), "GET", "/problem").await;
        assert_eq!(status, code.status(), "{code:?}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["retry-after"], "7");
        assert_eq!(document["type"], format!("https://paperknife.example/problems/{}", code.as_str()));
        assert_eq!(document["code"], code.as_str());
        assert_eq!(document["status"], code.status().as_u16());
        assert_eq!(document["detail"], "in words");
        assert_eq!(document["request_id"].as_str(), headers["x-request-id"].to_str().ok());
    }
}

#[tokio::test]
async fn what_the_router_refuses_is_a_problem_too() {
    let app = app(Problem::new(Code::Internal));
    let rows = [
        ("GET", "/none", "not_found"),
        ("POST", "/problem", "method_not_allowed"),
        ("GET", "/number/x", "bad_request"),
    ];
    for (method, path, code) in rows {
        let (_, headers, document) = ask(app.clone(), method, path).await;
        assert_eq!(document["code"], code, "{method} {path}");
        assert_eq!(headers.get("allow").is_some(), code == "method_not_allowed", "{method} {path}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_that_tells_nothing() {
    let (status, _, document) = ask(app(Problem::new(Code::Internal)), "GET", "/panic").await;
    assert_eq!(
        (status.as_u16(), &document["code"], &document["detail"]),
        (500, &Value::from("internal"), &Value::Null)
    );
}

#[tokio::test]
async fn request_ids_differ_and_an_honest_answer_has_one() {
    let app = app(Problem::new(Code::Internal));
    let (status, first, _) = ask(app.clone(), "GET", "/number/1").await;
    let (_, second, _) = ask(app, "GET", "/number/1").await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(first["x-request-id"], second["x-request-id"]);
}

#[test]
fn no_two_codes_share_a_name() {
    for (at, code) in Code::ALL.iter().enumerate() {
        assert!(Code::ALL[..at].iter().all(|other| other.as_str() != code.as_str()), "{code:?}");
    }
}
