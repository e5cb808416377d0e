//! Disks that fail: full, read-only, sick, damaged. Only 503 while nothing can be stored, reads go on, recovery without
//! a restart where that is promised (D5, D6), and never a wrong cleartext.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paperknife::clock::SystemClock;
use paperknife::store::failure::Failure;
use paperknife::store::reader::{MessageFilter, PageRequest, ReadingFilter, RefusalFilter};
use paperknife::store::{Limits, Store};
use tempfile::TempDir;

use crate::audit::{Known, audit};
use crate::crash::setting;
use crate::fleet::{self, Simulated};
use crate::gateway::{Gateway, eventually, paperknife};
use crate::hostile::Dice;
use crate::ledger::{Ledger, Round, Sealed};
use crate::powercut::recorder::{IO, NO_SPACE, READ_ONLY, Recorder};
use crate::wire::Wire;

/// A gateway whose disk will fail.
struct Scene {
    gateway: Gateway,
    devices: Vec<Simulated>,
    dice: Dice,
    sealed: Sealed,
    ledger: Ledger,
}

impl Scene {
    fn on(gateway: Gateway) -> Self {
        let devices = fleet::known_devices(&gateway, 6);
        let (dice, ledger) = (Dice::new(setting("CRASH_SEED").unwrap_or(5)), Ledger::beside(&gateway.data()));
        Self { gateway, devices, dice, sealed: Sealed::default(), ledger }
    }

    /// A gateway under the recorder, which injects faults.
    fn under_recorder() -> (Self, Recorder) {
        let mut scene = Self::on(Gateway::start());
        scene.gateway.terminate();
        let recorder = Recorder::of(&scene.gateway.data());
        scene.gateway.restart_with(&recorder.environment());
        (scene, recorder)
    }

    /// Hands `count` readings over until all are acknowledged; how often the answer was 503.
    fn load(&mut self, count: usize) -> u32 {
        let parcels = self.sealed.parcels(&mut self.devices, &mut self.dice, count, 16);
        let acknowledged = |values| self.ledger.acknowledge(values);
        let round = Round::new(&self.gateway, parcels, &acknowledged);
        round.send_by(4, || ());
        let unavailable = round.unavailable();
        assert!(round.left().is_empty(), "the server was gone");
        unavailable
    }

    /// One delivery's status; acknowledged if it was taken.
    fn try_one(&mut self) -> u16 {
        let parcel = self.sealed.parcels(&mut self.devices, &mut self.dice, 1, 16).pop_front().unwrap();
        let reply =
            Wire::connect(self.gateway.url()).unwrap().deliver(&self.gateway.relay_token, &parcel.body).unwrap();
        match reply.status {
            202 => self.ledger.acknowledge(parcel.values),
            503 => assert!(reply.retry_after.is_some(), "503 without Retry-After"),
            status => panic!("{status}"),
        }
        reply.status
    }

    fn readiness(&self) -> u16 {
        self.gateway.get_answer("/readyz").status
    }

    /// All that was acknowledged is there; what was answered 503 may be.
    fn conclude(mut self) {
        self.gateway.settle();
        self.gateway.assert_conserved();
        assert_eq!(self.gateway.terminate(), Some(0));
        let known: Known<'_> = self.sealed.0.iter().map(|(value, bytes)| (bytes.as_slice(), *value)).collect();
        let acknowledged = self.ledger.close();
        let audit = audit(&self.gateway.data(), &known, &acknowledged).expect("the store opens");
        audit.assert_clean("after the disk came back");
        assert_eq!(audit.counters.pending, 0);
    }

    /// While nothing can be stored: 503, a red `readyz`, answers to questions.
    fn assert_unavailable(&mut self) {
        for _ in 0..5 {
            assert_eq!(self.try_one(), 503);
        }
        assert_eq!(self.readiness(), 503);
        assert!(!self.gateway.list("/v1/messages").is_empty(), "what is there can be read");
        assert_eq!(self.gateway.get_answer("/healthz").status, 200);
    }

    /// Without a restart.
    fn assert_recovers(&mut self) {
        let begun = Instant::now();
        eventually(Duration::from_secs(30), "ready again", || self.readiness() == 200);
        println!("ready again after {:?}", begun.elapsed());
        self.load(50);
    }
}

#[test]
fn writes_that_find_no_space_are_answered_with_503() {
    let (mut scene, recorder) = Scene::under_recorder();
    scene.load(50);
    scene.gateway.settle();
    recorder.fail_writes(20, NO_SPACE);
    let unavailable = scene.load(300);
    println!("2 % of writes failed: {unavailable} answers of 503");
    recorder.fail_writes(1000, NO_SPACE);
    scene.assert_unavailable();
    recorder.fail_writes(0, NO_SPACE);
    scene.assert_recovers();
    scene.conclude();
}

