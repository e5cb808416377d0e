//! Command line.

pub mod payload;
pub mod relays_test;
