//! One integration binary, a module a subject.

mod administration;
mod crash;
mod demo;
mod fleet;
mod gateway;
mod hostile;
mod keys;
mod peers;
mod profile;
mod relay;
mod tidy;
mod vectors;
