//! One integration binary, a module a subject.

mod audit;
mod crash;
mod demo;
mod disk;
#[cfg(feature = "failpoints")]
mod faults;
mod fleet;
mod gateway;
mod hostile;
mod keys;
mod ledger;
mod peers;
mod powercut;
mod profile;
mod relay;
mod strain;
mod tidy;
mod vectors;
mod wire;
