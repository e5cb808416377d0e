//! Administration of keys and devices (keystore.md §4). Each act is one transaction beside whatever other process works
//! on the file, and ends the caches' epoch before it returns.

use rusqlite::{Connection, Transaction};

use crate::Keystore;
use crate::certificate::Certificate;
use crate::enrol::thumbprint;
use crate::error::AdminError;
use crate::export::{PublicKeyInfo, PublicKeys};
use crate::generate;
use crate::info::{CertificateInfo, CrlInfo, DeviceInfo, KeyInfo};
use crate::key::{Kty, Status};
use crate::private_key::Secrets;
use crate::records::certificate::{self, CertificateRow, CrlRow};
use crate::records::device::{self, DeviceRow};
use crate::records::key::{self, Found, KeyRow};
use crate::records::now;
use crate::rest::{Dek, Tampered};
use crate::trust::known::Known;
use crate::trust::revocation::Crl;

impl Keystore {
    /// Every version of every key of a tenant, destroyed ones as tombstones, oldest first.
    pub fn keys(&self, tenant: &str) -> Result<Vec<KeyInfo>, AdminError> {
        let found = self.records.read(|connection| key::by_tenant(connection, &self.ring, tenant))?;
        self.infos(found)
    }

    /// Every version of one key, oldest first.
    pub fn key(&self, tenant: &str, id: &str) -> Result<Vec<KeyInfo>, AdminError> {
        let found = self.records.read(|connection| key::by_id(connection, &self.ring, tenant, id))?;
        if found.is_empty() { Err(AdminError::NotFound(format!("key: {id}"))) } else { self.infos(found) }
    }

    /// Suspends or revokes one version of a key, or all of them: what names it is refused from now on.
    pub fn disable(&self, tenant: &str, id: &str, version: Option<u32>, reason: &str) -> Result<(), AdminError> {
        self.change(tenant, id, version, |row, _| {
            if matches!(row.status, Status::Destroyed) {
                return Err(AdminError::Conflict("a destroyed key stays destroyed".to_owned()));
            }
            row.status = Status::Disabled;
            row.reason = Some(reason.to_owned());
            Ok(())
        })
    }

    /// Takes a suspended version, or all of them, back into use.
    pub fn enable(&self, tenant: &str, id: &str, version: Option<u32>) -> Result<(), AdminError> {
        self.change(tenant, id, version, |row, _| {
            if !matches!(row.status, Status::Disabled) {
                return Err(AdminError::Conflict(format!("the key is {}, not disabled", row.status.name())));
            }
            row.status = Status::Active;
            row.reason = None;
            Ok(())
        })
    }

    /// Erases the bytes of one version of a key, or of all; a tombstone remains. Backups taken before still hold them.
    pub fn destroy(&self, tenant: &str, id: &str, version: Option<u32>) -> Result<(), AdminError> {
        self.change(tenant, id, version, |row, transaction| {
            // Overwritten before it is let go; `secure_delete` zeroes what SQLite frees.
            let zero = "UPDATE key SET sealed = zeroblob(length(sealed)) WHERE tenant = ? AND id = ? AND version = ?";
            transaction.execute(zero, (&row.tenant, &row.id, row.version))?;
            row.status = Status::Destroyed;
            row.sealed = None;
            Ok(())
        })?;
        self.records.truncate_log()
    }

    /// Gives one of the gateway's own keys a new version under a new kid; the version before retires: it opens what was
    /// sealed to it until it is disabled.
    pub fn rotate(&self, tenant: &str, id: &str) -> Result<KeyInfo, AdminError> {
        let row = self.write(1, |transaction, dek| {
            let mut rows = versions(transaction, self, tenant, id)?;
            let highest = rows.iter().map(|row| row.version).max().unwrap_or(0);
            let active = rows.iter_mut().find(|row| row.status == Status::Active && row.private());
            let active = active.ok_or_else(|| {
                AdminError::Invalid("only an active key of the gateway's own rotates here".to_owned())
            })?;
            if active.kty != Kty::Ec2P256 {
                return Err(AdminError::Invalid(
                    "only a P-256 key is generated here: import the next one under a new kid".to_owned(),
                ));
            }
            let next = next_version(transaction, dek, active, highest + 1)?;
            active.status = Status::Retiring;
            active.changed = next.created;
            active.put(transaction, dek)?;
            next.put(transaction, dek)?;
            Ok(next)
        })?;
        Ok(self.info(&row))
    }

