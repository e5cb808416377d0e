//! DER that is not received but built: what a key derivation is bound to.
//!
//! Imports nothing.

/// One element of that tag, its contents in parts (X.690 §8.1, §10.1).
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut element = Vec::with_capacity(length + 6);
    element.push(tag);
    match length {
        0..=0x7f => element.push(length as u8),
        _ => {
            let octets = length.to_be_bytes();
            let first = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len() - 1);
            element.push(0x80 | (octets.len() - first) as u8);
            element.extend_from_slice(&octets[first..]);
        }
    }
    parts.iter().for_each(|part| element.extend_from_slice(part));
    element
}
