//! Records at rest. The root key wraps a keyring of data keys (DEK); each DEK yields, by HKDF-SHA-256 with the purpose
//! as info, one key to seal records, one to MAC rows, one for API tokens and one for thumbprints of symmetric keys.
//!
//! A sealed record is `01 ‖ dek id (u32) ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag`; its AAD is recomputed from the
//! row that holds it, so a record in another row, or beside an edited column, does not open.

use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use zeroize::Zeroizing;

use crate::cbor;
use crate::error::AdminError;
use crate::records::now;
use crate::root::{self, RootKey};

/// AES-256-GCM; `02` stays reserved for AES-256-GCM-SIV.
const FORMAT: u8 = 1;
const HEADER: usize = 1 + 4 + 12;

/// Seals under one DEK before the next takes over: half of what random nonces allow (NIST SP 800-38D §8.3).
const SEALS_MAX: i64 = 1 << 31;

/// What the root key seals into each keyring row, so that a wrong one is known by one unseal.
const CONSTANT: &[u8] = b"paperknife keyring";

const COLUMNS: &str = "dek, status, seals, created, wrapped, constant, mac";

/// A record or row that is not as it was written.
#[derive(Debug)]
pub(crate) struct Tampered;

/// Why a keyring does not open.
#[derive(Debug)]
pub(crate) enum Locked {
    Failed(rusqlite::Error),
    Tampered,
    WrongRoot,
}

impl From<rusqlite::Error> for Locked {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// One data key, as the keys of its purposes.
pub(crate) struct Dek {
    id: u32,
    seal: Aes256Gcm,
    row_mac: hmac::Key,
    token_pepper: hmac::Key,
    thumbprint: hmac::Key,
}

/// A data key as its row holds it.
struct Wrapped {
    id: u32,
    seals: i64,
    created: i64,
    wrapped: Vec<u8>,
    constant: Vec<u8>,
}

/// The data keys, unwrapped.
pub(crate) struct Ring {
    root: Dek,
    deks: RwLock<Vec<Arc<Dek>>>,
}

impl Dek {
    fn new(id: u32, secret: &[u8]) -> Result<Self, AdminError> {
        let prk = Salt::none(HKDF_SHA256).extract(secret);
        let seal = Aes256Gcm::new_from_slice(&purpose(&prk, "seal")?[..])
            .map_err(|_| AdminError::Failed("AES-256-GCM takes no key".to_owned()))?;
        let hmac_key = |label| Ok::<_, AdminError>(hmac::Key::new(hmac::HMAC_SHA256, &purpose(&prk, label)?[..]));
        Ok(Self {
            id,
            seal,
            row_mac: hmac_key("row-mac")?,
            token_pepper: hmac_key("token-pepper")?,
            thumbprint: hmac_key("thumbprint")?,
        })
    }

    /// Seals `plaintext` into a record that opens only with the same `aad`.
    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, AdminError> {
        let mut nonce = [0; 12];
        root::fill(&mut nonce)?;
        let sealed = self
            .seal
            .encrypt(&nonce.into(), Payload { msg: plaintext, aad })
            .map_err(|_| AdminError::Failed("a record could not be sealed".to_owned()))?;
        let mut record = Vec::with_capacity(HEADER + sealed.len());
        record.push(FORMAT);
        record.extend(self.id.to_be_bytes());
        record.extend(nonce);
        record.extend(sealed);
        Ok(record)
    }

    fn unseal(&self, aad: &[u8], record: &[u8]) -> Result<Zeroizing<Vec<u8>>, Tampered> {
        let (header, sealed) = record.split_at_checked(HEADER).ok_or(Tampered)?;
        let nonce = <[u8; 12]>::try_from(&header[5..]).map_err(|_| Tampered)?;
        if header[0] != FORMAT || header[1..5] != self.id.to_be_bytes() {
            return Err(Tampered);
        }
        self.seal.decrypt(&nonce.into(), Payload { msg: sealed, aad }).map(Zeroizing::new).map_err(|_| Tampered)
    }

    /// `dek id ‖ HMAC-SHA-256` over what [`covered`] made of a row.
    pub(crate) fn mac(&self, covered: &[u8]) -> Vec<u8> {
        tagged(self.id, &self.row_mac, covered)
    }

