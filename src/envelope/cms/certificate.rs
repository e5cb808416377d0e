//! How a certificate is named, and the certificates that a message carries along.
//!
//! Imports its neighbours and `envelope::Fault`. Certificates of a message are candidates and nothing more: here they
//! are counted, never read.

use std::ops::Range;

use super::too_large;
use super::walk::{Fields, Node, SEQUENCE, leaf, short};
use crate::envelope::Fault;

/// Certificates of a message, and octets of one.
const CERTIFICATES: usize = 16;
const CERTIFICATE_OCTETS: usize = 16 * 1024;

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

/// The X.509 certificates among `CertificateSet ::= SET OF CertificateChoices`; other choices are passed over (§10.2.2).
pub(super) fn all(set: Option<Node<'_>>) -> Result<Vec<Range<usize>>, Fault> {
    let Some(set) = set else { return Ok(Vec::new()) };
    set.within().at_most(CERTIFICATES, "too many certificates")?;
    let certificates: Vec<_> = set.within().filter(|node| node.tag() == SEQUENCE).map(Node::whole).collect();
    match certificates.iter().any(|certificate| certificate.len() > CERTIFICATE_OCTETS) {
        true => Err(too_large("a certificate that is too long")),
        false => Ok(certificates),
    }
}
