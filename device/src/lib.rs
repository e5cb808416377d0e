//! The other end: what runs in a device and seals its readings (profile `paperknife-1`, shapes S, G and P), so that the
//! relays that carry them learn nothing and can change nothing unseen.
//!
//! The core is `no_std` with `alloc`: no clock, no file, no randomness of its own; all three are arguments. Feature `std`
//! adds what an operating system offers (a counter in a file, key sets as JSON), feature `cli` the binary.
//!
//! In the order of the data:
//! - [`key`]: a device's keys and the gateway's public key; private bytes go in and never come out.
//! - [`sequence`]: the numbers of messages, stored before they are used, and [`device`], which draws them.
//! - [`senml`]: readings as SenML, CBOR or JSON.
//! - [`seal`]: reading, keys and number to sealed bytes. Beneath it `binding` (what both sides know and nobody sends),
//!   `header` (maps in shortest form), `kdf`, `aead` and `cbor`.
//! - `cose` (feature `cose-full`), `jose` and `cms` (features of the same names): every other shape of COSE; any JWE, JWS
//!   and CMS, and the profile's shapes in them. Beneath them `primitive`: keys of every type, and what is done with them.
//! - [`format`]: their names.
//! - [`key_set`], [`provision`] (feature `std`): key sets for both sides, and whole fleets of new devices.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod aead;
pub mod algorithm;
mod binding;
mod cbor;
#[cfg(feature = "cms")]
pub mod cms;
#[cfg(feature = "cose-full")]
pub mod cose;
pub mod device;
pub mod error;
pub mod format;
pub mod header;
#[cfg(feature = "jose")]
pub mod jose;
mod kdf;
pub mod key;
#[cfg(feature = "std")]
pub mod key_set;
#[cfg(feature = "primitives")]
#[cfg_attr(
    not(all(feature = "cms", feature = "cose-full", feature = "jose")),
    allow(dead_code, reason = "each format takes its part of it")
)]
pub mod primitive;
#[cfg(feature = "std")]
pub mod provision;
#[cfg(test)]
mod script;
pub mod seal;
pub mod senml;
pub mod sequence;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
