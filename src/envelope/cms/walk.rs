//! Reads by type what the scan found well-formed: fields of a SEQUENCE in order, leaves, strings in segments.
//!
//! Imports its neighbours, `envelope::Fault` and der for times. Nothing is copied but a string in segments, which is
//! joined once, behind the message's own bytes, so that every value is a range.

use std::cell::RefCell;
use std::ops::Range;

use der::Decode;
use der::asn1::{GeneralizedTime, UtcTime};

use super::scan::{CONSTRUCTED, Element, OCTETS, SEGMENTED, SEGMENTS, scan};
use super::{oid, too_large};
use crate::envelope::Fault;

/// Tags that fields are told by.
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const NULL: u8 = 0x05;
pub(super) const OCTET_STRING: u8 = OCTETS;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const UTF8: u8 = 0x0c;
/// `[n]`, constructed: explicit, or implicit of what is constructed itself.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}
/// `[n]`, primitive: implicit of a leaf.
pub(super) const fn leaf(number: u8) -> u8 {
    0x80 | number
}

/// Octets of an OBJECT IDENTIFIER.
const OID_OCTETS: usize = 39;
/// Octets of a serial number (RFC 5280 §4.1.2.2, and a sign).
const SERIAL_OCTETS: usize = 21;
/// Strings that go into a key derivation, and names of keys.
const SHORT_STRING: usize = 1_024;

/// Scanned bytes, and the strings that were joined.
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    elements: Vec<Element>,
    joined: RefCell<Vec<u8>>,
}

impl<'a> Source<'a> {
    /// Scans bytes that are one element.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self { bytes, elements: scan(bytes)?, joined: RefCell::default() })
    }

    /// The element that the bytes are.
    pub(super) const fn root(&self) -> Node<'_> {
        Node { source: self, index: 0 }
    }

    /// The joined strings, which follow the bytes.
    pub(super) fn into_joined(self) -> Vec<u8> {
        self.joined.into_inner()
    }

    /// The bytes of a range, of the message or joined.
    pub(super) fn bytes_at(&self, range: Range<usize>) -> Vec<u8> {
        match range.start.checked_sub(self.bytes.len()) {
            Some(start) => self.joined.borrow()[start..start + range.len()].to_vec(),
            None => self.bytes[range].to_vec(),
        }
    }

    /// Appends bytes behind the message's own.
    pub(super) fn keep(&self, parts: &[&[u8]]) -> Range<usize> {
        let mut joined = self.joined.borrow_mut();
        let start = self.bytes.len() + joined.len();
        parts.iter().for_each(|part| joined.extend_from_slice(part));
        start..self.bytes.len() + joined.len()
    }
}

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    source: &'a Source<'a>,
    index: usize,
}

impl<'a> Node<'a> {
    fn element(self) -> &'a Element {
        &self.source.elements[self.index]
    }

    pub(super) fn tag(self) -> u8 {
        self.element().tag
    }

    /// Header and contents.
    pub(super) fn whole(self) -> Range<usize> {
        self.element().whole()
    }

    /// Where the contents are.
    pub(super) fn range(self) -> Range<usize> {
        self.element().contents()
    }

    /// The contents.
    pub(super) fn contents(self) -> &'a [u8] {
        &self.source.bytes[self.range()]
    }

    /// The bytes that it is part of.
    pub(super) const fn source(self) -> &'a Source<'a> {
        self.source
    }

    /// What is in it, whatever its tag.
    pub(super) fn within(self) -> Fields<'a> {
        Fields { source: self.source, next: self.index + 1, end: self.element().after as usize }
    }

    /// Itself, as the only one of its kind.
    pub(super) fn alone(self) -> Fields<'a> {
        Fields { source: self.source, next: self.index, end: self.element().after as usize }
    }

    /// The fields of an element of that tag.
    pub(super) fn fields(self, tag: u8, what: &'static str) -> Result<Fields<'a>, Fault> {
        if self.tag() == tag { Ok(self.within()) } else { Err(Fault::malformed(what)) }
    }

    /// Whether it and all in it is DER: definite lengths, whole strings, sets in order (X.690 §10.1, §10.2, §11.6).
    pub(super) fn is_der(self) -> bool {
        let (first, end) = (self.index, self.element().after as usize);
        (first..end).all(|index| {
            let node = Self { index, ..self };
            let element = node.element();
            let set = element.tag == SET || index == first;
            !element.indefinite && element.tag != SEGMENTED && (!set || node.is_in_order())
        })
    }

    /// Elements in ascending order of their encodings, the shorter padded with zeros (X.690 §11.6).
    fn is_in_order(self) -> bool {
        let encodings = || self.within().map(|node| &self.source.bytes[node.whole()]);
        encodings().zip(encodings().skip(1)).all(|(one, next)| one <= next)
    }

    /// Contents of an OCTET STRING, or of an implicitly tagged one; segments joined.
    pub(super) fn octets(self) -> Result<Range<usize>, Fault> {
        if self.tag() & CONSTRUCTED == 0 {
            return Ok(self.range());
        }
        let mut segments = Vec::new();
        for element in &self.source.elements[self.index + 1..self.element().after as usize] {
            match element.tag {
                OCTETS if segments.len() == SEGMENTS => return Err(too_large("too many segments")),
                OCTETS => segments.push(&self.source.bytes[element.contents()]),
                SEGMENTED => {}
                _ => return Err(Fault::malformed("a segment that is no OCTET STRING")),
            }
        }
        Ok(self.source.keep(&segments))
    }
}

/// The elements within another, one after the other.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    source: &'a Source<'a>,
    next: usize,
    end: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let node = self.peek()?;
        self.next = node.element().after as usize;
        Some(node)
    }
}

