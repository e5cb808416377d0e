//! received = pending + opened + duplicate + refused + held + expired, after every step of any history.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::house::{House, concluding, facts, held, item, opened, refused};
use crate::item::{ItemId, Reason, Taken, Verdict};
use crate::store::Limits;
use crate::store::ledger::Finding;
use crate::store::reader::{PageRequest, RelayCounters};

const HELD: usize = 3;
const REFUSED: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// A delivery of a relay.
    Take(u8, usize),
    /// The next pending items, each with what is found.
    Conclude(Vec<Found>),
    /// The held ones again.
    Reopen(Vec<Found>),
    /// Everything again that is pending.
    Rewind,
    /// The end, and a new beginning.
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Found {
    Opened(u64),
    Held,
    Refused,
}

impl Found {
    fn finding(self) -> Finding {
        match self {
            Self::Held => held(b"k"),
            Self::Opened(identity) => opened(facts(identity)),
            Self::Refused => refused(Reason::AuthFailed),
        }
    }
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![(0u64..12).prop_map(Found::Opened), Just(Found::Held), Just(Found::Refused)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..2, 1usize..5).prop_map(|(relay, items)| Step::Take(relay, items)),
        4 => prop::collection::vec(found(), 1..5).prop_map(Step::Conclude),
        2 => prop::collection::vec(found(), 1..4).prop_map(Step::Reopen),
        1 => Just(Step::Rewind),
        1 => Just(Step::Restart),
    ]
}

/// What ought to be.
#[derive(Default)]
struct Model {
    pending: VecDeque<(ItemId, u8)>,
    held: BTreeMap<u8, VecDeque<ItemId>>,
    opened: Vec<u64>,
    counters: BTreeMap<u8, RelayCounters>,
}

impl Model {
    fn conclude(&mut self, item: ItemId, relay: u8, found: Found, was: Verdict) -> Verdict {
        let verdict = match found {
            Found::Held => Verdict::Held,
            Found::Opened(identity) if self.opened.contains(&identity) => Verdict::Duplicate,
            Found::Opened(identity) => {
                self.opened.push(identity);
                Verdict::Opened
            }
            Found::Refused => Verdict::Refused,
        };
        let counters = self.counters.entry(relay).or_default();
        *term(counters, was) -= 1;
        *term(counters, verdict) += 1;
        let held = self.held.entry(relay).or_default();
        match (was, verdict) {
            (Verdict::Held, Verdict::Held) => {}
            (Verdict::Held, _) => held.retain(|kept| *kept != item),
            (_, Verdict::Held) => held.push_back(item),
            _ => {}
        }
        verdict
    }

    /// Caps are kept at each COMMIT.
    fn cap(&mut self) {
        for (relay, held) in &mut self.held {
            let counters = self.counters.entry(*relay).or_default();
            while held.len() > HELD {
                held.pop_front();
                counters.held -= 1;
                counters.expired += 1;
            }
            counters.refusals_kept = counters.refused.min(REFUSED as u64);
            counters.refusals_evicted = counters.refused - counters.refusals_kept;
        }
    }
}

fn term(counters: &mut RelayCounters, verdict: Verdict) -> &mut u64 {
    match verdict {
        Verdict::Duplicate => &mut counters.duplicate,
        Verdict::Expired => &mut counters.expired,
        Verdict::Held => &mut counters.held,
        Verdict::Opened => &mut counters.opened,
        Verdict::Pending => &mut counters.pending,
        Verdict::Refused => &mut counters.refused,
    }
}

/// A house, the model of it, and what went out and was not concluded.
struct History {
    house: House,
    model: Model,
    given: usize,
}

