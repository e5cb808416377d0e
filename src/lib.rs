//! Paperknife: opens what devices sealed, behind a relay that is not trusted. The rooms, in the order of the data:
pub mod api;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod delivery;
pub mod envelope;
pub mod fault;
pub mod guard;
pub mod item;
pub mod listen;
pub mod meter;
pub mod open;
pub mod opening;
pub mod payload;
pub mod problem;
pub mod rate;
pub mod relay;
pub mod store;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The whole HTTP service: each street its own router and state, merged; what neither knows is a problem document.
pub fn app(edge: relay::Edge, desk: api::Desk) -> Router {
    relay::routes(edge)
        .merge(api::routes(desk))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(problem::Complete::with(guard_browsers))
}

/// What a browser is told of every answer. A page of ours says itself what it may load; all else loads nothing.
fn guard_browsers(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
