//! Departures from the strict default, by name: what an operator may allow that a standard permits and we do not.
//!
//! Plain data: each room asks for the names that concern it. Imports nothing.

macro_rules! departures {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// One departure from the strict default (cose.md §4, jose.md §4).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Departure {
            $($(#[$doc])* $variant,)+
        }

        impl Departure {
            /// Every departure.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name on the command line.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

departures! {
    /// b64 false that crit does not name (RFC 7797 §6).
    B64NoCrit = "b64-no-crit",
    /// CMS: AES-CBC and nothing around it that is authentic.
    CbcBare = "cbc-bare",
    /// CMS: AES-CBC around a signature.
    CbcSignInside = "cbc-sign-inside",
    /// CMS: AES-CBC under a signature that is verified.
    CbcUnderSignature = "cbc-under-signature",
    /// CMS: compression with a signature around or inside.
    Compressed = "compressed",
    /// CMS: compression without a signature.
    CompressedBare = "compressed-bare",
    /// Verify countersignatures of the older form, labels 7 and 9 (RFC 8152 §4.5).
    CountersignV1 = "countersign-v1",
    /// ES512 with a P-256 key and the like (RFC 9053 §2.1).
    CurveHashMix = "curve-hash-mix",
    /// CMS: data that nothing protects.
    Data = "data",
    /// CMS: a digest that nothing protects.
    DigestedData = "digested-data",
    /// Ed448 signatures.
    Ed448 = "ed448",
    /// A certificate for whatever purpose.
    EkuAny = "eku-any",
    /// CMS: encryption that nothing authenticates, under a key that is shared.
    EncryptedData = "encrypted-data",
    /// CMS: a GCM nonce of 8 to 16 octets.
    GcmNonce = "gcm-nonce",
    /// CMS: tags of 12 to 15 octets.
    IcvShort = "icv-short",
    /// Indefinite lengths.
    IndefiniteLength = "indefinite-length",
    /// Direct key derivation without salt and PartyU nonce.
    KdfNoNonce = "kdf-no-nonce",
    /// CMS: key derivation with SHA-1 or SHA-224.
    KdfSha1 = "kdf-sha1",
    /// CMS: a signature without signed attributes.
    NoSignedAttrs = "no-signed-attrs",
    /// Integers and lengths longer than need be.
    NonMinimal = "non-minimal",
    /// CMS: RSAES-OAEP with SHA-1.
    OaepSha1 = "oaep-sha1",
    /// CMS: keys from passwords.
    Password = "password",
    /// Keys from passwords, PBES2 (RFC 7518 §4.8).
    Pbes2 = "pbes2",
    /// RSAES-PKCS1-v1_5 (RFC 7518 §4.2).
    Rsa15 = "rsa1_5",
    /// RSA-OAEP of JOSE: RSAES-OAEP with SHA-1 (RFC 7518 §4.3).
    RsaOaep = "rsa-oaep",
    /// RSAES-OAEP with SHA-1, of COSE.
    RsaOaepSha1 = "rsa-oaep-sha1",
    /// CMS: RSAES-PKCS1-v1_5, with implicit rejection.
    RsaPkcs1v15 = "rsa-pkcs1v15",
    /// CMS: SHA-3.
    Sha3 = "sha3",
    /// CMS: multipart/signed, and a MIME entity within a message.
    SmimeEntity = "smime-entity",
    /// kid as text.
    TextKid = "text-kid",
    /// CMS: 3DES, as cipher and as key wrap.
    TripleDes = "3des",
    /// Encryption to our public key with nobody known behind it.
    UnauthenticatedSender = "unauthenticated-sender",
    /// The algorithm in unprotected headers only (RFC 9052 §3.1, RFC 7515 §7.2.1).
    UnprotectedAlg = "unprotected-alg",
    /// Compressed plaintext (RFC 7516 §4.1.3).
    Zip = "zip",
    /// A path to an anchor from an end-entity certificate that is not integrity-protected.
    X5chainUnprotected = "x5chain-unprotected",
}

/// Before a label that the application says it understands.
const UNDERSTOOD: &str = "crit-understood:";

/// The departures allowed for one envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compat {
    allowed: Vec<Departure>,
    understood: Vec<String>,
    everything: bool,
}

impl Compat {
    /// None: the strict default.
    pub const STRICT: &'static Self = &Self { allowed: Vec::new(), understood: Vec::new(), everything: false };

    /// These alone.
    pub fn of(departures: &[Departure]) -> Self {
        Self { allowed: departures.to_vec(), ..Self::default() }
    }

    /// Adds one by its name; says what is known where the name is not. `all` allows every one and understands any label.
    pub fn allow(&mut self, name: &str) -> Result<(), String> {
        if let Some(label) = name.strip_prefix(UNDERSTOOD) {
            self.understood.push(label.to_owned());
            return Ok(());
        }
        match Departure::ALL.iter().find(|departure| departure.as_str() == name) {
            Some(departure) => self.allowed.push(*departure),
            None if name == "all" => self.everything = true,
            None => {
                let known: Vec<_> = Departure::ALL.iter().map(|departure| departure.as_str()).collect();
                return Err(format!("known are: {}, {UNDERSTOOD}LABEL, all", known.join(", ")));
            }
        }
        Ok(())
    }

    /// Every departure, and any label understood: to see what an envelope is, never to open it.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// With what a key's record allows beside; names that are not known were refused when it was imported.
    #[must_use]
    pub fn with(&self, names: &[String]) -> Self {
        let mut compat = self.clone();
        for name in names.iter().filter(|name| name.as_str() != "all") {
            let _ = compat.allow(name);
        }
        compat
    }

    /// To be remembered; none of the strict default, which costs no allocation.
    pub fn kept(&self) -> Option<Box<Self>> {
        (self != Self::STRICT).then(|| Box::new(self.clone()))
    }

    /// Whether all that `other` allows is allowed here.
    pub fn covers(&self, other: &Self) -> bool {
        self.everything
            || !other.everything
                && other.allowed.iter().all(|departure| self.allows(*departure))
                && other.understood.iter().all(|label| self.understands(label))
    }

    /// Whether this departure is allowed.
    pub fn allows(&self, departure: Departure) -> bool {
        self.everything || self.allowed.contains(&departure)
    }

    /// Whether the application understands this critical label, a number in decimal or a text.
    pub fn understands(&self, label: &str) -> bool {
        self.everything || self.understood.iter().any(|understood| understood == label)
    }
}

#[cfg(test)]
mod tests;
