//! `seal --structure`: any structure of COSE, JOSE or CMS, with keys out of JWK Sets. COSE here, the others in `jose` and
//! `cms`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use paperknife_device::cose::algorithm::{Encryption, Mac, Management, Signature};
use paperknife_device::cose::headers::{Buckets, ContentType, Headers};
#[cfg(feature = "hpke")]
use paperknife_device::cose::hpke::Hpke;
use paperknife_device::cose::recipient::{Announced, Inputs, Recipient, Sender, Source};
use paperknife_device::cose::signature::Signer;
use paperknife_device::cose::{Message, Nonce, Structure, Tagging};
use paperknife_device::primitive::key::Key;
use paperknife_device::provision::SysRng;

use super::{cms, jose, names};
use crate::cli::{Fault, file, keys, read_key_set};

/// What a structure needs beside content, algorithm and key.
#[derive(Args)]
#[command(next_help_heading = "Any structure of COSE, JOSE or CMS")]
pub(super) struct Parts {
    /// Seal this structure instead of a shape
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "shape")]
    structure: Option<Name>,
    /// Who receives it, and how; repeat for several
    #[arg(long = "recipient", value_name = "ALG:FILE[#KID]", value_parser = party)]
    pub(super) recipients: Vec<(String, Place)>,
    /// Who receives it by HPKE: one of an encrypt0, or each of an encrypt; repeat for several
    #[cfg(feature = "hpke")]
    #[arg(long = "hpke", value_name = "ALG:FILE[#KID]", value_parser = encapsulated, conflicts_with = "recipients")]
    hpke: Vec<(Hpke, Place)>,
    /// Who signs it; repeat for several
    #[arg(long = "signer", value_name = "ALG:FILE[#KID]", value_parser = party)]
    pub(super) signers: Vec<(String, Place)>,
    /// Who countersigns it (RFC 9338); repeat for several
    #[arg(long = "countersigner", value_name = "ALG:FILE[#KID]", value_parser = party)]
    countersigners: Vec<(String, Place)>,
    /// The sender's own key, for ECDH-SS
    #[arg(long, value_name = "FILE[#KID]")]
    sender: Option<String>,
    /// Name the sender's key by its kid instead of sending it
    #[arg(long, requires = "sender")]
    sender_by_kid: bool,
    /// external_aad of COSE; aad of JWE in JSON
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    pub(super) aad: Option<Bytes>,
    /// Nonce in full [default: drawn]
    #[arg(long, value_name = "HEX", value_parser = bytes, conflicts_with = "partial_iv")]
    iv: Option<Bytes>,
    /// Partial IV, added to the key's base_iv
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    partial_iv: Option<Bytes>,
    /// Salt of the key derivation, sent; other inputs come unsent from the key's record
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    salt: Option<Bytes>,
    /// PartyU's nonce of the key derivation, sent
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    party_u_nonce: Option<Bytes>,
    /// Protected header parameter, its value as encoded CBOR; repeat for several
    #[arg(long = "protected", value_name = "LABEL=HEX", value_parser = parameter)]
    protected: Vec<(i64, Bytes)>,
    /// Unprotected header parameter, its value as encoded CBOR; repeat for several
    #[arg(long = "unprotected", value_name = "LABEL=HEX", value_parser = parameter)]
    unprotected: Vec<(i64, Bytes)>,
    /// Put the CWT tag before the structure's
    #[arg(long, conflicts_with = "untagged")]
    cwt: bool,
    /// Leave out the tag
    #[arg(long)]
    untagged: bool,
    /// Write payload or ciphertext there instead of sending it
    #[arg(long, value_name = "FILE")]
    pub(super) detach: Option<PathBuf>,
    #[command(flatten)]
    jose: jose::Parts,
}

/// A structure's name.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Name {
    AuthEnvelopedData,
    AuthenticatedData,
    CompressedData,
    DigestedData,
    Encrypt,
    Encrypt0,
    EncryptedData,
    EnvelopedData,
    Jwe,
    Jws,
    Mac,
    Mac0,
    Sign,
    Sign1,
    SignedData,
}

/// A key of a file.
#[derive(Clone)]
pub(super) struct Place {
    file: PathBuf,
    kid: Option<String>,
}

