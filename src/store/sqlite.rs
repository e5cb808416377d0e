//! The writer: one thread, one connection, the commit cycle of reliability §5.
//!
//! A batch is what arrived while the last COMMIT ran: no timer, at most 512 jobs, a delivery never split. After COMMIT
//! the relays are answered, and then opening is given what was taken. No other code can make a receipt.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use crate::clock::Clock;
use crate::fault;
use crate::item::{Taken, Timestamp};
use crate::store::failure::Failure;
use crate::store::ledger::Outcome;
use crate::store::roster::Watch;
use crate::store::{Commit, Limits, Observer, Shared};

mod books;
mod caps;
pub(in crate::store) mod changes;
pub(in crate::store) mod concluding;
pub(in crate::store) mod connection;
mod devices;
mod edges;
pub(in crate::store) mod handover;
pub(in crate::store) mod health;
pub(in crate::store) mod lock;
mod log;
pub(in crate::store) mod migration;
mod pen;
pub(in crate::store) mod pool;
mod posting;
pub(in crate::store) mod queue;
mod recent;
pub(in crate::store) mod sequences;
mod taking;
mod tally;
mod timeline;
mod upkeep;
pub(in crate::store) mod waiting;

use books::Books;
use changes::Changed;
use pen::Pen;
use queue::{Job, Pull};
use taking::Delivery;

/// Jobs in one transaction.
const BATCH: usize = 512;
/// How long nothing arrives before the writer looks after the rest.
const QUIET: Duration = Duration::from_secs(1);
/// How long readers may take to give their connections back.
const READERS_LEAVE: Duration = Duration::from_secs(10);

/// The one who writes.
pub(in crate::store) struct Writer {
    data: PathBuf,
    connection: Connection,
    books: Books,
    limits: Limits,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    shared: Shared,
    watch: Watch,
    /// When upkeep was last looked at.
    looked: Instant,
    /// Items taken or concluded since the length of the WAL was last looked at.
    unmeasured: usize,
    /// Whether anything was committed since the WAL was last emptied.
    is_wal_used: bool,
    is_lost: bool,
}

/// What became of a job in a transaction that is not committed yet.
enum Placed {
    Changed(Changed),
    Concluded(Vec<Outcome>),
    /// Not taken: it is not from whom it was thought to be.
    Disowned,
    Taken(Delivery),
}

impl Writer {
    /// Reads what is pending, so that opening begins with it.
    pub(in crate::store) fn open(
        data: &Path,
        limits: Limits,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        shared: Shared,
    ) -> Result<Self, Failure> {
        let mut connection = connection::for_writing(&connection::file(data))?;
        log::settle(&mut connection, &connection::file(data))?;
        let books = Books::load(&connection, limits)?;
        let (items, bytes) = books.load_now();
        shared.load.set(items, bytes);
        shared.handover.begin(books.next_item - 1);
        Ok(Self {
            data: data.to_owned(),
            connection,
            books,
            limits,
            clock,
            observer,
            watch: Watch::over(Arc::clone(&shared.roster)),
            shared,
            looked: Instant::now(),
            unmeasured: 0,
            is_wal_used: true,
            is_lost: false,
        })
    }

    /// Until the queue is closed and empty. `lock` is let go last.
    pub(in crate::store) fn run(mut self, lock: File) {
        let _end = End { shared: self.shared.clone(), observer: Arc::clone(&self.observer) };
        while !self.is_lost {
            match self.shared.queue.pull(BATCH, QUIET) {
                Pull::Closed => break,
                Pull::Idle => self.rest(),
                Pull::Jobs(jobs) => self.cycle(jobs),
            }
        }
        if !self.is_lost
            && let Err(failure) = log::remove_on_close(&self.connection)
        {
            self.note(&failure);
        }
        drop(self);
        drop(lock);
    }

    /// One turn of the commit cycle. Where one job is at fault, each is tried alone; where we are, all fail.
    fn cycle(&mut self, jobs: Vec<Job>) {
        let begun = Instant::now();
        match self.transact(&jobs) {
            Ok(placed) => self.answer(jobs, placed, begun.elapsed()),
            Err(failure) if failure.is_local() && jobs.len() > 1 => {
                jobs.into_iter().for_each(|job| self.cycle(vec![job]));
                return;
            }
            Err(failure) => self.fail(jobs, &failure),
        }
        if let Err(failure) = self.between() {
            self.books.revert();
            self.note(&failure);
        }
    }

