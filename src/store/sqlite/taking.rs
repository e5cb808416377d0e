//! Takes a delivery: one row for it, one a item, all at the ends of their tables.
//!
//! Imports rusqlite and `item`.

use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::item::{Item, ItemId, Origin, Receipt, Taken, Timestamp};
use crate::store::failure::Failure;
use crate::store::id::Id;
use crate::store::sqlite::books::{Books, Came};
use crate::store::text;

/// A delivery as it stands in the open transaction.
#[derive(Clone, Copy)]
pub(in crate::store) struct Delivery {
    id: Id,
    first_item: i64,
    received_at: Timestamp,
}

impl Books {
    /// Writes the delivery and its items.
    pub(in crate::store) fn take(
        &mut self,
        connection: &Connection,
        origin: &Origin,
        items: &[Item],
        now: Timestamp,
    ) -> Result<Delivery, Failure> {
        let id = Id::random(self.ordinals.next(now));
        let delivery = Delivery { id, first_item: self.next_item, received_at: now };
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        self.next_item += count;
        let mut statement =
            connection.prepare_cached("INSERT INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        statement.execute(params![
            id.ordinal,
            id.tail,
            origin.relay,
            origin.tenant,
            origin.unauthenticated_sender,
            now.millis(),
            delivery.first_item,
            count
        ])?;
        for (number, item) in (delivery.first_item..).zip(items) {
            insert(connection, number, id.ordinal, item)?;
            let (relay, tenant) = (Arc::clone(&origin.relay), Arc::clone(&origin.tenant));
            let came = Came { relay, tenant, received_at: now, claims: item.claims.clone() };
            self.draft.take(number, item.sealed.bytes.len() as u64, came);
        }
        self.tallies.take(&origin.relay, count);
        Ok(delivery)
    }
}

impl Delivery {
    /// What the relay is told.
    pub(in crate::store) fn receipt(&self, items: &[Item]) -> Receipt {
        Receipt { receipt: self.id.uuid(), items: u32::try_from(items.len()).unwrap_or(u32::MAX) }
    }

    /// What opening is given.
    pub(in crate::store) fn hand_over(self, origin: Origin, items: Vec<Item>) -> impl Iterator<Item = Taken> {
        (0..).zip(items).map(move |(index, item)| Taken {
            id: ItemId(self.first_item + i64::from(index)),
            receipt: self.id.uuid(),
            index,
            origin: origin.clone(),
            received_at: self.received_at,
            sealed: item.sealed,
            claims: item.claims,
        })
    }
}

fn insert(connection: &Connection, number: i64, delivery: i64, item: &Item) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
         checksum('item', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11))",
    )?;
    let claims = &item.claims;
    statement.execute(params![
        number,
        delivery,
        item.sealed.cose_type.map(text::cose_tag),
        claims.endpoint,
        claims.prefix,
        claims.path,
        claims.time.map(Timestamp::millis),
        claims.seq.map(u64::cast_signed),
        claims.id,
        claims.repaired,
        &*item.sealed.bytes
    ])?;
    Ok(())
}
