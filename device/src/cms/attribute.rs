//! Attributes of a signer or of an authenticated layer (RFC 5652 §11), among them the profile's binding.

use alloc::string::String;
use alloc::vec::Vec;
use std::format;

use super::der::{
    self, CONTEXT, CONTEXT_CONSTRUCTED, GENERALIZED_TIME, UTC_TIME, oid, retagged, sequence, set_of, text, tlv,
    unsigned,
};
use super::oid::{ALGORITHM_PROTECTION, BINDING, CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME};
use crate::binding::PROFILE;

/// One attribute: its type, and its values as DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute(Vec<u8>);

/// `PaperknifeBinding`: what the profile binds a message to, in signedAttrs or authAttrs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// The application.
    pub audience: String,
    /// The device.
    pub endpoint: String,
    /// The resource; none where the device cannot know it.
    pub path: Option<String>,
    /// Boot epoch or key generation, 1 to 16 bytes.
    pub key_context: Option<Vec<u8>>,
    /// Sequence number.
    pub sequence: Option<u64>,
    /// CoAP Content-Format; none means 112, SenML CBOR.
    pub content_format: Option<u16>,
}

impl Attribute {
    /// Any attribute: the content octets of its OID, and its values as DER.
    pub fn new(arcs: &[u8], values: Vec<Vec<u8>>) -> Self {
        Self(sequence(&[&oid(arcs), &set_of(values)]))
    }

    fn single(arcs: &[u8], value: Vec<u8>) -> Self {
        Self::new(arcs, [value].into())
    }

    /// content-type (RFC 5652 §11.1).
    pub(crate) fn content_type(arcs: &[u8]) -> Self {
        Self::single(CONTENT_TYPE, oid(arcs))
    }

    /// message-digest (§11.2).
    pub(crate) fn message_digest(digest: &[u8]) -> Self {
        Self::single(MESSAGE_DIGEST, der::octets(digest))
    }

    /// signing-time, seconds since 1970 (§11.3).
    pub fn signing_time(seconds: u64) -> Self {
        Self::single(SIGNING_TIME, time(seconds))
    }

    /// CMSAlgorithmProtection (RFC 6211): digest and signature (`[1]`) or MAC (`[2]`) algorithm.
    pub(crate) fn algorithm_protection(digest: &[u8], number: u8, algorithm: Vec<u8>) -> Self {
        let algorithm = retagged(CONTEXT_CONSTRUCTED | number, algorithm);
        Self::single(ALGORITHM_PROTECTION, sequence(&[digest, &algorithm]))
    }

    /// The profile's binding.
    pub fn binding(binding: &Binding) -> Self {
        Self::single(BINDING, binding.der())
    }

    /// Its DER.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.0.clone()
    }
}

impl Binding {
    /// `SEQUENCE { profile, audience, endpoint, path?, [0] keyContext?, [1] sequence?, [2] contentFormat? }`
    fn der(&self) -> Vec<u8> {
        let mut fields = [text(PROFILE), text(&self.audience), text(&self.endpoint)].concat();
        fields.extend(self.path.as_deref().map(text).unwrap_or_default());
        fields.extend(self.key_context.as_deref().map(|context| tlv(CONTEXT, context)).unwrap_or_default());
        let number = |tag, value: u64| unsigned(CONTEXT | tag, &value.to_be_bytes());
        fields.extend(self.sequence.map(|sequence| number(1, sequence)).unwrap_or_default());
        fields.extend(self.content_format.map(|format| number(2, format.into())).unwrap_or_default());
        sequence(&[&fields])
    }
}

/// Attributes as SET OF, as they are digested and authenticated.
pub(crate) fn covered(attributes: &[Attribute]) -> Vec<u8> {
    set_of(attributes.iter().map(Attribute::der).collect())
}

/// UTCTime through 2049, then GeneralizedTime (RFC 5652 §11.3).
fn time(seconds: u64) -> Vec<u8> {
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let rest = format!("{month:02}{day:02}{:02}{:02}{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60);
    match year {
        ..2050 => tlv(UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes()),
        _ => tlv(GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes()),
    }
}

/// Year, month and day of a day since 1970 in the Gregorian calendar, counted in years that begin in March.
const fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    if month < 10 { (era * 400 + year, month + 3, day) } else { (era * 400 + year + 1, month - 9, day) }
}