    /// `dek id ‖ HMAC-SHA-256` of an API token's secret.
    pub(crate) fn token_hash(&self, secret: &[u8]) -> Vec<u8> {
        tagged(self.id, &self.token_pepper, secret)
    }

    /// Keyed, because a plain hash of a symmetric key invites guessing.
    pub(crate) fn thumbprint(&self, symmetric: &[u8]) -> [u8; 32] {
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(hmac::sign(&self.thumbprint, symmetric).as_ref());
        thumbprint
    }
}

fn tagged(id: u32, key: &hmac::Key, message: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], hmac::sign(key, message).as_ref()].concat()
}

fn purpose(prk: &Prk, label: &str) -> Result<Zeroizing<[u8; 32]>, AdminError> {
    let mut key = Zeroizing::new([0; 32]);
    prk.expand(&[label.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key[..]))
        .map_err(|_| AdminError::Failed("HKDF yields no key".to_owned()))?;
    Ok(key)
}

/// Deterministic CBOR of a table's name and a row's columns, for its MAC (keystore.md §2).
pub(crate) fn covered<'a>(table: &str, columns: impl ExactSizeIterator<Item = ValueRef<'a>>) -> Vec<u8> {
    cbor::build(512, |out| {
        out.array(1 + columns.len() as u64)?.str(table)?;
        for column in columns {
            match column {
                ValueRef::Null => out.null()?,
                ValueRef::Integer(integer) => out.i64(integer)?,
                ValueRef::Real(real) => out.f64(real)?,
                // Text is covered as bytes of its own kind: what a hostile hand wrote need not be UTF-8.
                ValueRef::Text(text) => out.array(1)?.bytes(text)?,
                ValueRef::Blob(blob) => out.bytes(blob)?,
            };
        }
        Ok(())
    })
}

impl Ring {
    /// Unwraps every data key. One unseal of the constant tells a wrong root key from a row that was tampered with.
    pub(crate) fn open(root: &RootKey, connection: &Connection) -> Result<Self, Locked> {
        let ring = Self::locked(root).map_err(|_| Locked::Tampered)?;
        ring.refresh(connection)?;
        if ring.read().is_empty() {
            return Err(Locked::Tampered);
        }
        Ok(ring)
    }

    /// A ring without data keys yet.
    pub(crate) fn locked(root: &RootKey) -> Result<Self, AdminError> {
        Ok(Self { root: Dek::new(0, root.bytes())?, deks: RwLock::default() })
    }

    /// Reads the keyring again: another process may have added to it.
    pub(crate) fn refresh(&self, connection: &Connection) -> Result<(), Locked> {
        let deks = self.rows(connection)?.into_iter().map(|(_, dek)| Arc::new(dek)).collect();
        *self.deks.write().unwrap_or_else(PoisonError::into_inner) = deks;
        Ok(())
    }

