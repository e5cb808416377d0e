//! Import: a key file in any form that is understood, judged key by key, recorded as a whole or not at all.

mod certificate;
mod cose_key;
pub(crate) mod draft;
mod jwk;
mod members;
pub(crate) mod pem;

use std::borrow::Cow;

use zeroize::Zeroizing;

use crate::error::ImportError;
use crate::import::draft::{Draft, Offered};
use crate::key::Algorithm;
use crate::private_key::{KeyMaterial, Symmetric};

/// A key file is at most 1 MiB (keystore.md §6).
const FILE_MAX: usize = 1 << 20;

/// What the operator says for keys that do not say it themselves.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// kid bytes, for a file of one key.
    pub kid: Option<Vec<u8>>,
    /// The identity that a sender's key proves.
    pub device: Option<String>,
    /// Tenant; `default` where nobody says.
    pub tenant: Option<String>,
    /// `paperknife-1` or none.
    pub profile: Option<String>,
    /// Names from the IANA registries.
    pub algs: Vec<String>,
    /// Offline: algorithms that are off by default (RS256, RSAES-OAEP with SHA-1, ES512 on P-256, Ed448 …) and that keys
    /// which name none may run all the same.
    pub also: Vec<Algorithm>,
}

/// Why one key is not taken.
#[derive(Debug)]
pub(crate) struct Fault {
    field: Option<String>,
    reason: Cow<'static, str>,
    /// Sound as far as it is understood: a set may hold keys that are for somebody else (RFC 7517 §5).
    unsupported: bool,
}

/// One key of a file.
struct Placed {
    kid: Option<Vec<u8>>,
    offered: Result<Offered, Fault>,
}

impl Fault {
    fn at(field: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.to_owned()), reason: reason.into(), unsupported: false }
    }

    fn unsupported(field: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { unsupported: true, ..Self::at(field, reason) }
    }

    fn whole(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: None, reason: reason.into(), unsupported: false }
    }

    pub(crate) fn placed(self, index: Option<usize>, kid: Option<&[u8]>) -> ImportError {
        ImportError { index, kid_hex: kid.map(hex::encode), field: self.field, reason: self.reason }
    }
}

/// The keys of a file, judged. Offline, of several keys those that are not supported are left out.
pub(crate) fn read(bytes: &[u8], options: &ImportOptions, offline: bool) -> Result<Vec<Draft>, ImportError> {
    let placed = parse(bytes).map_err(|fault| fault.placed(None, None))?;
    if placed.is_empty() {
        return Err(Fault::whole("no key in it").placed(None, None));
    }
    let several = placed.len() > 1;
    let mut drafts = Vec::with_capacity(placed.len());
    for (index, Placed { kid, offered }) in placed.into_iter().enumerate() {
        match offered.and_then(|offered| offered.draft(options, offline)) {
            Ok(draft) => drafts.push(draft),
            Err(fault) if offline && several && fault.unsupported => {}
            Err(fault) => return Err(fault.placed(Some(index), kid.as_deref())),
        }
    }
    Ok(drafts)
}

/// A password as a key.
pub(crate) fn password(bytes: &[u8], options: &ImportOptions, offline: bool) -> Result<Draft, ImportError> {
    let mut options = options.clone();
    if options.algs.is_empty() {
        let of_passwords = Algorithm::ALL.iter().filter(|algorithm| algorithm.is_password());
        options.algs = of_passwords.map(|algorithm| algorithm.name().to_owned()).collect();
    }
    let key = Symmetric { k: Zeroizing::new(bytes.to_vec()), base_iv: None };
    let offered = pem::offered(KeyMaterial::Symmetric(key));
    offered.draft(&options, offline).map_err(|fault| fault.placed(None, options.kid.as_deref()))
}

fn parse(bytes: &[u8]) -> Result<Vec<Placed>, Fault> {
    if bytes.len() > FILE_MAX {
        return Err(Fault::whole("a key file is at most 1 MiB"));
    }
    let text = std::str::from_utf8(bytes).ok();
    match (bytes.trim_ascii_start().first(), text) {
        (Some(b'{'), Some(json)) => jwk::read(json),
        (_, Some(text)) if text.contains("-----BEGIN ") => pem::read(text),
        (Some(0x30), _) => Ok(vec![pem::read_der(bytes)]),
        // CBOR arrays and maps of definite length; no JSON, PEM or DER begins so.
        (Some(0x80..=0x9b | 0xa0..=0xbb), _) => cose_key::read(bytes),
        _ => Err(Fault::whole("neither a JWK, a JWK Set, a COSE_Key, PEM nor DER")),
    }
}

#[cfg(test)]
mod tests;
