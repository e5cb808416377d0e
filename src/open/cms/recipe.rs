//! One attempt as a recipe of the strongroom: where the secret comes from, what turns it into the content key, and the
//! content step.
//!
//! Imports `envelope`, `guard::admit` and the keystore's recipes. Nothing here sees a secret: it says in which order the
//! strongroom uses what the message holds.

use keystore::key::{Algorithm, KeyRef, Kty};
use keystore::recipe::{self, Authentic, EcY, Info, Management, Nonce, Peer, Point, Recipe, Start, Step, Under};
use keystore::{Keystore, OpenError};

use crate::envelope::Curve;
use crate::envelope::cms::{
    Agreement, Cipher, Derivation, Encapsulation, Encryption, Hash, Message, Originator, Password, Signature,
    Transport, Way as Asked, Wrap,
};
use crate::guard::admit::cms::{Attempt, Way};
use crate::guard::admit::kty;

type Run = Result<(Vec<u8>, Authentic), OpenError>;

/// Octets of the nonce and of the tag that an AEAD has unless a message gives it others.
const GCM: (usize, usize) = (12, 16);

/// Runs one recipe. `under` is the authentic layer around.
pub(super) fn run(message: &Message, attempt: &Attempt, under: Option<&Authentic>, keystore: &Keystore) -> Run {
    if let Way::Signer(nth) = attempt.way() {
        return verify(message, attempt, nth, keystore);
    }
    let (start, mut steps) = manage(message, attempt).ok_or(OpenError::Rejected)?;
    let derived = message.encryption().and_then(|encryption| encryption.derived.as_ref());
    steps.extend(derived.map(|identifier| Step::CekHkdf { info: message.slice(identifier) }));
    let management = Management { start, steps: &steps };
    let algorithm = attempt.content();
    if let Some((_, tag)) = message.mac() {
        let covered = message.authenticated();
        return keystore.run(&Recipe::Mac { management, algorithm, messages: &[&covered], tag });
    }
    let encryption = message.encryption().ok_or(OpenError::Rejected)?;
    let (nonce, ciphertext, aad) = (message.slice(&encryption.nonce), message.content(), message.aad());
    let aads = [aad.as_slice()];
    keystore.run(&match encryption.cipher.is_authenticated() {
        true => {
            let nonce = sized(encryption, nonce);
            Recipe::Decrypt { management, algorithm, nonce, aads: &aads, ciphertext }
        }
        false => {
            let under = under.filter(|_| message.around().signed).map_or(Under::Departure, Under::Layer);
            Recipe::DecryptUnauthenticated { under, management, algorithm, iv: nonce, ciphertext }
        }
    })
}

/// CCM has no sizes of its own in CMS (RFC 5084 §3.1).
const fn sized<'a>(encryption: &Encryption, nonce: &'a [u8]) -> Nonce<'a> {
    let usual = nonce.len() == GCM.0 && encryption.tag == GCM.1 && !matches!(encryption.cipher, Cipher::Ccm(_));
    if usual { Nonce::Full(nonce) } else { Nonce::Sized { nonce, tag: encryption.tag } }
}

fn verify(message: &Message, attempt: &Attempt, nth: usize, keystore: &Keystore) -> Run {
    let signer = message.signers().get(nth).ok_or(OpenError::Rejected)?;
    let covered = message.covered(signer);
    let (key, algorithm, messages) = (attempt.key(), attempt.content(), [covered.as_ref()]);
    let written = message.signature(signer);
    match signer.algorithm().ok_or(OpenError::Rejected)? {
        Signature::Ecdsa(_) => {
            let signature = fixed(written, key.kty).ok_or(OpenError::Rejected)?;
            keystore.run(&Recipe::Verify { key, algorithm, messages: &messages, signature: &signature })
        }
        Signature::Ed25519 | Signature::RsaV15(_) => {
            keystore.run(&Recipe::Verify { key, algorithm, messages: &messages, signature: written })
        }
        Signature::Pss { mask, salt, .. } => {
            let mgf = hash(mask).ok_or(OpenError::Rejected)?;
            keystore.run(&Recipe::VerifyPss { key, algorithm, mgf, salt, messages: &messages, signature: written })
        }
    }
}

