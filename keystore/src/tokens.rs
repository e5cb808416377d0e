//! API tokens (keystore.md §8): `pkn_<id>_<secret>`. The secret has 256 bits, so an HMAC of it is kept and no slow hash;
//! a row MAC keeps its scopes from being lifted.

use base64ct::{Base64UrlUnpadded, Encoding};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Keystore;
use crate::error::{AdminError, OpenError};
use crate::info::rfc3339;
use crate::records::now;
use crate::rest::{Dek, Ring, Tampered, covered};
use crate::root;

const COLUMNS: &str = "id, name, tenant, scopes, status, created, hash";
const MAC: usize = 7;

/// A fixed prefix lets secret scanners find leaks.
const PREFIX: &str = "pkn_";
const ID_BYTES: usize = 12;
const SECRET_BYTES: usize = 32;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Scope {
    /// Operators' routes.
    #[serde(rename = "admin")]
    Admin,
    /// Firmware.
    #[serde(rename = "firmware")]
    Firmware,
    /// Key administration.
    #[serde(rename = "keys")]
    Keys,
    /// Private export.
    #[serde(rename = "keys:export")]
    KeysExport,
    /// Messages and readings.
    #[serde(rename = "read")]
    Read,
    /// Subscriptions.
    #[serde(rename = "subscriptions")]
    Subscriptions,
}

/// Who a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Public half of the token.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// The only tenant that it sees.
    pub tenant: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// A token, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// Public half of the token.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// The only tenant that it sees.
    pub tenant: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// `active`, `revoked`.
    pub status: &'static str,
    /// RFC 3339.
    pub created: String,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] =
        &[Self::Read, Self::Admin, Self::Keys, Self::KeysExport, Self::Subscriptions, Self::Firmware];

    /// The name on the command line and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Firmware => "firmware",
            Self::Keys => "keys",
            Self::KeysExport => "keys:export",
            Self::Read => "read",
            Self::Subscriptions => "subscriptions",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.name() == name)
    }
}

impl Token {
    /// Whether the token has this scope.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

struct TokenRow {
    token: Token,
    active: bool,
    created: i64,
    hash: Vec<u8>,
}

impl Keystore {
    /// Makes a token and returns it: the only time that its secret is seen.
    pub fn token_add(&self, name: &str, scopes: &[Scope], tenant: &str) -> Result<String, AdminError> {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) || scopes.is_empty() {
            return Err(AdminError::Invalid("a token has a printable name and at least one scope".to_owned()));
        }
        let (id, secret) = (random(ID_BYTES)?, random(SECRET_BYTES)?);
        self.write(0, |transaction, dek| {
            if live(transaction, &self.ring)?.iter().any(|row| row.token.name == name) {
                return Err(AdminError::Conflict(format!("a token of the name {name} is there already")));
            }
            let token =
                Token { id: id.to_string(), name: name.to_owned(), tenant: tenant.to_owned(), scopes: scopes.to_vec() };
            let hash = dek.token_hash(secret.as_bytes());
            TokenRow { token, active: true, created: now(transaction)?, hash }.put(transaction, dek)
        })?;
        Ok(format!("{PREFIX}{}_{}", *id, *secret))
    }

    /// Whom a token stands for; none for one that is not known, revoked or wrong. All of these cost the same.
    pub fn token_check(&self, token: &str) -> Result<Option<Token>, OpenError> {
        let Some((id, secret)) = halves(token) else { return Ok(None) };
        let found = self.records.read(|connection| row_of(connection, &self.ring, id))?;
        let known = found.as_ref().is_some_and(|row| row.active);
        let dummy = self.dummy()?;
        let expected = found.as_ref().map_or(&dummy, |row| &row.hash);
        let Some(dek) = expected.get(..4).and_then(|id| self.ring.named(id)) else {
            return Err(OpenError::Tampered(format!("token {id}")));
        };
        let equal = bool::from(dek.token_hash(secret.as_bytes()).ct_eq(expected));
        Ok(found.filter(|_| known && equal).map(|row| row.token))
    }

    /// Every token, revoked ones included, oldest first.
    pub fn tokens(&self) -> Result<Vec<TokenInfo>, AdminError> {
        let rows = self.records.read(|connection| all(connection, &self.ring))?;
        Ok(rows.into_iter().map(TokenInfo::from).collect())
    }

