//! The relay between the devices and the gateway: it holds no key, and sometimes it cheats.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::fleet::{LATE_AFTER_S, OTHER_PATH, PATH, Sent};
use super::gateway::{Claims, Client, Outcome};
use crate::cli::Failed;

/// How the relay cheats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attack {
    Delay,
    Drop,
    Reorder,
    Replay,
    SwapEndpoint,
    SwapPath,
    Tamper,
}

impl Attack {
    const ALL: [Self; 7] =
        [Self::Tamper, Self::Replay, Self::SwapEndpoint, Self::Drop, Self::SwapPath, Self::Reorder, Self::Delay];

    /// What it does, in words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Drop => "drop",
            Self::Reorder => "reorder",
            Self::Replay => "replay",
            Self::SwapEndpoint => "swap endpoint",
            Self::SwapPath => "swap path",
            Self::Tamper => "tamper",
        }
    }
}

/// One thing that the relay did, and what came of it.
pub(super) enum Event {
    /// An honest delivery of this reading.
    Honest(Sent, Outcome),
    /// An attack; `caught` says how it was seen, or none.
    Cheated(Attack, Sent, Option<String>),
}

/// An attack that shows only later.
enum Pending {
    Dropped(Sent),
    HeldBack(Sent),
}

/// The relay's state: what it withholds.
pub(super) struct Relay {
    pending: BTreeMap<usize, Pending>,
    delayed: VecDeque<(Instant, Sent)>,
    handled: usize,
    next: usize,
    cheats: bool,
}

impl Relay {
    pub(super) const fn new() -> Self {
        Self { pending: BTreeMap::new(), delayed: VecDeque::new(), handled: 0, next: 0, cheats: true }
    }

    /// Passes a reading on, or cheats with it: with every fifth, each kind of attack in turn.
    pub(super) async fn handle(&mut self, client: &Client, sent: Sent) -> Result<Vec<Event>, Failed> {
        let mut events = self.release(client, false).await?;
        self.handled += 1;
        let withheld = self.delayed.iter().any(|(_, delayed)| delayed.nth == sent.nth);
        if let Some(pending) = self.pending.remove(&sent.nth) {
            events.extend(resolve(client, pending, sent).await?);
        } else if self.cheats && self.handled.is_multiple_of(5) && !withheld {
            let attack = Attack::ALL[self.next % Attack::ALL.len()];
            self.next += 1;
            events.extend(self.cheat(client, attack, sent).await?);
        } else {
            events.push(honest(client, sent).await?);
        }
        Ok(events)
    }

    /// From now on it only brings to an end what it began.
    pub(super) const fn reform(&mut self) {
        self.cheats = false;
    }

    /// Whether an attack waits for its device's next reading to come to light.
    pub(super) fn withholds(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Delivers what was delayed long enough; all of it at the end.
    pub(super) async fn release(&mut self, client: &Client, all: bool) -> Result<Vec<Event>, Failed> {
        let mut events = Vec::new();
        while self.delayed.front().is_some_and(|(due, _)| all || *due <= Instant::now()) {
            let Some((due, sent)) = self.delayed.pop_front() else { break };
            tokio::time::sleep_until(due.into()).await;
            let outcome = deliver(client, &sent, &sent.device, PATH).await?;
            let caught = flagged(&outcome, "late").then(|| "opened, flagged `late`".to_owned());
            events.push(Event::Cheated(Attack::Delay, sent.clone(), caught));
            events.push(Event::Honest(sent, outcome));
        }
        Ok(events)
    }

    async fn cheat(&mut self, client: &Client, attack: Attack, sent: Sent) -> Result<Vec<Event>, Failed> {
        let caught = match attack {
            Attack::Delay => {
                let due = Instant::now() + Duration::from_secs(LATE_AFTER_S as u64 + 2);
                self.delayed.push_back((due, sent));
                return Ok(Vec::new());
            }
            Attack::Drop => {
                self.pending.insert(sent.nth, Pending::Dropped(sent));
                return Ok(Vec::new());
            }
            Attack::Reorder => {
                self.pending.insert(sent.nth, Pending::HeldBack(sent));
                return Ok(Vec::new());
            }
            Attack::Replay => {
                let honest = honest(client, sent.clone()).await?;
                let again = deliver(client, &sent, &sent.device, PATH).await?;
                let caught = (again.verdict == "duplicate").then(|| "duplicate, one effect".to_owned());
                return Ok(vec![honest, Event::Cheated(attack, sent, caught)]);
            }
            Attack::SwapEndpoint => refused(&deliver(client, &sent, "urn:dev:demo:another", PATH).await?),
            Attack::SwapPath => refused(&deliver(client, &sent, &sent.device, OTHER_PATH).await?),
            Attack::Tamper => refused(&deliver(client, &tampered(&sent), &sent.device, PATH).await?),
        };
        let honest = honest(client, sent.clone()).await?;
        Ok(vec![Event::Cheated(attack, sent, caught), honest])
    }
}

/// The device's next reading brings to light what was done to the one before.
async fn resolve(client: &Client, pending: Pending, next: Sent) -> Result<Vec<Event>, Failed> {
    let outcome = deliver(client, &next, &next.device, PATH).await?;
    let gap = &outcome.message["gap_before"];
    let names = |number: u64| gap["from"].as_u64() <= Some(number) && gap["to"].as_u64() >= Some(number);
    match pending {
        Pending::Dropped(sent) => {
            let caught = names(sent.number).then(|| format!("gap named: {} is missing", sent.number));
            Ok(vec![Event::Honest(next, outcome), Event::Cheated(Attack::Drop, sent, caught)])
        }
        Pending::HeldBack(sent) => {
            let named = names(sent.number);
            let before = Event::Honest(next, outcome);
            let outcome = deliver(client, &sent, &sent.device, PATH).await?;
            let seen = named && flagged(&outcome, "out_of_order");
            let caught = seen.then(|| format!("opened, flagged `out_of_order`, fills {}", outcome.message["fills"]));
            Ok(vec![before, Event::Cheated(Attack::Reorder, sent.clone(), caught), Event::Honest(sent, outcome)])
        }
    }
}

async fn honest(client: &Client, sent: Sent) -> Result<Event, Failed> {
    let outcome = deliver(client, &sent, &sent.device, PATH).await?;
    Ok(Event::Honest(sent, outcome))
}

async fn deliver(client: &Client, sent: &Sent, endpoint: &str, path: &str) -> Result<Outcome, Failed> {
    client.deliver(&sent.sealed, &Claims { endpoint, path }).await
}

fn tampered(sent: &Sent) -> Sent {
    let mut tampered = sent.clone();
    if let Some(last) = tampered.sealed.last_mut() {
        *last ^= 1;
    }
    tampered
}

fn refused(outcome: &Outcome) -> Option<String> {
    let reason = outcome.reason.as_deref().unwrap_or("no reason");
    (outcome.verdict == "refused").then(|| format!("refused, `{reason}`"))
}

fn flagged(outcome: &Outcome, flag: &str) -> bool {
    let flags = outcome.message["flags"].as_array();
    outcome.verdict == "opened" && flags.is_some_and(|flags| flags.iter().any(|set| set == flag))
}
