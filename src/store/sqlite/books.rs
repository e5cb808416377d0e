//! What the writer keeps in memory of what is on disk, and what the open transaction changes of it.
//!
//! A transaction writes rows as it goes and notes the rest here; [`Books::write`] puts the rest on disk before COMMIT,
//! [`Books::settle`] makes it true in memory after, [`Books::revert`] forgets it after a ROLLBACK.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::item::{Claims, Timestamp, Verdict};
use crate::store::failure::Failure;
use crate::store::id::Ordinals;
use crate::store::sqlite::devices::Devices;
use crate::store::sqlite::handover::MOST_ITEMS;
use crate::store::sqlite::posting::Posting;
use crate::store::sqlite::queue::Load;
use crate::store::sqlite::recent::Recent;
use crate::store::sqlite::sequences::Sequences;
use crate::store::sqlite::tally::Tallies;
use crate::store::{Conclusion, Limits};

/// The writer's memory.
pub(in crate::store) struct Books {
    pub(in crate::store) limits: Limits,
    pub(in crate::store) ordinals: Ordinals,
    pub(in crate::store) next_item: i64,
    /// The same, as of the last COMMIT.
    committed_next_item: i64,
    /// Committed and not concluded.
    pub(in crate::store) waiting: BTreeMap<i64, Waiting>,
    pub(in crate::store) devices: Devices,
    pub(in crate::store) sequences: Sequences,
    pub(in crate::store) tallies: Tallies,
    pub(in crate::store) posting: Posting,
    pub(in crate::store) draft: Draft,
    pub(in crate::store) recent: Recent,
}

/// A pending item.
pub(in crate::store) struct Waiting {
    bytes: u64,
    answered: Option<Instant>,
    /// What its conclusion needs to know of it; read back from disk where this is none.
    came: Option<Arc<Came>>,
}

/// How an item came.
#[derive(Clone, Debug)]
pub(in crate::store) struct Came {
    pub(in crate::store) relay: Arc<str>,
    pub(in crate::store) tenant: Arc<str>,
    pub(in crate::store) received_at: Timestamp,
    pub(in crate::store) claims: Claims,
}

/// Most items of which it is kept in memory how they came: as many as opening may have before it.
const CAME: usize = MOST_ITEMS;

/// What the open transaction did.
#[derive(Default)]
pub(in crate::store) struct Draft {
    /// New items, their sizes, and how they came.
    taken: Vec<(i64, u64, Arc<Came>)>,
    /// Pending items with a verdict.
    concluded: BTreeSet<i64>,
    conclusions: Vec<(i64, Conclusion)>,
}

impl Draft {
    /// An item was taken.
    pub(in crate::store) fn take(&mut self, item: i64, bytes: u64, came: Came) {
        self.taken.push((item, bytes, Arc::new(came)));
    }

    /// An item has a new verdict.
    pub(in crate::store) fn conclude(&mut self, item: i64, conclusion: Conclusion) {
        self.concluded.insert(item);
        self.conclusions.push((item, conclusion));
    }
}

