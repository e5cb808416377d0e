//! Subscriptions: who is told, what, where and how.
//!
//! Imports `item`, serde and uuid.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::item::Timestamp;
use crate::store::event::{EventType, Interest};
use crate::store::glob::Glob;

/// What an operator asked for. Kept as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The operator's name for it.
    pub name: String,
    /// Where events go.
    pub sink: Sink,
    /// Types of events.
    pub events: Vec<EventType>,
    /// Which of them.
    #[serde(default)]
    pub filter: Filter,
    /// How they are written.
    #[serde(default)]
    pub body: BodyFormat,
    /// In which order.
    #[serde(default)]
    pub order: Order,
}

impl Spec {
    /// What of the events is told.
    pub fn interest(&self) -> Interest {
        let Filter { devices, names } = self.filter.clone();
        Interest { events: self.events.clone(), devices, names }
    }
}

/// Where events go.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sink {
    /// A file of lines, in the folder that the configuration names.
    File {
        /// Without its extension.
        name: String,
    },
    /// An HTTP receiver.
    Webhook {
        /// Checked against the networks that are allowed, at each attempt.
        url: String,
        /// Sent along; their values may be secrets.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File { .. } => "Sink::File",
            Self::Webhook { .. } => "Sink::Webhook",
        })
    }
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Patterns of device names; empty: any.
    #[serde(default)]
    pub devices: Vec<Glob>,
    /// Patterns of names of readings; empty: any.
    #[serde(default)]
    pub names: Vec<Glob>,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyFormat {
    /// CloudEvents, structured.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// CloudEvents, binary: its attributes in headers.
    #[serde(rename = "cloudevents-binary")]
    CloudEventsBinary,
    /// The cleartext alone, with its media type.
    Raw,
    /// The event as it is (Standard Webhooks).
    #[default]
    Standard,
}

/// In which order a subscription is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Each as soon as it can.
    #[default]
    Any,
    /// A device's next one only after the one before is delivered or given up.
    PerDevice,
}

/// Whether a subscription is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is.
    Active,
    /// Its endpoint failed for too long, or is gone.
    Disabled,
    /// An operator paused it.
    Paused,
}

impl Status {
    /// The name in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Paused => "paused",
        }
    }

    pub(in crate::store) fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Paused].into_iter().find(|status| status.as_str() == name)
    }
}

/// enqueued = delivered + pending + dead + expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    /// All that ever was.
    pub enqueued: u64,
    /// Answered with 2xx.
    pub delivered: u64,
    /// To be sent, or sent again.
    pub pending: u64,
    /// Given up after the last attempt of the schedule.
    pub dead: u64,
    /// What it would tell is no longer kept.
    pub expired: u64,
}

/// A subscription and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// Its row.
    #[serde(skip)]
    pub row: i64,
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    #[serde(skip)]
    pub tenant: String,
    /// What was asked for.
    #[serde(flatten)]
    pub spec: Spec,
    /// Whether it is served.
    pub status: Status,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// What became of its events.
    pub counts: DeliveryCounts,
}

/// One event on its way to a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// Id of the event: the `webhook-id`.
    pub event: Option<Uuid>,
    /// Type of the event.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// `pending`, `delivered`, `dead`, `expired`.
    pub status: String,
    /// So far.
    pub attempts: Vec<Attempt>,
    /// Of a pending one.
    pub next_attempt_at: Option<Timestamp>,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// What the receiver answered.
    pub status_code: Option<u16>,
    /// A class, never an address: `timeout`, `tls`, …
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
}
