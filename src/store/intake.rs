//! The only part of the store that a relay's side may see: take a delivery, look up the account that brings it.
//!
//! Imports `item` and the store's own writer. Nothing here can read an item back, let alone open one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::item::{Item, Origin, Receipt, Timestamp};
use crate::store::accounts::{self, Accounts};
use crate::store::failure::Failure;
use crate::store::roster::Roster;
use crate::store::sqlite::health::Health;
use crate::store::sqlite::pool::Pool;
use crate::store::sqlite::queue::{Job, Load, Queue, TakeJob};

/// Takes deliveries and knows who may bring them.
#[derive(Clone)]
pub struct Intake {
    pub(in crate::store) queue: Arc<Queue>,
    pub(in crate::store) load: Arc<Load>,
    pub(in crate::store) health: Arc<Health>,
    pub(in crate::store) pool: Pool,
    pub(in crate::store) accounts: Accounts,
    pub(in crate::store) roster: Arc<Roster>,
}

impl Intake {
    /// Commits the items sealed. Returns only after COMMIT: the receipt cannot be had otherwise.
    ///
    /// # Errors
    /// [`Failure::Overloaded`] where too much is pending; any other where it cannot be stored. Nothing was taken then,
    /// but for [`Failure::Stopped`], where the process ended before it knew.
    pub async fn take(&self, origin: Origin, items: Vec<Item>) -> Result<Receipt, Failure> {
        self.commit(None, origin, items).await
    }

    /// The same, in the name of an account that was known to be there.
    ///
    /// # Errors
    /// The same, and [`Failure::AccountChanged`] where the account is not, or no longer, what it was known as.
    pub async fn take_from(&self, known: Known, origin: Origin, items: Vec<Item>) -> Result<Receipt, Failure> {
        self.commit(Some(known), origin, items).await
    }

    async fn commit(&self, known: Option<Known>, origin: Origin, items: Vec<Item>) -> Result<Receipt, Failure> {
        let bytes = items.iter().map(|item| item.sealed.bytes.len() as u64).sum();
        let reserved = self.load.reserve(items.len() as u64, bytes)?;
        let (answer, answered) = oneshot::channel();
        self.queue.push(Job::Take(TakeJob { known, origin, items, reserved, answer }))?;
        answered.await.unwrap_or(Err(Failure::Stopped))
    }

    /// The account of that name, as it is.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn account(&self, name: &str) -> Result<Option<Account>, Failure> {
        self.pool.look_up(|connection| accounts::find(connection, name))
    }

    /// The account of that name as it was last read, where memory has it: it may have changed since, and then
    /// [`Intake::take_from`] says so.
    pub fn remembered(&self, name: &str) -> Option<Known> {
        self.roster.find(name)
    }

    /// The account of that name, as it is, and remembered.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn known(&self, name: &str) -> Result<Option<Known>, Failure> {
        self.roster.learn(|| self.account(name))
    }

    /// The accounts of a tenant, by name.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn accounts(&self, tenant: &str) -> Result<Vec<Account>, Failure> {
        self.pool.read(|connection| accounts::list(connection, tenant))
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`Failure::Conflict`] where the name is taken in any tenant, or where the store cannot be written.
    pub fn add_account(&self, account: &Account) -> Result<(), Failure> {
        self.accounts.add(account).inspect(|()| self.roster.forget())
    }

    /// Removes an account; false where there is none. What it handed over stays.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn remove_account(&self, name: &str) -> Result<bool, Failure> {
        self.accounts.remove(name).inspect(|_| self.roster.forget())
    }

    /// Whether the last attempt to store succeeded.
    ///
    /// # Errors
    /// What it failed with.
    pub fn healthy(&self) -> Result<(), Failure> {
        self.health.check()
    }
}

/// An account as it was found.
#[derive(Clone, Debug)]
pub struct Known {
    /// What was found.
    pub account: Arc<Account>,
    pub(in crate::store) turn: u64,
}

/// Who may hand over, and how its bodies are read.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Unique over all tenants: it stands in the URL.
    pub name: String,
    /// Scopes all that it brings.
    pub tenant: String,
    /// How items are found in a body.
    pub profile: String,
    /// Options of the profile.
    pub options: BTreeMap<String, String>,
    /// SHA-256 of the token.
    pub token_sha256: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("tenant", &self.tenant)
            .field("profile", &self.profile)
            .field("options", &self.options)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
