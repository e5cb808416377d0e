//! The path from a certificate to an anchor: rustls-webpki builds and checks it (RFC 5280 §6.1), for one anchor at a time,
//! because each has a policy of its own. Beside it stand the rules that it leaves out.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use pki_types::{CertificateDer, UnixTime};
use webpki::{
    EndEntityCert, Error, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use crate::certificate::Certificate;
use crate::trust::known::{Anchor, Known};
use crate::trust::{Chain, Flaw, Usage};

/// Most candidates that are looked at for one path, and of these most that came with the leaf and bear one name: the paths
/// to be tried are the product of namesakes, step by step.
const CANDIDATES_MAX: usize = 32;
const NAMESAKES_MAX: usize = 3;

/// clientAuth and anyExtendedKeyUsage (RFC 5280 §4.2.1.12), contents of their OIDs.
const PURPOSES: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 3, 2], &[0x55, 0x1d, 0x25, 0]];

/// An anchor that a path leads to, and while it does: milliseconds since the epoch.
pub(super) struct Path<'a> {
    pub(super) anchor: &'a Anchor,
    pub(super) from: i64,
    pub(super) until: i64,
}

/// The path to an anchor. None where issuers' names lead to none that is known.
pub(super) fn find<'a>(
    known: &'a Known,
    leaf: &Certificate,
    chain: &Chain<'_>,
    at: i64,
) -> Option<Result<Path<'a>, Flaw>> {
    let others: Vec<_> = chain.others.iter().filter_map(|der| Certificate::read(der)).collect();
    let (candidates, issuers) = candidates(known, leaf, &others);
    let mut flaw = None;
    for anchor in known.anchors.iter().filter(|anchor| issuers.contains(anchor.certificate.subject.as_slice())) {
        let search = Search { known, anchor, leaf, candidates: &candidates, issuers: &issuers, at };
        match search.path(chain) {
            Ok(path) => return Some(Ok(path)),
            Err(found) => flaw = flaw.filter(|before| *before != Flaw::Path).or(Some(found)),
        }
    }
    flaw.map(Err)
}

/// Certificates that may stand between leaf and anchor, by their names alone, and the names of all issuers.
fn candidates<'a>(
    known: &'a Known,
    leaf: &'a Certificate,
    others: &'a [Certificate],
) -> (Vec<CertificateDer<'a>>, HashSet<&'a [u8]>) {
    let namesakes = |nth: usize| others[..nth].iter().filter(|other| other.subject == others[nth].subject).count();
    let others = others.iter().enumerate().filter(|(nth, _)| namesakes(*nth) < NAMESAKES_MAX).map(|(_, other)| other);
    let mut left: Vec<_> = others.chain(&known.candidates).collect();
    let mut issuers = HashSet::from([leaf.issuer.as_slice()]);
    let mut found = Vec::new();
    loop {
        let before = found.len();
        left.retain(|candidate| {
            let leads = found.len() < CANDIDATES_MAX && issuers.contains(candidate.subject.as_slice());
            if leads {
                found.push(CertificateDer::from(candidate.der.as_slice()));
                issuers.insert(candidate.issuer.as_slice());
            }
            !leads
        });
        if found.len() == before {
            return (found, issuers);
        }
    }
}

/// What stands fixed while one anchor's path is looked for.
struct Search<'a, 's> {
    known: &'a Known,
    anchor: &'a Anchor,
    leaf: &'s Certificate,
    candidates: &'s [CertificateDer<'s>],
    issuers: &'s HashSet<&'s [u8]>,
    at: i64,
}

