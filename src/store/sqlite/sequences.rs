//! The rules of profile.md §6: what a sequence number does to its counter. Read when a batch meets a counter, written
//! once a batch.
//!
//! Imports `guard::sequence`, `guard::settled` and rusqlite. Called after authentication only, and in the transaction
//! that concludes the message.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use crate::fault;
use crate::guard::sequence::{Insertion, Ranges};
use crate::guard::settled::{Counter, Sequenced};
use crate::item::Span;
use crate::store::checksum::SEQUENCE;
use crate::store::failure::Failure;

/// Counters kept in memory between batches.
const CACHED: usize = 16_384;
/// Kid contexts shorter than this are counters, where others of their length are too: eight bytes are random (§6, device
/// duties).
const RANDOM_CONTEXT: usize = 8;

/// A counter of a tenant.
type Name = (Arc<str>, Counter);

/// The writer's view of `sequence`.
#[derive(Default)]
pub(in crate::store) struct Sequences {
    known: HashMap<Name, State>,
    dirty: Vec<Name>,
    /// The highest kid context of a key and length.
    newest: HashMap<(Arc<str>, String, u32, usize), Vec<u8>>,
}

/// One row of `sequence`.
#[derive(Clone, Debug, Default)]
struct State {
    device: Option<i64>,
    /// Gaps are named; not so where the numbers are only remembered.
    accounted: bool,
    /// The first number that was expected.
    expected: Option<u64>,
    ranges: Ranges,
    is_dirty: bool,
}

/// What a number did to its counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Step {
    /// The hole that it opened below itself.
    pub(in crate::store) gap_before: Option<Span>,
    /// What it closed of a hole.
    pub(in crate::store) fills: Option<Span>,
    /// What stays open of that hole.
    pub(in crate::store) gaps_left: Vec<Span>,
    /// It came after a higher one, or after one of a newer kid context.
    pub(in crate::store) out_of_order: bool,
}

/// The word on a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Advance {
    /// Behind the highest where order is strict; nothing changed.
    Behind,
    /// Seen with other content; nothing changed.
    Reused,
    /// Entered.
    Step(Step),
}

impl Sequences {
    /// Enters a number whose content is new.
    pub(in crate::store) fn advance(
        &mut self,
        connection: &Connection,
        tenant: &Arc<str>,
        device: Option<i64>,
        sequenced: &Sequenced,
    ) -> Result<Advance, Failure> {
        let (counter, number) = (&sequenced.counter, sequenced.number);
        let also = sequenced.also.as_ref().filter(|also| *also != counter);
        if let Some(also) = also
            && has(&self.state(connection, tenant, also)?.ranges, number)
        {
            return Ok(Advance::Reused);
        }
        let is_older = self.is_older_context(connection, tenant, counter)?;
        let state = self.state(connection, tenant, counter)?;
        if has(&state.ranges, number) {
            return Ok(Advance::Reused);
        }
        if sequenced.strict && (is_older || number < state.ranges.next()) {
            return Ok(Advance::Behind);
        }
        let state = self.change(connection, tenant, counter)?;
        state.device = state.device.or(device);
        let step = state.enter(number, sequenced.expect_from, is_older);
        if let Some(also) = also {
            let state = self.change(connection, tenant, also)?;
            state.device = state.device.or(device);
            state.ranges.insert(number);
        }
        self.note_context(tenant, counter);
        Ok(Advance::Step(step))
    }

    /// Writes what changed.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO sequence VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
             checksum('sequence', ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8))
             ON CONFLICT (tenant, key, key_version, kid_context) DO UPDATE SET
             device = excluded.device, accounted = excluded.accounted, expected = excluded.expected,
             ranges = excluded.ranges, checksum = excluded.checksum",
        )?;
        for name in std::mem::take(&mut self.dirty) {
            let Some(state) = self.known.get_mut(&name) else { continue };
            state.is_dirty = false;
            let (tenant, counter) = &name;
            statement.execute(params![
                tenant,
                counter.key,
                counter.key_version,
                counter.kid_context,
                state.device,
                state.accounted,
                state.expected.map(u64::cast_signed),
                state.ranges.to_bytes()
            ])?;
        }
        Ok(())
    }

    /// After a COMMIT: memory stays bounded.
    pub(in crate::store) fn trim(&mut self) {
        if self.known.len() > CACHED || self.newest.len() > CACHED {
            self.forget();
        }
    }

    /// After a ROLLBACK: the disk knows better.
    pub(in crate::store) fn forget(&mut self) {
        self.known.clear();
        self.dirty.clear();
        self.newest.clear();
    }

    fn state(&mut self, connection: &Connection, tenant: &Arc<str>, counter: &Counter) -> Result<&mut State, Failure> {
        let name = (Arc::clone(tenant), counter.clone());
        if !self.known.contains_key(&name) {
            let state = read(connection, tenant, counter)?;
            self.known.insert(name.clone(), state);
        }
        Ok(self.known.entry(name).or_default())
    }

    fn change(&mut self, connection: &Connection, tenant: &Arc<str>, counter: &Counter) -> Result<&mut State, Failure> {
        if !self.state(connection, tenant, counter)?.is_dirty {
            self.dirty.push((Arc::clone(tenant), counter.clone()));
        }
        let state = self.state(connection, tenant, counter)?;
        state.is_dirty = true;
        Ok(state)
    }

    /// Whether a message of a newer kid context came before. Contexts are compared as big-endian numbers of one length.
    fn is_older_context(
        &mut self,
        connection: &Connection,
        tenant: &Arc<str>,
        counter: &Counter,
    ) -> Result<bool, Failure> {
        let context = &counter.kid_context;
        if context.is_empty() || context.len() >= RANDOM_CONTEXT {
            return Ok(false);
        }
        let key = (Arc::clone(tenant), counter.key.clone(), counter.key_version, context.len());
        if !self.newest.contains_key(&key) {
            let newest = newest_context(connection, tenant, counter)?.unwrap_or_default();
            self.newest.insert(key.clone(), newest);
        }
        Ok(self.newest.get(&key).is_some_and(|newest| newest > context))
    }

    fn note_context(&mut self, tenant: &Arc<str>, counter: &Counter) {
        let key = (Arc::clone(tenant), counter.key.clone(), counter.key_version, counter.kid_context.len());
        if let Some(newest) = self.newest.get_mut(&key)
            && *newest < counter.kid_context
        {
            newest.clone_from(&counter.kid_context);
        }
    }
}

