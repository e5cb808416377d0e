//! The structures of RFC 5652 and its companions, field by field.
//!
//! Imports its parent and neighbours, and `envelope`. What they have in common, a content of some type, here or beside,
//! stands in the [`Message`]; the rest in its [`Body`].

use std::ops::Range;
use std::sync::Arc;

use super::algorithm::{self, Encryption, Hash, Identifier};
use super::attributes::{Attributes, confuses};
use super::certificate::{self, Carried};
use super::oid::{self, DATA};
use super::recipient::{self, Recipient};
use super::signer::{self, Signer};
use super::walk::{Fields, Node, OCTET_STRING, SEQUENCE, SET, Source, context, leaf};
use super::{Around, Message, Structure, scan};
use crate::envelope::{Fault, Reading};

/// What a structure has besides its content.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// AuthenticatedData.
    Authenticated {
        recipients: Vec<Recipient>,
        /// HMAC with that hash; none where the MAC is not implemented.
        mac: Option<Hash>,
        digest: Option<Hash>,
        attributes: Option<Attributes>,
        tag: Range<usize>,
    },
    /// CompressedData, by zlib or by what is not implemented.
    Compressed { zlib: bool },
    /// Data.
    Data,
    /// DigestedData.
    Digested { hash: Option<Hash>, digest: Range<usize> },
    /// EnvelopedData, AuthEnvelopedData and, without recipients, EncryptedData.
    Encrypted {
        recipients: Vec<Recipient>,
        /// The cipher's identifier as received.
        identifier: Range<usize>,
        encryption: Option<Encryption>,
        attributes: Option<Attributes>,
    },
    /// SignedData.
    Signed { signers: Vec<Signer>, crls: usize },
}

/// What a structure is about.
struct Content<'a> {
    kind: Node<'a>,
    octets: Range<usize>,
    detached: bool,
}

/// Reads a ContentInfo, or one of its structures without it.
pub(super) fn message(
    bytes: &Arc<[u8]>,
    bare: Option<Structure>,
    around: Around,
    reading: &Reading<'_>,
) -> Result<Message, Fault> {
    let source = Source::of(bytes)?;
    let (structure, node) = match bare {
        Some(structure) => (structure, source.root()),
        None => content_info(source.root())?,
    };
    let walk = Walk { source: &source, detached: reading.detached };
    let (content, certificates, body) = walk.structure(structure, node)?;
    let Content { kind, octets, detached } = content;
    let content_type = kind.range();
    let joined = source.into_joined();
    let bytes = if joined.is_empty() { Arc::clone(bytes) } else { Arc::from([bytes, joined.as_slice()].concat()) };
    Ok(Message { bytes, structure, around, content_type, content: octets, detached, certificates, body, fault: None })
}

/// `ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }` (RFC 5652 §3).
fn content_info(root: Node<'_>) -> Result<(Structure, Node<'_>), Fault> {
    let mut fields = root.fields(SEQUENCE, "no ContentInfo")?;
    let kind = fields.oid("the type of a content is due")?;
    let what = "a content is due";
    let content = fields.explicit(0, what)?.ok_or_else(|| Fault::malformed(what))?;
    fields.end("after a content")?;
    let structure = Structure::of(kind.contents()).ok_or(Fault::unsupported("a content type that is not known"))?;
    Ok((structure, content))
}

type Read<'a> = (Content<'a>, Vec<Carried>, Body);

struct Walk<'a> {
    source: &'a Source<'a>,
    detached: Option<&'a [u8]>,
}