    /// All of the jobs, committed, or none.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Placed>, Failure> {
        let now = self.clock.now();
        let placed = commit(&mut self.connection, &mut self.books, &mut self.watch, jobs, now);
        if placed.is_err() {
            self.books.revert();
        }
        placed
    }

    /// Relays first, then opening, then whoever watches.
    fn answer(&mut self, jobs: Vec<Job>, placed: Vec<Placed>, duration: Duration) {
        let mut commit = Commit { duration, jobs: jobs.len(), taken: Vec::new(), concluded: Vec::new() };
        let (mut taken, mut outcomes, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (job, placed) in jobs.into_iter().zip(placed) {
            match (job, placed) {
                (Job::Take(mut job), Placed::Taken(delivery)) => {
                    job.reserved.keep();
                    commit.take(&job.origin.relay, job.items.len() as u64);
                    // Who no longer listens has no receipt; what it handed over is kept all the same.
                    let _ = job.answer.send(Ok(delivery.receipt(&job.items)));
                    taken.push((delivery, job.origin, job.items));
                }
                (Job::Take(job), Placed::Disowned) => {
                    let _ = job.answer.send(Err(Failure::AccountChanged));
                }
                (Job::Change(job), Placed::Changed(done)) => changes.push((job.answer, done)),
                (Job::Conclude(job), Placed::Concluded(done)) => outcomes.push((job.answer, done)),
                // `commit` places each job as what it is.
                _ => {}
            }
        }
        commit.concluded = self.books.settle(&self.shared.load);
        for (answer, done) in outcomes {
            let _ = answer.send(Ok(done));
        }
        for (answer, done) in changes {
            let _ = answer.send(Ok(done));
        }
        self.ring();
        fault::point("take", "before-handover");
        let taken = taken.into_iter().flat_map(|(delivery, origin, items)| delivery.hand_over(origin, items));
        self.shared.handover.push(taken.collect::<Vec<Taken>>().into_iter());
        self.shared.health.recovered();
        self.is_wal_used = true;
        self.unmeasured += commit.jobs + commit.concluded.len();
        self.observer.committed(&commit);
    }

    /// Tells delivery and whoever follows the events.
    fn ring(&mut self) {
        let bells = &self.shared.bells;
        bells.committed(self.books.ordinals.last());
        self.books.posting.take_rung().into_iter().for_each(|subscription| bells.ring(subscription));
        if std::mem::take(&mut self.books.posting.changed) {
            bells.ring_changed();
        }
    }

    fn fail(&mut self, jobs: Vec<Job>, failure: &Failure) {
        self.note(failure);
        for job in jobs {
            match job {
                Job::Change(job) => drop(job.answer.send(Err(failure.clone()))),
                Job::Conclude(job) => drop(job.answer.send(Err(failure.clone()))),
                Job::Take(job) => drop(job.answer.send(Err(failure.clone()))),
            }
        }
    }

    /// Tells `readyz`. A sync that failed is never tried again on the same handle (reliability D6).
    fn note(&mut self, failure: &Failure) {
        // One job's own fault says nothing of the store.
        if failure.is_local() && !matches!(failure, Failure::Damaged(_)) {
            return;
        }
        self.shared.health.failed(failure.clone());
        if failure.is_lost_sync() {
            self.reopen();
        }
    }

    /// Between two batches: only what cannot wait for a quiet moment.
    fn between(&mut self) -> Result<(), Failure> {
        if self.unmeasured >= upkeep::UNMEASURED {
            self.unmeasured = 0;
            upkeep::checkpoint(&self.connection)?;
        }
        if self.books.recent.len() >= upkeep::SORTED {
            upkeep::index(&mut self.connection, &mut self.books)?;
        }
        if self.looked.elapsed() >= QUIET {
            self.looked = Instant::now();
            upkeep::prune(&mut self.connection, &mut self.books, &self.limits, self.clock.now())?;
        }
        Ok(())
    }

    /// Nothing has arrived for a while.
    fn rest(&mut self) {
        if let Err(failure) = self.look_after() {
            self.books.revert();
            self.note(&failure);
        }
    }

    fn look_after(&mut self) -> Result<(), Failure> {
        if self.shared.health.check().is_err() {
            self.probe()?;
        }
        let quiet = |queue: &queue::Queue| queue.is_empty();
        if self.books.recent.len() > 0 && quiet(&self.shared.queue) {
            upkeep::index(&mut self.connection, &mut self.books)?;
            self.is_wal_used = true;
        }
        while quiet(&self.shared.queue)
            && upkeep::prune(&mut self.connection, &mut self.books, &self.limits, self.clock.now())?
        {
            self.is_wal_used = true;
        }
        if std::mem::take(&mut self.is_wal_used) {
            upkeep::truncate(&self.connection)?;
        }
        Ok(())
    }

    /// Whether storing works again, where nothing arrives to find out with.
    fn probe(&mut self) -> Result<(), Failure> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE progress SET probed = ?1", [self.clock.now().millis()])?;
        transaction.commit()?;
        self.shared.health.recovered();
        Ok(())
    }

    /// Closes every connection, opens the file anew and compares it with what was acknowledged. Where that fails this
    /// process stores nothing any more.
    fn reopen(&mut self) {
        let reopened = self.try_reopen();
        self.shared.pool.resume();
        if let Err(failure) = reopened {
            let fatal = Failure::Fatal(format!("a sync to disk failed, and then: {failure}"));
            self.shared.health.failed(fatal);
            self.is_lost = true;
        }
    }

    fn try_reopen(&mut self) -> Result<(), Failure> {
        if !self.shared.pool.suspend(READERS_LEAVE) {
            return Err(Failure::Damaged("readers did not let go".into()));
        }
        // The old connection must be closed before the file is looked at again: a connection to nothing takes its place.
        self.connection = Connection::open_in_memory()?;
        let mut connection = connection::for_writing(&connection::file(&self.data))?;
        let intact: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if intact != "ok" {
            return Err(Failure::Damaged(intact));
        }
        log::settle(&mut connection, &connection::file(&self.data))?;
        let books = Books::load(&connection, self.limits)?;
        self.books.compare(&connection, &books)?;
        let ((items, bytes), (old_items, old_bytes)) = (books.load_now(), self.books.load_now());
        self.shared.load.adjust(items.wrapping_sub(old_items), bytes.wrapping_sub(old_bytes));
        self.shared.handover.start_over(books.next_item - 1);
        (self.connection, self.books) = (connection, books);
        self.watch.begin_anew();
        self.shared.health.recovered();
        Ok(())
    }
}

