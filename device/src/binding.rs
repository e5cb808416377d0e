//! The binding: what device and gateway both know, authenticated and never sent (profile.md §4).

use alloc::vec::Vec;

use crate::cbor;

/// Name of the profile: first element of the binding and of every derivation.
pub(crate) const PROFILE: &str = "paperknife-1";

/// `["paperknife-1", aud: tstr, ep: tstr, path: tstr / nil]`
pub(crate) fn external_aad(audience: &str, device: &str, path: Option<&str>) -> Vec<u8> {
    cbor::bytes(|to| {
        to.array(4)?.str(PROFILE)?.str(audience)?.str(device)?;
        match path {
            Some(path) => to.str(path)?.ok(),
            None => to.null()?.ok(),
        }
    })
}
