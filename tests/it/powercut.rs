//! Power cuts: a run of the real server is recorded, call by call, and the folder is rebuilt as a disk could hold it
//! after the power went at a random moment. The real store opens it; what was acknowledged by then must be there, and
//! all must add up. One in ten is cut again while the real server recovers. `make powercut` cuts 20,000 times
//! (`POWER_CUTS`, `CRASH_SEED`).

mod disk;
pub(crate) mod recorder;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use paperknife::store::failure::Failure;
use tempfile::TempDir;

use crate::audit::{Audit, Known, audit};
use crate::crash::setting;
use crate::fleet::{self, Simulated};
use crate::gateway::{Gateway, start_and_end};
use crate::hostile::Dice;
use crate::ledger::{Parcel, Round, Sealed};
use disk::{Disk, SURVIVALS, Survival, Syncs, records};
use recorder::{IO, Recorder};

/// What a recorded run leaves.
struct Run {
    gateway: Gateway,
    recorder: Recorder,
    base: PathBuf,
    sealed: Sealed,
    devices: Vec<Simulated>,
    dice: Dice,
}

impl Run {
    /// Devices are known, all is on disk, and nothing is recorded yet.
    fn begin() -> Self {
        let mut gateway = Gateway::start();
        let devices = fleet::known_devices(&gateway, 6);
        assert_eq!(gateway.terminate(), Some(0));
        let base = gateway.data().with_file_name("base");
        copy(&gateway.data(), &base);
        let recorder = Recorder::of(&gateway.data());
        let dice = Dice::new(setting("CRASH_SEED").unwrap_or(11));
        Self { gateway, recorder, base, sealed: Sealed::default(), devices, dice }
    }

    /// A run with moments of rest, a clean stop, and a crash.
    fn plain(switches: &[(&str, &str)]) -> Self {
        let mut run = Self::begin();
        run.start(switches);
        run.load(150);
        // Long enough for the writer to find nothing to do, and to empty the log.
        std::thread::sleep(Duration::from_millis(1_500));
        run.load(150);
        assert_eq!(run.gateway.terminate(), Some(0));
        run.start(switches);
        run.load(100);
        run.gateway.kill();
        run.start(switches);
        run.load(100);
        run.gateway.kill();
        run
    }

    /// A run in which syncs fail, and whoever cannot go on is started again, as a supervisor does.
    fn with_failing_syncs() -> Self {
        let mut run = Self::begin();
        let mut exits = 0;
        for round in 0..40 {
            run.recorder.fail_syncs([50, 400][round % 2], IO);
            run.start(&[]);
            let parcels = run.sealed.parcels(&mut run.devices, &mut run.dice, 25, 16);
            run.hand_over(parcels);
            std::thread::sleep(Duration::from_millis(20));
            if let Some(ended) = run.gateway.ended() {
                assert_eq!(ended.code(), Some(75), "ended, but for a restart");
                exits += 1;
            } else {
                // Not killed: a record of the log that is under way must be whole.
                run.gateway.terminate();
            }
        }
        println!("{exits} exits with 75");
        run
    }

    fn start(&mut self, switches: &[(&str, &str)]) {
        let environment = [&self.recorder.environment()[..], switches].concat();
        let started = (0..50).any(|_| self.gateway.try_restart_with(&environment).is_ok());
        assert!(started, "never started");
    }

    fn load(&mut self, count: usize) {
        let parcels = self.sealed.parcels(&mut self.devices, &mut self.dice, count, 16);
        assert!(self.hand_over(parcels).is_empty(), "the server was gone");
        self.gateway.settle();
    }

    fn hand_over(&self, parcels: VecDeque<Parcel>) -> VecDeque<Parcel> {
        let acknowledged = |values: Vec<u32>| self.recorder.acknowledged(&values);
        let round = Round::new(&self.gateway, parcels, &acknowledged);
        round.send_by(2, || ());
        round.left()
    }

