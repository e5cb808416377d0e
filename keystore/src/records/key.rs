//! Rows of `key`: one key version each, sealed, with its policy as its owner stated it.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::cbor;
use crate::error::AdminError;
use crate::key::{Algorithm, Card, Kty, Policy, Status};
use crate::policy::Stated;
use crate::private_key::Secrets;
use crate::rest::{Dek, Ring, Tampered, covered};

const COLUMNS: &str = "tenant, id, version, kid, thumbprint, kty, use, algs, formats, device, status, reason, changed, \
                       not_before, not_after, exportable, created, policy, sealed";
const MAC: usize = 19;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Encryption: ours to agree with, or a device's symmetric key.
    Enc,
    /// Signatures of a sender.
    Sig,
}

/// A row, read or to be written.
pub(crate) struct KeyRow {
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) kid: Vec<u8>,
    pub(crate) thumbprint: String,
    pub(crate) kty: Kty,
    pub(crate) purpose: Use,
    pub(crate) algs: Vec<Algorithm>,
    pub(crate) formats: Vec<String>,
    pub(crate) device: Option<String>,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) changed: i64,
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) exportable: bool,
    pub(crate) created: i64,
    pub(crate) stated: Stated,
    /// None for a tombstone.
    pub(crate) sealed: Option<Vec<u8>>,
}

impl KeyRow {
    /// What the rest of the house sees of it.
    pub(crate) fn card(self, private: bool, policy: Policy) -> Card {
        Card {
            id: self.id,
            version: self.version,
            tenant: self.tenant,
            kid: self.kid,
            device: self.device,
            kty: self.kty,
            status: self.status,
            not_before: self.not_before,
            not_after: self.not_after,
            thumbprint: self.thumbprint,
            private,
            policy,
            static_sender: None,
        }
    }
}

/// A row as it was found: whole, or known by its id alone.
pub(crate) type Found = Result<KeyRow, String>;

impl Use {
    /// JWK's `use`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enc => "enc",
            Self::Sig => "sig",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "enc" => Some(Self::Enc),
            "sig" => Some(Self::Sig),
            _ => None,
        }
    }
}

impl KeyRow {
    /// Whether this is our private key, and not a sender's public one.
    pub(crate) fn private(&self) -> bool {
        self.kty != Kty::Symmetric && self.purpose == Use::Enc && self.device.is_none()
    }

    /// Seals the key's bytes into the row, bound to its columns.
    pub(crate) fn seal(&mut self, dek: &Dek, secrets: &Secrets) -> Result<(), AdminError> {
        self.sealed = Some(dek.seal(&self.aad(), &secrets.to_record())?);
        Ok(())
    }

    /// The key's bytes, if record and columns belong together.
    pub(crate) fn unseal(&self, ring: &Ring) -> Result<Secrets, Tampered> {
        let record = self.sealed.as_deref().ok_or(Tampered)?;
        Secrets::from_record(&ring.unseal(&self.aad(), record)?).ok_or(Tampered)
    }

    /// `["paperknife-ks-1", tenant, key_id, version, algs, use, formats, device, created]` (keystore.md §2).
    fn aad(&self) -> Vec<u8> {
        cbor::build(256, |out| {
            out.array(9)?.str("paperknife-ks-1")?.str(&self.tenant)?.str(&self.id)?.u32(self.version)?;
            out.array(self.algs.len() as u64)?;
            for algorithm in &self.algs {
                out.str(algorithm.name())?;
            }
            out.str(self.purpose.name())?.array(self.formats.len() as u64)?;
            for format in &self.formats {
                out.str(format)?;
            }
            match &self.device {
                Some(device) => out.str(device)?,
                None => out.null()?,
            };
            out.i64(self.created)?.ok()
        })
    }

