//! Recording what was imported or generated: the rules of keystore.md §6 that look at what is recorded already.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use rusqlite::Connection;
use uuid::Uuid;

use crate::error::AdminError;
use crate::generate;
use crate::import::draft::{Draft, jwk_thumbprint};
use crate::key::{Algorithm, Card, Entry, KeyRef, Policy, Status};
use crate::ops::Material;
use crate::policy::{FORMATS, Stated, StaticSender};
use crate::private_key::{KeyMaterial, Secrets};
use crate::records::device::{self, DeviceRow};
use crate::records::key::{self, KeyRow, Use};
use crate::records::now;
use crate::rest::{Dek, Ring};

/// What an import brought, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// `key`, `anchor`, `certificate` (a candidate for paths), `crl`.
    pub kind: &'static str,
    /// Key id; of a certificate its SHA-256, of a CRL its issuer's name here.
    pub id: String,
    /// Version.
    pub version: u32,
    /// kid, lower-case hex.
    pub kid_hex: String,
    /// Whose key it is; none for the gateway's own.
    pub device: Option<String>,
    /// It was there already: its policy, or the CRL, was replaced.
    pub updated: bool,
}

/// Records one key within the caller's transaction.
pub(crate) fn enrol(
    transaction: &Connection,
    ring: &Ring,
    dek: &Dek,
    offline: bool,
    draft: &Draft,
) -> Result<Imported, AdminError> {
    let thumbprint = thumbprint(dek, offline, &draft.secrets.material);
    if let Some(mut row) = owned(transaction, ring, offline, draft, &thumbprint)? {
        restate(&mut row, now(transaction)?, draft);
        row.seal(dek, &draft.secrets)?;
        row.put(transaction, dek)?;
        return Ok(imported(&row, true));
    }
    if key::tombstone_bars(transaction, &draft.tenant, &draft.kid, draft.device.as_deref())? {
        return Err(AdminError::Conflict(format!(
            "kid {}: a destroyed key of another device bore this name",
            hex::encode(&draft.kid)
        )));
    }
    if let Some(name) = &draft.device {
        admit_device(transaction, ring, dek, &draft.tenant, name)?;
    }
    let mut row = new_row(draft, thumbprint, now(transaction)?);
    row.seal(dek, &draft.secrets)?;
    row.put(transaction, dek)?;
    Ok(imported(&row, false))
}

/// The gateway's first key pair, for devices that seal in shape P.
pub(crate) fn found_gateway(transaction: &Connection, ring: &Ring) -> Result<(), AdminError> {
    let dek = ring.for_sealing(transaction, 1)?;
    let draft = Draft {
        secrets: Secrets { material: generate::p256()?, priv_other: None },
        validity: (None, None),
        purpose: Use::Enc,
        tenant: "default".to_owned(),
        kid: generate::gateway_kid()?,
        device: None,
        algs: vec![Algorithm::EcdhEsA128Kw, Algorithm::EcdhEsA256Kw],
        formats: FORMATS.iter().map(|format| (*format).to_owned()).collect(),
        stated: Stated { strict_profile: true, ..Stated::default() },
    };
    enrol(transaction, ring, &dek, false, &draft).map(drop)
}

/// The row that has this very key already, if it may be restated.
fn owned(
    transaction: &Connection,
    ring: &Ring,
    offline: bool,
    draft: &Draft,
    thumbprint: &str,
) -> Result<Option<KeyRow>, AdminError> {
    let material = &draft.secrets.material;
    let mut found = key::by_thumbprint(transaction, ring, thumbprint, material.is_private())?;
    if !offline && matches!(material, KeyMaterial::Symmetric(_)) {
        // The thumbprint is keyed: an older data key made another one of the same key.
        for dek in ring.read() {
            found = match found {
                Some(row) => Some(row),
                None => key::by_thumbprint(transaction, ring, &self::thumbprint(&dek, offline, material), false)?,
            };
        }
    }
    let Some(row) = found.transpose().map_err(|id| AdminError::Tampered(format!("key {id}")))? else { return Ok(None) };
    let kid = hex::encode(&draft.kid);
    if row.tenant != draft.tenant || row.device != draft.device || row.purpose != draft.purpose {
        return Err(AdminError::Conflict(format!("kid {kid}: this key already belongs to another device")));
    }
    if row.status == Status::Destroyed {
        return Err(AdminError::Conflict(format!("kid {kid}: this key was destroyed")));
    }
    if row.kid != draft.kid {
        let other = hex::encode(&row.kid);
        return Err(AdminError::Conflict(format!("kid {kid}: this key is already there as kid {other}")));
    }
    Ok(Some(row))
}

