//! A gateway without a socket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use keystore::{Defaults, Keystore, Scope};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;
use uuid::Uuid;

use crate::api::{Desk, Rates, routes};
use crate::clock::SystemClock;
use crate::delivery::connector::{Connector, Policy};
use crate::delivery::schedule::Schedule;
use crate::delivery::webhook::DEFAULT_SOURCE;
use crate::delivery::{Control, Door, Office, Settings};
use crate::guard::settled::{Counter, Facts, Sequenced, Settled};
use crate::item::{Claims, ContentType, Format, Item, LayerSummary, Origin, Proven, Sealed, Timestamp};
use crate::opening::{House as Opening, Owner};
use crate::payload::{Anchor, Payload, Reading, Value as Measure};
use crate::problem::{Complete, method_not_allowed, not_found};
use crate::relay::accounts::{Place, authenticate};
use crate::store::ledger::{Concluding, Finding};
use crate::store::{Limits as StoreLimits, Store};

/// A well-formed COSE_Encrypt0 under a kid that nobody has.
pub(super) const NO_KEY: &str = "d08354a3010a031870044c75726e3a6465763a6f773a31a1054d00000000000000000000000001583bb0b3fb6ea801bd3f4910c7378509463fbd722c0d87819abdd07bfc14ab4bd223de010a7862d4eaacbd5b88d41c6b53424f6f9e30e7bee20e0a70d1";

/// The gateway, with a message of device `d1` in tenant `default`.
pub(super) struct House {
    pub(super) app: Router,
    pub(super) store: Store,
    pub(super) keystore: Arc<Keystore>,
    pub(super) message: Uuid,
    pub(super) receipt: Uuid,
    /// Ends streams when it goes.
    pub(super) closing: Option<watch::Sender<bool>>,
    owner: Option<Owner>,
    _data: tempfile::TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.stop();
        }
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A gateway whose opening is at work.
pub(super) async fn house() -> House {
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock);
    let store = Store::open(data.path(), StoreLimits::default(), clock.clone(), Arc::new(())).unwrap();
    let keystore = Arc::new(Keystore::open(data.path(), Defaults::default()).unwrap());
    let (receipt, message) = open_one(&store).await;
    let (closing, closed) = watch::channel(false);
    let opening = Opening::new(Arc::clone(&keystore), Default::default());
    let owner = Owner::start(opening, store.ledger.clone(), 1).unwrap();
    let desk = Desk {
        reader: store.reader.clone(),
        intake: store.intake.clone(),
        keystore: Arc::clone(&keystore),
        reopen: owner.reopen(),
        clock,
        metrics: Arc::new(|| "paperknife_pending 0\n".to_owned()),
        delivery: control(&store, &keystore, closed),
        opening: owner.health(),
        rates: Rates::default(),
    };
    let app =
        routes(desk).fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(Complete::with(|_| ()));
    House { app, store, keystore, message, receipt, closing: Some(closing), owner: Some(owner), _data: data }
}

/// Webhooks may reach this machine, by http, and nothing else.
fn control(store: &Store, keystore: &Arc<Keystore>, closed: watch::Receiver<bool>) -> Control {
    let policy = Policy { allow_http: true, allow_networks: vec!["127.0.0.1/32".parse().unwrap()] };
    let connector = Arc::new(Connector::new(policy, Duration::from_secs(5)).unwrap());
    let office = Office {
        outbox: store.outbox.clone(),
        keystore: Arc::clone(keystore),
        clock: Arc::new(SystemClock),
        settings: Settings { schedule: Schedule::default(), source: DEFAULT_SOURCE.to_owned() },
        door: Arc::clone(&connector) as Arc<dyn Door>,
        files: None,
        told: Arc::new(|_, _| ()),
    };
    Control::new(Arc::new(office), connector, store.reader.clone(), closed)
}

impl House {
    pub(super) fn token(&self, scopes: &[Scope]) -> String {
        self.token_of("default", scopes)
    }

    pub(super) fn token_of(&self, tenant: &str, scopes: &[Scope]) -> String {
        self.keystore.token_add(&Uuid::now_v7().to_string(), scopes, tenant).unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_to(&self.app, request).await
    }

    pub(super) async fn send_to(&self, app: &Router, request: Request<Body>) -> Answer {
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, None).await
    }

    /// Asks with a token, and with a JSON body if there is one.
    pub(super) async fn ask(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_owned())),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    /// Whether that token lets the relay `acme` in.
    pub(super) fn lets_in(&self, token: &str) -> bool {
        authenticate(&self.store.intake, "acme", Some(token), Place::Header).unwrap().is_some()
    }

    /// Takes bytes of a relay and waits for the owner's verdict.
    pub(super) async fn take(&self, bytes: &[u8]) -> Uuid {
        let receipt = self.store.intake.take(origin(), vec![item(bytes)]).await.unwrap().receipt;
        while self.store.reader.receipt("default", receipt).unwrap().unwrap().is_pending() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        receipt
    }
}

pub(super) fn origin() -> Origin {
    Origin { relay: "acme".into(), tenant: "default".into(), unauthenticated_sender: false }
}

pub(super) fn item(bytes: &[u8]) -> Item {
    let claims = Claims { endpoint: Some("ep-1".to_owned()), path: Some("/19/0/0".to_owned()), ..Claims::default() };
    Item { sealed: Sealed { bytes: bytes.into(), cose_type: None }, claims }
}

/// Takes one item and concludes it as opened, before any owner is there to look at it.
async fn open_one(store: &Store) -> (Uuid, Uuid) {
    let receipt = store.intake.take(origin(), vec![item(b"sealed")]).await.unwrap().receipt;
    let ledger = store.ledger.clone();
    let concluded = tokio::task::spawn_blocking(move || {
        let taken = ledger.next(Duration::from_secs(10), 1).unwrap().remove(0);
        let finding = Finding::Opened(Box::new(Settled::assume(facts())), payload());
        ledger.conclude(vec![Concluding { item: taken.id, finding, open_time: Duration::ZERO }]).unwrap().remove(0)
    });
    (receipt, concluded.await.unwrap().message.unwrap())
}

fn facts() -> Facts {
    let counter = Counter { key: "key-1".to_owned(), key_version: 1, kid_context: Vec::new() };
    Facts {
        format: Format::Cose,
        structure: "COSE_Encrypt0",
        layers: vec![LayerSummary {
            structure: "COSE_Encrypt0".to_owned(),
            alg: None,
            kid: Some(vec![1]),
            countersignatures: Vec::new(),
        }],
        proven: Proven { sender: Some("d1".to_owned()), sequence: Some(7), ..Proven::default() },
        identity: [7; 16],
        sequenced: Some(Sequenced { counter, also: None, number: 7, expect_from: Some(3), strict: false }),
        flags: Vec::new(),
        content_type: Some(ContentType::Format(112)),
        content: b"\x81\xa0".to_vec(),
        max_readings: 100,
        max_future_s: 0,
        max_silence_s: None,
    }
}

fn payload() -> Payload {
    let reading = |name: &str, value| Reading {
        name: Some(name.to_owned()),
        path: None,
        path_proven: true,
        value: Some(value),
        unit: Some("Cel".to_owned()),
        unit_source: Some("senml"),
        time: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        time_anchor: Anchor::Absolute,
        update_time: None,
        sum: None,
        future: false,
    };
    let readings = vec![reading("=HYPERLINK()", Measure::Number(-21.5)), reading("/3303/0/5700", Measure::Integer(22))];
    Payload { readings, error: None }
}
