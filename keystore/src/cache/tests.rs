//! Epochs, by hand: the order of events that a race only sometimes has.

use super::Cache;
use crate::fixture::{key, key_set, offline};

#[test]
fn what_a_look_up_of_an_ended_epoch_found_is_not_there() {
    let known = [key(&offline(&key_set()), "01a2b3c4")];
    for keys in [&known[..], &[]] {
        let cache = Cache::new();
        let begun = cache.epoch();
        cache.forget();
        cache.keep(begun, "default", b"kid", keys);
        assert!(cache.find("default", b"kid").is_none());
        cache.keep(cache.epoch(), "default", b"kid", keys);
        assert_eq!(cache.find("default", b"kid").map(|keys| keys.len()), Some(keys.len()), "the untouched twin");
        assert!(cache.find("other", b"kid").is_none());
        cache.forget();
        assert!(cache.find("default", b"kid").is_none());
    }
}
