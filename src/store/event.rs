//! Events: what the gateway tells of what it concluded, and to whom.
//!
//! Imports `item`, serde, serde_json and uuid.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::item::Timestamp;
use crate::store::glob::Glob;
use crate::store::id::Id;

/// What happened. The number of a type is its place among the events of one row, and stands in columns: it never
/// changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// A message was opened.
    MessageOpened = 0,
    /// Numbers before a message are missing.
    DeviceGap = 1,
    /// A message closed a gap, or a part of one.
    DeviceGapFilled = 2,
    /// An item was refused.
    MessageRefused = 3,
    /// A number was used again for other content.
    DeviceNonceReuse = 4,
    /// An item waits for its key.
    MessageHeld = 5,
    /// A message came again.
    DeviceReplay = 6,
    /// A subscription's endpoint failed for too long, or is gone.
    SubscriptionDisabled = 7,
    /// Asked for by an operator; never kept, and no subscription is for it.
    SubscriptionTest = 8,
}

impl EventType {
    /// Every type that can be subscribed to.
    pub const ALL: [Self; 8] = [
        Self::MessageOpened,
        Self::DeviceGap,
        Self::DeviceGapFilled,
        Self::MessageRefused,
        Self::DeviceNonceReuse,
        Self::MessageHeld,
        Self::DeviceReplay,
        Self::SubscriptionDisabled,
    ];

    /// The name in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceGap => "device.gap",
            Self::DeviceGapFilled => "device.gap_filled",
            Self::DeviceNonceReuse => "device.nonce_reuse",
            Self::DeviceReplay => "device.replay",
            Self::MessageHeld => "message.held",
            Self::MessageOpened => "message.opened",
            Self::MessageRefused => "message.refused",
            Self::SubscriptionDisabled => "subscription.disabled",
            Self::SubscriptionTest => "subscription.test",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(in crate::store) const fn code(self) -> i64 {
        self as i64
    }

    pub(in crate::store) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The id of this event of the row `source`. One of several of a message, told apart by the top bits of the tail;
    /// that of `message.opened` is the message's own.
    pub(in crate::store) fn id(self, source: Id) -> Uuid {
        Id { ordinal: source.ordinal, tail: source.tail ^ self.code() << 58 }.uuid()
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown event type {name:?}")))
    }
}

/// One event (contract §3), the same under the same id however often and to whomever it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Grows in the order of commits; holds no dot.
    pub id: Uuid,
    /// When it was concluded.
    pub time: Timestamp,
    /// About what.
    pub data: Box<RawValue>,
    /// About whom, where it authenticated.
    #[serde(skip)]
    pub device: Option<String>,
}

/// Which events somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Of these types; empty: all.
    pub events: Vec<EventType>,
    /// Of devices whose names fit one of these; empty: all, and those of no device.
    pub devices: Vec<Glob>,
    /// Of messages with a reading whose name fits one of these; empty: all.
    pub names: Vec<Glob>,
}

impl Interest {
    pub(in crate::store) fn wants(&self, kind: EventType) -> bool {
        self.events.is_empty() || self.events.contains(&kind)
    }
}
