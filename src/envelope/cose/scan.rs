//! One pass over untrusted CBOR: complete, definite lengths, shortest heads, bounded depth, no duplicate map keys.
//!
//! Imports `envelope::Fault` alone. What passed may be walked by type without looking at these again. Depth counts
//! arrays, maps and tags, and the layers of byte strings around (`start_depth`), so the stack is bounded.

use crate::envelope::Fault;

/// Deepest nesting (threats.md §2).
const DEPTH: u8 = 16;
/// Most entries of a map, and of an array that holds no messages' worth of items (cose.md §6: 64 headers a bucket).
const ENTRIES: u64 = 64;
/// Most elements of an array.
const ELEMENTS: u64 = 4096;

/// Scans one item at the start of `bytes`; its length.
pub(super) fn scan(bytes: &[u8], start_depth: u8) -> Result<usize, Fault> {
    let mut scan = Scan { bytes, at: 0 };
    scan.item(start_depth)?;
    Ok(scan.at)
}

/// Scans a protected bucket: one item that fills `bytes`, or no bytes at all.
pub(super) fn whole(bytes: &[u8]) -> Result<(), Fault> {
    if bytes.is_empty() || scan(bytes, 1)? == bytes.len() {
        return Ok(());
    }
    Err(Fault::malformed("bytes after the protected header map"))
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Major type and argument of an item (RFC 8949 §3).
struct Head {
    major: u8,
    argument: u64,
}

impl Scan<'_> {
    fn item(&mut self, depth: u8) -> Result<(), Fault> {
        let head = self.head()?;
        match head.major {
            2 | 3 => self.skip(head.argument),
            4..=6 if depth == DEPTH => Err(Fault::malformed("nested too deep")),
            4 => self.array(head.argument, depth + 1),
            5 => self.map(head.argument, depth + 1),
            6 => self.item(depth + 1),
            _ => Ok(()),
        }
    }

    fn array(&mut self, length: u64, depth: u8) -> Result<(), Fault> {
        if length > ELEMENTS {
            return Err(Fault::malformed("array too long"));
        }
        (0..length).try_for_each(|_| self.item(depth))
    }

    /// Shortest forms make equal keys equal bytes; floats are no keys (threats.md C2).
    fn map(&mut self, length: u64, depth: u8) -> Result<(), Fault> {
        if length > ENTRIES {
            return Err(Fault::malformed("map too long"));
        }
        let mut keys = [(0usize, 0usize); ENTRIES as usize];
        for nth in 0..length as usize {
            let start = self.at;
            if self.bytes.get(start).is_some_and(|&byte| byte >> 5 == 7) {
                return Err(Fault::malformed("a map key that is neither number nor text"));
            }
            self.item(depth)?;
            let key = &self.bytes[start..self.at];
            if keys[..nth].iter().any(|&(from, to)| &self.bytes[from..to] == key) {
                return Err(Fault::malformed("a map key twice"));
            }
            keys[nth] = (start, self.at);
            self.item(depth)?;
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head, Fault> {
        let initial = *self.bytes.get(self.at).ok_or(Fault::malformed("cut off"))?;
        self.at += 1;
        let (major, info) = (initial >> 5, initial & 0x1f);
        let width = match info {
            0..24 => return Ok(Head { major, argument: u64::from(info) }),
            24..=27 => 1usize << (info - 24),
            31 => return Err(Fault::malformed("indefinite length")),
            _ => return Err(Fault::malformed("reserved head")),
        };
        let argument = self.argument(width)?;
        // RFC 8949 §4.1: the shortest form. Floats (major 7) have widths of their own; simple values start at 32.
        let least = match (major, width) {
            (7, 1) => 32,
            (7, _) => 0,
            (_, 1) => 24,
            (_, width) => 1 << (width * 4),
        };
        if argument < least {
            return Err(Fault::malformed("not the shortest form of a head"));
        }
        Ok(Head { major, argument })
    }

    fn argument(&mut self, width: usize) -> Result<u64, Fault> {
        let octets = self.bytes.get(self.at..self.at + width).ok_or(Fault::malformed("cut off"))?;
        self.at += width;
        Ok(octets.iter().fold(0, |value, &octet| value << 8 | u64::from(octet)))
    }

    fn skip(&mut self, length: u64) -> Result<(), Fault> {
        let left = self.bytes.len() - self.at;
        let length =
            usize::try_from(length).ok().filter(|&length| length <= left).ok_or(Fault::malformed("cut off"))?;
        self.at += length;
        Ok(())
    }
}
