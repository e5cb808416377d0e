//! A relay's body under every profile: places in which nothing is larger than the body, or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paperknife::item::Timestamp;
use paperknife::relay::profiles::{Body, Kind, Limits, Profile, find};

const CONTENT_TYPES: [Option<&str>; 4] =
    [None, Some("application/cbor-seq"), Some("application/cose; cose-type=\"cose-encrypt0\""), Some("text/plain")];

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { max_items: 64, max_body: 4096 };
    for kind in Kind::ALL {
        for content_type in CONTENT_TYPES {
            let received_at = Timestamp::from_millis(1_790_856_030_000);
            let body = Body { bytes, content_type, headers: &[], query: &[], received_at };
            let Ok(found) = find(&Profile::plain(kind), &body, &limits) else { continue };
            let items = found.into_items();
            assert!((1..=limits.max_items).contains(&items.len()));
            assert!(items.iter().map(|item| item.sealed.bytes.len()).sum::<usize>() <= bytes.len());
        }
    }
});
