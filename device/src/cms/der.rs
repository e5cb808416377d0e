//! DER: what is written of it (X.690 §8, §10), and the little that is read of a certificate.

use alloc::vec::Vec;

use crate::error::SealError;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// A context tag's first octet, for a primitive and for a constructed value.
pub(crate) const CONTEXT: u8 = 0x80;
pub(crate) const CONTEXT_CONSTRUCTED: u8 = 0xa0;

/// One value.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|&&byte| byte == 0).count()..];
    let mut der = alloc::vec![tag];
    if content.len() < 0x80 {
        der.push(content.len() as u8);
    } else {
        der.push(0x80 | length.len() as u8);
        der.extend_from_slice(length);
    }
    der.extend_from_slice(content);
    der
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// SET OF: its elements in ascending order (X.690 §11.6).
pub(crate) fn set_of(elements: Vec<Vec<u8>>) -> Vec<u8> {
    tlv(SET, &sorted(elements))
}

/// The same under another tag.
pub(crate) fn set_of_tagged(tag: u8, elements: Vec<Vec<u8>>) -> Vec<u8> {
    tlv(tag, &sorted(elements))
}

fn sorted(mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort_unstable();
    elements.concat()
}

pub(crate) fn oid(arcs: &[u8]) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, arcs)
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(OCTET_STRING, bytes)
}

/// Whole octets.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes].concat())
}

pub(crate) fn null() -> Vec<u8> {
    [0x05, 0x00].into()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    tlv(UTF8_STRING, text.as_bytes())
}

/// `[n] EXPLICIT`
pub(crate) fn explicit(number: u8, value: &[u8]) -> Vec<u8> {
    tlv(CONTEXT_CONSTRUCTED | number, value)
}

/// A number that is not negative.
pub(crate) fn number(value: u64) -> Vec<u8> {
    unsigned(INTEGER, &value.to_be_bytes())
}

/// The same from big-endian bytes, under any tag: no leading zero but the one that keeps it from being negative.
pub(crate) fn unsigned(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let bytes = &bytes[zeros..];
    let positive = bytes.first().is_none_or(|first| first & 0x80 != 0);
    let sign: &[u8] = if positive { &[0] } else { &[] };
    tlv(tag, &[sign, bytes].concat())
}

/// `AlgorithmIdentifier` (RFC 5280 §4.1.1.2): the arcs, and the parameters where there are any.
pub(crate) fn algorithm(arcs: &[u8], parameters: &[u8]) -> Vec<u8> {
    sequence(&[&oid(arcs), parameters])
}

/// The same value under another tag.
pub(crate) fn retagged(tag: u8, mut der: Vec<u8>) -> Vec<u8> {
    der[0] = tag;
    der
}

/// `IssuerAndSerialNumber` of a certificate (RFC 5280 §4.1, RFC 5652 §10.2.4).
pub(crate) fn issuer_and_serial(certificate: &[u8]) -> Result<Vec<u8>, SealError> {
    let found = || {
        let (_, certificate, _) = split(certificate)?;
        let (_, mut body, _) = split(certificate)?;
        if body.first() == Some(&CONTEXT_CONSTRUCTED) {
            body = split(body)?.2;
        }
        let (serial, _, rest) = split(body)?;
        let (_, _, rest) = split(rest)?;
        let (issuer, _, _) = split(rest)?;
        Some(sequence(&[issuer, serial]))
    };
    found().ok_or(SealError::BadKey("certificate"))
}

/// The first value whole, its content, and what follows it.
fn split(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (first, rest) = (*der.get(1)?, der.get(2..)?);
    let long = if first < 0x80 { 0 } else { usize::from(first & 0x7f) };
    if long > 4 {
        return None;
    }
    let (length, content) = rest.split_at_checked(long)?;
    let length = match long {
        0 => usize::from(first),
        _ => length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
    };
    let (content, after) = content.split_at_checked(length)?;
    Some((&der[..der.len() - after.len()], content, after))
}
