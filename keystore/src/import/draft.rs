//! From a key as it was offered, in whatever form, to one that may be recorded: the rules of keystore.md §6 that need no
//! look at what is recorded already.

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::import::{Fault, ImportOptions};
use crate::key::{Algorithm, Kty};
use crate::ops;
use crate::policy::{FORMATS, PROFILE, PROFILE_ALGORITHMS, Stated, one_family};
use crate::private_key::{KeyMaterial, Point};
use crate::records::key::Use;

/// Longest kid, tenant, device, endpoint, path, audience; bytes.
const NAME_MAX: usize = 256;
const LIST_MAX: usize = 64;

/// What is said of a key beside its bytes (contract.md §1).
#[derive(Default)]
pub(super) struct Owner {
    pub(super) kid: Option<Vec<u8>>,
    pub(super) device: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) strict: Option<bool>,
    pub(super) formats: Option<Vec<String>>,
    pub(super) algs: Option<Vec<String>>,
    pub(super) base_iv: Option<Zeroizing<Vec<u8>>>,
    pub(super) stated: Stated,
}

/// A key as a file offers it.
pub(super) struct Offered {
    pub(super) material: KeyMaterial,
    /// The file holds a private signing key too; it is not read.
    pub(super) signing_half: bool,
    pub(super) kid: Option<Vec<u8>>,
    pub(super) usage: Option<String>,
    pub(super) operations: Option<Vec<String>>,
    pub(super) alg: Option<String>,
    pub(super) owner: Owner,
}

/// A key that may be recorded.
pub(crate) struct Draft {
    pub(crate) material: KeyMaterial,
    pub(crate) purpose: Use,
    pub(crate) tenant: String,
    pub(crate) kid: Vec<u8>,
    pub(crate) device: Option<String>,
    pub(crate) algs: Vec<Algorithm>,
    pub(crate) formats: Vec<String>,
    pub(crate) stated: Stated,
}

impl Offered {
    /// Judges the whole. `offline`: nothing is recorded, so names may be missing and whatever algorithm fits is taken.
    pub(super) fn draft(mut self, options: &ImportOptions, offline: bool) -> Result<Draft, Fault> {
        self.inherit(options)?;
        self.purpose_agrees(offline)?;
        sound(&self.material)?;
        let purpose = purpose(&self.material);
        let algs = self.algorithms(offline)?;
        self.base_iv_agrees(&algs)?;
        names_agree(&self.owner.stated)?;
        let strict = self.owner.stated.strict_profile;
        Ok(Draft {
            purpose,
            kid: kid(self.kid.take(), strict, offline)?,
            device: self.device(offline)?,
            tenant: name("tenant", self.owner.tenant.take().unwrap_or_else(|| "default".to_owned()))?,
            algs,
            formats: self.owner.formats.take().unwrap_or_else(|| formats(strict)),
            stated: self.owner.stated,
            material: self.material,
        })
    }

    /// What the operator says for keys that do not say it themselves.
    fn inherit(&mut self, options: &ImportOptions) -> Result<(), Fault> {
        let strict = match options.profile.as_deref() {
            None => false,
            Some(PROFILE) => true,
            Some(_) => return Err(Fault::at("profile", "must be \"paperknife-1\"")),
        };
        self.owner.stated.strict_profile = self.owner.strict.unwrap_or(strict);
        self.kid = self.kid.take().or_else(|| options.kid.clone());
        self.owner.tenant = self.owner.tenant.take().or_else(|| options.tenant.clone());
        if !matches!(self.material, KeyMaterial::EcPrivate(_)) {
            self.owner.device = self.owner.device.take().or_else(|| options.device.clone());
        }
        if self.alg.is_none() && self.owner.algs.is_none() && !options.algs.is_empty() {
            self.owner.algs = Some(options.algs.clone());
        }
        Ok(())
    }

    /// `use`, `key_ops` and the kind of key say the same (RFC 7517 §4.2, §4.3).
    fn purpose_agrees(&mut self, offline: bool) -> Result<(), Fault> {
        if self.signing_half || (matches!(self.material, KeyMaterial::EcPrivate(_)) && self.signs()) {
            self.only_verifies(offline)?;
        }
        let (usage, operations): (_, &[&str]) = match &self.material {
            KeyMaterial::EcPrivate(_) => ("enc", &["deriveKey", "deriveBits"]),
            KeyMaterial::EcPublic(_) | KeyMaterial::Ed25519Public(_) => ("sig", &["verify"]),
            KeyMaterial::Symmetric(_) => ("enc", &["decrypt", "deriveKey", "deriveBits"]),
        };
        if self.usage.as_deref().is_some_and(|given| given != usage) {
            return Err(Fault::unsupported("use", format!("must be {usage} for this kind of key")));
        }
        let Some(given) = &self.operations else { return Ok(()) };
        if given.iter().enumerate().any(|(at, operation)| given[..at].contains(operation)) {
            return Err(Fault::at("key_ops", "names an operation twice"));
        }
        if given.iter().any(|operation| operations.contains(&operation.as_str())) {
            return Ok(());
        }
        Err(Fault::unsupported("key_ops", format!("must hold one of {}", operations.join(", "))))
    }