/// `ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }` in DER (RFC 5753 §2.1.1), as r‖s at the width of the order.
fn fixed(der: &[u8], kty: Kty) -> Option<Vec<u8>> {
    let width = width(kty)?;
    let contents = match der {
        [0x30, length, contents @ ..] if *length < 0x80 && usize::from(*length) == contents.len() => contents,
        [0x30, 0x81, length, contents @ ..] if *length >= 0x80 && usize::from(*length) == contents.len() => contents,
        _ => return None,
    };
    let (r, rest) = integer(contents)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then_some(())?;
    let mut signature = vec![0; 2 * width];
    for (number, place) in [r, s].into_iter().zip(signature.chunks_mut(width)) {
        place[width.checked_sub(number.len())?..].copy_from_slice(number);
    }
    Some(signature)
}

/// A number that is not negative, in its shortest form and without the octet of its sign; and what follows it.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = der else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    match number {
        [0] => Some((&[], rest)),
        [0, 0x80..=0xff, ..] => Some((&number[1..], rest)),
        [1..=0x7f, ..] => Some((number, rest)),
        _ => None,
    }
}

const fn width(kty: Kty) -> Option<usize> {
    match kty {
        Kty::Ec2P256 => Some(32),
        Kty::Ec2P384 => Some(48),
        Kty::Ec2P521 => Some(66),
        _ => None,
    }
}

const fn hash(of: Hash) -> Option<recipe::Hash> {
    Some(match of {
        Hash::Sha1 => recipe::Hash::Sha1,
        Hash::Sha224 => recipe::Hash::Sha224,
        Hash::Sha256 => recipe::Hash::Sha256,
        Hash::Sha384 => recipe::Hash::Sha384,
        Hash::Sha512 => recipe::Hash::Sha512,
        Hash::Md5 | Hash::Sha3 => return None,
    })
}

/// Key management along the attempt's way. None where the message lacks what its algorithm takes.
fn manage<'a>(message: &'a Message, attempt: &'a Attempt) -> Option<(Start<'a>, Vec<Step<'a>>)> {
    let key = attempt.key();
    let device = Start::Device { key, kid_context: None };
    let Way::Recipient(nth) = attempt.way() else { return Some((device, Vec::new())) };
    let recipient = message.recipients().get(nth)?;
    let wrapped = message.encrypted_key(recipient);
    match recipient.way() {
        Asked::Agreement(agreement) => agree(message, attempt, agreement, wrapped),
        Asked::Encapsulation(encapsulation) => decapsulate(message, attempt, encapsulation, wrapped),
        Asked::Kek(_, wrap) => Some((device, vec![unwrap(*wrap, wrapped)?])),
        Asked::Other(_) => None,
        Asked::Password(password) => by_password(message, key, password, wrapped),
        Asked::Transport(_, transport) => Some((carried(message, attempt, transport, wrapped)?, Vec::new())),
    }
}

fn unwrap(wrap: Wrap, wrapped: &[u8]) -> Option<Step<'_>> {
    Some(match wrap {
        Wrap::Aes(_) => Step::Unwrap { algorithm: Algorithm::from_name(wrap.name())?, wrapped },
        Wrap::TripleDes => Step::UnwrapDes { wrapped },
    })
}