    /// Revokes the live token of that name or id.
    pub fn token_revoke(&self, name_or_id: &str) -> Result<(), AdminError> {
        self.write(0, |transaction, dek| {
            let mut rows = live(transaction, &self.ring)?;
            let named = rows.iter_mut().find(|row| row.token.name == name_or_id || row.token.id == name_or_id);
            let row = named.ok_or_else(|| AdminError::NotFound(format!("token: {name_or_id}")))?;
            row.active = false;
            row.put(transaction, dek)
        })
    }

    /// Whether no token was ever made: the first start, which prints one.
    pub fn has_no_token_yet(&self) -> Result<bool, AdminError> {
        self.records.read(|connection| {
            Ok(connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM token)", [], |row| row.get(0))?)
        })
    }

    /// What an unknown id is compared with, so that it costs what a known one does.
    fn dummy(&self) -> Result<Vec<u8>, OpenError> {
        let dek = self.ring.newest().map_err(|error| OpenError::Failed(error.to_string()))?;
        Ok(dek.token_hash(b""))
    }
}

impl From<TokenRow> for TokenInfo {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.token.id,
            name: row.token.name,
            tenant: row.token.tenant,
            scopes: row.token.scopes,
            status: if row.active { "active" } else { "revoked" },
            created: rfc3339(row.created),
        }
    }
}

impl TokenRow {
    fn put(&self, transaction: &Connection, dek: &Dek) -> Result<(), AdminError> {
        let text = |text: &str| Value::Text(text.to_owned());
        let scopes: Vec<_> = self.token.scopes.iter().map(|scope| scope.name()).collect();
        let columns = [
            text(&self.token.id),
            text(&self.token.name),
            text(&self.token.tenant),
            Value::Text(scopes.join(" ")),
            text(if self.active { "active" } else { "revoked" }),
            Value::Integer(self.created),
            Value::Blob(self.hash.clone()),
        ];
        let mac = dek.mac(&covered("token", columns.iter().map(ValueRef::from)));
        let values = columns.into_iter().chain([Value::Blob(mac)]);
        let sql = format!("INSERT OR REPLACE INTO token ({COLUMNS}, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        transaction.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }
}

fn random(length: usize) -> Result<Zeroizing<String>, AdminError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    root::fill(&mut bytes)?;
    Ok(Zeroizing::new(Base64UrlUnpadded::encode_string(&bytes)))
}

/// The id and the secret. Lengths are fixed: base64url may hold the separator.
fn halves(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_at_checked(ID_BYTES.div_ceil(3) * 4)?;
    let secret = secret.strip_prefix('_')?;
    (secret.len() == (SECRET_BYTES * 4).div_ceil(3)).then_some((id, secret))
}

fn row_of(connection: &Connection, ring: &Ring, id: &str) -> Result<Option<TokenRow>, OpenError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS}, mac FROM token WHERE id = ?"))?;
    let mut rows = statement.query(params![id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    checked(row, ring, connection).map(Some).map_err(|Tampered| OpenError::Tampered(format!("token {id}")))
}

fn all(connection: &Connection, ring: &Ring) -> Result<Vec<TokenRow>, AdminError> {
    let sql = format!("SELECT {COLUMNS}, mac FROM token ORDER BY created, id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        let token = checked(row, ring, connection);
        tokens.push(token.map_err(|Tampered| AdminError::Tampered("a token".to_owned()))?);
    }
    Ok(tokens)
}

fn live(connection: &Connection, ring: &Ring) -> Result<Vec<TokenRow>, AdminError> {
    Ok(all(connection, ring)?.into_iter().filter(|row| row.active).collect())
}

fn checked(row: &Row<'_>, ring: &Ring, connection: &Connection) -> Result<TokenRow, Tampered> {
    ring.check("token", row, MAC).or_else(|Tampered| {
        ring.refresh(connection).map_err(|_| Tampered)?;
        ring.check("token", row, MAC)
    })?;
    read(row).ok_or(Tampered)
}

fn read(row: &Row<'_>) -> Option<TokenRow> {
    let scopes: String = row.get(3).ok()?;
    Some(TokenRow {
        token: Token {
            id: row.get(0).ok()?,
            name: row.get(1).ok()?,
            tenant: row.get(2).ok()?,
            scopes: scopes.split(' ').map(Scope::from_name).collect::<Option<_>>()?,
        },
        active: row.get_ref(4).ok()?.as_str().ok()? == "active",
        created: row.get(5).ok()?,
        hash: row.get(6).ok()?,
    })
}

#[cfg(test)]
mod tests;
