//! Posts what happened: an outbox row for each active subscription that wants the event, in the transaction that
//! concludes it. Without subscriptions nothing is done here, and nothing is written for what another row tells.
//!
//! Imports rusqlite and `payload` types.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use serde::Serialize;

use crate::item::{Reason, Timestamp};
use crate::payload::Reading;
use crate::store::event::{EventType, Interest};
use crate::store::failure::Failure;
use crate::store::glob;
use crate::store::id::Id;
use crate::store::ledger::Held;
use crate::store::sqlite::books::Books;
use crate::store::sqlite::concluding::Standing;
use crate::store::sqlite::sequences::Step;
use crate::store::subscription::Spec;

/// The writer's view of subscriptions.
#[derive(Default)]
pub(in crate::store) struct Posting {
    active: Vec<Active>,
    /// The disk knows better: a transaction that changed subscriptions was rolled back, or none was read yet.
    stale: bool,
    tallies: BTreeMap<i64, Tally>,
    rung: BTreeSet<i64>,
    pub(in crate::store) changed: bool,
}

/// A subscription that is served.
struct Active {
    row: i64,
    tenant: String,
    interest: Interest,
}

/// Changes to one subscription's counters.
#[derive(Clone, Copy, Default)]
pub(in crate::store) struct Tally {
    pub(in crate::store) enqueued: i64,
    pub(in crate::store) delivered: i64,
    pub(in crate::store) pending: i64,
    pub(in crate::store) dead: i64,
    pub(in crate::store) expired: i64,
}

impl Tally {
    /// The term of that status.
    pub(in crate::store) fn term(&mut self, status: &str) -> &mut i64 {
        match status {
            "delivered" => &mut self.delivered,
            "dead" => &mut self.dead,
            "expired" => &mut self.expired,
            _ => &mut self.pending,
        }
    }
}

/// Something that happened.
pub(in crate::store) struct Occurrence<'a> {
    pub(in crate::store) kind: EventType,
    /// The row that tells it.
    pub(in crate::store) source: i64,
    pub(in crate::store) tenant: &'a str,
    pub(in crate::store) device: Option<&'a str>,
    /// Of the message, if it has one.
    pub(in crate::store) readings: &'a [Reading],
}

impl Active {
    fn wants(&self, occurrence: &Occurrence<'_>) -> bool {
        let named = |glob: &glob::Glob| {
            let mut names = occurrence.readings.iter().filter_map(|reading| reading.name.as_deref());
            names.any(|name| glob.matches(name))
        };
        self.tenant == occurrence.tenant
            && self.interest.wants(occurrence.kind)
            && glob::any(&self.interest.devices, occurrence.device)
            && (self.interest.names.is_empty() || self.interest.names.iter().any(named))
    }
}

impl Posting {
    /// As the disk has it.
    pub(in crate::store) fn load(connection: &Connection) -> Result<Self, Failure> {
        let mut statement = connection
            .prepare_cached("SELECT id, tenant, spec FROM subscription WHERE status = 'active' ORDER BY id")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
        let mut active = Vec::new();
        for row in rows {
            let (row, tenant, spec) = row?;
            let spec: Spec = serde_json::from_str(&spec).map_err(|error| Failure::Damaged(error.to_string()))?;
            active.push(Active { row, tenant, interest: spec.interest() });
        }
        Ok(Self { active, ..Self::default() })
    }

    /// Before a transaction: after a ROLLBACK the disk is asked again.
    pub(in crate::store) fn refresh(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.stale {
            *self = Self::load(connection)?;
        }
        Ok(())
    }

    /// Subscriptions have changed in this transaction.
    pub(in crate::store) fn reload(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.active = Self::load(connection)?.active;
        self.changed = true;
        Ok(())
    }

    /// After a ROLLBACK.
    pub(in crate::store) fn revert(&mut self) {
        *self = Self { active: std::mem::take(&mut self.active), stale: true, ..Self::default() };
    }

    /// A change of a subscription's counters.
    pub(in crate::store) fn tally(&mut self, subscription: i64) -> &mut Tally {
        self.tallies.entry(subscription).or_default()
    }

    /// Before COMMIT.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.tallies.is_empty() {
            return Ok(());
        }
        let mut statement = connection.prepare_cached(
            "UPDATE subscription SET enqueued = enqueued + ?2, delivered = delivered + ?3, pending = pending + ?4,
             dead = dead + ?5, expired = expired + ?6 WHERE id = ?1",
        )?;
        for (subscription, tally) in std::mem::take(&mut self.tallies) {
            let Tally { enqueued, delivered, pending, dead, expired } = tally;
            statement.execute(params![subscription, enqueued, delivered, pending, dead, expired])?;
        }
        Ok(())
    }

    /// After COMMIT: who has something new to deliver.
    pub(in crate::store) fn take_rung(&mut self) -> BTreeSet<i64> {
        std::mem::take(&mut self.rung)
    }

    /// A subscription has something to deliver.
    pub(in crate::store) fn ring(&mut self, subscription: i64) {
        self.rung.insert(subscription);
    }
}