/// Agree, derive, unwrap (RFC 5753 §7, RFC 8418 §2).
fn agree<'a>(
    message: &'a Message,
    attempt: &'a Attempt,
    agreement: &'a Agreement,
    wrapped: &'a [u8],
) -> Option<(Start<'a>, Vec<Step<'a>>)> {
    let key = attempt.key();
    let peer = match (&agreement.originator, attempt.sender()) {
        (Originator::Key(curve, point), None) => Peer::Point(on_curve(*curve, message.slice(point), key)?),
        (Originator::Named(_), Some(sender)) => Peer::Key(sender),
        _ => return None,
    };
    let (info, length) = (message.slice(&agreement.shared_info), agreement.wrap.key_length());
    let derive = match agreement.derivation {
        Derivation::Hkdf(of) => Step::Hkdf { hash: hash(of)?, salt: None, info: Info::public(info), length },
        Derivation::X963(of) => Step::X963 { hash: hash(of)?, info, length },
    };
    let start = Start::Agree { key, algorithm: attempt.management()?, peer };
    Some((start, vec![derive, unwrap(agreement.wrap, wrapped)?]))
}

/// Decapsulate, derive, unwrap (RFC 9629 §2).
fn decapsulate<'a>(
    message: &'a Message,
    attempt: &'a Attempt,
    encapsulation: &'a Encapsulation,
    wrapped: &'a [u8],
) -> Option<(Start<'a>, Vec<Step<'a>>)> {
    let Encapsulation { ciphertext, hash: of, info, wrap, .. } = encapsulation;
    let ciphertext = message.slice(ciphertext);
    let start = Start::Decapsulate { key: attempt.key(), algorithm: attempt.management()?, ciphertext };
    let info = Info::public(message.slice(info));
    let derive = Step::Hkdf { hash: hash(*of)?, salt: None, info, length: wrap.key_length() };
    Some((start, vec![derive, unwrap(*wrap, wrapped)?]))
}

/// A point as SEC 1 §2.3.3 writes it, on our key's curve: a message that names another is not for it (RFC 5753 §3.1.1).
fn on_curve<'a>(curve: Option<Curve>, written: &'a [u8], key: &KeyRef) -> Option<Point<'a>> {
    let kty = match curve {
        None if key.kty == Kty::OkpX25519 => return None,
        None => key.kty,
        Some(Curve::X25519) => return Some(Point { kty: Kty::OkpX25519, x: written, y: None }),
        Some(curve) => kty(curve),
    };
    let width = width(kty)?;
    match written {
        [4, rest @ ..] if rest.len() == 2 * width => {
            let (x, y) = rest.split_at(width);
            Some(Point { kty, x, y: Some(EcY::Full(y)) })
        }
        [sign @ (2 | 3), x @ ..] if x.len() == width => Some(Point { kty, x, y: Some(EcY::Odd(*sign == 3)) }),
        _ => None,
    }
}

/// PBKDF2, then the unwrap of RFC 3211.
fn by_password<'a>(
    message: &'a Message,
    key: &'a KeyRef,
    password: &'a Password,
    wrapped: &'a [u8],
) -> Option<(Start<'a>, Vec<Step<'a>>)> {
    let Password { iterations, cipher, .. } = *password;
    let (salt, length) = (message.slice(&password.salt), cipher.key_length());
    let start = Start::Password { key, hash: hash(password.hash)?, salt, iterations, length };
    let algorithm = Algorithm::from_name(cipher.name())?;
    Some((start, vec![Step::UnwrapPassword { algorithm, iv: message.slice(&password.iv), wrapped }]))
}

fn carried<'a>(
    message: &'a Message,
    attempt: &'a Attempt,
    transport: &'a Transport,
    ciphertext: &'a [u8],
) -> Option<Start<'a>> {
    let key = attempt.key();
    Some(match transport {
        Transport::Oaep { label, .. } => {
            Start::Transport { key, algorithm: attempt.management()?, label: message.slice(label), ciphertext }
        }
        Transport::V15 => Start::TransportV15 { key, ciphertext, length: key_length(message)? },
    })
}

/// Octets of the key that the content step takes; of a MAC, as many as its hash has.
fn key_length(message: &Message) -> Option<usize> {
    match message.mac() {
        Some((_, tag)) => Some(tag.len()),
        None => message.encryption().map(|encryption| encryption.cipher.key_length()),
    }
}
