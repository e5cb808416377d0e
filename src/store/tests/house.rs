//! A store in a folder of its own, a clock that stands, and messages made to measure.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use crate::clock::FixedClock;
use crate::guard::settled::{Counter, Facts, Refusal, Sequenced, Settled};
use crate::item::{
    Claims, ContentType, Format, Item, ItemId, KeyName, LayerSummary, Origin, Proven, Reason, Receipt, Sealed, Taken,
    Timestamp, Verdict,
};
use crate::payload::{Anchor, Payload, Reading, Value};
use crate::store::failure::Failure;
use crate::store::ledger::{Concluding, Finding, Held, Outcome};
use crate::store::reader::Message;
use crate::store::{Commit, Limits, Observer, Store};

/// 2026-01-01T00:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// A store and what is around it.
pub(super) struct House {
    pub(super) data: TempDir,
    pub(super) clock: Arc<FixedClock>,
    pub(super) seen: Arc<Seen>,
    pub(super) store: Option<Store>,
    pub(super) limits: Limits,
}

/// Remembers the commits.
#[derive(Default)]
pub(super) struct Seen(pub(super) Mutex<Vec<Commit>>);

impl Seen {
    fn commits(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Observer for Seen {
    fn committed(&self, commit: &Commit) {
        self.0.lock().unwrap().push(commit.clone());
    }
}

impl House {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let (data, clock) = (TempDir::new().unwrap(), Arc::new(FixedClock::at(NOW)));
        let mut house = Self { data, clock, seen: Arc::default(), store: None, limits };
        house.open();
        house
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Closes the store and opens it again.
    pub(super) fn restart(&mut self) {
        self.store = None;
        self.open();
    }

    fn open(&mut self) {
        let (clock, seen) = (Arc::clone(&self.clock), Arc::clone(&self.seen));
        self.store = Some(Store::open(self.data.path(), self.limits, clock, seen).unwrap());
    }

    pub(super) fn take(&self, relay: &str, items: Vec<Item>) -> Result<Receipt, Failure> {
        self.take_from(origin(relay), items)
    }

    /// Takes, and waits until opening has been given the items too: the relay is answered before.
    pub(super) fn take_from(&self, origin: Origin, items: Vec<Item>) -> Result<Receipt, Failure> {
        self.watched(|store| block_on(store.intake.take(origin, items)))
    }

    /// Waits until the observer was told of what was done: all else is done by then.
    pub(super) fn watched<T>(&self, job: impl FnOnce(&Store) -> Result<T, Failure>) -> Result<T, Failure> {
        let before = self.seen.commits();
        let done = job(self.store())?;
        while self.seen.commits() == before {
            std::thread::yield_now();
        }
        Ok(done)
    }

    /// The next items, at once or not at all.
    pub(super) fn next(&self) -> Vec<Taken> {
        self.store().ledger.next(Duration::ZERO, 512).unwrap()
    }

    pub(super) fn conclude(&self, item: ItemId, finding: Finding) -> Option<Outcome> {
        self.conclude_all(vec![concluding(item, finding)]).pop()
    }

    /// Concludes a batch.
    pub(super) fn conclude_all(&self, findings: Vec<Concluding>) -> Vec<Outcome> {
        self.watched(|store| store.ledger.conclude(findings)).unwrap()
    }

    /// Takes one item and concludes it.
    pub(super) fn bring(&self, finding: Finding) -> Outcome {
        self.take("acme", vec![item(b"sealed")]).unwrap();
        let taken = self.next();
        self.conclude(taken.last().unwrap().id, finding).unwrap()
    }

    /// Brings a message that is opened, and reads it back.
    pub(super) fn open_one(&self, facts: Facts) -> Message {
        let outcome = self.bring(opened(facts));
        assert_eq!(outcome.verdict, Verdict::Opened, "{outcome:?}");
        self.message(outcome.message.unwrap())
    }

    pub(super) fn message(&self, id: Uuid) -> Message {
        self.store().reader.message("default", id).unwrap().unwrap()
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The files of a store as a crash would leave them, in another folder.
pub(super) fn snapshot(data: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for name in ["store.db", "store.db-wal"] {
        if data.join(name).exists() {
            std::fs::copy(data.join(name), copy.path().join(name)).unwrap();
        }
    }
    copy
}

pub(super) fn origin(relay: &str) -> Origin {
    Origin { relay: relay.into(), tenant: "default".into(), unauthenticated_sender: false }
}

pub(super) fn item(bytes: &[u8]) -> Item {
    Item { sealed: Sealed { bytes: bytes.into(), cose_type: None }, claims: Claims::default() }
}

pub(super) fn concluding(item: ItemId, finding: Finding) -> Concluding {
    Concluding { item, finding, open_time: Duration::from_micros(5) }
}

/// A message without a number, its content told apart by `identity`.
pub(super) fn facts(identity: u64) -> Facts {
    let mut hash = [0xa5; 16];
    hash[..8].copy_from_slice(&identity.to_be_bytes());
    Facts {
        format: Format::Cose,
        structure: "COSE_Encrypt0",
        layers: vec![LayerSummary {
            structure: "COSE_Encrypt0".into(),
            alg: Some("AES-CCM-16-64-128".into()),
            kid: Some(vec![1, 0xa2, 0xb3, 0xc4]),
            countersignatures: Vec::new(),
        }],
        proven: Proven {
            sender: Some("urn:dev:1".into()),
            key: Some("k1".into()),
            key_version: Some(1),
            kid: Some(vec![1, 0xa2, 0xb3, 0xc4]),
            ..Proven::default()
        },
        identity: hash,
        sequenced: None,
        flags: Vec::new(),
        content_type: Some(ContentType::Format(112)),
        content: b"\x81\xa0".to_vec(),
        max_readings: 4096,
        max_future_s: 300,
        max_silence_s: None,
    }
}

pub(super) fn counter(key: &str, context: &[u8]) -> Counter {
    Counter { key: key.into(), key_version: 1, kid_context: context.to_vec() }
}

/// A message with a number; its content is its number's, unless `facts.identity` is set otherwise.
pub(super) fn numbered(number: u64, context: &[u8]) -> Facts {
    let also = context.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let mut facts = facts(number << 32 | also);
    facts.proven.sequence = Some(number);
    facts.proven.kid_context = (!context.is_empty()).then(|| context.to_vec());
    let counter = counter("k1", context);
    facts.sequenced = Some(Sequenced { counter, also: None, number, expect_from: None, strict: false });
    facts
}

/// The same with other content.
pub(super) fn other_content(mut facts: Facts) -> Facts {
    facts.identity[15] ^= 1;
    facts
}

pub(super) fn opened(facts: Facts) -> Finding {
    with_payload(facts, Payload::default())
}

pub(super) fn with_payload(facts: Facts, payload: Payload) -> Finding {
    Finding::Opened(Box::new(Settled::assume(facts)), payload)
}

pub(super) fn refused(reason: Reason) -> Finding {
    let kid = Some(vec![7]);
    Finding::Refused(Refusal { reason, detail: Some("why".into()), format: Some(Format::Cose), kid, device: None })
}

pub(super) fn held(kid: &[u8]) -> Finding {
    let key_names = vec![KeyName::Kid(kid.to_vec())];
    Finding::Held(Held { reason: Reason::NoKey, format: Some(Format::Cose), key_names, detail: None })
}

pub(super) fn reading(name: &str, value: Value, time: Timestamp) -> Reading {
    Reading {
        name: Some(name.into()),
        path: Some(name.into()),
        path_proven: true,
        value: Some(value),
        unit: Some("Cel".into()),
        unit_source: Some("senml"),
        time,
        time_anchor: Anchor::Sealed,
        update_time: None,
        sum: None,
        future: false,
    }
}
