//! Patterns of names: `*` stands for any characters, `?` for one. Linear in memory, and never more than the product of
//! the two lengths in time, so that a pattern cannot be made to hang the writer.
//!
//! Imports serde alone.

use serde::{Deserialize, Serialize};

/// Longest pattern.
const MAX: usize = 256;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// None where it is empty or too long.
    pub fn parse(pattern: &str) -> Option<Self> {
        (1..=MAX).contains(&pattern.len()).then(|| Self(pattern.to_owned()))
    }

    /// For SQLite's `GLOB`, which knows the same two signs, and sets of characters beside.
    pub(in crate::store) fn sql(&self) -> String {
        self.0.replace('[', "[[]")
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut seen) = (0, 0);
        // Where to go on from if what follows the last `*` does not fit: it takes one character more.
        let mut retry: Option<(usize, usize)> = None;
        while seen < text.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    retry = Some((at + 1, seen));
                    at += 1;
                }
                Some(b'?') => {
                    at += 1;
                    seen += character(&text[seen..]);
                }
                Some(byte) if *byte == text[seen] => {
                    at += 1;
                    seen += 1;
                }
                Some(_) | None => {
                    let Some((after, from)) = retry else { return false };
                    (at, seen) = (after, from + character(&text[from..]));
                    retry = Some((at, seen));
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

/// Bytes of the first character of UTF-8 text.
fn character(text: &[u8]) -> usize {
    1 + text[1..].iter().take_while(|byte| **byte & 0xc0 == 0x80).count()
}

/// Whether one of the patterns fits; none of them means all names.
pub(in crate::store) fn any(patterns: &[Glob], text: Option<&str>) -> bool {
    patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|glob| glob.matches(text)))
}

#[cfg(test)]
mod tests;
