//! Delivery in virtual time: hours pass in milliseconds, receivers misbehave by the dice, and what must hold holds.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::header::HeaderMap;
use keystore::{Defaults, Keystore};
use tokio::time::Instant;

use super::connector::{Answer, Unreached};
use super::schedule::Schedule;
use super::webhook::DEFAULT_SOURCE;
use super::{Delivery, Door, Office, Settings};
use crate::clock::{Clock, FixedClock};
use crate::item::{Claims, Item, Origin, Sealed, Timestamp};
use crate::store::event::EventType;
use crate::store::ledger::{Concluding, Finding, Held};
use crate::store::subscription::{BodyFormat, Filter, Order, Sink, Spec, Status, Subscription};
use crate::store::{Limits, Store};

const START: Timestamp = Timestamp::from_seconds(1_790_856_000);
/// Seeds here; `PAPERKNIFE_DELIVERY_SEEDS` asks for more.
const SEEDS: u64 = 300;

/// A clock that goes with tokio's.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START.millis() + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// Receivers by name, each of a temper.
struct Receivers {
    begun: Instant,
    dice: Mutex<u64>,
    tempers: Vec<Temper>,
    seen: Mutex<Vec<Post>>,
    under_way: Mutex<BTreeMap<usize, usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Temper {
    /// 2xx, always.
    Good,
    /// Hangs until the timeout.
    Hung,
    /// Each answer by the dice.
    Moody,
    /// 500 until that many seconds have passed.
    Heals(u64),
    /// 410.
    Gone,
}

struct Post {
    to: usize,
    id: String,
    at: Duration,
    status: u16,
}

impl Receivers {
    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.dice.lock().unwrap();
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % sides
    }

    async fn answer(&self, to: usize) -> (u16, Option<String>) {
        match self.tempers[to] {
            Temper::Good => {
                tokio::time::sleep(Duration::from_millis(self.roll(50))).await;
                (200, None)
            }
            Temper::Hung => {
                tokio::time::sleep(Duration::from_secs(15)).await;
                (0, None)
            }
            Temper::Heals(after) if self.begun.elapsed().as_secs() < after => (500, None),
            Temper::Heals(_) => (200, None),
            Temper::Gone => (410, None),
            Temper::Moody => match self.roll(6) {
                0 => (429, Some("30".to_owned())),
                1 => (503, None),
                2 => (302, None),
                3 => (0, None),
                _ => (204, None),
            },
        }
    }
}

impl Door for Receivers {
    fn post<'a>(
        &'a self,
        url: &'a str,
        headers: HeaderMap,
        _body: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Unreached>> + Send + 'a>> {
        Box::pin(async move {
            let to: usize = url.rsplit('/').next().unwrap().parse().unwrap();
            assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
            let busy = {
                let mut under_way = self.under_way.lock().unwrap();
                let busy = under_way.entry(to).or_default();
                *busy += 1;
                *busy
            };
            assert!(busy <= super::AT_ONCE, "more at once than an endpoint is to bear");
            let (status, retry_after) = self.answer(to).await;
            *self.under_way.lock().unwrap().get_mut(&to).unwrap() -= 1;
            let id = headers["webhook-id"].to_str().unwrap().to_owned();
            self.seen.lock().unwrap().push(Post { to, id, at: self.begun.elapsed(), status });
            if status == 0 { Err(Unreached::Timeout) } else { Ok(Answer { status, retry_after }) }
        })
    }
}

fn subscribe(office: &Office, to: usize) -> Subscription {
    let sink = Sink::Webhook { url: format!("https://receiver.example/{to}"), headers: BTreeMap::new() };
    let (events, filter) = (vec![EventType::MessageHeld], Filter::default());
    let spec = Spec { name: to.to_string(), sink, events, filter, body: BodyFormat::Standard, order: Order::Any };
    let id = office.outbox.add("default", spec).unwrap();
    office.keystore.webhook_add("default", &id.to_string()).unwrap();
    let made = office.outbox.subscription("default", id).unwrap().unwrap();
    office.outbox.set(made.row, Status::Active).unwrap();
    made
}

/// One thing happens: an item is taken and held, which is an event.
fn happen(store: &Store) {
    let origin = Origin { relay: "acme".into(), tenant: "default".into(), unauthenticated_sender: false };
    let item = Item { sealed: Sealed { bytes: b"x"[..].into(), cose_type: None }, claims: Claims::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.intake.take(origin, vec![item])).unwrap();
    let taken = store.ledger.next(Duration::from_secs(10), 1).unwrap().remove(0);
    let held = Held { reason: crate::item::Reason::NoKey, format: None, key_names: Vec::new(), detail: None };
    let finding = Finding::Held(held);
    store.ledger.conclude(vec![Concluding { item: taken.id, finding, open_time: Duration::ZERO }]).unwrap();
}

