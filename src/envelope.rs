//! Envelopes as they arrive: parsed, strict, unauthenticated. All in them is a claim.
//!
//! May import `item`, minicbor, and for JOSE serde, serde_json and base64. Not the keystore, nor any other room:
//! whoever parses holds no key. What it hands on is names of keys, ranges of received bytes, and builders of the
//! structures that a layer authenticates, always over the bytes received and never over a re-encoding.

use crate::item::{Compat, CoseType, Format, KeyName, Reason, Sealed};

mod binding;
mod claims;
pub mod cms;
pub mod cose;
mod curve;
pub mod jose;

pub use binding::Binding;
pub use claims::Claims;
pub use curve::Curve;

/// Limits of threats.md §2 and cose.md §6, checked before allocation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// One envelope, bytes.
    pub envelope: usize,
    /// Layers of nesting, any mix of formats.
    pub layers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { envelope: 1 << 20, layers: 4 }
    }
}

/// How an envelope is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Limits.
    pub limits: &'a Limits,
    /// Departures from the strict form.
    pub compat: &'a Compat,
    /// Content that the envelope leaves out, supplied by the caller.
    pub detached: Option<&'a [u8]>,
}

impl<'a> Reading<'a> {
    /// The strict form, with the content inside.
    pub const fn strict(limits: &'a Limits) -> Self {
        Self { limits, compat: Compat::STRICT, detached: None }
    }

    /// What is inside an envelope is read alike, but holds its content itself.
    pub const fn within(self) -> Self {
        Self { detached: None, ..self }
    }
}

/// Why bytes are no envelope that can be tried: a reason of the contract, decided without any key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub reason: Reason,
    /// For the operator.
    pub detail: &'static str,
}

impl Fault {
    pub(in crate::envelope) const fn malformed(detail: &'static str) -> Self {
        Self { reason: Reason::Malformed, detail }
    }

    pub(in crate::envelope) const fn unsupported(detail: &'static str) -> Self {
        Self { reason: Reason::Unsupported, detail }
    }
}

/// One parsed layer, which outlives the plaintext that it was found in.
#[derive(Clone, Debug)]
pub enum Envelope {
    /// A CMS message.
    Cms(cms::Message),
    /// A COSE message.
    Cose(cose::Message),
    /// A JWE or JWS.
    Jose(jose::Message),
}

impl Envelope {
    /// Parses the outermost layer.
    pub fn parse(sealed: &Sealed, reading: &Reading<'_>) -> Result<Self, Fault> {
        if sealed.bytes.len() > reading.limits.envelope {
            return Err(Fault { reason: Reason::TooLarge, detail: "envelope over the limit" });
        }
        match family(&sealed.bytes, sealed.cose_type) {
            Some(Format::Cms) => cms::Message::parse(&sealed.bytes, reading).map(Self::Cms),
            Some(Format::Jose) => jose::Message::parse(&sealed.bytes, jose::Place::Outer, reading).map(Self::Jose),
            Some(Format::Cose) | None => {
                let message = cose::Message::parse(&sealed.bytes, sealed.cose_type, cose::Place::Outer, reading)?;
                Ok(Self::Cose(message))
            }
        }
    }

    /// The family.
    pub const fn format(&self) -> Format {
        match self {
            Self::Cms(_) => Format::Cms,
            Self::Cose(_) => Format::Cose,
            Self::Jose(_) => Format::Jose,
        }
    }

    /// The structure, as in its standard.
    pub const fn structure(&self) -> &'static str {
        match self {
            Self::Cms(message) => message.structure().name(),
            Self::Cose(message) => message.structure().name(),
            Self::Jose(message) => message.structure(),
        }
    }

    /// What the layer says of itself, as JSON; all of it unproven.
    pub fn describe(&self) -> serde_json::Value {
        match self {
            Self::Cms(message) => message.describe(),
            Self::Cose(message) => message.describe(),
            Self::Jose(message) => message.describe(),
        }
    }

    /// The departures that it was read with; none of CMS, where a key's record allows none.
    pub fn read_with(&self) -> Option<&Compat> {
        match self {
            Self::Cms(_) => None,
            Self::Cose(message) => Some(message.read_with()),
            Self::Jose(message) => Some(message.read_with()),
        }
    }

    /// Whether some of those who might open it are passed over, which other departures might not.
    pub fn passes_over(&self) -> bool {
        match self {
            Self::Cms(_) => false,
            Self::Cose(message) => message.passes_over(),
            Self::Jose(message) => message.passes_over(),
        }
    }

    /// The names by which this layer asks for keys; none where it names no key.
    pub fn key_names(&self) -> Vec<KeyName> {
        match self {
            Self::Cms(message) => message.key_names(),
            Self::Cose(message) => message.key_names(),
            Self::Jose(message) => message.key_names(),
        }
    }
}

/// Tells the family of bytes that are one whole envelope with nothing left over; none otherwise. Bounded, without
/// cryptography: the relay's side uses it to find envelopes in what was handed over.
pub fn recognise(bytes: &[u8], named: Option<CoseType>) -> Option<Format> {
    if cose::is_whole(bytes, named) {
        return Some(Format::Cose);
    }
    if cms::is_whole(bytes) {
        return Some(Format::Cms);
    }
    jose::is_whole(bytes).then_some(Format::Jose)
}

/// The family whose reader says what is wrong with bytes that are no whole envelope.
pub fn family(bytes: &[u8], named: Option<CoseType>) -> Option<Format> {
    if cms::begins(bytes) {
        return Some(Format::Cms);
    }
    recognise(bytes, named).or_else(|| jose::begins(bytes).then_some(Format::Jose))
}

#[cfg(test)]
mod tests;
