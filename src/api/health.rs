//! Whether we live, whether we work, how much we did, and what we promise. May import what `api` may.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::api::{Desk, aside, json};
use crate::problem::{Code, Problem};

/// `GET /healthz`: the process answers.
pub(in crate::api) async fn alive() -> Response {
    json(&serde_json::json!({ "status": "ok" }))
}

/// `GET /readyz`: storing works, keys can be read, and opening is not waiting for either.
pub(in crate::api) async fn ready(State(desk): State<Desk>) -> Result<Response, Problem> {
    let asked = desk.clone();
    let healthy = move || {
        asked.intake.healthy().map_err(|failure| not_ready("the store does not work", &failure))?;
        asked.keystore.generation().map_err(|failure| not_ready("the keystore does not work", &failure))
    };
    aside(healthy).await?;
    if !desk.opening.is_well() {
        return Err(unavailable("opening fails, and is tried again"));
    }
    Ok(json(&serde_json::json!({ "status": "ready" })))
}

/// Orchestrators ask often: what failed is in the log where it failed, so here only at debug.
fn not_ready(what: &'static str, failure: &impl std::error::Error) -> Problem {
    tracing::debug!(%failure, "not ready: {what}: {failure}");
    unavailable(what)
}

fn unavailable(what: &'static str) -> Problem {
    Problem::with_detail(Code::CannotStore, what).retry_after(5)
}

/// `GET /metrics`
pub(in crate::api) async fn metrics(State(desk): State<Desk>) -> Result<Response, Problem> {
    let text = aside(move || Ok((desk.metrics)())).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// What we promise, word for word.
pub(in crate::api) const CONTRACT: &str = include_str!("../../openapi.yaml");

/// `GET /openapi.yaml`
pub(in crate::api) async fn contract() -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], CONTRACT).into_response()
}
