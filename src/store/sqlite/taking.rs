//! Takes a delivery: one row for it, one a item, all at the ends of their tables.
//!
//! Imports rusqlite and `item`.

use std::sync::Arc;

use rusqlite::params;

use crate::item::{Item, ItemId, Origin, Receipt, Taken, Timestamp};
use crate::store::checksum;
use crate::store::failure::Failure;
use crate::store::id::Id;
use crate::store::sqlite::books::{Books, Came};
use crate::store::sqlite::pen::Pen;
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
        pen: &mut Pen<'_>,
        origin: &Origin,
        items: &[Item],
        now: Timestamp,
    ) -> Result<Delivery, Failure> {
        let id = Id::random(self.ordinals.next(now));
        let delivery = Delivery { id, first_item: self.next_item, received_at: now };
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        self.next_item += count;
        pen.delivery.execute(params![
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
            insert(pen, number, id.ordinal, item)?;
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

fn insert(pen: &mut Pen<'_>, number: i64, delivery: i64, item: &Item) -> Result<(), Failure> {
    let claims = &item.claims;
    let columns = params![
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
    ];
    Ok(checksum::write(&mut pen.item, "item", columns, &[])?)
}
