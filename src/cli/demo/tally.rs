//! The account of a run: what was delivered honestly, what was tried, and whether the gateway's own counters agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fleet::Sent;
use super::gateway::Outcome;
use super::relay::{Attack, Event};
use crate::cli::say;

/// What happened, counted outside of the gateway.
#[derive(Default)]
pub(super) struct Tally {
    honest: BTreeMap<(String, u64), f64>,
    devices: BTreeSet<String>,
    caught: BTreeMap<Attack, usize>,
    delivered: u64,
    faults: Vec<String>,
}

impl Tally {
    /// Counts an event, and shows it.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Honest(sent, outcome) => self.note_honest(&sent, &outcome),
            Event::Cheated(attack, sent, caught) => self.note_attack(attack, &sent, caught),
        }
    }

    fn note_honest(&mut self, sent: &Sent, outcome: &Outcome) {
        self.delivered += 1;
        let reading = &outcome.message["readings"][0];
        if outcome.verdict != "opened" || reading["value"].as_f64() != Some(sent.value) {
            let reason = outcome.reason.as_deref().unwrap_or("-");
            self.fault(format!("honest {} {} came out {} ({reason})", sent.device, sent.number, outcome.verdict));
            return;
        }
        say(format_args!(
            "  reading  {}  {}  {:>6} {}   {:<4} shape {}  number {}",
            sent.device,
            text(&reading["name"]),
            reading["value"],
            text(&reading["unit"]),
            sent.format,
            sent.shape,
            sent.number
        ));
        self.devices.insert(sent.device.clone());
        self.honest.insert((sent.device.clone(), sent.number), sent.value);
    }

    fn note_attack(&mut self, attack: Attack, sent: &Sent, caught: Option<String>) {
        // A dropped, withheld or delayed envelope makes no delivery of its own beyond the honest one.
        let delivered = matches!(attack, Attack::Replay | Attack::SwapEndpoint | Attack::SwapPath | Attack::Tamper);
        self.delivered += u64::from(delivered);
        match caught {
            Some(how) => {
                say(format_args!("! attack   {}  {:<13}  caught: {how}", sent.device, attack.name()));
                *self.caught.entry(attack).or_default() += 1;
            }
            None => self.fault(format!("{} on {} {} got through", attack.name(), sent.device, sent.number)),
        }
    }

    fn fault(&mut self, fault: String) {
        say(format_args!("X FAULT    {fault}"));
        self.faults.push(fault);
    }

    /// Compares with what the gateway holds: each honest reading once, and nothing else.
    pub(super) fn check_messages(&mut self, messages: &[Value]) {
        let mut missing = self.honest.clone();
        let mut faults = Vec::new();
        for message in messages {
            let device = text(&message["proof"]["sender"]).to_owned();
            let number = message["proof"]["sequence"].as_u64().unwrap_or_default();
            let value = message["readings"][0]["value"].as_f64();
            match missing.remove(&(device.clone(), number)) {
                Some(sent) if Some(sent) == value => {}
                Some(sent) => faults.push(format!("{device} {number} sent {sent} and reads {value:?}")),
                None => faults.push(format!("{device} {number} is there twice, or was never delivered")),
            }
        }
        faults.extend(missing.keys().map(|(device, number)| format!("{device} {number} is lost")));
        faults.into_iter().for_each(|fault| self.fault(fault));
    }

    /// Compares with the gateway's counters: what was received is what was concluded, and what was delivered here.
    pub(super) fn check_counters(&mut self, metrics: &str) {
        let received = sum(metrics, "paperknife_received_total");
        let verdict = |name: &str| sum(metrics, &format!("paperknife_items_total{{verdict={name}}}"));
        let (opened, duplicate, refused) = (verdict("opened"), verdict("duplicate"), verdict("refused"));
        let (pending, held) = (sum(metrics, "paperknife_pending"), sum(metrics, "paperknife_held"));
        let expired = verdict("expired");
        say(format_args!(
            "\nreceived {received} = pending {pending} + opened {opened} + duplicate {duplicate} + refused {refused} \
             + held {held} + expired {expired}"
        ));
        if received != pending + opened + duplicate + refused + held + expired {
            self.fault("the gateway's counters do not reconcile".to_owned());
        }
        if received != self.delivered || opened != self.honest.len() as u64 {
            self.fault(format!("{} were delivered, {} of them honest", self.delivered, self.honest.len()));
        }
    }

    /// Shows the sum of it; whether all went as promised.
    pub(super) fn conclude(&self) -> bool {
        let kinds: Vec<String> = self.caught.iter().map(|(attack, n)| format!("{} {n}", attack.name())).collect();
        say(format_args!("{} readings of {} devices opened, each once", self.honest.len(), self.devices.len()));
        say(format_args!("{} kinds of attack caught: {}", self.caught.len(), kinds.join(", ")));
        for fault in &self.faults {
            say(format_args!("FAULT: {fault}"));
        }
        self.faults.is_empty()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Sum of a metric's samples; `name{label=value}` keeps those with that label.
fn sum(metrics: &str, name: &str) -> u64 {
    let (name, label) = match name.split_once('{') {
        Some((name, label)) => (name, label.trim_end_matches('}').replace('=', "=\"") + "\""),
        None => (name, String::new()),
    };
    let samples = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    let named = samples
        .filter(|(sample, _)| sample.split('{').next() == Some(name) && (label.is_empty() || sample.contains(&label)));
    named.filter_map(|(_, value)| value.parse::<f64>().ok()).sum::<f64>() as u64
}
