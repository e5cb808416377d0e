//! Protected header maps, written with minicbor and handed to coset as they are to stand on the wire.
//!
//! coset writes a header in the order in which it was built and knows a content type only as one of the registered CoAP
//! Content-Formats; the profile wants sorted maps and any number. So the maps are ours, the structures around them are
//! coset's (`verbatim`).

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use coset::{Header, ProtectedHeader};
use minicbor::encode::Error;

use crate::algorithm::KeyAgreement;
use crate::cbor::{self, Writer};

/// Content-Format of a COSE_Sign1, the outer content type of shapes G and P.
pub(crate) const COSE_SIGN1: u16 = 18;

/// The `typ` of the outer layer (RFC 9596).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// CoAP Content-Format.
    Number(u16),
    /// Media type.
    Text(String),
}

/// Claims in a header (RFC 9597); an empty set is left out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) audience: Option<&'a str>,
    /// Seconds since 1970.
    pub(crate) issued_at: Option<u64>,
    pub(crate) cti: Option<&'a [u8]>,
}

/// `{ 1 => alg, ? 3 => content type, ? 4 => kid, ? 6 => piv, ? 10 => kid context, ? 15 => claims, ? 16 => typ }`
#[derive(Default)]
pub(crate) struct Protected<'a> {
    pub(crate) algorithm: i32,
    pub(crate) content_type: Option<u16>,
    pub(crate) kid: Option<&'a [u8]>,
    pub(crate) partial_iv: Option<&'a PartialIv>,
    pub(crate) kid_context: Option<&'a [u8]>,
    pub(crate) claims: Claims<'a>,
    pub(crate) typ: Option<&'a Type>,
}

impl Protected<'_> {
    /// The map, labels ascending.
    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::bytes(|to| {
            to.map(self.len())?.u8(1)?.i32(self.algorithm)?;
            if let Some(content_type) = self.content_type {
                to.u8(3)?.u16(content_type)?;
            }
            if let Some(kid) = self.kid {
                to.u8(4)?.bytes(kid)?;
            }
            if let Some(partial_iv) = self.partial_iv {
                to.u8(6)?.bytes(partial_iv.as_bytes())?;
            }
            if let Some(kid_context) = self.kid_context {
                to.u8(10)?.bytes(kid_context)?;
            }
            if self.claims.len() > 0 {
                to.u8(15)?;
                self.claims.write(to)?;
            }
            match self.typ {
                Some(Type::Number(number)) => to.u8(16)?.u16(*number)?.ok(),
                Some(Type::Text(text)) => to.u8(16)?.str(text)?.ok(),
                None => Ok(()),
            }
        })
    }

    fn len(&self) -> u64 {
        let optional = [
            self.content_type.is_some(),
            self.kid.is_some(),
            self.partial_iv.is_some(),
            self.kid_context.is_some(),
            self.claims.len() > 0,
            self.typ.is_some(),
        ];
        1 + count(&optional)
    }
}

impl Claims<'_> {
    fn len(&self) -> u64 {
        count(&[self.subject.is_some(), self.audience.is_some(), self.issued_at.is_some(), self.cti.is_some()])
    }

    /// `{ ? 2 => sub, ? 3 => aud, ? 6 => iat, ? 7 => cti }`
    fn write(&self, to: &mut Writer<'_>) -> Result<(), Error<Infallible>> {
        to.map(self.len())?;
        if let Some(subject) = self.subject {
            to.u8(2)?.str(subject)?;
        }
        if let Some(audience) = self.audience {
            to.u8(3)?.str(audience)?;
        }
        if let Some(issued_at) = self.issued_at {
            to.u8(6)?.u64(issued_at)?;
        }
        if let Some(cti) = self.cti {
            to.u8(7)?.bytes(cti)?;
        }
        Ok(())
    }
}

/// A sequence number in its shortest big-endian form; 0 is one zero byte (RFC 8613 §5).
pub(crate) struct PartialIv {
    bytes: [u8; 8],
    start: usize,
}

impl PartialIv {
    pub(crate) fn new(number: u64) -> Self {
        let bytes = number.to_be_bytes();
        let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(7);
        Self { bytes, start }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// `{ 1 => -29 / -31 }`, the protected map of shape P's recipient.
pub(crate) fn recipient(agreement: KeyAgreement) -> Protected<'static> {
    Protected { algorithm: agreement.id(), ..Protected::default() }
}

/// The map as protected bytes that coset carries as they are.
pub(crate) fn verbatim(map: &Protected<'_>) -> ProtectedHeader {
    ProtectedHeader { original_data: Some(map.encode()), header: Header::default() }
}

fn count(present: &[bool]) -> u64 {
    present.iter().filter(|&&present| present).count() as u64
}

#[cfg(test)]
mod tests;
