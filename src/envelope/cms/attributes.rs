//! Attributes that a signature, a MAC or an AEAD covers: in DER, each at most once, each with its value (RFC 5652 §5.3).
//!
//! Imports its neighbours and `envelope::Fault`. What is covered is the set as received under the tag of a SET OF; it is
//! never encoded again. Attributes that nothing covers are counted, and must not bind.

use std::ops::Range;

use super::algorithm::{self, Hash, Identifier, Signature};
use super::oid::{self, Arc};
use super::statement::Statement;
use super::walk::{Fields, Node, OCTET_STRING, OID, SEQUENCE, SET, Source, context};
use crate::envelope::Fault;

/// Attributes of a set, and values of an attribute.
const ATTRIBUTES: usize = 32;
const VALUES: usize = 8;

/// Attributes under a signature, a MAC or a tag.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// As received, with the header that their place gives them.
    whole: Range<usize>,
    /// What they say the content's type is.
    pub(super) content_type: Option<Range<usize>>,
    /// What they say the content's digest is.
    pub(super) message_digest: Option<Range<usize>>,
    /// When the sender says it signed, seconds since 1970.
    pub signing_time: Option<i64>,
    /// The binding of profile `paperknife-1`.
    pub statement: Option<Statement>,
    pub(super) protection: Option<Protection>,
    pub(super) certificate: Option<CertificateHash>,
    /// Their types, in order.
    pub(super) types: Vec<Range<usize>>,
}

/// `ESSCertIDv2`: the certificate that the signer says is its own (RFC 5035 §4).
#[derive(Clone, Debug)]
pub struct CertificateHash {
    /// None: not implemented.
    pub hash: Option<Hash>,
    /// Of the certificate.
    pub value: Range<usize>,
}

/// `CMSAlgorithmProtection` (RFC 6211 §2). An algorithm that is not implemented is none.
#[derive(Clone, Debug)]
pub(super) struct Protection {
    pub(super) digest: Option<Hash>,
    pub(super) signature: Option<Signature>,
    pub(super) mac: Option<Hash>,
}

impl Attributes {
    /// Reads a set that is covered.
    pub(super) fn covered(set: Node<'_>) -> Result<Self, Fault> {
        if !set.is_der() {
            return Err(Fault::malformed("covered attributes that are not DER"));
        }
        if count(set)? == 0 {
            return Err(Fault::malformed("no attribute"));
        }
        let mut attributes = Self {
            whole: set.whole(),
            content_type: None,
            message_digest: None,
            signing_time: None,
            statement: None,
            protection: None,
            certificate: None,
            types: Vec::new(),
        };
        set.within().try_for_each(|attribute| attributes.read(attribute))?;
        Ok(attributes)
    }

    /// Looks at a set that nothing covers: it is not used, and does not bind.
    pub(super) fn uncovered(set: Option<Node<'_>>) -> Result<usize, Fault> {
        let Some(set) = set else { return Ok(0) };
        for attribute in set.within() {
            let (kind, _) = parts(attribute)?;
            if kind.contents() == oid::BINDING {
                return Err(Fault::malformed("a binding that nothing covers"));
            }
        }
        count(set)
    }

    /// `31 ‖ length ‖ contents`: as a SET OF, whatever tag its place gave it (RFC 5652 §5.4, RFC 5083 §2.2).
    pub(super) fn as_set(&self, bytes: &[u8]) -> Vec<u8> {
        let mut set = bytes[self.whole.clone()].to_vec();
        if let Some(tag) = set.first_mut() {
            *tag = SET;
        }
        set
    }

    /// They name the content's type, rightly, and its digest.
    pub(super) fn agree(&self, source: &Source<'_>, content_type: &[u8]) -> Result<(), Fault> {
        if self.message_digest.is_none() {
            return Err(Fault::malformed("no digest among the attributes"));
        }
        match &self.content_type {
            Some(named) if source.bytes_at(named.clone()) == content_type => Ok(()),
            Some(_) => Err(Fault::malformed("attributes of a content of another type")),
            None => Err(Fault::malformed("no content type among the attributes")),
        }
    }

