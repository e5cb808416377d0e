//! Object identifiers, compared as bytes: an arc may be longer than any integer, as that of the binding attribute is.
//!
//! Imports nothing. The names of the arcs are those of the standards that own them, so that a match reads like their
//! tables.

/// An arc that several identifiers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arc {
    /// 1.3.132.1: SEC 1 schemes.
    Certicom,
    /// 1.3.14.3.2: OIW.
    Oiw,
    /// 1.2.840.113549.1.1: RSA.
    Pkcs1,
    /// 1.2.840.113549.1.5: passwords.
    Pkcs5,
    /// 1.2.840.113549.1.7: content types of PKCS #7.
    Pkcs7,
    /// 1.2.840.113549.1.9: attributes.
    Pkcs9,
    /// 1.2.840.113549: what is RSA Data Security's besides.
    Rsa,
    /// 1.2.840.113549.1.9.16: S/MIME.
    Smime,
    /// 1.3.101: curves of RFC 8410.
    Thawte,
    /// 2.16.840.1.101.3.4: NIST algorithms.
    Nist,
    /// 1.2.840.10045: ANSI X9.62.
    X962,
    /// 1.3.133.16.840.63.0: ANSI X9.63.
    X963,
    /// Any other: all of the identifier is left over.
    Other,
}

/// Longer arcs before those that they are in.
const ARCS: [(Arc, &[u8]); 12] = [
    (Arc::Smime, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10]),
    (Arc::Pkcs1, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01]),
    (Arc::Pkcs5, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05]),
    (Arc::Pkcs7, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07]),
    (Arc::Pkcs9, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09]),
    (Arc::Rsa, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]),
    (Arc::Nist, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04]),
    (Arc::X962, &[0x2a, 0x86, 0x48, 0xce, 0x3d]),
    (Arc::Certicom, &[0x2b, 0x81, 0x04, 0x01]),
    (Arc::X963, &[0x2b, 0x81, 0x05, 0x10, 0x86, 0x48, 0x3f, 0x00]),
    (Arc::Oiw, &[0x2b, 0x0e, 0x03, 0x02]),
    (Arc::Thawte, &[0x2b, 0x65]),
];

/// id-data (RFC 5652 §4).
pub(super) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// id-paperknife-binding: 2.25 and the UUID 93584c98-fc79-5dee-bf87-38c79221437b.
pub(super) const BINDING: &[u8] = &[
    0x69, 0x82, 0xa6, 0xd8, 0xa6, 0xa6, 0x9f, 0xc7, 0xca, 0xf7, 0xdd, 0xbf, 0xc3, 0xce, 0x98, 0xf9, 0x91, 0x85, 0x86,
    0x7b,
];
/// HMAC-SHA1 in its own arc, besides the one of RSA Data Security's (RFC 3370 §3.1).
pub(super) const HMAC_SHA1: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x08, 0x01, 0x02];
/// secp384r1 and secp521r1 (SEC 2); secp256r1 is of X9.62.
pub(super) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// secp521r1.
pub(super) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
/// secp256r1.
pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The arc of an identifier, and what is left of it. The numbers of the tables here are below 128: one octet each.
pub(super) fn split(oid: &[u8]) -> (Arc, &[u8]) {
    let found = ARCS.iter().find_map(|(arc, prefix)| Some((*arc, oid.strip_prefix(*prefix)?)));
    found.unwrap_or((Arc::Other, oid))
}

/// Whether these are the contents of an OBJECT IDENTIFIER: whole numbers in their shortest form (X.690 §8.19).
pub(super) fn is_sound(oid: &[u8]) -> bool {
    let starts = oid.iter().zip(std::iter::once(&0).chain(oid)).filter(|(_, before)| **before < 0x80);
    let minimal = starts.into_iter().all(|(first, _)| *first != 0x80);
    minimal && oid.last().is_some_and(|last| *last < 0x80)
}

/// Numbers with dots between them, for people; hex where a number is beyond 128 bits.
pub(super) fn dotted(oid: &[u8]) -> String {
    numbers(oid).unwrap_or_else(|| hex::encode(oid))
}

fn numbers(oid: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number = 0u128;
    for octet in oid {
        number = number.checked_mul(128)? | u128::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let (joined, rest) = numbers.split_first()?;
    let first = (joined / 40).min(2);
    let all = [first, joined - first * 40].into_iter().chain(rest.iter().copied());
    Some(all.map(|number| number.to_string()).collect::<Vec<_>>().join("."))
}
