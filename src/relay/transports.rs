//! Ways in which a relay hands over: each acknowledges only after the take. HTTP first; streams and brokers follow.
//!
//! May import what `relay` may.

pub mod http;