#[test]
fn a_disk_that_becomes_read_only_is_answered_with_503() {
    let (mut scene, recorder) = Scene::under_recorder();
    scene.load(50);
    scene.gateway.settle();
    recorder.fail_writes(1000, READ_ONLY);
    scene.assert_unavailable();
    recorder.fail_writes(0, READ_ONLY);
    scene.assert_recovers();
    scene.conclude();
}

/// D6: after a failed sync the file is opened anew and compared with what was acknowledged, or the process ends with 75
/// and a supervisor starts it again.
#[test]
fn failed_syncs_lose_nothing() {
    let (mut scene, recorder) = Scene::under_recorder();
    scene.load(50);
    let (mut exits, mut unavailable) = (0, 0);
    for _ in 0..setting("FAULT_ROUNDS").unwrap_or(2) * 10 {
        recorder.fail_syncs(50, IO);
        let parcels = scene.sealed.parcels(&mut scene.devices, &mut scene.dice, 50, 16);
        let acknowledged = |values| scene.ledger.acknowledge(values);
        let round = Round::new(&scene.gateway, parcels, &acknowledged);
        round.send_by(4, || ());
        unavailable += round.unavailable();
        drop(round);
        recorder.fail_syncs(0, IO);
        std::thread::sleep(Duration::from_millis(20));
        if let Some(ended) = scene.gateway.ended() {
            assert_eq!(ended.code(), Some(75));
            exits += 1;
            scene.gateway.restart_with(&recorder.environment());
        }
    }
    println!("5 % of syncs failed: {unavailable} answers of 503, {exits} exits with 75");
    assert!(unavailable + exits > 0, "no sync failed");
    scene.assert_recovers();
    scene.conclude();
}

/// A file system of its own, in memory; needs root.
struct Mount(TempDir);

