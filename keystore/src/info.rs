//! What the operator sees of keys and devices: the shapes of contract.md §3, without a private or symmetric byte.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Serialize;
use serde_json::{Value, json};

use crate::certificate::Certificate;
use crate::key::{Party, Policy};
use crate::policy::PROFILE;
use crate::records::certificate::{CertificateRow, CrlRow};
use crate::records::device::DeviceRow;
use crate::records::key::KeyRow;
use crate::trust::policy::AnchorPolicy;
use crate::trust::revocation::Crl;

/// A key version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyInfo {
    /// Key id.
    pub id: String,
    /// From 1.
    pub version: u32,
    /// Tenant.
    pub tenant: String,
    /// Lower-case hex.
    pub kid_hex: String,
    /// base64url.
    pub thumbprint: String,
    /// `AKP`, `EC`, `OKP`, `RSA`, `oct`.
    pub kty: &'static str,
    /// Names from the IANA registries.
    pub algs: Vec<&'static str>,
    /// `enc`, `sig`.
    pub r#use: &'static str,
    /// Envelope formats.
    pub formats: Vec<String>,
    /// Whose key it is; null for the gateway's own.
    pub device: Option<String>,
    /// `pending`, `active`, `retiring`, `disabled`, `destroyed`.
    pub status: &'static str,
    /// Why it is disabled or destroyed.
    pub reason: Option<String>,
    /// RFC 3339.
    pub not_before: Option<String>,
    /// RFC 3339.
    pub not_after: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// Whether the private half may leave.
    pub exportable: bool,
    /// The complete policy, with the member names of contract.md §1.
    pub policy: Value,
}

/// A device as the keystore knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// Identity.
    pub device: String,
    /// Tenant.
    pub tenant: String,
    /// `active`, `revoked`.
    pub status: &'static str,
    /// Why it is revoked.
    pub reason: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// Key ids.
    pub keys: Vec<String>,
}

/// A certificate that is recorded beside those that are pinned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CertificateInfo {
    /// SHA-256 of it, hex.
    pub id: String,
    /// Tenant.
    pub tenant: String,
    /// `anchor`, `candidate`.
    pub role: &'static str,
    /// RFC 4514.
    pub subject: String,
    /// RFC 4514.
    pub issuer: String,
    /// Lower-case hex.
    pub serial_hex: String,
    /// Lower-case hex.
    pub ski_hex: Option<String>,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// RFC 3339.
    pub created: String,
    /// Of an anchor: what is allowed under it. `algs`, `device_from` and `purposes` are empty where nothing is stated.
    pub policy: Option<Value>,
}

/// The CRL of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrlInfo {
    /// `crl:` and SHA-256 of the contents of the issuer's Name, hex.
    pub id: String,
    /// Tenant.
    pub tenant: String,
    /// RFC 4514.
    pub issuer: String,
    /// RFC 3339.
    pub this_update: String,
    /// RFC 3339. From then on nothing of its issuer is trusted until there is a newer one.
    pub next_update: Option<String>,
    /// How many certificates it revokes.
    pub revoked: usize,
    /// Whether it can be used: if not, nothing of its issuer is trusted.
    pub readable: bool,
    /// Whether a recorded certificate of its issuer signed it.
    pub verified: bool,
    /// RFC 3339.
    pub created: String,
}

impl CertificateInfo {
    pub(crate) fn new(row: &CertificateRow, certificate: &Certificate) -> Self {
        Self {
            id: row.id.clone(),
            tenant: row.tenant.clone(),
            role: if row.anchor.is_some() { "anchor" } else { "candidate" },
            subject: certificate.subject_text(),
            issuer: certificate.issuer_text(),
            serial_hex: hex::encode(certificate.serial()),
            ski_hex: certificate.ski.as_deref().map(hex::encode),
            not_before: rfc3339(certificate.not_before),
            not_after: rfc3339(certificate.not_after),
            created: rfc3339(row.created),
            policy: row.anchor.as_ref().map(anchor_json),
        }
    }
}

