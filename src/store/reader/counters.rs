//! The counters of conservation, and whether they agree with each other and with what is there.
//!
//! Imports `item`, serde and rusqlite.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use crate::item::Timestamp;
use crate::store::failure::Failure;

/// All relays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// By name.
    pub relays: Vec<RelayCounters>,
    /// Their sum; its name is empty.
    pub total: RelayCounters,
    /// Arrival of the oldest pending item.
    pub oldest_pending: Option<Timestamp>,
    /// Items that the counters miss or have twice: 0, always.
    pub conservation_error: u64,
}

/// Items of one relay: `received = pending + opened + duplicate + refused + held + expired`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RelayCounters {
    /// Its name.
    pub relay: String,
    /// Taken, ever.
    pub received: u64,
    /// Not concluded.
    pub pending: u64,
    /// Messages.
    pub opened: u64,
    /// The same again.
    pub duplicate: u64,
    /// Not accepted.
    pub refused: u64,
    /// Waiting for a key.
    pub held: u64,
    /// Pushed out while held.
    pub expired: u64,
    /// Refusals that are kept.
    pub refusals_kept: u64,
    /// Refusals that made room for newer ones.
    pub refusals_evicted: u64,
}

impl RelayCounters {
    const fn error(&self) -> u64 {
        let concluded = self.opened + self.duplicate + self.refused + self.held + self.expired;
        self.received.abs_diff(self.pending + concluded)
    }

    fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.pending += other.pending;
        self.opened += other.opened;
        self.duplicate += other.duplicate;
        self.refused += other.refused;
        self.held += other.held;
        self.expired += other.expired;
        self.refusals_kept += other.refusals_kept;
        self.refusals_evicted += other.refusals_evicted;
    }
}

pub(super) fn read(connection: &Connection) -> Result<Counters, Failure> {
    let mut statement = connection.prepare_cached("SELECT * FROM counter ORDER BY relay")?;
    let relays: Vec<RelayCounters> = statement.query_map([], of_relay)?.collect::<Result<_, _>>()?;
    let mut total = RelayCounters::default();
    relays.iter().for_each(|relay| total.add(relay));
    let sums: u64 = relays.iter().map(RelayCounters::error).sum();
    let conservation_error =
        sums + total.pending.abs_diff(pending(connection)?) + total.held.abs_diff(held(connection)?);
    Ok(Counters { relays, total, oldest_pending: oldest_pending(connection)?, conservation_error })
}

/// Items without a verdict, counted.
fn pending(connection: &Connection) -> Result<u64, Failure> {
    count(
        connection,
        "SELECT count(*) FROM item i WHERE i.id >= (SELECT first_pending FROM progress)
         AND NOT EXISTS (SELECT 1 FROM conclusion c WHERE c.item = i.id)",
    )
}

/// Held items, counted.
fn held(connection: &Connection) -> Result<u64, Failure> {
    count(connection, "SELECT count(*) FROM held")
}

fn count(connection: &Connection, sql: &str) -> Result<u64, Failure> {
    let count: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

fn oldest_pending(connection: &Connection) -> Result<Option<Timestamp>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT d.received_at FROM item i JOIN delivery d ON d.id = i.delivery
         WHERE i.id >= (SELECT first_pending FROM progress)
         AND NOT EXISTS (SELECT 1 FROM conclusion c WHERE c.item = i.id) ORDER BY i.id LIMIT 1",
    )?;
    Ok(statement.query_row([], |row| Ok(Timestamp::from_millis(row.get(0)?))).optional()?)
}

fn of_relay(row: &Row<'_>) -> rusqlite::Result<RelayCounters> {
    let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(RelayCounters {
        relay: row.get("relay")?,
        received: count("received")?,
        pending: count("pending")?,
        opened: count("opened")?,
        duplicate: count("duplicate")?,
        refused: count("refused")?,
        held: count("held")?,
        expired: count("expired")?,
        refusals_kept: count("refusals_kept")?,
        refusals_evicted: count("refusals_evicted")?,
    })
}