    fn signs(&self) -> bool {
        self.usage.as_deref() == Some("sig") || matches!(self.alg.as_deref(), Some("ES256" | "ESP256"))
    }

    /// A device's signing key does not belong here; offline its public half is what was meant.
    fn only_verifies(&mut self, offline: bool) -> Result<(), Fault> {
        if !offline {
            return Err(Fault::at("d", "is a private signing key: it belongs to its device; import the public half"));
        }
        if let KeyMaterial::EcPrivate(scalar) = &self.material {
            self.material = KeyMaterial::EcPublic(Point { x: scalar.point.x, y: scalar.point.y });
        }
        self.operations = None;
        Ok(())
    }

    /// The algorithms of one family: stated, or of the profile, or offline whatever fits (contract.md §1).
    fn algorithms(&self, offline: bool) -> Result<Vec<Algorithm>, Fault> {
        let derive = self.owner.stated.derives(self.material.kty());
        if self.owner.stated.derive == Some(true) && !derive {
            return Err(Fault::at("kdf", "derives from symmetric keys only"));
        }
        let fits = |algorithm: &Algorithm| self.material.fits(*algorithm, derive);
        if let Some(stated) = self.stated_algorithms()? {
            if let Some(misfit) = stated.iter().find(|algorithm| !fits(algorithm)) {
                return Err(Fault::at("algs", format!("{} does not fit this key", misfit.name())));
            }
            return if one_family(&stated, derive) {
                Ok(stated)
            } else {
                Err(Fault::at("algs", "must be of one family, which without derivation is a single algorithm"))
            };
        }
        if !self.owner.stated.strict_profile && !offline {
            return Err(Fault::at("alg", "is missing: name it, or `algs` or `profile` under `paperknife`"));
        }
        let fitting: Vec<_> = PROFILE_ALGORITHMS.iter().copied().filter(fits).collect();
        match fitting.as_slice() {
            [] => Err(Fault::at("k", "has a length that fits no algorithm")),
            fitting if !offline && !one_family(fitting, derive) => {
                Err(Fault::at("algs", "must name one algorithm, for without derivation this key fits several"))
            }
            fitting => Ok(fitting.to_vec()),
        }
    }

    fn stated_algorithms(&self) -> Result<Option<Vec<Algorithm>>, Fault> {
        let alg = self.alg.as_deref().map(|name| algorithm(name, "alg")).transpose()?;
        let Some(names) = &self.owner.algs else { return Ok(alg.map(|alg| vec![alg])) };
        let algs = names.iter().map(|name| algorithm(name, "algs")).collect::<Result<Vec<_>, _>>()?;
        if algs.is_empty() || algs.iter().enumerate().any(|(at, algorithm)| algs[..at].contains(algorithm)) {
            return Err(Fault::at("algs", "must name each algorithm once"));
        }
        match alg {
            Some(alg) if !algs.contains(&alg) => Err(Fault::at("alg", "is not among `algs`")),
            Some(_) | None => Ok(Some(algs)),
        }
    }

    /// A base IV is for a key that is used as it is, and has the nonce's full length (RFC 9052 §3.1).
    fn base_iv_agrees(&self, algs: &[Algorithm]) -> Result<(), Fault> {
        let base_iv = match &self.material {
            KeyMaterial::Symmetric(key) => key.base_iv.as_ref(),
            KeyMaterial::EcPrivate(_) | KeyMaterial::EcPublic(_) | KeyMaterial::Ed25519Public(_) => None,
        };
        let base_iv = base_iv.or(self.owner.base_iv.as_ref());
        let Some(base_iv) = base_iv else { return Ok(()) };
        let kty = self.material.kty();
        if kty != Kty::Symmetric || self.owner.stated.derives(kty) {
            return Err(Fault::at("base_iv", "needs a symmetric key with `\"kdf\": null`"));
        }
        if algs.iter().any(|algorithm| algorithm.content().is_some_and(|sizes| sizes.nonce == base_iv.len())) {
            return Ok(());
        }
        Err(Fault::at("base_iv", "must have the length of the algorithm's nonce"))
    }