impl<'a> Fields<'a> {
    fn peek(&self) -> Option<Node<'a>> {
        (self.next < self.end).then_some(Node { source: self.source, index: self.next })
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self, what: &'static str) -> Result<Node<'a>, Fault> {
        self.next().ok_or_else(|| Fault::malformed(what))
    }

    /// The next element, which has that tag.
    pub(super) fn one(&mut self, tag: u8, what: &'static str) -> Result<Node<'a>, Fault> {
        self.optional(tag).ok_or_else(|| Fault::malformed(what))
    }

    /// The next element, if it has that tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Node<'a>> {
        self.next_if(|node| node.tag() == tag)
    }

    fn next_if(&mut self, holds: impl FnOnce(Node<'a>) -> bool) -> Option<Node<'a>> {
        let node = self.peek().filter(|node| holds(*node))?;
        self.next()?;
        Some(node)
    }

    /// An element that is explicitly tagged `[number]`, if it is there.
    pub(super) fn explicit(&mut self, number: u8, what: &'static str) -> Result<Option<Node<'a>>, Fault> {
        let Some(outer) = self.optional(context(number)) else { return Ok(None) };
        let mut within = outer.within();
        let node = within.any(what)?;
        within.end(what)?;
        Ok(Some(node))
    }

    /// An OCTET STRING, in segments or not.
    pub(super) fn octets(&mut self, what: &'static str) -> Result<Range<usize>, Fault> {
        let node =
            self.next_if(|node| matches!(node.tag(), OCTETS | SEGMENTED)).ok_or_else(|| Fault::malformed(what))?;
        node.octets()
    }

    /// An OCTET STRING of at most 1 KiB.
    pub(super) fn short_octets(&mut self, what: &'static str) -> Result<Range<usize>, Fault> {
        short(self.octets(what)?)
    }

    pub(super) fn oid(&mut self, what: &'static str) -> Result<Node<'a>, Fault> {
        let node = self.one(OID, what)?;
        match node.contents() {
            long if long.len() > OID_OCTETS => Err(too_large("an object identifier that is too long")),
            oid if oid::is_sound(oid) => Ok(node),
            _ => Err(Fault::malformed("object identifier")),
        }
    }

    /// A version: a small number that says no more than what follows.
    pub(super) fn version(&mut self) -> Result<u64, Fault> {
        self.one(INTEGER, "a version is due").and_then(Node::number)
    }

    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, Fault> {
        self.one(INTEGER, what).and_then(Node::number)
    }

    /// The contents of an INTEGER that is a certificate's serial number, of either sign.
    pub(super) fn serial(&mut self) -> Result<Range<usize>, Fault> {
        let node = self.one(INTEGER, "a serial number is due")?;
        match node.contents() {
            long if long.len() > SERIAL_OCTETS => Err(too_large("a serial number that is too long")),
            serial if is_minimal(serial) => Ok(node.range()),
            _ => Err(Fault::malformed("serial number")),
        }
    }

    /// Nothing follows.
    pub(super) fn end(&self, what: &'static str) -> Result<(), Fault> {
        if self.next == self.end { Ok(()) } else { Err(Fault::malformed(what)) }
    }

    /// How many there are, of at most so many.
    pub(super) fn at_most(&self, most: usize, many: &'static str) -> Result<usize, Fault> {
        let count = self.clone().take(most + 1).count();
        if count > most { Err(too_large(many)) } else { Ok(count) }
    }
}

impl Node<'_> {
    /// An INTEGER that is not negative; beyond 64 bits it is too large for anything here.
    pub(super) fn number(self) -> Result<u64, Fault> {
        let octets = self.contents();
        match octets {
            _ if !is_minimal(octets) => Err(Fault::malformed("an INTEGER longer than need be")),
            [0x80..=0xff, ..] => Err(Fault::malformed("a negative number")),
            [0, rest @ ..] | rest if rest.len() <= 8 => {
                Ok(rest.iter().fold(0, |number, &octet| number << 8 | u64::from(octet)))
            }
            _ => Err(too_large("a number beyond 64 bits")),
        }
    }

    /// UTCTime or GeneralizedTime as RFC 5652 §11.3 has them, seconds since 1970.
    pub(super) fn time(self) -> Result<i64, Fault> {
        let der = &self.source.bytes[self.whole()];
        let utc = UtcTime::from_der(der).map(|time| time.to_unix_duration());
        let time = utc.or_else(|_| GeneralizedTime::from_der(der).map(|time| time.to_unix_duration()));
        let time = time.map_err(|_| Fault::malformed("a time that is none"))?;
        i64::try_from(time.as_secs()).map_err(|_| Fault::malformed("a time that is none"))
    }

    /// Contents of a BIT STRING of whole octets.
    pub(super) fn bits(self) -> Result<Range<usize>, Fault> {
        let range = self.range();
        match (self.tag(), self.contents()) {
            (BIT_STRING, [0, ..]) => Ok(range.start + 1..range.end),
            _ => Err(Fault::malformed("a bit string of whole octets is due")),
        }
    }

    /// Text of a UTF8String.
    pub(super) fn text(self) -> Result<String, Fault> {
        let text = std::str::from_utf8(self.contents()).map(str::to_owned);
        text.map_err(|_| Fault::malformed("text that is not UTF-8"))
    }
}

/// A string of at most 1 KiB.
pub(super) fn short(range: Range<usize>) -> Result<Range<usize>, Fault> {
    if range.len() > SHORT_STRING { Err(too_large("a string that is too long")) } else { Ok(range) }
}

/// X.690 §8.3.2.
const fn is_minimal(integer: &[u8]) -> bool {
    !matches!(integer, [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..])
}
