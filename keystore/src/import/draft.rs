//! From a key as it was offered, in whatever form, to one that may be recorded: the rules of keystore.md §6 that need no
//! look at what is recorded already.

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::import::{Fault, ImportOptions};
use crate::key::{Algorithm, Kty};
use crate::ops;
use crate::policy::{Bytes, FORMATS, PROFILE, PROFILE_ALGORITHMS, Stated, StaticSender, one_family};
use crate::private_key::{KeyMaterial, RsaPrivate, RsaPublic, Scalar, Secrets, X25519, record};
use crate::records::key::Use;

/// Longest kid, tenant, device, endpoint, path, audience; bytes.
const NAME_MAX: usize = 256;
const LIST_MAX: usize = 64;
/// Longest symmetric key, which the secret of an HMAC may be, and longest password; bytes.
const SECRET_MAX: usize = 256;

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
    pub(super) priv_other: Option<Zeroizing<Vec<u8>>>,
    pub(super) static_sender: Option<Sender>,
    pub(super) stated: Stated,
}

/// The static public key of a sender, in the record of one of ours.
pub(super) struct Sender {
    pub(super) material: KeyMaterial,
    pub(super) kid: Option<Vec<u8>>,
    pub(super) device: Option<String>,
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
    pub(super) certified: Option<Certified>,
}

/// What a certificate says of its key, beside its names.
pub(super) struct Certified {
    /// The kid that it is recorded under where the operator names none.
    pub(super) kid: Vec<u8>,
    /// Milliseconds since the epoch.
    pub(super) not_before: i64,
    /// Milliseconds since the epoch.
    pub(super) not_after: i64,
}

/// A key that may be recorded.
pub(crate) struct Draft {
    pub(crate) secrets: Secrets,
    pub(crate) purpose: Use,
    pub(crate) tenant: String,
    pub(crate) kid: Vec<u8>,
    pub(crate) device: Option<String>,
    pub(crate) algs: Vec<Algorithm>,
    pub(crate) formats: Vec<String>,
    pub(crate) stated: Stated,
    /// From when and until when: milliseconds since the epoch.
    pub(crate) validity: (Option<i64>, Option<i64>),
}

/// Offline what opens is the caller's own: as much as an envelope may be (cms.md §7).
pub(crate) const OFFLINE_PLAINTEXT: usize = 1 << 20;