fn commit(
    connection: &mut Connection,
    books: &mut Books,
    watch: &mut Watch,
    jobs: &[Job],
    now: Timestamp,
) -> Result<Vec<Placed>, Failure> {
    pass("before-begin", jobs);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    watch.look(&transaction)?;
    books.posting.refresh(&transaction)?;
    pass("after-begin", jobs);
    let placed = place(&transaction, books, watch, jobs, now)?;
    books.write(&transaction, now)?;
    pass("before-commit", jobs);
    transaction.commit()?;
    pass("after-commit", jobs);
    Ok(placed)
}

fn place(
    connection: &Connection,
    books: &mut Books,
    watch: &Watch,
    jobs: &[Job],
    now: Timestamp,
) -> Result<Vec<Placed>, Failure> {
    let mut pen = Pen::of(connection)?;
    let place = |job: &Job| match job {
        Job::Change(job) => books.change(connection, &job.change, now).map(Placed::Changed),
        Job::Conclude(job) => books.conclude(&mut pen, &job.findings, now).map(Placed::Concluded),
        Job::Take(job) if !watch.stands(connection, job.known.as_ref())? => Ok(Placed::Disowned),
        Job::Take(job) => books.take(&mut pen, &job.origin, &job.items, now).map(Placed::Taken),
    };
    jobs.iter().map(place).collect()
}

/// A point of the cycle, for each kind of job in it.
fn pass(moment: &str, jobs: &[Job]) {
    if jobs.iter().any(|job| matches!(job, Job::Take(_))) {
        fault::point("take", moment);
    }
    if jobs.iter().any(|job| matches!(job, Job::Conclude(_))) {
        fault::point("conclude", moment);
    }
}

/// However the writer ends, nobody waits for it in vain.
struct End {
    shared: Shared,
    observer: Arc<dyn Observer>,
}

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.health.failed(Failure::Fatal("the writer panicked".into()));
        }
        self.shared.queue.abandon();
        if let Err(failure) = self.shared.health.check()
            && failure.is_fatal()
        {
            self.observer.fatal(&failure);
        } else {
            self.shared.health.failed(Failure::Stopped);
        }
    }
}

#[cfg(test)]
mod tests;