impl Mount {
    /// None where it is not allowed.
    fn of(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mount = Self(folder);
        let mounted = mount.run("mount", &["-t", "tmpfs", "-o", options, "tmpfs"]);
        if !mounted {
            println!("SKIPPED: no file system can be mounted here (needs root)");
        }
        mounted.then_some(mount)
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn run(&self, command: &str, arguments: &[&str]) -> bool {
        Command::new(command).args(arguments).arg(self.data()).output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.run("umount", &["-l"]);
    }
}

#[test]
fn a_full_disk_is_answered_with_503() {
    let Some(mount) = Mount::of("size=16m") else { return };
    let mut scene = Scene::on(Gateway::start_at(mount.0.path(), &[]));
    scene.load(50);
    scene.gateway.settle();
    let filler = mount.data().join("filler");
    fill(&filler);
    eventually(Duration::from_secs(60), "full", || scene.try_one() == 503);
    fill(&filler);
    scene.assert_unavailable();
    std::fs::remove_file(&filler).unwrap();
    let begun = Instant::now();
    eventually(Duration::from_secs(30), "taken again", || scene.try_one() == 202);
    println!("taken again after {:?}", begun.elapsed());
    scene.assert_recovers();
    scene.conclude();
}

/// Takes all the space that is left.
fn fill(file: &Path) {
    let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}

#[test]
fn a_read_only_disk_is_refused_at_start() {
    let Some(mount) = Mount::of("size=16m") else { return };
    let mut gateway = Gateway::start_at(mount.0.path(), &[]);
    assert_eq!(gateway.terminate(), Some(0));
    assert!(mount.run("mount", &["-o", "remount,ro"]));
    let data = mount.data();
    let output = paperknife(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("read-only") || said.contains("Read-only") || said.contains("readonly"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// A folder as a crash leaves it, with a log that is not empty, and what was sealed into it.
fn crashed() -> (TempDir, Shown) {
    let mut scene = Scene::on(Gateway::start());
    scene.load(400);
    scene.gateway.settle();
    scene.load(100);
    scene.gateway.settle();
    scene.gateway.kill();
    let folder = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(scene.gateway.data().join(name), folder.path().join(name)).unwrap();
    }
    drop(scene.ledger.close());
    let undamaged = workshop(folder.path());
    let store = Store::open(undamaged.path(), Limits::default(), Arc::new(SystemClock), Arc::new(())).unwrap();
    let shown = read_all(&store).unwrap();
    store.close();
    assert_eq!(shown.len(), 2 * scene.sealed.0.len(), "messages and readings");
    (folder, shown)
}

/// A copy of the database and its log that may be damaged.
fn workshop(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" }).unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

/// What a damaged folder turned out to be.
#[derive(Debug, Default)]
struct Damage {
    copies: usize,
    refused: usize,
    unreadable: usize,
    whole: usize,
    shorter: usize,
    wrong: Vec<String>,
}

impl Damage {
    /// Damages a copy, opens it and reads all of it, as the server does.
    fn inflict(&mut self, folder: &Path, undamaged: &Shown, damage: impl FnOnce(&Path)) {
        let copy = workshop(folder);
        damage(copy.path());
        self.copies += 1;
        let opened = Store::open(copy.path(), Limits::default(), Arc::new(SystemClock), Arc::new(()));
        let Ok(store) = opened else {
            self.refused += 1;
            return;
        };
        match read_all(&store) {
            Err(_) => self.unreadable += 1,
            Ok(found) => {
                let mut wrong = found.iter().filter(|(id, shown)| undamaged.get(*id) != Some(shown));
                match wrong.next() {
                    Some((id, shown)) => self.wrong.push(format!("{shown} instead of {:?}", undamaged.get(id))),
                    None if found.len() == undamaged.len() => self.whole += 1,
                    None => self.shorter += 1,
                }
            }
        }
        store.close();
    }
}

/// Messages and readings as the API shows them.
type Shown = BTreeMap<String, String>;

/// Every question that shows what was kept; messages with their readings, and readings, each by its place.
fn read_all(store: &Store) -> Result<Shown, Failure> {
    let (tenant, page) = ("default", PageRequest { limit: 10_000, ..PageRequest::default() });
    let messages = store.reader.messages(tenant, &MessageFilter::default(), &page, true)?;
    let readings = store.reader.readings(tenant, &ReadingFilter::default(), &page)?;
    store.reader.refusals(tenant, &RefusalFilter::default(), &page, true)?;
    store.reader.held(tenant, &RefusalFilter::default(), &page, true)?;
    store.reader.devices(tenant, &page)?;
    store.reader.counters()?;
    let mut shown = Shown::new();
    for message in &messages.items {
        shown.insert(message.id.to_string(), serde_json::to_string(message).unwrap());
    }
    for series in &readings.items {
        let text = serde_json::to_value(series).unwrap();
        shown.insert(format!("reading of {}", text["message"]), text.to_string());
    }
    Ok(shown)
}

#[test]
fn a_log_that_is_cut_off_never_shows_what_was_not_sealed() {
    let (folder, shown) = crashed();
    let length = std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len();
    assert!(length > 0, "nothing to cut off");
    let mut dice = Dice::new(setting("CRASH_SEED").unwrap_or(5));
    let mut damage = Damage::default();
    for _ in 0..setting("FAULT_ROUNDS").unwrap_or(2) * 50 {
        let left = dice.below(length as usize) as u64;
        damage.inflict(folder.path(), &shown, |copy| {
            let log = OpenOptions::new().write(true).open(copy.join("store.db-wal")).unwrap();
            log.set_len(left).unwrap();
        });
    }
    println!("{damage:.3000?}");
    assert!(damage.wrong.is_empty(), "{:?}", damage.wrong);
}

/// Flips one bit of a file.
fn flip(file: &Path, at: u64, bit: usize) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
}

#[test]
fn flipped_bits_of_the_log_never_show_what_was_not_sealed() {
    let (folder, shown) = crashed();
    let length = std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len();
    let (mut dice, mut damage) = (Dice::new(setting("CRASH_SEED").unwrap_or(5)), Damage::default());
    for _ in 0..setting("FAULT_ROUNDS").unwrap_or(2) * 50 {
        let (at, bit) = (dice.below(length as usize) as u64, dice.below(8));
        damage.inflict(folder.path(), &shown, |copy| flip(&copy.join("store.db-wal"), at, bit));
    }
    println!("{damage:.3000?}");
    assert!(damage.wrong.is_empty(), "{:?}", damage.wrong);
}

/// Pages have no checksum, but rows have: what is shown is what was sealed, less, or an error.
#[test]
fn flipped_bits_of_the_database_never_show_what_was_not_sealed() {
    let (folder, shown) = crashed();
    // All of the log into the database, whose pages are then the only ones.
    Store::open(folder.path(), Limits::default(), Arc::new(SystemClock), Arc::new(())).unwrap().close();
    std::fs::write(folder.path().join("store.db-wal"), []).unwrap();
    let pages = std::fs::metadata(folder.path().join("store.db")).unwrap().len() / 4096;
    let (mut dice, mut damage) = (Dice::new(setting("CRASH_SEED").unwrap_or(5)), Damage::default());
    for round in 0..setting("FAULT_ROUNDS").unwrap_or(2) {
        for page in (0..pages).filter(|page| (page + round) % 4 == 0) {
            let (at, bit) = (page * 4096 + dice.below(4096) as u64, dice.below(8));
            damage.inflict(folder.path(), &shown, |copy| flip(&copy.join("store.db"), at, bit));
        }
    }
    println!("{damage:.3000?}");
    assert!(damage.wrong.is_empty(), "{:?}", damage.wrong);
}

/// Another process holds the write lock for longer than we wait: 503, and then all goes on.
#[test]
fn a_lock_that_is_held_elsewhere_is_answered_with_503() {
    let mut scene = Scene::on(Gateway::start());
    scene.load(50);
    scene.gateway.settle();
    let other = rusqlite::Connection::open(scene.gateway.data().join("store.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(scene.try_one(), 503);
    assert_eq!(scene.readiness(), 503);
    assert!(!scene.gateway.list("/v1/messages").is_empty(), "what is there can be read");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    scene.assert_recovers();
    scene.conclude();
}
