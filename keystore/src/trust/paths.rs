//! What stands before paths: those that were found, by the SHA-256 of the certificate that they start from. Never by issuer
//! and serial number, which anybody can put into a certificate. What was not found is not kept: the next message may bring
//! the certificate that was missing.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::{Arc, PoisonError, RwLock};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache as Bounded, DefaultLifecycle};

use crate::certificate::sha256;
use crate::key::KeyRef;
use crate::trust::known::Known;
use crate::trust::{Chain, Usage};

/// Certificates whose keys are kept.
const PATHS: usize = 10_000;

/// Bounded cache of paths, and what is known of issuers, by tenant. All of it ends with an epoch of the keys' cache.
pub(crate) struct Paths {
    known: RwLock<BTreeMap<String, (u64, Arc<Known>)>>,
    found: Bounded<[u8; 32], Found, UnitWeighter, RandomState>,
}

#[derive(Clone)]
struct Found {
    epoch: u64,
    from: i64,
    until: i64,
    key: KeyRef,
}

impl Paths {
    pub(crate) fn new() -> Self {
        let found = Bounded::with(PATHS, PATHS as u64, UnitWeighter, RandomState::new(), DefaultLifecycle::default());
        Self { known: RwLock::default(), found }
    }

    /// What was asked, as one name: everything that the answer depends on beside the records and the time.
    pub(super) fn name(tenant: &str, chain: &Chain<'_>) -> [u8; 32] {
        let asked = [u8::from(chain.usage == Usage::Agrees), u8::from(chain.any_purpose)];
        let length = (tenant.len() as u64).to_be_bytes();
        let format = chain.format.as_bytes();
        sha256(&[&length[..], tenant.as_bytes(), &asked, &sha256(chain.leaf), format].concat())
    }

    /// The key of that name, if its path holds at that time.
    pub(super) fn find(&self, epoch: u64, name: &[u8; 32], at: i64) -> Option<KeyRef> {
        let found = self.found.get(name)?;
        (found.epoch == epoch && (found.from..=found.until).contains(&at)).then_some(found.key)
    }

    /// Keeps a key that was found by a look-up begun in `epoch`, and that holds from then until then.
    pub(super) fn keep(&self, epoch: u64, name: [u8; 32], (from, until): (i64, i64), key: &KeyRef) {
        self.found.insert(name, Found { epoch, from, until, key: key.clone() });
    }

    /// What is known in a tenant, read by `read` unless it is here.
    pub(super) fn known<E>(
        &self,
        epoch: u64,
        tenant: &str,
        read: impl FnOnce() -> Result<Known, E>,
    ) -> Result<Arc<Known>, E> {
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let here = all.get(tenant).filter(|(of, _)| *of == epoch).map(|(_, known)| Arc::clone(known));
        drop(all);
        if let Some(known) = here {
            return Ok(known);
        }
        let known = Arc::new(read()?);
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.to_owned(), (epoch, Arc::clone(&known)));
        Ok(known)
    }
}
