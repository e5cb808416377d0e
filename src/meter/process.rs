//! What the process costs, under the names that Prometheus clients use. Reads `/proc/self`; where there is none, these
//! metrics are absent. Imports std alone.

use std::fmt::Write;
use std::fs;

/// Clock ticks a second in `/proc` (USER_HZ), the same on every Linux that we run on.
const TICKS: f64 = 100.0;

/// The process metrics as Prometheus text.
pub(super) fn render() -> String {
    let mut text = String::new();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = fields(&stat);
    let ticks = |nth: usize| fields.get(nth).and_then(|field| field.parse::<f64>().ok());
    let cpu = ticks(UTIME).zip(ticks(STIME)).map(|(user, system)| (user + system) / TICKS);
    metric(&mut text, "process_cpu_seconds_total", "counter", cpu);
    metric(
        &mut text,
        "process_start_time_seconds",
        "gauge",
        boot().zip(ticks(START)).map(|(boot, at)| boot + at / TICKS),
    );
    metric(&mut text, "process_resident_memory_bytes", "gauge", resident());
    metric(&mut text, "process_open_fds", "gauge", fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count() as f64));
    text
}

/// Places after the command's closing parenthesis (proc_pid_stat(5): utime is 14th, stime 15th, starttime 22nd).
const UTIME: usize = 11;
const STIME: usize = 12;
const START: usize = 19;

/// The fields after the command, which may itself hold spaces and parentheses.
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default()
}

/// When the machine started, seconds since the epoch.
fn boot() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn metric(text: &mut String, name: &str, kind: &str, value: Option<f64>) {
    if let Some(value) = value {
        // Writing to a String does not fail.
        let _ = write!(text, "# TYPE {name} {kind}\n{name} {value}\n\n");
    }
}
