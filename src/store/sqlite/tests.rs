//! The writer by hand, without its thread: what it does when its disk does not.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::books::Books;
use super::queue::{ConcludeJob, Job, Load, Pull, Queue, TakeJob};
use super::{Writer, connection, migration, pool};
use crate::clock::FixedClock;
use crate::guard::settled::Refusal;
use crate::item::{Claims, Item, ItemId, Origin, Reason, Receipt, Sealed, Timestamp};
use crate::store::failure::Failure;
use crate::store::ledger::{Concluding, Finding, Outcome};
use crate::store::sqlite::handover::Handover;
use crate::store::sqlite::health::Health;
use crate::store::{Limits, Shared};

struct Bench {
    data: TempDir,
    writer: Writer,
    shared: Shared,
}

type Answer = oneshot::Receiver<Result<Receipt, Failure>>;
type Outcomes = mpsc::Receiver<Result<Vec<Outcome>, Failure>>;

impl Bench {
    fn new() -> Self {
        let data = TempDir::new().unwrap();
        migration::bring_forward(data.path()).unwrap();
        let shared = Shared {
            queue: Arc::new(Queue::default()),
            load: Arc::new(Load::new(1000, 1 << 20)),
            handover: Arc::new(Handover::default()),
            bells: Arc::default(),
            roster: Arc::default(),
            health: Arc::new(Health::default()),
            pool: pool::Pool::open(data.path()).unwrap(),
        };
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_767_225_600)));
        let writer = Writer::open(data.path(), Limits::default(), clock, Arc::new(()), shared.clone()).unwrap();
        Self { data, writer, shared }
    }

    fn take(&self, bytes: usize) -> Answer {
        let (answer, answered) = oneshot::channel();
        let item = Item { sealed: Sealed { bytes: vec![7; bytes].into(), cose_type: None }, claims: Claims::default() };
        let origin = Origin { relay: "acme".into(), tenant: "default".into(), unauthenticated_sender: false };
        let reserved = self.shared.load.reserve(1, bytes as u64).unwrap();
        self.shared
            .queue
            .push(Job::Take(TakeJob { known: None, origin, items: vec![item], reserved, answer }))
            .unwrap();
        answered
    }

    fn refuse(&self, item: i64) -> Outcomes {
        let (answer, answered) = mpsc::sync_channel(1);
        let refusal = Refusal { reason: Reason::AuthFailed, detail: None, format: None, kid: None, device: None };
        let finding = Concluding { item: ItemId(item), finding: Finding::Refused(refusal), open_time: Duration::ZERO };
        self.shared.queue.push(Job::Conclude(ConcludeJob { findings: vec![finding], answer })).unwrap();
        answered
    }

    /// One turn with all that has arrived.
    fn turn(&mut self) {
        let Pull::Jobs(jobs) = self.shared.queue.pull(super::BATCH, Duration::ZERO) else { panic!("nothing arrived") };
        self.writer.cycle(jobs);
    }

    fn count(&self, table: &str) -> i64 {
        let connection = connection::for_reading(&connection::file(self.data.path())).unwrap();
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// No room for more pages than there are.
    fn fill_disk(&self) {
        let pages: i64 = self.writer.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        self.limit_pages(pages);
    }

    fn limit_pages(&self, pages: i64) {
        let limit = format!("PRAGMA max_page_count = {pages}");
        self.writer.connection.query_row(&limit, [], |_| Ok(())).unwrap();
    }
}

#[test]
fn no_answer_before_commit_and_all_of_a_batch_after_one() {
    let mut bench = Bench::new();
    let mut answers = [bench.take(3), bench.take(3), bench.take(3)];
    assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
    assert_eq!(bench.count("item"), 0);
    bench.turn();
    assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap().is_ok()));
    assert_eq!(bench.count("item"), 3);
}

