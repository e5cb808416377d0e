//! The set of sequence numbers that a counter has seen: runs of numbers. Holes are the gaps, membership is the replay
//! check, nothing is ever forgotten (profile.md §6).
//!
//! Imports std alone and `item::Span`: the store keeps these sets and reads what an insertion did from here.

use crate::item::Span;

/// Runs of numbers, ascending, disjoint, never adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Span>);

/// What inserting a number did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// First of its counter.
    First,
    /// The number after the highest.
    Next,
    /// Beyond the next: the hole that it leaves open.
    Ahead {
        /// Numbers now missing.
        gap: Span,
    },
    /// Inside a hole.
    Filled {
        /// What is no longer missing.
        filled: Span,
        /// What stays missing of that hole: below the number, then above.
        left: Vec<Span>,
    },
    /// Below everything seen.
    Below,
    /// Already there; nothing changed.
    Present,
}

impl Ranges {
    /// The runs.
    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Whether nothing was seen yet.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `number` was seen.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|span| span.from <= number);
        after > 0 && self.0[after - 1].to >= number
    }

    /// The number after the highest seen; 0 where nothing was.
    pub fn next(&self) -> u64 {
        self.0.last().map_or(0, |span| span.to.saturating_add(1))
    }

    /// The holes between the runs, ascending.
    pub fn gaps(&self) -> Vec<Span> {
        self.0.windows(2).map(|pair| Span { from: pair[0].to + 1, to: pair[1].from - 1 }).collect()
    }

    /// Adds `number` and says what that did.
    pub fn insert(&mut self, number: u64) -> Insertion {
        let after = self.0.partition_point(|span| span.from <= number);
        let below = after.checked_sub(1).map(|at| self.0[at]);
        let above = self.0.get(after).copied();
        let insertion = match (below, above) {
            (Some(below), _) if below.to >= number => return Insertion::Present,
            (None, None) => Insertion::First,
            (None, Some(_)) => Insertion::Below,
            (Some(below), None) if below.to + 1 == number => Insertion::Next,
            (Some(below), None) => Insertion::Ahead { gap: Span { from: below.to + 1, to: number - 1 } },
            (Some(below), Some(above)) => Insertion::Filled {
                filled: Span { from: number, to: number },
                left: around(below.to + 1, number, above.from - 1),
            },
        };
        self.join(after, number);
        insertion
    }

    /// Puts `number` between the runs before and after `at`, joining what touches.
    fn join(&mut self, at: usize, number: u64) {
        let touches_below = at > 0 && self.0[at - 1].to + 1 == number;
        let touches_above = at < self.0.len() && self.0[at].from == number.saturating_add(1);
        match (touches_below, touches_above) {
            (true, true) => {
                self.0[at - 1].to = self.0[at].to;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].to = number,
            (false, true) => self.0[at].from = number,
            (false, false) => self.0.insert(at, Span { from: number, to: number }),
        }
    }

    /// Compact bytes: LEB128 of each run's distance from the one before and its length.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 4);
        let mut at = 0;
        for span in &self.0 {
            write_leb128(&mut bytes, span.from - at);
            write_leb128(&mut bytes, span.to - span.from);
            at = span.to;
        }
        bytes
    }

    /// Reads [`Ranges::to_bytes`]; none where the bytes are not such a set.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut spans: Vec<Span> = Vec::new();
        let mut at = 0u64;
        while !bytes.is_empty() {
            let distance = read_leb128(&mut bytes)?;
            if !spans.is_empty() && distance < 2 {
                return None;
            }
            let from = at.checked_add(distance)?;
            let to = from.checked_add(read_leb128(&mut bytes)?)?;
            spans.push(Span { from, to });
            at = to;
        }
        Some(Self(spans))
    }
}

/// The parts of `from..=to` beside `number`.
fn around(from: u64, number: u64, to: u64) -> Vec<Span> {
    let below = (from < number).then(|| Span { from, to: number - 1 });
    let above = (number < to).then(|| Span { from: number + 1, to });
    below.into_iter().chain(above).collect()
}

fn write_leb128(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read_leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        value |= part.checked_shl(shift).filter(|shifted| shifted >> shift == part)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
