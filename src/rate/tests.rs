//! Buckets empty, fill and stay apart.

use std::time::Duration;

use proptest::prelude::{prop_assert, proptest};

use super::Rate;

const SECOND: Duration = Duration::from_secs(1);

fn let_through(rate: &Rate, asker: u32, times: u32, now: Duration) -> u32 {
    (0..times).map(|_| u32::from(rate.spend_at(asker, now).is_ok())).sum()
}

#[test]
fn a_burst_is_let_through_and_then_the_rate() {
    let rate = Rate::new(10, 30).unwrap();
    assert_eq!(let_through(&rate, 1, 100, SECOND), 30);
    assert_eq!(rate.spend_at(1_u32, SECOND), Err(Duration::from_millis(100)));
    assert_eq!(let_through(&rate, 1, 100, SECOND * 2), 10);
    assert_eq!(let_through(&rate, 1, 100, SECOND * 100), 30, "no more is saved up than a burst");
}

#[test]
fn one_asker_takes_nothing_from_another() {
    let rate = Rate::new(1, 5).unwrap();
    assert_eq!(let_through(&rate, 1, 100, SECOND), 5);
    // Two askers may share a word by chance (1 in 8192); not twenty in a row.
    assert!((2..22).any(|asker| let_through(&rate, asker, 5, SECOND) == 5));
}

#[test]
fn nothing_is_limited_without_a_rate() {
    assert!(Rate::new(0, 10).is_none());
}

proptest! {
    #[test]
    fn never_more_than_burst_and_rate(steps in proptest::collection::vec(0_u64..500, 1..200)) {
        let rate = Rate::new(20, 10).unwrap();
        let (mut now, mut passed) = (0, 0);
        for step in steps {
            now += step;
            passed += let_through(&rate, 7, 1, Duration::from_millis(now));
            prop_assert!(u64::from(passed) <= 10 + now * 20 / 1000, "{passed} after {now} ms");
        }
    }
}
