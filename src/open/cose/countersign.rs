//! Countersignatures on an authentic layer, checked where their key is known (RFC 9338).
//!
//! Imports `envelope`, `item` and keystore operations. What they say is reported and decides nothing: the layer is
//! authentic without them.

use keystore::key::{Algorithm, KeyRef, Name};
use keystore::recipe::Recipe;
use keystore::{Keystore, OpenError};

use crate::envelope::Binding;
use crate::envelope::cose::{Countersignature, Message, Target};
use crate::guard::admit::allows;
use crate::item::{Compat, Countersigned, Departure};

/// Checks each countersignature of a message with at most `spare` public-key operations.
pub(super) fn verify(
    message: &Message,
    binding: &Binding,
    tenant: &str,
    keystore: &Keystore,
    compat: &Compat,
    spare: usize,
) -> Result<Vec<Countersigned>, OpenError> {
    let mut check = Check { message, binding, tenant, keystore, compat, spare };
    message.countersignatures().map(|(target, countersignature)| check.one(target, countersignature)).collect()
}

struct Check<'a> {
    message: &'a Message,
    binding: &'a Binding,
    tenant: &'a str,
    keystore: &'a Keystore,
    compat: &'a Compat,
    spare: usize,
}

impl Check<'_> {
    /// What the countersignature says of itself, not checked.
    fn report(&self, target: Target, of: &Countersignature) -> Countersigned {
        let kid = of.headers.kid.as_ref().map(|kid| self.message.slice(&kid.value).to_vec());
        Countersigned {
            on: target.to_string(),
            label: of.label,
            alg: None,
            kid,
            signer: None,
            key: None,
            verified: None,
        }
    }

    fn one(&mut self, target: Target, of: &Countersignature) -> Result<Countersigned, OpenError> {
        let mut report = self.report(target, of);
        let mut keys = self.keystore.find(self.tenant, report.kid.as_deref().map(Name::Kid))?;
        keys.retain(|key| !of.is_old() || allows(Departure::CountersignV1, key, self.compat));
        let message = self.message.countersigned(target, of, self.binding);
        for (key, algorithm) in keys.iter().flat_map(|key| algorithms(of, key).into_iter().map(move |alg| (key, alg))) {
            if self.spare == 0 {
                return Ok(report);
            }
            self.spare -= 1;
            let signature = self.message.slice(&of.signature);
            match self.keystore.run(&Recipe::Verify { key, algorithm, messages: &[&message], signature }) {
                Ok(_) => {
                    report.verified = Some(true);
                    report.alg = Some(algorithm.name().to_owned());
                    report.kid = Some(key.kid.clone());
                    report.signer.clone_from(&key.device);
                    report.key = Some(key.id.clone());
                    return Ok(report);
                }
                Err(OpenError::Rejected) => report.verified = Some(false),
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }
}

/// The algorithm that its headers name; of an abbreviated form, those of the key (RFC 9338 §3.2).
fn algorithms(of: &Countersignature, key: &KeyRef) -> Vec<Algorithm> {
    if key.private || !key.status.opens() {
        return Vec::new();
    }
    let stated = of.headers.alg.as_ref().map(|alg| alg.value.and_then(|id| Algorithm::from_cose(id, key.kty)));
    let allowed = key.policy.algs.iter().copied();
    match stated {
        Some(stated) => allowed.filter(|algorithm| Some(*algorithm) == stated).collect(),
        None if of.is_abbreviated() => allowed.take(1).collect(),
        None => Vec::new(),
    }
}
