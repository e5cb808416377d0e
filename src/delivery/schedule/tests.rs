//! Delays and what receivers ask for.

use std::time::Duration;

use proptest::prelude::*;

use super::{Schedule, retry_after};
use crate::item::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_790_856_000); // Thu, 01 Oct 2026 12:00:00 GMT

#[test]
fn the_delays_are_those_of_standard_webhooks() {
    let schedule = Schedule::default();
    // The middle of the jitter.
    let waits: Vec<_> = (0..).map_while(|failed| schedule.wait(failed, None, u32::MAX / 2)).collect();
    let total: f64 = waits.iter().map(Duration::as_secs_f64).sum();
    assert_eq!(waits.len(), 10);
    assert!((total - f64::from(75 * 3600 + 35 * 60 + 5)).abs() < 1.0, "{total}");
    assert_eq!(schedule.wait(10, Some(Duration::from_secs(5)), 0), None, "no attempt after the last");
}

proptest! {
    #[test]
    fn jitter_stays_within_a_fifth(failed in 0u32..10, chance: u32) {
        let schedule = Schedule::default();
        let middle = schedule.wait(failed, None, u32::MAX / 2).unwrap().as_secs_f64();
        let wait = schedule.wait(failed, None, chance).unwrap().as_secs_f64();
        prop_assert!(wait >= middle * 0.799 && wait <= middle * 1.201, "{wait} of {middle}");
    }

    #[test]
    fn nothing_that_a_receiver_asks_for_panics_or_waits_longer_than_a_day(value in ".{0,40}") {
        prop_assert!(retry_after(&value, NOW).is_none_or(|wait| wait <= Duration::from_secs(86_400)));
    }
}

#[test]
fn a_receiver_may_ask_for_more_time_in_seconds_or_by_date() {
    let rows = [
        ("120", Some(120)),
        (" 120 ", Some(120)),
        ("0", Some(0)),
        ("999999", Some(86_400)),
        ("99999999999999999999999", Some(86_400)),
        ("Thu, 01 Oct 2026 12:01:00 GMT", Some(60)),
        ("Thu, 01 Oct 2026 11:00:00 GMT", Some(0)),
        ("Fri, 01 Oct 2027 12:00:00 GMT", Some(86_400)),
        ("soon", None),
        ("-5", None),
        ("", None),
    ];
    for (value, expected) in rows {
        assert_eq!(retry_after(value, NOW), expected.map(Duration::from_secs), "{value:?}");
    }
    let schedule = Schedule::default();
    assert_eq!(schedule.wait(1, Some(Duration::from_secs(600)), 0), Some(Duration::from_secs(600)));
    assert_eq!(schedule.wait(9, Some(Duration::from_secs(1)), 0), Some(Duration::from_secs(86_400).mul_f64(0.8)));
}
