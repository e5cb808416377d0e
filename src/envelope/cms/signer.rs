//! SignerInfos: who says that it signed, with what, and over which attributes (RFC 5652 §5.3).
//!
//! Imports its neighbours and `envelope::Fault`.

use std::ops::Range;

use super::algorithm::{Hash, Identifier, Signature};
use super::attributes::{Attributes, CertificateHash};
use super::certificate::Named;
use super::too_large;
use super::walk::{Fields, Node, SEQUENCE, context};
use crate::envelope::Fault;

/// Signers of a message.
const SIGNERS: usize = 8;

/// One signer.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Its certificate; none where it is named in a way that is not known.
    pub(super) named: Option<Named>,
    pub(super) digest: Option<Hash>,
    pub(super) algorithm: Option<Signature>,
    pub(super) attributes: Option<Attributes>,
    pub(super) signature: Range<usize>,
    /// Attributes that nothing covers.
    pub(super) unsigned: usize,
    /// Why it is passed over.
    pub(super) fault: Option<Fault>,
}

impl Signer {
    /// Its certificate, by name.
    pub const fn named(&self) -> Option<&Named> {
        self.named.as_ref()
    }

    /// The signature algorithm; none where it is not implemented.
    pub const fn algorithm(&self) -> Option<Signature> {
        self.algorithm
    }

    /// Signed attributes.
    pub const fn attributes(&self) -> Option<&Attributes> {
        self.attributes.as_ref()
    }

    /// The certificate that it says is its own.
    pub fn certificate(&self) -> Option<&CertificateHash> {
        self.attributes.as_ref()?.certificate.as_ref()
    }

    /// Why it is passed over, if it is.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }
}

/// Reads `SignerInfos ::= SET OF SignerInfo`; a message without any is no message (cms.md §2).
pub(super) fn all(set: Node<'_>, content_type: &[u8]) -> Result<Vec<Signer>, Fault> {
    match set.within().at_most(SIGNERS, "too many signers")? {
        0 => Err(Fault::malformed("no signer")),
        _ => set.within().map(|info| one(info, content_type)).collect(),
    }
}

/// `SEQUENCE { version, sid, digestAlgorithm, signedAttrs [0], signatureAlgorithm, signature, unsignedAttrs [1] }`.
fn one(info: Node<'_>, content_type: &[u8]) -> Result<Signer, Fault> {
    let mut fields = info.fields(SEQUENCE, "a signer is due")?;
    let version = fields.version()?;
    let named = Named::next(&mut fields, 0)?.filter(|_| matches!(version, 1 | 3));
    let digest = Hash::of(&Identifier::next(&mut fields)?)?;
    let attributes = attributes(&mut fields, info, content_type)?;
    let algorithm = Signature::of(&Identifier::next(&mut fields)?, digest)?;
    let signature = fields.octets("a signature is due")?;
    let unsigned = Attributes::uncovered(fields.optional(context(1)))?;
    fields.end("after a signer")?;
    if signature.len() > 1_024 {
        return Err(too_large("a signature that is too long"));
    }
    Ok(Signer { named, digest, algorithm, attributes, signature, unsigned, fault: None })
}

/// Signed attributes name the content's type and digest, the type rightly (RFC 5652 §5.3, §11.1, §11.2).
fn attributes(fields: &mut Fields<'_>, info: Node<'_>, content_type: &[u8]) -> Result<Option<Attributes>, Fault> {
    let Some(set) = fields.optional(context(0)) else { return Ok(None) };
    let attributes = Attributes::covered(set)?;
    attributes.agree(info.source(), content_type)?;
    Ok(Some(attributes))
}
