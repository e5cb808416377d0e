//! Two audiences: [`AdminError`] helps the operator, [`OpenError`] tells the world nothing.

/// Why an administrative act was not done. Never holds key bytes.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// replaced by the keystore worker
    #[error("{0}")]
    Invalid(String),
}

/// Why a recipe did not hold.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Tag, MAC, signature, unwrap, point: one name for the whole oracle family. Also a key that cannot serve the algorithm.
    #[error("not authentic")]
    Rejected,
    /// This key's record fails its integrity check.
    #[error("the record of key {0} fails its integrity check")]
    Tampered(String),
    /// A failure of ours: the file, the disk. No verdict.
    #[error("keystore failure: {0}")]
    Failed(String),
}
