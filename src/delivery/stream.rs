//! The live feed: events after a place, in the order of commits, read from the store. Nothing is kept for whoever
//! reads slowly; a place is all that it takes to go on.
//!
//! May import the store's reader and tokio's synchronisation.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::event::{Event, Interest};
use crate::store::failure::Failure;
use crate::store::reader::{Cursor, Reader};

/// Rows of each kind looked at at once.
const PAGE: usize = 100;
/// After news: what else is committed by then comes along.
const GATHER: Duration = Duration::from_millis(10);

/// Follows the events of a tenant.
pub struct Feed {
    reader: Reader,
    commits: watch::Receiver<i64>,
    closing: watch::Receiver<bool>,
    tenant: String,
    interest: Interest,
    after: Cursor,
}

impl Feed {
    /// From that place on, or from now on.
    pub(in crate::delivery) fn open(
        reader: Reader,
        commits: watch::Receiver<i64>,
        closing: watch::Receiver<bool>,
        (tenant, interest): (&str, Interest),
        after: Option<Cursor>,
    ) -> Result<Self, Failure> {
        let after = match after {
            Some(after) => after,
            None => reader.newest()?,
        };
        Ok(Self { reader, commits, closing, tenant: tenant.to_owned(), interest, after })
    }

    /// The next events, at least one, each with its place; waits for them. None when the server stops.
    ///
    /// # Errors
    /// Where the store cannot be read. The call may be repeated.
    pub async fn next(&mut self) -> Result<Option<Vec<(Cursor, Event)>>, Failure> {
        loop {
            // Marked as seen before it is read, so that nothing is missed in between.
            self.commits.borrow_and_update();
            let (reader, tenant) = (self.reader.clone(), self.tenant.clone());
            let (interest, after) = (self.interest.clone(), self.after);
            let asked = tokio::task::spawn_blocking(move || reader.events(&tenant, &interest, after, PAGE));
            let page = match asked.await {
                Ok(page) => page?,
                Err(ended) => std::panic::resume_unwind(ended.into_panic()),
            };
            self.after = page.position;
            if !page.items.is_empty() {
                return Ok(Some(page.items));
            }
            if page.is_last && !self.wait().await {
                return Ok(None);
            }
        }
    }

    /// For a commit; false when the server stops.
    async fn wait(&mut self) -> bool {
        let more = tokio::select! {
            commit = self.commits.changed() => commit.is_ok(),
            _ = self.closing.wait_for(|closing| *closing) => false,
        };
        tokio::time::sleep(GATHER).await;
        more
    }
}
