//! What a derivation is bound to, from the envelope and from the key record: they may complete, not contradict each
//! other, and a direct derivation needs something that makes it unique (cose.md §3).
//!
//! Imports its parent, `envelope`, `item` and the keystore's data.

use keystore::key::{self, KeyRef};

use crate::envelope::cose::{KdfInputs, Management, Message, Party, Recipient, Way};
use crate::guard::Denied;
use crate::item::Reason;

/// COSE_KDF_Context of a way; no bytes where it derives nothing.
pub(super) fn context(message: &Message, way: Way, key: &KeyRef, compat: bool) -> Result<Vec<u8>, Denied> {
    if !message.recipient(way).and_then(Recipient::management).is_some_and(Management::derives) {
        return Ok(Vec::new());
    }
    let given = &key.policy.kdf_inputs;
    if !compat && message.repeats(way, given.salt.is_some(), given.party_u.nonce.is_some()) {
        return Err(Denied::new(Reason::KdfNotUnique, "a derived key with neither a salt nor a nonce of party U"));
    }
    let inputs = KdfInputs {
        party_u: party(&given.party_u),
        party_v: party(&given.party_v),
        pub_other: given.pub_other.as_deref(),
        private: given.priv_other,
    };
    let contradiction = Denied::new(Reason::BindingMismatch, "a KDF input differs from the key record's");
    if contradicts(message, way, given.salt.as_deref()) {
        return Err(contradiction);
    }
    match message.kdf_context(way, &inputs) {
        Some(context) => context.map_err(|_| contradiction),
        None => Err(Denied::new(Reason::Unsupported, "nothing to derive a key for")),
    }
}

fn contradicts(message: &Message, way: Way, salt: Option<&[u8]>) -> bool {
    let wire = message.recipient(way).and_then(|recipient| recipient.headers().salt());
    matches!((wire, salt), (Some(wire), Some(given)) if message.slice(wire) != given)
}

fn party(of: &key::Party) -> Party<'_> {
    Party { identity: of.identity.as_deref(), nonce: of.nonce.as_deref(), other: of.other.as_deref() }
}
