//! Ranges against a plain set of numbers.

use std::collections::BTreeSet;

use proptest::prelude::{any, prop, proptest};

use super::{Insertion, Ranges};
use crate::item::Span;

#[test]
fn a_hole_is_named_and_filled() {
    let mut ranges = Ranges::default();
    assert_eq!(ranges.insert(402), Insertion::First);
    assert_eq!(ranges.insert(405), Insertion::Ahead { gap: Span { from: 403, to: 404 } });
    let filled = Insertion::Filled { filled: Span { from: 403, to: 403 }, left: vec![Span { from: 404, to: 404 }] };
    assert_eq!(ranges.insert(403), filled);
    assert_eq!(ranges.insert(403), Insertion::Present);
    assert_eq!(ranges.insert(1), Insertion::Below);
    assert_eq!(ranges.insert(406), Insertion::Next);
    assert_eq!(ranges.next(), 407);
}

#[test]
fn bytes_that_are_no_set_are_none() {
    assert_eq!(Ranges::from_bytes(&[0x80]), None, "cut");
    assert_eq!(Ranges::from_bytes(&[5, 1, 1, 0]), None, "adjacent runs");
    assert_eq!(Ranges::from_bytes(&[0xff; 11]), None, "longer than 64 bits");
}

proptest! {
    #[test]
    fn behaves_as_a_set(numbers in prop::collection::vec(0u64..200, 0..120)) {
        let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
        for number in numbers {
            let fresh = set.insert(number);
            assert_eq!(ranges.insert(number) != Insertion::Present, fresh);
        }
        for number in 0..200 {
            assert_eq!(ranges.contains(number), set.contains(&number));
        }
        let missing: u64 = ranges.gaps().iter().map(|gap| gap.to - gap.from + 1).sum();
        let spread = set.last().map_or(0, |last| last - set.first().unwrap() + 1);
        assert_eq!(missing + set.len() as u64, spread);
        assert_eq!(Ranges::from_bytes(&ranges.to_bytes()), Some(ranges));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Some(ranges) = Ranges::from_bytes(&bytes) {
            assert_eq!(Ranges::from_bytes(&ranges.to_bytes()), Some(ranges));
        }
    }
}
