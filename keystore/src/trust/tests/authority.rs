//! Certificates and CRLs made for one test, and short ways to ask for them.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName, DnType,
    DnValue, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::fixture::defaults;
use crate::trust::{Certified, Chain, Flaw, Usage};
use crate::{ImportOptions, Imported, Keystore};

/// 2026-06-01.
pub(super) const AT: i64 = 1_780_272_000_000;

/// A CA.
pub(super) struct Authority {
    pub(super) der: Vec<u8>,
    name: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate says, 2020 to 2090.
pub(super) fn says(name: &str) -> CertificateParams {
    let mut says = CertificateParams::default();
    says.distinguished_name = DistinguishedName::new();
    says.distinguished_name.push(DnType::CommonName, name);
    (says.not_before, says.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    says.serial_number = Some(SerialNumber::from_slice(&[7]));
    says
}

/// The same of a CA.
pub(super) fn says_ca(name: &str) -> CertificateParams {
    let mut says = says(name);
    says.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    says.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    says
}

/// A device's.
pub(super) fn says_device(name: &str) -> CertificateParams {
    let mut says = says(name);
    says.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    says
}

/// Subject alternative names, as their DER.
pub(super) fn alternatives(names: &str) -> CustomExtension {
    CustomExtension::from_oid_content(&[2, 5, 29, 17], hex::decode(names.replace(' ', "")).unwrap())
}

pub(super) fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn name(says: &CertificateParams) -> String {
    match says.distinguished_name.get(&DnType::CommonName) {
        Some(DnValue::Utf8String(name)) => name.clone(),
        other => panic!("{other:?}"),
    }
}

impl Authority {
    pub(super) fn root(says: CertificateParams) -> Self {
        let key = key();
        Self { der: says.self_signed(&key).unwrap().der().to_vec(), name: name(&says), issuer: Issuer::new(says, key) }
    }

    /// Another CA under this one.
    pub(super) fn authority(&self, says: CertificateParams) -> Self {
        let key = key();
        Self { der: self.issue(&says, &key), name: name(&says), issuer: Issuer::new(says, key) }
    }

    pub(super) fn issue(&self, says: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        says.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    /// The same CA as one that rcgen lets sign CRLs, whatever its certificate says.
    pub(super) fn may_sign_crls(&self) -> Self {
        let key = KeyPair::from_pem(&self.issuer.key().serialize_pem()).unwrap();
        Self { der: self.der.clone(), name: self.name.clone(), issuer: Issuer::new(says_ca(&self.name), key) }
    }

    /// A device's certificate.
    pub(super) fn device(&self, name: &str) -> Vec<u8> {
        self.issue(&says_device(name), &key())
    }

    /// A CRL of January of that year, good for ten years.
    pub(super) fn crl(&self, year: i32, serials: &[u8]) -> Vec<u8> {
        let revoked = |serial: &u8| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[*serial]),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(year, 1, 1),
            next_update: date_time_ymd(year + 10, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().der().to_vec()
    }
}

/// A keystore on disk with an anchor.
pub(super) fn trusting(root: &Authority) -> (tempfile::TempDir, Keystore) {
    let folder = tempfile::tempdir().unwrap();
    let keystore = Keystore::open(folder.path(), defaults()).unwrap();
    anchor(&keystore, &root.der, &ImportOptions::default());
    (folder, keystore)
}

pub(super) fn anchor(keystore: &Keystore, der: &[u8], options: &ImportOptions) {
    let imported = keystore.import(der, &ImportOptions { anchor: true, ..options.clone() }).unwrap();
    assert_eq!(imported[0].kind, "anchor");
}

pub(super) fn import(keystore: &Keystore, der: &[u8]) -> Imported {
    keystore.import(der, &ImportOptions::default()).unwrap().remove(0)
}

/// That certificate, as a signer's.
pub(super) fn signer<'a>(leaf: &'a [u8], others: &'a [&'a [u8]]) -> Chain<'a> {
    Chain { leaf, others, usage: Usage::Signs, format: "cms", any_purpose: false }
}

/// Whose key it is, or what is wrong; `None` where nobody knows.
pub(super) fn ask(keystore: &Keystore, chain: &Chain<'_>) -> Result<Option<String>, Flaw> {
    ask_at(keystore, chain, AT)
}

pub(super) fn ask_at(keystore: &Keystore, chain: &Chain<'_>, at: i64) -> Result<Option<String>, Flaw> {
    match keystore.certified("default", chain, at).unwrap() {
        Certified::Known(key) => Ok(key.device.clone()),
        Certified::Unknown => Ok(None),
        Certified::Unusable(flaw) => Err(flaw),
    }
}

/// The device that is known.
pub(super) fn known(name: &str) -> Result<Option<String>, Flaw> {
    Ok(Some(name.to_owned()))
}