impl History {
    fn new() -> Self {
        let limits = Limits { held_quota: HELD as u64, refused_quota: REFUSED as u64, ..Limits::default() };
        Self { house: House::with(limits), model: Model::default(), given: 0 }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Conclude(found) => self.conclude(&found),
            Step::Reopen(found) => self.reopen(&found),
            Step::Restart => {
                self.house.restart();
                self.given = 0;
            }
            Step::Rewind => {
                self.house.store().ledger.rewind();
                self.given = 0;
            }
            Step::Take(relay, items) => self.take(relay, items),
        }
    }

    fn take(&mut self, relay: u8, items: usize) {
        self.house.take(&relay.to_string(), (0..items).map(|_| item(b"s")).collect()).unwrap();
        let counters = self.model.counters.entry(relay).or_default();
        counters.received += items as u64;
        counters.pending += items as u64;
        // The numbers that the items will be seen to have.
        let next = self.house.store().ledger.clone();
        let known = self.model.pending.len();
        let all = self.all_pending(known + items);
        self.model.pending.extend(all[known..].iter().map(|taken| (taken.id, relay)));
        assert_eq!(self.model.pending.len(), known + items);
        next.rewind();
        self.given = 0;
    }

    /// Everything pending, from the first. The relay is answered a moment before opening is told.
    fn all_pending(&self, due: usize) -> Vec<Taken> {
        let ledger = &self.house.store().ledger;
        loop {
            ledger.rewind();
            let all = ledger.next(std::time::Duration::from_millis(100), 10_000).unwrap();
            if all.len() >= due {
                return all;
            }
        }
    }

    fn conclude(&mut self, found: &[Found]) {
        let max = found.len();
        let taken = self.house.store().ledger.next(std::time::Duration::ZERO, max).unwrap();
        let expected: Vec<_> = self.model.pending.iter().skip(self.given).take(max).copied().collect();
        assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), ids(&expected), "in order, each once");
        // The last one is left pending, given out or not.
        let concluded = taken.len().saturating_sub(usize::from(taken.len() == max && max > 2));
        let batch = expected.iter().zip(found).take(concluded);
        let findings = batch.clone().map(|((item, _), found)| concluding(*item, found.finding())).collect();
        let outcomes = self.house.conclude_all(findings);
        for (((item, relay), found), outcome) in batch.zip(&outcomes) {
            let verdict = self.model.conclude(*item, *relay, *found, Verdict::Pending);
            assert_eq!((outcome.item, outcome.verdict), (*item, verdict));
            self.model.pending.retain(|(pending, _)| pending != item);
        }
        self.given += taken.len() - concluded;
        self.model.cap();
    }

    fn reopen(&mut self, found: &[Found]) {
        let page = self.house.store().ledger.held(None, Reason::NoKey, found.len()).unwrap();
        let findings =
            page.iter().zip(found).map(|((taken, _), found)| concluding(taken.id, found.finding())).collect();
        let outcomes = self.house.conclude_all(findings);
        assert_eq!(outcomes.len(), page.len());
        for ((taken, _), found) in page.iter().zip(found) {
            let relay = taken.origin.relay.parse().unwrap();
            self.model.conclude(taken.id, relay, *found, Verdict::Held);
        }
        self.model.cap();
    }

    fn check(&self) {
        let reader = &self.house.store().reader;
        let counters = reader.counters().unwrap();
        assert_eq!(counters.conservation_error, 0);
        for mut relay in counters.relays {
            let number: u8 = std::mem::take(&mut relay.relay).parse().unwrap();
            assert_eq!(relay, self.model.counters[&number]);
        }
        assert_eq!(self.house.store().ledger.pending().unwrap(), self.model.pending.len() as u64);
        let all = PageRequest { limit: 1000, ..PageRequest::default() };
        let messages = reader.messages("default", &Default::default(), &all, false).unwrap().items;
        assert_eq!(messages.len(), self.model.opened.len());
        let held = reader.held("default", &Default::default(), &all, true).unwrap().items;
        assert_eq!(held.len(), self.model.held.values().map(VecDeque::len).sum::<usize>());
        assert!(held.iter().all(|held| held.item.sealed.is_some()), "held items keep their sealed bytes");
    }
}

fn ids(items: &[(ItemId, u8)]) -> Vec<ItemId> {
    items.iter().map(|(item, _)| *item).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn holds_after_every_step(steps in prop::collection::vec(step(), 1..40), _seed in any::<u8>()) {
        let mut history = History::new();
        for step in steps {
            history.run(step);
            history.check();
        }
    }
}
