//! What the guard settled, as plain values: all that the store needs to conclude an opened item.
//!
//! May import `item` and `guard::sequence` only: the store reads these values and must not reach the code that
//! judged them. A [`Settled`] can be made by `guard::settle` alone, so an item that was not judged cannot be concluded
//! as opened.

use crate::item::{ContentType, Format, LayerSummary, Proven, Reason};

/// Something that policy reports instead of refusing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The relay's endpoint name is not this device's.
    EndpointMismatch,
    /// Issued longer ago than `late_after_s`.
    Late,
    /// The sender's signature is around ciphertext, whose content it need not know (cms.md §3).
    SignsCiphertext,
}

impl Flag {
    /// The name used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointMismatch => "endpoint_mismatch",
            Self::Late => "late",
            Self::SignsCiphertext => "signs_ciphertext",
        }
    }
}

/// The counter that a message belongs to: one per sender key version and kid context (profile.md §6).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Counter {
    /// Id of the sender's key.
    pub key: String,
    /// Version of that key.
    pub key_version: u32,
    /// Boot epoch or key generation; empty where the message has none.
    pub kid_context: Vec<u8>,
}

/// A sequence number and where it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// Where gaps are accounted.
    pub counter: Counter,
    /// Where the number is remembered as well, without gap accounting: the signing key of shape G.
    pub also: Option<Counter>,
    /// The number.
    pub number: u64,
    /// First number expected of a new counter; below it a first message shows a gap.
    pub expect_from: Option<u64>,
    /// What comes behind the highest number is refused (`order_violated`); what comes ahead opens with a gap
    /// (profile.md §6).
    pub strict: bool,
}

/// The facts of an opened message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Family of the outermost layer.
    pub format: Format,
    /// Structure of the outermost layer, as in its standard.
    pub structure: &'static str,
    /// Layers, outermost first.
    pub layers: Vec<LayerSummary>,
    /// What was authenticated.
    pub proven: Proven,
    /// Hash over tenant, sender key and authenticated content (threats.md A2), first 16 bytes of SHA-256.
    pub identity: [u8; 16],
    /// Sequence number, where the message has one.
    pub sequenced: Option<Sequenced>,
    /// What policy reports instead of refusing.
    pub flags: Vec<Flag>,
    /// Type of the content: authenticated, or by policy.
    pub content_type: Option<ContentType>,
    /// The cleartext.
    pub content: Vec<u8>,
    /// Most readings that policy takes from one message.
    pub max_readings: usize,
    /// Reading times further ahead than this many seconds are flagged.
    pub max_future_s: i64,
    /// Silence beyond this many seconds is named.
    pub max_silence_s: Option<i64>,
}

/// An opened message that passed every check of the guard. Once-only is decided in the transaction that concludes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled(Facts);

impl Settled {
    /// Only the guard says that a message is settled.
    pub(in crate::guard) const fn new(facts: Facts) -> Self {
        Self(facts)
    }

    /// A settled message for tests of the store, which must not depend on the guard.
    #[cfg(test)]
    pub(crate) const fn assume(facts: Facts) -> Self {
        Self(facts)
    }

    /// The facts.
    pub const fn facts(&self) -> &Facts {
        &self.0
    }
}

/// Why an item is refused: a reason for the operator, and what is proven by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// For the operator, in words; names no secret.
    pub detail: Option<String>,
    /// Family, where recognised.
    pub format: Option<Format>,
    /// The kid that the envelope names: a claim.
    pub kid: Option<Vec<u8>>,
    /// The device, only where it authenticated before the refusal.
    pub device: Option<String>,
}