/// An event's data that no row keeps.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<uuid::Uuid>,
    device: Option<&'a str>,
    relay: &'a str,
    received_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_names: Option<&'a [crate::item::KeyName]>,
    claims: Claimed<'a>,
}

/// What the relay says.
#[derive(Serialize)]
struct Claimed<'a> {
    relay_endpoint: Option<&'a str>,
    relay_path: Option<&'a str>,
}

impl Books {
    /// Posts a new message, and the gap that it showed or filled.
    pub(in crate::store) fn post_message(
        &mut self,
        connection: &Connection,
        standing: &Standing,
        source: i64,
        device: Option<&str>,
        (readings, step): (&[Reading], &Step),
    ) -> Result<(), Failure> {
        if self.posting.active.is_empty() {
            return Ok(());
        }
        let (tenant, kinds) = (
            &*standing.came.tenant,
            [
                (true, EventType::MessageOpened),
                (step.gap_before.is_some(), EventType::DeviceGap),
                (step.fills.is_some(), EventType::DeviceGapFilled),
            ],
        );
        for kind in kinds.into_iter().filter(|(holds, _)| *holds).map(|(_, kind)| kind) {
            self.post(connection, &Occurrence { kind, source, tenant, device, readings }, standing.now)?;
        }
        Ok(())
    }

    /// Posts a refusal.
    pub(in crate::store) fn post_refusal(
        &mut self,
        connection: &Connection,
        standing: &Standing,
        source: i64,
        device: Option<&str>,
        reason: Reason,
    ) -> Result<(), Failure> {
        let tenant = &*standing.came.tenant;
        let refused = Occurrence { kind: EventType::MessageRefused, source, tenant, device, readings: &[] };
        self.post(connection, &refused, standing.now)?;
        if reason == Reason::SequenceReused {
            let reuse = Occurrence { kind: EventType::DeviceNonceReuse, ..refused };
            self.post(connection, &reuse, standing.now)?;
        }
        Ok(())
    }

    /// Keeps and posts that a message came again.
    pub(in crate::store) fn post_replay(
        &mut self,
        connection: &Connection,
        standing: &Standing,
        device: Option<&str>,
        message: Option<uuid::Uuid>,
    ) -> Result<(), Failure> {
        let told = Told { message, ..told(standing, device) };
        self.tell(connection, EventType::DeviceReplay, &standing.came.tenant, device, &told, standing.now)
    }

    /// Keeps and posts that an item waits. The row of the held item goes when its key comes; this one stays.
    pub(in crate::store) fn post_held(
        &mut self,
        connection: &Connection,
        standing: &Standing,
        id: Id,
        held: &Held,
    ) -> Result<(), Failure> {
        let (reason, key_names) = (Some(held.reason.as_str()), Some(held.key_names.as_slice()));
        let told = Told { held: Some(id.uuid()), reason, key_names, ..told(standing, None) };
        self.tell(connection, EventType::MessageHeld, &standing.came.tenant, None, &told, standing.now)
    }

    /// Keeps an event in a row of its own, and posts it.
    pub(in crate::store) fn tell(
        &mut self,
        connection: &Connection,
        kind: EventType,
        tenant: &str,
        device: Option<&str>,
        data: &impl Serialize,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let id = Id::random(self.ordinals.next(now));
        let data = serde_json::to_string(data).map_err(|error| Failure::Damaged(error.to_string()))?;
        let mut statement = connection.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        statement.execute(params![id.ordinal, id.tail, tenant, kind.code(), device, data])?;
        self.post(connection, &Occurrence { kind, source: id.ordinal, tenant, device, readings: &[] }, now)
    }

    /// An outbox row for whoever wants it.
    fn post(&mut self, connection: &Connection, occurrence: &Occurrence<'_>, now: Timestamp) -> Result<(), Failure> {
        let wanting = self.posting.active.iter().filter(|active| active.wants(occurrence)).map(|active| active.row);
        for subscription in wanting.collect::<Vec<_>>() {
            self.enqueue(connection, subscription, occurrence, now)?;
        }
        Ok(())
    }

    /// One outbox row, due at once.
    pub(in crate::store) fn enqueue(
        &mut self,
        connection: &Connection,
        subscription: i64,
        occurrence: &Occurrence<'_>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let id = Id::random(self.ordinals.next(now));
        let mut statement =
            connection.prepare_cached("INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', 0, ?7)")?;
        let Occurrence { kind, source, device, .. } = occurrence;
        statement.execute(params![id.ordinal, id.tail, subscription, kind.code(), source, device, now.millis()])?;
        let tally = self.posting.tally(subscription);
        tally.enqueued += 1;
        tally.pending += 1;
        self.posting.ring(subscription);
        Ok(())
    }
}

fn told<'a>(standing: &'a Standing, device: Option<&'a str>) -> Told<'a> {
    Told {
        message: None,
        device,
        relay: &standing.came.relay,
        received_at: standing.came.received_at,
        held: None,
        reason: None,
        key_names: None,
        claims: Claimed {
            relay_endpoint: standing.came.claims.endpoint.as_deref(),
            relay_path: standing.came.claims.path.as_deref(),
        },
    }
}
