//! Questions about what is kept, answered from read-only connections, in the shapes of contract §3. Every question but
//! the counters is of one tenant.
//!
//! Imports `item`, `clock`, `payload` types, `guard::sequence`, serde, base64 and rusqlite.

use std::sync::Arc;

use crate::clock::Clock;
use crate::store::event::Interest;
use crate::store::failure::Failure;
use crate::store::sqlite::pool::Pool;
use crate::store::subscription::Delivery;

mod counters;
pub(in crate::store) mod deliveries;
mod devices;
pub(in crate::store) mod events;
mod json;
mod messages;
mod page;
mod readings;
mod receipts;
mod refusals;

pub use counters::{Counters, RelayCounters};
pub use devices::{Device, DeviceCounts, Gap, SequenceState};
pub use events::Events;
pub use messages::{Message, MessageClaims, MessageFilter};
pub use page::{Cursor, NotACursor, Page, PageRequest};
pub use readings::{Aggregate, Bucket, Measured, ReadingFilter, Series};
pub use receipts::{ReceiptItem, ReceiptState};
pub use refusals::{HeldItem, RefusalFilter, UnopenedItem};

use rusqlite::Connection;
use uuid::Uuid;

/// Answers questions. Each answer is of one snapshot: what one COMMIT wrote is seen as a whole or not at all.
#[derive(Clone)]
pub struct Reader {
    pool: Pool,
    clock: Arc<dyn Clock>,
}

/// Each question fails where the store cannot be read.
impl Reader {
    pub(in crate::store) const fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    /// Opened messages. Their content is left out unless asked for.
    pub fn messages(
        &self,
        tenant: &str,
        filter: &MessageFilter,
        page: &PageRequest,
        with_content: bool,
    ) -> Result<Page<Message>, Failure> {
        self.ask(|connection| messages::list(connection, tenant, filter, page, with_content))
    }

    /// One message with its content and readings.
    pub fn message(&self, tenant: &str, id: Uuid) -> Result<Option<Message>, Failure> {
        self.ask(|connection| messages::find(connection, tenant, id))
    }

    /// Readings, one by one in the order of their messages, or in buckets by time.
    pub fn readings(&self, tenant: &str, filter: &ReadingFilter, page: &PageRequest) -> Result<Page<Series>, Failure> {
        self.ask(|connection| readings::list(connection, tenant, filter, page))
    }

    /// Devices that authenticated, in the order of their first message.
    pub fn devices(&self, tenant: &str, page: &PageRequest) -> Result<Page<Device>, Failure> {
        self.ask(|connection| devices::list(connection, tenant, page, self.clock.now()))
    }

    /// One of them.
    pub fn device(&self, tenant: &str, name: &str) -> Result<Option<Device>, Failure> {
        self.ask(|connection| devices::find(connection, tenant, name, self.clock.now()))
    }

    /// The numbers missing of a device, all its counters; none where the device never authenticated.
    pub fn gaps(&self, tenant: &str, name: &str) -> Result<Option<Vec<Gap>>, Failure> {
        self.ask(|connection| devices::gaps(connection, tenant, name))
    }

    /// Refused items that are kept; with their sealed bytes if asked for, and while those are kept.
    pub fn refusals(
        &self,
        tenant: &str,
        filter: &RefusalFilter,
        page: &PageRequest,
        sealed: bool,
    ) -> Result<Page<UnopenedItem>, Failure> {
        self.ask(|connection| refusals::refused(connection, tenant, filter, page, sealed))
    }

    /// One of them.
    pub fn refusal(&self, tenant: &str, id: Uuid, sealed: bool) -> Result<Option<UnopenedItem>, Failure> {
        self.ask(|connection| refusals::find(connection, tenant, id, sealed))
    }

    /// Held items; with their sealed bytes if asked for.
    pub fn held(
        &self,
        tenant: &str,
        filter: &RefusalFilter,
        page: &PageRequest,
        sealed: bool,
    ) -> Result<Page<HeldItem>, Failure> {
        self.ask(|connection| refusals::held(connection, tenant, filter, page, sealed))
    }

    /// One of them.
    pub fn held_item(&self, tenant: &str, id: Uuid, sealed: bool) -> Result<Option<HeldItem>, Failure> {
        self.ask(|connection| refusals::find_held(connection, tenant, id, sealed))
    }

    /// What has become of a delivery.
    pub fn receipt(&self, tenant: &str, id: Uuid) -> Result<Option<ReceiptState>, Failure> {
        self.ask(|connection| receipts::find(connection, tenant, id))
    }

    /// What is and was on its way to a subscription, with the log of its attempts; none where there is no such
    /// subscription.
    pub fn deliveries(
        &self,
        tenant: &str,
        subscription: Uuid,
        status: Option<&str>,
        page: &PageRequest,
    ) -> Result<Option<Page<Delivery>>, Failure> {
        self.ask(|connection| match deliveries::row_of(connection, tenant, subscription)? {
            Some(row) => deliveries::list(connection, row, status, page).map(Some),
            None => Ok(None),
        })
    }

    /// Events after a place, in the order of commits: what at most `max` rows of each kind tell.
    pub fn events(&self, tenant: &str, interest: &Interest, after: Cursor, max: usize) -> Result<Events, Failure> {
        self.ask(|connection| events::list(connection, tenant, interest, after, max))
    }

    /// The place behind all that was committed so far.
    pub fn newest(&self) -> Result<Cursor, Failure> {
        let last = self.ask(|connection| {
            Ok(connection.prepare_cached("SELECT last_id FROM progress")?.query_row([], |row| row.get(0))?)
        })?;
        Ok(Cursor::behind(last))
    }

    /// The counters of all relays of all tenants, and whether they add up.
    pub fn counters(&self) -> Result<Counters, Failure> {
        self.ask(counters::read)
    }

    /// Devices of all tenants that were not heard for longer than their policy allows.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn silent(&self) -> Result<u64, Failure> {
        self.ask(|connection| devices::silent(connection, self.clock.now()))
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        self.pool.read(question)
    }
}
