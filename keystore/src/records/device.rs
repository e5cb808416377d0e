//! Rows of `device`: who may have keys.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params};

use crate::error::AdminError;
use crate::rest::{Dek, Ring, Tampered, covered};

const COLUMNS: &str = "tenant, device, status, reason, created, changed";
const MAC: usize = 6;

/// A device as it is recorded.
pub(crate) struct DeviceRow {
    pub(crate) tenant: String,
    pub(crate) device: String,
    pub(crate) revoked: bool,
    pub(crate) reason: Option<String>,
    pub(crate) created: i64,
    pub(crate) changed: i64,
}

impl DeviceRow {
    /// Inserts the row, or replaces the one of this tenant and device.
    pub(crate) fn put(&self, transaction: &Connection, dek: &Dek) -> Result<(), AdminError> {
        let columns = [
            Value::Text(self.tenant.clone()),
            Value::Text(self.device.clone()),
            Value::Text(if self.revoked { "revoked" } else { "active" }.to_owned()),
            self.reason.clone().map_or(Value::Null, Value::Text),
            Value::Integer(self.created),
            Value::Integer(self.changed),
        ];
        let mac = dek.mac(&covered("device", columns.iter().map(ValueRef::from)));
        let values = columns.into_iter().chain([Value::Blob(mac)]);
        let sql = format!("INSERT OR REPLACE INTO device ({COLUMNS}, mac) VALUES (?, ?, ?, ?, ?, ?, ?)");
        transaction.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }
}

/// The device of that name.
pub(crate) fn named(
    connection: &Connection,
    ring: &Ring,
    tenant: &str,
    device: &str,
) -> Result<Option<DeviceRow>, AdminError> {
    let sql = format!("SELECT {COLUMNS}, mac FROM device WHERE tenant = ? AND device = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![tenant, device])?;
    rows.next()?.map(|row| checked(row, ring)).transpose()
}

/// Every device of this tenant, by name.
pub(crate) fn all(connection: &Connection, ring: &Ring, tenant: &str) -> Result<Vec<DeviceRow>, AdminError> {
    let sql = format!("SELECT {COLUMNS}, mac FROM device WHERE tenant = ? ORDER BY device");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![tenant])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push(checked(row, ring)?);
    }
    Ok(devices)
}

fn checked(row: &Row<'_>, ring: &Ring) -> Result<DeviceRow, AdminError> {
    let device: String = row.get(1)?;
    ring.check("device", row, MAC).map_err(|Tampered| AdminError::Tampered(format!("device {device}")))?;
    Ok(DeviceRow {
        tenant: row.get(0)?,
        revoked: row.get::<_, String>(2)? != "active",
        reason: row.get(3)?,
        created: row.get(4)?,
        changed: row.get(5)?,
        device,
    })
}
