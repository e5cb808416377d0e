//! Subscriptions: who is told what, how it went, and again. A webhook's secret is in the answer that made it, and
//! nowhere else. May import what `api` may.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keystore::AdminError;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Body, Desk, broken, found, id, json, refused, whole};
use crate::delivery::webhook::custom_header;
use crate::item::Timestamp;
use crate::problem::{Code, Problem};
use crate::store::event::{Event, EventType};
use crate::store::failure::Failure;
use crate::store::glob::Glob;
use crate::store::outbox::{Made, Outbox, Parcel};
use crate::store::subscription::{Attempt, BodyFormat, Filter, Order, Sink, Spec, Status, Subscription};

/// Patterns of one kind, and headers.
const MAX_PARTS: usize = 64;
/// Most subscriptions of a tenant.
const MAX_SUBSCRIPTIONS: usize = 1000;
/// Where the request does not say: the secret before signs for a day more.
const OVERLAP_S: u32 = 24 * 60 * 60;
/// Longest overlap.
const MAX_OVERLAP_S: u32 = 30 * 24 * 60 * 60;

/// A subscription, this once with its secret.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    subscription: Subscription,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Shown {
    /// Values of headers may be secrets: they are taken, not shown.
    fn of(mut subscription: Subscription, secret: Option<String>) -> Self {
        if let Sink::Webhook { headers, .. } = &mut subscription.spec.sink {
            headers.values_mut().for_each(|value| "***".clone_into(value));
        }
        Self { subscription, secret }
    }
}

/// `GET /v1/subscriptions`: all of the tenant's.
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let all = desk.ask_outbox(move |outbox| outbox.subscriptions(&caller.tenant)).await?;
    Ok(whole(all.into_iter().map(|subscription| Shown::of(subscription, None)).collect::<Vec<_>>()))
}

/// `GET /v1/subscriptions/{id}`
pub(in crate::api) async fn show(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    Ok(json(&Shown::of(own(&desk, &caller, &name).await?, None)))
}

async fn own(desk: &Desk, caller: &Caller, name: &str) -> Result<Subscription, Problem> {
    let (id, tenant) = (id(name)?, caller.tenant.clone());
    found(desk.ask_outbox(move |outbox| outbox.subscription(&tenant, id)).await?)
}

/// The body of `POST /v1/subscriptions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NewSubscription {
    name: String,
    sink: Sink,
    events: Vec<EventType>,
    #[serde(default)]
    filter: NewFilter,
    #[serde(default)]
    body: BodyFormat,
    #[serde(default)]
    order: Order,
}

/// Patterns as text.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFilter {
    #[serde(default)]
    devices: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
}

/// `POST /v1/subscriptions`: the only answer that holds the secret.
pub(in crate::api) async fn add(
    State(desk): State<Desk>,
    caller: Caller,
    members: Members,
    Body(new): Body<NewSubscription>,
) -> Result<Response, Problem> {
    members.none()?;
    let spec = checked(new)?;
    admit(&desk, &spec.sink).await?;
    let is_signed = matches!(spec.sink, Sink::Webhook { .. });
    let tenant = caller.tenant.clone();
    let made = desk.ask_outbox(move |outbox| make(outbox, &tenant, spec)).await?;
    let id = made.ok_or_else(|| unprocessable(format!("a tenant has at most {MAX_SUBSCRIPTIONS} subscriptions")))?;
    let tenant = caller.tenant.clone();
    let secret = desk.ask_keystore(move |keystore| match is_signed {
        true => keystore.webhook_add(&tenant, &id.to_string()).map(Some).map_err(|error| refused(&error)),
        false => Ok(None),
    });
    let secret = secret.await?;
    // Served from now on: what happens before is not signed for anybody.
    let subscription = set(&desk, &caller, id, Status::Active).await?;
    Ok((StatusCode::CREATED, json(&Shown::of(subscription, secret.map(|secret| secret.to_string())))).into_response())
}

/// Whether the sink may be there at all, as each attempt will judge.
async fn admit(desk: &Desk, sink: &Sink) -> Result<(), Problem> {
    match sink {
        Sink::File { name } if desk.delivery.keeps_file(name) => Ok(()),
        Sink::File { .. } => Err(unprocessable("sink.name: no such file may be kept here (delivery.files)")),
        Sink::Webhook { url, .. } => {
            desk.delivery.admit(url).await.map_err(|unreached| unprocessable(format!("sink.url: {unreached}")))
        }
    }
}

