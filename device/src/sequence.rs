//! Sequence numbers: stored before they are used, so that no crash makes a device use one twice (profile.md §6).
//!
//! A number that seals two messages repeats an AEAD nonce, which gives away both plaintexts and the key's integrity.
//! Hence the order: store `n + K`, then use `n … n + K − 1`; after a reboot go on at the stored value. Up to K numbers are
//! skipped by a crash, and show as a gap at the gateway.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt::Write;

use crate::error::SealError;
use crate::key::{Kid, KidContext};

/// Where the counters end: at this number a new kid context or key is due.
pub const LIMIT: u64 = (1 << 40) - 1;

/// Keeps counters across restarts.
pub trait Storage {
    /// The value kept for a counter; none where it was never stored. A value that cannot be read is an error, never none.
    fn load(&mut self, counter: &str) -> Result<Option<u64>, SealError>;

    /// Keeps a counter's value; returns only when it outlives a loss of power.
    fn store(&mut self, counter: &str, next: u64) -> Result<(), SealError>;
}

/// Counters in memory: for tests, and for a device that takes a new kid context at each boot.
#[derive(Clone, Debug, Default)]
pub struct Memory(BTreeMap<String, u64>);

/// One counter: the numbers of one kid and kid context, whatever the algorithm.
#[derive(Debug)]
pub struct Sequence {
    counter: String,
    next: u64,
    stored: u64,
    block: u64,
}

/// A sequence number, drawn once and used once: only a [`Sequence`] makes one, sealing consumes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Number(u64);

impl Memory {
    /// Counters that go on at given values, by their names ([`counter_name`]).
    pub fn starting_at(counters: impl IntoIterator<Item = (String, u64)>) -> Self {
        Self(counters.into_iter().collect())
    }
}

impl Storage for Memory {
    fn load(&mut self, counter: &str) -> Result<Option<u64>, SealError> {
        Ok(self.0.get(counter).copied())
    }

    fn store(&mut self, counter: &str, next: u64) -> Result<(), SealError> {
        self.0.insert(String::from(counter), next);
        Ok(())
    }
}

impl Sequence {
    /// Goes on where the storage says, else at 0. `block` numbers (at least 1; 16 to 256 recommended) are reserved at once.
    pub fn resume<S: Storage>(
        storage: &mut S,
        kid: &Kid,
        kid_context: Option<&KidContext>,
        block: u64,
    ) -> Result<Self, SealError> {
        let counter = counter_name(kid, kid_context);
        let next = storage.load(&counter)?.unwrap_or(0);
        Ok(Self { counter, next, stored: next, block: block.max(1) })
    }

    /// The number that comes next.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Draws the next number, storing first where none is reserved.
    pub fn draw<S: Storage>(&mut self, storage: &mut S) -> Result<Number, SealError> {
        self.draw_from(storage, self.next)
    }

    /// Draws `number`, or the next where that is higher: keeps two counters in step.
    pub fn draw_from<S: Storage>(&mut self, storage: &mut S, number: u64) -> Result<Number, SealError> {
        let number = number.max(self.next);
        if number >= LIMIT {
            return Err(SealError::Exhausted);
        }
        if number >= self.stored {
            let reserved = number.saturating_add(self.block).min(LIMIT);
            storage.store(&self.counter, reserved)?;
            self.stored = reserved;
        }
        self.next = number + 1;
        Ok(Number(number))
    }
}

impl Number {
    /// Its value.
    pub const fn value(&self) -> u64 {
        self.0
    }

    /// Its value, and nothing left to seal a second message with.
    pub(crate) const fn spend(self) -> u64 {
        self.0
    }
}

/// A counter's name in the storage: kid in hex, and after a point the kid context where there is one.
pub fn counter_name(kid: &Kid, kid_context: Option<&KidContext>) -> String {
    let mut name = String::new();
    push_hex(&mut name, kid.as_bytes());
    if let Some(context) = kid_context {
        name.push('.');
        push_hex(&mut name, context.as_bytes());
    }
    name
}

#[expect(clippy::expect_used, reason = "a string takes every write")]
fn push_hex(name: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(name, "{byte:02x}").expect("a string takes every write");
    }
}

#[cfg(feature = "std")]
pub mod file;
#[cfg(test)]
mod tests;