    fn known(&self) -> Known<'_> {
        self.sealed.0.iter().map(|(value, bytes)| (bytes.as_slice(), *value)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What many cuts came to.
#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    /// Of them, while the server recovered from another.
    again: usize,
    /// In which something acknowledged was lost.
    losing: usize,
    most_lost: usize,
    /// That did not open, or did not add up.
    broken: usize,
}

impl Tally {
    fn note(&mut self, found: &Result<Audit, Failure>) {
        self.cuts += 1;
        match found {
            Ok(audit) => {
                self.losing += usize::from(!audit.lost.is_empty());
                self.most_lost = self.most_lost.max(audit.lost.len());
                self.broken += usize::from(!audit.twice.is_empty() || !audit.faults.is_empty());
            }
            Err(_) => self.broken += 1,
        }
    }
}

/// Cuts a run at `count` random moments. What is not clean is printed, the first few.
fn cut(run: &Run, syncs: Syncs, count: usize) -> Tally {
    let (log, known, begun) = (run.recorder.log(), run.known(), Instant::now());
    let records = records(&log);
    let seed = setting("CRASH_SEED").unwrap_or(11) ^ 0xd15c;
    let mut dice = Dice::new(seed);
    let mut moments: Vec<usize> = (0..count).map(|_| dice.below(records.len() + 1)).collect();
    moments.sort_unstable();
    let (mut disk, mut tally, mut done) = (Disk::new(&run.base, &log, syncs), Tally::default(), 0);
    for moment in moments {
        records[done..moment].iter().for_each(|record| disk.apply(record));
        done = moment;
        let survival = SURVIVALS[dice.below(SURVIVALS.len())];
        let is_again = syncs != Syncs::Lie && dice.below(10) == 0;
        tally.again += usize::from(is_again);
        let found = match is_again {
            true => look_again(run, &disk, survival, &known, &mut dice),
            false => look(&disk, survival, &known, &mut dice),
        };
        tally.note(&found);
        let is_clean = matches!(&found, Ok(audit) if audit.is_clean());
        if !is_clean && syncs != Syncs::Lie && tally.losing + tally.broken <= 3 {
            println!("cut at {moment} of {}, {survival:?}: {:.600}", records.len(), format!("{found:?}"));
        }
    }
    println!("{syncs:?}: {tally:?}, {} records, {} values, {:?}", records.len(), run.sealed.0.len(), begun.elapsed());
    tally
}

/// Rebuilds the folder as it may be after a cut, and opens it.
fn look(disk: &Disk<'_>, survival: Survival, known: &Known<'_>, dice: &mut Dice) -> Result<Audit, Failure> {
    let folder = workshop();
    disk.cut(folder.path(), survival, dice);
    audit(folder.path(), known, &disk.acknowledged)
}

/// The same, but that the power goes a second time while the server recovers, and opens what it finds.
fn look_again(
    run: &Run,
    disk: &Disk<'_>,
    survival: Survival,
    known: &Known<'_>,
    dice: &mut Dice,
) -> Result<Audit, Failure> {
    let folder = workshop();
    let (data, found) = (folder.path().join("data"), folder.path().join("found"));
    copy(&run.base, &data);
    for file in ["store.db", "store.db-wal", "store.db-shm"] {
        // Those of the base; the cut says what there is of them.
        let _ = std::fs::remove_file(data.join(file));
    }
    disk.cut(&data, survival, dice);
    copy(&data, &found);
    let recorder = Recorder::of(&data);
    assert_eq!(start_and_end(&data, &recorder.environment()), Some(0), "no recovery");
    let log = recorder.log();
    let records = records(&log);
    let mut second = disk.anew(&found, &log);
    records[..dice.below(records.len() + 1)].iter().for_each(|record| second.apply(record));
    look(&second, SURVIVALS[dice.below(SURVIVALS.len())], known, dice)
}

/// A folder that need not outlast a power cut: in memory where there is such a place.
fn workshop() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a temporary folder")
}

fn assert_nothing_lost(tally: &Tally) {
    assert_eq!((tally.losing, tally.broken), (0, 0), "{tally:?}");
}

/// Cuts of each kind of run.
fn cuts(ordinary: usize) -> usize {
    setting("POWER_CUTS").map_or(ordinary, |cuts| cuts as usize / 4)
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let run = Run::plain(&[]);
    for syncs in [Syncs::KeepNames, Syncs::KeepNoNames] {
        assert_nothing_lost(&cut(&run, syncs, cuts(300)));
    }
    // The harness proves itself: where syncs do nothing, the same run must lose.
    let lying = cut(&run, Syncs::Lie, 50);
    assert!(lying.losing > 10, "{lying:?}");
}

#[test]
fn a_power_cut_after_failed_syncs_loses_nothing_acknowledged() {
    let run = Run::with_failing_syncs();
    for syncs in [Syncs::KeepNames, Syncs::KeepNoNames] {
        assert_nothing_lost(&cut(&run, syncs, cuts(200)));
    }
}

/// The control of reliability §4: with `synchronous=NORMAL` a commit is not on disk when it returns.
#[cfg(feature = "failpoints")]
#[test]
fn a_power_cut_without_full_synchronisation_loses_rows() {
    let run = Run::plain(&[("FAILPOINTS", "synchronous-normal")]);
    let tally = cut(&run, Syncs::KeepNames, 100);
    assert!(tally.losing > 0, "{tally:?}");
}
