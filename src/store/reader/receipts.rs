//! What has become of a delivery.
//!
//! Imports `item`, serde and rusqlite.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use uuid::Uuid;

use crate::item::{Reason, Timestamp, Verdict};
use crate::store::failure::Failure;
use crate::store::id::Id;
use crate::store::text;

/// A delivery and the verdicts on its items (contract §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptState {
    /// As the relay has it.
    pub id: Uuid,
    /// Who handed it over.
    pub relay: String,
    /// When it was committed.
    pub received_at: Timestamp,
    /// In the order of the delivery.
    pub items: Vec<ReceiptItem>,
}

impl ReceiptState {
    /// Whether an item of it is not concluded yet.
    pub fn is_pending(&self) -> bool {
        self.items.iter().any(|item| item.verdict == Verdict::Pending)
    }
}

/// One item of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptItem {
    /// Its place, from 0.
    pub index: u32,
    /// What it is now.
    pub verdict: Verdict,
    /// Of held and refused.
    pub reason: Option<Reason>,
    /// Of opened, its message; of duplicate, the first one.
    pub message: Option<Uuid>,
}

pub(super) fn find(connection: &Connection, tenant: &str, id: Uuid) -> Result<Option<ReceiptState>, Failure> {
    let Some(id) = Id::parse(id) else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT relay, received_at, first_item, items FROM delivery WHERE id = ?1 AND tail = ?2 AND tenant = ?3",
    )?;
    let found = statement.query_row(params![id.ordinal, id.tail, tenant], |row| {
        let items: (i64, i64) = (row.get(2)?, row.get(3)?);
        let received_at = Timestamp::from_millis(row.get(1)?);
        Ok((ReceiptState { id: id.uuid(), relay: row.get(0)?, received_at, items: Vec::new() }, items))
    });
    match found.optional()? {
        Some((receipt, (first, count))) => {
            Ok(Some(ReceiptState { items: items(connection, first, count)?, ..receipt }))
        }
        None => Ok(None),
    }
}

fn items(connection: &Connection, first: i64, count: i64) -> Result<Vec<ReceiptItem>, Failure> {
    let mut statement = connection.prepare_cached("SELECT verdict, reason, message FROM conclusion WHERE item = ?1")?;
    let item = |index: u32| {
        let concluded = statement.query_row([first + i64::from(index)], |row| read(row, index)).optional()?;
        let pending = ReceiptItem { index, verdict: Verdict::Pending, reason: None, message: None };
        Ok(concluded.unwrap_or(pending))
    };
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(item).collect()
}

fn read(row: &Row<'_>, index: u32) -> rusqlite::Result<ReceiptItem> {
    let message: Option<[u8; 16]> = row.get("message")?;
    Ok(ReceiptItem {
        index,
        verdict: text::named(row, "verdict", text::verdict)?,
        reason: text::named_or_null(row, "reason", text::reason)?,
        message: message.map(Uuid::from_bytes),
    })
}
