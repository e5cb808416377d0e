//! Identifiers there and back.

use proptest::prelude::{any, prop, proptest};
use uuid::Uuid;

use super::{Id, Ordinals, floor};
use crate::item::Timestamp;

proptest! {
    #[test]
    fn goes_there_and_back(millis in 0i64..1 << 48, counter in 0i64..4096, identity in any::<[u8; 16]>()) {
        let ordinal = millis << 12 | counter;
        for id in [Id::random(ordinal), Id::of_message(ordinal, &identity)] {
            let uuid = id.uuid();
            assert_eq!((uuid.get_version_num(), Id::parse(uuid)), (7, Some(id)));
            let (seconds, nanos) = uuid.get_timestamp().unwrap().to_unix();
            assert_eq!(seconds as i64 * 1000 + i64::from(nanos) / 1_000_000, millis);
        }
    }

    #[test]
    fn only_version_7_is_parsed(bytes in any::<[u8; 16]>()) {
        let uuid = Uuid::from_bytes(bytes);
        let is_v7 = uuid.get_version_num() == 7 && bytes[8] >> 6 == 0b10;
        assert_eq!(Id::parse(uuid).is_some(), is_v7);
    }

    #[test]
    fn only_grows(times in prop::collection::vec(any::<i64>(), 1..50), last in 0i64..1 << 40) {
        let mut ordinals = Ordinals::after(last);
        let mut before = last;
        for time in times {
            let time = Timestamp::from_millis(time);
            let next = ordinals.next(time);
            assert!(next > before && next >= floor(time));
            before = next;
        }
    }
}

#[test]
fn text_sorts_as_rows_do() {
    let (low, high) = (Id::random(4095).uuid(), Id::random(4096).uuid());
    assert!(low < high && low.to_string() < high.to_string());
}
