//! RecipientInfos: for whom the content key is, and how each of them gets at it (RFC 5652 §6.2).
//!
//! Imports its neighbours and `envelope::Fault`. An alternative, algorithm or identifier that is not implemented leaves
//! its recipient without use and the message whole: any other may open it.

use std::ops::Range;

use super::algorithm::{self, Derivation, Hash, Identifier, Password, Transport, Wrap};
use super::certificate::Named;
use super::oid::{self, Arc};
use super::too_large;
use super::walk::{BIT_STRING, Fields, INTEGER, Node, SEQUENCE, Source, context, short};
use super::writer;
use crate::envelope::{Curve, Fault};

/// Recipients, the keys within key agreements counted one by one.
const RECIPIENTS: usize = 32;

/// One recipient, or one key of a key agreement.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub(super) way: Way,
    /// The content key, encrypted.
    pub(super) encrypted_key: Range<usize>,
    /// Why it is passed over.
    pub(super) fault: Option<Fault>,
}

/// How a recipient gets at the content key.
#[derive(Clone, Debug)]
pub enum Way {
    /// KeyAgreeRecipientInfo.
    Agreement(Agreement),
    /// KEMRecipientInfo.
    Encapsulation(Encapsulation),
    /// KEKRecipientInfo: identifier of the key, and how it wraps.
    Kek(Range<usize>, Wrap),
    /// Not implemented, and what it is.
    Other(&'static str),
    /// PasswordRecipientInfo.
    Password(Password),
    /// KeyTransRecipientInfo.
    Transport(Named, Transport),
}

/// A key agreement with one recipient.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Our certificate.
    pub recipient: Named,
    /// The sender's side.
    pub originator: Originator,
    /// What becomes of the shared secret.
    pub derivation: Derivation,
    /// How the derived key wraps the content key.
    pub wrap: Wrap,
    /// ECC-CMS-SharedInfo.
    pub shared_info: Range<usize>,
}

/// A key encapsulation (RFC 9629).
#[derive(Clone, Debug)]
pub struct Encapsulation {
    /// Our certificate.
    pub recipient: Named,
    /// Parameter set of ML-KEM: 512, 768 or 1024.
    pub set: u16,
    /// What encapsulates the secret.
    pub ciphertext: Range<usize>,
    /// Hash of the HKDF that makes a KEK of it.
    pub hash: Hash,
    /// CMSORIforKEMOtherInfo.
    pub info: Range<usize>,
    /// How the KEK wraps the content key.
    pub wrap: Wrap,
}

/// The sender's side of a key agreement.
#[derive(Clone, Debug)]
pub enum Originator {
    /// A key made for the message: its curve where it says, and the point as written.
    Key(Option<Curve>, Range<usize>),
    /// A static key, by its certificate.
    Named(Named),
}

impl Recipient {
    /// How it gets at the content key.
    pub const fn way(&self) -> &Way {
        &self.way
    }

    /// Why it is passed over, if it is.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    fn new(way: Way, encrypted_key: Range<usize>) -> Self {
        Self { way, encrypted_key, fault: None }
    }

    fn unsupported(what: &'static str) -> Self {
        Self { way: Way::Other(what), encrypted_key: 0..0, fault: Some(Fault::unsupported(what)) }
    }
}

/// Reads `RecipientInfos ::= SET SIZE (1..MAX) OF RecipientInfo`.
pub(super) fn all(set: Node<'_>) -> Result<Vec<Recipient>, Fault> {
    set.within().at_most(RECIPIENTS, "too many recipients")?;
    let (mut recipients, mut iterations) = (Vec::new(), 0);
    for info in set.within() {
        match info.tag() {
            SEQUENCE => recipients.push(transport(info.within())?),
            tag if tag == context(1) => agreements(info, &mut recipients)?,
            tag if tag == context(2) => recipients.push(kek(info.within())?),
            tag if tag == context(3) => recipients.push(password(info.within(), &mut iterations)?),
            tag if tag == context(4) => recipients.push(other(info)?),
            _ => recipients.push(Recipient::unsupported("a recipient of a kind that is not known")),
        }
        if recipients.len() > RECIPIENTS {
            return Err(too_large("too many recipients"));
        }
    }
    if recipients.is_empty() { Err(Fault::malformed("no recipient")) } else { Ok(recipients) }
}

/// `SEQUENCE { version, rid, keyEncryptionAlgorithm, encryptedKey }` (RFC 5652 §6.2.1).
fn transport(mut fields: Fields<'_>) -> Result<Recipient, Fault> {
    let version = fields.version()?;
    let Some(named) = Named::next(&mut fields, 0)? else {
        return Ok(Recipient::unsupported("a recipient named in a way that is not known"));
    };
    let algorithm = Transport::of(&Identifier::next(&mut fields)?)?;
    let encrypted_key = fields.octets("an encrypted key is due")?;
    fields.end("after a recipient's key")?;
    Ok(match algorithm {
        Some(algorithm) if matches!(version, 0 | 2) => Recipient::new(Way::Transport(named, algorithm), encrypted_key),
        _ => Recipient::unsupported("a key transport that is not known"),
    })
}

