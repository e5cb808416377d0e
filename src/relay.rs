//! A delivery: find its items, take them sealed, answer. No key is in reach here.
//!
//! May import axum, `relay::profiles`, `item`, `codec` limits, `store::intake`, `store::failure`, `problem`, `clock`,
//! `rate` and sha2. Not the keystore, nor any room that opens: [`Edge`] holds the intake and nothing beyond it, so that no
//! answer to a relay can depend on whether an envelope opens.

pub mod accounts;
pub mod profiles;
pub mod transports;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, header};

use crate::clock::Clock;
use crate::fault;
use crate::item::{Item, Receipt, Timestamp};
use crate::rate::Rate;
use crate::relay::profiles::{Body, Found, Profile, Unfound};
use crate::store::failure::Failure;
use crate::store::intake::{Intake, Known};

/// What a delivery may cost (threats §2).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a body's first byte to its last.
    pub body_timeout: Duration,
    /// Bytes of a body, as sent and as inflated; items in it.
    pub profiles: profiles::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_timeout: Duration::from_secs(30), profiles: profiles::Limits::default() }
    }
}

/// All that the relay's side of the house is given.
#[derive(Clone)]
pub struct Edge {
    intake: Intake,
    limits: Limits,
    clock: Arc<dyn Clock>,
    answered: Arc<dyn Fn(Duration) + Send + Sync>,
    guesses: Option<Arc<Rate>>,
}

impl Edge {
    /// An edge in front of `intake`. `answered` is told how long each taken delivery took to its answer.
    pub fn new(
        intake: Intake,
        limits: Limits,
        clock: Arc<dyn Clock>,
        answered: Arc<dyn Fn(Duration) + Send + Sync>,
    ) -> Self {
        Self { intake, limits, clock, answered, guesses: None }
    }

    /// Limits how often one source may come with a wrong token.
    pub fn with_guesses(self, guesses: Option<Arc<Rate>>) -> Self {
        Self { guesses, ..self }
    }
}

/// The routes of every transport that comes over HTTP.
pub fn routes(edge: Edge) -> Router {
    transports::http::routes(edge)
}

/// What a relay hands over at once, its transport coding undone.
pub struct Delivery {
    /// The body.
    pub bytes: Bytes,
    /// Its media type, as sent.
    pub content_type: Option<String>,
    /// Headers; few profiles read them.
    pub headers: HeaderMap,
    /// The query, as sent.
    pub query: String,
}

/// Why a delivery was not taken. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum Untaken {
    /// Ours: the store says no.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Ours: the account names a profile or an option that this version does not know.
    #[error("the relay's profile does not parse: {0}")]
    Profile(String),
    /// The profile finds no place for an envelope, or too many.
    #[error("the profile finds nothing to take")]
    Unfound(Unfound),
}

/// Takes a delivery: commits its items sealed, in their order, and only then has a receipt to give.
pub async fn take(edge: &Edge, known: Known, delivery: Delivery) -> Result<Receipt, Untaken> {
    let profile = accounts::profile(&known.account).map_err(Untaken::Profile)?;
    let origin = accounts::origin(&known.account);
    let (limits, received_at) = (edge.limits.profiles, edge.clock.now());
    let items = beside_the_runtime(delivery.bytes.len(), move || find(&profile, &delivery, received_at, &limits)).await;
    let receipt = edge.intake.take_from(known, origin, items.map_err(Untaken::Unfound)?).await?;
    fault::point("take", "before-answer");
    Ok(receipt)
}

fn find(
    profile: &Profile,
    delivery: &Delivery,
    received_at: Timestamp,
    limits: &profiles::Limits,
) -> Result<Vec<Item>, Unfound> {
    let (headers, query) = match profile.looks_beside_the_body() {
        true => (texts(&delivery.headers), members(&delivery.query)),
        false => (Vec::new(), Vec::new()),
    };
    let body = Body {
        bytes: &delivery.bytes,
        content_type: delivery.content_type.as_deref(),
        headers: &headers,
        query: &query,
        received_at,
    };
    profiles::find(profile, &body, limits).map(Found::into_items)
}

/// Headers for the profile's claims, names in lower case; not the one that holds the relay's token, nor what is no text.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let open = headers.iter().filter(|(name, _)| *name != header::AUTHORIZATION);
    open.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}

/// Members of a query, decoded; none where it is no query.
fn members(query: &str) -> Vec<(String, String)> {
    let uri = axum::http::Uri::builder().path_and_query(format!("/?{query}")).build();
    let members = uri.ok().and_then(|uri| Query::try_from_uri(&uri).ok());
    members.map_or_else(Vec::new, |Query(members)| members)
}

/// Bodies up to this many bytes are worked on where they arrive: handing them to another thread would cost more.
const SMALL_BODY: usize = 64 * 1024;

/// Runs work on a body of `size` bytes: a large one on a thread that may block, so that no other connection waits for it.
pub(in crate::relay) async fn beside_the_runtime<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if size <= SMALL_BODY {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The work is never cancelled: it panicked, and goes on panicking towards the layer that catches it.
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}
