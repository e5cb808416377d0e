//! What tests make of messages: elements taken apart and put together anew, and the bombs that are too large to be kept.
//!
//! Imports its neighbour `writer`. Honest DER alone is taken apart here.

use super::writer;

/// One element of that tag, its contents in parts.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    writer::tlv(tag, parts)
}

/// The elements within an element, each with its header.
pub(crate) fn children(element: &[u8]) -> Vec<&[u8]> {
    let mut rest = contents(element);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (header, length) = header(rest);
        let (child, after) = rest.split_at(header + length);
        found.push(child);
        rest = after;
    }
    found
}

/// The contents of an element.
pub(crate) fn contents(element: &[u8]) -> &[u8] {
    let (header, length) = header(element);
    &element[header..header + length]
}

/// Octets of an element's header, and of its contents.
fn header(element: &[u8]) -> (usize, usize) {
    match element[1] {
        length @ 0..=0x7f => (2, usize::from(length)),
        octets => {
            let octets = usize::from(octets & 0x7f);
            let length = element[2..2 + octets].iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            (2 + octets, length)
        }
    }
}

/// The element with another in place of one within it, along a path of places; lengths are made anew.
pub(crate) fn replaced(element: &[u8], path: &[usize], with: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let Some((first, rest)) = path.split_first() else { return with(element) };
    let mut with = Some(with);
    let parts: Vec<Vec<u8>> = children(element)
        .into_iter()
        .enumerate()
        .map(|(nth, child)| match with.take_if(|_| nth == *first) {
            Some(with) => replaced(child, rest, with),
            None => child.to_vec(),
        })
        .collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    tlv(element[0], &parts)
}

/// The element at the end of a path of places.
pub(crate) fn at<'a>(element: &'a [u8], path: &[usize]) -> &'a [u8] {
    path.iter().fold(element, |element, nth| children(element)[*nth])
}

/// Places of a SignedData's parts within its ContentInfo; with certificates in it.
pub(crate) const CERTIFICATES: &[usize] = &[1, 0, 3];
/// The signers, with certificates before them.
pub(crate) const SIGNERS: &[usize] = &[1, 0, 4];

/// A SignedData of so many signers: one of it, again and again.
pub(crate) fn many_signers(signed: &[u8], count: usize) -> Vec<u8> {
    replaced(signed, SIGNERS, |set| tlv(0x31, &vec![contents(set); count]))
}

/// The same with certificates.
pub(crate) fn many_certificates(signed: &[u8], count: usize) -> Vec<u8> {
    replaced(signed, CERTIFICATES, |set| tlv(0xa0, &vec![contents(set); count]))
}

/// The same with a content of so many empty segments before its own: ContentInfo, `[0]`, SignedData, encapContentInfo
/// and its `[0]` are of indefinite length.
pub(crate) fn many_segments(signed: &[u8], count: usize) -> Vec<u8> {
    let [kind, explicit] = children(signed)[..] else { panic!("a ContentInfo") };
    let [version, digests, content, rest @ ..] = &children(children(explicit)[0])[..] else { panic!("a SignedData") };
    let [content_type, octets] = children(content)[..] else { panic!("a content") };
    let mut bytes =
        [&[0x30, 0x80], kind, &[0xa0, 0x80, 0x30, 0x80], version, digests, &[0x30, 0x80], content_type].concat();
    bytes.extend_from_slice(&[0xa0, 0x80, 0x24, 0x80]);
    (0..count).for_each(|_| bytes.extend_from_slice(&[0x04, 0x00]));
    bytes.extend_from_slice(children(octets)[0]);
    bytes.extend_from_slice(&[0; 6]);
    rest.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.extend_from_slice(&[0; 6]);
    bytes
}
