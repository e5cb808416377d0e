//! Policies: what a key's owner stated (contract.md §1), and the complete [`Policy`] that it comes to. What is not
//! stated is not stored, so that a changed default reaches the keys that never departed from it.

use serde::{Deserialize, Serialize};

use crate::Defaults;
use crate::key::{Algorithm, EndpointBinding, KdfInputs, Kty, PathBinding, Policy, Shape};
use crate::records::key::{KeyRow, Use};

/// The only profile there is.
pub(crate) const PROFILE: &str = "paperknife-1";

/// CoAP Content-Formats of readings, by default (profile.md §8).
const CONTENT_FORMATS: &[u64] = &[0, 40, 42, 50, 60, 110, 112, 11542, 11543, 11544];

/// SenML CBOR: what the profile means where an envelope names no content format.
const SENML_CBOR: u64 = 112;

/// Envelope formats.
pub(crate) const FORMATS: &[&str] = &["cose", "cms", "jose"];

/// Policy members as stated. Names are those of contract.md §1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Stated {
    pub(crate) strict_profile: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) derive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shapes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paths: Option<Vec<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_binding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strip_prefix: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint_binding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iat_required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late_after_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_future_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expect_from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_silence_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strict_order: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_format: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_formats: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_plaintext: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_readings: Option<usize>,
}

impl Stated {
    /// Whether a symmetric key of this policy is a master.
    pub(crate) fn derives(&self, kty: Kty) -> bool {
        kty == Kty::Symmetric && self.derive.unwrap_or(self.strict_profile)
    }

    /// Every member decided. `proven` is the device that the key proves, unless it is named after its thumbprint only.
    pub(crate) fn resolve(&self, row: &KeyRow, proven: Option<&str>, defaults: &Defaults) -> Policy {
        let strict = self.strict_profile;
        Policy {
            strict_profile: strict,
            formats: row.formats.clone(),
            shapes: self.shapes(row.kty, row.purpose),
            algs: row.algs.clone(),
            endpoint: self.endpoint.clone().or_else(|| proven.map(str::to_owned)),
            paths: self.paths.clone(),
            audience: self.audience.clone().unwrap_or_else(|| defaults.audience.clone()),
            path_binding: named(self.path_binding.as_deref(), PathBinding::from_name).unwrap_or(if strict {
                PathBinding::Required
            } else {
                PathBinding::IfKnown
            }),
            strip_prefix: self.strip_prefix.unwrap_or(false),
            endpoint_binding: named(self.endpoint_binding.as_deref(), EndpointBinding::from_name)
                .unwrap_or(if strict { EndpointBinding::Pinned } else { EndpointBinding::Flagged }),
            derive: self.derives(row.kty),
            kdf_inputs: KdfInputs::default(),
            iat_required: self.iat_required.unwrap_or(false),
            max_age_s: self.max_age_s,
            late_after_s: self.late_after_s.unwrap_or(3_600),
            max_future_s: self.max_future_s.unwrap_or(300),
            expect_from: self.expect_from,
            max_silence_s: self.max_silence_s,
            strict_order: self.strict_order.unwrap_or(false),
            content_format: self.content_format.or_else(|| strict.then_some(SENML_CBOR)),
            content_formats: self.content_formats.clone().unwrap_or_else(|| CONTENT_FORMATS.to_vec()),
            max_plaintext: self.max_plaintext.unwrap_or(64 * 1024),
            max_readings: self.max_readings.unwrap_or(4_096),
        }
    }

    /// What is stated of what the key can serve: a shape that it cannot is taken and ignored.
    fn shapes(&self, kty: Kty, purpose: Use) -> Vec<Shape> {
        let fit: &[Shape] = match (kty, purpose) {
            (Kty::Symmetric, _) => &[Shape::S, Shape::G],
            (Kty::Ec2P256, Use::Enc) => &[Shape::P],
            (Kty::Ec2P256 | Kty::OkpEd25519, _) => &[Shape::G, Shape::P],
            _ => &[],
        };
        let stated =
            |shape: &Shape| self.shapes.as_ref().is_none_or(|stated| stated.iter().any(|name| name == shape.name()));
        fit.iter().copied().filter(stated).collect()
    }
}

fn named<T>(name: Option<&str>, of: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    name.and_then(of)
}

/// Algorithms of the profile (profile.md §2), the default of each kind first.
pub(crate) const PROFILE_ALGORITHMS: &[Algorithm] = &[
    Algorithm::AesCcm16_64_128,
    Algorithm::AesCcm16_128_128,
    Algorithm::A128Gcm,
    Algorithm::A256Gcm,
    Algorithm::ChaCha20Poly1305,
    Algorithm::Esp256,
    Algorithm::Es256,
    Algorithm::Ed25519,
    Algorithm::EcdhEsA128Kw,
    Algorithm::EcdhEsA256Kw,
];

/// Whether these algorithms may stand on one key (DESIGN §6): a master's derivation separates them, {ES256, ESP256} are
/// one algorithm, so are ECDH-ES's key-wrap forms; otherwise exactly one.
pub(crate) fn one_family(algs: &[Algorithm], derive: bool) -> bool {
    let all = |family: &[Algorithm]| algs.iter().all(|algorithm| family.contains(algorithm));
    algs.len() == 1
        || (derive && algs.iter().all(|algorithm| algorithm.content().is_some()))
        || all(&[Algorithm::Es256, Algorithm::Esp256])
        || all(&[Algorithm::EcdhEsA128Kw, Algorithm::EcdhEsA256Kw])
}