    /// Attributes beside an AEAD: a content type is due where that is not id-data, and right where it is there
    /// (RFC 5083 §2.1).
    pub(super) fn of_content(of: Option<&Self>, source: &Source<'_>, content_type: &[u8]) -> Result<(), Fault> {
        match of.and_then(|attributes| attributes.content_type.clone()) {
            Some(named) if source.bytes_at(named.clone()) == content_type => Ok(()),
            Some(_) => Err(Fault::malformed("attributes of a content of another type")),
            None if content_type == oid::DATA => Ok(()),
            None => Err(Fault::malformed("no content type among the attributes")),
        }
    }

    fn read(&mut self, attribute: Node<'_>) -> Result<(), Fault> {
        let (kind, values) = parts(attribute)?;
        self.types.push(kind.range());
        match (oid::split(kind.contents()), kind.contents()) {
            ((Arc::Pkcs9, [3]), _) => once(&mut self.content_type, one(values, OID)?.range()),
            ((Arc::Pkcs9, [4]), _) => once(&mut self.message_digest, one(values, OCTET_STRING)?.range()),
            ((Arc::Pkcs9, [5]), _) => once(&mut self.signing_time, single(values)?.time()?),
            ((Arc::Pkcs9, [52]), _) => once(&mut self.protection, Protection::of(one(values, SEQUENCE)?)?),
            ((Arc::Smime, [2, 47]), _) => once(&mut self.certificate, certificate(one(values, SEQUENCE)?)?),
            (_, oid::BINDING) => once(&mut self.statement, Statement::of(one(values, SEQUENCE)?)?),
            _ => Ok(()),
        }
    }
}

impl Protection {
    fn of(value: Node<'_>) -> Result<Self, Fault> {
        let mut fields = value.within();
        let digest = Hash::of(&Identifier::next(&mut fields)?)?;
        let signature = fields.optional(context(1)).map(Identifier::tagged).transpose()?;
        let mac = fields.optional(context(2)).map(Identifier::tagged).transpose()?;
        fields.end("after what protects the algorithms")?;
        if signature.is_some() == mac.is_some() {
            return Err(Fault::malformed("neither or both of a signature's and a MAC's algorithm"));
        }
        Ok(Self {
            digest,
            signature: signature.map_or(Ok(None), |signature| Signature::of(&signature, digest))?,
            mac: mac.map_or(Ok(None), |mac| algorithm::hmac(&mac))?,
        })
    }
}

/// The first of `SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2, policies OPTIONAL }`.
fn certificate(value: Node<'_>) -> Result<CertificateHash, Fault> {
    let what = "the signer's certificate is due";
    let mut certificates = value.within().one(SEQUENCE, what)?.within();
    let mut fields = certificates.one(SEQUENCE, what)?.within();
    let named = fields.clone().optional(SEQUENCE).is_some();
    let hash = if named { Hash::of(&Identifier::next(&mut fields)?)? } else { Some(Hash::Sha256) };
    Ok(CertificateHash { hash, value: fields.octets("the hash of a certificate is due")? })
}

/// `Attribute ::= SEQUENCE { attrType OBJECT IDENTIFIER, attrValues SET OF ANY }`.
fn parts(attribute: Node<'_>) -> Result<(Node<'_>, Fields<'_>), Fault> {
    let mut fields = attribute.fields(SEQUENCE, "an attribute is due")?;
    let kind = fields.oid("the type of an attribute is due")?;
    let values = fields.one(SET, "the values of an attribute are due")?.within();
    fields.end("after an attribute's values")?;
    values.at_most(VALUES, "too many values of an attribute")?;
    Ok((kind, values))
}

fn count(set: Node<'_>) -> Result<usize, Fault> {
    set.within().at_most(ATTRIBUTES, "too many attributes")
}

/// Exactly one value.
fn single(mut values: Fields<'_>) -> Result<Node<'_>, Fault> {
    let what = "an attribute with one value is due";
    let value = values.any(what)?;
    values.end(what)?;
    Ok(value)
}

fn one(values: Fields<'_>, tag: u8) -> Result<Node<'_>, Fault> {
    let value = single(values)?;
    if value.tag() == tag { Ok(value) } else { Err(Fault::malformed("an attribute's value of another type")) }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::malformed("an attribute twice")),
    }
}

/// Whether content is one DER SET OF Attribute: without covered attributes, a signature over it would be one over the
/// attributes of another message (threats.md B11).
pub(super) fn confuses(content: &[u8]) -> bool {
    let Ok(source) = Source::of(content) else { return false };
    let set = source.root();
    set.tag() == SET && set.is_der() && set.within().next().is_some() && set.within().all(|each| parts(each).is_ok())
}
