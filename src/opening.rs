//! The corridor: taken items to findings, in the order of taking. The only room that knows every room of the write side.
//!
//! May import `item`, `envelope`, `guard`, `open`, `payload`, `store::ledger`, `clock` and the keystore. [`examine`] is
//! plain and synchronous, and moves no state: it is tested without a runtime. `owner` is the one thread that runs it.

use std::sync::Arc;

use keystore::Keystore;
use keystore::key::Algorithm;

use crate::envelope::{self, Envelope, Reading};
use crate::fault;
use crate::guard::settled::{Refusal, Settled};
use crate::guard::{self, Arrival, Denied};
use crate::item::{Compat, Departure, Format, Reason, Sealed, Taken};
use crate::open::{self, Layer, Proof, Unopened};
use crate::payload::{self, Payload};
use crate::store::ledger::{Finding, Held};

mod budget;
pub mod explain;
mod owner;

pub use budget::Budgets;
pub use owner::{Health, Owner, Reopen};

/// What opening needs: the keys, and limits.
pub struct House {
    /// The strongroom.
    pub keystore: Arc<Keystore>,
    /// Limits of the readers.
    pub limits: envelope::Limits,
    /// What relays have spent of their failed openings.
    pub budgets: Budgets,
    /// Called before each item is examined: nothing in production, a planted fault in tests.
    pub probe: fn(&Taken),
}

impl House {
    /// A house of these keys.
    pub fn new(keystore: Arc<Keystore>, limits: envelope::Limits) -> Self {
        Self { keystore, limits, budgets: Budgets::default(), probe: |_| fault::point("opening", "examine") }
    }
}

/// The algorithms that are off by default and that these departures turn on, for keys whose record names none. JOSE
/// and CMS verify RSASSA-PKCS1-v1_5 with them too (jose.md §2, cms.md §2).
pub fn off_by_default(compat: &Compat, format: Option<Format>) -> Vec<Algorithm> {
    const RSA_V15: &[Algorithm] = &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];
    let allowed = Departure::ALL.iter().filter(|departure| compat.allows(**departure));
    let allowed = allowed.flat_map(|departure| Algorithm::turned_on_by(departure.as_str()));
    let of_format = if matches!(format, Some(Format::Cms | Format::Jose)) { RSA_V15 } else { &[] };
    allowed.chain(of_format).copied().collect()
}

/// A failure of ours: no verdict, the item stays pending.
#[derive(Debug, thiserror::Error)]
#[error("cannot open: {0}")]
pub struct Failure(pub String);

/// Why a walk ended before its end.
enum Stop {
    Failed(Failure),
    Held(Held),
    Refused(Refusal),
}

/// Opens a taken item and says what it found. Of a panic or a damaged key record, the item is held, for it may be opened
/// later; nothing behind it waits.
pub fn examine(house: &House, taken: &Taken) -> Result<Finding, Failure> {
    let guarded = std::panic::AssertUnwindSafe(|| {
        (house.probe)(taken);
        find(house, &Arrival::of(taken), &taken.sealed)
    });
    std::panic::catch_unwind(guarded)
        .unwrap_or_else(|_| Ok(Finding::Held(fault_of_ours(None, "a panic while opening"))))
}

/// Opens sealed bytes that arrived so.
pub fn find(house: &House, arrival: &Arrival<'_>, sealed: &Sealed) -> Result<Finding, Failure> {
    walk(house, arrival, sealed, &mut 0)
}