    /// The gateway's public keys to which devices may seal now.
    pub fn public_keys(&self, tenant: &str) -> Result<PublicKeys, AdminError> {
        let found = self.records.read(|connection| key::by_tenant(connection, &self.ring, tenant))?;
        let mut keys = Vec::new();
        for found in found {
            let row = whole(found)?;
            if !row.private() || row.status != Status::Active {
                continue;
            }
            keys.extend(PublicKeyInfo::new(&row, &self.unseal(&row)?.material));
        }
        Ok(PublicKeys::new(keys))
    }

    /// Every certificate of a tenant beside those that are pinned, oldest first.
    pub fn certificates(&self, tenant: &str) -> Result<Vec<CertificateInfo>, AdminError> {
        let rows = self.issuers(tenant)?.certificates;
        let info = |row: &CertificateRow| Some(CertificateInfo::new(row, &Certificate::read(&row.der)?));
        let whole = |row| info(row).ok_or_else(|| AdminError::Tampered(format!("certificate {}", row.id)));
        rows.iter().map(whole).collect()
    }

    /// The CRL of every issuer that has one, oldest first.
    pub fn crls(&self, tenant: &str) -> Result<Vec<CrlInfo>, AdminError> {
        let (rows, known) = (self.issuers(tenant)?.crls, Known::new(self.issuers(tenant)?));
        let info = |row: &CrlRow| {
            let crl = Crl::read(&row.der)?;
            Some(CrlInfo::new(row, &crl, known.verifies(&crl)))
        };
        rows.iter().map(|row| info(row).ok_or_else(|| AdminError::Tampered(format!("crl {}", row.issuer)))).collect()
    }

    /// Removes an anchor or a candidate by its id, or a CRL by `crl:` and its issuer's: what needs it is held or refused
    /// from now on, and what only a CRL stood against is trusted again.
    pub fn forget(&self, tenant: &str, id: &str) -> Result<(), AdminError> {
        self.write(0, |transaction, _| {
            let removed = match id.strip_prefix("crl:") {
                Some(issuer) => certificate::remove_crl(transaction, tenant, issuer)?,
                None => certificate::remove(transaction, tenant, id)?,
            };
            if removed { Ok(()) } else { Err(AdminError::NotFound(format!("certificate or CRL: {id}"))) }
        })
    }

    fn issuers(&self, tenant: &str) -> Result<certificate::Known, AdminError> {
        let rows = self.records.read(|connection| certificate::known(connection, &self.ring, tenant))?;
        match rows.tampered.first() {
            Some(row) => Err(AdminError::Tampered(row.clone())),
            None => Ok(rows),
        }
    }

    /// Every device of a tenant, by name.
    pub fn devices(&self, tenant: &str) -> Result<Vec<DeviceInfo>, AdminError> {
        self.records.read(|connection| {
            let devices = device::all(connection, &self.ring, tenant)?;
            devices.into_iter().map(|row| self.device_info(connection, row)).collect()
        })
    }

    /// One device.
    pub fn device(&self, tenant: &str, name: &str) -> Result<DeviceInfo, AdminError> {
        self.records.read(|connection| {
            let row = device::named(connection, &self.ring, tenant, name)?;
            self.device_info(connection, row.ok_or_else(|| AdminError::NotFound(format!("device: {name}")))?)
        })
    }