/// Bytes given as hexadecimal.
#[derive(Clone)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// Seals as the arguments say.
pub(super) fn seal(all: &super::Arguments, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let arguments = &all.structure;
    match arguments.structure.ok_or(Fault::Needs("NAME", "--shape or --structure"))? {
        Name::Jwe => jose::jwe(all, &arguments.jose, content),
        Name::Jws => jose::jws(all, &arguments.jose, content),
        name @ (Name::AuthEnvelopedData
        | Name::AuthenticatedData
        | Name::CompressedData
        | Name::DigestedData
        | Name::EncryptedData
        | Name::EnvelopedData
        | Name::SignedData) => cms::seal(name, all, content),
        name => cose(name, all, content),
    }
}

fn cose(name: Name, all: &super::Arguments, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let arguments = &all.structure;
    let mut message = Message::new(structure(name, all)?);
    message.headers = headers(all)?;
    message.external_aad = arguments.aad.clone().map(|aad| aad.0).unwrap_or_default();
    message.countersigners = signers(&arguments.countersigners)?;
    message.detached = arguments.detach.is_some();
    message.tagging = match (arguments.cwt, arguments.untagged) {
        (true, _) => Tagging::Cwt,
        (_, true) => Tagging::Untagged,
        _ => Tagging::Tagged,
    };
    let sealed = message.seal(content, &mut SysRng)?;
    if let (Some(path), Some(detached)) = (&arguments.detach, &sealed.detached) {
        std::fs::write(path, detached).map_err(file(path))?;
    }
    Ok(sealed.bytes)
}

fn structure(name: Name, all: &super::Arguments) -> Result<Structure, Fault> {
    let arguments = &all.structure;
    let key = |needs| all.key.as_deref().map(key_of).ok_or(needs)?;
    #[cfg(feature = "hpke")]
    if !arguments.hpke.is_empty() {
        return arguments.encapsulated(name, all);
    }
    match name {
        Name::Encrypt => Ok(Structure::Encrypt(encryption(all)?, arguments.nonce(), arguments.recipients()?)),
        Name::Encrypt0 => {
            let key = key(Fault::Needs("encrypt0", "--key"))?;
            Ok(Structure::Encrypt0(encryption(all)?, arguments.nonce(), key))
        }
        Name::Mac => Ok(Structure::Mac(mac(all)?, arguments.recipients()?)),
        Name::Mac0 => Ok(Structure::Mac0(mac(all)?, key(Fault::Needs("mac0", "--key"))?)),
        Name::Sign => Ok(Structure::Sign(signers(&arguments.signers)?)),
        Name::Sign1 => {
            let signer = signers(&arguments.signers)?.pop();
            Ok(Structure::Sign1(signer.ok_or(Fault::Needs("sign1", "--signer"))?))
        }
        _ => Err(Fault::Needs("NAME", "a structure of COSE")),
    }
}

#[cfg(feature = "hpke")]
impl Parts {
    fn encapsulated(&self, name: Name, all: &super::Arguments) -> Result<Structure, Fault> {
        let mut to = Vec::new();
        for (hpke, place) in &self.hpke {
            to.push((*hpke, place.read()?.0));
        }
        match (name, to.len()) {
            (Name::Encrypt0, 1) => {
                let (hpke, key) = to.remove(0);
                Ok(Structure::HpkeEncrypt0(hpke, key))
            }
            (Name::Encrypt, _) => Ok(Structure::HpkeEncrypt(encryption(all)?, self.nonce(), to)),
            _ => Err(Fault::Needs("--hpke", "--structure encrypt, or encrypt0 and one recipient")),
        }
    }
}

#[cfg(feature = "hpke")]
fn encapsulated(text: &str) -> Result<(Hpke, Place), String> {
    let (name, place) = text.split_once(':').ok_or("ALG:FILE or ALG:FILE#KID")?;
    let known = || names(Hpke::ALL.iter().map(|one| one.name()));
    Ok((Hpke::from_name(name).ok_or_else(known)?, Place::of(place)))
}

impl Parts {
    fn nonce(&self) -> Nonce {
        match (&self.iv, &self.partial_iv) {
            (Some(iv), _) => Nonce::Iv(iv.0.clone()),
            (_, Some(partial)) => Nonce::Partial(partial.0.clone()),
            _ => Nonce::Random,
        }
    }

    fn recipients(&self) -> Result<Vec<Recipient>, Fault> {
        let known = || names(Management::ALL.iter().map(|one| one.name()));
        let recipient = |(name, place): &(String, Place)| {
            let algorithm = Management::from_name(name).ok_or_else(|| Fault::Algorithm(known()))?;
            self.recipient(algorithm, place)
        };
        self.recipients.iter().map(recipient).collect()
    }