    /// The keyring's rows and what they wrap, oldest first.
    fn rows(&self, connection: &Connection) -> Result<Vec<(Wrapped, Dek)>, Locked> {
        let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM keyring ORDER BY dek"))?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let wrapped = Wrapped::read(row)?;
            let dek = self.unwrap(row, &wrapped)?;
            found.push((wrapped, dek));
        }
        Ok(found)
    }

    fn unwrap(&self, row: &Row<'_>, found: &Wrapped) -> Result<Dek, Locked> {
        match self.root.unseal(&keyring_aad("constant", found.id), &found.constant) {
            Ok(held) if held.as_slice() == CONSTANT => {}
            Ok(_) | Err(Tampered) => return Err(Locked::WrongRoot),
        }
        check(&self.root, "keyring", row, 6).map_err(|Tampered| Locked::Tampered)?;
        let secret = self.root.unseal(&keyring_aad("dek", found.id), &found.wrapped);
        Dek::new(found.id, &secret.map_err(|Tampered| Locked::Tampered)?).map_err(|_| Locked::Tampered)
    }

    /// Unseals with whichever data key the record names.
    pub(crate) fn unseal(&self, aad: &[u8], record: &[u8]) -> Result<Zeroizing<Vec<u8>>, Tampered> {
        let id = record.get(1..5).ok_or(Tampered)?;
        self.named(id).ok_or(Tampered)?.unseal(aad, record)
    }

    /// Checks a row whose last column, at `mac`, is the MAC of those before it.
    pub(crate) fn check(&self, table: &str, row: &Row<'_>, mac: usize) -> Result<(), Tampered> {
        let id = match row.get_ref(mac) {
            Ok(ValueRef::Blob(tag)) => tag.get(..4).ok_or(Tampered)?,
            Ok(ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_)) | Err(_) => {
                return Err(Tampered);
            }
        };
        check(&*self.named(id).ok_or(Tampered)?, table, row, mac)
    }

    /// The data key that those four bytes name.
    pub(crate) fn named(&self, id: &[u8]) -> Option<Arc<Dek>> {
        self.read().into_iter().find(|dek| dek.id.to_be_bytes() == id)
    }

    /// Every data key, oldest first.
    pub(crate) fn read(&self) -> Vec<Arc<Dek>> {
        self.deks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest data key, for MACs.
    pub(crate) fn newest(&self) -> Result<Arc<Dek>, AdminError> {
        self.read().pop().ok_or_else(|| AdminError::Tampered("the keyring".to_owned()))
    }

    /// The data key for `seals` more records, counted within the caller's transaction. At its limit a new one takes over.
    pub(crate) fn for_sealing(&self, transaction: &Connection, seals: i64) -> Result<Arc<Dek>, AdminError> {
        let rows = self.rows(transaction).map_err(unreadable)?;
        let row = match rows.into_iter().next_back() {
            Some((row, _)) if row.seals + seals <= SEALS_MAX => Wrapped { seals: row.seals + seals, ..row },
            Some((row, _)) => self.wrap(transaction, row.id + 1, seals)?,
            None => self.wrap(transaction, 1, seals)?,
        };
        row.put(transaction, &self.root)?;
        self.refresh(transaction).map_err(unreadable)?;
        self.newest()
    }

    /// A new data key, wrapped.
    fn wrap(&self, transaction: &Connection, id: u32, seals: i64) -> Result<Wrapped, AdminError> {
        let secret = RootKey::random()?;
        Ok(Wrapped {
            id,
            seals,
            created: now(transaction)?,
            wrapped: self.root.seal(&keyring_aad("dek", id), secret.bytes())?,
            constant: self.root.seal(&keyring_aad("constant", id), CONSTANT)?,
        })
    }
}

impl Wrapped {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            seals: row.get(2)?,
            created: row.get(3)?,
            wrapped: row.get(4)?,
            constant: row.get(5)?,
        })
    }

    fn put(&self, transaction: &Connection, root: &Dek) -> Result<(), AdminError> {
        let columns = [
            ValueRef::Integer(self.id.into()),
            ValueRef::Text(b"active"),
            ValueRef::Integer(self.seals),
            ValueRef::Integer(self.created),
            ValueRef::Blob(&self.wrapped),
            ValueRef::Blob(&self.constant),
        ];
        let mac = root.mac(&covered("keyring", columns.into_iter()));
        transaction.execute(
            &format!("INSERT OR REPLACE INTO keyring ({COLUMNS}) VALUES (?, 'active', ?, ?, ?, ?, ?)"),
            params![self.id, self.seals, self.created, self.wrapped, self.constant, mac],
        )?;
        Ok(())
    }
}

fn unreadable(locked: Locked) -> AdminError {
    match locked {
        Locked::Failed(error) => error.into(),
        Locked::Tampered | Locked::WrongRoot => AdminError::Tampered("the keyring".to_owned()),
    }
}

/// Whether the MAC in column `mac` is that of the columns before it.
fn check(dek: &Dek, table: &str, row: &Row<'_>, mac: usize) -> Result<(), Tampered> {
    let columns = (0..mac).map(|column| row.get_ref(column).unwrap_or(ValueRef::Null));
    let covered = covered(table, columns);
    match row.get_ref(mac) {
        Ok(ValueRef::Blob(tag)) if tag.len() == 36 => {
            hmac::verify(&dek.row_mac, &covered, &tag[4..]).map_err(|_| Tampered)
        }
        Ok(_) | Err(_) => Err(Tampered),
    }
}

fn keyring_aad(column: &str, id: u32) -> Vec<u8> {
    cbor::build(48, |out| out.array(4)?.str("paperknife-ks-1")?.str("keyring")?.str(column)?.u32(id)?.ok())
}

#[cfg(test)]
mod tests;