impl<'a> Search<'a, '_> {
    fn path(&self, chain: &Chain<'_>) -> Result<Path<'a>, Flaw> {
        let der = CertificateDer::from(self.leaf.der.as_slice());
        let leaf = EndEntityCert::try_from(&der).map_err(|_| Flaw::Unreadable)?;
        valid(&self.anchor.certificate, self.at)?;
        let at = UnixTime::since_unix_epoch(Duration::from_millis(self.at.try_into().unwrap_or(0)));
        let listed = self.anchor.policy.purposes();
        let purposes = Purposes { any: chain.any_purpose, listed: &listed };
        let lists: Vec<_> = self.lists().collect();
        let revocation = self.revocation(&lists)?;
        let ours = Cell::new(None);
        let window = Cell::new((i64::MIN, i64::MAX));
        let checked = |path: &VerifiedPath<'_>| match self.rest(path) {
            Ok(found) => {
                window.set(found);
                Ok(())
            }
            Err(flaw) => {
                ours.set(Some(flaw));
                Err(Error::UnknownIssuer)
            }
        };
        let anchors = std::slice::from_ref(&self.anchor.trusted);
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let path =
            leaf.verify_for_usage(algorithms, anchors, self.candidates, at, purposes, revocation, Some(&checked));
        match path {
            Ok(_) => Ok(Path { anchor: self.anchor, from: window.get().0, until: window.get().1 }),
            Err(Error::UnknownIssuer) => Err(ours.get().unwrap_or(Flaw::Path)),
            Err(error) => Err(flaw(&error)),
        }
    }

    /// The CRLs of these issuers. None where one that must be there is not.
    fn revocation<'r>(
        &self,
        lists: &'r [&'r webpki::CertRevocationList<'r>],
    ) -> Result<Option<webpki::RevocationOptions<'r>>, Flaw> {
        let required = self.anchor.policy.revocation_required;
        let unknown = if required { UnknownStatusPolicy::Deny } else { UnknownStatusPolicy::Allow };
        match RevocationOptionsBuilder::new(lists) {
            Ok(options) => Ok(Some(
                options
                    .with_depth(RevocationCheckDepth::Chain)
                    .with_status_policy(unknown)
                    .with_expiration_policy(ExpirationPolicy::Enforce)
                    .build(),
            )),
            Err(_) if required => Err(Flaw::Status),
            Err(_) => Ok(None),
        }
    }

    fn lists(&self) -> impl Iterator<Item = &'a webpki::CertRevocationList<'static>> {
        let of_these = self.known.crls.iter().filter(|crl| self.issuers.contains(crl.issuer.as_slice()));
        of_these.filter_map(|crl| crl.list.as_ref())
    }

    /// What rustls-webpki leaves out of a path that it has found good, and from when until when the path holds.
    fn rest(&self, path: &VerifiedPath<'_>) -> Result<(i64, i64), Flaw> {
        let issuers = path.intermediate_certificates().map(|of| Certificate::read(&of.der()).ok_or(Flaw::Unreadable));
        let issuers = issuers.collect::<Result<Vec<_>, _>>()?;
        if issuers.iter().any(|of| of.usage.is_some_and(|usage| !usage.key_cert_sign())) {
            return Err(Flaw::KeyUsage);
        }
        let anchor = &self.anchor.certificate;
        let below = || issuers.iter().chain([self.leaf]);
        if below().any(|of| self.known.unreadable.contains(&of.issuer)) {
            return Err(Flaw::Status);
        }
        let crls = || self.known.crls.iter().filter(|crl| below().any(|of| of.issuer == crl.issuer));
        // Of an issuer in between rustls-webpki asks it.
        let may_sign_crls = anchor.usage.is_none_or(|usage| usage.crl_sign());
        if !may_sign_crls && crls().any(|crl| crl.issuer == anchor.subject) {
            return Err(Flaw::Status);
        }
        let from = below().chain([anchor]).map(|of| of.not_before).max();
        let until =
            below().chain([anchor]).map(|of| of.not_after).chain(crls().filter_map(|crl| crl.next_update)).min();
        Ok((from.unwrap_or(i64::MAX), until.unwrap_or(i64::MIN)))
    }
}

/// Whether a certificate is valid at that time.
pub(super) fn valid(certificate: &Certificate, at: i64) -> Result<(), Flaw> {
    match at {
        at if at < certificate.not_before => Err(Flaw::NotYetValid),
        at if at > certificate.not_after => Err(Flaw::Expired),
        _ => Ok(()),
    }
}

/// Whether its keyUsage lets a certificate's key have done that.
pub(super) fn may(certificate: &Certificate, usage: Usage) -> Result<(), Flaw> {
    let may = certificate.usage.is_none_or(|of| match usage {
        Usage::Agrees => of.key_agreement(),
        Usage::Signs => of.digital_signature() || of.non_repudiation(),
    });
    may.then_some(()).ok_or(Flaw::KeyUsage)
}

/// Whether a certificate's purposes are taken, where no anchor lists further ones.
pub(super) fn has_purpose(certificate: &Certificate) -> bool {
    certificate.purposes.as_ref().is_none_or(|of| of.iter().any(|purpose| PURPOSES.contains(&purpose.as_slice())))
}

/// The purposes that are taken.
struct Purposes<'a> {
    any: bool,
    listed: &'a [Vec<u8>],
}

impl ExtendedKeyUsageValidator for Purposes<'_> {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let taken = || PURPOSES.into_iter().chain(self.listed.iter().map(Vec::as_slice)).map(KeyPurposeId::new);
        let mut absent = true;
        for purpose in purposes {
            let purpose = purpose?;
            if self.any || taken().any(|taken| taken == purpose) {
                return Ok(());
            }
            absent = false;
        }
        let required = RequiredEkuNotFoundContext { required: KeyUsage::client_auth(), present: Vec::new() };
        if absent { Ok(()) } else { Err(Error::RequiredEkuNotFoundContext(required)) }
    }
}

fn flaw(error: &Error) -> Flaw {
    match error {
        Error::CertExpired { .. } => Flaw::Expired,
        Error::CertNotValidYet { .. } => Flaw::NotYetValid,
        Error::CertRevoked => Flaw::Revoked,
        Error::EmptyEkuExtension | Error::RequiredEkuNotFoundContext(_) => Flaw::Purpose,
        Error::CrlExpired { .. }
        | Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnknownRevocationStatus
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Flaw::Status,
        _ => Flaw::Path,
    }
}