    fn columns(&self) -> Result<[Value; MAC], AdminError> {
        let text = |text: &str| Value::Text(text.to_owned());
        let policy = serde_json::to_string(&self.stated).map_err(|error| AdminError::Failed(error.to_string()))?;
        Ok([
            text(&self.tenant),
            text(&self.id),
            Value::Integer(self.version.into()),
            Value::Blob(self.kid.clone()),
            text(&self.thumbprint),
            text(self.kty.name()),
            text(self.purpose.name()),
            Value::Text(self.algs.iter().map(|algorithm| word(algorithm.name())).collect::<Vec<_>>().join(" ")),
            Value::Text(self.formats.join(" ")),
            self.device.clone().map_or(Value::Null, Value::Text),
            text(self.status.name()),
            self.reason.clone().map_or(Value::Null, Value::Text),
            Value::Integer(self.changed),
            self.not_before.map_or(Value::Null, Value::Integer),
            self.not_after.map_or(Value::Null, Value::Integer),
            Value::Integer(self.exportable.into()),
            Value::Integer(self.created),
            Value::Text(policy),
            self.sealed.clone().map_or(Value::Null, Value::Blob),
        ])
    }

    /// Inserts the row, or replaces the one of this tenant, id and version.
    pub(crate) fn put(&self, transaction: &Connection, dek: &Dek) -> Result<(), AdminError> {
        let columns = self.columns()?;
        let mac = dek.mac(&covered("key", columns.iter().map(ValueRef::from)));
        let values = columns.into_iter().chain([Value::Blob(mac)]);
        let sql = format!("INSERT OR REPLACE INTO key ({COLUMNS}, mac) VALUES (?{})", ", ?".repeat(MAC));
        transaction.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        self.put_names(transaction)
    }

    fn put_names(&self, transaction: &Connection) -> Result<(), AdminError> {
        let of_this = params![self.tenant, self.id, self.version];
        transaction
            .prepare_cached("DELETE FROM key_name WHERE tenant = ? AND id = ? AND version = ?")?
            .execute(of_this)?;
        let mut insert = transaction
            .prepare_cached("INSERT OR IGNORE INTO key_name (tenant, name, id, version) VALUES (?, ?, ?, ?)")?;
        for name in &self.stated.names {
            insert.execute(params![self.tenant, name, self.id, self.version])?;
        }
        Ok(())
    }
}

/// An algorithm's name as one word of a list.
fn word(name: &str) -> String {
    name.replace(' ', "_")
}

fn of_word(word: &str) -> Option<Algorithm> {
    Algorithm::from_name(word).or_else(|| Algorithm::from_name(&word.replace('_', " ")))
}

/// At most `limit` keys of this tenant and kid, oldest first; with `nameless` also those without kid.
pub(crate) fn by_kid(
    connection: &Connection,
    ring: &Ring,
    tenant: &str,
    kid: &[u8],
    nameless: bool,
    limit: u32,
) -> Result<Vec<Found>, rusqlite::Error> {
    let or_nameless: &[u8] = if nameless { b"" } else { kid };
    let rule =
        "INDEXED BY key_kid WHERE tenant = ? AND kid IN (?, ?) AND status <> 'destroyed' ORDER BY id, version LIMIT ?";
    select(connection, ring, rule, params![tenant, kid, or_nameless, limit])
}

/// At most `limit` keys of this tenant that have this name of a certificate, oldest first.
pub(crate) fn by_name(
    connection: &Connection,
    ring: &Ring,
    tenant: &str,
    name: &str,
    limit: u32,
) -> Result<Vec<Found>, rusqlite::Error> {
    let rule = "WHERE (tenant, id, version) IN \
                (SELECT tenant, id, version FROM key_name WHERE tenant = ? AND name = ?) \
                AND status <> 'destroyed' ORDER BY id, version LIMIT ?";
    let mut found = select(connection, ring, rule, params![tenant, name, limit])?;
    found.retain(|found| found.as_ref().map_or(true, |row| row.stated.names.iter().any(|own| own == name)));
    Ok(found)
}

/// Every version of every key of this tenant, tombstones included, oldest first.
pub(crate) fn by_tenant(connection: &Connection, ring: &Ring, tenant: &str) -> Result<Vec<Found>, rusqlite::Error> {
    select(connection, ring, "WHERE tenant = ? ORDER BY id, version", params![tenant])
}

