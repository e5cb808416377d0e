//! Rows of `certificate` and `crl`: what is known of issuers. All of it is public, and under the rows' MACs: whoever can
//! write the file can plant no anchor.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params};

use crate::error::AdminError;
use crate::rest::{Dek, Ring, Tampered, covered};
use crate::trust::policy::AnchorPolicy;

const COLUMNS: &str = "tenant, id, role, der, policy, created";
const MAC: usize = 6;
const CRL_COLUMNS: &str = "tenant, issuer, der, created";
const CRL_MAC: usize = 4;

/// A certificate that is not pinned.
pub(crate) struct CertificateRow {
    pub(crate) tenant: String,
    /// SHA-256 of it, hex.
    pub(crate) id: String,
    /// None for a candidate.
    pub(crate) anchor: Option<AnchorPolicy>,
    pub(crate) der: Vec<u8>,
    pub(crate) created: i64,
}

/// A CRL.
pub(crate) struct CrlRow {
    pub(crate) tenant: String,
    /// SHA-256 of the contents of its issuer's Name, hex.
    pub(crate) issuer: String,
    pub(crate) der: Vec<u8>,
    pub(crate) created: i64,
}

/// Everything of a tenant, with the ids of the rows that fail their check.
pub(crate) struct Known {
    pub(crate) certificates: Vec<CertificateRow>,
    pub(crate) crls: Vec<CrlRow>,
    pub(crate) tampered: Vec<String>,
}

impl CertificateRow {
    /// Inserts the row, or replaces the one of this tenant and certificate.
    pub(crate) fn put(&self, transaction: &Connection, dek: &Dek) -> Result<(), AdminError> {
        let policy = self.anchor.as_ref().map(serde_json::to_string).transpose();
        let policy = policy.map_err(|error| AdminError::Failed(error.to_string()))?;
        let columns = [
            Value::Text(self.tenant.clone()),
            Value::Text(self.id.clone()),
            Value::Text(if self.anchor.is_some() { "anchor" } else { "candidate" }.to_owned()),
            Value::Blob(self.der.clone()),
            Value::Text(policy.unwrap_or_default()),
            Value::Integer(self.created),
        ];
        put(transaction, dek, "certificate", COLUMNS, &columns)
    }

    fn read(row: &Row<'_>) -> Option<Self> {
        let anchor = match row.get_ref(2).ok()?.as_str().ok()? {
            "anchor" => Some(serde_json::from_str(row.get_ref(4).ok()?.as_str().ok()?).ok()?),
            "candidate" => None,
            _ => return None,
        };
        Some(Self {
            tenant: row.get(0).ok()?,
            id: row.get(1).ok()?,
            anchor,
            der: row.get(3).ok()?,
            created: row.get(5).ok()?,
        })
    }
}

impl CrlRow {
    /// Inserts the row, or replaces the one of this tenant and issuer.
    pub(crate) fn put(&self, transaction: &Connection, dek: &Dek) -> Result<(), AdminError> {
        let columns = [
            Value::Text(self.tenant.clone()),
            Value::Text(self.issuer.clone()),
            Value::Blob(self.der.clone()),
            Value::Integer(self.created),
        ];
        put(transaction, dek, "crl", CRL_COLUMNS, &columns)
    }

    fn read(row: &Row<'_>) -> Option<Self> {
        Some(Self {
            tenant: row.get(0).ok()?,
            issuer: row.get(1).ok()?,
            der: row.get(2).ok()?,
            created: row.get(3).ok()?,
        })
    }
}

fn put(transaction: &Connection, dek: &Dek, table: &str, columns: &str, values: &[Value]) -> Result<(), AdminError> {
    let mac = dek.mac(&covered(table, values.iter().map(ValueRef::from)));
    let places = ", ?".repeat(values.len());
    let sql = format!("INSERT OR REPLACE INTO {table} ({columns}, mac) VALUES (?{places})");
    let values = values.iter().cloned().chain([Value::Blob(mac)]);
    transaction.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
    Ok(())
}

/// Everything that is known of issuers, oldest first.
pub(crate) fn known(connection: &Connection, ring: &Ring, tenant: &str) -> Result<Known, rusqlite::Error> {
    let mut tampered = Vec::new();
    let sql = format!("SELECT {COLUMNS}, mac FROM certificate WHERE tenant = ? ORDER BY created, id");
    let certificates =
        select(connection, ring, ("certificate", &sql, MAC), tenant, CertificateRow::read, &mut tampered)?;
    let sql = format!("SELECT {CRL_COLUMNS}, mac FROM crl WHERE tenant = ? ORDER BY created, issuer");
    let crls = select(connection, ring, ("crl", &sql, CRL_MAC), tenant, CrlRow::read, &mut tampered)?;
    Ok(Known { certificates, crls, tampered })
}

fn select<T>(
    connection: &Connection,
    ring: &Ring,
    (table, sql, mac): (&str, &str, usize),
    tenant: &str,
    read: impl Fn(&Row<'_>) -> Option<T>,
    tampered: &mut Vec<String>,
) -> Result<Vec<T>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![tenant])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let holds = ring.check(table, row, mac).or_else(|Tampered| {
            // The row may be under a data key that another process has added since.
            ring.refresh(connection).map_err(|_| Tampered)?;
            ring.check(table, row, mac)
        });
        match holds.ok().and_then(|()| read(row)) {
            Some(read) => found.push(read),
            None => tampered.push(format!("{table} {}", row.get(1).unwrap_or_else(|_| "(unreadable)".to_owned()))),
        }
    }
    Ok(found)
}

/// Removes a certificate; whether it was there.
pub(crate) fn remove(transaction: &Connection, tenant: &str, id: &str) -> Result<bool, rusqlite::Error> {
    Ok(transaction.execute("DELETE FROM certificate WHERE tenant = ? AND id = ?", params![tenant, id])? > 0)
}

/// Removes the CRL of an issuer; whether it was there.
pub(crate) fn remove_crl(transaction: &Connection, tenant: &str, issuer: &str) -> Result<bool, rusqlite::Error> {
    Ok(transaction.execute("DELETE FROM crl WHERE tenant = ? AND issuer = ?", params![tenant, issuer])? > 0)
}
