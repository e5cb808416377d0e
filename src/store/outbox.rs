//! What delivery sees of the store: subscriptions, what is due to them, what to send, and the place to say how it went.
//!
//! Imports `item`, tokio's synchronisation, uuid and the store's own writer. All calls block but those that hand out
//! bells.

use std::sync::{Arc, mpsc};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::item::{ContentType, Timestamp};
use crate::store::bells::Bells;
use crate::store::event::{Event, EventType, Interest};
use crate::store::failure::Failure;
use crate::store::reader::{Cursor, deliveries, events};
use crate::store::sqlite::changes::{Change, Changed};
use crate::store::sqlite::pool::Pool;
use crate::store::sqlite::queue::{ChangeJob, Job, Queue};
use crate::store::subscription::{Order, Spec, Status, Subscription};

/// Events of one page of a replay.
const PAGE: usize = 500;

/// Reads what is due, writes what became of it.
#[derive(Clone)]
pub struct Outbox {
    pub(in crate::store) queue: Arc<Queue>,
    pub(in crate::store) pool: Pool,
    pub(in crate::store) bells: Arc<Bells>,
}

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its row.
    pub delivery: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// Type of its event.
    pub kind: EventType,
    /// The row that tells it.
    pub(in crate::store) source: i64,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The event.
    pub event: Event,
    /// Of a message: its type and cleartext.
    pub content: Option<(Option<ContentType>, Vec<u8>)>,
}

/// How one attempt went, and what becomes of its delivery.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Its row.
    pub delivery: i64,
    /// When it began.
    pub at: Timestamp,
    /// None where nothing was there to be sent.
    pub attempt: Option<Made>,
    /// What becomes of it.
    pub becomes: Becomes,
    /// The receiver says that it is gone for good (410).
    pub gone: bool,
}

/// An attempt that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What the receiver answered.
    pub status_code: Option<u16>,
    /// A class of error.
    pub error: Option<&'static str>,
    /// How long it took.
    pub duration_ms: u64,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// It is sent again then.
    Again(Timestamp),
    /// Given up.
    Dead,
    /// Done.
    Delivered,
    /// What it would tell is no longer kept.
    Expired,
}

/// Each call fails where the store cannot be read or written.
impl Outbox {
    /// All that are served.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn active(&self) -> Result<Vec<Subscription>, Failure> {
        self.pool.read(|connection| deliveries::subscriptions(connection, None, Some(Status::Active)))
    }

    /// All of a tenant.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn subscriptions(&self, tenant: &str) -> Result<Vec<Subscription>, Failure> {
        self.pool.read(|connection| deliveries::subscriptions(connection, Some(tenant), None))
    }

    /// All of all tenants, and when the oldest delivery of each that has any was enqueued.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn queues(&self) -> Result<Vec<(Subscription, Option<Timestamp>)>, Failure> {
        self.pool.read(deliveries::queues)
    }

    /// One of a tenant.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn subscription(&self, tenant: &str, id: Uuid) -> Result<Option<Subscription>, Failure> {
        let all = self.subscriptions(tenant)?;
        Ok(all.into_iter().find(|subscription| subscription.id == id))
    }

    /// What is due now, at most `max`, but for what is `busy`.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn due(&self, of: &Subscription, now: Timestamp, busy: &[i64], max: usize) -> Result<Vec<Due>, Failure> {
        let ordered = of.spec.order == Order::PerDevice;
        self.pool.read(|connection| deliveries::due(connection, of.row, ordered, now, busy, max))
    }

    /// When the next delivery is due that is not `busy`.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn next_due(&self, subscription: i64, busy: &[i64]) -> Result<Option<Timestamp>, Failure> {
        self.pool.read(|connection| deliveries::next_due(connection, subscription, busy))
    }

    /// What to send; none where it is no longer kept.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn parcel(&self, due: &Due) -> Result<Option<Parcel>, Failure> {
        self.pool.read(|connection| events::parcel(connection, due.kind, due.source))
    }

    /// Makes a subscription, paused until it has a secret; its id.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn add(&self, tenant: &str, spec: Spec) -> Result<Uuid, Failure> {
        match self.change(Change::Add { tenant: tenant.to_owned(), spec: Box::new(spec) })? {
            Changed::Added(id) => Ok(id),
            Changed::Done(_) => Err(Failure::Stopped),
        }
    }

    /// Gives it another status.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn set(&self, subscription: i64, status: Status) -> Result<bool, Failure> {
        self.done(Change::Set { subscription, status })
    }

    /// Removes it; what is on its way to it ends.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn remove(&self, subscription: i64) -> Result<bool, Failure> {
        self.done(Change::Remove { subscription })
    }

    /// Sends one delivery again; false where there is none.
    ///
    /// # Errors
    /// Where it cannot be stored.
    pub fn resend(&self, subscription: i64, delivery: Uuid) -> Result<bool, Failure> {
        self.done(Change::Resend { subscription, delivery })
    }

    /// Enqueues again what the subscription wants of a time range; how many.
    ///
    /// # Errors
    /// Where it cannot be read or stored; some may be enqueued then.
    pub fn replay(
        &self,
        of: &Subscription,
        (from, to): (Timestamp, Timestamp),
        interest: &Interest,
    ) -> Result<u64, Failure> {
        let (mut cursor, mut enqueued) = (Cursor::before(from), 0);
        loop {
            let page =
                self.pool.read(|connection| events::refer(connection, &of.tenant, interest, cursor, Some(to), PAGE))?;
            enqueued += page.events.len() as u64;
            if !page.events.is_empty() {
                self.done(Change::Enqueue { subscription: of.row, events: page.events })?;
            }
            match page.is_last {
                true => return Ok(enqueued),
                false => cursor = page.position,
            }
        }
    }

    /// Says how sending went, all of one subscription. Who fails for longer than `give_up_after_ms` is disabled.
    ///
    /// # Errors
    /// Where it cannot be stored: it will be sent again then, under the same id.
    pub fn attempted(&self, subscription: i64, attempts: Vec<Attempted>, give_up_after_ms: i64) -> Result<(), Failure> {
        self.change(Change::Attempted { subscription, attempts, give_up_after_ms }).map(drop)
    }

    /// Rung when this subscription has something new.
    pub fn bell(&self, subscription: i64) -> Arc<Notify> {
        self.bells.bell(subscription)
    }

    /// Rung when subscriptions are not what they were.
    pub fn changes(&self) -> Arc<Notify> {
        self.bells.changed()
    }

    /// Changes with each commit.
    pub fn follow(&self) -> watch::Receiver<i64> {
        self.bells.follow()
    }

    fn done(&self, change: Change) -> Result<bool, Failure> {
        Ok(self.change(change)? == Changed::Done(true))
    }

    fn change(&self, change: Change) -> Result<Changed, Failure> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.queue.push(Job::Change(ChangeJob { change, answer }))?;
        answered.recv().unwrap_or(Err(Failure::Stopped))
    }
}
