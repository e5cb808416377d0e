//! `/docs`: `openapi.yaml` as a page, without a script and without the internet. May import what `api` may, and the
//! reader of YAML, for our own document alone.

pub(in crate::api) mod example;
mod page;
mod schema;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::api::health::CONTRACT;
use crate::problem::{Code, Problem};

/// Made once, at the first question; none where the document is none, which a test excludes.
static PAGE: LazyLock<Option<String>> = LazyLock::new(|| document().map(|document| page::render(&document)));

/// The page loads its style sheet, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn document() -> Option<Value> {
    serde_saphyr::from_str(CONTRACT).ok()
}

/// `GET /docs`
pub(in crate::api) async fn page() -> Result<Response, Problem> {
    let page = PAGE.as_deref().ok_or(Problem::new(Code::Internal))?;
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    Ok((headers, page).into_response())
}

/// `GET /docs/style.css`
pub(in crate::api) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs/style.css")).into_response()
}
