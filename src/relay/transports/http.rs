//! Deliveries over HTTP: `POST|PUT /ingest/{relay}`.
//!
//! May import what `relay` may. Every answer here is decided without any key, and the answer to a taken delivery is the
//! same whatever its items are (threats §1): `202`, two headers, a receipt.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::timeout;

use crate::codec::inflate;
use crate::item::{Receipt, Source};
use crate::problem::{Code, Problem};
use crate::relay::accounts::{self, Place};
use crate::relay::profiles::Unfound;
use crate::relay::{Delivery, Edge, Limits, Untaken, beside_the_runtime, take};
use crate::store::failure::Failure;
use crate::store::intake::Known;

/// The two ways to name a relay.
pub fn routes(edge: Edge) -> Router {
    Router::new()
        .route("/ingest/{relay}", post(with_header).put(with_header))
        .route("/ingest/{relay}/{token}", post(with_path).put(with_path))
        .with_state(Arc::new(edge))
}

async fn with_header(
    State(edge): State<Arc<Edge>>,
    Path(relay): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let token = presented(request.headers(), &relay);
    deliver(&edge, &relay, token.as_deref(), Place::Header, request).await
}

async fn with_path(
    State(edge): State<Arc<Edge>>,
    Path((relay, token)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    deliver(&edge, &relay, Some(&token), Place::Path, request).await
}

async fn deliver(
    edge: &Edge,
    relay: &str,
    token: Option<&str>,
    place: Place,
    request: Request,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let known = authenticate(edge, relay, token, place, request.extensions().get())?;
    let (parts, body) = request.into_parts();
    let coding = coding(&parts.headers)?;
    let coded = read(body, &edge.limits).await?;
    let delivery = Delivery {
        bytes: decode(coded, coding, &edge.limits).await?,
        content_type: text(&parts.headers, header::CONTENT_TYPE.as_str()),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
    };
    let receipt = take(edge, known, delivery).await.map_err(|untaken| refuse(&untaken))?;
    (edge.answered)(begun.elapsed());
    Ok(acknowledge(receipt))
}

/// Where there is a look-up, it is one indexed read of a few microseconds: it is made here, not on another thread. A
/// source that guesses is told to wait; the right token is taken from it all the same, so that nobody is shut out by a
/// neighbour.
fn authenticate(
    edge: &Edge,
    relay: &str,
    token: Option<&str>,
    place: Place,
    source: Option<&Source>,
) -> Result<Known, Problem> {
    let found = accounts::authenticate(&edge.intake, relay, token, place).map_err(|failure| unavailable(&failure))?;
    found.ok_or_else(|| match edge.guesses.as_ref().zip(source).map(|(guesses, source)| guesses.spend(source)) {
        Some(Err(wait)) => {
            Problem::new(Code::RateLimited).retry_after(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX - 1) + 1)
        }
        _ => Problem::new(Code::Unauthorized),
    })
}

/// The token in the one Authorization header: `Bearer`, or Basic with the relay's name (RFC 6750, RFC 7617). Many
/// servers can only do the second.
fn presented(headers: &HeaderMap, relay: &str) -> Option<String> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    pair.split_once(':').filter(|(name, _)| *name == relay).map(|(_, token)| token.to_owned())
}

/// The one content coding, if any. Several of them multiply their ratios: not taken.
fn coding(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(value.to_str().map_err(|_| unsupported_coding())?.to_owned())),
        (Some(_), Some(_)) => Err(unsupported_coding()),
    }
}

fn unsupported_coding() -> Problem {
    Problem::with_detail(Code::UnsupportedMediaType, "content codings taken here: gzip, deflate, one of them, once")
}

/// The whole body, within its size and time. A declared length that is too much is refused before a byte is read.
async fn read(body: Body, limits: &Limits) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > limits.profiles.max_body as u64 {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    let read = timeout(limits.body_timeout, collect(body, limits.profiles.max_body)).await;
    let bytes = read.map_err(|_| Problem::new(Code::Timeout))??;
    if bytes.is_empty() { Err(Problem::new(Code::NoEnvelope)) } else { Ok(bytes) }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broken = |_| Problem::with_detail(Code::BadRequest, "the body ended before its end");
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue; // trailers
        };
        if bytes.len() + data.len() > limit {
            return Err(Problem::new(Code::BodyTooLarge));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

async fn decode(coded: Bytes, coding: Option<String>, limits: &Limits) -> Result<Bytes, Problem> {
    let Some(coding) = coding else {
        return Ok(coded);
    };
    let limit = limits.profiles.max_body;
    let decoded = beside_the_runtime(coded.len(), move || inflate::inflate(&coded, &coding, limit)).await;
    decoded.map(Bytes::from).map_err(|error| match error {
        inflate::Error::Malformed => Problem::with_detail(Code::BadRequest, error.to_string()),
        inflate::Error::TooLarge => Problem::new(Code::BodyTooLarge),
        inflate::Error::Unsupported => unsupported_coding(),
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn acknowledge(receipt: Receipt) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::ACCEPTED, headers, axum::Json(receipt)).into_response()
}

fn refuse(untaken: &Untaken) -> Problem {
    match untaken {
        Untaken::Failed(Failure::AccountChanged) => Problem::new(Code::Unauthorized),
        Untaken::Failed(failure) => unavailable(failure),
        Untaken::Profile(reason) => {
            tracing::error!(reason, "a relay's account does not parse: {reason:?}");
            Problem::new(Code::CannotStore).retry_after(CANNOT_STORE_RETRY_S)
        }
        Untaken::Unfound(Unfound::TooLarge) => Problem::new(Code::BodyTooLarge),
        Untaken::Unfound(Unfound::NoEnvelope) => Problem::new(Code::NoEnvelope),
    }
}

/// How long a relay should wait while the store fails.
const CANNOT_STORE_RETRY_S: u32 = 10;
/// How long a relay should wait while too much is pending.
const OVERLOADED_RETRY_S: u32 = 2;

fn unavailable(failure: &Failure) -> Problem {
    if failure.is_overload() {
        return Problem::new(Code::Overloaded).retry_after(OVERLOADED_RETRY_S);
    }
    tracing::error!(%failure, "cannot take a delivery: {failure}");
    Problem::new(Code::CannotStore).retry_after(CANNOT_STORE_RETRY_S)
}

#[cfg(test)]
mod tests;
