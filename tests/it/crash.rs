//! kill -9 under load, again and again: nothing acknowledged is lost, nothing opens twice, no gap is invented.
//!
//! `make test` runs 20 rounds; `make crash` many, over a million envelopes (`CRASH_ROUNDS`, `CRASH_SEED`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::audit::{Known, audit};
use crate::fleet;
use crate::gateway::Gateway;
use crate::hostile::Dice;
use crate::ledger::{Ledger, Round, Sealed};

const DEVICES: usize = 40;
const SENDERS: usize = 8;
/// Sealed readings on their way when a round begins.
const ON_THEIR_WAY: usize = 1_500;
/// Rounds from one look at the API to the next.
const LOOK: u32 = 10;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    rounds(20, setting("CRASH_SEED").unwrap_or(42));
}

#[test]
#[ignore = "long: `make crash`"]
fn nothing_acknowledged_is_lost_in_thousands_of_kills() {
    rounds(setting("CRASH_ROUNDS").unwrap_or(2_000) as u32, setting("CRASH_SEED").unwrap_or(42));
}

/// A number from the environment.
pub(crate) fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the harness's own: seed and length of a run")]
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}: not a number")))
}

fn rounds(rounds: u32, seed: u64) {
    println!("seed {seed}, {rounds} rounds");
    let begun = Instant::now();
    let mut dice = Dice::new(seed);
    let mut gateway = Gateway::start();
    let mut devices = fleet::known_quick_devices(&gateway, DEVICES);
    let ledger = Ledger::beside(&gateway.data());
    let (mut sealed, mut view) = (Sealed::default(), View::default());
    let mut left = std::collections::VecDeque::new();
    for round in 1..=rounds {
        let waiting: usize = left.iter().map(|parcel: &crate::ledger::Parcel| parcel.values.len()).sum();
        left.extend(sealed.parcels(&mut devices, &mut dice, ON_THEIR_WAY.saturating_sub(waiting)));
        let acknowledged = |values| ledger.acknowledge(values);
        let load = Round::new(&gateway, left, &acknowledged);
        // Log-uniform from 1 ms to 0.7 s.
        let moment = Duration::from_micros((1000.0 * 700f64.powf(dice.below(1000) as f64 / 1000.0)) as u64);
        let pid = gateway.pid().to_string();
        load.send_by(SENDERS, || {
            std::thread::sleep(moment);
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
        });
        left = load.left();
        gateway.kill();
        gateway.restart();
        if round % LOOK == 0 {
            gateway.settle();
            view.look(&gateway);
            println!("round {round}: {} opened, {:?}", view.opened.len(), begun.elapsed());
        }
    }
    let acknowledged = |values| ledger.acknowledge(values);
    let load = Round::new(&gateway, left, &acknowledged);
    load.send_by(SENDERS, || ());
    assert!(load.left().is_empty(), "the server was gone without a kill");
    gateway.settle();
    view.look(&gateway);
    conclude(&mut gateway, &view, &sealed, &ledger.close());
    println!("{rounds} kills, {} envelopes, 0 lost, 0 twice, {:?}", sealed.0.len(), begun.elapsed());
}

/// All was acknowledged in the end: all is there, in the API and in the store, and no number is missing.
fn conclude(gateway: &mut Gateway, view: &View, sealed: &Sealed, acknowledged: &BTreeSet<u32>) {
    let all: BTreeSet<u32> = sealed.0.keys().copied().collect();
    assert!(*acknowledged == all, "{} of {} in the ledger", acknowledged.len(), all.len());
    let shown: BTreeSet<u32> = view.opened.keys().copied().collect();
    assert!(shown == all, "the API shows {} of {}", shown.len(), all.len());
    assert!(view.gaps(gateway).is_empty(), "{:?}", view.gaps(gateway));
    assert_eq!(gateway.terminate(), Some(0));
    let known: Known<'_> = sealed.0.iter().map(|(value, bytes)| (bytes.as_slice(), *value)).collect();
    let audit = audit(&gateway.data(), &known, acknowledged).expect("the store opens");
    audit.assert_clean("after all rounds");
    assert_eq!((audit.counters.pending, audit.counters.opened), (0, all.len() as u64));
    println!("{:?}", audit.counters);
}

/// What a reader of the API saw, who follows the cursor through every crash.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) opened: BTreeMap<u32, String>,
    numbers: BTreeMap<String, BTreeSet<u64>>,
    after: Option<String>,
}

impl View {
    /// Reads on from the last full page, and compares the gaps that are named with the numbers that are missing.
    pub(crate) fn look(&mut self, gateway: &Gateway) {
        loop {
            let after = self.after.as_ref().map_or_else(String::new, |cursor| format!("&after={cursor}"));
            let page = gateway.get(&format!("/v1/messages?limit=1000{after}"));
            page["items"].as_array().unwrap().iter().for_each(|message| self.note(message));
            match page["next"].as_str() {
                Some(next) => self.after = Some(next.to_owned()),
                None => break,
            }
        }
        gateway.assert_conserved();
        let (gaps, missing) = (self.gaps(gateway), self.missing());
        let invented: Vec<_> = gaps.difference(&missing).take(10).collect();
        let unnamed: Vec<_> = missing.difference(&gaps).take(10).collect();
        assert!(gaps == missing, "invented: {invented:?}, not named: {unnamed:?}");
    }

    fn note(&mut self, message: &Value) {
        let value = message["readings"][0]["value"].as_f64().expect("a value") as u32;
        let id = message["id"].as_str().unwrap().to_owned();
        let number = message["proof"]["sequence"].as_u64().expect("a number");
        let known = self.opened.entry(value).or_insert_with(|| id.clone());
        assert_eq!(*known, id, "{value} opened twice");
        self.numbers.entry(message["device"].as_str().unwrap().to_owned()).or_default().insert(number);
    }

    /// Numbers below the highest that did not open, by device.
    fn missing(&self) -> BTreeSet<(String, u64)> {
        let missing = |(device, numbers): (&String, &BTreeSet<u64>)| {
            let (first, last) = (*numbers.first().unwrap(), *numbers.last().unwrap());
            let holes: Vec<u64> = (first..last).filter(|number| !numbers.contains(number)).collect();
            holes.into_iter().map(|number| (device.clone(), number)).collect::<Vec<_>>()
        };
        self.numbers.iter().flat_map(missing).collect()
    }

    /// Numbers that the gateway names as missing.
    pub(crate) fn gaps(&self, gateway: &Gateway) -> BTreeSet<(String, u64)> {
        let gaps = |device: &String| {
            let answer = gateway.get(&format!("/v1/devices/{device}/gaps"));
            let gaps = answer["items"].as_array().or(answer.as_array()).unwrap_or_else(|| panic!("{answer}")).clone();
            let span = |gap: &Value| gap["from"].as_u64().unwrap()..=gap["to"].as_u64().unwrap();
            gaps.iter().flat_map(span).map(|number| (device.clone(), number)).collect::<Vec<_>>()
        };
        self.numbers.keys().flat_map(gaps).collect()
    }
}