impl State {
    fn enter(&mut self, number: u64, expect_from: Option<u64>, is_older: bool) -> Step {
        let lowest = self.ranges.spans().first().map(|span| span.from);
        self.accounted = true;
        let mut step = match self.ranges.insert(number) {
            Insertion::Ahead { gap } => Step { gap_before: Some(gap), ..Step::default() },
            Insertion::Below => self.enter_below(number, lowest),
            Insertion::Filled { filled, left } => {
                Step { fills: Some(filled), gaps_left: left, out_of_order: true, ..Step::default() }
            }
            Insertion::First => self.enter_first(number, expect_from),
            Insertion::Next | Insertion::Present => Step::default(),
        };
        step.out_of_order |= is_older;
        step
    }

    fn enter_first(&mut self, number: u64, expect_from: Option<u64>) -> Step {
        self.expected = expect_from;
        let gap_before = expect_from.and_then(|from| span(from, number.checked_sub(1)?));
        Step { gap_before, ..Step::default() }
    }

    /// Below everything seen: in the hole before the first, where a first was expected; else it was never missed.
    fn enter_below(&self, number: u64, lowest: Option<u64>) -> Step {
        let mut step = Step { out_of_order: true, ..Step::default() };
        if let (Some(expected), Some(lowest)) = (self.expected, lowest)
            && number >= expected
        {
            step.fills = Some(Span { from: number, to: number });
            let below = number.checked_sub(1).and_then(|to| span(expected, to));
            let above = span(number + 1, lowest - 1);
            step.gaps_left = below.into_iter().chain(above).collect();
        }
        step
    }
}

/// Whether the number was seen.
fn has(ranges: &Ranges, number: u64) -> bool {
    ranges.contains(number) && !fault::is_on("no-duplicate-check")
}

/// The holes of a counter: between its runs, and before the first where a first was expected.
pub(in crate::store) fn gaps(ranges: &Ranges, expected: Option<u64>) -> Vec<Span> {
    let lowest = ranges.spans().first().map(|span| span.from);
    let before = expected.zip(lowest).and_then(|(expected, lowest)| span(expected, lowest.checked_sub(1)?));
    before.into_iter().chain(ranges.gaps()).collect()
}

fn span(from: u64, to: u64) -> Option<Span> {
    (from <= to).then_some(Span { from, to })
}

/// The set in a column.
pub(in crate::store) fn decode(bytes: &[u8]) -> Result<Ranges, Failure> {
    Ranges::from_bytes(bytes).ok_or_else(|| Failure::Damaged("a set of sequence numbers is not readable".into()))
}

fn read(connection: &Connection, tenant: &str, counter: &Counter) -> Result<State, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT device, accounted, expected, ranges, {SEQUENCE} FROM sequence
         WHERE tenant = ?1 AND key = ?2 AND key_version = ?3 AND kid_context = ?4"
    ))?;
    let key = params![tenant, counter.key, counter.key_version, counter.kid_context];
    let row = statement.query_row(key, |row| {
        let expected: Option<i64> = row.get(2)?;
        let state = State {
            device: row.get(0)?,
            accounted: row.get(1)?,
            expected: expected.map(i64::cast_unsigned),
            ..State::default()
        };
        Ok((state, row.get::<_, Vec<u8>>(3)?))
    });
    match row.optional()? {
        Some((state, bytes)) => Ok(State { ranges: decode(&bytes)?, ..state }),
        None => Ok(State::default()),
    }
}

fn newest_context(connection: &Connection, tenant: &str, counter: &Counter) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT max(kid_context) FROM sequence WHERE {SEQUENCE}
         AND tenant = ?1 AND key = ?2 AND key_version = ?3 AND length(kid_context) = ?4 AND accounted"
    ))?;
    let length = i64::try_from(counter.kid_context.len()).unwrap_or(i64::MAX);
    Ok(statement.query_row(params![tenant, counter.key, counter.key_version, length], |row| row.get(0))?)
}
