//! A second opinion: the `cms` crate parses the same bytes. Where verdicts differ, the difference is one of a list.
//!
//! It takes DER alone here: of BER it returns wrong content (cms.md §1).

use std::collections::BTreeMap;
use std::sync::Arc;

use cms::authenveloped_data::AuthEnvelopedData;
use cms::content_info::ContentInfo;
use cms::enveloped_data::EnvelopedData;
use cms::signed_data::SignedData;
use der::{Decode, Encode};

use super::{all_names, files, kek, vectors};
use crate::envelope::cms::{Message, Structure};
use crate::envelope::{Fault, Limits, Reading};
use crate::item::Reason;

/// Mutants of all messages together.
const MUTANTS: usize = 52_000;

/// Whether the crate parses the bytes as the structure that their type names; none for a type that it leaves alone.
fn crate_reads(bytes: &[u8]) -> Option<bool> {
    let Ok(info) = ContentInfo::from_der(bytes) else { return Some(false) };
    let inner = info.content.to_der().ok()?;
    Some(match info.content_type.to_string().as_str() {
        "1.2.840.113549.1.7.2" => SignedData::from_der(&inner).is_ok(),
        "1.2.840.113549.1.7.3" => EnvelopedData::from_der(&inner).is_ok(),
        "1.2.840.113549.1.9.16.1.23" => AuthEnvelopedData::from_der(&inner).is_ok(),
        _ => return None,
    })
}

fn ours(bytes: &[u8]) -> Result<Message, Fault> {
    let compat = all_names();
    Message::parse(&Arc::from(bytes), &Reading { limits: &Limits::default(), compat: &compat, detached: Some(b"") })
        .or_else(|_| {
            Message::parse(&Arc::from(bytes), &Reading { limits: &Limits::default(), compat: &compat, detached: None })
        })
}

/// Why we may refuse what the crate takes.
fn is_documented_refusal(fault: &Fault) -> bool {
    const OURS: &[&str] = &[
        // algorithms and their parameters are ANY to the crate
        "an AlgorithmIdentifier is due",
        "an algorithm's parameters are due",
        "a key wrap is due",
        "a count of iterations is due",
        "a nonce is due",
        "a nonce that the cipher does not take",
        "a number is due",
        "a hash is due",
        "a hash that is too weak",
        "a mask generation function is due",
        "a label is due",
        "a salt is due",
        "a tag of another length than 16 octets",
        "a tag of another length than the algorithm's",
        "after the parameters of RSAES-OAEP",
        "after the parameters of RSASSA-PSS",
        "after the parameters of an AEAD",
        "after the parameters of PBKDF2",
        "an algorithm is due",
        "no iteration",
        "a derived key of another length than the cipher's",
        "a derived key derived again",
        "the cipher of a derived key is due",
        "the cipher of a password's key is due",
        "another trailer than RSASSA-PSS has",
        "after an algorithm's parameters",
        "an INTEGER longer than need be",
        "a negative number",
        "an initialization vector of another length than the cipher's",
        "parameters where there are none",
        "the hash of a mask is due",
        // so are attributes' values, and their order and number
        "a time that is none",
        "an attribute twice",
        "an attribute with one value is due",
        "an attribute's value of another type",
        "attributes of a content of another type",
        "covered attributes that are not DER",
        "no attribute",
        "no content type among the attributes",
        "no digest among the attributes",
        "the hash of a certificate is due",
        "the signer's certificate is due",
        // structures: it takes an AEAD where there is no tag, CBC where there is one, no signer, no recipient
        "a cipher that authenticates nothing, where one is due that does",
        "an AEAD without its tag",
        "content that is another message's signed attributes",
        "no recipient",
        "no signed attributes where the content's type asks for them",
        "no signer",
        "a content that is no OCTET STRING",
        "detached content is not supplied",
        "content in the message and beside it",
        // tags of types that it does not look into
        "a set or sequence that is primitive",
        "a type that DER has primitive",
        "end of contents where there is none",
        "a segment that is no OCTET STRING",
        "a tag number above 30",
        "object identifier",
        "a bit string of whole octets is due",
        "an originator is due",
        "a public key is due",
        "cut off",
        "a length above any envelope's",
        "a length longer than need be",
        "a primitive of indefinite length",
    ];
    matches!(fault.reason, Reason::TooLarge | Reason::Unsupported) || OURS.contains(&fault.detail)
}

/// Why we may take what the crate refuses (cms.md §1, points 3 and 4): certificates, the names in them and times that
/// nobody reads, recipients and certificates of unknown kinds, versions, arcs of more than 32 bits, BER.
fn is_documented_acceptance(message: &Message) -> bool {
    matches!(message.structure(), Structure::SignedData | Structure::EnvelopedData | Structure::AuthEnvelopedData)
}

/// A generator of little state: mutants are the same in every run.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

fn mutant(bytes: &[u8], random: &mut Lcg) -> Vec<u8> {
    let mut mutant = bytes.to_vec();
    for _ in 0..=random.next(3) {
        let at = random.next(mutant.len());
        match random.next(4) {
            0 => mutant[at] ^= 1 << random.next(8),
            1 => mutant[at] = random.next(256) as u8,
            2 => drop(mutant.remove(at)),
            _ => mutant.insert(at, random.next(256) as u8),
        }
        if mutant.is_empty() {
            break;
        }
    }
    mutant
}

#[test]
fn the_cms_crate_differs_in_documented_cases_only() {
    let mut honest = vec![("kek".to_owned(), kek())];
    if let Some(folder) = vectors("CMS messages for a second opinion: one is mutated instead of 80") {
        let small = |(name, bytes): &(String, Vec<u8>)| name.ends_with(".der") && bytes.len() < 4_096;
        honest.extend(files(&folder, "open").into_iter().filter(small));
    }
    let mut undocumented = BTreeMap::new();
    let (mut random, mut counts) = (Lcg(1), BTreeMap::<&str, usize>::new());
    for (name, bytes) in &honest {
        for _ in 0..MUTANTS.div_ceil(honest.len()) {
            let mutant = mutant(bytes, &mut random);
            let Some(theirs) = crate_reads(&mutant) else { continue };
            let difference = match (ours(&mutant), theirs) {
                (Ok(_), true) => "both take",
                (Err(_), false) => "both refuse",
                (Err(fault), true) => {
                    if !is_documented_refusal(&fault) {
                        undocumented.entry(fault.detail).or_insert_with(|| format!("{name} {}", hex::encode(&mutant)));
                    }
                    "the crate takes"
                }
                (Ok(message), false) => {
                    assert!(is_documented_acceptance(&message), "{name}: {}", hex::encode(&mutant));
                    "we take"
                }
            };
            *counts.entry(difference).or_default() += 1;
        }
    }
    assert!(undocumented.is_empty(), "{undocumented:#?}");
    assert!(counts.values().sum::<usize>() >= if honest.len() > 1 { 50_000 } else { 5_000 }, "{counts:?}");
    assert!(counts["both take"] > 100 && counts["both refuse"] > 1_000, "{counts:?}");
}
