//! When a delivery is tried again: the delays of Standard Webhooks with ±20 % of jitter, or later where the receiver
//! asks for it. Pure.
//!
//! May import std, `item` and httpdate.

use std::time::{Duration, UNIX_EPOCH};

use crate::item::Timestamp;

/// Longest wait that a receiver can ask for.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// 75 h 35 m 5 s in all.
const DELAYS_S: [u64; 10] =
    [0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// Delays before the attempts; as many attempts as there are delays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

impl Default for Schedule {
    fn default() -> Self {
        Self(DELAYS_S.map(Duration::from_secs).to_vec())
    }
}

impl Schedule {
    /// None without a single attempt.
    pub fn new(delays: Vec<Duration>) -> Option<Self> {
        (!delays.is_empty()).then_some(Self(delays))
    }

    /// How long to wait after that many failed attempts; none where the last was made. `chance` is any number.
    pub fn wait(&self, failed: u32, retry_after: Option<Duration>, chance: u32) -> Option<Duration> {
        let delay = self.0.get(usize::try_from(failed).ok()?)?;
        let asked = retry_after.unwrap_or_default().min(MAX_WAIT);
        Some(jittered(*delay, chance).max(asked))
    }
}

/// ±20 %: endpoints that failed together are not asked again together.
fn jittered(delay: Duration, chance: u32) -> Duration {
    delay.mul_f64(0.8 + 0.4 * f64::from(chance) / f64::from(u32::MAX))
}

/// A `Retry-After` (RFC 9110 §10.2.3): seconds or a date; at most a day.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(MAX_WAIT, Duration::from_secs).min(MAX_WAIT));
    }
    let then = httpdate::parse_http_date(value).ok()?;
    let now = UNIX_EPOCH + Duration::from_millis(now.millis().try_into().ok()?);
    Some(then.duration_since(now).unwrap_or_default().min(MAX_WAIT))
}

/// The Unix seconds of an instant: the `webhook-timestamp`.
pub fn unix_seconds(at: Timestamp) -> i64 {
    at.millis().div_euclid(1000)
}

#[cfg(test)]
mod tests;
