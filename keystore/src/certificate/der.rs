//! The few elements of a certificate or CRL that must be had exactly as received: names, keys, what was signed.

use x509_cert::der::asn1::BitStringRef;
use x509_cert::der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};

/// An element: tag, contents, and both with their header.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: Tag,
    contents: &'a [u8],
    whole: &'a [u8],
}

/// What a TBSCertificate holds (RFC 5280 §4.1).
pub(crate) struct Tbs<'a> {
    /// Contents of the Name.
    pub(crate) issuer: &'a [u8],
    /// Contents of the Name.
    pub(crate) subject: &'a [u8],
    /// The whole SubjectPublicKeyInfo.
    pub(crate) spki: &'a [u8],
}

/// What certificates and CRLs have in common: something signed, an algorithm, a signature.
pub(crate) struct Signed<'a> {
    /// What was signed, whole.
    pub(crate) body: &'a [u8],
    /// Contents of the AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// A SubjectPublicKeyInfo.
pub(crate) struct PublicKey<'a> {
    /// Contents of the AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) key: &'a [u8],
}

impl<'a> Tbs<'a> {
    pub(crate) fn read(certificate: &'a [u8]) -> Option<Self> {
        let signed = Signed::read(certificate)?;
        let mut elements = elements(one(signed.body)?.contents)?.into_iter().peekable();
        // version [0]; serialNumber and signature follow
        let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
        elements.next_if(|element| element.tag == version);
        let mut elements = elements.skip(2);
        let issuer = elements.next()?.contents;
        let subject = elements.nth(1)?.contents;
        let spki = elements.next()?.whole;
        Some(Self { issuer, subject, spki })
    }
}

impl<'a> Signed<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let [body, algorithm, signature] = elements(one(der)?.contents)?.try_into().ok()?;
        let signature = bits(signature.whole)?;
        Some(Self { body: body.whole, algorithm: algorithm.contents, signature })
    }
}

impl<'a> PublicKey<'a> {
    pub(crate) fn read(spki: &'a [u8]) -> Option<Self> {
        let [algorithm, key] = elements(one(spki)?.contents)?.try_into().ok()?;
        Some(Self { algorithm: algorithm.contents, key: bits(key.whole)? })
    }
}

/// Contents of the issuer's Name of a CRL (RFC 5280 §5.1).
pub(crate) fn crl_issuer(crl: &[u8]) -> Option<&[u8]> {
    let elements = elements(one(Signed::read(crl)?.body)?.contents)?;
    // version and signature stand before it; version may be absent
    let names = elements.into_iter().skip_while(|element| element.tag == Tag::Integer).nth(1)?;
    (names.tag == Tag::Sequence).then_some(names.contents)
}

/// A SEQUENCE with these contents.
pub(crate) fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![0x30];
    match (significant, contents.len()) {
        (_, short @ 0..=127) => der.push(short as u8),
        (long, _) => {
            der.push(0x80 | long.len() as u8);
            der.extend(long);
        }
    }
    der.extend(contents);
    der
}

fn one(der: &[u8]) -> Option<Element<'_>> {
    let [element] = elements(der)?.try_into().ok()?;
    Some(element)
}

fn elements(der: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut reader = SliceReader::new(der).ok()?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        let from = usize::try_from(reader.position()).ok()?;
        let header = Header::decode(&mut reader).ok()?;
        let contents = reader.read_slice(header.length()).ok()?;
        let to = usize::try_from(reader.position()).ok()?;
        elements.push(Element { tag: header.tag(), contents, whole: der.get(from..to)? });
    }
    Some(elements)
}

fn bits(der: &[u8]) -> Option<&[u8]> {
    BitStringRef::from_der(der).ok()?.as_bytes()
}
