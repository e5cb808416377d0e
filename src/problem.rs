//! Leaf: the one form in which HTTP says no (RFC 9457), with the closed list of codes of the contract.
//!
//! May import HTTP types, tower and serde; imports no room: the rooms map their errors into it. A handler returns a
//! [`Problem`]; [`Complete`], the outermost layer, gives every answer its request id and writes the document, so that
//! a refusal made by the router or an extractor looks like one made by a room.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tower::{Layer, Service};
use uuid::Uuid;

/// Carries the request id of every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// The closed list of codes (contract, HTTP shapes).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name used in JSON and in the document's type.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The status that goes with it, always the same.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The same words each time (RFC 9457 §3.1.3).
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    /// The request is not one: parameters, syntax.
    BadRequest = "bad_request", BAD_REQUEST, "Bad request";
    /// More bytes than a body may have, as sent or inflated.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large";
    /// Nothing was stored, nothing is lost: send again later.
    CannotStore = "cannot_store", SERVICE_UNAVAILABLE, "Cannot store";
    /// The name is taken, or the state does not allow it.
    Conflict = "conflict", CONFLICT, "Conflict";
    /// The token lacks the scope.
    Forbidden = "forbidden", FORBIDDEN, "Forbidden";
    /// More bytes than a header block may have.
    HeaderTooLarge = "header_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Header too large";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
    /// The resource knows other methods.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// An empty body, or one in which the relay's profile finds no place for an envelope.
    NoEnvelope = "no_envelope", BAD_REQUEST, "No place for an envelope";
    /// Unknown, or another tenant's.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// Too much is pending: send again later.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Overloaded";
    /// Slower than allowed, by a relay's rate or a source's.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Rate limited";
    /// The body did not arrive in time.
    Timeout = "timeout", REQUEST_TIMEOUT, "Timeout";
    /// No token, or not a valid one: one answer for all of that.
    Unauthorized = "unauthorized", UNAUTHORIZED, "Unauthorized";
    /// Understood, and not possible.
    Unprocessable = "unprocessable", UNPROCESSABLE_ENTITY, "Unprocessable";
    /// A coding or media type that is not taken here.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
}

impl Code {
    /// The code for an answer that some layer made without one.
    fn of_status(status: StatusCode) -> Self {
        let found = Self::ALL.iter().copied().find(|code| code.status() == status);
        let ours = status.is_server_error();
        found.unwrap_or(if ours { Self::Internal } else { Self::BadRequest })
    }
}

/// A refusal on its way out. As a response it has its status and headers; [`Complete`] writes the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem without more words.
    pub const fn new(code: Code) -> Self {
        Self { code, detail: None, retry_after_s: None }
    }

    /// With words for whoever reads it; they name no secret and depend on no key.
    pub fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: Some(detail.into()), retry_after_s: None }
    }

    /// Says when to come back (`Retry-After`, RFC 9110 §10.2.3).
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The document's bytes.
    fn document(&self, request_id: &str) -> Vec<u8> {
        let document = Document {
            r#type: format!("https://paperknife.example/problems/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.as_deref(),
            code: self.code.as_str(),
            request_id,
        };
        // Text and numbers alone: serialization has nothing to fail on.
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: Option<&'a str>,
    code: &'static str,
    request_id: &'a str,
}

/// The outermost layer: gives the request an id, logs the answer by its route's pattern (never the path, which may hold
/// a relay's token), answers for a handler that panicked, writes problem documents, and adds the headers that every answer
/// has. A client's own request id is not taken over: it would be the relay's words in our logs.
///
/// One layer by hand, not one each from the framework: every layer boxes its service and its future anew for each
/// request.
#[derive(Clone, Copy)]
pub struct Complete {
    dress: fn(&mut HeaderMap),
}

impl Complete {
    /// A layer whose answers also have the headers that `dress` adds.
    pub const fn with(dress: fn(&mut HeaderMap)) -> Self {
        Self { dress }
    }
}

impl<S> Layer<S> for Complete {
    type Service = Completing<S>;

    fn layer(&self, inner: S) -> Completing<S> {
        Completing { inner, dress: self.dress }
    }
}

/// A service within [`Complete`].
#[derive(Clone)]
pub struct Completing<S> {
    inner: S,
    dress: fn(&mut HeaderMap),
}

impl<S> Service<Request> for Completing<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (exchange, dress) = (Exchange::begin(&request), self.dress);
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let response = match answer.await {
                Ok(Ok(response)) => response,
                Err(_) => panicked(),
            };
            let mut response = exchange.end(response);
            dress(response.headers_mut());
            Ok(response)
        })
    }
}

/// A request that is being answered.
struct Exchange {
    id: Uuid,
    method: Method,
    route: Option<MatchedPath>,
    begun: Instant,
}

impl Exchange {
    fn begin(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { id: Uuid::now_v7(), method: request.method().clone(), route, begun: Instant::now() }
    }

    fn end(self, response: Response) -> Response {
        let mut text = Uuid::encode_buffer();
        let id: &str = self.id.hyphenated().encode_lower(&mut text);
        let mut response = finish(response, id);
        if let Ok(value) = HeaderValue::from_str(id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let Self { method, route, begun, .. } = self;
        let (status, duration_ms) = (response.status().as_u16(), begun.elapsed().as_secs_f64() * 1000.0);
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        tracing::debug!(%method, route, status, duration_ms, request_id = id, "answered {method} {route}: {status}");
        response
    }
}

/// Writes the document of an answer that is a refusal; leaves any other as it is.
fn finish(response: Response, id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let problem = parts.extensions.remove::<Problem>().unwrap_or_else(|| Problem::new(Code::of_status(status)));
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.status = problem.code.status();
    Response::from_parts(parts, Body::from(problem.document(id)))
}

/// The answer to a path that no route has.
pub async fn not_found() -> Problem {
    Problem::new(Code::NotFound)
}

/// The answer to a method that the path does not have; the router adds `Allow`.
pub async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed)
}

/// The answer when a handler panicked. It should never be seen; the panic itself goes to the log by the panic hook.
fn panicked() -> Response {
    Problem::new(Code::Internal).into_response()
}

#[cfg(test)]
mod tests;
