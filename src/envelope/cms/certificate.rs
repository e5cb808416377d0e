//! How a certificate is named, and the certificates that a message carries along.
//!
//! Imports its neighbours and `envelope::Fault`. Certificates of a message are candidates and nothing more: here they
//! are counted, and read no further than to find them by name.

use std::ops::Range;

use super::too_large;
use super::walk::{Fields, INTEGER, Node, OCTET_STRING, SEQUENCE, context, leaf, short};
use crate::envelope::Fault;

/// Certificates of a message, and octets of one.
const CERTIFICATES: usize = 16;
const CERTIFICATE_OCTETS: usize = 16 * 1024;
/// id-ce-subjectKeyIdentifier, 2.5.29.14.
const SKI: &[u8] = &[0x55, 0x1d, 0x0e];

/// A certificate by name (RFC 5652 §5.3, §6.2.1).
#[derive(Clone, Debug)]
pub enum Named {
    /// Its issuer's Name in DER, and the contents of its serial number: compared as bytes.
    IssuerSerial(Range<usize>, Range<usize>),
    /// Its subject key identifier.
    Ski(Range<usize>),
}

impl Named {
    /// The next field: `CHOICE { issuerAndSerialNumber, subjectKeyIdentifier [number] }`; none where it is neither.
    pub(super) fn next(fields: &mut Fields<'_>, number: u8) -> Result<Option<Self>, Fault> {
        fields.any("the name of a certificate is due").and_then(|node| Self::of(node, number))
    }

    /// The same of an element.
    pub(super) fn of(node: Node<'_>, number: u8) -> Result<Option<Self>, Fault> {
        match node.tag() {
            SEQUENCE => {
                let mut fields = node.within();
                let issuer = fields.one(SEQUENCE, "the name of an issuer is due")?.whole();
                let serial = fields.serial()?;
                fields.end("after a serial number")?;
                Ok(Some(Self::IssuerSerial(issuer, serial)))
            }
            tag if tag == leaf(number) => Ok(Some(Self::Ski(short(node.range())?))),
            _ => Ok(None),
        }
    }
}

/// A certificate that a message carries along, and the names that it has, as far as they can be read.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    /// All of it.
    pub(super) whole: Range<usize>,
    issuer_serial: Option<(Range<usize>, Range<usize>)>,
    ski: Option<Range<usize>>,
}

impl Carried {
    fn of(node: Node<'_>) -> Self {
        let fields = || node.within().next().map(Node::within);
        Self {
            whole: node.whole(),
            issuer_serial: fields().and_then(issuer_serial),
            ski: fields().and_then(subject_key_identifier),
        }
    }

    /// Whether it has that name. `bytes` are the message's.
    pub(super) fn is(&self, named: &Named, bytes: &[u8]) -> bool {
        let same = |one: &Range<usize>, other: &Range<usize>| bytes[one.clone()] == bytes[other.clone()];
        match named {
            Named::IssuerSerial(issuer, serial) => {
                self.issuer_serial.as_ref().is_some_and(|own| same(&own.0, issuer) && same(&own.1, serial))
            }
            Named::Ski(identifier) => self.ski.as_ref().is_some_and(|own| same(own, identifier)),
        }
    }
}

/// `TBSCertificate ::= SEQUENCE { version [0] DEFAULT v1, serialNumber, signature, issuer, … }` (RFC 5280 §4.1).
fn issuer_serial(mut fields: Fields<'_>) -> Option<(Range<usize>, Range<usize>)> {
    fields.optional(context(0));
    let serial = fields.optional(INTEGER)?.range();
    fields.optional(SEQUENCE)?;
    Some((fields.optional(SEQUENCE)?.whole(), serial))
}

/// The value of extension 2.5.29.14 is the DER of an OCTET STRING (RFC 5280 §4.2.1.2).
fn subject_key_identifier(mut fields: Fields<'_>) -> Option<Range<usize>> {
    let extensions = fields.find(|node| node.tag() == context(3))?.within().next()?;
    let value = extensions.within().find_map(|extension| {
        let mut fields = extension.within();
        (fields.next()?.contents() == SKI).then(|| fields.last())?
    })?;
    match value.contents() {
        [OCTET_STRING, length, rest @ ..] if usize::from(*length) == rest.len() => {
            let range = value.range();
            Some(range.start + 2..range.end)
        }
        _ => None,
    }
}

/// The X.509 certificates among `CertificateSet ::= SET OF CertificateChoices`; other choices are passed over (§10.2.2).
pub(super) fn all(set: Option<Node<'_>>) -> Result<Vec<Carried>, Fault> {
    let Some(set) = set else { return Ok(Vec::new()) };
    set.within().at_most(CERTIFICATES, "too many certificates")?;
    let certificates: Vec<_> = set.within().filter(|node| node.tag() == SEQUENCE).map(Carried::of).collect();
    match certificates.iter().any(|certificate| certificate.whole.len() > CERTIFICATE_OCTETS) {
        true => Err(too_large("a certificate that is too long")),
        false => Ok(certificates),
    }
}
