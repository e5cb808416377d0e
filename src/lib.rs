//! Paperknife: opens what devices sealed, behind a relay that is not trusted. The rooms, in the order of the data:
pub mod api;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
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
pub mod relay;
pub mod store;

use axum::Router;
use axum::middleware::from_fn;
use tower_http::catch_panic::CatchPanicLayer;

/// The whole HTTP service: each street its own router and state, merged; what neither knows is a problem document.
pub fn app(edge: relay::Edge, desk: api::Desk) -> Router {
    relay::routes(edge)
        .merge(api::routes(desk))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(|_| problem::panicked()))
        .layer(from_fn(problem::complete))
}
