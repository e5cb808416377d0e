//! Changes to subscriptions and to what is on its way to them. They pass through the writer like all else that is
//! written, so that what it keeps in memory of them is what is on disk.
//!
//! Imports rusqlite, serde and serde_json.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use uuid::Uuid;

use crate::item::Timestamp;
use crate::store::event::EventType;
use crate::store::failure::Failure;
use crate::store::id::Id;
use crate::store::outbox::{Attempted, Becomes};
use crate::store::sqlite::books::Books;
use crate::store::sqlite::posting::Occurrence;
use crate::store::subscription::{Spec, Status};

/// What the writer is asked to change.
#[derive(Clone, Debug)]
pub(in crate::store) enum Change {
    /// A new subscription, paused: it has no secret yet.
    Add { tenant: String, spec: Box<Spec> },
    /// How sending went, all of one subscription; who fails for so long is disabled.
    Attempted { subscription: i64, attempts: Vec<Attempted>, give_up_after_ms: i64 },
    /// Events again: their types, rows and devices.
    Enqueue { subscription: i64, events: Vec<(EventType, i64, Option<String>)> },
    /// It goes, with all that is on its way to it.
    Remove { subscription: i64 },
    /// One delivery again, whatever became of it.
    Resend { subscription: i64, delivery: Uuid },
    /// Another status.
    Set { subscription: i64, status: Status },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Changed {
    /// Made.
    Added(Uuid),
    /// Whether there was such a thing.
    Done(bool),
}

/// Data of `subscription.disabled`.
#[derive(Serialize)]
struct Disabled<'a> {
    subscription: Uuid,
    name: &'a str,
    reason: &'static str,
    failing_since: Option<Timestamp>,
}

impl Books {
    /// Makes the change.
    pub(in crate::store) fn change(
        &mut self,
        connection: &Connection,
        change: &Change,
        now: Timestamp,
    ) -> Result<Changed, Failure> {
        match change {
            Change::Add { tenant, spec } => self.add(connection, tenant, spec, now),
            Change::Attempted { subscription, attempts, give_up_after_ms } => {
                self.attempted(connection, *subscription, attempts, *give_up_after_ms, now)
            }
            Change::Enqueue { subscription, events } => self.again(connection, *subscription, events, now),
            Change::Remove { subscription } => self.set(connection, *subscription, "removed"),
            Change::Resend { subscription, delivery } => self.resend(connection, *subscription, *delivery, now),
            Change::Set { subscription, status: Status::Active } => self.revive(connection, *subscription, now),
            Change::Set { subscription, status } => self.set(connection, *subscription, status.as_str()),
        }
    }

    fn add(&mut self, connection: &Connection, tenant: &str, spec: &Spec, now: Timestamp) -> Result<Changed, Failure> {
        let id = Id::random(self.ordinals.next(now));
        let spec = serde_json::to_string(spec).map_err(|error| Failure::Damaged(error.to_string()))?;
        connection.execute(
            "INSERT INTO subscription (id, tail, tenant, status, spec) VALUES (?1, ?2, ?3, 'paused', ?4)",
            params![id.ordinal, id.tail, tenant, spec],
        )?;
        self.posting.reload(connection)?;
        Ok(Changed::Added(id.uuid()))
    }

    fn set(&mut self, connection: &Connection, subscription: i64, status: &str) -> Result<Changed, Failure> {
        let changed = connection.execute(
            "UPDATE subscription SET status = ?2 WHERE id = ?1 AND status <> 'removed'",
            params![subscription, status],
        )?;
        self.posting.reload(connection)?;
        Ok(Changed::Done(changed > 0))
    }

    /// What waits is due now: the operator has seen to the endpoint.
    fn revive(&mut self, connection: &Connection, subscription: i64, now: Timestamp) -> Result<Changed, Failure> {
        connection.execute("UPDATE subscription SET failing_since = NULL WHERE id = ?1", [subscription])?;
        connection.execute(
            "UPDATE outbox SET next_attempt = ?2 WHERE subscription = ?1 AND status = 'pending' AND next_attempt > ?2",
            params![subscription, now.millis()],
        )?;
        self.posting.ring(subscription);
        self.set(connection, subscription, Status::Active.as_str())
    }

    fn again(
        &mut self,
        connection: &Connection,
        subscription: i64,
        events: &[(EventType, i64, Option<String>)],
        now: Timestamp,
    ) -> Result<Changed, Failure> {
        for (kind, source, device) in events {
            let occurrence =
                Occurrence { kind: *kind, source: *source, tenant: "", device: device.as_deref(), readings: &[] };
            self.enqueue(connection, subscription, &occurrence, now)?;
        }
        Ok(Changed::Done(true))
    }