fn make(outbox: &Outbox, tenant: &str, spec: Spec) -> Result<Option<Uuid>, Failure> {
    match outbox.subscriptions(tenant)?.len() {
        MAX_SUBSCRIPTIONS.. => Ok(None),
        _ => outbox.add(tenant, spec).map(Some),
    }
}

async fn set(desk: &Desk, caller: &Caller, id: Uuid, status: Status) -> Result<Subscription, Problem> {
    let tenant = caller.tenant.clone();
    let changed = desk.ask_outbox(move |outbox| {
        let Some(subscription) = outbox.subscription(&tenant, id)? else { return Ok(None) };
        outbox.set(subscription.row, status)?;
        outbox.subscription(&tenant, id)
    });
    found(changed.await?)
}

fn checked(new: NewSubscription) -> Result<Spec, Problem> {
    let NewSubscription { name, sink, events, filter, body, order } = new;
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(unprocessable("name: 1 to 256 bytes without control characters"));
    }
    if events.is_empty() || events.len() > EventType::ALL.len() {
        return Err(unprocessable("events: at least one type, each once"));
    }
    if body == BodyFormat::Raw && events != [EventType::MessageOpened] {
        return Err(unprocessable("body: raw is of message.opened alone"));
    }
    if !filter.tags.is_empty() {
        return Err(unprocessable("filter.tags: devices have no tags in this version"));
    }
    match &sink {
        Sink::File { .. } if body != BodyFormat::Standard => {
            return Err(unprocessable("body: a file holds events in the standard form"));
        }
        Sink::File { .. } => {}
        Sink::Webhook { headers, .. } => check_headers(headers)?,
    }
    let filter =
        Filter { devices: globs("filter.devices", &filter.devices)?, names: globs("filter.names", &filter.names)? };
    Ok(Spec { name, sink, events, filter, body, order })
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), Problem> {
    let wrong = headers.iter().find(|(name, value)| custom_header(name, value).is_none());
    match wrong {
        // Its name came from outside, its value may be a secret.
        Some((name, _)) => Err(unprocessable(format!("sink.headers: {:?} cannot be sent along", cut(name)))),
        None if headers.len() > MAX_PARTS => Err(unprocessable("sink.headers: at most 64")),
        None => Ok(()),
    }
}

fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

fn globs(place: &str, patterns: &[String]) -> Result<Vec<Glob>, Problem> {
    let parsed: Option<Vec<Glob>> = patterns.iter().map(|pattern| Glob::parse(pattern)).collect();
    parsed
        .filter(|globs| globs.len() <= MAX_PARTS)
        .ok_or_else(|| unprocessable(format!("{place}: at most 64 patterns of 1 to 256 bytes")))
}

/// The body of `PATCH /v1/subscriptions/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Alteration {
    status: Status,
}

/// `PATCH /v1/subscriptions/{id}`: pauses it, or serves it again; what waits is then due at once.
pub(in crate::api) async fn alter(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
    Body(Alteration { status }): Body<Alteration>,
) -> Result<Response, Problem> {
    members.none()?;
    if status == Status::Disabled {
        return Err(unprocessable("status: active or paused"));
    }
    let subscription = set(&desk, &caller, id(&name)?, status).await?;
    Ok(json(&Shown::of(subscription, None)))
}

