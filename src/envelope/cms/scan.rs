//! One pass over untrusted BER: complete, minimal lengths, bounded depth and number of elements, nothing left over.
//!
//! Imports `envelope::Fault` and its parent's limits. One loop with a fixed stack: what nests deep is refused, not
//! followed. It yields a flat table in the order of the bytes, which `walk` reads by type. BER means here indefinite
//! lengths and OCTET STRINGs in segments (X.690 §8.1.3.6, §8.7); whatever else is not DER is malformed.

use std::ops::Range;

use super::too_large;
use crate::envelope::Fault;

/// Constructed elements around an element.
const DEPTH: usize = 32;
/// Elements of a layer.
const ELEMENTS: usize = 20_000;
/// OCTET STRINGs in segments of which one is a segment of the next.
const STRINGS: u8 = 4;
/// Segments of a string.
pub(super) const SEGMENTS: usize = 4_096;

/// Bit 6 of the identifier: constructed (X.690 §8.1.2.5).
pub(super) const CONSTRUCTED: u8 = 0x20;
/// Low bits of an identifier whose tag number does not fit.
const LONG_TAG: u8 = 0x1f;
/// A string that is made of others.
pub(super) const SEGMENTED: u8 = 0x24;
/// A string that is whole.
pub(super) const OCTETS: u8 = 0x04;
/// What ends an indefinite length.
const END: [u8; 2] = [0, 0];

/// One element of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// Identifier octet.
    pub(super) tag: u8,
    /// Ended by end-of-contents octets.
    pub(super) indefinite: bool,
    /// First octet of the header.
    pub(super) start: u32,
    /// First octet of the contents.
    pub(super) content: u32,
    /// Behind the contents.
    pub(super) end: u32,
    /// The element after this one and all that is within.
    pub(super) after: u32,
}

impl Element {
    /// The contents.
    pub(super) const fn contents(&self) -> Range<usize> {
        self.content as usize..self.end as usize
    }

    /// Header, contents and what ends them.
    pub(super) const fn whole(&self) -> Range<usize> {
        let end = self.end as usize;
        self.start as usize..if self.indefinite { end + END.len() } else { end }
    }
}

/// The elements of bytes that are one element, in order: each is followed by all that is within it.
pub(super) fn scan(bytes: &[u8]) -> Result<Vec<Element>, Fault> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(too_large("longer than any envelope"));
    }
    let mut scan = Scan { bytes, at: 0, elements: Vec::new(), around: [Frame::NONE; DEPTH], depth: 0, segments: 0 };
    scan.element()?;
    while scan.depth > 0 {
        scan.step()?;
    }
    if scan.at == bytes.len() { Ok(scan.elements) } else { Err(Fault::malformed("bytes after the message")) }
}

/// A constructed element that is not at its end.
#[derive(Clone, Copy)]
struct Frame {
    index: usize,
    /// Where it ends; none where end-of-contents octets say.
    end: Option<usize>,
    /// Where it must have ended at the latest.
    limit: usize,
    /// It is a string in segments, and within so many others.
    strings: u8,
}

impl Frame {
    const NONE: Self = Self { index: 0, end: None, limit: 0, strings: 0 };
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    elements: Vec<Element>,
    around: [Frame; DEPTH],
    depth: usize,
    /// Segments of the outermost string so far.
    segments: usize,
}

