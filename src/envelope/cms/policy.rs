//! What is off by default, decided before any key is looked for (cms.md §5).
//!
//! Imports its parent and neighbours, `envelope` and `item`. A recipient or signer of which nothing is left is passed
//! over with its reason; a message of which nothing is left has the first of these reasons.

use super::algorithm::{Cipher, Encryption, Hash, Password, Signature, Transport, Wrap};
use super::attributes::Protection;
use super::recipient::{Recipient, Way};
use super::signer::Signer;
use super::structure::Body;
use super::{Around, Message, Structure};
use crate::envelope::Fault;
use crate::item::{Compat, Departure, Reason};

/// Octets of a tag, and of the nonce of GCM, unless a name permits others.
const TAG: usize = 16;
const GCM_NONCE: usize = 12;

impl Message {
    /// Says what is off. Malformed is what is so under any name that is not given.
    pub(super) fn judge(&mut self, compat: &Compat) -> Result<(), Fault> {
        let policy = Policy { compat, structure: self.structure, around: &self.around };
        let off = match &mut self.body {
            Body::Authenticated { recipients, mac, digest, attributes, .. } => {
                let protection = attributes.as_ref().and_then(|attributes| attributes.protection.as_ref());
                let own = policy.mac(*mac, attributes.is_some().then_some(*digest), protection);
                own.err().or_else(|| policy.recipients(recipients))
            }
            Body::Compressed { zlib } => policy.compressed(*zlib).err(),
            Body::Data => policy.unprotected(Departure::Data, "data that nothing protects is off").err(),
            Body::Digested { hash, .. } => policy.digested(*hash).err(),
            Body::Encrypted { recipients, encryption, .. } => {
                let encryption = encryption.as_ref();
                encryption.map_or(Ok(()), |encryption| policy.tag_and_nonce(encryption))?;
                let own = policy.encryption(encryption);
                own.err().or_else(|| if recipients.is_empty() { None } else { policy.recipients(recipients) })
            }
            Body::Signed { signers, .. } => policy.signers(signers),
        };
        self.fault = off;
        Ok(())
    }
}

impl Message {
    /// What is around the message that this one holds. `signed`: its signature is verified.
    pub fn around_content(&self, signed: bool, compat: &Compat) -> Around {
        let policy = Policy { compat, structure: self.structure, around: &self.around };
        let Around { layers, .. } = self.around;
        if signed || self.around.signed {
            return Around { layers: layers + 1, signed: true, malleable: false, due: None };
        }
        let cipher = self.encryption().map(|encryption| encryption.cipher);
        let malleable = cipher.is_some_and(|cipher| !cipher.is_authenticated());
        let due = match self.structure {
            Structure::EnvelopedData if malleable && !compat.allows(Departure::CbcBare) => {
                Some(Fault { reason: Reason::AuthFailed, detail: "no signature in what nothing authenticates" })
            }
            Structure::CompressedData if !compat.allows(Departure::CompressedBare) => Some(policy.bare_compression()),
            _ => None,
        };
        Around {
            layers: layers + 1,
            signed: false,
            malleable: malleable || self.around.malleable,
            due: self.around.due.clone().or(due),
        }
    }
}

const fn off(detail: &'static str) -> Fault {
    Fault { reason: Reason::AlgNotAllowed, detail }
}

struct Policy<'a> {
    compat: &'a Compat,
    structure: Structure,
    around: &'a Around,
}

