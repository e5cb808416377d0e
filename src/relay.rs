//! A delivery: authenticate the relay, limit it, find its items, take, answer.

pub mod profiles;
