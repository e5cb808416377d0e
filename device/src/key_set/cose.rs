//! Keys of a set for any shape of COSE, with the inputs of key derivations from its record.

use std::vec::Vec;

use super::{Base64, Jwk, KeySet, KeySetError, Party};
use crate::cose::recipient::{self, Inputs};
use crate::primitive::key::Key;

impl KeySet {
    /// The key of that name (`kid`, or `kid_hex`), or the only one; with the key derivation's inputs that its record has.
    pub fn cose_key(&self, name: Option<&str>) -> Result<(Key, Inputs), KeySetError> {
        let (at, key) = self.find(name)?;
        let found = key.key().map_err(|fault| KeySetError::Key { number: at + 1, fault })?;
        Ok((found, key.inputs()))
    }
}

impl Jwk {
    /// What the record says is in no message.
    fn inputs(&self) -> Inputs {
        let policy = self.paperknife.clone().unwrap_or_default();
        Inputs {
            party_u: party(policy.party_u),
            party_v: party(policy.party_v),
            salt: bytes(policy.salt),
            pub_other: bytes(policy.pub_other),
            priv_other: bytes(policy.priv_other),
            unsent: true,
        }
    }
}

fn party(party: Option<Party>) -> recipient::Party {
    let Party { identity, nonce, other } = party.unwrap_or_default();
    recipient::Party { identity: bytes(identity), nonce: bytes(nonce), other: bytes(other) }
}

fn bytes(given: Option<Base64>) -> Option<Vec<u8>> {
    given.map(|bytes| bytes.0.to_vec())
}