impl Offered {
    /// Judges the whole. `offline`: nothing is recorded, so names may be missing and whatever algorithm fits is taken.
    pub(super) fn draft(mut self, options: &ImportOptions, offline: bool) -> Result<Draft, Fault> {
        self.inherit(options)?;
        self.purpose_agrees(offline)?;
        let stated = self.stated_algorithms()?;
        let password = stated.is_some_and(|algs| algs.iter().all(|algorithm| algorithm.is_password()));
        sound(&self.material, password, offline)?;
        let algs = self.algorithms(&options.also, offline)?;
        self.base_iv_agrees(&algs)?;
        self.kdf_inputs_agree(&algs, offline)?;
        names_agree(&self.owner.stated)?;
        if offline {
            self.owner.stated.max_plaintext.get_or_insert(OFFLINE_PLAINTEXT);
        }
        let derives = self.owner.stated.derives(self.material.kty());
        let certified = self.certified.take();
        let validity = certified.as_ref().map(|of| (of.not_before, of.not_after)).unzip();
        if let Some(of) = certified.filter(|_| !offline) {
            self.kid.get_or_insert(of.kid);
        }
        Ok(Draft {
            purpose: purpose(&algs),
            kid: kid(self.kid.take(), self.owner.stated.strict_profile && self.is_for_cose(), offline)?,
            device: self.device(offline)?,
            tenant: name("tenant", self.owner.tenant.take().unwrap_or_else(|| "default".to_owned()))?,
            algs,
            formats: self.owner.formats.take().unwrap_or_else(|| formats(derives)),
            validity,
            stated: self.owner.stated,
            secrets: Secrets { material: self.material, priv_other: self.owner.priv_other },
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
        if self.owner.stated.strict_profile && !self.is_for_cose() {
            self.owner.stated.derive.get_or_insert(false);
        }
        self.kid = self.kid.take().or_else(|| options.kid.clone());
        self.owner.tenant = self.owner.tenant.take().or_else(|| options.tenant.clone());
        if !self.material.is_private() {
            self.owner.device = self.owner.device.take().or_else(|| options.device.clone());
        }
        if self.alg.is_none() && self.owner.algs.is_none() && !options.algs.is_empty() {
            self.owner.algs = Some(options.algs.clone());
        }
        Ok(())
    }

    /// Whether COSE is among its formats, where the profile's derivation and its short kid are at home.
    fn is_for_cose(&self) -> bool {
        self.owner.formats.as_ref().is_none_or(|formats| formats.iter().any(|format| format == "cose"))
    }

    /// `use`, `key_ops` and the kind of key say the same (RFC 7517 §4.2, §4.3).
    fn purpose_agrees(&mut self, offline: bool) -> Result<(), Fault> {
        if self.signing_half || (self.material.is_private() && self.signs()) {
            self.only_verifies(offline)?;
        }
        let (usages, operations): (&[&str], &[&str]) = match &self.material {
            KeyMaterial::EcPrivate(_) | KeyMaterial::KemPrivate(_) | KeyMaterial::X25519Private(_) => {
                (&["enc"], DERIVE)
            }
            KeyMaterial::X25519Public(_) => (&["enc"], DERIVE),
            KeyMaterial::RsaPrivate(_) => (&["enc"], UNWRAP),
            KeyMaterial::EcPublic(_) => (&["sig", "enc"], &["verify", "deriveKey", "deriveBits"]),
            KeyMaterial::Symmetric(_) => (&["enc", "sig"], SYMMETRIC),
            _ => (&["sig"], &["verify"]),
        };
        if self.usage.as_deref().is_some_and(|given| !usages.contains(&given)) {
            let usages = usages.join(" or ");
            return Err(Fault::unsupported("use", format!("must be {usages} for this kind of key")));
        }
        let Some(given) = &self.operations else { return Ok(()) };
        if given.iter().enumerate().any(|(at, operation)| given[..at].contains(operation)) {
            return Err(Fault::at("key_ops", "names an operation twice"));
        }
        // A public key that is agreed with has no operation of its own (RFC 9053 §7.1).
        let agreed_with =
            given.is_empty() && matches!(self.material, KeyMaterial::EcPublic(_) | KeyMaterial::X25519Public(_));
        if agreed_with || given.iter().any(|operation| operations.contains(&operation.as_str())) {
            return Ok(());
        }
        Err(Fault::unsupported("key_ops", format!("must hold one of {}", operations.join(", "))))
    }

    fn signs(&self) -> bool {
        let signature = |name: &str| name == "EdDSA" || Algorithm::from_name(name).is_some_and(Algorithm::is_signature);
        self.usage.as_deref() == Some("sig") || self.alg.as_deref().is_some_and(signature)
    }

    /// A device's signing key does not belong here; offline its public half is what was meant.
    fn only_verifies(&mut self, offline: bool) -> Result<(), Fault> {
        if !offline {
            return Err(Fault::at("d", "is a private signing key: it belongs to its device; import the public half"));
        }
        match &self.material {
            KeyMaterial::EcPrivate(scalar) => self.material = KeyMaterial::EcPublic(scalar.point.clone()),
            KeyMaterial::RsaPrivate(key) => self.material = KeyMaterial::RsaPublic(key.public.clone()),
            _ => {}
        }
        self.operations = None;
        Ok(())
    }

    /// Whether `use` and `key_ops`, where they are given, let the key run that algorithm.
    fn serves(&self, algorithm: Algorithm) -> bool {
        let signs = algorithm.is_signature() || algorithm.is_mac();
        let usage = match self.usage.as_deref() {
            Some("sig") => signs,
            Some(_) => !signs,
            // A public EC key whose file says nothing is a signer's.
            None => !algorithm.is_static() || self.is_agreed_with(),
        };
        let operations: &[&str] = match algorithm {
            _ if algorithm.wrap().is_some() || algorithm.gcm_wrap().is_some() => UNWRAP,
            _ if algorithm.is_password() => &["deriveKey", "deriveBits", "unwrapKey", "decrypt"],
            _ if algorithm.is_transport() => UNWRAP,
            _ if algorithm.is_mac() => &["verify", "MAC verify"],
            _ if algorithm.is_signature() => &["verify"],
            _ if algorithm.content().is_some() && self.owner.stated.derives(self.material.kty()) => SYMMETRIC,
            _ if algorithm.content().is_some() => UNWRAP,
            _ => DERIVE,
        };
        let named = |given: &Vec<String>| given.iter().any(|operation| operations.contains(&operation.as_str()));
        let unnamed = algorithm.is_static() && self.operations.as_ref().is_some_and(Vec::is_empty);
        usage && (unnamed || self.operations.as_ref().is_none_or(named))
    }

    fn is_agreed_with(&self) -> bool {
        let derives = |given: &Vec<String>| given.iter().all(|operation| DERIVE.contains(&operation.as_str()));
        !matches!(self.material, KeyMaterial::EcPublic(_))
            || self.operations.as_ref().is_some_and(derives)
            || self.stated_algorithms().is_ok_and(|algs| algs.is_some())
    }

    /// The algorithms of one family: stated, or of the profile, or offline whatever fits (contract.md §1).
    fn algorithms(&self, also: &[Algorithm], offline: bool) -> Result<Vec<Algorithm>, Fault> {
        let derive = self.owner.stated.derives(self.material.kty());
        if self.owner.stated.derive == Some(true) && !derive {
            return Err(Fault::at("kdf", "derives from symmetric keys only"));
        }
        let fits = |algorithm: &Algorithm| self.material.fits(*algorithm, derive) && self.serves(*algorithm);
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
        let departures = self.owner.stated.compat.iter().flatten();
        let turned_on: Vec<_> = departures.flat_map(|name| Algorithm::turned_on_by(name)).copied().collect();
        let profile = PROFILE_ALGORITHMS.iter().copied();
        let others = Algorithm::ALL.iter().copied().filter(|algorithm| !PROFILE_ALGORITHMS.contains(algorithm));
        let beyond = others.filter(|algorithm| {
            let off =
                KeyMaterial::only_by_name(*algorithm) && !also.contains(algorithm) && !turned_on.contains(algorithm);
            !self.owner.stated.strict_profile && !off
        });
        let fitting: Vec<_> = profile.chain(beyond).filter(fits).collect();
        match fitting.as_slice() {
            [] => {
                let field = if self.usage.is_some() { "use" } else { self.material.field() };
                Err(Fault::unsupported(field, "leaves no algorithm that fits this key"))
            }
            fitting if !offline && !one_family(fitting, derive) => {
                Err(Fault::at("algs", "must name one algorithm, for without derivation this key fits several"))
            }
            fitting => Ok(fitting.to_vec()),
        }
    }

    fn stated_algorithms(&self) -> Result<Option<Vec<Algorithm>>, Fault> {
        let kty = self.material.kty();
        let alg = self.alg.as_deref().map(|name| algorithm(name, "alg", kty)).transpose()?;
        let Some(names) = &self.owner.algs else { return Ok(alg.map(|alg| vec![alg])) };
        let algs = names.iter().map(|name| algorithm(name, "algs", kty)).collect::<Result<Vec<_>, _>>()?;
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
            _ => None,
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

    /// KDF inputs are for keys that something is derived from, directly or after an agreement.
    fn kdf_inputs_agree(&mut self, algs: &[Algorithm], offline: bool) -> Result<(), Fault> {
        let derives = |algorithm: &Algorithm| algorithm.agreement().is_some() || algorithm.is_direct_kdf();
        let given = self.owner.stated.has_kdf_inputs() || self.owner.priv_other.is_some();
        if given && !algs.iter().any(derives) {
            return Err(Fault::at("party_u", "and the other KDF inputs need a key that something is derived from"));
        }
        let Some(sender) = self.owner.static_sender.take() else { return Ok(()) };
        let statically = !self.material.is_private() || !algs.iter().any(|algorithm| algorithm.is_static());
        if statically || sender.material.kty() != self.material.kty() {
            return Err(Fault::at("static_sender", "needs a private key of the same curve with an ECDH-SS algorithm"));
        }
        let device = match sender.device {
            Some(device) => name("device", device)?,
            None if offline => format!("jwk:{}", jwk_thumbprint(&sender.material)),
            None => return Err(Fault::at("static_sender", "must name its `device` under `paperknife`")),
        };
        self.owner.stated.static_sender = Some(StaticSender {
            key: Bytes(record::of_key(&sender.material).to_vec()),
            kid: Bytes(sender.kid.unwrap_or_default()),
            device,
        });
        Ok(())
    }

    /// The identity that the key proves; offline it may be the key itself.
    fn device(&mut self, offline: bool) -> Result<Option<String>, Fault> {
        let device = self.owner.device.take();
        match (&self.material, device) {
            (material, Some(_)) if material.is_private() => {
                Err(Fault::at("device", "does not go with a private key, which is the gateway's own"))
            }
            (material, None) if material.is_private() => Ok(None),
            (_, Some(device)) => name("device", device).map(Some),
            (material, None) if offline => Ok(Some(format!("jwk:{}", jwk_thumbprint(material)))),
            (_, None) => Err(Fault::at("device", "is missing: a sender's key proves a device")),
        }
    }
}

/// Nothing weak: no constant symmetric key that would be recorded, no Ed25519 key that everybody can sign for, no public
/// key that agrees on zero.
fn sound(material: &KeyMaterial, password: bool, offline: bool) -> Result<(), Fault> {
    match material {
        KeyMaterial::Symmetric(key) if password && !(1..=SECRET_MAX).contains(&key.k.len()) => {
            Err(Fault::at("k", "must be 1 to 256 bytes"))
        }
        KeyMaterial::Symmetric(_) if password => Ok(()),
        KeyMaterial::Symmetric(key) if !(16..=SECRET_MAX).contains(&key.k.len()) => {
            Err(Fault::at("k", "must be 16 to 256 bytes"))
        }
        KeyMaterial::Symmetric(key) if !offline && key.k.iter().all(|byte| *byte == key.k[0]) => {
            Err(Fault::at("k", "is one byte repeated"))
        }
        KeyMaterial::Ed25519Public(x) if !ops::sound_ed25519(x) => {
            Err(Fault::at("x", "is no point of Ed25519, or one of small order"))
        }
        KeyMaterial::RsaPublic(RsaPublic { n, .. })
        | KeyMaterial::RsaPrivate(RsaPrivate { public: RsaPublic { n, .. }, .. })
            if is_of_roca(n) =>
        {
            Err(Fault::at("n", "has primes that are told by their form (CVE-2017-15361)"))
        }
        KeyMaterial::KemPrivate(key) if !ops::sound_kem(key) => {
            Err(Fault::at("PEM", "holds a private key that does not belong to its public key"))
        }
        KeyMaterial::X25519Public(x) if !ops::sound_x25519(x) => Err(Fault::at("x", "is a point of small order")),
        _ => Ok(()),
    }
}

/// Whether the modulus is of the form of CVE-2017-15361: modulo every small prime a power of 65537, which a random modulus
/// is not.
fn is_of_roca(n: &[u8]) -> bool {
    let odd_primes = (3..=167_u32).step_by(2).filter(|p| (3..*p).step_by(2).all(|divisor| p % divisor != 0));
    odd_primes.into_iter().all(|p| {
        let residue = n.iter().fold(0, |residue, byte| (residue * 256 + u32::from(*byte)) % p);
        let powers = std::iter::successors(Some(1), |power| Some(power * (65_537 % p) % p).filter(|power| *power != 1));
        powers.take(p as usize).any(|power| power == residue)
    })
}

/// MACs and signatures are `sig`; a MAC is a key's only algorithm, unless nothing is said of an offline key.
fn purpose(algs: &[Algorithm]) -> Use {
    let signs = algs.iter().all(|algorithm| algorithm.is_signature() || algorithm.is_mac());
    if signs { Use::Sig } else { Use::Enc }
}

/// By its name in the JOSE registry or the COSE registry, there with or without spaces around `+`.
pub(crate) fn algorithm(name: &str, field: &str, kty: Kty) -> Result<Algorithm, Fault> {
    let known = match name {
        "ChaCha20/Poly1305" => Some(Algorithm::ChaCha20Poly1305),
        name => Algorithm::from_jose(name, kty).or_else(|| Algorithm::from_name(&name.replace(" + ", "+"))),
    };
    known.ok_or_else(|| Fault::unsupported(field, "names an algorithm that is not supported"))
}

/// `key_ops` of what derives.
const DERIVE: &[&str] = &["deriveKey", "deriveBits"];

/// `key_ops` of what decrypts keys, which are content like any other (jose.md §5).
const UNWRAP: &[&str] = &["decrypt", "unwrapKey"];

/// `key_ops` of a symmetric key.
const SYMMETRIC: &[&str] = &["decrypt", "deriveKey", "deriveBits", "unwrapKey", "verify", "MAC verify"];

/// A key that others are derived from is of COSE, where the derivation is at home.
fn formats(derives: bool) -> Vec<String> {
    let formats = if derives { &FORMATS[..1] } else { FORMATS };
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
    let okp = |curve: &str, x: &[u8]| format!(r#"{{"crv":"{curve}","kty":"OKP","x":"{}"}}"#, *base64url(x));
    let jwk = Zeroizing::new(match material {
        KeyMaterial::KemPrivate(key) => {
            format!(r#"{{"alg":"{}","kty":"AKP","pub":"{}"}}"#, key.set.name(), *base64url(key.public()))
        }
        KeyMaterial::AkpPublic(set, key) => {
            format!(r#"{{"alg":"{}","kty":"AKP","pub":"{}"}}"#, set.name(), *base64url(key))
        }
        KeyMaterial::EcPrivate(Scalar { point, .. }) | KeyMaterial::EcPublic(point) => {
            let (curve, x, y) = (point.curve.name(), base64url(&point.x), base64url(&point.y));
            format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, *x, *y)
        }
        KeyMaterial::Ed25519Public(x) => okp("Ed25519", x),
        KeyMaterial::Ed448Public(x) => okp("Ed448", x),
        KeyMaterial::RsaPrivate(RsaPrivate { public, .. }) | KeyMaterial::RsaPublic(public) => {
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, *base64url(&public.e), *base64url(&public.n))
        }
        KeyMaterial::Symmetric(key) => format!(r#"{{"k":"{}","kty":"oct"}}"#, *base64url(&key.k)),
        KeyMaterial::X25519Private(X25519 { x, .. }) | KeyMaterial::X25519Public(x) => okp("X25519", x),
    });
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jwk.as_bytes());
    Base64UrlUnpadded::encode_string(digest.as_ref())
}