/// `SEQUENCE { version, originator [0], ukm [1] OPTIONAL, keyEncryptionAlgorithm, recipientEncryptedKeys }` (§6.2.2).
fn agreements(info: Node<'_>, recipients: &mut Vec<Recipient>) -> Result<(), Fault> {
    let mut fields = info.within();
    let version = fields.version()?;
    let what = "an originator is due";
    let originator = originator(fields.explicit(0, what)?.ok_or_else(|| Fault::malformed(what))?)?;
    let ukm = keying_material(&mut fields, 1)?;
    let derivation = Derivation::of(&Identifier::next(&mut fields)?)?;
    let keys = fields.one(SEQUENCE, "the keys of a key agreement are due")?;
    fields.end("after the keys of a key agreement")?;
    if keys.within().at_most(RECIPIENTS, "too many recipients")? == 0 {
        return Err(Fault::malformed("a key agreement with nobody"));
    }
    let scheme = derivation.map(|(derivation, wrap)| Ok((derivation, Wrap::of(&wrap)?, wrap.whole))).transpose()?;
    for key in keys.within() {
        let (recipient, encrypted_key) = agreed(key)?;
        let known = recipient.zip(originator.clone()).zip(scheme.clone()).filter(|_| version == 3);
        recipients.push(match known {
            Some(((recipient, originator), (derivation, Some(wrap), identifier))) => {
                let shared_info = shared_info(info.source(), identifier, ukm.clone(), wrap);
                let way = Agreement { recipient, originator, derivation, wrap, shared_info };
                Recipient::new(Way::Agreement(way), encrypted_key)
            }
            _ => Recipient::unsupported("a key agreement that is not known"),
        });
        if recipients.len() > RECIPIENTS {
            return Err(too_large("too many recipients"));
        }
    }
    Ok(())
}

/// `[number] EXPLICIT UserKeyingMaterial OPTIONAL`, an OCTET STRING.
fn keying_material(fields: &mut Fields<'_>, number: u8) -> Result<Option<Range<usize>>, Fault> {
    let what = "keying material is due";
    let Some(mut tagged) = fields.optional(context(number)).map(Node::within) else { return Ok(None) };
    let octets = tagged.short_octets(what)?;
    tagged.end(what)?;
    Ok(Some(octets))
}

/// `CHOICE { issuerAndSerialNumber, subjectKeyIdentifier [0], originatorKey [1] }`; none where it is not known.
fn originator(node: Node<'_>) -> Result<Option<Originator>, Fault> {
    if node.tag() != context(1) {
        return Ok(Named::of(node, 0)?.map(Originator::Named));
    }
    let mut fields = node.within();
    let curve = algorithm::curve(&Identifier::next(&mut fields)?)?;
    let point = fields.one(BIT_STRING, "a public key is due")?.bits().and_then(short)?;
    fields.end("after an originator's key")?;
    Ok(curve.map(|curve| Originator::Key(curve, point)))
}

/// `RecipientEncryptedKey ::= SEQUENCE { rid, encryptedKey }`.
fn agreed(key: Node<'_>) -> Result<(Option<Named>, Range<usize>), Fault> {
    let mut fields = key.fields(SEQUENCE, "a key of a key agreement is due")?;
    let recipient = match fields.optional(context(0)) {
        // RecipientKeyIdentifier ::= SEQUENCE { subjectKeyIdentifier, date OPTIONAL, other OPTIONAL }
        Some(node) => Some(Named::Ski(node.within().short_octets("a key identifier is due")?)),
        None => Named::next(&mut fields, 0)?,
    };
    let encrypted_key = fields.octets("an encrypted key is due")?;
    fields.end("after a key of a key agreement")?;
    Ok((recipient, encrypted_key))
}

/// `OtherRecipientInfo ::= SEQUENCE { oriType OBJECT IDENTIFIER, oriValue ANY }` (§6.2.5).
fn other(info: Node<'_>) -> Result<Recipient, Fault> {
    let mut fields = info.within();
    let is_kem = oid::split(fields.oid("the kind of a recipient is due")?.contents()) == (Arc::Smime, &[13, 3]);
    let value = fields.any("a recipient is due")?;
    fields.end("after a recipient of another kind")?;
    if is_kem {
        return encapsulation(value.source(), value.fields(SEQUENCE, "a KEMRecipientInfo is due")?);
    }
    Ok(Recipient::unsupported("a recipient of another kind"))
}

