//! The counters of conservation: what a transaction adds to them, a relay at a time.
//!
//! received = pending + opened + duplicate + refused + held + expired. A verdict moves an item from one term to another
//! in one call, so the sum cannot go wrong halfway.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::item::Verdict;
use crate::store::failure::Failure;

/// Changes of one transaction.
#[derive(Default)]
pub(in crate::store) struct Tallies(BTreeMap<Arc<str>, Tally>);

/// Changes to one relay's counters.
#[derive(Clone, Copy, Default)]
struct Tally {
    received: i64,
    pending: i64,
    opened: i64,
    duplicate: i64,
    refused: i64,
    held: i64,
    expired: i64,
    refusals_kept: i64,
    refusals_evicted: i64,
}

impl Tally {
    const fn term(&mut self, verdict: Verdict) -> &mut i64 {
        match verdict {
            Verdict::Duplicate => &mut self.duplicate,
            Verdict::Expired => &mut self.expired,
            Verdict::Held => &mut self.held,
            Verdict::Opened => &mut self.opened,
            Verdict::Pending => &mut self.pending,
            Verdict::Refused => &mut self.refused,
        }
    }
}

impl Tallies {
    /// Items were taken.
    pub(in crate::store) fn take(&mut self, relay: &Arc<str>, items: i64) {
        let tally = self.of(relay);
        tally.received += items;
        tally.pending += items;
    }

    /// Items have another verdict.
    pub(in crate::store) fn shift(&mut self, relay: &Arc<str>, from: Verdict, to: Verdict, items: i64) {
        let tally = self.of(relay);
        *tally.term(from) -= items;
        *tally.term(to) += items;
    }

    /// A refusal is kept for operators.
    pub(in crate::store) fn keep_refusal(&mut self, relay: &Arc<str>) {
        self.of(relay).refusals_kept += 1;
    }

    /// Kept refusals made room; their items stay refused.
    pub(in crate::store) fn evict_refusals(&mut self, relay: &Arc<str>, refusals: i64) {
        let tally = self.of(relay);
        tally.refusals_kept -= refusals;
        tally.refusals_evicted += refusals;
    }

    /// Kept refusals are older than they are kept.
    pub(in crate::store) fn forget_refusals(&mut self, relay: &Arc<str>, refusals: i64) {
        self.of(relay).refusals_kept -= refusals;
    }

    /// Relays that gained held items or kept refusals: those whose caps are to be looked at.
    pub(in crate::store) fn grown(&self) -> Vec<Arc<str>> {
        let grown = |tally: &Tally| tally.held > 0 || tally.refusals_kept > 0;
        self.0.iter().filter(|(_, tally)| grown(tally)).map(|(relay, _)| Arc::clone(relay)).collect()
    }

    /// Adds the changes to the counters on disk. May be called more than once a transaction.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO counter VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (relay) DO UPDATE SET
             received = received + ?2, pending = pending + ?3, opened = opened + ?4, duplicate = duplicate + ?5,
             refused = refused + ?6, held = held + ?7, expired = expired + ?8,
             refusals_kept = refusals_kept + ?9, refusals_evicted = refusals_evicted + ?10",
        )?;
        for (relay, tally) in std::mem::take(&mut self.0) {
            statement.execute(params![
                relay,
                tally.received,
                tally.pending,
                tally.opened,
                tally.duplicate,
                tally.refused,
                tally.held,
                tally.expired,
                tally.refusals_kept,
                tally.refusals_evicted
            ])?;
        }
        Ok(())
    }

    fn of(&mut self, relay: &Arc<str>) -> &mut Tally {
        self.0.entry(Arc::clone(relay)).or_default()
    }
}
