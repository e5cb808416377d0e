//! What is reported of a message instead of refusing it, as bits of a column and as words of the contract.
//!
//! Imports nothing.

/// Numbers before this one are missing.
pub(in crate::store) const GAP_BEFORE: i64 = 1;
/// A higher number, or a newer kid context, came before.
pub(in crate::store) const OUT_OF_ORDER: i64 = 2;
/// Issued long before it arrived.
pub(in crate::store) const LATE: i64 = 4;
/// The relay names another endpoint.
pub(in crate::store) const ENDPOINT_MISMATCH: i64 = 8;
/// The sender's signature is around ciphertext.
pub(in crate::store) const SIGNS_CIPHERTEXT: i64 = 16;

/// The names of the bits, in the order of the contract.
const NAMES: [(i64, &str); 5] = [
    (GAP_BEFORE, "gap_before"),
    (OUT_OF_ORDER, "out_of_order"),
    (LATE, "late"),
    (ENDPOINT_MISMATCH, "endpoint_mismatch"),
    (SIGNS_CIPHERTEXT, "signs_ciphertext"),
];

/// The bit, where it holds.
pub(in crate::store) const fn bit(holds: bool, bit: i64) -> i64 {
    if holds { bit } else { 0 }
}

/// The words of a column.
pub(in crate::store) fn names(bits: i64) -> Vec<&'static str> {
    NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
}