/// `KEMRecipientInfo ::= SEQUENCE { version, rid, kem, kemct OCTET STRING, kdf, kekLength INTEGER, ukm [0] EXPLICIT
/// OPTIONAL, wrap, encryptedKey }` (RFC 9629 §3).
fn encapsulation(source: &Source<'_>, mut fields: Fields<'_>) -> Result<Recipient, Fault> {
    let version = fields.version()?;
    let Some(recipient) = Named::next(&mut fields, 0)? else {
        return Ok(Recipient::unsupported("a recipient named in a way that is not known"));
    };
    let set = algorithm::kem(&Identifier::next(&mut fields)?)?;
    let ciphertext = fields.octets("an encapsulated key is due")?;
    let hash = algorithm::hkdf(&Identifier::next(&mut fields)?)?;
    let bytes = fields.number("the length of a key is due")?;
    let ukm = keying_material(&mut fields, 0)?;
    let identifier = Identifier::next(&mut fields)?;
    let wrap = Wrap::of(&identifier)?;
    let encrypted_key = fields.octets("an encrypted key is due")?;
    fields.end("after a recipient's key")?;
    let known = set.zip(hash).zip(wrap).filter(|_| version == 0);
    let Some(((set, hash), wrap)) = known else {
        return Ok(Recipient::unsupported("a key encapsulation that is not known"));
    };
    if bytes != wrap.key_length() as u64 {
        return Err(Fault::malformed("a derived key of another length than its key wrap takes"));
    }
    let info = kem_info(source, identifier.whole, wrap, ukm);
    let way = Encapsulation { recipient, set, ciphertext, hash, info, wrap };
    Ok(Recipient::new(Way::Encapsulation(way), encrypted_key))
}

/// CMSORIforKEMOtherInfo (RFC 9629 §5): the key wrap's identifier verbatim, octets of the KEK, keying material if any.
fn kem_info(source: &Source<'_>, wrap: Range<usize>, of: Wrap, ukm: Option<Range<usize>>) -> Range<usize> {
    let length = writer::tlv(INTEGER, &[&[of.key_length() as u8]]);
    let ukm = ukm.map(|ukm| writer::tlv(context(0), &[&writer::tlv(0x04, &[&source.bytes_at(ukm)])]));
    let info = writer::tlv(SEQUENCE, &[&source.bytes_at(wrap), &length, &ukm.unwrap_or_default()]);
    source.keep(&[&info])
}

/// ECC-CMS-SharedInfo (RFC 5753 §7.2): the key wrap's identifier verbatim, keying material if any, bits of the KEK.
fn shared_info(source: &Source<'_>, identifier: Range<usize>, ukm: Option<Range<usize>>, wrap: Wrap) -> Range<usize> {
    let bits = (wrap.key_length() as u32 * 8).to_be_bytes();
    let ukm = ukm.map(|ukm| writer::tlv(context(0), &[&writer::tlv(0x04, &[&source.bytes_at(ukm)])]));
    let public = writer::tlv(context(2), &[&writer::tlv(0x04, &[&bits])]);
    let info = writer::tlv(SEQUENCE, &[&source.bytes_at(identifier), &ukm.unwrap_or_default(), &public]);
    source.keep(&[&info])
}

/// `SEQUENCE { version, kekid, keyEncryptionAlgorithm, encryptedKey }` (RFC 5652 §6.2.3).
fn kek(mut fields: Fields<'_>) -> Result<Recipient, Fault> {
    let version = fields.version()?;
    // KEKIdentifier ::= SEQUENCE { keyIdentifier, date OPTIONAL, other OPTIONAL }
    let mut named = fields.one(SEQUENCE, "the name of a key is due")?.within();
    let identifier = named.short_octets("the identifier of a key is due")?;
    let wrap = Wrap::of(&Identifier::next(&mut fields)?)?;
    let encrypted_key = fields.octets("an encrypted key is due")?;
    fields.end("after a recipient's key")?;
    Ok(match wrap {
        Some(wrap) if version == 4 => Recipient::new(Way::Kek(identifier, wrap), encrypted_key),
        _ => Recipient::unsupported("a key wrap that is not known"),
    })
}

/// `SEQUENCE { version, keyDerivationAlgorithm [0] OPTIONAL, keyEncryptionAlgorithm, encryptedKey }` (§6.2.4).
fn password(mut fields: Fields<'_>, iterations: &mut u64) -> Result<Recipient, Fault> {
    let version = fields.version()?;
    let derivation = fields.optional(context(0)).map(Identifier::tagged).transpose()?;
    let wrap = Identifier::next(&mut fields)?;
    let encrypted_key = fields.octets("an encrypted key is due")?;
    fields.end("after a recipient's key")?;
    let password = derivation.map_or(Ok(None), |derivation| Password::of(&derivation, &wrap, iterations))?;
    Ok(match password {
        Some(password) if version == 0 => Recipient::new(Way::Password(password), encrypted_key),
        _ => Recipient::unsupported("a password's key that is not known"),
    })
}
