//! KEMRecipientInfo (RFC 9629, RFC 9936): messages that pyca/cryptography's ML-KEM-768, HKDF, AES key wrap and AES-GCM
//! made, to the key of the seed 00 … 3f, under the key identifier `kem-1`. One has keying material.

use keystore::{Defaults, ImportOptions, Keystore};

use super::NOW_S;
use crate::envelope::Limits;
use crate::guard::{Arrival, Guess};
use crate::item::{Claims, Compat, Reason, Sealed, Timestamp};
use crate::opening::{Finding, House, find};

const KEY: &[u8] = include_bytes!("kem/ml-kem-768.pem");
const MESSAGE: &[u8] = include_bytes!("kem/ml-kem-768.der");
const WITH_UKM: &[u8] = include_bytes!("kem/ml-kem-768-ukm.der");
const CONTENT: &[u8] = br#"[{"n":"/3303/0/5700","v":21.5}]"#;

fn house(kid: &str) -> House {
    let keystore = Keystore::ephemeral(Defaults::default()).unwrap();
    let options = ImportOptions { kid: Some(kid.as_bytes().to_vec()), ..ImportOptions::default() };
    keystore.import(KEY, &options).unwrap();
    House::new(keystore.into(), Limits::default())
}

/// Nobody's signature is inside: `unauthenticated` lets it open all the same.
fn open(house: &House, message: &[u8], unauthenticated: bool) -> Finding {
    let (compat, claims) = (Compat::default(), Claims::default());
    let arrival = Arrival {
        relay: "",
        tenant: "default",
        received_at: Timestamp::from_seconds(NOW_S),
        claims: &claims,
        unauthenticated_sender: unauthenticated,
        external_aad: None,
        compat: &compat,
        detached: None,
        all_signers: false,
        judges_expiry: true,
        guess: Guess::default(),
    };
    find(house, &arrival, &Sealed { bytes: message.into(), cose_type: None }).unwrap()
}

#[test]
fn what_was_encapsulated_to_us_opens() {
    let house = house("kem-1");
    for message in [MESSAGE, WITH_UKM] {
        let Finding::Opened(settled, _) = open(&house, message, true) else { panic!("it does not open") };
        let facts = settled.facts();
        assert_eq!(facts.content, CONTENT);
        assert_eq!(facts.proven.sender, None, "anybody can seal to a public key");
        let Finding::Refused(refusal) = open(&house, message, false) else { panic!("it is not refused") };
        assert_eq!(refusal.reason, Reason::UnauthenticatedSender);
    }
    let Finding::Held(held) = open(&self::house("kem-2"), MESSAGE, true) else { panic!("it is not held") };
    assert_eq!(held.reason, Reason::NoKey);
}

/// Nothing of it is without meaning: who, how, for what, the key and the content.
#[test]
fn every_changed_octet_keeps_it_shut() {
    let house = house("kem-1");
    for at in 0..WITH_UKM.len() {
        let mut changed = WITH_UKM.to_vec();
        changed[at] ^= 1;
        assert!(!matches!(open(&house, &changed, true), Finding::Opened(..)), "octet {at}");
    }
    for length in (0..WITH_UKM.len()).step_by(7) {
        assert!(!matches!(open(&house, &WITH_UKM[..length], true), Finding::Opened(..)), "cut to {length}");
    }
}
