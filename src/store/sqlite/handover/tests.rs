//! Items against the disk that they are read back from, step by step.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_oneof, proptest};

use super::{Handover, MOST_ITEMS};
use crate::item::{Claims, ItemId, Origin, Sealed, Taken, Timestamp};
use crate::store::failure::Failure;

fn item(id: i64) -> Taken {
    Taken {
        id: ItemId(id),
        receipt: uuid::Uuid::nil(),
        index: 0,
        origin: Origin { relay: "r".into(), tenant: "t".into(), unauthenticated_sender: false },
        received_at: Timestamp::from_millis(0),
        sealed: Sealed { bytes: vec![0; 1].into(), cose_type: None },
        claims: Claims::default(),
    }
}

/// What is committed and pending.
#[derive(Default)]
struct Disk(BTreeSet<i64>);

impl Disk {
    fn read(&self, after: i64, max: usize) -> Vec<Taken> {
        self.0.range(after + 1..).take(max).map(|id| item(*id)).collect()
    }
}

fn next(handover: &Handover, disk: &Disk, max: usize) -> Vec<i64> {
    let given = handover.next(Duration::ZERO, max, |after, max| Ok(disk.read(after, max))).unwrap();
    given.iter().map(|item| item.id.0).collect()
}

/// COMMIT comes before the push: a reader in between sees the items on disk first.
#[test]
fn what_is_read_before_it_is_pushed_is_given_once() {
    let (handover, mut disk) = (Handover::default(), Disk::default());
    disk.0.insert(1);
    handover.begin(1);
    disk.0.insert(2);
    assert_eq!(next(&handover, &disk, 10), [1, 2]);
    handover.push([item(2), item(3)].into_iter());
    disk.0.insert(3);
    assert_eq!(next(&handover, &disk, 10), [3]);
    assert!(next(&handover, &disk, 10).is_empty());
}

#[test]
fn a_rewind_during_a_read_is_not_lost() {
    let (handover, mut disk) = (Handover::default(), Disk::default());
    disk.0.extend([1, 2]);
    handover.begin(2);
    let read = |after, max| {
        handover.rewind();
        Ok(disk.read(after, max))
    };
    assert!(handover.next(Duration::ZERO, 1, read).unwrap().is_empty());
    assert_eq!(next(&handover, &disk, 10), [1, 2]);
}

#[test]
fn a_read_that_fails_is_read_again() {
    let (handover, mut disk) = (Handover::default(), Disk::default());
    disk.0.insert(1);
    handover.begin(1);
    assert!(handover.next(Duration::ZERO, 1, |_, _| Err(Failure::Stopped)).is_err());
    assert_eq!(next(&handover, &disk, 10), [1]);
}

#[test]
fn what_is_on_disk_and_no_longer_pending_is_passed_over() {
    let (handover, disk) = (Handover::default(), Disk::default());
    handover.begin(5);
    assert!(next(&handover, &disk, 10).is_empty(), "all concluded");
    handover.push([item(6)].into_iter());
    let never = |_, _| unreachable!("it is in memory");
    assert_eq!(handover.next(Duration::ZERO, 10, never).unwrap().len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Commit(usize),
    Give(usize),
    Rewind,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1usize..MOST_ITEMS).prop_map(Step::Commit),
        3 => (1usize..MOST_ITEMS).prop_map(Step::Give),
        1 => prop::strategy::Just(Step::Rewind),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever fits and whatever does not: in order, each once from one rewind to the next.
    #[test]
    fn gives_each_once_and_in_order(steps in prop::collection::vec(step(), 1..24)) {
        let (handover, mut disk) = (Handover::default(), Disk::default());
        let (mut committed, mut given) = (0, 0);
        for step in steps {
            match step {
                Step::Commit(count) => {
                    let last = committed + i64::try_from(count).unwrap();
                    disk.0.extend(committed + 1..=last);
                    handover.push((committed + 1..=last).map(item));
                    committed = last;
                }
                Step::Give(max) => {
                    let items = next(&handover, &disk, max);
                    assert!(items.iter().copied().eq(given + 1..=given + items.len() as i64));
                    assert_eq!(items.is_empty(), given == committed);
                    given += items.len() as i64;
                }
                Step::Rewind => {
                    handover.rewind();
                    given = 0;
                }
            }
        }
    }
}