impl Scan<'_> {
    /// The end of the innermost open element, or the next element in it.
    fn step(&mut self) -> Result<(), Fault> {
        let frame = self.around[self.depth - 1];
        match frame.end {
            Some(end) if end == self.at => self.close(frame),
            None if self.within(frame.limit).starts_with(&END) => {
                self.close(frame);
                self.at += END.len();
            }
            _ => self.element()?,
        }
        Ok(())
    }

    fn close(&mut self, frame: Frame) {
        let after = self.elements.len() as u32;
        let element = &mut self.elements[frame.index];
        (element.end, element.after) = (self.at as u32, after);
        self.depth -= 1;
    }

    /// What is left up to a limit.
    fn within(&self, limit: usize) -> &[u8] {
        self.bytes.get(self.at..limit).unwrap_or_default()
    }

    fn parent(&self) -> Option<Frame> {
        self.depth.checked_sub(1).map(|above| self.around[above])
    }

    fn element(&mut self) -> Result<(), Fault> {
        let parent = self.parent();
        let limit = parent.map_or(self.bytes.len(), |frame| frame.limit);
        let start = self.at;
        let tag = self.tag(limit)?;
        self.segment(tag, parent)?;
        let length = self.length(tag, limit)?;
        if self.elements.len() == ELEMENTS {
            return Err(too_large("too many elements"));
        }
        let index = self.elements.len();
        let end = length.map_or(self.at, |length| self.at + length);
        let (content, indefinite) = (self.at as u32, length.is_none());
        let after = index as u32 + 1;
        self.elements.push(Element { tag, indefinite, start: start as u32, content, end: end as u32, after });
        if tag & CONSTRUCTED == 0 {
            self.at = end;
            return Ok(());
        }
        let strings = if tag == SEGMENTED { parent.map_or(0, |frame| frame.strings) + 1 } else { 0 };
        let limit = length.map_or(limit, |_| end);
        self.open(Frame { index, end: length.map(|_| end), limit, strings })
    }

    fn open(&mut self, frame: Frame) -> Result<(), Fault> {
        let free = self.around.get_mut(self.depth).ok_or(too_large("nested too deep"))?;
        if frame.strings > STRINGS {
            return Err(too_large("strings in strings"));
        }
        *free = frame;
        self.depth += 1;
        Ok(())
    }

    /// Universal types have one form each, but for the OCTET STRING (X.690 §8, §10.2).
    fn tag(&mut self, limit: usize) -> Result<u8, Fault> {
        let &tag = self.within(limit).first().ok_or(Fault::malformed("cut off"))?;
        self.at += 1;
        let (number, constructed) = (tag & LONG_TAG, tag & CONSTRUCTED != 0);
        match (tag >> 6, number) {
            (_, LONG_TAG) => Err(Fault::malformed("a tag number above 30")),
            (0, 0) => Err(Fault::malformed("end of contents where there is none")),
            (0, 4) => Ok(tag),
            (0, 16 | 17) if constructed => Ok(tag),
            (0, 16 | 17) => Err(Fault::malformed("a set or sequence that is primitive")),
            (0, _) if constructed => Err(Fault::malformed("a type that DER has primitive")),
            _ => Ok(tag),
        }
    }

    /// Counts what a string in segments is made of: strings alone (X.690 §8.7.3.2).
    fn segment(&mut self, tag: u8, parent: Option<Frame>) -> Result<(), Fault> {
        if parent.is_none_or(|frame| frame.strings == 0) {
            self.segments = 0;
            return Ok(());
        }
        if !matches!(tag, OCTETS | SEGMENTED) {
            return Err(Fault::malformed("a segment that is no OCTET STRING"));
        }
        self.segments += 1;
        if self.segments > SEGMENTS { Err(too_large("too many segments")) } else { Ok(()) }
    }

    /// Octets of the contents; none where the length is indefinite (X.690 §8.1.3, §10.1).
    fn length(&mut self, tag: u8, limit: usize) -> Result<Option<usize>, Fault> {
        let &first = self.within(limit).first().ok_or(Fault::malformed("cut off"))?;
        self.at += 1;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x80 if tag & CONSTRUCTED != 0 => return Ok(None),
            0x80 => return Err(Fault::malformed("a primitive of indefinite length")),
            0x81..=0x84 => self.long_length(usize::from(first & 0x7f), limit)?,
            _ => return Err(Fault::malformed("a length above any envelope's")),
        };
        if length > limit - self.at { Err(Fault::malformed("cut off")) } else { Ok(Some(length)) }
    }

    fn long_length(&mut self, octets: usize, limit: usize) -> Result<usize, Fault> {
        let written = self.within(limit).get(..octets).ok_or(Fault::malformed("cut off"))?;
        let length = written.iter().fold(0u32, |length, &octet| length << 8 | u32::from(octet));
        self.at += octets;
        let least = if octets == 1 { 0x80 } else { 1 << (8 * (octets - 1)) };
        if length < least { Err(Fault::malformed("a length longer than need be")) } else { Ok(length as usize) }
    }
}
