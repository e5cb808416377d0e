//! Stand-in for the envelope room, for the tests of what finds envelopes: shapes only, nothing is judged.

use crate::item::{CoseType, Format};

/// The format, if the bytes are one whole envelope with nothing left over.
pub fn recognise(bytes: &[u8], named: Option<CoseType>) -> Option<Format> {
    if cose::whole(bytes, named) {
        return Some(Format::Cose);
    }
    if is_content_info(bytes) {
        return Some(Format::Cms);
    }
    is_compact(bytes).then_some(Format::Jose)
}

fn is_content_info(bytes: &[u8]) -> bool {
    let (Some([0x30, first]), Some(rest)) = (bytes.get(..2), bytes.get(2..)) else { return false };
    let width = usize::from(first & 0x7f);
    let (length, body) = match (*first, rest.split_at_checked(width)) {
        (0..=0x7f, _) => (usize::from(*first), rest),
        (0x81..=0x83, Some((length, body))) => (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), body),
        _ => return false,
    };
    let pkcs7 = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    let smime = [0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01];
    body.len() == length && (body.starts_with(&pkcs7) || body.starts_with(&smime))
}

fn is_compact(bytes: &[u8]) -> bool {
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let dots = bytes.iter().filter(|byte| **byte == b'.').count();
    bytes.starts_with(b"eyJ") && matches!(dots, 2 | 4) && bytes.iter().all(alphabet)
}

/// COSE shapes.
pub mod cose {
    use std::ops::Range;

    use minicbor::decode::{Decoder, Error};

    use crate::item::CoseType;

    /// The places of a CBOR sequence's elements, if it splits cleanly into tagged envelopes.
    pub fn sequence(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut decoder = Decoder::new(bytes);
        let mut elements = Vec::new();
        while decoder.position() < bytes.len() {
            let start = decoder.position();
            message(&mut decoder, None).ok().filter(|is| *is)?;
            elements.push(start..decoder.position());
        }
        Some(elements)
    }

    pub(super) fn whole(bytes: &[u8], named: Option<CoseType>) -> bool {
        let mut decoder = Decoder::new(bytes);
        message(&mut decoder, named).is_ok_and(|is| is) && decoder.position() == bytes.len()
    }

    fn message(decoder: &mut Decoder<'_>, named: Option<CoseType>) -> Result<bool, Error> {
        let mut probe = decoder.clone();
        let mut arity = named.map(arity_of);
        if probe.datatype()? == minicbor::data::Type::Tag {
            let tag = probe.tag()?;
            let tag = if tag.as_u64() == 61 { probe.tag()? } else { tag };
            arity = match tag.as_u64() {
                16 => Some(3),
                17 | 18 | 96 | 98 => Some(4),
                97 => Some(5),
                _ => None,
            };
        }
        let declared = probe.array()?;
        let well_formed = declared.is_some() && declared == arity && probe.bytes().is_ok();
        decoder.skip()?;
        Ok(well_formed)
    }

    const fn arity_of(named: CoseType) -> u64 {
        match named {
            CoseType::Encrypt0 => 3,
            CoseType::Mac0 | CoseType::Sign1 | CoseType::Encrypt | CoseType::Sign => 4,
            CoseType::Mac => 5,
        }
    }
}
