//! Patterns against a matcher that tries everything.

use proptest::prelude::*;

use super::Glob;

fn slowly(pattern: &[char], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some('*'), _) => slowly(&pattern[1..], text) || !text.is_empty() && slowly(pattern, &text[1..]),
        (Some('?'), Some(_)) => slowly(&pattern[1..], &text[1..]),
        (Some(one), Some(other)) => one == other && slowly(&pattern[1..], &text[1..]),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

proptest! {
    #[test]
    fn a_pattern_fits_what_it_should(pattern in "[ab*?é]{1,8}", text in "[abé]{0,10}") {
        let all = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = slowly(&all(&pattern), &all(&text));
        prop_assert_eq!(Glob::parse(&pattern).unwrap().matches(&text), expected);
    }
}

#[test]
fn a_hostile_pattern_does_not_hang() {
    let pattern = Glob::parse(&"a*".repeat(128)).unwrap();
    assert!(!pattern.matches(&"a".repeat(100)) && pattern.matches(&"a".repeat(4096)));
    assert!(Glob::parse("").is_none() && Glob::parse(&"a".repeat(257)).is_none());
}
