//! The metrics: an observer that the store's writer calls after COMMIT, so that what is counted is what is on disk.
//! Timings travel in what was committed; nothing on the way measures for itself.
//!
//! May import the metrics crate and `store` (what was committed, and the counters). Nothing here is global: a meter has
//! its own recorder, and two of them in one process do not meet.

mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::store::reader::Counters;
use crate::store::{Commit, Conclusion, Observer};

/// Counts and times what the gateway does; renders it as Prometheus text.
pub struct Meter {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    ingest: Histogram,
    commit: Histogram,
    batch: Histogram,
    visible: Histogram,
    /// By format, those of [`FORMATS`].
    open: [Histogram; FORMATS.len()],
    gaps: Counter,
    unswept: AtomicUsize,
    data: PathBuf,
}

/// What the store says of now.
pub struct State<'a> {
    /// The counters of all relays.
    pub counters: &'a Counters,
    /// Devices that were not heard for longer than their policy allows.
    pub silent: u64,
    /// Now, milliseconds since the epoch.
    pub now_ms: i64,
}

impl Meter {
    /// A meter that stands at zero; the files whose size it tells are in `data`.
    ///
    /// # Errors
    /// Where a histogram's buckets are not taken.
    pub fn new(data: &Path) -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)?
            .set_buckets_for_metric(Matcher::Full("paperknife_commit_batch_size".into()), &JOBS)?
            .build_recorder();
        let handle = recorder.handle();
        let [ingest, commit, batch, visible] = with_local_recorder(&recorder, || {
            describe();
            [
                histogram!("paperknife_ingest_seconds"),
                histogram!("paperknife_commit_seconds"),
                histogram!("paperknife_commit_batch_size"),
                histogram!("paperknife_visible_seconds"),
            ]
        });
        let gaps = with_local_recorder(&recorder, || counter!("paperknife_gaps_total"));
        let open = with_local_recorder(&recorder, || {
            FORMATS.map(|format| histogram!("paperknife_open_seconds", "format" => format))
        });
        let (unswept, data) = (AtomicUsize::new(0), data.to_owned());
        Ok(Self { recorder, handle, ingest, commit, batch, visible, open, gaps, unswept, data })
    }

    /// A delivery was answered.
    pub fn answered(&self, after: Duration) {
        self.ingest.record(after);
    }

    /// Everything as Prometheus text. Where the store does not answer there is no state, and the gauges keep their last
    /// values.
    pub fn render(&self, state: Option<&State<'_>>) -> String {
        with_local_recorder(&self.recorder, || {
            state.into_iter().for_each(show);
            self.show_files();
        });
        self.handle.render() + &process::render()
    }

    fn show_files(&self) {
        for file in FILES {
            let bytes = std::fs::metadata(self.data.join(file)).map_or(0, |metadata| metadata.len());
            gauge!("paperknife_store_bytes", "file" => file).set(bytes as f64);
        }
    }

    /// Verdicts are counted by what they have in common: finding a counter by its labels costs more than adding to it.
    fn conclude(&self, concluded: &[Conclusion]) {
        let mut alike: BTreeMap<(&str, &'static str, Option<&'static str>), u64> = BTreeMap::new();
        for conclusion in concluded {
            let verdict = conclusion.verdict.as_str();
            let reason = conclusion.reason.filter(|_| verdict == "refused").map(|reason| reason.as_str());
            *alike.entry((&conclusion.relay, verdict, reason)).or_default() += 1;
            let format = conclusion.format.map_or("none", |format| format.as_str());
            let open = FORMATS.iter().zip(&self.open).find(|(name, _)| **name == format);
            open.into_iter().for_each(|(_, histogram)| histogram.record(conclusion.open_time));
            self.visible.record(conclusion.visible_after);
            self.gaps.increment(u64::from(conclusion.gap));
        }
        for ((relay, verdict, reason), count) in alike {
            counter!("paperknife_items_total", "relay" => relay.to_owned(), "verdict" => verdict).increment(count);
            if let Some(reason) = reason {
                counter!("paperknife_refused_total", "relay" => relay.to_owned(), "reason" => reason).increment(count);
            }
        }
    }

    /// Histograms keep each sample until they are swept into their buckets; a scrape sweeps, but none may ever come.
    fn sweep(&self, samples: usize) {
        if self.unswept.fetch_add(samples, Ordering::Relaxed) > SWEEP_AFTER {
            self.unswept.store(0, Ordering::Relaxed);
            self.handle.run_upkeep();
        }
    }
}

/// Samples that may lie unswept: some hundred kilobytes.
const SWEEP_AFTER: usize = 10_000;

impl Observer for Meter {
    fn committed(&self, commit: &Commit) {
        self.commit.record(commit.duration);
        self.batch.record(commit.jobs as f64);
        with_local_recorder(&self.recorder, || {
            for (relay, items) in &commit.taken {
                counter!("paperknife_received_total", "relay" => relay.to_string()).increment(*items);
            }
            self.conclude(&commit.concluded);
        });
        self.sweep(commit.jobs + 2 * commit.concluded.len());
    }
}

/// From an in-memory opening to a store that struggles.
const SECONDS: [f64; 14] =
    [0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.25, 1.0, 10.0];
/// The writer takes at most 512 jobs at once.
const JOBS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// What opening times are told apart by: the formats, and items of none.
const FORMATS: [&str; 4] = ["cms", "cose", "jose", "none"];

/// A write-ahead log that does not shrink shows a reader that does not let go.
const FILES: [&str; 4] = ["store.db", "store.db-wal", "keystore.db", "keystore.db-wal"];

fn show(state: &State<'_>) {
    let Counters { total, oldest_pending, conservation_error, .. } = state.counters;
    let age_ms = oldest_pending.map_or(0, |oldest| (state.now_ms - oldest.millis()).max(0));
    gauge!("paperknife_pending").set(total.pending as f64);
    gauge!("paperknife_pending_age_seconds").set(age_ms as f64 / 1000.0);
    gauge!("paperknife_held").set(total.held as f64);
    gauge!("paperknife_conservation_error").set(*conservation_error as f64);
    gauge!("paperknife_devices_silent").set(state.silent as f64);
}

fn describe() {
    describe_counter!("paperknife_received_total", "Items taken, by relay");
    describe_counter!("paperknife_items_total", "Items concluded, by relay and verdict");
    describe_counter!("paperknife_refused_total", "Items refused, by relay and reason");
    describe_counter!("paperknife_gaps_total", "Messages that showed a gap before them");
    describe_histogram!("paperknife_ingest_seconds", "From a delivery's request to its receipt");
    describe_histogram!("paperknife_commit_seconds", "One transaction of the commit cycle");
    describe_histogram!("paperknife_commit_batch_size", "Deliveries and findings in one transaction");
    describe_histogram!("paperknife_open_seconds", "Opening one item, by format");
    describe_histogram!("paperknife_visible_seconds", "From a receipt to the verdict on its item");
    describe_gauge!("paperknife_pending", "Items taken and not concluded");
    describe_gauge!("paperknife_pending_age_seconds", "Age of the oldest of them");
    describe_gauge!("paperknife_held", "Items that wait for a key, or for us");
    describe_gauge!("paperknife_conservation_error", "Items that the counters miss or have twice: 0, always");
    describe_gauge!("paperknife_devices_silent", "Devices not heard for longer than their policy allows");
    describe_gauge!("paperknife_store_bytes", "Size of the store's files");
}

#[cfg(test)]
mod tests;