    /// The identity that the key proves; offline it may be the key itself.
    fn device(&mut self, offline: bool) -> Result<Option<String>, Fault> {
        let device = self.owner.device.take();
        match (&self.material, device) {
            (KeyMaterial::EcPrivate(_), Some(_)) => {
                Err(Fault::at("device", "does not go with a private key, which is the gateway's own"))
            }
            (KeyMaterial::EcPrivate(_), None) => Ok(None),
            (_, Some(device)) => name("device", device).map(Some),
            (material, None) if offline => Ok(Some(format!("jwk:{}", jwk_thumbprint(material)))),
            (_, None) => Err(Fault::at("device", "is missing: a sender's key proves a device")),
        }
    }
}

/// Nothing weak: no constant symmetric key, no Ed25519 key that everybody can sign for.
fn sound(material: &KeyMaterial) -> Result<(), Fault> {
    match material {
        KeyMaterial::Symmetric(key) if !(16..=32).contains(&key.k.len()) => {
            Err(Fault::at("k", "must be 16 to 32 bytes"))
        }
        KeyMaterial::Symmetric(key) if key.k.iter().all(|byte| *byte == key.k[0]) => {
            Err(Fault::at("k", "is one byte repeated"))
        }
        KeyMaterial::Ed25519Public(x) if !ops::sound_ed25519(x) => {
            Err(Fault::at("x", "is no point of Ed25519, or one of small order"))
        }
        KeyMaterial::EcPrivate(_)
        | KeyMaterial::EcPublic(_)
        | KeyMaterial::Ed25519Public(_)
        | KeyMaterial::Symmetric(_) => Ok(()),
    }
}

const fn purpose(material: &KeyMaterial) -> Use {
    match material {
        KeyMaterial::EcPrivate(_) | KeyMaterial::Symmetric(_) => Use::Enc,
        KeyMaterial::EcPublic(_) | KeyMaterial::Ed25519Public(_) => Use::Sig,
    }
}

fn algorithm(name: &str, field: &str) -> Result<Algorithm, Fault> {
    let name = if name == "EdDSA" { "Ed25519" } else { name };
    Algorithm::from_name(name).ok_or_else(|| Fault::unsupported(field, "names an algorithm that is not supported"))
}

fn formats(strict: bool) -> Vec<String> {
    let formats = if strict { &FORMATS[..1] } else { FORMATS };
    formats.iter().map(|format| (*format).to_owned()).collect()
}

/// 1–256 bytes, of which the profile carries 16; offline none at all fits any name.
fn kid(kid: Option<Vec<u8>>, strict: bool, offline: bool) -> Result<Vec<u8>, Fault> {
    let longest = if strict { 16 } else { NAME_MAX };
    match kid {
        Some(kid) if kid.is_empty() || kid.len() > longest => {
            Err(Fault::at("kid", format!("must be 1 to {longest} bytes")))
        }
        Some(kid) => Ok(kid),
        None if offline => Ok(Vec::new()),
        None => Err(Fault::at("kid", "is missing")),
    }
}

fn name(field: &str, name: String) -> Result<String, Fault> {
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Fault::at(field, "must be 1 to 256 bytes of printable text"));
    }
    Ok(name)
}

fn names_agree(stated: &Stated) -> Result<(), Fault> {
    if let Some(endpoint) = &stated.endpoint {
        name("endpoint", endpoint.clone())?;
    }
    if let Some(audience) = &stated.audience {
        list("audience", audience.len())?;
        audience.iter().try_for_each(|audience| name("audience", audience.clone()).map(drop))?;
    }
    let Some(paths) = &stated.paths else { return Ok(()) };
    list("paths", paths.len())?;
    match paths.iter().flatten().find(|path| !path.starts_with('/') || path.len() > NAME_MAX) {
        Some(_) => Err(Fault::at("paths", "must hold paths that begin with a slash, or null")),
        None => Ok(()),
    }
}

fn list(field: &str, length: usize) -> Result<(), Fault> {
    if (1..=LIST_MAX).contains(&length) { Ok(()) } else { Err(Fault::at(field, "must have 1 to 64 entries")) }
}

/// RFC 7638: SHA-256 over the required members in lexical order, base64url.
pub(crate) fn jwk_thumbprint(material: &KeyMaterial) -> String {
    let base64url = |bytes: &[u8]| Zeroizing::new(Base64UrlUnpadded::encode_string(bytes));
    let jwk = Zeroizing::new(match material {
        KeyMaterial::EcPrivate(crate::private_key::Scalar { point, .. }) | KeyMaterial::EcPublic(point) => {
            let (x, y) = (base64url(&point.x), base64url(&point.y));
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, *x, *y)
        }
        KeyMaterial::Ed25519Public(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, *base64url(x)),
        KeyMaterial::Symmetric(key) => format!(r#"{{"k":"{}","kty":"oct"}}"#, *base64url(&key.k)),
    });
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jwk.as_bytes());
    Base64UrlUnpadded::encode_string(digest.as_ref())
}
