//! What the owner of an anchor allows to those who are under it.

use serde::{Deserialize, Serialize};
use x509_cert::der::asn1::ObjectIdentifier;

use crate::certificate::{Certificate, Source};
use crate::import::draft;
use crate::import::{Fault, ImportOptions};
use crate::key::{Algorithm, Kty};
use crate::policy::{FORMATS, PROFILE, Stated};

/// An anchor's record beside its certificate. What is not stated is not stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnchorPolicy {
    /// The policy of each key under it.
    pub(crate) stated: Stated,
    pub(crate) formats: Vec<String>,
    /// None stated: whatever the key can sign with, in a format that allows it.
    pub(crate) algs: Vec<String>,
    /// Sources of a device's name, in the order in which they are asked; none stated: all.
    pub(crate) device_from: Vec<String>,
    /// Extended key usages that are taken beside clientAuth and anyExtendedKeyUsage: OIDs, dotted.
    pub(crate) purposes: Vec<String>,
    /// Without a CRL of each issuer nothing under it is trusted.
    pub(crate) revocation_required: bool,
}

impl AnchorPolicy {
    /// The policy that import options state, for a certificate that may be an anchor.
    pub(crate) fn of(certificate: &Certificate, options: &ImportOptions) -> Result<Self, Fault> {
        may_be_anchor(certificate)?;
        let strict_profile = match options.profile.as_deref() {
            None => false,
            Some(PROFILE) => true,
            Some(_) => return Err(Fault::at("profile", "must be \"paperknife-1\"")),
        };
        if options.device.is_some() || options.kid.is_some() {
            return Err(Fault::at("anchor", "is nobody's key: it takes neither a device nor a kid"));
        }
        let source = |name: &String| Source::from_name(name).is_some();
        if !options.device_from.iter().all(source) {
            let all = Source::ALL.map(Source::name).join(", ");
            return Err(Fault::at("device-from", format!("must be of {all}")));
        }
        if !options.purposes.iter().all(|purpose| ObjectIdentifier::new(purpose).is_ok()) {
            return Err(Fault::at("purpose", "must be an object identifier, dotted"));
        }
        for name in &options.algs {
            draft::algorithm(name, "algs", Kty::OkpEd25519)?;
        }
        Ok(Self {
            stated: Stated { strict_profile, ..Stated::default() },
            formats: FORMATS.iter().map(|format| (*format).to_owned()).collect(),
            algs: options.algs.clone(),
            device_from: options.device_from.clone(),
            purposes: options.purposes.clone(),
            revocation_required: options.revocation_required,
        })
    }

    /// Where the device's name is looked for.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let stated: Vec<_> = self.device_from.iter().filter_map(|name| Source::from_name(name)).collect();
        if stated.is_empty() { Source::ALL.to_vec() } else { stated }
    }

    /// Contents of the OIDs of further purposes.
    pub(crate) fn purposes(&self) -> Vec<Vec<u8>> {
        let oids = self.purposes.iter().filter_map(|dotted| ObjectIdentifier::new(dotted).ok());
        oids.map(|oid| oid.as_bytes().to_vec()).collect()
    }

    /// Whether a key of that kind under it may run that algorithm because its owner named it.
    pub(crate) fn names(&self, algorithm: Algorithm, kty: Kty) -> bool {
        self.algs.iter().any(|name| draft::algorithm(name, "algs", kty).is_ok_and(|named| named == algorithm))
    }
}

/// A CA's certificate (version 1, which cannot say so, included). A device's own is pinned, never an anchor.
fn may_be_anchor(certificate: &Certificate) -> Result<(), Fault> {
    if !certificate.is_ca && !certificate.is_version_1() {
        return Err(Fault::at(
            "anchor",
            "must be the certificate of a CA; that of a device is pinned: say whose it is",
        ));
    }
    if certificate.usage.is_some_and(|usage| !usage.key_cert_sign()) {
        return Err(Fault::at("anchor", "has a keyUsage without keyCertSign"));
    }
    Ok(())
}
