//! Delivery: what was concluded reaches those who subscribed to it, at least once, under one id. A worker a
//! subscription, so that an endpoint that is dead, slow or hung takes nothing from another, and nothing from ingest:
//! queues are rows in the store, and memory holds what is being sent, no more.
//!
//! May import the store (reader, outbox and their types), `item`, `clock`, the keystore's MAC for webhooks, tokio, HTTP
//! and TLS. It never sees an envelope.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderMap;
use keystore::Keystore;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Clock;
use crate::item::Timestamp;
use crate::store::event::Interest;
use crate::store::failure::Failure;
use crate::store::outbox::{Attempted, Becomes, Due, Made, Outbox, Parcel};
use crate::store::reader::{Cursor, Reader};
use crate::store::subscription::{Sink, Subscription};

pub mod connector;
pub mod file;
pub mod schedule;
pub mod stream;
pub mod webhook;

use connector::{Answer, Connector, Unreached};
use schedule::{Schedule, retry_after};
use stream::Feed;
use webhook::Letter;

/// Attempts of one subscription at one time.
const AT_ONCE: usize = 8;
/// Failures in a row after which an endpoint is asked once at a time, and less and less often.
const DOUBTED: u32 = 3;
/// First and longest pause of an endpoint that is doubted, or that asks for fewer requests.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// Longest sleep: what is due later is looked for again by then.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// For attempts under way when the server is asked to stop.
const GRACE: Duration = Duration::from_secs(5);
/// An endpoint that failed for so long, and never did else, is disabled.
const GIVE_UP_AFTER_MS: i64 = 120 * 60 * 60 * 1000;

/// How delivery goes about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When what failed is tried again.
    pub schedule: Schedule,
    /// The gateway's name in CloudEvents.
    pub source: String,
}

/// A way to a receiver: the connector, or a test's.
pub trait Door: Send + Sync {
    /// Posts once.
    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Unreached>> + Send + 'a>>;
}

impl Door for Connector {
    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Unreached>> + Send + 'a>> {
        Box::pin(Self::post(self, url, headers, body))
    }
}