/// A store, its subscriptions and receivers; `events` happen before delivery begins.
struct Stage {
    store: Store,
    office: Arc<Office>,
    receivers: Arc<Receivers>,
    subscriptions: Vec<Subscription>,
    _data: tempfile::TempDir,
}

impl Stage {
    async fn set(seed: u64, tempers: Vec<Temper>, events: usize) -> Self {
        let begun = Instant::now();
        let made = tokio::task::spawn_blocking(move || {
            // In memory where there is such a folder: hundreds of stores, thousands of commits.
            let data = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            let clock = Arc::new(FixedClock::at(START));
            let store = Store::open(data.path(), Limits::default(), clock, Arc::new(())).unwrap();
            let keystore = Arc::new(Keystore::ephemeral(Defaults::default()).unwrap());
            let receivers = Arc::new(Receivers {
                begun,
                dice: Mutex::new(seed),
                tempers,
                seen: Mutex::default(),
                under_way: Mutex::default(),
            });
            let office = Arc::new(Office {
                outbox: store.outbox.clone(),
                keystore,
                clock: Arc::new(Virtual(begun)),
                settings: Settings { schedule: Schedule::default(), source: DEFAULT_SOURCE.to_owned() },
                door: Arc::clone(&receivers) as Arc<dyn Door>,
                files: None,
                told: Arc::new(|_, _| ()),
            });
            let subscriptions = (0..receivers.tempers.len()).map(|to| subscribe(&office, to)).collect();
            (0..events).for_each(|_| happen(&store));
            Self { store, office, receivers, subscriptions, _data: data }
        });
        made.await.unwrap()
    }

    fn now(&self, to: usize) -> Subscription {
        self.store.outbox.subscription("default", self.subscriptions[to].id).unwrap().unwrap()
    }
}

/// Four days with these receivers: what must hold, whatever the dice say.
async fn four_days(seed: u64) {
    let mut tempers = vec![Temper::Good, Temper::Moody, Temper::Heals(3 * 60 * 60), Temper::Gone];
    if seed.is_multiple_of(4) {
        tempers.push(Temper::Hung);
    }
    let stage = Stage::set(seed, tempers.clone(), 3).await;
    let delivery = Delivery::start(Arc::clone(&stage.office));
    tokio::time::sleep(Duration::from_secs(4 * 24 * 60 * 60)).await;
    delivery.stop().await;
    let seen = stage.receivers.seen.lock().unwrap();
    let mut ids: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for post in seen.iter() {
        ids.entry(post.to).or_default().insert(&post.id);
    }
    for (to, temper) in tempers.iter().enumerate() {
        let subscription = stage.now(to);
        let counts = subscription.counts;
        assert_eq!(counts.enqueued, 3, "{temper:?}");
        assert_eq!(counts.enqueued, counts.delivered + counts.pending + counts.dead + counts.expired, "{temper:?}");
        assert!(ids[&to].len() == 3 || *temper == Temper::Gone, "each under one id: {temper:?}");
        let accepted = seen.iter().filter(|post| post.to == to && (200..300).contains(&post.status)).count();
        assert_eq!(accepted as u64, counts.delivered, "2xx is the end of it: {temper:?}");
        match temper {
            Temper::Good | Temper::Heals(_) => assert_eq!(counts.delivered, 3, "{temper:?}"),
            Temper::Gone => assert_eq!(subscription.status, Status::Disabled),
            Temper::Hung => assert_eq!((counts.dead, subscription.status), (3, Status::Active), "120 h are not over"),
            Temper::Moody => assert_eq!(counts.pending, 0),
        }
    }
    // One that hangs, heals or is moody takes nothing from one that is well.
    let slowest = seen.iter().filter(|post| post.to == 0).map(|post| post.at).max().unwrap();
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let tries = |to: usize, id: &str| seen.iter().filter(|post| post.to == to && post.id == id).count();
    for (to, _) in tempers.iter().enumerate().filter(|(_, temper)| **temper == Temper::Hung) {
        assert!(ids[&to].iter().all(|id| tries(to, id) == 10), "as many attempts as the schedule has");
    }
}

#[test]
fn in_four_days_each_event_arrives_or_its_end_is_known() {
    let seeds = option_env!("PAPERKNIFE_DELIVERY_SEEDS").and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        println!("seed {seed}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(four_days(seed));
    }
}
