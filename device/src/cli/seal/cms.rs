//! `seal --structure` of CMS: keys are named by their kids.

use paperknife_device::cms::algorithm::{Agreement, Encryption, Signature, Wrap};
use paperknife_device::cms::recipient::{Identifier, KeyAgreement, Password, Recipient, Transport};
use paperknife_device::cms::signer::Signer;
use paperknife_device::cms::{Cipher, Content, Signed, Structure};
use paperknife_device::primitive::digest::Hash;
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;

use super::structure::{Name, Place, key_of};
use super::{Arguments, names};
use crate::cli::{Fault, file};

/// Of PBKDF2, for the password of a recipient.
const ITERATIONS: u32 = 600_000;

/// Seals as the arguments say.
pub(super) fn seal(name: Name, all: &Arguments, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let sealed = structure(name, all)?.seal(&Content::data(content), &mut SysRng)?;
    if let Some(path) = &all.structure.detach {
        std::fs::write(path, content).map_err(file(path))?;
    }
    Ok(sealed.content_info())
}

fn structure(name: Name, all: &Arguments) -> Result<Structure, Fault> {
    let cipher = || encryption(all.alg.as_deref().unwrap_or_default()).map(Cipher::new);
    match name {
        Name::AuthEnvelopedData => Ok(Structure::AuthEnvelopedData(cipher()?, recipients(all)?, Vec::new())),
        Name::AuthenticatedData => Ok(Structure::AuthenticatedData(hash(all)?, recipients(all)?, Vec::new())),
        Name::CompressedData => Ok(Structure::CompressedData),
        Name::DigestedData => Ok(Structure::DigestedData(hash(all)?)),
        Name::EncryptedData => {
            let key = all.key.as_deref().ok_or(Fault::Needs("encrypted-data", "--key"))?;
            Ok(Structure::EncryptedData(cipher()?, key_of(key)?))
        }
        Name::EnvelopedData => Ok(Structure::EnvelopedData(cipher()?, recipients(all)?)),
        _ => Ok(Structure::SignedData(signed(all)?)),
    }
}

fn signed(all: &Arguments) -> Result<Signed, Fault> {
    let signer = |(name, place): &(String, Place)| {
        let known = || names(Signature::ALL.iter().map(|one| one.name()));
        let algorithm = Signature::from_name(name).ok_or_else(|| Fault::Algorithm(known()))?;
        let key = place.key()?;
        Ok(Signer::new(Identifier::of_key(&key)?, key, algorithm))
    };
    let signers = all.structure.signers.iter().map(signer).collect::<Result<_, Fault>>()?;
    Ok(Signed { signers, certificates: Vec::new(), detached: all.structure.detach.is_some() })
}

fn recipients(all: &Arguments) -> Result<Vec<Recipient>, Fault> {
    all.structure.recipients.iter().map(|(name, place)| recipient(name, place.key()?)).collect()
}

fn recipient(name: &str, key: Key) -> Result<Recipient, Fault> {
    let oaep = |hash| Transport::Oaep(hash, None);
    let transport = match name {
        "RSA-OAEP" => oaep(Hash::Sha1),
        "RSA-OAEP-256" => oaep(Hash::Sha256),
        "RSA-OAEP-384" => oaep(Hash::Sha384),
        "RSA-OAEP-512" => oaep(Hash::Sha512),
        "RSA1_5" => Transport::Pkcs1,
        "A128KW" | "A192KW" | "A256KW" => return Ok(Recipient::Kek(key)),
        "PWRI-KEK" => return Ok(Recipient::Password(Password::of_key(&key, ITERATIONS)?)),
        _ => return agreement(name, key),
    };
    Ok(Recipient::KeyTransport(Identifier::of_key(&key)?, key, transport))
}

/// ECDH-ES with the X9.63 KDF under SHA-256, and a key wrap.
fn agreement(name: &str, key: Key) -> Result<Recipient, Fault> {
    let known = "RSA-OAEP, RSA-OAEP-256, RSA-OAEP-384, RSA-OAEP-512, RSA1_5, A128KW, A192KW, A256KW, PWRI-KEK, \
                 ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW";
    let wrap = name.strip_prefix("ECDH-ES+").and_then(Wrap::from_name);
    let wrap = wrap.ok_or_else(|| Fault::Algorithm(format!("one of {known}")))?;
    let agreement = KeyAgreement::new(Identifier::of_key(&key)?, key, Agreement::Standard(Hash::Sha256), wrap);
    Ok(Recipient::KeyAgreement(agreement))
}

pub(super) fn encryption(name: &str) -> Result<Encryption, Fault> {
    let known = || names(Encryption::ALL.iter().map(|one| one.name()));
    Encryption::from_name(name).ok_or_else(|| Fault::Algorithm(known()))
}

fn hash(all: &Arguments) -> Result<Hash, Fault> {
    match all.alg.as_deref() {
        Some("SHA-256") => Ok(Hash::Sha256),
        Some("SHA-384") => Ok(Hash::Sha384),
        Some("SHA-512") => Ok(Hash::Sha512),
        _ => Err(Fault::Algorithm("one of SHA-256, SHA-384, SHA-512".to_owned())),
    }
}
