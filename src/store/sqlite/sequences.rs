//! The rules of profile.md §6: what a sequence number does to its counter. Read when a batch meets a counter, written
//! once a batch.
//!
//! Imports `guard::sequence`, `guard::settled` and rusqlite. Called after authentication only, and in the transaction
//! that concludes the message.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::fault;
use crate::guard::sequence::{Insertion, Ranges};
use crate::guard::settled::{Counter, Sequenced};
use crate::item::Span;
use crate::store::checksum::{self, SEQUENCE};
use crate::store::failure::Failure;

/// Counters kept in memory between batches.
const CACHED: usize = 16_384;
/// Kid contexts shorter than this are counters, where others of their length are too: eight bytes are random (§6, device
/// duties).
const RANDOM_CONTEXT: usize = 8;

/// The writer's view of `sequence`. Counters are found by name once a message, and by place from then on.
#[derive(Default)]
pub(in crate::store) struct Sequences {
    /// Places in `states`, by tenant and counter.
    known: HashMap<Arc<str>, HashMap<Counter, usize>>,
    states: Vec<State>,
    /// Places of what changed.
    dirty: Vec<usize>,
    /// Places in `newest`, by tenant, key, version and length of the kid context.
    families: HashMap<(Arc<str>, String, u32, usize), usize>,
    /// The highest kid context of each family.
    newest: Vec<Vec<u8>>,
}

