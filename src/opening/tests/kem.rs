//! KEMRecipientInfo (RFC 9629, RFC 9936): messages that pyca/cryptography's ML-KEM-768, HKDF, AES key wrap and AES-GCM
//! made, to the key of the seed 00 … 3f, under the key identifier `kem-1`. One has keying material.

use keystore::{Defaults, ImportOptions, Keystore};

use super::NOW_S;
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, Reason, Sealed, Timestamp};
use crate::opening::{Finding, House, find};

const KEY: &[u8] = include_bytes!("kem/ml-kem-768.pem");
const MESSAGE: &[u8] = include_bytes!("kem/ml-kem-768.der");
const WITH_UKM: &[u8] = include_bytes!("kem/ml-kem-768-ukm.der");
/// Contents of the OBJECT IDENTIFIER of id-data.
const ID_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
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
        unauthenticated_sender: unauthenticated,
        ..Arrival::offline(&claims, &compat, Timestamp::from_seconds(NOW_S))
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

/// Octets that neither key nor tag covers: the version of AuthEnvelopedData, and the type of its content, which without
/// authenticated attributes is not bound (RFC 5083 §2.2). Of every other octet a change keeps the message shut.
#[test]
fn every_octet_that_is_covered_keeps_it_shut() {
    let house = house("kem-1");
    let opens = |message: &[u8]| matches!(open(&house, message, true), Finding::Opened(..));
    let changed = |at: usize| {
        let mut changed = WITH_UKM.to_vec();
        changed[at] ^= 1;
        changed
    };
    let version = 27;
    let content_type = WITH_UKM.windows(ID_DATA.len()).rposition(|window| window == ID_DATA).unwrap();
    let uncovered = |at: usize| at == version || (content_type..content_type + ID_DATA.len()).contains(&at);
    let open: Vec<_> = (0..WITH_UKM.len()).filter(|at| !uncovered(*at) && opens(&changed(*at))).collect();
    assert_eq!(open, Vec::<usize>::new());
    assert!((0..WITH_UKM.len()).step_by(7).all(|length| !opens(&WITH_UKM[..length])), "cut");
}
