//! Relay accounts on disk, for a running server and for administration beside it.
//!
//! Each change opens a connection of its own: changes are rare, and a handle that is not open cannot be in the way when
//! the writer must give up its own (reliability D6).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::item::Timestamp;
use crate::store::failure::Failure;
use crate::store::intake::Account;
use crate::store::sqlite::{connection, migration};
use crate::store::text;

/// Reads and changes relay accounts of a data folder, whether a server runs on it or not.
#[derive(Clone)]
pub struct Accounts {
    data: PathBuf,
}

impl Accounts {
    /// Of the store in `data`, which is made where there is none.
    pub(in crate::store) fn open(data: &Path) -> Result<Self, Failure> {
        migration::prepare(data)?;
        Ok(Self::of(data))
    }

    /// Of a store that is open already.
    pub(in crate::store) fn of(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// The account of that name.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn account(&self, name: &str) -> Result<Option<Account>, Failure> {
        find(&self.connect()?, name)
    }

    /// The accounts of a tenant, by name.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn accounts(&self, tenant: &str) -> Result<Vec<Account>, Failure> {
        list(&self.connect()?, tenant)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`Failure::Conflict`] where the name is taken, or where the store cannot be written.
    pub fn add(&self, account: &Account) -> Result<(), Failure> {
        let options = serde_json::to_string(&account.options).map_err(|error| Failure::Damaged(error.to_string()))?;
        let added = self.connect()?.execute(
            "INSERT INTO relay VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING",
            params![
                account.name,
                account.tenant,
                account.profile,
                options,
                account.token_sha256,
                account.created.millis()
            ],
        )?;
        if added == 0 { Err(Failure::Conflict(account.name.clone())) } else { Ok(()) }
    }

    /// Removes an account; false where there is none.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn remove(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.connect()?.execute("DELETE FROM relay WHERE name = ?1", [name])? > 0)
    }

    fn connect(&self) -> Result<Connection, Failure> {
        connection::for_writing(&connection::file(&self.data))
    }
}

/// One account, by the primary key.
pub(in crate::store) fn find(connection: &Connection, name: &str) -> Result<Option<Account>, Failure> {
    let mut statement = connection.prepare_cached("SELECT * FROM relay WHERE name = ?1")?;
    Ok(statement.query_row([name], read).optional()?)
}

/// Those of a tenant.
pub(in crate::store) fn list(connection: &Connection, tenant: &str) -> Result<Vec<Account>, Failure> {
    let mut statement = connection.prepare_cached("SELECT * FROM relay WHERE tenant = ?1 ORDER BY name")?;
    let accounts = statement.query_map([tenant], read)?.collect::<Result<_, _>>()?;
    Ok(accounts)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        name: row.get("name")?,
        tenant: row.get("tenant")?,
        profile: row.get("profile")?,
        options: text::json(row, "options")?,
        token_sha256: row.get("token_sha256")?,
        created: Timestamp::from_millis(row.get("created")?),
    })
}
