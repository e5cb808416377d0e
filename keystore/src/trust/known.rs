//! What is known of issuers in one tenant, read once for each state of the records.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pki_types::{CertificateDer, TrustAnchor};

use crate::certificate::Certificate;
use crate::records::certificate::Known as Rows;
use crate::trust::policy::AnchorPolicy;
use crate::trust::revocation::Crl;

/// Anchors, candidates and CRLs of a tenant.
pub(crate) struct Known {
    pub(super) anchors: Vec<Anchor>,
    pub(super) candidates: Vec<Certificate>,
    pub(super) crls: Vec<Crl>,
    /// Issuers, by the contents of their Names, that have a CRL which rustls-webpki cannot read.
    pub(super) unreadable: HashSet<Vec<u8>>,
    /// Rows that fail their check.
    pub(super) tampered: Vec<String>,
    names: HashMap<String, Vec<usize>>,
}

/// Who may say whose a key is.
pub(crate) struct Anchor {
    pub(super) certificate: Certificate,
    pub(super) trusted: TrustAnchor<'static>,
    pub(super) policy: Arc<AnchorPolicy>,
}

impl Known {
    /// What the rows hold. A row whose contents do not parse was not written so: it counts as tampered with.
    pub(crate) fn new(rows: Rows) -> Self {
        let Rows { certificates, crls, mut tampered } = rows;
        let (mut anchors, mut candidates) = (Vec::new(), Vec::new());
        for row in certificates {
            match (Certificate::read(&row.der), row.anchor) {
                (Some(certificate), Some(policy)) => match Anchor::new(certificate, policy) {
                    Some(anchor) => anchors.push(anchor),
                    None => tampered.push(format!("certificate {}", row.id)),
                },
                (Some(certificate), None) => candidates.push(certificate),
                (None, _) => tampered.push(format!("certificate {}", row.id)),
            }
        }
        let mut read = Vec::new();
        for row in crls {
            match Crl::read(&row.der) {
                Some(crl) => read.push(crl),
                None => tampered.push(format!("crl {}", row.issuer)),
            }
        }
        let unreadable = read.iter().filter(|crl| crl.list.is_none()).map(|crl| crl.issuer.clone()).collect();
        let mut names = HashMap::<String, Vec<usize>>::new();
        for (at, candidate) in candidates.iter().enumerate() {
            candidate.names().into_iter().for_each(|name| names.entry(name).or_default().push(at));
        }
        Self { anchors, candidates, crls: read, unreadable, tampered, names }
    }

    /// Candidates of that recorded name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Certificate> {
        self.names.get(name).into_iter().flatten().filter_map(|at| self.candidates.get(*at))
    }

    /// Whether a recorded certificate of the CRL's issuer signed it.
    pub(crate) fn verifies(&self, crl: &Crl) -> bool {
        let certificates = self.anchors.iter().map(|anchor| &anchor.certificate).chain(&self.candidates);
        certificates.filter(|of| of.subject == crl.issuer).any(|of| crl.is_signed_by(&of.spki))
    }
}

impl Anchor {
    /// None for what rustls-webpki does not take for one.
    pub(super) fn new(certificate: Certificate, policy: AnchorPolicy) -> Option<Self> {
        let der = CertificateDer::from(certificate.der.as_slice());
        let trusted = webpki::anchor_from_trusted_cert(&der).ok()?.to_owned();
        Some(Self { certificate, trusted, policy: Arc::new(policy) })
    }
}