/// The same, and says in `layer` at which it ended, the outermost being 0.
fn walk(house: &House, arrival: &Arrival<'_>, sealed: &Sealed, layer: &mut usize) -> Result<Finding, Failure> {
    match unseal(house, arrival, sealed, layer) {
        Ok((settled, payload)) => Ok(Finding::Opened(Box::new(settled), payload)),
        Err(Stop::Held(held)) => Ok(Finding::Held(held)),
        Err(Stop::Refused(refusal)) => Ok(Finding::Refused(refusal)),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

fn unseal(
    house: &House,
    arrival: &Arrival<'_>,
    sealed: &Sealed,
    layer: &mut usize,
) -> Result<(Settled, Payload), Stop> {
    let reading = Reading { limits: &house.limits, compat: arrival.compat, detached: arrival.detached };
    let parse = |compat: &Compat| Envelope::parse(sealed, &Reading { compat, ..reading });
    let mut envelope = open::read(&house.keystore, arrival, parse).map_err(|why| {
        let format = envelope::family(&sealed.bytes, sealed.cose_type);
        Context { format, kid: None }.unopened(why)
    })?;
    let context = Context { format: Some(envelope.format()), kid: first_kid(&envelope) };
    let mut proof = Proof::none();
    let opened = loop {
        let keys = open::find(&house.keystore, arrival, &envelope).map_err(|why| context.unopened(why))?;
        let admitted =
            guard::admit::admit(envelope, keys, &arrival.at_layer(*layer)).map_err(|denied| context.denied(denied))?;
        if house.budgets.is_exhausted(arrival.relay, &admitted) {
            return Err(context.refused(Reason::BudgetExhausted, "this relay failed too often on this key", None));
        }
        match open::open(&admitted, proof, &house.keystore, &reading, arrival) {
            Ok(Layer::Envelope(inner, so_far)) => (envelope, proof) = (*inner, so_far),
            Ok(Layer::Content(opened)) => break opened,
            Err(why) => {
                if matches!(why, Unopened::AuthFailed) {
                    house.budgets.spend(arrival.relay, &admitted);
                }
                *layer += usize::from(matches!(why, Unopened::Inner(_)));
                return Err(context.unopened(why));
            }
        }
        *layer = proof.layers().len();
        if *layer >= house.limits.layers {
            return Err(context.refused(Reason::Malformed, "more layers than allowed", None));
        }
    };
    let settled = guard::settle::settle(opened, arrival).map_err(|denied| {
        *layer = denied.layer.unwrap_or(*layer);
        context.denied(denied)
    })?;
    let payload = decode(&settled, arrival);
    Ok((settled, payload)) // identity and sequence: in the commit
}

fn decode(settled: &Settled, arrival: &Arrival<'_>) -> Payload {
    let facts = settled.facts();
    let proven = facts.proven.path.as_deref();
    let context = payload::Context {
        issued_at: facts.proven.issued_at,
        received_at: arrival.received_at,
        base_path: proven.or(arrival.claims.path.as_deref()),
        base_path_proven: proven.is_some(),
        max_future_s: facts.max_future_s,
        max_readings: facts.max_readings,
    };
    payload::decode(facts.content_type.as_ref(), &facts.content, &context)
}

/// What the operator sees of an item whatever becomes of it: claims of the outermost layer.
struct Context {
    format: Option<Format>,
    kid: Option<Vec<u8>>,
}

impl Context {
    fn refused(&self, reason: Reason, detail: &str, device: Option<String>) -> Stop {
        let (format, kid) = (self.format, self.kid.clone());
        Stop::Refused(Refusal { reason, detail: Some(detail.to_owned()), format, kid, device })
    }

    fn denied(&self, denied: Denied) -> Stop {
        self.refused(denied.reason, denied.detail, denied.device)
    }

    fn unopened(&self, why: Unopened) -> Stop {
        match why {
            Unopened::AuthFailed => self.refused(Reason::AuthFailed, "not authentic", None),
            Unopened::Certificate => {
                self.refused(Reason::KeyNotUsable, "a certificate other than the one that x5t names", None)
            }
            Unopened::Unusable(flaw) => {
                let detail = format!("the certificate of the sender may not be used: {flaw}");
                self.refused(Reason::KeyNotUsable, &detail, None)
            }
            Unopened::Unread(fault) | Unopened::Inner(fault) => self.refused(fault.reason, fault.detail, None),
            Unopened::KeyUnknown(key_names) => {
                Stop::Held(Held { reason: Reason::NoKey, format: self.format, key_names, detail: None })
            }
            Unopened::Tampered(key) => {
                let detail = format!("the record of key {key} fails its integrity check");
                Stop::Held(fault_of_ours(self.format, &detail))
            }
            Unopened::Failed(detail) => Stop::Failed(Failure(detail)),
        }
    }
}

fn fault_of_ours(format: Option<Format>, detail: &str) -> Held {
    Held { reason: Reason::InternalError, format, key_names: Vec::new(), detail: Some(detail.to_owned()) }
}

fn first_kid(envelope: &Envelope) -> Option<Vec<u8>> {
    envelope.key_names().first()?.kid().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests;
