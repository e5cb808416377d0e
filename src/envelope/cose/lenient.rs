//! Indefinite lengths and heads longer than need be, where the operator allows them: rewritten into the strict form, so
//! that one reader reads both.
//!
//! Imports `envelope::Fault` and `item`. The contents of byte strings are not touched: protected buckets stay verbatim
//! (RFC 9052 §4.4), only the head around them becomes the shortest. What comes out is scanned like any input.

use crate::envelope::Fault;
use crate::item::{Compat, Departure};

/// Deepest nesting, as in the strict scan.
const DEPTH: u8 = 16;

/// Whether any of this is allowed.
pub(super) fn is_allowed(compat: &Compat) -> bool {
    compat.allows(Departure::IndefiniteLength) || compat.allows(Departure::NonMinimal)
}

/// The strict form of one item that fills `bytes`.
pub(super) fn strict(bytes: &[u8], compat: &Compat) -> Result<Vec<u8>, Fault> {
    let mut rewrite = Rewrite {
        bytes,
        at: 0,
        out: Vec::with_capacity(bytes.len()),
        indefinite: compat.allows(Departure::IndefiniteLength),
        longer: compat.allows(Departure::NonMinimal),
    };
    rewrite.item(0)?;
    if rewrite.at == bytes.len() { Ok(rewrite.out) } else { Err(Fault::malformed("bytes after the item")) }
}

struct Rewrite<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
    indefinite: bool,
    longer: bool,
}

/// Major type, additional information, and the argument; none for an indefinite length.
struct Head {
    major: u8,
    info: u8,
    argument: Option<u64>,
}

impl<'a> Rewrite<'a> {
    fn item(&mut self, depth: u8) -> Result<(), Fault> {
        if depth > DEPTH {
            return Err(Fault::malformed("nested too deep"));
        }
        let start = self.at;
        let head = self.head()?;
        match (head.major, head.argument) {
            (2 | 3, Some(length)) => self.string(head.major, length),
            (2 | 3, None) => self.chunks(head.major),
            (4 | 5, Some(count)) => {
                self.put(head.major, count);
                let items = if head.major == 5 { count.checked_mul(2) } else { Some(count) };
                (0..items.ok_or(CUT)?).try_for_each(|_| self.item(depth + 1))
            }
            (4 | 5, None) => self.until_break(head.major, depth),
            (6, Some(tag)) => {
                self.put(6, tag);
                self.item(depth + 1)
            }
            (7, Some(_)) => {
                // floats and simple values as they are
                self.out.extend_from_slice(&self.bytes[start..self.at]);
                Ok(())
            }
            (_, Some(argument)) => {
                self.put(head.major, argument);
                Ok(())
            }
            (_, None) => Err(Fault::malformed("a break, or a length where none is due")),
        }
    }

    fn string(&mut self, major: u8, length: u64) -> Result<(), Fault> {
        let content = self.take(length)?;
        self.put(major, length);
        self.out.extend_from_slice(content);
        Ok(())
    }

    /// Chunks of an indefinite string, each a definite string of the same kind (RFC 8949 §3.2.3).
    fn chunks(&mut self, major: u8) -> Result<(), Fault> {
        let mut content = Vec::new();
        while !self.ends()? {
            match self.head()? {
                Head { major: of, argument: Some(length), .. } if of == major => {
                    content.extend_from_slice(self.take(length)?);
                }
                _ => return Err(Fault::malformed("a chunk of another kind")),
            }
        }
        self.put(major, content.len() as u64);
        self.out.extend(content);
        Ok(())
    }

    fn until_break(&mut self, major: u8, depth: u8) -> Result<(), Fault> {
        let start = self.out.len();
        let mut items = 0u64;
        while !self.ends()? {
            self.item(depth + 1)?;
            items += 1;
        }
        if major == 5 && items % 2 == 1 {
            return Err(Fault::malformed("a map key without a value"));
        }
        let content = self.out.split_off(start);
        self.put(major, if major == 5 { items / 2 } else { items });
        self.out.extend(content);
        Ok(())
    }

    /// Takes the break, if it is next.
    fn ends(&mut self) -> Result<bool, Fault> {
        let ends = *self.bytes.get(self.at).ok_or(CUT)? == 0xff;
        self.at += usize::from(ends);
        Ok(ends)
    }

    fn head(&mut self) -> Result<Head, Fault> {
        let initial = self.take(1)?[0];
        let (major, info) = (initial >> 5, initial & 0x1f);
        let argument = match info {
            0..24 => Some(u64::from(info)),
            24..=27 => {
                let octets = self.take(1 << (info - 24))?;
                Some(octets.iter().fold(0, |value, &octet| value << 8 | u64::from(octet)))
            }
            31 if self.indefinite => None,
            _ => return Err(Fault::malformed("indefinite length or reserved head")),
        };
        let head = Head { major, info, argument };
        if !self.longer && head.is_longer() {
            return Err(Fault::malformed("not the shortest form of a head"));
        }
        Ok(head)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(length).map_err(|_| CUT)?;
        let (taken, _) = self.bytes[self.at..].split_at_checked(length).ok_or(CUT)?;
        self.at += length;
        Ok(taken)
    }

    /// The shortest head.
    fn put(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let octets = argument.to_be_bytes();
        match argument {
            0..24 => self.out.push(major | octets[7]),
            24..0x100 => self.out.extend([major | 24, octets[7]]),
            0x100..0x1_0000 => self.out.extend([major | 25, octets[6], octets[7]]),
            0x1_0000..0x1_0000_0000 => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&octets[4..]);
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&octets);
            }
        }
    }
}

impl Head {
    /// Whether a shorter head says the same; floats have widths of their own.
    const fn is_longer(&self) -> bool {
        let Some(argument) = self.argument else { return false };
        match (self.major, self.info) {
            (7, _) | (_, 0..24) => false,
            (_, 24) => argument < 24,
            (_, info) => argument < 1 << (8u32 << (info - 25)),
        }
    }
}

const CUT: Fault = Fault::malformed("cut off");
