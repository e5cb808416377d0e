//! Recording certificates and CRLs, beside the keys of the same file.

use rusqlite::Connection;

use crate::certificate::Certificate;
use crate::enrol::{self, Imported, imported};
use crate::error::AdminError;
use crate::import::draft::{Draft, OFFLINE_PLAINTEXT, jwk_thumbprint};
use crate::import::{Drafted, Role, pem};
use crate::records;
use crate::records::certificate::{CertificateRow, CrlRow};
use crate::records::key::KeyRow;
use crate::records::now;
use crate::rest::{Dek, Ring};
use crate::trust::known::{Anchor, Known};
use crate::trust::policy::AnchorPolicy;
use crate::trust::revocation::Crl;

/// Most certificates that a tenant records beside those that are pinned, and most CRLs: all of them are kept in memory.
const CERTIFICATES_MAX: usize = 4_096;

/// One import, within its transaction.
pub(crate) struct Recorder<'a> {
    pub(crate) transaction: &'a Connection,
    pub(crate) ring: &'a Ring,
    pub(crate) dek: &'a Dek,
    pub(crate) offline: bool,
    pub(crate) tenant: &'a str,
}

impl Recorder<'_> {
    pub(crate) fn record(&self, drafted: Drafted) -> Result<Imported, AdminError> {
        match drafted {
            Drafted::Certificate(certificate, role) => self.certificate(*certificate, role),
            Drafted::Crl(crl) => self.crl(&crl),
            Drafted::Key(draft) => self.key(&draft),
        }
    }

    /// A key, with the names of its certificate if that came before it.
    fn key(&self, draft: &Draft) -> Result<Imported, AdminError> {
        if !draft.secrets.material.is_private() {
            return enrol::enrol(self.transaction, self.ring, self.dek, self.offline, draft);
        }
        let names = if self.offline { self.unpin(draft)? } else { Vec::new() };
        let enrolled = enrol::enrol(self.transaction, self.ring, self.dek, self.offline, draft)?;
        let thumbprint = jwk_thumbprint(&draft.secrets.material);
        let of_it = |row: &CertificateRow| {
            let certificate = Certificate::read(&row.der)?;
            (thumbprint_of(&certificate)? == thumbprint).then(|| certificate.names())
        };
        let known = records::certificate::known(self.transaction, self.ring, &draft.tenant)?;
        let names: Vec<_> = known.certificates.iter().filter_map(of_it).flatten().chain(names).collect();
        match self.own(&thumbprint)?.filter(|_| !names.is_empty()) {
            Some(row) => self.name(row, names, enrolled.updated),
            None => Ok(enrolled),
        }
    }

    /// Offline a certificate may come before its private key, and stands for a sender's until then.
    fn unpin(&self, draft: &Draft) -> Result<Vec<String>, AdminError> {
        let thumbprint = jwk_thumbprint(&draft.secrets.material);
        let found = records::key::by_thumbprint(self.transaction, self.ring, &thumbprint, false)?;
        match found.and_then(Result::ok).filter(|row| !row.stated.names.is_empty()) {
            Some(row) => {
                records::key::remove(self.transaction, &row)?;
                Ok(row.stated.names)
            }
            None => Ok(Vec::new()),
        }
    }

    fn certificate(&self, certificate: Certificate, role: Role) -> Result<Imported, AdminError> {
        let own = match (&role, thumbprint_of(&certificate)) {
            (Role::Anchor(_), _) | (_, None) => None,
            (Role::Candidate | Role::Pin(_), Some(thumbprint)) => self.own(&thumbprint)?,
        };
        match (own, role) {
            (Some(row), _) => self.name(row, certificate.names(), true),
            (None, Role::Anchor(policy)) => self.anchor(certificate, *policy),
            (None, Role::Pin(draft)) if !(self.offline && self.has_anchor()?) => {
                enrol::enrol(self.transaction, self.ring, self.dek, self.offline, &*draft?)
            }
            // Where there are anchors, the path decides.
            (None, Role::Candidate | Role::Pin(_)) => self.put(&certificate, None),
        }
    }

    /// The row of one of our own keys.
    fn own(&self, thumbprint: &str) -> Result<Option<KeyRow>, AdminError> {
        let found = records::key::by_thumbprint(self.transaction, self.ring, thumbprint, true)?.transpose();
        let found = found.map_err(|id| AdminError::Tampered(format!("key {id}")))?;
        Ok(found.filter(|row| row.tenant == self.tenant && row.sealed.is_some()))
    }

    /// Gives a key of ours further names.
    fn name(&self, mut row: KeyRow, names: Vec<String>, updated: bool) -> Result<Imported, AdminError> {
        for name in names {
            if !row.stated.names.contains(&name) {
                row.stated.names.push(name);
            }
        }
        row.changed = now(self.transaction)?;
        row.put(self.transaction, self.dek)?;
        Ok(imported(&row, updated))
    }

    fn anchor(&self, certificate: Certificate, mut policy: AnchorPolicy) -> Result<Imported, AdminError> {
        if self.offline {
            policy.stated.max_plaintext.get_or_insert(OFFLINE_PLAINTEXT);
        }
        let id = certificate.id();
        let anchor = Anchor::new(certificate, policy)
            .ok_or_else(|| AdminError::Invalid(format!("certificate {id} cannot be an anchor: it cannot be read")))?;
        self.put(&anchor.certificate, Some((*anchor.policy).clone()))
    }

    fn has_anchor(&self) -> Result<bool, AdminError> {
        Ok(self.known()?.certificates.iter().any(|row| row.anchor.is_some()))
    }

    fn known(&self) -> Result<records::certificate::Known, AdminError> {
        Ok(records::certificate::known(self.transaction, self.ring, self.tenant)?)
    }

    /// Records a certificate. A candidate that is an anchor already stays one.
    fn put(&self, certificate: &Certificate, anchor: Option<AnchorPolicy>) -> Result<Imported, AdminError> {
        let (known, id) = (self.known()?.certificates, certificate.id());
        let kind = if anchor.is_some() { "anchor" } else { "certificate" };
        let there = known.iter().find(|row| row.id == id);
        if there.is_none() && known.len() >= CERTIFICATES_MAX {
            return Err(AdminError::Invalid(format!("at most {CERTIFICATES_MAX} certificates beside those pinned")));
        }
        if there.is_none_or(|row| row.anchor.is_none() || anchor.is_some()) {
            let (tenant, der, created) = (self.tenant.to_owned(), certificate.der.clone(), now(self.transaction)?);
            CertificateRow { tenant, id: id.clone(), anchor, der, created }.put(self.transaction, self.dek)?;
        }
        Ok(Imported {
            kind,
            id,
            version: 1,
            kid_hex: hex::encode(certificate.kid()),
            device: None,
            updated: there.is_some(),
        })
    }

    /// Records a CRL, unless the one that is there is better: one that verifies before one that does not, then the newer.
    fn crl(&self, crl: &Crl) -> Result<Imported, AdminError> {
        let rows = self.known()?;
        let there = rows.crls.iter().find(|row| row.issuer == crl.id()).and_then(|row| Crl::read(&row.der));
        if there.is_none() && rows.crls.len() >= CERTIFICATES_MAX {
            return Err(AdminError::Invalid(format!("at most {CERTIFICATES_MAX} CRLs")));
        }
        let known = Known::new(rows);
        let worth = |crl: &Crl| (known.verifies(crl), crl.this_update);
        if there.as_ref().is_none_or(|there| worth(crl) >= worth(there)) {
            let (tenant, der, created) = (self.tenant.to_owned(), crl.der.clone(), now(self.transaction)?);
            CrlRow { tenant, issuer: crl.id(), der, created }.put(self.transaction, self.dek)?;
        }
        Ok(Imported {
            kind: "crl",
            id: format!("crl:{}", crl.id()),
            version: 1,
            kid_hex: String::new(),
            device: None,
            updated: there.is_some(),
        })
    }
}

fn thumbprint_of(certificate: &Certificate) -> Option<String> {
    pem::public(&certificate.spki).map(|key| jwk_thumbprint(&key))
}