impl Books {
    /// As the disk has it.
    pub(in crate::store) fn load(connection: &Connection, limits: Limits) -> Result<Self, Failure> {
        let (next_item, last_id): (i64, i64) =
            connection
                .query_row("SELECT next_item, last_id FROM progress", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            limits,
            ordinals: Ordinals::after(last_id),
            next_item,
            committed_next_item: next_item,
            waiting: waiting(connection)?,
            devices: Devices::default(),
            sequences: Sequences::default(),
            tallies: Tallies::default(),
            posting: Posting::load(connection)?,
            draft: Draft::default(),
            recent: Recent::load(connection)?,
        })
    }

    /// Whether the item is pending, as the open transaction sees it.
    pub(in crate::store) fn is_pending(&self, item: i64) -> bool {
        self.waiting.contains_key(&item) && !self.draft.concluded.contains(&item)
    }

    /// How a pending item came, where it is in memory.
    pub(in crate::store) fn came(&self, item: i64) -> Option<Arc<Came>> {
        self.waiting.get(&item)?.came.clone()
    }

    /// Items pending and their bytes.
    pub(in crate::store) fn load_now(&self) -> (u64, u64) {
        (self.waiting.len() as u64, self.waiting.values().map(|waiting| waiting.bytes).sum())
    }

    /// Before COMMIT: all that was only noted so far.
    pub(in crate::store) fn write(&mut self, connection: &Connection, now: Timestamp) -> Result<(), Failure> {
        let grown = self.tallies.grown();
        self.tallies.write(connection)?;
        for relay in grown {
            self.enforce_caps(connection, &relay, now)?;
        }
        self.tallies.write(connection)?;
        self.posting.write(connection)?;
        self.devices.write(connection)?;
        self.sequences.write(connection)?;
        let mut statement = connection
            .prepare_cached("UPDATE progress SET next_item = ?1, last_id = ?2, first_pending = ?3 WHERE one = 1")?;
        statement.execute(params![self.next_item, self.ordinals.last(), self.first_pending()])?;
        Ok(())
    }

    /// After COMMIT: what was noted is true. Gives what has a new verdict.
    pub(in crate::store) fn settle(&mut self, load: &Load) -> Vec<Conclusion> {
        let draft = std::mem::take(&mut self.draft);
        self.committed_next_item = self.next_item;
        let answered = Some(Instant::now());
        for (item, bytes, came) in draft.taken {
            let came = Some(came).filter(|_| self.waiting.len() < CAME);
            self.waiting.insert(item, Waiting { bytes, answered, came });
        }
        self.recent.settle();
        self.devices.trim();
        self.sequences.trim();
        let visible = |(item, conclusion)| visible(self.waiting.remove(&item), conclusion, load);
        draft.conclusions.into_iter().map(visible).collect()
    }

    /// After a ROLLBACK: nothing of it was.
    pub(in crate::store) fn revert(&mut self) {
        self.draft = Draft::default();
        self.next_item = self.committed_next_item;
        self.tallies = Tallies::default();
        self.posting.revert();
        self.recent.revert();
        self.devices.forget();
        self.sequences.forget();
    }

    /// After the file was opened anew as `found`: all that was acknowledged is there. A transaction whose COMMIT failed
    /// may be there as well.
    pub(in crate::store) fn compare(&self, connection: &Connection, found: &Self) -> Result<(), Failure> {
        let mut there = connection.prepare("SELECT 1 FROM conclusion WHERE item = ?1")?;
        for item in self.waiting.keys().filter(|item| !found.waiting.contains_key(item)) {
            if !there.exists([item])? {
                return Err(Failure::Damaged(format!("item {item} is lost")));
            }
        }
        let older = found.waiting.range(..self.committed_next_item).map(|(item, _)| item);
        match older.into_iter().find(|item| !self.waiting.contains_key(item)) {
            Some(item) => Err(Failure::Damaged(format!("the verdict of item {item} is lost"))),
            None => Ok(()),
        }
    }

    fn first_pending(&self) -> i64 {
        let committed = self.waiting.keys().find(|item| !self.draft.concluded.contains(item));
        let taken = self.draft.taken.first().map(|(item, ..)| item);
        committed.or(taken).copied().unwrap_or(self.next_item)
    }
}

/// Lets the room of a concluded item go, and says how long it took to be seen.
fn visible(waiting: Option<Waiting>, conclusion: Conclusion, load: &Load) -> Conclusion {
    let Some(waiting) = waiting else { return conclusion };
    load.release(1, waiting.bytes);
    let visible_after = waiting.answered.map_or(conclusion.visible_after, |answered| answered.elapsed());
    Conclusion { visible_after, ..conclusion }
}

/// By the clock: how long ago `received_at` was.
pub(in crate::store) fn since(received_at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(now.millis().saturating_sub(received_at.millis()).max(0).cast_unsigned())
}

/// Items without a verdict. Their answers were another process's, so their age is the clock's.
fn waiting(connection: &Connection) -> Result<BTreeMap<i64, Waiting>, Failure> {
    let mut statement = connection.prepare(
        "SELECT i.id, length(i.sealed) FROM item i WHERE i.id >= (SELECT first_pending FROM progress)
         AND NOT EXISTS (SELECT 1 FROM conclusion c WHERE c.item = i.id)",
    )?;
    let rows = statement.query_map([], |row| {
        let bytes: i64 = row.get(1)?;
        Ok((row.get(0)?, Waiting { bytes: bytes.cast_unsigned(), answered: None, came: None }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A conclusion that nobody's finding made.
pub(in crate::store) fn expired(relay: &Arc<str>, visible_after: Duration) -> Conclusion {
    Conclusion {
        relay: Arc::clone(relay),
        verdict: Verdict::Expired,
        reason: None,
        format: None,
        open_time: Duration::ZERO,
        visible_after,
        gap: false,
    }
}