impl<'a> Walk<'a> {
    fn structure(&self, structure: Structure, node: Node<'a>) -> Result<Read<'a>, Fault> {
        if structure == Structure::Data {
            return self.data(node);
        }
        let mut fields = node.fields(SEQUENCE, "the fields of a structure are due")?;
        if fields.version()? > 5 {
            return Err(Fault::unsupported("a version that is not known"));
        }
        let read = match structure {
            Structure::AuthEnvelopedData => self.auth_enveloped(&mut fields)?,
            Structure::AuthenticatedData => self.authenticated(&mut fields)?,
            Structure::CompressedData => self.compressed(&mut fields)?,
            Structure::DigestedData => self.digested(&mut fields)?,
            Structure::EncryptedData => self.encrypted(&mut fields)?,
            Structure::EnvelopedData => self.enveloped(&mut fields)?,
            Structure::Data | Structure::SignedData => self.signed(&mut fields)?,
        };
        fields.end("after the fields of a structure")?;
        Ok(read)
    }

    /// Data is an OCTET STRING (RFC 5652 §4), and of its own type: that of the ContentInfo around.
    fn data(&self, node: Node<'a>) -> Result<Read<'a>, Fault> {
        if !matches!(node.tag(), OCTET_STRING | scan::SEGMENTED) {
            return Err(Fault::malformed("data that is no OCTET STRING"));
        }
        let kind = self.source.root().within().oid("the type of a content is due")?;
        Ok((Content { kind, octets: node.octets()?, detached: false }, Vec::new(), Body::Data))
    }

    /// `SEQUENCE { version, digestAlgorithms, encapContentInfo, certificates [0], crls [1], signerInfos }` (§5.1).
    fn signed(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let digests = fields.one(SET, "digest algorithms are due")?;
        digests.within().try_for_each(|digest| Identifier::next(&mut digest.alone()).map(drop))?;
        let content = self.encapsulated(fields)?;
        let certificates = certificate::all(fields.optional(context(0)))?;
        let crls = fields.optional(context(1)).map_or(0, |set| set.within().count());
        let signers = signer::all(fields.one(SET, "signers are due")?, content.kind.contents())?;
        let typed = content.kind.contents() != DATA;
        if signers.iter().any(|signer| signer.attributes.is_none()) {
            if typed {
                return Err(Fault::malformed("no signed attributes where the content's type asks for them"));
            }
            if confuses(&self.source.bytes_at(content.octets.clone())) {
                return Err(Fault::malformed("content that is another message's signed attributes"));
            }
        }
        Ok((content, certificates, Body::Signed { signers, crls }))
    }

    /// `SEQUENCE { version, originatorInfo [0], recipientInfos, encryptedContentInfo, unprotectedAttrs [1] }` (§6.1).
    fn enveloped(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let (certificates, recipients) = addressed(fields)?;
        let (content, identifier, encryption) = self.encrypted_content(fields)?;
        Attributes::uncovered(fields.optional(context(1)))?;
        is_bare(encryption.as_ref())?;
        let body = Body::Encrypted { recipients, identifier, encryption, attributes: None };
        Ok((content, certificates, body))
    }

    /// `SEQUENCE { version, originatorInfo [0], recipientInfos, authEncryptedContentInfo, authAttrs [1], mac,
    /// unauthAttrs [2] }` (RFC 5083 §2.1).
    fn auth_enveloped(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let (certificates, recipients) = addressed(fields)?;
        let (content, identifier, encryption) = self.encrypted_content(fields)?;
        let attributes = fields.optional(context(1)).map(Attributes::covered).transpose()?;
        let tag = fields.octets("a tag is due")?;
        Attributes::uncovered(fields.optional(context(2)))?;
        Attributes::of_content(attributes.as_ref(), self.source, content.kind.contents())?;
        // The length is the algorithm's, never the message's own (threats.md B6).
        match &encryption {
            Some(encryption) if encryption.tag == 0 => {
                return Err(Fault::malformed("a cipher that authenticates nothing, where one is due that does"));
            }
            Some(encryption) if encryption.tag != tag.len() => {
                return Err(Fault::malformed("a tag of another length than the algorithm's"));
            }
            _ => {}
        }
        let (ciphertext, tag) = (self.source.bytes_at(content.octets), self.source.bytes_at(tag));
        let content = Content { octets: self.source.keep(&[&ciphertext, &tag]), ..content };
        Ok((content, certificates, Body::Encrypted { recipients, identifier, encryption, attributes }))
    }

    /// `SEQUENCE { version, encryptedContentInfo, unprotectedAttrs [1] }` (RFC 5652 §8).
    fn encrypted(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let (content, identifier, encryption) = self.encrypted_content(fields)?;
        Attributes::uncovered(fields.optional(context(1)))?;
        is_bare(encryption.as_ref())?;
        let body = Body::Encrypted { recipients: Vec::new(), identifier, encryption, attributes: None };
        Ok((content, Vec::new(), body))
    }

    /// `SEQUENCE { version, originatorInfo [0], recipientInfos, macAlgorithm, digestAlgorithm [1], encapContentInfo,
    /// authAttrs [2], mac, unauthAttrs [3] }` (§9.1).
    fn authenticated(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let (certificates, recipients) = addressed(fields)?;
        let mac = algorithm::hmac(&Identifier::next(fields)?)?;
        let digest = fields.optional(context(1)).map(Identifier::tagged).transpose()?;
        let content = self.encapsulated(fields)?;
        let attributes = fields.optional(context(2)).map(Attributes::covered).transpose()?;
        let tag = fields.octets("a MAC is due")?;
        Attributes::uncovered(fields.optional(context(3)))?;
        match (&digest, &attributes) {
            (Some(_), Some(attributes)) => attributes.agree(self.source, content.kind.contents())?,
            (None, None) if content.kind.contents() == DATA => {}
            (None, None) => return Err(Fault::malformed("no attributes where the content's type asks for them")),
            _ => return Err(Fault::malformed("a digest algorithm without attributes, or attributes without")),
        }
        let digest = digest.map_or(Ok(None), |digest| Hash::of(&digest))?;
        Ok((content, certificates, Body::Authenticated { recipients, mac, digest, attributes, tag }))
    }

    /// `SEQUENCE { version, digestAlgorithm, encapContentInfo, digest }` (§7).
    fn digested(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let hash = Hash::of(&Identifier::next(fields)?)?;
        let content = self.encapsulated(fields)?;
        let digest = fields.octets("a digest is due")?;
        Ok((content, Vec::new(), Body::Digested { hash, digest }))
    }

    /// `SEQUENCE { version, compressionAlgorithm, encapContentInfo }` (RFC 3274 §1.1).
    fn compressed(&self, fields: &mut Fields<'a>) -> Result<Read<'a>, Fault> {
        let zlib = algorithm::is_zlib(&Identifier::next(fields)?)?;
        Ok((self.encapsulated(fields)?, Vec::new(), Body::Compressed { zlib }))
    }

    /// `EncapsulatedContentInfo ::= SEQUENCE { eContentType, eContent [0] EXPLICIT OCTET STRING OPTIONAL }` (§5.2).
    fn encapsulated(&self, fields: &mut Fields<'a>) -> Result<Content<'a>, Fault> {
        let mut fields = fields.one(SEQUENCE, "a content is due")?.within();
        let kind = fields.oid("the type of a content is due")?;
        let node = fields.explicit(0, "a content is due")?;
        fields.end("after a content")?;
        match node {
            Some(node) if !matches!(node.tag(), OCTET_STRING | scan::SEGMENTED) => {
                Err(Fault::malformed("a content that is no OCTET STRING"))
            }
            node => self.content(kind, node),
        }
    }

    /// `EncryptedContentInfo ::= SEQUENCE { contentType, contentEncryptionAlgorithm, encryptedContent [0] IMPLICIT
    /// OCTET STRING OPTIONAL }` (§6.1).
    fn encrypted_content(
        &self,
        fields: &mut Fields<'a>,
    ) -> Result<(Content<'a>, Range<usize>, Option<Encryption>), Fault> {
        let mut fields = fields.one(SEQUENCE, "an encrypted content is due")?.within();
        let kind = fields.oid("the type of a content is due")?;
        let identifier = Identifier::next(&mut fields)?;
        let encryption = Encryption::of(&identifier)?;
        let node = fields.optional(leaf(0)).or_else(|| fields.optional(context(0)));
        fields.end("after an encrypted content")?;
        Ok((self.content(kind, node)?, identifier.whole, encryption))
    }

    /// The content, here or supplied beside: where it is from is the caller's to say, never the message's.
    fn content(&self, kind: Node<'a>, node: Option<Node<'a>>) -> Result<Content<'a>, Fault> {
        match (node, self.detached) {
            (Some(node), None) => Ok(Content { kind, octets: node.octets()?, detached: false }),
            (None, Some(detached)) => Ok(Content { kind, octets: self.source.keep(&[detached]), detached: true }),
            (None, None) => Err(Fault::malformed("detached content is not supplied")),
            (Some(_), Some(_)) => Err(Fault::malformed("content in the message and beside it")),
        }
    }
}

/// `originatorInfo [0] SEQUENCE { certs [0], crls [1] } OPTIONAL, recipientInfos`.
fn addressed(fields: &mut Fields<'_>) -> Result<(Vec<Carried>, Vec<Recipient>), Fault> {
    let certificates = match fields.optional(context(0)) {
        None => Vec::new(),
        Some(originator) => {
            let mut fields = originator.within();
            let certificates = certificate::all(fields.optional(context(0)))?;
            fields.optional(context(1));
            fields.end("after an originator's certificates")?;
            certificates
        }
    };
    Ok((certificates, recipient::all(fields.one(SET, "recipients are due")?)?))
}

/// An AEAD has no place where its tag has none: what lacks it was cut off (threats.md B6).
fn is_bare(encryption: Option<&Encryption>) -> Result<(), Fault> {
    match encryption {
        Some(encryption) if encryption.tag != 0 => Err(Fault::malformed("an AEAD without its tag")),
        _ => Ok(()),
    }
}

/// Whether bytes begin as one ContentInfo of a type that is known, and would be it to their end.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let Some((SEQUENCE, rest)) = header(bytes) else { return false };
    let Some(([0x06, length], rest)) = rest.split_at_checked(2).map(|(head, rest)| ([head[0], head[1]], rest)) else {
        return false;
    };
    rest.get(..usize::from(length)).is_some_and(|kind| oid::is_sound(kind) && Structure::of(kind).is_some())
}

/// Tag and contents of an element that fills the bytes, or whose length is indefinite.
fn header(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, contents) = match first {
        0x80 => return Some((*tag, rest)),
        0x81..=0x84 => {
            let (octets, contents) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), contents)
        }
        0x85..=0xff => return None,
        short => (usize::from(*short), rest),
    };
    (contents.len() == length).then_some((*tag, contents))
}
