//! The API on one page: every route, what it needs of its caller, and who answers it. `openapi.yaml` says the same, and
//! a test holds the two equal.
//!
//! May import axum, the store's read side, `relay::accounts` and the intake that keeps them, keystore administration
//! and public keys, `opening`'s two handles (one asks the owner, one tells whether it is well), `delivery`'s control and
//! feed, `problem`, `clock`. Not envelope, guard, open, nor
//! the rest of relay: here is only what was concluded, and nothing is opened.

mod devices;
mod docs;
mod gate;
mod health;
mod held;
mod keys;
mod members;
mod messages;
pub mod readings;
mod receipts;
mod refusals;
mod relays;
mod stream;
mod subscriptions;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use keystore::{AdminError, Keystore, Scope};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::gate::{Gate, Needs};
use crate::clock::Clock;
use crate::delivery::Control;
use crate::opening::{self, Reopen};
use crate::problem::{Code, Problem};
use crate::rate::Rate;
use crate::store::failure::Failure;
use crate::store::intake::Intake;
use crate::store::outbox::Outbox;
use crate::store::reader::{Page, Reader};

/// All that the API's side of the house is given.
#[derive(Clone)]
pub struct Desk {
    /// What was concluded.
    pub reader: Reader,
    /// Relay accounts, and whether storing works.
    pub intake: Intake,
    /// Tokens, public keys, administration.
    pub keystore: Arc<Keystore>,
    /// Asks opening's owner to try held items again.
    pub reopen: Reopen,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics as Prometheus text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Subscriptions, and the live feed.
    pub delivery: Control,
    /// Whether opening works.
    pub opening: opening::Health,
    /// How often it may be asked.
    pub rates: Rates,
}

/// How often the API may be asked.
#[derive(Clone, Default)]
pub struct Rates {
    /// By one token; none: as often as it likes.
    pub token: Option<Arc<Rate>>,
    /// With a wrong token, from one source.
    pub guess: Option<Arc<Rate>>,
}

/// The whole API.
#[rustfmt::skip]
fn table() -> Vec<Route> {
    use Needs::{AnyToken, Nothing, Scope as With};
    use Scope::{Admin, Keys, Read, Subscriptions};
    vec![
        Route::get("/v1/messages", With(Read), messages::list),
        Route::get("/v1/messages/{id}", With(Read), messages::show),
        Route::get("/v1/messages/{id}/content", With(Read), messages::content),
        Route::get("/v1/readings", With(Read), readings::list),
        Route::get("/v1/devices", With(Read), devices::list),
        Route::get("/v1/devices/{id}", With(Read), devices::show),
        Route::get("/v1/devices/{id}/gaps", With(Read), devices::gaps),

        Route::get("/v1/refusals", With(Admin), refusals::list),
        Route::get("/v1/refusals/{id}", With(Admin), refusals::show),
        Route::get("/v1/held", With(Admin), held::list),
        Route::get("/v1/held/{id}", With(Admin), held::show),
        Route::post("/v1/held/reopen", With(Admin), held::reopen),
        Route::get("/v1/receipts/{id}", With(Admin), receipts::show),

        Route::get("/v1/relays", With(Admin), relays::list),
        Route::post("/v1/relays", With(Admin), relays::add),
        Route::get("/v1/relays/{name}", With(Admin), relays::show),
        Route::delete("/v1/relays/{name}", With(Admin), relays::remove),
        Route::get("/v1/tokens", With(Admin), tokens::list),
        Route::post("/v1/tokens", With(Admin), tokens::add),
        Route::delete("/v1/tokens/{id}", With(Admin), tokens::revoke),

        Route::get("/v1/subscriptions", With(Subscriptions), subscriptions::list),
        Route::post("/v1/subscriptions", With(Subscriptions), subscriptions::add),
        Route::get("/v1/subscriptions/{id}", With(Subscriptions), subscriptions::show),
        Route::patch("/v1/subscriptions/{id}", With(Subscriptions), subscriptions::alter),
        Route::delete("/v1/subscriptions/{id}", With(Subscriptions), subscriptions::remove),
        Route::get("/v1/subscriptions/{id}/deliveries", With(Subscriptions), subscriptions::deliveries),
        Route::post("/v1/subscriptions/{id}/deliveries/{delivery}/resend", With(Subscriptions), subscriptions::resend),
        Route::post("/v1/subscriptions/{id}/replay", With(Subscriptions), subscriptions::replay),
        Route::post("/v1/subscriptions/{id}/test", With(Subscriptions), subscriptions::test),
        Route::post("/v1/subscriptions/{id}/rotate-secret", With(Subscriptions), subscriptions::rotate),
        Route::get("/v1/stream", With(Read), stream::follow),

        Route::get("/v1/keys", With(Keys), keys::list),
        Route::get("/v1/keys/public", Nothing, keys::public),

        Route::get("/healthz", Nothing, health::alive),
        Route::get("/readyz", Nothing, health::ready),
        Route::get("/metrics", AnyToken, health::metrics),
        Route::get("/openapi.yaml", Nothing, health::contract),
        Route::get("/docs", Nothing, docs::page),
        Route::get("/docs/style.css", Nothing, docs::style),
    ]
}

