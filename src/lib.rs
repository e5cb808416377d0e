//! Paperknife: opens what devices sealed, behind a relay that is not trusted. The rooms, in the order of the data:
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod envelope;
pub mod guard;
pub mod item;
pub mod listen;
pub mod meter;
pub mod open;
pub mod opening;
pub mod payload;
pub mod problem;
pub mod relay;
pub mod store;
