//! Two audiences: [`AdminError`] helps the operator, [`OpenError`] tells the world nothing.
//! Neither ever holds a key byte: what a parser of secrets says of its input is not passed on.

use std::borrow::Cow;

/// Why an administrative act was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// What is there already stands against it.
    #[error("{0}")]
    Conflict(String),
    /// A failure of ours: the file, the disk.
    #[error("keystore failure: {0}")]
    Failed(String),
    /// A key file that is not taken.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A request that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Nothing of that name.
    #[error("no such {0}")]
    NotFound(String),
    /// The root key, or what it opens.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// A record that fails its integrity check.
    #[error("the record of {0} fails its integrity check")]
    Tampered(String),
}

/// Why the strongroom does not open at start.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// Others can read the root key.
    #[error("{0}: group or others may access the root key; make it mode 0600")]
    Exposed(String),
    /// Not a root key.
    #[error("{0}: a root key is a regular file of 32 bytes")]
    Malformed(String),
    /// keystore.db without root.key: a new root key would open nothing.
    #[error("{0}: missing, but a keystore.db is there that only the old root key opens")]
    Missing(String),
    /// The root key of another keystore.
    #[error("{0}: this is not the root key that keystore.db was sealed under; nothing was changed")]
    Wrong(String),
}

/// Which key of a file is not taken, and why: by place and field, never by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{reason}", place(*.index, .kid_hex.as_deref()), member(.field.as_deref()))]
pub struct ImportError {
    /// Place in the file, from 0; none where the whole file is at fault.
    pub index: Option<usize>,
    /// The key's kid, as far as it was read.
    pub kid_hex: Option<String>,
    /// The member at fault.
    pub field: Option<String>,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

fn place(index: Option<usize>, kid_hex: Option<&str>) -> String {
    match (index, kid_hex) {
        (Some(index), Some(kid)) => format!("key {index} (kid {kid}): "),
        (Some(index), None) => format!("key {index}: "),
        (None, _) => String::new(),
    }
}

fn member(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!("`{field}` "))
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

impl From<rusqlite::Error> for AdminError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for AdminError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
