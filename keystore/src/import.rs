//! Import: a file of keys, certificates or CRLs in any form that is understood, judged one by one, recorded as a whole or
//! not at all.

mod certificate;
mod cose_key;
pub(crate) mod draft;
mod jwk;
mod members;
pub(crate) mod pem;

use std::borrow::Cow;

use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::error::ImportError;
use crate::import::draft::{Draft, Offered};
use crate::key::Algorithm;
use crate::private_key::{KeyMaterial, Symmetric};
use crate::trust::policy::AnchorPolicy;
use crate::trust::revocation::Crl;

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
    /// The certificates are those of CAs, and trusted: what one of them signs, directly or over others, may say whose key
    /// it is. `profile` and `algs` are then the policy of every key under them.
    pub anchor: bool,
    /// Of an anchor: where certificates under it name their device, in this order: `hardware-module`, `uri`,
    /// `serial-number`, `common-name`. None: all of them.
    pub device_from: Vec<String>,
    /// Of an anchor: extended key usages that are taken beside clientAuth and anyExtendedKeyUsage, OIDs.
    pub purposes: Vec<String>,
    /// Of an anchor: without a CRL of each issuer nothing under it is trusted.
    pub revocation_required: bool,
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
    pub(crate) fn at(field: &str, reason: impl Into<Cow<'static, str>>) -> Self {
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

/// One thing in a file.
enum Entry {
    Certificate(Box<Certificate>),
    Crl(Box<Crl>),
    Key(Box<Placed>),
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

/// What may be recorded.
pub(crate) enum Drafted {
    Certificate(Box<Certificate>, Role),
    Crl(Box<Crl>),
    Key(Box<Draft>),
}

/// What a certificate is recorded as, unless it is that of one of our keys.
pub(crate) enum Role {
    Anchor(Box<AnchorPolicy>),
    /// May stand on a path; is not trusted.
    Candidate,
    /// Proves its device. A key that cannot be recorded may still be one of ours.
    Pin(Result<Box<Draft>, ImportError>),
}

/// What a file holds, judged: keys first, so that certificates find theirs. Offline, of several keys those that are not
/// supported are left out.
pub(crate) fn read(bytes: &[u8], options: &ImportOptions, offline: bool) -> Result<Vec<Drafted>, ImportError> {
    let entries = parse(bytes).map_err(|fault| fault.placed(None, None))?;
    if entries.is_empty() {
        return Err(Fault::whole("no key in it").placed(None, None));
    }
    let several = entries.len() > 1;
    let (mut keys, mut others) = (Vec::with_capacity(entries.len()), Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        match entry {
            Entry::Certificate(certificate) => {
                // The end-entity's stands first.
                let is_end = !others.iter().any(|other| matches!(other, Drafted::Certificate(..)));
                let role = role(&certificate, options, offline, is_end);
                let role = role.map_err(|fault| fault.placed(Some(index), None))?;
                others.push(Drafted::Certificate(certificate, role));
            }
            Entry::Crl(crl) => others.push(Drafted::Crl(crl)),
            Entry::Key(_) if options.anchor => {
                return Err(Fault::whole("is a key: only a certificate is an anchor").placed(Some(index), None));
            }
            Entry::Key(placed) => match placed.offered.and_then(|offered| offered.draft(options, offline)) {
                Ok(draft) => keys.push(Drafted::Key(Box::new(draft))),
                Err(fault) if offline && several && fault.unsupported => {}
                Err(fault) => return Err(fault.placed(Some(index), placed.kid.as_deref())),
            },
        }
    }
    keys.extend(others);
    Ok(keys)
}

/// `is_end`: the first certificate of its file, which is the one that an operator means by `device`.
fn role(certificate: &Certificate, options: &ImportOptions, offline: bool, is_end: bool) -> Result<Role, Fault> {
    if options.anchor {
        return AnchorPolicy::of(certificate, options).map(|policy| Role::Anchor(Box::new(policy)));
    }
    // Offline it proves itself, unless it is of a CA that somebody else made one.
    let proves_itself = offline && (!certificate.is_ca || certificate.is_self_issued());
    if !(proves_itself || is_end && options.device.is_some()) {
        return Ok(Role::Candidate);
    }
    let draft = certificate::offered(certificate).and_then(|offered| offered.draft(options, offline));
    Ok(Role::Pin(draft.map(Box::new).map_err(|fault| fault.placed(None, None))))
}

fn parse(bytes: &[u8]) -> Result<Vec<Entry>, Fault> {
    if bytes.len() > FILE_MAX {
        return Err(Fault::whole("a key file is at most 1 MiB"));
    }
    let text = std::str::from_utf8(bytes).ok();
    match (bytes.trim_ascii_start().first(), text) {
        (Some(b'{'), Some(json)) => Ok(keys(jwk::read(json)?)),
        (_, Some(text)) if text.contains("-----BEGIN ") => pem::read(text),
        (Some(0x30), _) => Ok(vec![pem::read_der(bytes)]),
        // CBOR arrays and maps of definite length; no JSON, PEM or DER begins so.
        (Some(0x80..=0x9b | 0xa0..=0xbb), _) => Ok(keys(cose_key::read(bytes)?)),
        _ => Err(Fault::whole("neither a JWK, a JWK Set, a COSE_Key, PEM nor DER")),
    }
}

fn keys(placed: Vec<Placed>) -> Vec<Entry> {
    placed.into_iter().map(|placed| Entry::Key(Box::new(placed))).collect()
}

#[cfg(test)]
mod tests;
