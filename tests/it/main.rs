//! One integration binary, a module a subject.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panic, and says what it skipped, measured or was seeded with"
)]

mod administration;
mod analysts;
mod audit;
mod backup;
mod certificates;
mod crash;
mod demo;
mod disk;
mod edge;
mod explain;
#[cfg(feature = "failpoints")]
mod faults;
mod fleet;
mod gateway;
mod hostile;
mod image;
mod keys;
mod ledger;
mod peers;
mod powercut;
mod profile;
mod relay;
mod schema;
mod strain;
mod threats;
mod tidy;
mod timing;
mod vectors;
mod webhooks;
mod wire;