/// Told of each attempt: the subscription, and `delivered`, `failed`, `dead` or `expired`.
pub type Told = Arc<dyn Fn(Uuid, &'static str) + Send + Sync>;

/// What every worker needs.
pub struct Office {
    /// What is due.
    pub outbox: Outbox,
    /// Signs.
    pub keystore: Arc<Keystore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How.
    pub settings: Settings,
    /// The way out.
    pub door: Arc<dyn Door>,
    /// Where files of events may be.
    pub files: Option<PathBuf>,
    /// Counts.
    pub told: Told,
}

/// Why an attempt could not be made: our own fault, and no word on the receiver.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Keystore(#[from] keystore::OpenError),
    #[error(transparent)]
    Store(#[from] Failure),
}

/// The workers, at work until they are stopped.
pub struct Delivery {
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Delivery {
    /// Starts a worker for each active subscription, now and as they change. Within a tokio runtime.
    pub fn start(office: Arc<Office>) -> Self {
        let (closing, closed) = watch::channel(false);
        let task = tokio::spawn(manage(office, closed));
        Self { closing, task }
    }

    /// Takes nothing new, lets what is under way end for some seconds, and says how it went. What was cut is sent
    /// again after the next start, under the same id.
    pub async fn stop(self) {
        self.closing.send_replace(true);
        // A manager that panicked has nothing left to stop.
        let _ = self.task.await;
    }
}

/// What the API may ask of delivery.
#[derive(Clone)]
pub struct Control {
    /// Subscriptions and what is on its way to them.
    pub outbox: Outbox,
    office: Arc<Office>,
    connector: Arc<Connector>,
    reader: Reader,
    closing: watch::Receiver<bool>,
}

impl Control {
    /// `closing` ends every stream when it turns true.
    pub fn new(office: Arc<Office>, connector: Arc<Connector>, reader: Reader, closing: watch::Receiver<bool>) -> Self {
        Self { outbox: office.outbox.clone(), office, connector, reader, closing }
    }

    /// Whether there may be a file of that name.
    pub fn keeps_file(&self, name: &str) -> bool {
        self.office.files.is_some() && file::is_name(name)
    }

    /// Judges a URL as each attempt will.
    ///
    /// # Errors
    /// Where it would not be asked.
    pub async fn admit(&self, url: &str) -> Result<(), Unreached> {
        self.connector.admit(url).await
    }

    /// Sends an event once, outside the queue; none where we could not.
    pub async fn test(&self, subscription: &Subscription, parcel: Parcel) -> Option<(Timestamp, Made)> {
        let sent = self.office.send(Arc::new(subscription.clone()), parcel).await;
        sent.map(|(at, made, _)| (at, made)).map_err(|fault| warn(&fault)).ok()
    }

    /// The events of a tenant after a place, and those that come; from now on where there is no place.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn feed(&self, tenant: &str, interest: Interest, after: Option<Cursor>) -> Result<Feed, Failure> {
        Feed::open(self.reader.clone(), self.outbox.follow(), self.closing.clone(), (tenant, interest), after)
    }
}

/// Keeps a worker for each active subscription.
async fn manage(office: Arc<Office>, mut closing: watch::Receiver<bool>) {
    let changes = office.outbox.changes();
    let mut workers: HashMap<i64, JoinHandle<()>> = HashMap::new();
    while !*closing.borrow() {
        match aside(&office, |office| office.outbox.active()).await {
            Ok(active) => staff(&office, &closing, &mut workers, active),
            Err(failure) => warn(&failure),
        }
        tokio::select! {
            () = changes.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _ = closing.changed() => {}
        }
    }
    for worker in workers.into_values() {
        let _ = worker.await;
    }
}

fn staff(
    office: &Arc<Office>,
    closing: &watch::Receiver<bool>,
    workers: &mut HashMap<i64, JoinHandle<()>>,
    active: Vec<Subscription>,
) {
    // Whoever is no longer served loses its worker; one that panicked is replaced.
    workers.retain(|row, worker| {
        let stays = !worker.is_finished() && active.iter().any(|subscription| subscription.row == *row);
        if !stays {
            worker.abort();
        }
        stays
    });
    for subscription in active {
        workers
            .entry(subscription.row)
            .or_insert_with(|| tokio::spawn(Worker::new(office, subscription).run(closing.clone())));
    }
}

/// Serves one subscription.
struct Worker {
    office: Arc<Office>,
    subscription: Arc<Subscription>,
    flying: JoinSet<(Due, Result<Sent, Fault>)>,
    busy: Vec<i64>,
    failures: u32,
    quiet_until: Instant,
}

/// An attempt that was made or found nothing to send.
struct Sent {
    attempted: Attempted,
    /// The receiver asks for fewer requests, and for how long.
    throttle: Option<Duration>,
}

impl Worker {
    fn new(office: &Arc<Office>, subscription: Subscription) -> Self {
        Self {
            office: Arc::clone(office),
            subscription: Arc::new(subscription),
            flying: JoinSet::new(),
            busy: Vec::new(),
            failures: 0,
            quiet_until: Instant::now(),
        }
    }

    async fn run(mut self, mut closing: watch::Receiver<bool>) {
        let bell = self.office.outbox.bell(self.subscription.row);
        while !*closing.borrow() {
            let wait = self.fill().await.unwrap_or_else(|failure| {
                warn(&failure);
                PAUSE.1
            });
            tokio::select! {
                biased;
                _ = closing.changed() => {}
                Some(done) = self.flying.join_next(), if !self.flying.is_empty() => self.land(done.ok()).await,
                () = bell.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let landing = async {
            while let Some(done) = self.flying.join_next().await {
                self.land(done.ok()).await;
            }
        };
        // What takes longer is cut, and sent again after the next start.
        let _ = tokio::time::timeout(GRACE, landing).await;
    }

    /// Starts what is due, as far as there is room; how long to wait if nothing happens.
    async fn fill(&mut self) -> Result<Duration, Failure> {
        let quiet = self.quiet_until.saturating_duration_since(Instant::now());
        let at_once = if self.failures < DOUBTED { AT_ONCE } else { 1 };
        let room = at_once.saturating_sub(self.busy.len());
        if room == 0 || !quiet.is_zero() {
            return Ok(if room == 0 { LOOK_AGAIN } else { quiet });
        }
        let (subscription, busy) = (Arc::clone(&self.subscription), self.busy.clone());
        let now = self.office.clock.now();
        let found = aside(&self.office, move |office| {
            let due = office.outbox.due(&subscription, now, &busy, room)?;
            let known: Vec<_> = busy.iter().copied().chain(due.iter().map(|due| due.delivery)).collect();
            let next = if due.len() < room { office.outbox.next_due(subscription.row, &known)? } else { None };
            Ok::<_, Failure>((due, next))
        });
        let (due, next) = found.await?;
        for due in due {
            self.busy.push(due.delivery);
            let (office, subscription) = (Arc::clone(&self.office), Arc::clone(&self.subscription));
            self.flying.spawn(async move { (due.clone(), office.attempt(subscription, due).await) });
        }
        // What is due already waits for one of its device before it: that one's end is what to wait for.
        let wait = next.map(|next| next.millis() - now.millis()).filter(|wait| *wait > 0);
        Ok(wait.map_or(LOOK_AGAIN, |wait| Duration::from_millis(wait.unsigned_abs()).min(LOOK_AGAIN)))
    }

    /// Takes in what has ended by now and says how it went, in one transaction.
    async fn land(&mut self, first: Option<(Due, Result<Sent, Fault>)>) {
        let mut landed: Vec<_> = first.into_iter().collect();
        while let Some(done) = self.flying.try_join_next() {
            landed.extend(done.ok());
        }
        let mut attempts = Vec::new();
        for (due, sent) in &landed {
            match sent {
                Ok(sent) => {
                    self.judge(sent);
                    attempts.push(sent.attempted.clone());
                }
                Err(fault) => {
                    warn(fault);
                    self.hush(PAUSE.1);
                }
            }
            tracing::debug!(subscription = %self.subscription.id, delivery = due.delivery, "attempted");
        }
        self.note(attempts).await;
        let landed: Vec<i64> = landed.iter().map(|(due, _)| due.delivery).collect();
        self.busy.retain(|delivery| !landed.contains(delivery));
    }

    /// What one answer says of the endpoint.
    fn judge(&mut self, sent: &Sent) {
        let outcome = match sent.attempted.becomes {
            Becomes::Again(_) => "failed",
            Becomes::Dead => "dead",
            Becomes::Delivered => "delivered",
            Becomes::Expired => "expired",
        };
        (self.office.told)(self.subscription.id, outcome);
        match sent.attempted.becomes {
            Becomes::Delivered => self.failures = 0,
            Becomes::Expired => return,
            Becomes::Again(_) | Becomes::Dead => self.failures = self.failures.saturating_add(1),
        }
        if self.failures >= DOUBTED {
            let doubled = PAUSE.0.saturating_mul(1 << (self.failures - DOUBTED).min(10));
            self.hush(doubled.min(PAUSE.1));
        }
        if let Some(throttle) = sent.throttle {
            self.hush(throttle);
        }
    }

    fn hush(&mut self, wait: Duration) {
        self.quiet_until = self.quiet_until.max(Instant::now() + wait);
    }

    /// Until it is stored: what is not noted would be sent again.
    async fn note(&self, attempts: Vec<Attempted>) {
        let row = self.subscription.row;
        let mut pause = PAUSE.0;
        while !attempts.is_empty() {
            let said = attempts.clone();
            match aside(&self.office, move |office| office.outbox.attempted(row, said, GIVE_UP_AFTER_MS)).await {
                Ok(()) | Err(Failure::Stopped) => return,
                Err(failure) => warn(&failure),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

impl Office {
    /// One attempt at one delivery.
    async fn attempt(self: Arc<Self>, subscription: Arc<Subscription>, due: Due) -> Result<Sent, Fault> {
        let (delivery, attempts) = (due.delivery, due.attempts);
        let parcel = match aside(&self, move |office| office.outbox.parcel(&due)).await {
            // A row that is not as it was written would stand in the way for ever, and must not be told.
            Err(failure @ Failure::Damaged(_)) => {
                warn(&failure);
                None
            }
            found => found?,
        };
        let Some(parcel) = parcel else {
            let at = self.clock.now();
            let attempted = Attempted { delivery, at, attempt: None, becomes: Becomes::Expired, gone: false };
            return Ok(Sent { attempted, throttle: None });
        };
        let (at, made, retry) = self.send(subscription, parcel).await?;
        let throttle = matches!(made.status_code, Some(429 | 502 | 504)).then(|| retry.unwrap_or(PAUSE.0).max(PAUSE.0));
        let becomes = match self.settings.schedule.wait(attempts + 1, retry, chance()) {
            _ if made.error.is_none() => Becomes::Delivered,
            Some(wait) => Becomes::Again(later(self.clock.now(), wait)),
            None => Becomes::Dead,
        };
        let gone = made.status_code == Some(410);
        Ok(Sent { attempted: Attempted { delivery, at, attempt: Some(made), becomes, gone }, throttle })
    }

    /// Writes, signs and posts; when, how it went, and how long the receiver wants to be left alone.
    async fn send(
        self: &Arc<Self>,
        subscription: Arc<Subscription>,
        parcel: Parcel,
    ) -> Result<(Timestamp, Made, Option<Duration>), Fault> {
        let (at, begun) = (self.clock.now(), Instant::now());
        let (url, headers) = match subscription.spec.sink.clone() {
            Sink::File { name } => return self.append(name, parcel, at).await,
            Sink::Webhook { url, headers } => (url, headers),
        };
        let letter = aside(self, move |office| office.write(&subscription, &parcel, at)).await?;
        let mut all = letter.headers;
        all.extend(
            headers.iter().filter_map(|(name, value)| {
                webhook::custom_header(name, value).map(|(name, value)| (Some(name), value))
            }),
        );
        let answer = self.door.post(&url, all, letter.body).await;
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let retry =
            answer.as_ref().ok().and_then(|answer| retry_after(answer.retry_after.as_deref()?, self.clock.now()));
        let (status_code, error) = match answer {
            Ok(answer) => (Some(answer.status), class(answer.status)),
            Err(unreached) => (None, Some(unreached.as_str())),
        };
        Ok((at, Made { status_code, error, duration_ms }, retry))
    }

    /// One line of a file, the event as it is.
    async fn append(
        self: &Arc<Self>,
        name: String,
        parcel: Parcel,
        at: Timestamp,
    ) -> Result<(Timestamp, Made, Option<Duration>), Fault> {
        let begun = Instant::now();
        let line = serde_json::to_vec(&parcel.event)?;
        let appended = aside(self, move |office| {
            let folder = office.files.as_deref().ok_or(std::io::ErrorKind::NotFound)?;
            file::append(folder, &name, line)
        });
        let error = appended.await.map_err(|error: std::io::Error| {
            tracing::warn!(%error, "cannot append an event to a file: {error}");
            "file"
        });
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((at, Made { status_code: None, error: error.err(), duration_ms }, None))
    }

    fn write(&self, subscription: &Subscription, parcel: &Parcel, at: Timestamp) -> Result<Letter, Fault> {
        let mut letter = Letter::write(parcel, subscription.spec.body, &self.settings.source)?;
        let (tenant, id, prefix) = (&subscription.tenant, subscription.id.to_string(), letter.prefix(at));
        // Always signed: without a secret there is nothing that a receiver should believe.
        let signature = self.keystore.webhook_sign(tenant, &id, &prefix, &letter.body)?;
        let signature = signature.ok_or_else(|| keystore::OpenError::Failed(format!("webhook {id} has no secret")))?;
        letter.sign(at, &signature);
        Ok(letter)
    }
}

/// The class of an answer that is no success.
const fn class(status: u16) -> Option<&'static str> {
    match status {
        200..300 => None,
        300..400 => Some("redirect"),
        410 => Some("gone"),
        429 | 502 | 504 => Some("throttled"),
        _ => Some("status"),
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    Timestamp::from_millis(now.millis().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

/// For jitter alone: where there is no randomness, the middle does.
fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

/// On a thread that may block: the store and the keystore do.
async fn aside<T: Send + 'static, E: Send + 'static>(
    office: &Arc<Office>,
    work: impl FnOnce(&Office) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let office = Arc::clone(office);
    match tokio::task::spawn_blocking(move || work(&office)).await {
        Ok(done) => done,
        // Never cancelled: it panicked, and this task with it; `manage` starts another.
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

fn warn(fault: &dyn std::error::Error) {
    tracing::warn!(%fault, "delivery waits: {fault}");
}

#[cfg(test)]
mod tests;
