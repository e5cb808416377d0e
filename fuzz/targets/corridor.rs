//! What the targets of envelopes share: a house of test keys, and one walk through it. What opens under a key that nobody
//! else has would be a forgery.

use keystore::{Defaults, ImportOptions, Keystore};
use paperknife::envelope::{self, Envelope, Limits, Reading};
use paperknife::guard::Arrival;
use paperknife::item::{Claims, Compat, Format, Sealed, Timestamp};
use paperknife::opening::{House, find, off_by_default};
use paperknife::store::ledger::Finding;

/// A house of these keys, a JWK Set. Those that name no algorithm run what `compat` turns on beside.
pub fn house(keys: &str, compat: &Compat, format: Format) -> House {
    let keystore = Keystore::ephemeral(Defaults::default()).expect("a keystore in memory");
    let options = ImportOptions { also: off_by_default(compat, Some(format)), ..ImportOptions::default() };
    keystore.import(keys.as_bytes(), &options).expect("sound keys");
    House::new(keystore.into(), Limits::default())
}

/// Reads, describes and walks, strict and under `lenient`.
pub fn walk(house: &House, sealed: &Sealed, lenient: &Compat) {
    let limits = Limits::default();
    for compat in [Compat::STRICT, lenient] {
        if let Ok(envelope) = Envelope::parse(sealed, &Reading { limits: &limits, compat, detached: None }) {
            let _ = (envelope.describe(), envelope.key_names());
        }
        let claims = Claims::default();
        let arrival = Arrival::offline(&claims, compat, Timestamp::from_millis(1_790_856_030_000));
        let finding = find(house, &arrival, sealed).expect("no failure of ours");
        assert!(!matches!(finding, Finding::Opened(..)), "a forgery");
    }
    let _ = envelope::recognise(&sealed.bytes, sealed.cose_type);
}
