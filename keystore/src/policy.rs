//! Policies: what a key's owner stated (contract.md §1), and the complete [`Policy`] that it comes to. What is not
//! stated is not stored, so that a changed default reaches the keys that never departed from it.

use serde::{Deserialize, Serialize};

use crate::Defaults;
use crate::key::{Algorithm, EndpointBinding, KdfInputs, Kty, Party, PathBinding, Policy, Shape};
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
    #[serde(skip_serializing_if = "PartyStated::is_empty")]
    pub(crate) party_u: PartyStated,
    #[serde(skip_serializing_if = "PartyStated::is_empty")]
    pub(crate) party_v: PartyStated,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pub_other: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) static_sender: Option<StaticSender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compat: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) all_signers: Option<bool>,
    /// Names of a pinned certificate, in the form of [`key_name`](crate::records::name).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
}

/// Bytes as lower-case hex.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// What a KDF context says of one party.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PartyStated {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) other: Option<Bytes>,
}

/// A sender's static public key in the record of one of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticSender {
    /// COSE_Key.
    pub(crate) key: Bytes,
    pub(crate) kid: Bytes,
    pub(crate) device: String,
}

impl TryFrom<String> for Bytes {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(Self)
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        hex::encode(bytes.0)
    }
}

impl PartyStated {
    const fn is_empty(&self) -> bool {
        self.identity.is_none() && self.nonce.is_none() && self.other.is_none()
    }

    fn party(&self) -> Party {
        let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.0.clone());
        Party { identity: bytes(&self.identity), nonce: bytes(&self.nonce), other: bytes(&self.other) }
    }
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
            kdf_inputs: self.kdf_inputs(),
            compat: self.compat.clone().unwrap_or_default(),
            all_signers: self.all_signers.unwrap_or(false),
            iat_required: self.iat_required.unwrap_or(false),
            max_age_s: self.max_age_s,
            late_after_s: self.late_after_s.unwrap_or(3_600),
            max_future_s: self.max_future_s.unwrap_or(300),
            expect_from: self.expect_from,
            max_silence_s: self.max_silence_s,
            strict_order: self.strict_order.unwrap_or(false),
            content_format: self.content_format.or_else(|| strict.then_some(SENML_CBOR)),
            content_formats: self.content_formats.clone().unwrap_or_else(|| content_formats(strict)),
            max_plaintext: self.max_plaintext.unwrap_or(64 * 1024),
            max_readings: self.max_readings.unwrap_or(4_096),
        }
    }

    /// Whether there is a SuppPrivInfo, the record's sealed part knows.
    fn kdf_inputs(&self) -> KdfInputs {
        let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.0.clone());
        KdfInputs {
            party_u: self.party_u.party(),
            party_v: self.party_v.party(),
            salt: bytes(&self.salt),
            pub_other: bytes(&self.pub_other),
            priv_other: false,
        }
    }

    /// Whether anything is stated that only a KDF takes.
    pub(crate) const fn has_kdf_inputs(&self) -> bool {
        let parties = self.party_u.is_empty() && self.party_v.is_empty();
        !parties || self.salt.is_some() || self.pub_other.is_some()
    }

    /// What is stated of what the key can serve: a shape that it cannot is taken and ignored.
    fn shapes(&self, kty: Kty, purpose: Use) -> Vec<Shape> {
        let fit: &[Shape] = match (kty, purpose) {
            (Kty::Symmetric, _) => &[Shape::S, Shape::G],
            (_, Use::Enc) => &[Shape::P],
            (_, Use::Sig) => &[Shape::G, Shape::P],
        };
        let stated =
            |shape: &Shape| self.shapes.as_ref().is_none_or(|stated| stated.iter().any(|name| name == shape.name()));
        fit.iter().copied().filter(stated).collect()
    }
}

/// The profile carries readings; other envelopes may hold anything, unless their keys' records say what.
fn content_formats(strict: bool) -> Vec<u64> {
    if strict { CONTENT_FORMATS.to_vec() } else { Vec::new() }
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

/// Whether these algorithms may stand on one key (DESIGN §6): a master's derivation separates them, an ECDSA algorithm
/// and its fully specified name are one (RFC 9864), so are ECDH's forms with and without key wrap, and what is made of a password; otherwise exactly one.
pub(crate) fn one_family(algs: &[Algorithm], derive: bool) -> bool {
    let all = |family: &[Algorithm]| algs.iter().all(|algorithm| family.contains(algorithm));
    algs.len() == 1
        || (derive && algs.iter().all(|algorithm| algorithm.content().is_some()))
        || all(&[Algorithm::Es256, Algorithm::Esp256])
        || all(&[Algorithm::Es384, Algorithm::Esp384])
        || all(&[Algorithm::Es512, Algorithm::Esp512])
        || algs.iter().all(|algorithm| algorithm.agreement().is_some() && !algorithm.is_static())
        || algs.iter().all(|algorithm| algorithm.is_static())
        || algs.iter().all(|algorithm| algorithm.is_password())
        || algs.iter().all(|algorithm| algorithm.is_hpke())
}
