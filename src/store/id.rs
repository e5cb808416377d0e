//! Identifiers that are also places: the upper half of a UUIDv7 (RFC 9562 §5.7) is a row number that grows in the
//! order of commits, the lower half tells it apart from any other.
//!
//! Imports `item` and uuid.

use uuid::{NoContext, Uuid};

use crate::item::Timestamp;

/// A counter beside the millisecond: 4,096 identifiers before the next one is used in advance.
const COUNTER_BITS: u32 = 12;
/// 48 bits of milliseconds.
const LAST_MILLIS: i64 = (1 << 48) - 1;
/// What the variant leaves of the lower half.
const TAIL: u64 = (1 << 62) - 1;

/// A UUIDv7 in two halves that fit SQLite's integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Id {
    /// Milliseconds and counter: the row number.
    pub(in crate::store) ordinal: i64,
    /// 62 bits.
    pub(in crate::store) tail: i64,
}

impl Id {
    /// With a tail of random bits.
    pub(in crate::store) fn random(ordinal: i64) -> Self {
        let drawn = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, 0, 0)).as_u64_pair().1;
        Self { ordinal, tail: (drawn & TAIL).cast_signed() }
    }

    /// A message's: its tail is of its identity, so that the identity alone, which outlives the message, names it.
    pub(in crate::store) fn of_message(ordinal: i64, identity: &[u8; 16]) -> Self {
        let mut half = [0; 8];
        half.copy_from_slice(&identity[..8]);
        Self { ordinal, tail: (u64::from_be_bytes(half) & TAIL).cast_signed() }
    }

    /// Takes a UUID apart; none where it is not of version 7.
    pub(in crate::store) fn parse(uuid: Uuid) -> Option<Self> {
        let (high, low) = uuid.as_u64_pair();
        let id = Self {
            ordinal: (high >> 16 << COUNTER_BITS | high & 0xfff).cast_signed(),
            tail: (low & TAIL).cast_signed(),
        };
        (id.uuid() == uuid).then_some(id)
    }

    /// As the world sees it.
    pub(in crate::store) const fn uuid(self) -> Uuid {
        let ordinal = self.ordinal.cast_unsigned();
        let high = ordinal >> COUNTER_BITS << 16 | 0x7000 | ordinal & 0xfff;
        Uuid::from_u64_pair(high, 1 << 63 | self.tail.cast_unsigned())
    }
}

/// The lowest row number that can be given at or after `time`. What is concluded never has a number below that of its
/// delivery, so this bounds a search by `received_at` even where the clock went back.
pub(in crate::store) fn floor(time: Timestamp) -> i64 {
    time.millis().clamp(0, LAST_MILLIS) << COUNTER_BITS
}

/// Gives row numbers that only grow, whatever the clock does.
pub(in crate::store) struct Ordinals {
    last: i64,
}

impl Ordinals {
    /// Continues after `last`.
    pub(in crate::store) const fn after(last: i64) -> Self {
        Self { last }
    }

    /// The highest given.
    pub(in crate::store) const fn last(&self) -> i64 {
        self.last
    }

    /// The next one.
    pub(in crate::store) fn next(&mut self, now: Timestamp) -> i64 {
        self.last = floor(now).max(self.last + 1);
        self.last
    }
}

#[cfg(test)]
mod tests;
