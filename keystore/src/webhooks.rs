//! Webhook secrets (Standard Webhooks v1): `whsec_` and the base64 of 32 random bytes. Unlike a token's they must be
//! used, so they are sealed and not hashed; they leave once, when they are made. After that there is only
//! `sign[secret](id.timestamp.body) = "v1," ‖ base64(HMAC-SHA-256)`, with the secret before too until its overlap ends.

use aws_lc_rs::hmac;
use base64ct::{Base64, Encoding};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params};
use zeroize::Zeroizing;

use crate::Keystore;
use crate::cbor;
use crate::error::{AdminError, OpenError};
use crate::records::now;
use crate::rest::{Dek, Ring, Tampered, covered};
use crate::root;

const COLUMNS: &str = "tenant, id, current, previous, previous_until, created";
const MAC: usize = 6;

/// Lets secret scanners find leaks.
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// A record as its row holds it.
struct WebhookRow {
    tenant: String,
    id: String,
    current: Vec<u8>,
    previous: Option<Vec<u8>>,
    previous_until: Option<i64>,
    created: i64,
}

impl Keystore {
    /// Makes the secret of a new webhook and returns it: the only time that it is seen.
    pub fn webhook_add(&self, tenant: &str, id: &str) -> Result<Zeroizing<String>, AdminError> {
        let secret = fresh()?;
        self.write(1, |transaction, dek| {
            if find(transaction, &self.ring, tenant, id).map_err(failed)?.is_some() {
                return Err(AdminError::Conflict(format!("webhook {id} has a secret already")));
            }
            let current = dek.seal(&aad(tenant, id), &secret[..])?;
            let created = now(transaction)?;
            let (tenant, id) = (tenant.to_owned(), id.to_owned());
            WebhookRow { tenant, id, current, previous: None, previous_until: None, created }.put(transaction, dek)
        })?;
        Ok(shown(&secret))
    }

    /// Makes a new secret and returns it. The one before signs too for `overlap_s` seconds; one before that no more.
    pub fn webhook_rotate(&self, tenant: &str, id: &str, overlap_s: u32) -> Result<Zeroizing<String>, AdminError> {
        let secret = fresh()?;
        self.write(1, |transaction, dek| {
            let row = find(transaction, &self.ring, tenant, id).map_err(failed)?;
            let row = row.ok_or_else(|| AdminError::NotFound(format!("webhook: {id}")))?;
            let until = now(transaction)? + i64::from(overlap_s) * 1000;
            let current = dek.seal(&aad(tenant, id), &secret[..])?;
            let previous = Some(row.current);
            WebhookRow { current, previous, previous_until: Some(until), ..row }.put(transaction, dek)
        })?;
        Ok(shown(&secret))
    }

    /// Forgets a webhook's secrets.
    pub fn webhook_remove(&self, tenant: &str, id: &str) -> Result<(), AdminError> {
        self.write(0, |transaction, _| {
            transaction.execute("DELETE FROM webhook WHERE tenant = ?1 AND id = ?2", params![tenant, id])?;
            Ok(())
        })
    }

    /// Signs `prefix ‖ body` with each secret that holds now: signatures, separated by spaces, the newest first.
    /// None where the webhook has no secret.
    pub fn webhook_sign(&self, tenant: &str, id: &str, prefix: &str, body: &[u8]) -> Result<Option<String>, OpenError> {
        let found = self
            .records
            .read(|connection| Ok::<_, OpenError>((find(connection, &self.ring, tenant, id)?, now(connection)?)))?;
        let (Some(row), now) = found else { return Ok(None) };
        let aad = aad(tenant, id);
        let mut signatures = Vec::new();
        let previous = row.previous.filter(|_| row.previous_until.is_some_and(|until| now < until));
        for sealed in [Some(row.current), previous].into_iter().flatten() {
            let secret = self.ring.unseal(&aad, &sealed).map_err(|Tampered| tampered(id))?;
            signatures.push(signature(&secret, prefix, body));
        }
        Ok(Some(signatures.join(" ")))
    }
}

/// The v1 signature.
fn signature(secret: &[u8], prefix: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(prefix.as_bytes());
    context.update(body);
    format!("v1,{}", Base64::encode_string(context.sign().as_ref()))
}

fn fresh() -> Result<Zeroizing<[u8; SECRET_BYTES]>, AdminError> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    root::fill(&mut secret[..])?;
    Ok(secret)
}

fn shown(secret: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(Base64::encode_string(secret));
    let mut shown = Zeroizing::new(String::with_capacity(PREFIX.len() + encoded.len()));
    shown.push_str(PREFIX);
    shown.push_str(&encoded);
    shown
}

impl WebhookRow {
    fn put(&self, transaction: &Connection, dek: &Dek) -> Result<(), AdminError> {
        let columns = [
            Value::Text(self.tenant.clone()),
            Value::Text(self.id.clone()),
            Value::Blob(self.current.clone()),
            self.previous.clone().map_or(Value::Null, Value::Blob),
            self.previous_until.map_or(Value::Null, Value::Integer),
            Value::Integer(self.created),
        ];
        let mac = dek.mac(&covered("webhook", columns.iter().map(ValueRef::from)));
        let values = columns.into_iter().chain([Value::Blob(mac)]);
        let sql = format!("INSERT OR REPLACE INTO webhook ({COLUMNS}, mac) VALUES (?, ?, ?, ?, ?, ?, ?)");
        transaction.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        Ok(())
    }
}

fn find(connection: &Connection, ring: &Ring, tenant: &str, id: &str) -> Result<Option<WebhookRow>, OpenError> {
    let sql = format!("SELECT {COLUMNS}, mac FROM webhook WHERE tenant = ?1 AND id = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![tenant, id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let whole = ring.check("webhook", row, MAC).or_else(|Tampered| {
        ring.refresh(connection).map_err(|_| Tampered)?;
        ring.check("webhook", row, MAC)
    });
    whole.map_err(|Tampered| tampered(id))?;
    Ok(Some(read(row)?))
}

fn read(row: &Row<'_>) -> Result<WebhookRow, rusqlite::Error> {
    Ok(WebhookRow {
        tenant: row.get(0)?,
        id: row.get(1)?,
        current: row.get(2)?,
        previous: row.get(3)?,
        previous_until: row.get(4)?,
        created: row.get(5)?,
    })
}

fn tampered(id: &str) -> OpenError {
    OpenError::Tampered(format!("webhook {id}"))
}

fn failed(error: OpenError) -> AdminError {
    match error {
        OpenError::Tampered(what) => AdminError::Tampered(what),
        other => AdminError::Failed(other.to_string()),
    }
}

/// Binds a sealed secret to its webhook.
fn aad(tenant: &str, id: &str) -> Vec<u8> {
    cbor::build(128, |out| out.array(4)?.str("paperknife-ks-1")?.str("webhook")?.str(tenant)?.str(id)?.ok())
}

#[cfg(test)]
mod tests;
