//! What the last attempt to store came to, for `readyz`.
//!
//! Imports std alone.

use std::sync::{Mutex, PoisonError};

use crate::store::failure::Failure;

/// The fault that stands, if any.
#[derive(Default)]
pub(in crate::store) struct Health(Mutex<Option<Failure>>);

impl Health {
    /// Ok, or the fault that stands.
    pub(in crate::store) fn check(&self) -> Result<(), Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    /// Something was stored. A fatal fault stays.
    pub(in crate::store) fn recovered(&self) {
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !fault.as_ref().is_some_and(Failure::is_fatal) {
            *fault = None;
        }
    }

    /// Something could not be stored.
    pub(in crate::store) fn failed(&self, failure: Failure) {
        let mut fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !fault.as_ref().is_some_and(Failure::is_fatal) {
            *fault = Some(failure);
        }
    }
}