/// One row of `sequence`.
struct State {
    tenant: Arc<str>,
    counter: Counter,
    /// None where it is not on disk yet.
    row: Option<i64>,
    /// Where its kid context is compared with others.
    family: Option<usize>,
    device: Option<i64>,
    /// Whether the row is to be told its device.
    is_claimed: bool,
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
        let number = sequenced.number;
        let also = sequenced.also.as_ref().filter(|also| **also != sequenced.counter);
        let also = also.map(|also| self.find(connection, tenant, also)).transpose()?;
        let at = self.find(connection, tenant, &sequenced.counter)?;
        let seen = |place: usize| has(&self.states[place].ranges, number);
        if also.is_some_and(seen) || seen(at) {
            return Ok(Advance::Reused);
        }
        let is_older = self.is_older_context(at);
        if sequenced.strict && (is_older || number < self.states[at].ranges.next()) {
            return Ok(Advance::Behind);
        }
        let step = self.change(at, device).enter(number, sequenced.expect_from, is_older);
        if let Some(also) = also {
            self.change(also, device).ranges.insert(number);
        }
        self.note_context(at);
        Ok(Advance::Step(step))
    }

    /// Writes what changed.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut insert =
            connection.prepare_cached("INSERT INTO sequence VALUES (NULL, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        // A device that is named again, though it is the same, would be sorted into its index again.
        let mut update = connection.prepare_cached(
            "UPDATE sequence SET accounted = ?2, expected = ?3, ranges = ?4, checksum = ?5 WHERE id = ?1",
        )?;
        let mut claim = connection.prepare_cached("UPDATE sequence SET device = ?2 WHERE id = ?1")?;
        for place in self.dirty.drain(..) {
            let state = &mut self.states[place];
            let State { tenant, counter: Counter { key, key_version, kid_context }, device, accounted, .. } = &*state;
            let (expected, ranges) = (state.expected.map(u64::cast_signed), state.ranges.to_bytes());
            let columns = params![key, tenant, key_version, kid_context, device, accounted, expected, ranges];
            match state.row {
                Some(row) => {
                    let sum = checksum::of("sequence", columns)?;
                    update.execute(params![row, accounted, expected, ranges, sum])?;
                    if state.is_claimed {
                        claim.execute(params![row, device])?;
                    }
                }
                None => {
                    checksum::write(&mut insert, "sequence", columns, &[])?;
                    state.row = Some(connection.last_insert_rowid());
                }
            }
            (state.is_dirty, state.is_claimed) = (false, false);
        }
        Ok(())
    }

    /// After a COMMIT: memory stays bounded.
    pub(in crate::store) fn trim(&mut self) {
        if self.states.len() > CACHED {
            self.forget();
        }
    }

    /// After a ROLLBACK: the disk knows better.
    pub(in crate::store) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The place of a counter, read where it is met first.
    fn find(&mut self, connection: &Connection, tenant: &Arc<str>, counter: &Counter) -> Result<usize, Failure> {
        if let Some(place) = self.known.get(tenant).and_then(|counters| counters.get(counter)) {
            return Ok(*place);
        }
        let family = self.family(connection, tenant, counter)?;
        let (place, state) = (self.states.len(), read(connection, tenant, counter)?);
        self.states.push(State { family, ..state });
        self.known.entry(Arc::clone(tenant)).or_default().insert(counter.clone(), place);
        Ok(place)
    }

    fn change(&mut self, place: usize, device: Option<i64>) -> &mut State {
        let state = &mut self.states[place];
        if !state.is_dirty {
            state.is_dirty = true;
            self.dirty.push(place);
        }
        if state.device.is_none() {
            state.device = device;
            state.is_claimed = device.is_some();
        }
        state
    }

    /// The kid contexts that a counter's is compared with: those of its key and length, where it is a counter itself.
    fn family(
        &mut self,
        connection: &Connection,
        tenant: &Arc<str>,
        counter: &Counter,
    ) -> Result<Option<usize>, Failure> {
        let length = counter.kid_context.len();
        if length == 0 || length >= RANDOM_CONTEXT {
            return Ok(None);
        }
        let name = (Arc::clone(tenant), counter.key.clone(), counter.key_version, length);
        if let Some(family) = self.families.get(&name) {
            return Ok(Some(*family));
        }
        let (family, newest) = (self.newest.len(), newest_context(connection, tenant, counter)?);
        self.newest.push(newest.unwrap_or_default());
        self.families.insert(name, family);
        Ok(Some(family))
    }

    /// Whether a message of a newer kid context came before. Contexts are compared as big-endian numbers of one length.
    fn is_older_context(&self, place: usize) -> bool {
        let State { family, counter, .. } = &self.states[place];
        family.is_some_and(|family| self.newest[family] > counter.kid_context)
    }

    fn note_context(&mut self, place: usize) {
        let State { family, counter, .. } = &self.states[place];
        if let Some(family) = *family
            && self.newest[family] < counter.kid_context
        {
            self.newest[family].clone_from(&counter.kid_context);
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

fn read(connection: &Connection, tenant: &Arc<str>, counter: &Counter) -> Result<State, Failure> {
    let new = State {
        tenant: Arc::clone(tenant),
        counter: counter.clone(),
        row: None,
        family: None,
        device: None,
        is_claimed: false,
        accounted: false,
        expected: None,
        ranges: Ranges::default(),
        is_dirty: false,
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, device, accounted, expected, ranges, {SEQUENCE} FROM sequence
         WHERE tenant = ?1 AND key = ?2 AND key_version = ?3 AND kid_context = ?4"
    ))?;
    let mut rows = statement.query(params![tenant, counter.key, counter.key_version, counter.kid_context])?;
    let Some(row) = rows.next()? else { return Ok(new) };
    Ok(State {
        row: Some(row.get(0)?),
        device: row.get(1)?,
        accounted: row.get(2)?,
        expected: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
        ranges: decode(row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?)?,
        ..new
    })
}

fn newest_context(connection: &Connection, tenant: &str, counter: &Counter) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT max(kid_context) FROM sequence WHERE {SEQUENCE}
         AND tenant = ?1 AND key = ?2 AND key_version = ?3 AND length(kid_context) = ?4 AND accounted"
    ))?;
    let length = i64::try_from(counter.kid_context.len()).unwrap_or(i64::MAX);
    Ok(statement.query_row(params![tenant, counter.key, counter.key_version, length], |row| row.get(0))?)
}
