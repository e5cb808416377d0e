//! The store as its three handles show it. What needs the writer's own hands is tested beside it.

mod accounts;
mod checksums;
mod conservation;
mod cycle;
mod house;
mod once;
mod order;
mod outbox;
mod questions;
mod upkeep;