impl CrlInfo {
    pub(crate) fn new(row: &CrlRow, crl: &Crl, verified: bool) -> Self {
        Self {
            id: format!("crl:{}", row.issuer),
            tenant: row.tenant.clone(),
            issuer: crl.issuer_text.clone(),
            this_update: rfc3339(crl.this_update),
            next_update: crl.next_update.map(rfc3339),
            revoked: crl.revoked,
            readable: crl.list.is_some(),
            verified,
            created: rfc3339(row.created),
        }
    }
}

fn anchor_json(policy: &AnchorPolicy) -> Value {
    json!({
        "profile": policy.stated.strict_profile.then_some(PROFILE),
        "formats": policy.formats,
        "algs": policy.algs,
        "device_from": policy.device_from,
        "purposes": policy.purposes,
        "revocation": if policy.revocation_required { "required" } else { "if_known" },
    })
}

impl KeyInfo {
    pub(crate) fn new(row: &KeyRow, policy: &Policy) -> Self {
        Self {
            id: row.id.clone(),
            version: row.version,
            tenant: row.tenant.clone(),
            kid_hex: hex::encode(&row.kid),
            thumbprint: row.thumbprint.clone(),
            kty: row.kty.jwk(),
            algs: row.algs.iter().map(|algorithm| algorithm.name()).collect(),
            r#use: row.purpose.name(),
            formats: row.formats.clone(),
            device: row.device.clone(),
            status: row.status.name(),
            reason: row.reason.clone(),
            not_before: row.not_before.map(rfc3339),
            not_after: row.not_after.map(rfc3339),
            created: rfc3339(row.created),
            exportable: row.exportable,
            policy: policy_json(policy),
        }
    }
}

impl DeviceInfo {
    pub(crate) fn new(row: DeviceRow, keys: Vec<String>) -> Self {
        Self {
            device: row.device,
            tenant: row.tenant,
            status: if row.revoked { "revoked" } else { "active" },
            reason: row.reason,
            created: rfc3339(row.created),
            keys,
        }
    }
}

fn policy_json(policy: &Policy) -> Value {
    json!({
        "profile": policy.strict_profile.then_some(PROFILE),
        "formats": policy.formats,
        "shapes": policy.shapes.iter().map(|shape| shape.name()).collect::<Vec<_>>(),
        "algs": policy.algs.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
        "endpoint": policy.endpoint,
        "paths": policy.paths,
        "audience": policy.audience,
        "path_binding": policy.path_binding.name(),
        "strip_prefix": policy.strip_prefix,
        "endpoint_binding": policy.endpoint_binding.name(),
        "kdf": policy.derive.then_some(PROFILE),
        "party_u": party_json(&policy.kdf_inputs.party_u),
        "party_v": party_json(&policy.kdf_inputs.party_v),
        "salt": base64url(policy.kdf_inputs.salt.as_deref()),
        "pub_other": base64url(policy.kdf_inputs.pub_other.as_deref()),
        "iat_required": policy.iat_required,
        "max_age_s": policy.max_age_s,
        "late_after_s": policy.late_after_s,
        "max_future_s": policy.max_future_s,
        "expect_from": policy.expect_from,
        "max_silence_s": policy.max_silence_s,
        "compat": policy.compat,
        "signers": if policy.all_signers { "all" } else { "any" },
        "order": if policy.strict_order { "strict" } else { "any" },
        "content_format": policy.content_format,
        "content_formats": policy.content_formats,
        "max_plaintext": policy.max_plaintext,
        "max_readings": policy.max_readings,
    })
}

fn party_json(party: &Party) -> Value {
    let Party { identity, nonce, other } = party;
    let [identity, nonce, other] = [identity, nonce, other].map(|bytes| base64url(bytes.as_deref()));
    json!({ "identity": identity, "nonce": nonce, "other": other })
}

fn base64url(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(Base64UrlUnpadded::encode_string)
}

/// Milliseconds since the epoch as RFC 3339 in UTC. The calendar is Hinnant's `civil_from_days`: years begin in March,
/// so that the leap day is the last of one.
pub(crate) fn rfc3339(milliseconds: i64) -> String {
    let (days, of_day) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (seconds, fraction) = (of_day / 1_000, of_day % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_rfc3339() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(rfc3339(milliseconds), text);
        }
    }
}