/// Every version of one key, oldest first.
pub(crate) fn by_id(
    connection: &Connection,
    ring: &Ring,
    tenant: &str,
    id: &str,
) -> Result<Vec<Found>, rusqlite::Error> {
    select(connection, ring, "WHERE tenant = ? AND id = ? ORDER BY version", params![tenant, id])
}

/// Every key of one device, oldest first.
pub(crate) fn by_device(
    connection: &Connection,
    ring: &Ring,
    tenant: &str,
    device: &str,
) -> Result<Vec<Found>, rusqlite::Error> {
    select(
        connection,
        ring,
        "INDEXED BY key_device WHERE tenant = ? AND device = ? ORDER BY id, version",
        params![tenant, device],
    )
}

/// Whoever has this half of this key, in whatever tenant, alive or destroyed. The two halves of a pair are of different
/// use and may both be there.
pub(crate) fn by_thumbprint(
    connection: &Connection,
    ring: &Ring,
    thumbprint: &str,
    private: bool,
) -> Result<Option<Found>, rusqlite::Error> {
    let found = select(connection, ring, "WHERE thumbprint = ?", params![thumbprint])?;
    Ok(found.into_iter().find(|found| found.as_ref().map_or(true, |row| row.private() == private)))
}

/// Removes a row, which leaves no tombstone: for what was never more than a public key of this process.
pub(crate) fn remove(transaction: &Connection, row: &KeyRow) -> Result<(), rusqlite::Error> {
    let of_this = params![row.tenant, row.id, row.version];
    for table in ["key_name", "key"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE tenant = ? AND id = ? AND version = ?"), of_this)?;
    }
    Ok(())
}

/// Whether a destroyed key of another device left its tombstone on this kid.
pub(crate) fn tombstone_bars(
    connection: &Connection,
    tenant: &str,
    kid: &[u8],
    device: Option<&str>,
) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM key INDEXED BY key_kid \
               WHERE tenant = ? AND kid = ? AND status = 'destroyed' AND device IS NOT ? LIMIT 1";
    let barred = connection.prepare_cached(sql)?.query_row(params![tenant, kid, device], |_| Ok(())).optional()?;
    Ok(barred.is_some())
}

/// The index is named where SQLite would rather walk a whole tenant in the order asked for.
fn select(
    connection: &Connection,
    ring: &Ring,
    rule: &str,
    parameters: impl Params,
) -> Result<Vec<Found>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS}, mac FROM key {rule}"))?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(checked(row, ring, connection));
    }
    Ok(found)
}

/// A row whose MAC holds and whose columns are all that they should be.
fn checked(row: &Row<'_>, ring: &Ring, connection: &Connection) -> Found {
    let holds = ring.check("key", row, MAC).or_else(|Tampered| {
        // The row may be under a data key that another process has added since.
        ring.refresh(connection).map_err(|_| Tampered)?;
        ring.check("key", row, MAC)
    });
    let read = holds.ok().and_then(|()| read(row));
    read.ok_or_else(|| row.get(1).unwrap_or_else(|_| "(unreadable)".to_owned()))
}

fn read(row: &Row<'_>) -> Option<KeyRow> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    let words = |column| Some(text(column)?.split(' ').filter(|word| !word.is_empty()));
    Some(KeyRow {
        tenant: row.get(0).ok()?,
        id: row.get(1).ok()?,
        version: row.get(2).ok()?,
        kid: row.get(3).ok()?,
        thumbprint: row.get(4).ok()?,
        kty: Kty::from_name(text(5)?)?,
        purpose: Use::from_name(text(6)?)?,
        algs: words(7)?.map(of_word).collect::<Option<_>>()?,
        formats: words(8)?.map(str::to_owned).collect(),
        device: row.get(9).ok()?,
        status: Status::from_name(text(10)?)?,
        reason: row.get(11).ok()?,
        changed: row.get(12).ok()?,
        not_before: row.get(13).ok()?,
        not_after: row.get(14).ok()?,
        exportable: row.get(15).ok()?,
        created: row.get(16).ok()?,
        stated: serde_json::from_str(text(17)?).ok()?,
        sealed: row.get(18).ok()?,
    })
}
