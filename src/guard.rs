//! The guard: what may be tried, and what is proven.
//!
//! Before a layer authenticates, all in it is a claim: [`admit`] only says whether it may be tried. After all layers
//! authenticate, [`settle`] judges what is proven: sender, binding, freshness. No state moves here; once-only is a
//! property of storage. Imports `item` alone (its children say what they import).

use crate::item::{Claims, Compat, Reason, Taken, Timestamp};

pub mod admit;
pub mod sequence;
pub mod settle;
pub mod settled;

/// What is known of an item besides its bytes: who brought it, when, and what the relay says of it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who brought it.
    pub relay: &'a str,
    /// Tenant of the relay's account; scopes every look-up.
    pub tenant: &'a str,
    /// When it was taken: freshness and key windows are judged at this time.
    pub received_at: Timestamp,
    /// The relay's claims.
    pub claims: &'a Claims,
    /// Whether an envelope may pass that nobody known stands behind.
    pub unauthenticated_sender: bool,
    /// external_aad set outright by the caller (offline `open --aad`).
    pub external_aad: Option<&'a [u8]>,
    /// Departures from the strict default (offline `open --compat`).
    pub compat: &'a Compat,
    /// Content that the envelope leaves out (offline `open --detached`).
    pub detached: Option<&'a [u8]>,
    /// Of a COSE_Sign or a JWS, every signer whose key is known must hold; else one of them.
    pub all_signers: bool,
    /// Whether exp and nbf of a token are judged at `received_at`; else they are reported alone.
    pub judges_expiry: bool,
    /// Values tried in place of the envelope's own (offline `open --explain`).
    pub guess: Guess<'a>,
}

/// What a layer may have been sealed with in place of what it says: for an explanation, never for an opening.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guess<'a> {
    /// The layer, the outermost being 0.
    pub layer: usize,
    /// Number of the content algorithm.
    pub algorithm: Option<i64>,
    /// kid context, or that there is none.
    pub kid_context: Option<Option<&'a [u8]>>,
}

impl<'a> Arrival<'a> {
    /// The arrival of a taken item.
    pub fn of(taken: &'a Taken) -> Self {
        Self {
            relay: &taken.origin.relay,
            tenant: &taken.origin.tenant,
            unauthenticated_sender: taken.origin.unauthenticated_sender,
            ..Self::offline(&taken.claims, Compat::STRICT, taken.received_at)
        }
    }

    /// What no relay brought: in the default tenant, and strict but for what the caller goes on to say.
    pub fn offline(claims: &'a Claims, compat: &'a Compat, received_at: Timestamp) -> Self {
        Self {
            relay: "",
            tenant: "default",
            received_at,
            claims,
            unauthenticated_sender: false,
            external_aad: None,
            compat,
            detached: None,
            all_signers: false,
            judges_expiry: true,
            guess: Guess::default(),
        }
    }

    /// As it concerns one layer: a guess is for that layer alone.
    pub fn at_layer(self, layer: usize) -> Self {
        let guess = if self.guess.layer == layer { self.guess } else { Guess::default() };
        Self { guess, ..self }
    }
}

/// The guard's no: a reason, and words for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The code.
    pub reason: Reason,
    /// What was at fault.
    pub detail: &'static str,
    /// The device, only where it is proven.
    pub device: Option<String>,
    /// Of the layers that are proven, the one at fault, the outermost being 0; none before they are.
    pub layer: Option<usize>,
}

impl Denied {
    const fn new(reason: Reason, detail: &'static str) -> Self {
        Self { reason, detail, device: None, layer: None }
    }

    fn at(self, layer: usize) -> Self {
        Self { layer: Some(layer), ..self }
    }
}
