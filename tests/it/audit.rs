//! The auditor: a data folder, opened by the real store, against what the client's ledger says of it. Rows are counted
//! here a second time, in SQL of the auditor's own, so that a counter that is wrong does not vouch for itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use paperknife::clock::SystemClock;
use paperknife::store::failure::Failure;
use paperknife::store::reader::RelayCounters;
use paperknife::store::{Limits, Store};
use rusqlite::Connection;

/// The sealed readings that clients made, each once: bytes to value.
pub(crate) type Known<'a> = HashMap<&'a [u8], u32>;

/// What is known of contents that were opened: sorted in, or of a message that is not sorted in yet.
const IDENTITIES: &str = "SELECT identity, message FROM identity UNION
     SELECT identity, id FROM message WHERE id > (SELECT indexed FROM progress)";

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Acknowledged, and not there, or there and concluded as anything but opened once.
    pub(crate) lost: Vec<u32>,
    /// Opened more than once.
    pub(crate) twice: Vec<u32>,
    /// Whatever else does not add up.
    pub(crate) faults: Vec<String>,
    pub(crate) counters: RelayCounters,
}

impl Audit {
    /// 0 / 0, and everything adds up.
    pub(crate) fn assert_clean(&self, what: &str) {
        assert!(self.is_clean(), "{what}: {self:?}");
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.twice.is_empty() && self.faults.is_empty()
    }
}

/// Opens the folder as a server would, and audits it. No server may run on it, and nothing may have been pruned.
pub(crate) fn audit(data: &Path, known: &Known<'_>, acknowledged: &BTreeSet<u32>) -> Result<Audit, Failure> {
    let store = Store::open(data, Limits::default(), Arc::new(SystemClock), Arc::new(()))?;
    let counters = store.reader.counters()?;
    let sql = Connection::open(data.join("store.db")).unwrap();
    let mut audit = Audit { counters: counters.total.clone(), ..Audit::default() };
    let intact = sql.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    if !matches!(&intact, Ok(intact) if intact == "ok") {
        audit.faults.push(format!("integrity: {intact:?}"));
        return Ok(audit);
    }
    audit.fault(counters.conservation_error == 0, || format!("conservation: {counters:?}"));
    audit.count(&sql);
    audit.items(&sql, known, acknowledged);
    audit.messages(&sql);
    audit.sequences(&sql);
    drop(sql);
    store.close();
    Ok(audit)
}

impl Audit {
    fn fault(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(what());
        }
    }

    /// Each counter is a number of rows.
    fn count(&mut self, sql: &Connection) {
        let one = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap() as u64;
        let verdict = |name: &str| one(&format!("SELECT count(*) FROM conclusion WHERE verdict = '{name}'"));
        let counters = self.counters.clone();
        let pending = one("SELECT count(*) FROM item WHERE id NOT IN (SELECT item FROM conclusion)");
        let rows = [
            ("received", counters.received, one("SELECT count(*) FROM item")),
            ("received", counters.received, one("SELECT ifnull(sum(items), 0) FROM delivery")),
            ("pending", counters.pending, pending),
            ("opened", counters.opened, verdict("opened")),
            ("opened", counters.opened, one("SELECT count(*) FROM message")),
            ("opened", counters.opened, one(&format!("SELECT count(*) FROM ({IDENTITIES})"))),
            ("duplicate", counters.duplicate, verdict("duplicate")),
            ("refused", counters.refused, verdict("refused")),
            ("held", counters.held, verdict("held")),
        ];
        for (name, counted, found) in rows {
            self.fault(counted == found, || format!("{name}: counted {counted}, rows {found}"));
        }
    }

    /// Every acknowledged value is there, pending or opened; none is opened twice.
    fn items(&mut self, sql: &Connection, known: &Known<'_>, acknowledged: &BTreeSet<u32>) {
        let mut statement = sql
            .prepare("SELECT i.sealed, c.verdict FROM item i LEFT JOIN conclusion c ON c.item = i.id ORDER BY i.id")
            .unwrap();
        let (mut waiting, mut opened) = (BTreeSet::new(), BTreeMap::<u32, u32>::new());
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let sealed = row.get_ref(0).unwrap().as_blob().unwrap();
            let Some(value) = known.get(sealed).copied() else {
                self.faults.push(format!("an item that nobody sealed: {}", hex::encode(sealed)));
                continue;
            };
            match row.get_ref(1).unwrap().as_str_or_null().unwrap() {
                None => drop(waiting.insert(value)),
                Some("opened") => *opened.entry(value).or_default() += 1,
                Some("duplicate") => {}
                Some(verdict) => self.faults.push(format!("{value} is {verdict}")),
            }
        }
        let is_there = |value: &&u32| waiting.contains(value) || opened.contains_key(value);
        self.lost = acknowledged.iter().filter(|value| !is_there(value)).copied().collect();
        self.twice = opened.iter().filter(|(_, times)| **times > 1).map(|(value, _)| *value).collect();
    }

    /// Every opened item has a message with its one reading, and no value has two.
    fn messages(&mut self, sql: &Connection) {
        let one = |query: &str| sql.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        let readings = one("SELECT count(*) FROM reading r JOIN message m ON m.id = r.message");
        let values = one("SELECT count(DISTINCT value) FROM reading");
        let opened = self.counters.opened as i64;
        self.fault(readings == opened && values == opened, || {
            format!("{opened} opened, {readings} readings, {values} values")
        });
        let orphans = one(&format!(
            "SELECT count(*) FROM message m LEFT JOIN ({IDENTITIES}) i ON i.identity = m.identity AND i.message = m.id
             WHERE i.message IS NULL"
        ));
        self.fault(orphans == 0, || format!("{orphans} messages without an identity"));
    }

    /// The numbers that a device's counter has seen are those of its messages.
    fn sequences(&mut self, sql: &Connection) {
        let mut seen = sql.prepare("SELECT sequence FROM message WHERE device = ?1 ORDER BY sequence").unwrap();
        let mut counters = sql.prepare("SELECT device, ranges FROM sequence WHERE accounted").unwrap();
        let rows = counters.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
        for (device, ranges) in rows.map(Result::unwrap) {
            let ranges = paperknife::guard::sequence::Ranges::from_bytes(&ranges).unwrap();
            let numbers =
                seen.query_map([device], |row| row.get::<_, i64>(0)).unwrap().map(|number| number.unwrap() as u64);
            let expected: Vec<u64> = ranges.spans().iter().flat_map(|span| span.from..=span.to).collect();
            let numbers: Vec<u64> = numbers.collect();
            self.fault(numbers == expected, || format!("device {device}: counter and messages differ"));
        }
    }
}
