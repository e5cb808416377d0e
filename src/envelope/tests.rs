//! Recognition: whole envelopes, and nothing else.

use super::recognise;
use crate::item::{CoseType, Format};

/// profile.md §10, shape S.
const S_MIN: &str = "d0834ca3010a044401a2b3c406412aa0581cc62b2f29d017c00edbe11924b33895e1cc39a78d059145a99b8a9941";

#[test]
fn a_whole_tagged_message_is_recognised_and_a_cut_or_longer_one_is_not() {
    let bytes = hex::decode(S_MIN).unwrap();
    assert_eq!(recognise(&bytes, None), Some(Format::Cose));
    assert_eq!(recognise(&bytes[..bytes.len() - 1], None), None);
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(recognise(&longer, None), None);
}

#[test]
fn an_untagged_message_needs_its_structure_named() {
    let untagged = &hex::decode(S_MIN).unwrap()[1..];
    assert_eq!(recognise(untagged, None), None);
    assert_eq!(recognise(untagged, Some(CoseType::Encrypt0)), Some(Format::Cose));
    assert_eq!(recognise(untagged, Some(CoseType::Encrypt)), None);
}

#[test]
fn content_info_and_compact_serializations_are_recognised() {
    // ContentInfo { id-data, [0] OCTET STRING "hi" }
    let data = hex::decode("301106092a864886f70d010701a00404026869").unwrap();
    assert_eq!(recognise(&data, None), Some(Format::Cms));
    assert_eq!(recognise(&data[..data.len() - 1], None), None);
    assert_eq!(recognise(b"eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC", None), Some(Format::Jose));
    assert_eq!(recognise(b"eyJhbGciOiJkaXIifQ..AAAA.BBBB", None), None);
    assert_eq!(recognise(b"hello", None), None);
}