    fn resend(
        &mut self,
        connection: &Connection,
        subscription: i64,
        delivery: Uuid,
        now: Timestamp,
    ) -> Result<Changed, Failure> {
        let Some(id) = Id::parse(delivery) else { return Ok(Changed::Done(false)) };
        let mut found =
            connection.prepare_cached("SELECT status FROM outbox WHERE id = ?1 AND tail = ?2 AND subscription = ?3")?;
        let status = found.query_row(params![id.ordinal, id.tail, subscription], |row| row.get::<_, String>(0));
        let Some(status) = status.optional()? else { return Ok(Changed::Done(false)) };
        connection
            .prepare_cached("UPDATE outbox SET status = 'pending', attempts = 0, next_attempt = ?2 WHERE id = ?1")?
            .execute(params![id.ordinal, now.millis()])?;
        self.move_delivery(subscription, &status, "pending");
        self.posting.ring(subscription);
        Ok(Changed::Done(true))
    }

    fn attempted(
        &mut self,
        connection: &Connection,
        subscription: i64,
        attempts: &[Attempted],
        give_up_after_ms: i64,
        now: Timestamp,
    ) -> Result<Changed, Failure> {
        for attempted in attempts {
            self.note(connection, subscription, attempted)?;
        }
        if attempts.iter().any(|attempted| matches!(attempted.becomes, Becomes::Delivered)) {
            connection
                .prepare_cached(
                    "UPDATE subscription SET failing_since = NULL WHERE id = ?1 AND failing_since NOT NULL",
                )?
                .execute([subscription])?;
            return Ok(Changed::Done(true));
        }
        if let Some(first) = attempts.iter().filter(|attempted| attempted.attempt.is_some()).map(|a| a.at).min() {
            connection
                .prepare_cached("UPDATE subscription SET failing_since = ?2 WHERE id = ?1 AND failing_since IS NULL")?
                .execute(params![subscription, first.millis()])?;
        }
        let gone = attempts.iter().any(|attempted| attempted.gone);
        let last = attempts.iter().map(|attempted| attempted.at).max().unwrap_or(now);
        self.give_up(connection, subscription, gone, last.millis() - give_up_after_ms, now)?;
        Ok(Changed::Done(true))
    }

    /// The delivery's row, its log and the counters.
    fn note(&mut self, connection: &Connection, subscription: i64, attempted: &Attempted) -> Result<(), Failure> {
        let (status, next) = match attempted.becomes {
            Becomes::Again(at) => ("pending", Some(at.millis())),
            Becomes::Dead => ("dead", None),
            Becomes::Delivered => ("delivered", None),
            Becomes::Expired => ("expired", None),
        };
        let made = i64::from(attempted.attempt.is_some());
        let changed = connection
            .prepare_cached(
                "UPDATE outbox SET status = ?2, attempts = attempts + ?3, next_attempt = ?4
                 WHERE id = ?1 AND status = 'pending'",
            )?
            .execute(params![attempted.delivery, status, made, next])?;
        if changed == 0 {
            return Ok(());
        }
        self.move_delivery(subscription, "pending", status);
        let Some(attempt) = &attempted.attempt else { return Ok(()) };
        connection.prepare_cached("INSERT OR REPLACE INTO attempt VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            attempted.delivery,
            attempted.at.millis(),
            attempt.status_code,
            attempt.error,
            attempt.duration_ms.cast_signed()
        ])?;
        Ok(())
    }

    /// Disables who is gone, or fails since before `since`, and says so by an event.
    fn give_up(
        &mut self,
        connection: &Connection,
        subscription: i64,
        gone: bool,
        since: i64,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached(
            "SELECT tail, tenant, spec, failing_since FROM subscription
             WHERE id = ?1 AND status = 'active' AND (?2 OR failing_since <= ?3)",
        )?;
        let found = statement.query_row(params![subscription, gone, since], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, Option<i64>>(3)?))
        });
        let Some((tail, tenant, spec, failing_since)) = found.optional()? else { return Ok(()) };
        let spec: Spec = serde_json::from_str(&spec).map_err(|error| Failure::Damaged(error.to_string()))?;
        self.set(connection, subscription, Status::Disabled.as_str())?;
        let disabled = Disabled {
            subscription: Id { ordinal: subscription, tail }.uuid(),
            name: &spec.name,
            reason: if gone { "gone" } else { "failing" },
            failing_since: failing_since.map(Timestamp::from_millis),
        };
        self.tell(connection, EventType::SubscriptionDisabled, &tenant, None, &disabled, now)
    }

    fn move_delivery(&mut self, subscription: i64, from: &str, to: &str) {
        let tally = self.posting.tally(subscription);
        *tally.term(from) -= 1;
        *tally.term(to) += 1;
    }
}
