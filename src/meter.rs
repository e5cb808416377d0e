//! The metrics: an observer that the store's writer calls after COMMIT, so that what is counted is what is on disk.
//! Timings travel in what was committed; nothing on the way measures for itself.
//!
//! May import the metrics crate and `store` (what was committed, and the counters). Nothing here is global: a meter has
//! its own recorder, and two of them in one process do not meet.

mod process;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, gauge, histogram, with_local_recorder};
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
    gaps: Counter,
    unswept: AtomicUsize,
}

impl Meter {
    /// A meter that stands at zero.
    ///
    /// # Errors
    /// Where a histogram's buckets are not taken.
    pub fn new() -> Result<Self, BuildError> {
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
        Ok(Self { recorder, handle, ingest, commit, batch, visible, gaps, unswept: AtomicUsize::new(0) })
    }

    /// A delivery was answered.
    pub fn answered(&self, after: Duration) {
        self.ingest.record(after);
    }

    /// Everything as Prometheus text. `counters` are the store's, read now; none where it does not answer: then the
    /// gauges keep their last values.
    pub fn render(&self, counters: Option<&Counters>) -> String {
        if let Some(counters) = counters {
            with_local_recorder(&self.recorder, || state(counters));
        }
        self.handle.render() + &process::render()
    }

    fn conclude(&self, conclusion: &Conclusion) {
        let relay = conclusion.relay.to_string();
        counter!("paperknife_items_total", "relay" => relay.clone(), "verdict" => conclusion.verdict.as_str()).increment(1);
        if let Some(reason) = conclusion.reason.filter(|_| conclusion.verdict == crate::item::Verdict::Refused) {
            counter!("paperknife_refused_total", "relay" => relay, "reason" => reason.as_str()).increment(1);
        }
        let format = conclusion.format.map_or("none", crate::item::Format::as_str);
        histogram!("paperknife_open_seconds", "format" => format).record(conclusion.open_time);
        self.visible.record(conclusion.visible_after);
        self.gaps.increment(u64::from(conclusion.gap));
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
            for conclusion in &commit.concluded {
                self.conclude(conclusion);
            }
        });
        self.sweep(commit.jobs + 2 * commit.concluded.len());
    }
}

const SECONDS: [f64; 14] =
    [0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.25, 1.0, 10.0];
const JOBS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
