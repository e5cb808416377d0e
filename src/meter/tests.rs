//! What a scrape says after what was committed.

use std::sync::Arc;
use std::time::Duration;

use crate::item::{Format, Reason, Verdict};
use crate::meter::{Meter, State};
use crate::store::reader::{Counters, RelayCounters};
use crate::store::{Commit, Conclusion, Observer};

fn conclusion(verdict: Verdict, reason: Option<Reason>, gap: bool) -> Conclusion {
    Conclusion {
        relay: Arc::from("acme"),
        verdict,
        reason,
        format: Some(Format::Cose),
        open_time: Duration::from_micros(70),
        visible_after: Duration::from_millis(3),
        gap,
    }
}

fn commit() -> Commit {
    Commit {
        duration: Duration::from_millis(1),
        jobs: 2,
        taken: vec![(Arc::from("acme"), 3)],
        concluded: vec![
            conclusion(Verdict::Opened, None, true),
            conclusion(Verdict::Refused, Some(Reason::AuthFailed), false),
            conclusion(Verdict::Held, Some(Reason::NoKey), false),
        ],
    }
}

fn meter() -> (tempfile::TempDir, Meter) {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("store.db"), [0; 4096]).unwrap();
    let meter = Meter::new(data.path()).unwrap();
    (data, meter)
}

#[track_caller]
fn says(text: &str, line: &str) {
    assert!(text.lines().any(|said| said == line), "no line {line:?} in\n{text}");
}

#[test]
fn counts_what_was_committed() {
    let (_data, meter) = meter();
    meter.committed(&commit());
    meter.answered(Duration::from_millis(2));
    let text = meter.render(None);
    says(&text, r#"paperknife_received_total{relay="acme"} 3"#);
    says(&text, r#"paperknife_items_total{relay="acme",verdict="opened"} 1"#);
    says(&text, r#"paperknife_items_total{relay="acme",verdict="held"} 1"#);
    says(&text, r#"paperknife_refused_total{relay="acme",reason="auth_failed"} 1"#);
    says(&text, "paperknife_gaps_total 1");
    says(&text, "paperknife_commit_batch_size_sum 2");
    says(&text, "paperknife_ingest_seconds_count 1");
    says(&text, r#"paperknife_ingest_seconds_bucket{le="0.0025"} 1"#);
    says(&text, "paperknife_visible_seconds_count 3");
    says(&text, r#"paperknife_open_seconds_count{format="cose"} 3"#);
    assert!(!text.contains(r#"reason="no_key""#), "held is not refused");
}

#[test]
fn shows_the_state_of_the_store_and_keeps_it_while_the_store_is_silent() {
    let (_data, meter) = meter();
    let total = RelayCounters { received: 9, pending: 4, held: 5, ..RelayCounters::default() };
    let oldest_pending = Some(crate::item::Timestamp::from_millis(1_000));
    let counters = Counters { relays: Vec::new(), total, oldest_pending, conservation_error: 0 };
    let shown = meter.render(Some(&State { counters: &counters, silent: 2, queues: &[], now_ms: 3_500 }));
    for text in [shown, meter.render(None)] {
        says(&text, "paperknife_pending 4");
        says(&text, "paperknife_pending_age_seconds 2.5");
        says(&text, "paperknife_held 5");
        says(&text, "paperknife_conservation_error 0");
        says(&text, "paperknife_devices_silent 2");
        says(&text, r#"paperknife_store_bytes{file="store.db"} 4096"#);
    }
}

#[test]
fn two_meters_do_not_meet() {
    let ((_a, first), (_b, second)) = (meter(), meter());
    first.committed(&commit());
    assert!(!second.render(None).contains("paperknife_received_total{"));
}

#[test]
fn samples_that_no_scrape_fetches_are_swept() {
    let (_data, meter) = meter();
    (0..6_000).for_each(|_| meter.committed(&commit()));
    assert!(meter.unswept.load(std::sync::atomic::Ordering::Relaxed) <= super::SWEEP_AFTER + 8);
    says(&meter.render(None), "paperknife_commit_seconds_count 6000");
}

#[test]
fn the_process_tells_what_it_costs() {
    let text = meter().1.render(None);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.parse::<f64>().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_start_time_seconds") > 1.6e9);
}