/// The API's routes.
pub fn routes(desk: Desk) -> Router {
    let gated = |router: Router<Desk>, route: Route| {
        let gate = Gate { desk: desk.clone(), needs: route.needs, method: route.method, path: route.path };
        router.route(route.path, route.handler.route_layer(from_fn_with_state(gate, gate::pass)))
    };
    table()
        .into_iter()
        .fold(Router::new(), gated)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(keep_private))
        .with_state(desk)
}

/// Most bytes of a request's body: administration is small.
const MAX_BODY: usize = 64 * 1024;

/// One line of the API.
struct Route {
    method: Method,
    path: &'static str,
    needs: Needs,
    handler: MethodRouter<Desk>,
}

impl Route {
    fn get<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Desk>) -> Self {
        Self { method: Method::GET, path, needs, handler: on(MethodFilter::GET, handler) }
    }

    fn post<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Desk>) -> Self {
        Self { method: Method::POST, path, needs, handler: on(MethodFilter::POST, handler) }
    }

    fn patch<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Desk>) -> Self {
        Self { method: Method::PATCH, path, needs, handler: on(MethodFilter::PATCH, handler) }
    }

    fn delete<T: 'static>(path: &'static str, needs: Needs, handler: impl Handler<T, Desk>) -> Self {
        Self { method: Method::DELETE, path, needs, handler: on(MethodFilter::DELETE, handler) }
    }
}

/// What is answered here is for its caller, now; and it is what its type says.
async fn keep_private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Desk {
    /// Asks the store. On a thread that may block, because a question can take as long as its range is wide; not by
    /// `block_in_place`, which would take this worker's other tasks along and needs a certain kind of runtime.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.reader.clone();
        aside(move || question(&reader).map_err(|failure| broken(&failure))).await
    }

    /// Asks the store about relay accounts.
    async fn ask_intake<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Intake) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let intake = self.intake.clone();
        aside(move || question(&intake).map_err(|failure| broken(&failure))).await
    }

    /// Asks the store about subscriptions, or changes them.
    async fn ask_outbox<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Outbox) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let outbox = self.delivery.outbox.clone();
        aside(move || question(&outbox).map_err(|failure| broken(&failure))).await
    }

    /// Asks the keystore.
    async fn ask_keystore<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Keystore) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let keystore = Arc::clone(&self.keystore);
        aside(move || question(&keystore)).await
    }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Never cancelled: it panicked, and goes on towards the layer that catches it.
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

/// A failure of ours: told in the log, not to the caller.
fn broken(failure: &impl std::error::Error) -> Problem {
    tracing::error!(%failure, "cannot answer: {failure}");
    Problem::new(Code::Internal)
}

/// Why the keystore did not do what an operator asked: told to them, unless the fault is ours.
fn refused(error: &AdminError) -> Problem {
    match error {
        AdminError::Conflict(_) => Problem::with_detail(Code::Conflict, error.to_string()),
        AdminError::Import(_) | AdminError::Invalid(_) => Problem::with_detail(Code::Unprocessable, error.to_string()),
        AdminError::NotFound(_) => Problem::new(Code::NotFound),
        AdminError::Failed(_) | AdminError::RootKey(_) | AdminError::Tampered(_) => broken(error),
    }
}

/// What was asked for, or 404.
fn found<T>(value: Option<T>) -> Result<T, Problem> {
    value.ok_or(const { Problem::new(Code::NotFound) })
}

/// The id in a path; what is no id is unknown.
fn id(text: &str) -> Result<uuid::Uuid, Problem> {
    found(uuid::Uuid::parse_str(text).ok().filter(|id| id.to_string() == text))
}

/// The first media type of `Accept` that is among `ours`; the first of ours where it names none of them. Preferences
/// (`q`) are not weighed: whoever lists a type takes it.
fn accepts(headers: &HeaderMap, ours: &[&'static str]) -> &'static str {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut essences = accept.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    let named = essences.find_map(|essence| ours.iter().copied().find(|our| our.eq_ignore_ascii_case(essence.trim())));
    named.or_else(|| ours.first().copied()).unwrap_or_default()
}

fn json(value: &impl Serialize) -> Response {
    axum::Json(value).into_response()
}

/// All that there is of something that operators have few of, as a list.
fn whole<T: Serialize>(items: Vec<T>) -> Response {
    json(&Page { items, next: None })
}

/// A JSON body whose members are all known (`deny_unknown_fields` on `T`), of the right type and in time.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Desk> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Problem> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(is_json) {
            return Err(Problem::with_detail(Code::UnsupportedMediaType, "the body is application/json"));
        }
        let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::Bytes::from_request(request, desk)).await;
        let bytes = read.map_err(|_| Problem::new(Code::Timeout))?.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge),
            _ => Problem::new(Code::BadRequest),
        })?;
        let value = serde_json::from_slice(&bytes);
        value.map(Self).map_err(|error| Problem::with_detail(Code::BadRequest, format!("the body: {error}")))
    }
}

/// Longest time for a request's body.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

fn is_json(media_type: &str) -> bool {
    media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests;
