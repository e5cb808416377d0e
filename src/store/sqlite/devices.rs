//! What is known of devices: read when a batch meets one, written once a batch.
//!
//! Imports rusqlite and `item`.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::item::Timestamp;
use crate::store::failure::Failure;

/// Devices kept in memory between batches.
const CACHED: usize = 16_384;

/// The writer's view of `device`.
#[derive(Default)]
pub(in crate::store) struct Devices {
    /// Places in `states`, by tenant and name.
    known: HashMap<Arc<str>, HashMap<String, usize>>,
    states: Vec<Device>,
    /// Places of what changed.
    dirty: Vec<usize>,
}

/// One row of `device`.
#[derive(Clone, Debug)]
pub(in crate::store) struct Device {
    /// Its row.
    pub(in crate::store) id: i64,
    first_seen: Option<i64>,
    last_seen: Option<i64>,
    last_message: Option<Uuid>,
    max_silence_s: Option<i64>,
    opened: i64,
    duplicate: i64,
    refused: i64,
    is_dirty: bool,
}

impl Device {
    /// A message of it was opened. Only that is a sign of life: a replay proves nothing of today.
    pub(in crate::store) fn opened(&mut self, received_at: Timestamp, message: Uuid, max_silence_s: Option<i64>) {
        let at = received_at.millis();
        self.first_seen = Some(self.first_seen.map_or(at, |first| first.min(at)));
        self.last_seen = Some(self.last_seen.map_or(at, |last| last.max(at)));
        self.last_message = Some(message);
        self.max_silence_s = max_silence_s;
        self.opened += 1;
    }

    /// What it sent came again.
    pub(in crate::store) const fn duplicated(&mut self) {
        self.duplicate += 1;
    }

    /// Something that it authenticated was refused.
    pub(in crate::store) const fn refused(&mut self) {
        self.refused += 1;
    }

    const fn new(id: i64) -> Self {
        Self {
            id,
            first_seen: None,
            last_seen: None,
            last_message: None,
            max_silence_s: None,
            opened: 0,
            duplicate: 0,
            refused: 0,
            is_dirty: false,
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let last_message: Option<[u8; 16]> = row.get("last_message")?;
        Ok(Self {
            id: row.get("id")?,
            first_seen: row.get("first_seen")?,
            last_seen: row.get("last_seen")?,
            last_message: last_message.map(Uuid::from_bytes),
            max_silence_s: row.get("max_silence_s")?,
            opened: row.get("opened")?,
            duplicate: row.get("duplicate")?,
            refused: row.get("refused")?,
            is_dirty: false,
        })
    }
}

impl Devices {
    /// The device of that name, to be changed; made where it is new.
    pub(in crate::store) fn change(
        &mut self,
        connection: &Connection,
        tenant: &Arc<str>,
        name: &str,
    ) -> Result<&mut Device, Failure> {
        let place = self.find(connection, tenant, name)?;
        let device = &mut self.states[place];
        if !device.is_dirty {
            device.is_dirty = true;
            self.dirty.push(place);
        }
        Ok(device)
    }

    fn find(&mut self, connection: &Connection, tenant: &Arc<str>, name: &str) -> Result<usize, Failure> {
        if let Some(place) = self.known.get(tenant).and_then(|devices| devices.get(name)) {
            return Ok(*place);
        }
        let (place, device) = (self.states.len(), find_or_make(connection, tenant, name)?);
        self.states.push(device);
        self.known.entry(Arc::clone(tenant)).or_default().insert(name.to_owned(), place);
        Ok(place)
    }

    /// Writes what changed.
    pub(in crate::store) fn write(&mut self, connection: &Connection) -> Result<(), Failure> {
        let mut statement = connection.prepare_cached(
            "UPDATE device SET first_seen = ?2, last_seen = ?3, last_message = ?4, max_silence_s = ?5,
             opened = ?6, duplicate = ?7, refused = ?8 WHERE id = ?1",
        )?;
        for place in self.dirty.drain(..) {
            let device = &mut self.states[place];
            device.is_dirty = false;
            statement.execute(params![
                device.id,
                device.first_seen,
                device.last_seen,
                device.last_message.map(Uuid::into_bytes),
                device.max_silence_s,
                device.opened,
                device.duplicate,
                device.refused
            ])?;
        }
        Ok(())
    }

    /// After a COMMIT: memory stays bounded.
    pub(in crate::store) fn trim(&mut self) {
        if self.states.len() > CACHED {
            self.forget();
        }
    }

    /// After a ROLLBACK: the disk knows better.
    pub(in crate::store) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn find_or_make(connection: &Connection, tenant: &str, name: &str) -> Result<Device, Failure> {
    let mut find = connection.prepare_cached("SELECT * FROM device WHERE tenant = ?1 AND name = ?2")?;
    if let Some(device) = find.query_row([tenant, name], Device::read).optional()? {
        return Ok(device);
    }
    let mut make = connection
        .prepare_cached("INSERT INTO device (tenant, name, opened, duplicate, refused) VALUES (?1, ?2, 0, 0, 0)")?;
    Ok(Device::new(make.insert([tenant, name])?))
}