/// A new policy for a key that is there: same id, version, state and times.
fn restate(row: &mut KeyRow, now: i64, draft: &Draft) {
    row.algs.clone_from(&draft.algs);
    row.formats.clone_from(&draft.formats);
    let names = std::mem::take(&mut row.stated.names);
    row.stated.clone_from(&draft.stated);
    // Names come from certificates: a key that comes without one keeps those that it has.
    if row.stated.names.is_empty() {
        row.stated.names = names;
    }
    (row.not_before, row.not_after) = draft.validity;
    row.changed = now;
}

/// A device is known from its first key on; one that was revoked has to be added again first.
fn admit_device(transaction: &Connection, ring: &Ring, dek: &Dek, tenant: &str, name: &str) -> Result<(), AdminError> {
    match device::named(transaction, ring, tenant, name)? {
        Some(row) if row.revoked => {
            Err(AdminError::Conflict(format!("device {name} is revoked: add it again before its new key")))
        }
        Some(_) => Ok(()),
        None => {
            let now = now(transaction)?;
            let (tenant, device) = (tenant.to_owned(), name.to_owned());
            DeviceRow { tenant, device, revoked: false, reason: None, created: now, changed: now }.put(transaction, dek)
        }
    }
}

fn new_row(draft: &Draft, thumbprint: String, now: i64) -> KeyRow {
    KeyRow {
        tenant: draft.tenant.clone(),
        id: Uuid::now_v7().to_string(),
        version: 1,
        kid: draft.kid.clone(),
        thumbprint,
        kty: draft.secrets.material.kty(),
        purpose: draft.purpose,
        algs: draft.algs.clone(),
        formats: draft.formats.clone(),
        device: draft.device.clone(),
        status: Status::Active,
        reason: None,
        changed: now,
        not_before: draft.validity.0,
        not_after: draft.validity.1,
        exportable: false,
        created: now,
        stated: draft.stated.clone(),
        sealed: None,
    }
}

/// RFC 7638; for symmetric keys that are recorded, keyed instead.
pub(crate) fn thumbprint(dek: &Dek, offline: bool, material: &KeyMaterial) -> String {
    match material {
        KeyMaterial::Symmetric(key) if !offline => Base64UrlUnpadded::encode_string(&dek.thumbprint(&key.k)),
        material => jwk_thumbprint(material),
    }
}

/// The sender's static key that the record of one of ours names, as a key of its own: it proves the sender's device under
/// the policy of the record that names it.
pub(crate) fn static_sender(ours: &Card, sender: &StaticSender, offline: bool) -> Option<KeyRef> {
    let material = Secrets::from_record(&sender.key.0)?.material;
    let algs: Vec<_> = ours.policy.algs.iter().copied().filter(|algorithm| algorithm.is_static()).collect();
    let named = (!offline || !sender.device.starts_with("jwk:")).then(|| sender.device.clone());
    let card = Card {
        kid: sender.kid.0.clone(),
        device: Some(sender.device.clone()),
        kty: material.kty(),
        thumbprint: jwk_thumbprint(&material),
        private: false,
        policy: Policy { endpoint: ours.policy.endpoint.clone().or(named), algs: algs.clone(), ..ours.policy.clone() },
        static_sender: None,
        ..ours.clone()
    };
    let material = Material::new(material, &algs).filter(|_| !algs.is_empty())?;
    Some(KeyRef(Arc::new(Entry { card, material, priv_other: None })))
}

pub(crate) fn imported(row: &KeyRow, updated: bool) -> Imported {
    Imported {
        kind: "key",
        id: row.id.clone(),
        version: row.version,
        kid_hex: hex::encode(&row.kid),
        device: row.device.clone(),
        updated,
    }
}