    fn recipient(&self, algorithm: Management, place: &Place) -> Result<Recipient, Fault> {
        let (key, inputs) = place.read()?;
        let source = match &self.sender {
            _ if !algorithm.agrees() => Source::Key(key),
            Some(sender) if algorithm.is_static() => {
                let announced = if self.sender_by_kid { Announced::Id } else { Announced::Key };
                Source::Agreement(key, Sender::Static(Place::of(sender).read()?.0, announced))
            }
            _ => Source::Agreement(key, Sender::Ephemeral { compressed: false }),
        };
        Ok(Recipient { inputs: self.inputs(inputs), ..Recipient::new(algorithm, source) })
    }

    /// What the record says stays unsent; what the arguments say is sent, and then all of it.
    fn inputs(&self, record: Inputs) -> Inputs {
        let mut inputs = record;
        if let Some(salt) = &self.salt {
            inputs.salt = Some(salt.0.clone());
            inputs.unsent = false;
        }
        if let Some(nonce) = &self.party_u_nonce {
            inputs.party_u.nonce = Some(nonce.0.clone());
            inputs.unsent = false;
        }
        inputs
    }
}

fn headers(all: &super::Arguments) -> Result<Buckets, Fault> {
    let mut protected = Headers::new();
    if let Some(number) = all.content_format {
        protected = protected.content_type(&ContentType::Number(number));
    }
    let add = |to: Headers, (label, value): &(i64, Bytes)| to.encoded(*label, &value.0);
    let protected = all.structure.protected.iter().try_fold(protected, add)?;
    let unprotected = all.structure.unprotected.iter().try_fold(Headers::new(), add)?;
    Ok(Buckets { protected, unprotected })
}

fn encryption(all: &super::Arguments) -> Result<Encryption, Fault> {
    let known = || names(Encryption::ALL.iter().filter(|one| one.authenticates()).map(|one| one.name()));
    all.alg.as_deref().and_then(Encryption::from_name).ok_or_else(|| Fault::Algorithm(known()))
}

fn mac(all: &super::Arguments) -> Result<Mac, Fault> {
    let known = || names(Mac::ALL.iter().map(|one| one.name()));
    all.alg.as_deref().and_then(Mac::from_name).ok_or_else(|| Fault::Algorithm(known()))
}

fn signers(given: &[(String, Place)]) -> Result<Vec<Signer>, Fault> {
    let known = || names(Signature::ALL.iter().map(|one| one.name()));
    let signer = |(name, place): &(String, Place)| {
        let algorithm = Signature::from_name(name).ok_or_else(|| Fault::Algorithm(known()))?;
        Ok(Signer::new(algorithm, place.read()?.0))
    };
    given.iter().map(signer).collect()
}

pub(super) fn key_of(path: &Path) -> Result<Key, Fault> {
    let text = path.to_string_lossy();
    Ok(Place::of(&text).read()?.0)
}

impl Place {
    /// `FILE` or `FILE#KID`.
    fn of(text: &str) -> Self {
        match text.rsplit_once('#') {
            Some((file, kid)) => Self { file: file.into(), kid: Some(kid.to_owned()) },
            None => Self { file: text.into(), kid: None },
        }
    }

    /// The key alone.
    pub(super) fn key(&self) -> Result<Key, Fault> {
        Ok(self.read()?.0)
    }

    fn read(&self) -> Result<(Key, Inputs), Fault> {
        read_key_set(&self.file)?.cose_key(self.kid.as_deref()).map_err(keys(&self.file))
    }
}

/// `ALG:FILE` or `ALG:FILE#KID`; what ALG may be depends on the structure.
fn party(text: &str) -> Result<(String, Place), String> {
    let (name, place) = text.split_once(':').ok_or("ALG:FILE or ALG:FILE#KID")?;
    Ok((name.to_owned(), Place::of(place)))
}

fn parameter(text: &str) -> Result<(i64, Bytes), String> {
    let (label, value) = text.split_once('=').ok_or("LABEL=HEX")?;
    Ok((label.parse().map_err(|_| "the label is a number")?, bytes(value)?))
}

fn bytes(text: &str) -> Result<Bytes, String> {
    hex::decode(text).map(Bytes).map_err(|_| "hexadecimal bytes".to_owned())
}
