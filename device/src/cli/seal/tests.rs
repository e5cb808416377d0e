//! Times as an operator writes them.

use super::parse_time;

#[test]
fn a_time_is_seconds_or_rfc_3339_or_now() {
    assert_eq!(parse_time("1767225600"), Ok(1_767_225_600));
    assert_eq!(parse_time("2026-01-01T00:00:00Z"), Ok(1_767_225_600));
    assert!(parse_time("now").is_ok_and(|now| now > 1_700_000_000));
    assert!(parse_time("1969-12-31T23:59:59Z").is_err());
    assert!(parse_time("yesterday").is_err());
}