/// `DELETE /v1/subscriptions/{id}`: what is on its way to it ends.
pub(in crate::api) async fn remove(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let subscription = own(&desk, &caller, &name).await?;
    desk.ask_outbox(move |outbox| outbox.remove(subscription.row)).await?;
    let (tenant, id) = (caller.tenant.clone(), subscription.id.to_string());
    desk.ask_keystore(move |keystore| keystore.webhook_remove(&tenant, &id).map_err(|error| refused(&error))).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /v1/subscriptions/{id}/deliveries`
pub(in crate::api) async fn deliveries(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    let (status, page) = members.read(|members| {
        let known = |value: &str| ["dead", "delivered", "expired", "pending"].into_iter().find(|name| *name == value);
        Ok((members.parsed("status", "pending, delivered, dead or expired", known)?, members.page()?))
    })?;
    let id = id(&name)?;
    Ok(json(&found(desk.ask(move |reader| reader.deliveries(&caller.tenant, id, status, &page)).await?)?))
}

/// `POST /v1/subscriptions/{id}/deliveries/{delivery}/resend`
pub(in crate::api) async fn resend(
    State(desk): State<Desk>,
    caller: Caller,
    Path((name, delivery)): Path<(String, String)>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let (subscription, delivery) = (own(&desk, &caller, &name).await?, id(&delivery)?);
    let resent = desk.ask_outbox(move |outbox| outbox.resend(subscription.row, delivery)).await?;
    found(resent.then_some(()))?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// The body of `POST /v1/subscriptions/{id}/replay`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Range {
    from: Timestamp,
    to: Option<Timestamp>,
    events: Option<Vec<EventType>>,
}

#[derive(Serialize)]
struct Replayed {
    enqueued: u64,
}

/// `POST /v1/subscriptions/{id}/replay`: what it wants of that time, again, under the same ids.
pub(in crate::api) async fn replay(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
    Body(Range { from, to, events }): Body<Range>,
) -> Result<Response, Problem> {
    members.none()?;
    let subscription = own(&desk, &caller, &name).await?;
    let mut interest = subscription.spec.interest();
    if let Some(events) = events {
        interest.events.retain(|kind| events.contains(kind));
    }
    if interest.events.is_empty() {
        return Err(unprocessable("events: none that the subscription is for"));
    }
    let range = (from, to.unwrap_or_else(|| desk.clock.now()));
    let enqueued = desk.ask_outbox(move |outbox| outbox.replay(&subscription, range, &interest)).await?;
    Ok((StatusCode::ACCEPTED, json(&Replayed { enqueued })).into_response())
}

/// `POST /v1/subscriptions/{id}/test`: one event that says that it is a test, now, outside the queue.
pub(in crate::api) async fn test(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
) -> Result<Response, Problem> {
    members.none()?;
    let subscription = own(&desk, &caller, &name).await?;
    let parcel = trial(&desk, &subscription).map_err(|error| broken(&error))?;
    let sent = desk.delivery.test(&subscription, parcel).await.ok_or(Problem::new(Code::Internal))?;
    let (at, Made { status_code, error, duration_ms }) = sent;
    Ok(json(&Attempt { at, status_code, error: error.map(str::to_owned), duration_ms }))
}

fn trial(desk: &Desk, subscription: &Subscription) -> Result<Parcel, serde_json::Error> {
    let data = RawValue::from_string(format!(r#"{{"subscription":"{}"}}"#, subscription.id))?;
    let (id, time) = (Uuid::now_v7(), desk.clock.now());
    let event = Event { kind: EventType::SubscriptionTest, id, time, data, device: None };
    Ok(Parcel { event, content: None })
}

/// The body of `POST /v1/subscriptions/{id}/rotate-secret`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Rotation {
    #[serde(default, deserialize_with = "seconds")]
    overlap_s: Option<u32>,
}

/// A whole number or null: `60.0` is one, too (JSON Schema 2020-12 §6.1.1).
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    let seconds = Some(number).filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number));
    seconds.map(|seconds| Some(seconds as u32)).ok_or_else(|| D::Error::custom("not a whole number of seconds"))
}

#[derive(Serialize)]
struct Secret {
    secret: String,
}

/// `POST /v1/subscriptions/{id}/rotate-secret`: the secret before signs too until the overlap ends.
pub(in crate::api) async fn rotate(
    State(desk): State<Desk>,
    caller: Caller,
    Path(name): Path<String>,
    members: Members,
    Body(Rotation { overlap_s }): Body<Rotation>,
) -> Result<Response, Problem> {
    members.none()?;
    let overlap_s = overlap_s.unwrap_or(OVERLAP_S);
    if overlap_s > MAX_OVERLAP_S {
        return Err(unprocessable("overlap_s: at most 30 days"));
    }
    let subscription = own(&desk, &caller, &name).await?;
    if matches!(subscription.spec.sink, Sink::File { .. }) {
        return Err(unprocessable("a file has no secret"));
    }
    let (tenant, id) = (caller.tenant.clone(), subscription.id.to_string());
    let secret = desk.ask_keystore(move |keystore| match keystore.webhook_rotate(&tenant, &id, overlap_s) {
        // A crash between the making of a subscription and of its secret.
        Err(AdminError::NotFound(_)) => keystore.webhook_add(&tenant, &id).map_err(|error| refused(&error)),
        done => done.map_err(|error| refused(&error)),
    });
    Ok(json(&Secret { secret: secret.await?.to_string() }))
}

fn unprocessable(detail: impl Into<String>) -> Problem {
    Problem::with_detail(Code::Unprocessable, detail.into())
}
