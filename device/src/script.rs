//! Randomness for tests: what a test has written, then counting bytes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::vec::Vec;

use rand_core::{TryCryptoRng, TryRng};

/// Gives out written bytes, then counting ones.
pub(crate) struct Script {
    written: VecDeque<u8>,
    counter: u8,
}

impl Script {
    pub(crate) fn of(parts: &[Vec<u8>]) -> Self {
        Self { written: parts.concat().into(), counter: 1 }
    }

    pub(crate) fn endless() -> Self {
        Self::of(&[])
    }

    pub(crate) fn left(&self) -> usize {
        self.written.len()
    }
}

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.counter = self.counter.wrapping_add(37);
            *byte = self.written.pop_front().unwrap_or(self.counter);
        }
        Ok(())
    }
}

impl TryCryptoRng for Script {}