impl Policy<'_> {
    fn needs(&self, departure: Departure, fault: Fault) -> Result<(), Fault> {
        if self.compat.allows(departure) { Ok(()) } else { Err(fault) }
    }

    /// Outermost, it would pass for a message with nobody behind it.
    fn unprotected(&self, departure: Departure, detail: &'static str) -> Result<(), Fault> {
        if self.is_outermost() {
            return self.needs(departure, Fault { reason: Reason::UnauthenticatedSender, detail });
        }
        Ok(())
    }

    const fn is_outermost(&self) -> bool {
        self.around.layers == 0
    }

    fn compressed(&self, zlib: bool) -> Result<(), Fault> {
        let with_signature = self.compat.allows(Departure::Compressed);
        let allowed = with_signature || !self.around.signed && self.compat.allows(Departure::CompressedBare);
        match allowed {
            false => Err(self.bare_compression()),
            true if zlib => Ok(()),
            true => Err(Fault::unsupported("a compression that is not known")),
        }
    }

    /// What is said of compression that no signature goes with.
    const fn bare_compression(&self) -> Fault {
        let reason = if self.is_outermost() { Reason::UnauthenticatedSender } else { Reason::AlgNotAllowed };
        Fault { reason, detail: "compression without a signature is off" }
    }

    fn digested(&self, hash: Option<Hash>) -> Result<(), Fault> {
        self.unprotected(Departure::DigestedData, "a digest that nothing protects is off")?;
        self.hash(hash)
    }

    /// A hash that may be relied on.
    fn hash(&self, hash: Option<Hash>) -> Result<(), Fault> {
        match hash {
            Some(Hash::Sha256 | Hash::Sha384 | Hash::Sha512) => Ok(()),
            Some(Hash::Md5 | Hash::Sha1 | Hash::Sha224) => Err(off("a hash that is too weak")),
            Some(Hash::Sha3) => {
                self.needs(Departure::Sha3, off("SHA-3 is off"))?;
                Err(Fault::unsupported("SHA-3"))
            }
            None => Err(Fault::unsupported("a hash that is not known")),
        }
    }

    /// RFC 8933, RFC 6211: one hash, and the algorithms that the attributes name.
    fn mac(
        &self,
        mac: Option<Hash>,
        digest: Option<Option<Hash>>,
        protection: Option<&Protection>,
    ) -> Result<(), Fault> {
        mac.ok_or(Fault::unsupported("a MAC that is not known"))?;
        self.hash(mac)?;
        digest.map_or(Ok(()), |digest| self.hash(digest))?;
        match protection {
            Some(Protection { digest: named, mac: of, .. }) if Some(*named) != digest || *of != mac => {
                Err(off("another algorithm than the attributes name"))
            }
            _ => Ok(()),
        }
    }

    /// RFC 5084 leaves tags and nonces open that are shorter than these.
    fn tag_and_nonce(&self, encryption: &Encryption) -> Result<(), Fault> {
        if !encryption.cipher.is_authenticated() {
            return Ok(());
        }
        if encryption.tag != TAG {
            self.needs(Departure::IcvShort, Fault::malformed("a tag shorter than 16 octets"))?;
        }
        match (encryption.cipher, encryption.nonce.len()) {
            (Cipher::Gcm(_), GCM_NONCE) => Ok(()),
            (Cipher::Gcm(_), 8..=16) => {
                self.needs(Departure::GcmNonce, Fault::malformed("a nonce of another length than 12 octets"))
            }
            (Cipher::Gcm(_), _) => Err(Fault::malformed("a nonce of another length than 12 octets")),
            _ => Ok(()),
        }
    }

    fn encryption(&self, encryption: Option<&Encryption>) -> Result<(), Fault> {
        let encryption = encryption.ok_or(Fault::unsupported("a cipher that is not known"))?;
        let cbc = || self.needs(Departure::CbcUnderSignature, off("encryption without authentication is off"));
        match (encryption.cipher, self.structure) {
            (Cipher::Obsolete, _) => return Err(off("a cipher that is broken")),
            (cipher, _) if cipher.is_authenticated() => return Ok(()),
            (_, Structure::EncryptedData) if !self.around.signed => {
                let detail = "encryption that nothing authenticates is off";
                self.needs(Departure::EncryptedData, Fault { reason: Reason::UnauthenticatedSender, detail })?;
            }
            _ if self.around.signed => cbc()?,
            _ if self.compat.allows(Departure::CbcSignInside) => {}
            _ => self.needs(Departure::CbcBare, off("encryption without authentication is off"))?,
        }
        self.triple_des(encryption.cipher == Cipher::TripleDes)
    }

    fn triple_des(&self, used: bool) -> Result<(), Fault> {
        if used { self.needs(Departure::TripleDes, off("3DES is off")) } else { Ok(()) }
    }

    /// Judges each; the first reason, where nobody is left.
    fn recipients(&self, recipients: &mut [Recipient]) -> Option<Fault> {
        for recipient in recipients.iter_mut().filter(|recipient| recipient.fault.is_none()) {
            recipient.fault = self.recipient(&recipient.way).err();
        }
        if recipients.iter().any(|recipient| recipient.fault.is_none()) {
            return None;
        }
        recipients.iter().find_map(|recipient| recipient.fault.clone())
    }

    fn recipient(&self, way: &Way) -> Result<(), Fault> {
        match way {
            Way::Agreement(agreement) => {
                self.triple_des(agreement.wrap == Wrap::TripleDes)?;
                match agreement.derivation.hash() {
                    Hash::Sha1 | Hash::Sha224 => {
                        self.needs(Departure::KdfSha1, off("key derivation with SHA-1 is off"))
                    }
                    hash => self.hash(Some(hash)),
                }
            }
            Way::Encapsulation(encapsulation) => self.triple_des(encapsulation.wrap == Wrap::TripleDes),
            Way::Kek(_, wrap) => self.triple_des(*wrap == Wrap::TripleDes),
            Way::Other(what) => Err(Fault::unsupported(what)),
            Way::Password(password) => self.password(password),
            Way::Transport(_, Transport::V15) => self.needs(Departure::RsaPkcs1v15, off("RSAES-PKCS1-v1_5 is off")),
            Way::Transport(_, Transport::Oaep { hash, mask, .. }) => self.oaep(*hash, *mask),
        }
    }

    fn password(&self, password: &Password) -> Result<(), Fault> {
        self.needs(Departure::Password, off("passwords are off"))?;
        self.triple_des(password.cipher == Cipher::TripleDes)
    }

    fn oaep(&self, hash: Hash, mask: Hash) -> Result<(), Fault> {
        for each in [hash, mask] {
            match each {
                Hash::Sha1 => self.needs(Departure::OaepSha1, off("RSAES-OAEP with SHA-1 is off"))?,
                each => self.hash(Some(each))?,
            }
        }
        if hash == mask { Ok(()) } else { Err(Fault::unsupported("RSAES-OAEP with two hashes")) }
    }

    fn signers(&self, signers: &mut [Signer]) -> Option<Fault> {
        for signer in signers.iter_mut() {
            signer.fault = self.signer(signer).err();
        }
        if signers.iter().any(|signer| signer.fault.is_none()) {
            return None;
        }
        signers.iter().find_map(|signer| signer.fault.clone())
    }

    fn signer(&self, signer: &Signer) -> Result<(), Fault> {
        self.hash(signer.digest)?;
        let algorithm = signer.algorithm.ok_or(Fault::unsupported("a signature that is not known"))?;
        self.hash(Some(algorithm.hash()))?;
        match algorithm {
            Signature::Pss { hash, mask, .. } if hash != mask => {
                self.hash(Some(mask))?;
                return Err(Fault::unsupported("RSASSA-PSS with two hashes"));
            }
            _ => {}
        }
        let protection = signer.attributes.as_ref().and_then(|attributes| attributes.protection.as_ref());
        let named = protection.is_none_or(|of| of.digest == signer.digest && of.signature == Some(algorithm));
        if signer.digest != Some(algorithm.hash()) || !named {
            return Err(off("another hash than the signature's, or another algorithm than the attributes name"));
        }
        if signer.named.is_none() {
            return Err(Fault::unsupported("a signer named in a way that is not known"));
        }
        if let Some(certificate) = signer.certificate() {
            self.hash(certificate.hash)?;
        }
        match signer.attributes {
            Some(_) => Ok(()),
            None => self.needs(Departure::NoSignedAttrs, off("a signature without signed attributes is off")),
        }
    }
}
