//! One integration binary, a module a subject.

mod audit;
mod crash;
mod demo;
mod fleet;
mod gateway;
mod hostile;
mod keys;
mod ledger;
mod peers;
mod profile;
mod relay;
mod tidy;
mod vectors;
mod wire;
