//! The crash matrix: the server dies at a named point, comes back, and nothing acknowledged is lost, nothing opens
//! twice; and what the demo and the server do when a safeguard is taken away. Needs a build with the feature
//! `failpoints`; `FAULT_ROUNDS` says how often at each point.

use std::collections::VecDeque;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::audit::{Known, audit};
use crate::crash::{View, setting};
use crate::fleet::{self, Simulated};
use crate::gateway::{BINARY, Gateway};
use crate::hostile::Dice;
use crate::ledger::{Ledger, Parcel, Round, Sealed};

/// How long a death is waited for.
const REST: Duration = Duration::from_secs(20);

#[test]
fn dying_while_taking() {
    matrix(&["take/before-begin", "take/after-begin", "take/before-commit", "take/after-commit"], 5, 300, &[]);
}

#[test]
fn dying_between_take_and_conclude() {
    matrix(
        &["take/before-handover", "take/before-answer", "opening/before-conclude", "opening/after-conclude"],
        5,
        300,
        &[],
    );
}

#[test]
fn dying_while_concluding() {
    let points = ["conclude/before-begin", "conclude/after-begin", "conclude/before-commit", "conclude/after-commit"];
    matrix(&points, 5, 300, &[]);
}

#[test]
fn dying_at_rest() {
    matrix(&["index/before-commit", "index/after-commit", "truncate/before", "truncate/after"], 1, 300, &[]);
}

#[test]
fn dying_while_the_log_is_moved_into_the_database() {
    // Enough for 2,000 pages of the log between two moments of rest.
    matrix(&["checkpoint/before", "checkpoint/after"], 1, 16_000, &[]);
}

#[test]
fn dying_while_what_is_old_is_deleted() {
    let keep = [("PAPERKNIFE_STORE__KEEP_SEALED", "1s"), ("PAPERKNIFE_STORE__KEEP_RECEIPTS", "1s")];
    matrix(&["prune/before-commit", "prune/after-commit"], 1, 300, &keep);
}

#[test]
fn dying_while_the_database_is_made() {
    for point in ["migration/before-step", "migration/before-commit", "migration/after-commit"] {
        for _ in 0..repeats() {
            let folder = tempfile::tempdir().unwrap();
            let mut first = Command::new(BINARY);
            first.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
            let ended = first.env("FAILPOINTS", format!("{point}=1")).output().unwrap().status;
            assert_eq!(ended.code(), None, "{point}: died");
            let mut scene = Scene::on(Gateway::start_at(folder.path(), &[]));
            scene.load(100);
            scene.conclude(point, true);
        }
    }
}

fn repeats() -> u64 {
    setting("FAULT_ROUNDS").unwrap_or(2)
}

/// Dies at each of the points, each time at a passing drawn from the first `most`, while `count` readings are on their
/// way or after.
fn matrix(points: &[&str], most: usize, count: usize, environment: &[(&str, &str)]) {
    for point in points {
        let mut scene = Scene::on(Gateway::start());
        for _ in 0..repeats() {
            let faults = format!("{point}={}", 1 + scene.dice.below(most));
            scene.gateway.terminate();
            scene.gateway.restart_with(&[&[("FAILPOINTS", faults.as_str())], environment].concat());
            scene.load(count);
            scene.await_death(&faults, most > 1);
            scene.gateway.restart_with(environment);
        }
        scene.conclude(point, environment.is_empty());
        println!("{point}: {} deaths", repeats());
    }
}

/// A gateway, devices, and what was sealed and acknowledged so far.
struct Scene {
    gateway: Gateway,
    devices: Vec<Simulated>,
    dice: Dice,
    sealed: Sealed,
    left: VecDeque<Parcel>,
    ledger: Ledger,
}

impl Scene {
    fn on(gateway: Gateway) -> Self {
        let devices = fleet::known_devices(&gateway, 6);
        let (seed, ledger) = (setting("CRASH_SEED").unwrap_or(7), Ledger::beside(&gateway.data()));
        Self { gateway, devices, dice: Dice::new(seed), sealed: Sealed::default(), left: VecDeque::new(), ledger }
    }

    /// Hands over until nothing is left or the server is gone.
    fn load(&mut self, count: usize) {
        let mut parcels = std::mem::take(&mut self.left);
        parcels.extend(self.sealed.parcels(&mut self.devices, &mut self.dice, count, 16));
        let acknowledged = |values| self.ledger.acknowledge(values);
        let round = Round::new(&self.gateway, parcels, &acknowledged);
        round.send_by(4, || ());
        self.left = round.left();
    }

    /// A point that is passed under load is passed again while more comes; others are passed at rest.
    fn await_death(&mut self, faults: &str, under_load: bool) {
        let begun = Instant::now();
        while self.gateway.ended().is_none() {
            assert!(begun.elapsed() < REST, "{faults}: never died");
            if under_load {
                self.load(10);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.gateway.wait().code(), None, "{faults}: died of a signal");
    }

    /// Sends the rest; then all is there once. What was pruned cannot be audited row by row.
    fn conclude(mut self, point: &str, whole: bool) {
        self.load(1);
        assert!(self.left.is_empty(), "{point}: the server is there to stay");
        self.gateway.settle();
        let mut view = View::default();
        view.look(&self.gateway);
        let shown = view.opened.len();
        assert_eq!(shown, self.sealed.0.len(), "{point}: shown and sealed");
        let (gaps, acknowledged) = (view.gaps(&self.gateway), self.ledger.close());
        assert!(gaps.is_empty(), "{point}: {gaps:?}");
        assert_eq!(acknowledged.len(), shown, "{point}: the ledger has all");
        assert_eq!(self.gateway.terminate(), Some(0));
        if whole {
            let known: Known<'_> = self.sealed.0.iter().map(|(value, bytes)| (bytes.as_slice(), *value)).collect();
            audit(&self.gateway.data(), &known, &acknowledged).expect("the store opens").assert_clean(point);
        }
    }
}

#[test]
fn the_demo_fails_when_duplicates_are_not_looked_for() {
    let mut demo = Command::new(BINARY);
    let output =
        demo.args(["demo", "--for", "12", "--rate", "40"]).env("FAILPOINTS", "no-duplicate-check").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
}

#[test]
fn a_panic_while_opening_holds_one_item_and_the_server_goes_on() {
    let mut gateway = Gateway::start();
    let mut devices = fleet::known_devices(&gateway, 1);
    gateway.terminate();
    gateway.restart_with(&[("FAILPOINTS", "opening/examine=2:panic")]);
    let verdicts: Vec<_> = (0..3)
        .map(|value| {
            let item = gateway.deliver(&devices[0].seal(f64::from(value)), None, Some(fleet::PATH));
            (item["verdict"].clone(), item["reason"].clone())
        })
        .collect();
    assert_eq!(verdicts[1], (json!("held"), json!("internal_error")));
    assert_eq!((&verdicts[0].0, &verdicts[2].0), (&json!("opened"), &json!("opened")));
    assert_eq!(gateway.get_answer("/readyz").status, 200);
    gateway.assert_conserved();
}