    /// Makes a device known before its first key, or again after it was revoked; its old keys stay disabled.
    pub fn device_add(&self, tenant: &str, name: &str) -> Result<DeviceInfo, AdminError> {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            return Err(AdminError::Invalid("a device's name is 1 to 256 bytes of printable text".to_owned()));
        }
        self.write(0, |transaction, dek| {
            let now = now(transaction)?;
            let known = device::named(transaction, &self.ring, tenant, name)?;
            if known.as_ref().is_some_and(|row| !row.revoked) {
                return Err(AdminError::Conflict(format!("device {name} is there already")));
            }
            let (tenant, device) = (tenant.to_owned(), name.to_owned());
            let created = known.map_or(now, |row| row.created);
            DeviceRow { tenant, device, revoked: false, reason: None, created, changed: now }.put(transaction, dek)
        })?;
        self.device(tenant, name)
    }

    /// Revokes a device: all its keys are disabled, and it gets no new one until it is added again.
    pub fn device_revoke(&self, tenant: &str, name: &str, reason: &str) -> Result<DeviceInfo, AdminError> {
        self.write(0, |transaction, dek| {
            let row = device::named(transaction, &self.ring, tenant, name)?;
            let mut row = row.ok_or_else(|| AdminError::NotFound(format!("device: {name}")))?;
            (row.revoked, row.reason, row.changed) = (true, Some(reason.to_owned()), now(transaction)?);
            row.put(transaction, dek)?;
            for found in key::by_device(transaction, &self.ring, tenant, name)? {
                let mut key = whole(found)?;
                if key.status != Status::Destroyed {
                    (key.status, key.reason, key.changed) = (Status::Disabled, row.reason.clone(), row.changed);
                    key.put(transaction, dek)?;
                }
            }
            Ok(())
        })?;
        self.device(tenant, name)
    }

    /// One transaction with the data key of `seals` records; the caches' epoch ends with it.
    pub(crate) fn write<T>(
        &self,
        seals: i64,
        work: impl FnOnce(&Transaction<'_>, &Dek) -> Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        let done = self.records.write(|transaction| {
            let dek = self.ring.for_sealing(transaction, seals)?;
            work(transaction, &dek)
        });
        self.cache.forget();
        done
    }

    fn change(
        &self,
        tenant: &str,
        id: &str,
        version: Option<u32>,
        change: impl Fn(&mut KeyRow, &Connection) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        self.write(0, |transaction, dek| {
            let mut rows = versions(transaction, self, tenant, id)?;
            rows.retain(|row| version.is_none_or(|version| version == row.version));
            if rows.is_empty() {
                return Err(AdminError::NotFound(format!("key: {id}")));
            }
            for row in &mut rows {
                change(row, transaction)?;
                row.changed = now(transaction)?;
                row.put(transaction, dek)?;
            }
            Ok(())
        })
    }

    fn device_info(&self, connection: &Connection, row: DeviceRow) -> Result<DeviceInfo, AdminError> {
        let mut keys = Vec::new();
        for found in key::by_device(connection, &self.ring, &row.tenant, &row.device)? {
            keys.push(whole(found)?.id);
        }
        Ok(DeviceInfo::new(row, keys))
    }

    fn infos(&self, found: Vec<Found>) -> Result<Vec<KeyInfo>, AdminError> {
        found.into_iter().map(|found| Ok(self.info(&whole(found)?))).collect()
    }

    fn info(&self, row: &KeyRow) -> KeyInfo {
        KeyInfo::new(row, &self.policy(row))
    }

    fn unseal(&self, row: &KeyRow) -> Result<Secrets, AdminError> {
        row.unseal(&self.ring).map_err(|Tampered| AdminError::Tampered(format!("key {}", row.id)))
    }
}

fn versions(connection: &Connection, keystore: &Keystore, tenant: &str, id: &str) -> Result<Vec<KeyRow>, AdminError> {
    key::by_id(connection, &keystore.ring, tenant, id)?.into_iter().map(whole).collect()
}

fn whole(found: Found) -> Result<KeyRow, AdminError> {
    found.map_err(|id| AdminError::Tampered(format!("key {id}")))
}

/// A new key pair in the place of `before`, with its policy.
fn next_version(transaction: &Connection, dek: &Dek, before: &KeyRow, version: u32) -> Result<KeyRow, AdminError> {
    let secrets = Secrets { material: generate::p256()?, priv_other: None };
    let now = now(transaction)?;
    let mut next = KeyRow {
        tenant: before.tenant.clone(),
        id: before.id.clone(),
        version,
        kid: generate::gateway_kid()?,
        thumbprint: thumbprint(dek, false, &secrets.material),
        kty: before.kty,
        purpose: before.purpose,
        algs: before.algs.clone(),
        formats: before.formats.clone(),
        device: None,
        status: Status::Active,
        reason: None,
        changed: now,
        not_before: None,
        not_after: None,
        exportable: false,
        created: now,
        stated: before.stated.clone(),
        sealed: None,
    };
    next.seal(dek, &secrets)?;
    Ok(next)
}

#[cfg(test)]
mod tests;
