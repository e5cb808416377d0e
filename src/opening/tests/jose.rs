//! JOSE walked through the corridor: a desk with keys opens what the files hold.

use keystore::{Defaults, ImportOptions, Keystore};
use serde_json::{Value, json};

use super::{NOW_S, facts, reason};
use crate::envelope::Limits;
use crate::guard::Arrival;
use crate::item::{Claims, Compat, Departure, Format, Sealed, Timestamp};
use crate::opening::{Finding, House, find, off_by_default};

mod attacks;
mod cookbook;
mod differential;
mod shapes;
mod tokens;
mod wycheproof;

/// Keys, and what is known of an envelope beside its bytes.
#[derive(Clone, Debug)]
struct Desk<'a> {
    keys: Vec<Value>,
    compat: &'a [&'a str],
    audience: &'a [&'a str],
    claims: Claims,
    detached: Option<&'a [u8]>,
    all_signers: bool,
    judges_expiry: bool,
    now_s: i64,
}

impl<'a> Desk<'a> {
    fn of(keys: &[Value]) -> Self {
        Self {
            keys: keys.to_vec(),
            compat: &[],
            audience: &[],
            claims: Claims::default(),
            detached: None,
            all_signers: false,
            judges_expiry: true,
            now_s: NOW_S,
        }
    }

    /// The same under departures of these names.
    fn under(self, compat: &'a [&'a str]) -> Self {
        Self { compat, ..self }
    }

    /// A keystore of its keys; none where they are not taken.
    fn keystore(&self, compat: &Compat) -> Option<Keystore> {
        let audience = self.audience.iter().map(|audience| (*audience).to_owned()).collect();
        let keystore = Keystore::ephemeral(Defaults { audience }).unwrap();
        let also = off_by_default(compat, Some(Format::Jose));
        let file = json!({"keys": self.keys}).to_string();
        keystore.import(file.as_bytes(), &ImportOptions { also, ..ImportOptions::default() }).ok()?;
        Some(keystore)
    }

    fn departures(&self) -> Compat {
        let mut compat = Compat::default();
        self.compat.iter().for_each(|name| compat.allow(name).unwrap());
        compat
    }

    /// A house of its keys; none where they are not taken.
    fn house(&self) -> Option<House> {
        Some(House::new(self.keystore(&self.departures())?.into(), Limits::default()))
    }

    fn open(&self, sealed: &[u8]) -> Finding {
        self.open_in(&self.house().expect("sound keys"), sealed)
    }

    fn open_in(&self, house: &House, sealed: &[u8]) -> Finding {
        let compat = self.departures();
        let arrival = Arrival {
            unauthenticated_sender: compat.allows(Departure::UnauthenticatedSender),
            detached: self.detached,
            all_signers: self.all_signers,
            judges_expiry: self.judges_expiry,
            ..Arrival::offline(&self.claims, &compat, Timestamp::from_seconds(self.now_s))
        };
        find(house, &arrival, &Sealed { bytes: sealed.into(), cose_type: None }).unwrap()
    }
}
