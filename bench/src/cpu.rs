//! Processor time: of this process, in batches, and of another one.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Failed;

/// User and system time of this process so far.
pub(crate) fn of_this_process() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Processor time that `work` takes, and what it gives.
pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = of_this_process();
    let done = work();
    (of_this_process() - begun, done)
}

/// User and system time of another process so far (proc(5), fields 14 and 15 of `stat`).
pub(crate) fn of_process(id: u32) -> Result<Duration, Failed> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).map_err(Failed::of)?;
    // The name of the command may hold anything; it ends with the last parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Resident memory of another process, bytes.
pub(crate) fn memory_of(id: u32) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).map_err(Failed::of)?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| Failed("no VmRSS".to_owned()))
}

/// Microseconds an item, sorted: the minimum is what the work costs, the median what it cost today.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Adds a batch of `items`.
    pub(crate) fn add(&mut self, time: Duration, items: usize) {
        self.0.push(time.as_secs_f64() * 1e6 / items as f64);
        self.0.sort_by(f64::total_cmp);
    }

    /// The least.
    pub(crate) fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