#[test]
fn a_full_disk_fails_all_of_a_batch_and_keeps_nothing_of_it() {
    let mut bench = Bench::new();
    let mut first = bench.take(10);
    bench.turn();
    assert!(first.try_recv().unwrap().is_ok());
    bench.fill_disk();
    let (mut small, mut big, outcomes) = (bench.take(1), bench.take(100_000), bench.refuse(1));
    bench.turn();
    assert!(small.try_recv().unwrap().is_err());
    let failure = big.try_recv().unwrap().unwrap_err();
    assert!(!failure.is_overload() && !failure.is_fatal(), "{failure}");
    assert!(outcomes.recv().unwrap().is_err());
    assert_eq!((bench.count("item"), bench.count("conclusion")), (1, 0));
    assert!(bench.shared.health.check().is_err(), "readyz is red");
    assert_eq!(bench.shared.load.items(), 1, "room is given back");

    bench.limit_pages(1_000_000);
    let (mut again, outcomes) = (bench.take(100_000), bench.refuse(1));
    bench.turn();
    assert!(again.try_recv().unwrap().is_ok(), "without a restart");
    assert_eq!(outcomes.recv().unwrap().unwrap().len(), 1, "and the item was still pending");
    assert!(bench.shared.health.check().is_ok());
    let counters = bench.shared.pool.read(|connection| {
        Ok(connection.query_row("SELECT received, pending, refused FROM counter", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?)
    });
    assert_eq!(counters.unwrap(), (2, 1, 1));
}

#[test]
fn where_nothing_arrives_a_probe_finds_the_disk_well_again() {
    let mut bench = Bench::new();
    bench.fill_disk();
    let mut answer = bench.take(100_000);
    bench.turn();
    assert!(answer.try_recv().unwrap().is_err());
    bench.limit_pages(1_000_000);
    bench.writer.rest();
    assert!(bench.shared.health.check().is_ok());
}

#[test]
fn one_job_at_fault_fails_alone() {
    let mut bench = Bench::new();
    let _answers = [bench.take(3), bench.take(3)];
    bench.turn();
    // What was written of the first item's delivery is gone, from memory too: only its conclusion is at fault.
    bench.writer.connection.execute("DELETE FROM delivery WHERE first_item = 1", []).unwrap();
    bench.writer.books = Books::load(&bench.writer.connection, Limits::default()).unwrap();
    let (broken, fine, mut taken) = (bench.refuse(1), bench.refuse(2), bench.take(3));
    bench.turn();
    assert!(broken.recv().unwrap().is_err());
    assert_eq!(fine.recv().unwrap().unwrap().len(), 1);
    assert!(taken.try_recv().unwrap().is_ok());
    assert_eq!((bench.count("item"), bench.count("conclusion")), (3, 1));
}

#[test]
fn after_a_lost_sync_the_file_is_opened_anew_and_work_goes_on() {
    let mut bench = Bench::new();
    let _answers = [bench.take(3), bench.take(3)];
    bench.turn();
    assert_eq!(next(&bench), [1, 2]);
    bench.writer.note(&lost_sync());
    assert!(!bench.writer.is_lost);
    assert!(bench.shared.health.check().is_ok());
    assert_eq!(next(&bench), [1, 2], "what is pending is given out again");
    let (outcomes, mut answer) = (bench.refuse(1), bench.take(3));
    bench.turn();
    assert_eq!(outcomes.recv().unwrap().unwrap().len(), 1);
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(bench.shared.load.items(), 2);
}

#[test]
fn a_lost_sync_that_lost_what_was_acknowledged_is_fatal() {
    let losses = ["DELETE FROM item WHERE id = 2", "DELETE FROM conclusion WHERE item = 1"];
    for loss in losses {
        let mut bench = Bench::new();
        let _answers = [bench.take(3), bench.take(3)];
        bench.turn();
        let _outcomes = bench.refuse(1);
        bench.turn();
        bench.writer.connection.execute(loss, []).unwrap();
        bench.writer.connection.execute("UPDATE progress SET first_pending = 1", []).unwrap();
        bench.writer.note(&lost_sync());
        assert!(bench.writer.is_lost, "{loss}");
        assert!(bench.shared.health.check().unwrap_err().is_fatal());
        bench.shared.health.recovered();
        assert!(bench.shared.health.check().is_err(), "for good");
    }
}

#[test]
fn a_commit_that_failed_and_is_there_all_the_same_is_taken_as_it_is() {
    let mut bench = Bench::new();
    let _answer = bench.take(3);
    bench.turn();
    // As a failed COMMIT may leave it: one more item than anybody was told of.
    let statement =
        "INSERT INTO item SELECT id + 1, delivery, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, x'00', 0 FROM item;
        UPDATE progress SET next_item = 3";
    bench.writer.connection.execute_batch(statement).unwrap();
    bench.writer.note(&lost_sync());
    assert!(!bench.writer.is_lost);
    assert_eq!(next(&bench), [1, 2]);
    assert_eq!(bench.shared.load.items(), 2);
}

#[test]
fn readers_that_do_not_let_go_are_waited_for() {
    let bench = Bench::new();
    let pool = &bench.shared.pool;
    pool.read(|_| {
        assert!(!pool.suspend(Duration::from_millis(20)), "one is out");
        Ok(())
    })
    .unwrap();
    assert!(pool.suspend(Duration::ZERO));
    pool.resume();
    pool.read(|_| Ok(())).unwrap();
}

#[test]
fn a_reader_cannot_write() {
    let bench = Bench::new();
    let written = bench.shared.pool.read(|connection| Ok(connection.execute("DELETE FROM progress", [])?));
    assert!(written.is_err());
}

fn next(bench: &Bench) -> Vec<i64> {
    let read = |after, max| bench.shared.pool.read(|connection| super::waiting::pending(connection, after, max));
    let items = bench.shared.handover.next(Duration::ZERO, 10, read).unwrap();
    items.iter().map(|item| item.id.0).collect()
}

fn lost_sync() -> Failure {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
    Failure::from(rusqlite::Error::SqliteFailure(code, None))
}
