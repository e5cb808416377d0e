//! Numbers: never twice, whatever the crash.

use std::borrow::ToOwned;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::{LIMIT, Memory, Sequence, Storage, counter_name};
use crate::error::SealError;
use crate::key::{Kid, KidContext};

/// A storage that breaks after some stores: before or after the value has reached the disk.
struct Failing {
    disk: Memory,
    stores_left: u32,
    reaches_disk: bool,
}

impl Storage for Failing {
    fn load(&mut self, counter: &str) -> Result<Option<u64>, SealError> {
        self.disk.load(counter)
    }

    fn store(&mut self, counter: &str, next: u64) -> Result<(), SealError> {
        if self.stores_left > 0 || self.reaches_disk {
            self.disk.store(counter, next)?;
        }
        self.stores_left =
            self.stores_left.checked_sub(1).ok_or_else(|| SealError::Storage("power lost".to_owned()))?;
        Ok(())
    }
}

fn kid() -> Kid {
    Kid::new(&[0x01, 0xa2, 0xb3, 0xc4]).unwrap()
}

fn resume(storage: &mut impl Storage, block: u64) -> Sequence {
    Sequence::resume(storage, &kid(), None, block).unwrap()
}

#[test]
fn numbers_begin_at_0_and_follow_each_other() {
    let mut storage = Memory::default();
    let mut sequence = resume(&mut storage, 16);
    let drawn: Vec<u64> = (0..40).map(|_| sequence.draw(&mut storage).unwrap().value()).collect();
    assert_eq!(drawn, (0..40).collect::<Vec<_>>());
}

#[test]
fn what_is_stored_is_ahead_of_what_is_used() {
    let mut storage = Memory::default();
    let mut sequence = resume(&mut storage, 16);
    for _ in 0..100 {
        let number = sequence.draw(&mut storage).unwrap().value();
        assert!(storage.load("01a2b3c4").unwrap().unwrap() > number);
    }
}

#[test]
fn a_restart_skips_what_was_reserved() {
    let mut storage = Memory::default();
    resume(&mut storage, 16).draw(&mut storage).unwrap();
    assert_eq!(resume(&mut storage, 16).next(), 16);
}

#[test]
fn a_storage_that_fails_gives_no_number() {
    let mut storage = Failing { disk: Memory::default(), stores_left: 0, reaches_disk: false };
    let mut sequence = resume(&mut storage, 1);
    assert_eq!(sequence.draw(&mut storage), Err(SealError::Storage("power lost".to_owned())));
    storage.stores_left = 1;
    assert_eq!(sequence.draw(&mut storage).unwrap().value(), 0);
}

#[test]
fn the_last_number_is_below_2_to_the_40_minus_1() {
    let mut storage = Memory::starting_at([("01a2b3c4".to_owned(), LIMIT - 1)]);
    let mut sequence = resume(&mut storage, 256);
    assert_eq!(sequence.draw(&mut storage).unwrap().value(), LIMIT - 1);
    assert_eq!(sequence.draw(&mut storage), Err(SealError::Exhausted));
    assert_eq!(resume(&mut storage, 256).draw(&mut storage), Err(SealError::Exhausted));
}

#[test]
fn a_damaged_value_beyond_the_limit_is_exhausted_too() {
    let mut storage = Memory::starting_at([("01a2b3c4".to_owned(), u64::MAX)]);
    assert_eq!(resume(&mut storage, 256).draw(&mut storage), Err(SealError::Exhausted));
}

#[test]
fn each_kid_context_has_a_counter_of_its_own() {
    let context = KidContext::boot(9);
    assert_eq!(counter_name(&kid(), Some(&context)), "01a2b3c4.00000009");
    let mut storage = Memory::starting_at([("01a2b3c4".to_owned(), 7)]);
    assert_eq!(Sequence::resume(&mut storage, &kid(), Some(&context), 1).unwrap().next(), 0);
}

/// One run of a device: how many numbers it draws, after how many stores the power goes, and whether the last store
/// reached the disk.
fn run() -> impl Strategy<Value = (u8, u32, bool)> {
    (0u8..40, 0u32..6, any::<bool>())
}

proptest! {
    #[test]
    fn no_crash_makes_a_number_come_twice(block in 1u64..20, runs in proptest::collection::vec(run(), 1..12)) {
        let mut disk = Memory::default();
        let mut used = BTreeSet::new();
        for (draws, stores_left, reaches_disk) in runs {
            let mut storage = Failing { disk, stores_left, reaches_disk };
            let mut sequence = resume(&mut storage, block);
            for number in (0..draws).map_while(|_| sequence.draw(&mut storage).ok()) {
                prop_assert!(used.insert(number.value()), "{} came twice", number.value());
            }
            disk = storage.disk;
        }
    }

    #[test]
    fn two_counters_in_step_never_repeat(draws in proptest::collection::vec(0u8..3, 1..60)) {
        let mut storage = Memory::default();
        let other = Kid::new(&[2]).unwrap();
        let mut first = resume(&mut storage, 4);
        let mut second = Sequence::resume(&mut storage, &other, None, 4).unwrap();
        let mut used: [BTreeSet<u64>; 2] = Default::default();
        for draw in draws {
            let number = first.next().max(second.next());
            if draw != 1 {
                let number = first.draw_from(&mut storage, if draw == 2 { number } else { 0 }).unwrap();
                prop_assert!(used[0].insert(number.value()));
            }
            if draw != 0 {
                let number = second.draw_from(&mut storage, if draw == 2 { number } else { 0 }).unwrap();
                prop_assert!(used[1].insert(number.value()));
            }
        }
    }
}

#[test]
fn names_are_hexadecimal() {
    let name: String = counter_name(&Kid::new(b"\x00\xffa").unwrap(), None);
    assert_eq!(name, "00ff61");
}
