//! CMS messages, read: honest ones, each way to break one, and what a relay may make of either.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::fixture::{at, children, contents, many_certificates, many_segments, many_signers, replaced, tlv};
use super::{Around, Message, Nested, Structure, armour, begins, is_whole, nested, oid, scan, statement, walk};
use crate::envelope::{Fault, Limits, Reading};
use crate::item::{Compat, Reason};

mod differential;

/// AuthEnvelopedData with one KEK recipient, kid a1a2a3, AES-128-GCM.
const KEK: &str = "3081e1060b2a864886f70d0109100117a081d13081ce0201003133a23102010430050403a1a2a3300b06096086480165030401\
    05041881acea66e3505865923887f590eea5d8d8cdebaba7dfaae830818106092a864886f70d010701301e06096086480165030401063011040cfcb6\
    a251e08fbf6f191adb590201108054f4fb9412076dd42d2b5dd6db902d1dc46086f9232bb8cafe285d2e4cbabca5c5071ca9f1bd4825adb98f29255f\
    7505afed46dbfbe0e4794c8d165a7c533281090f17e451758329832af956536ef4b5e6d99d7eea04109929d7d63ca0c4caecd4ab2d29f88cc6";
/// cms.md §10, the value of the binding attribute.
const BINDING: &str = "304b06146982a6d8a6a69fc7caf7ddbfc3ce98f99185867b313330310c0c70617065726b6e6966652d310c01610c05\
    6465762d310c0c2f333330332f302f35373030800200018102012c82016e";

fn kek() -> Vec<u8> {
    hex::decode(KEK).unwrap()
}

/// The shared messages, or none, with a line that says what is skipped.
fn vectors(skipped: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/openssl-cms"));
    if folder.join("manifest.json").is_file() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {skipped} ({} is not there)", folder.display());
    None
}

fn files(folder: &std::path::Path, of: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder.join(of)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.into_iter().map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

fn all_names() -> Compat {
    named("all")
}

fn named(name: &str) -> Compat {
    let mut compat = Compat::default();
    compat.allow(name).unwrap();
    compat
}

fn parse_with(bytes: &[u8], compat: &Compat) -> Result<Message, Fault> {
    Message::parse(&Arc::from(bytes), &Reading { limits: &Limits::default(), compat, detached: None })
}

fn parse(bytes: &[u8]) -> Result<Message, Fault> {
    parse_with(bytes, Compat::STRICT)
}

/// Why a message is refused before any key is looked for.
fn why(bytes: &[u8], compat: &Compat) -> Option<Reason> {
    match parse_with(bytes, compat) {
        Ok(message) => message.fault().map(|fault| fault.reason),
        Err(fault) => Some(fault.reason),
    }
}

#[test]
fn every_honest_message_is_read_and_described() {
    let Some(folder) = vectors("104 CMS messages read") else { return };
    let messages = files(&folder, "open");
    assert_eq!(messages.len(), 104);
    let detached = messages.iter().filter(|(name, bytes)| {
        assert!(is_whole(bytes) && begins(bytes), "{name}");
        let read = parse_with(bytes, &all_names());
        if let Ok(message) = &read {
            assert_eq!(message.describe()["structure"], message.structure().name(), "{name}");
        }
        read.is_err()
    });
    assert_eq!(detached.count(), 2, "two leave their content out");
}

#[test]
fn what_is_broken_is_told_from_what_is_not_supported_and_from_what_is_off() {
    let Some(folder) = vectors("51 broken CMS messages") else { return };
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let (all, mut told) = (all_names(), 0);
    for (name, bytes) in files(&folder, "refuse") {
        let entry =
            expected.as_array().unwrap().iter().find(|entry| entry["file"] == format!("refuse/{name}")).unwrap();
        let Some(reason) = why(&bytes, &all) else { continue };
        // one that leaves its content out is given it by the gate
        if name != "sd-detached-wrong-content.der" {
            let fits = entry["reasons"].as_array().unwrap().iter().any(|one| one == reason.as_str());
            assert!(fits, "{name}: {reason:?}");
            told += 1;
        }
    }
    assert_eq!(told, 51, "all that needs no key to be refused");
}

#[test]
fn the_scan_alone_refuses_each_bomb_in_less_than_10_ms() {
    let Some(folder) = vectors("9 bombs of CMS") else { return };
    let honest = std::fs::read(folder.join("open/signed-p256-sha256.der")).unwrap();
    let mut bombs: Vec<(String, Vec<u8>)> = files(&folder, "refuse")
        .into_iter()
        .filter(|(name, _)| name.contains("deep-") || name.contains("0000"))
        .collect();
    bombs.push(("sd-5000-signers".to_owned(), many_signers(&honest, 5_000)));
    bombs.push(("sd-5000-certs".to_owned(), many_certificates(&honest, 5_000)));
    bombs.push(("sd-ber-million-segments".to_owned(), many_segments(&honest, 1_000_000)));
    for (name, bytes) in &bombs {
        let time = |_| {
            let start = Instant::now();
            assert_eq!(scan::scan(bytes).unwrap_err().reason, Reason::TooLarge, "{name}");
            start.elapsed()
        };
        let quickest = (0..5).map(time).min().unwrap();
        assert!(quickest < Duration::from_millis(10), "{name}: {quickest:?}");
    }
    assert_eq!(bombs.len(), 11);
}

#[test]
fn a_whole_message_is_recognised_in_every_armour_and_a_cut_or_longer_one_is_not() {
    let bytes = kek();
    assert!(is_whole(&bytes) && !is_whole(&bytes[..bytes.len() - 1]) && !is_whole(&[&bytes[..], &[0]].concat()));
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes);
    let pem = format!("-----BEGIN CMS-----\n{base64}\n-----END CMS-----\n");
    let smime =
        format!("Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64}\r\n");
    for text in [&base64, &pem, &smime] {
        assert_eq!(parse(text.as_bytes()).unwrap().structure(), Structure::AuthEnvelopedData, "{text}");
        assert!(begins(text.as_bytes()));
    }
    assert!(is_whole(pem.as_bytes()) && is_whole(smime.as_bytes()) && !is_whole(base64.as_bytes()));
    let two = format!("{pem}{pem}");
    let other = pem.replace("CMS", "CERTIFICATE");
    let late = format!("{pem}after");
    for text in [two, other, late, format!("{base64}%"), format!("{base64}AAAA")] {
        assert_eq!(why(text.as_bytes(), Compat::STRICT), Some(Reason::Malformed), "{text}");
    }
}

#[test]
fn a_mime_entity_is_no_message_unless_it_says_so_and_its_headers_end_somewhere() {
    let html = b"Content-Type: text/html\n\n<p>";
    assert_eq!(parse(html).unwrap_err().reason, Reason::Unsupported);
    assert!(!armour::is_entity(html) && !is_whole(html));
    let long = format!("Content-Type: application/pkcs7-mime\nX: {}\n\n", "a".repeat(9_000));
    assert!(matches!(parse(long.as_bytes()).unwrap_err().reason, Reason::TooLarge | Reason::Malformed));
    let lonely =
        b"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n\n--b\nx\n--b--\n";
    assert_eq!(why(lonely, &named("smime-entity")), Some(Reason::Malformed));
    assert_eq!(why(lonely, Compat::STRICT), Some(Reason::Unsupported));
}

/// Places within the message: the recipient's set, its one recipient, the encrypted content.
const RECIPIENTS: &[usize] = &[1, 0, 1];
const ENCRYPTED: &[usize] = &[1, 0, 2];

/// The message with the identifier of its cipher exchanged.
fn with_cipher(identifier: &[u8]) -> Vec<u8> {
    replaced(&kek(), &[ENCRYPTED, &[1]].concat(), |_| identifier.to_vec())
}

/// `SEQUENCE { id, SEQUENCE { nonce, ICVlen? } }`
fn aead(id: &[u8], nonce: &[u8], tag: Option<u8>) -> Vec<u8> {
    let tag = tag.map(|tag| tlv(2, &[&[tag]])).unwrap_or_default();
    tlv(0x30, &[&tlv(6, &[id]), &tlv(0x30, &[&tlv(4, &[nonce]), &tag])])
}

const NIST: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1];
const SMIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10];

fn id(arc: &[u8], rest: &[u8]) -> Vec<u8> {
    [arc, rest].concat()
}

#[test]
fn the_sizes_of_an_aead_are_the_standards_own_unless_a_name_permits_others() {
    let (gcm, ccm) = (id(NIST, &[6]), id(NIST, &[7]));
    let malformed = Some(Reason::Malformed);
    assert_eq!(why(&with_cipher(&aead(&gcm, &[0; 12], Some(16))), Compat::STRICT), None);
    let rows = [
        (&gcm, 12, Some(12), "all", malformed),
        (&gcm, 12, None, "all", malformed),
        (&gcm, 8, Some(16), "gcm-nonce", None),
        (&gcm, 16, Some(16), "gcm-nonce", None),
        (&gcm, 7, Some(16), "gcm-nonce", malformed),
        (&gcm, 17, Some(16), "all", malformed),
        (&gcm, 12, Some(11), "all", malformed),
        (&ccm, 6, Some(16), "all", malformed),
        (&ccm, 14, Some(16), "all", malformed),
    ];
    for (cipher, nonce, tag, name, with) in rows {
        let bytes = with_cipher(&aead(cipher, &vec![0; nonce], tag));
        assert_eq!(why(&bytes, Compat::STRICT), malformed, "{nonce} {tag:?}");
        // the tag at hand has 16 octets: an ICVlen of another length does not fit it under any name
        assert_eq!(why(&bytes, &named(name)), with, "{nonce} {tag:?} {name}");
    }
    let short = with_cipher(&aead(&gcm, &[0; 12], Some(12)));
    let short = replaced(&short, &[1, 0, 3], |tag| tlv(4, &[&contents(tag)[..12]]));
    assert_eq!((why(&short, Compat::STRICT), why(&short, &named("icv-short"))), (malformed, None));
}

#[test]
fn a_cipher_stands_where_its_kind_belongs_and_is_derived_once() {
    let cbc = tlv(0x30, &[&tlv(6, &[&id(NIST, &[2])]), &tlv(4, &[&[0; 16]])]);
    let hkdf = |inner: &[u8]| tlv(0x30, &[&tlv(6, &[&id(SMIME, &[3, 31])]), inner]);
    let gcm = aead(&id(NIST, &[6]), &[0; 12], Some(16));
    let rows = [
        (hkdf(&gcm), None),
        (hkdf(&hkdf(&gcm)), Some(Reason::Malformed)),
        (hkdf(&cbc), Some(Reason::Malformed)),
        (cbc.clone(), Some(Reason::Malformed)),
        (tlv(0x30, &[&tlv(6, &[&id(SMIME, &[3, 31])])]), Some(Reason::Malformed)),
        (tlv(0x30, &[&tlv(6, &[&id(NIST, &[99])])]), Some(Reason::Unsupported)),
    ];
    for (cipher, reason) in rows {
        assert_eq!(why(&with_cipher(&cipher), &all_names()), reason, "{}", hex::encode(cipher));
    }
    // relabelled: an AEAD has no place in EnvelopedData, whose fields are those of AuthEnvelopedData without the tag
    let enveloped = |bytes: &[u8]| {
        let untagged = replaced(bytes, &[1, 0], |fields| tlv(0x30, &children(fields)[..3]));
        replaced(&untagged, &[0], |_| tlv(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3]]))
    };
    assert_eq!(why(&enveloped(&kek()), &all_names()), Some(Reason::Malformed));
    assert_eq!(why(&enveloped(&with_cipher(&cbc)), &all_names()), None);
    assert_eq!(why(&enveloped(&with_cipher(&cbc)), Compat::STRICT), Some(Reason::AlgNotAllowed));
}

#[test]
fn a_recipient_that_is_not_known_is_passed_over_and_one_that_is_keeps_the_message() {
    let known = at(&kek(), RECIPIENTS).to_vec();
    let with = |recipients: &[&[u8]]| replaced(&kek(), RECIPIENTS, |_| tlv(0x31, recipients));
    let unknown = tlv(0xa5, &[&tlv(2, &[&[0]])]);
    let old = replaced(contents(&known), &[0], |_| tlv(2, &[&[9]]));
    for other in [&unknown, &old] {
        let message = parse(&with(&[other, contents(&known)])).unwrap();
        assert!(message.fault().is_none() && message.recipients()[0].fault().is_some());
        let alone = parse(&with(&[other])).unwrap();
        assert_eq!(alone.fault().unwrap().reason, Reason::Unsupported);
    }
    assert_eq!(why(&with(&[]), Compat::STRICT), Some(Reason::Malformed));
    assert_eq!(why(&with(&[contents(&known); 32]), Compat::STRICT), None);
    assert_eq!(why(&with(&[contents(&known); 33]), Compat::STRICT), Some(Reason::TooLarge));
}

#[test]
fn attributes_that_a_tag_covers_are_der_each_once_and_bind_where_something_covers_them() {
    let binding = hex::decode(BINDING).unwrap();
    let kind = tlv(0x30, &[&tlv(6, &[&id(&SMIME[..8], &[3])]), &tlv(0x31, &[&tlv(6, &[oid::DATA])])]);
    let covered = |set: &[&[u8]]| {
        let mut fields: Vec<Vec<u8>> = children(at(&kek(), &[1, 0])).into_iter().map(<[u8]>::to_vec).collect();
        fields.insert(3, tlv(0xa1, set));
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        replaced(&kek(), &[1, 0], |_| tlv(0x30, &fields))
    };
    let message = parse(&covered(&[&kind, &binding])).unwrap();
    let of = message.attributes().unwrap().statement.clone().unwrap();
    assert_eq!((of.audience.as_str(), of.endpoint.as_str(), of.path.as_deref()), ("a", "dev-1", Some("/3303/0/5700")));
    assert_eq!((of.sequence, of.content_format), (Some(300), Some(110)));
    assert_eq!(message.slice(&of.key_context.unwrap()), [0, 1]);
    assert_eq!(message.aad()[0], 0x31);
    let malformed = Some(Reason::Malformed);
    assert_eq!(why(&covered(&[]), &all_names()), malformed);
    assert_eq!(why(&covered(&[&binding, &kind]), &all_names()), malformed, "not in order");
    assert_eq!(why(&covered(&[&kind, &kind]), &all_names()), malformed, "twice");
    let open = |set: &[&[u8]]| {
        let mut fields: Vec<Vec<u8>> = children(at(&kek(), &[1, 0])).into_iter().map(<[u8]>::to_vec).collect();
        fields.push(tlv(0xa2, set));
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        replaced(&kek(), &[1, 0], |_| tlv(0x30, &fields))
    };
    assert_eq!(why(&open(&[&kind]), Compat::STRICT), None, "what nothing covers is not used");
    assert_eq!(why(&open(&[&binding]), &all_names()), malformed, "and does not bind");
}

#[test]
fn the_fields_of_a_binding_have_bounds() {
    let value = |fields: &[&[u8]]| tlv(0x30, fields);
    let text = |text: &str| tlv(0x0c, &[text.as_bytes()]);
    let (profile, a, e) = (text("paperknife-1"), text("a"), text("e"));
    let read = |value: Vec<u8>| {
        let source = walk::Source::of(&value)?;
        statement::Statement::of(source.root())
    };
    assert!(read(value(&[&profile, &a, &e])).is_ok());
    assert!(read(value(&[&profile, &a, &e, &tlv(0x81, &[&[0, 0xff, 0xff, 0xff, 0xff, 0xff]])])).is_ok());
    let broken: [&[&[u8]]; 8] = [
        &[&profile, &a],
        &[&profile, &a, &text("")],
        &[&profile, &a, &text(&"e".repeat(256))],
        &[&profile, &a, &e, &tlv(0x80, &[])],
        &[&profile, &a, &e, &tlv(0x80, &[&[0; 17]])],
        &[&profile, &a, &e, &tlv(0x81, &[&[1, 0, 0, 0, 0, 0]])],
        &[&profile, &a, &e, &tlv(0x82, &[&[1, 0, 0]])],
        &[&profile, &a, &e, &tlv(0x82, &[&[1]]), &tlv(0x81, &[&[1]])],
    ];
    for fields in broken {
        assert_eq!(read(value(fields)).unwrap_err().reason, Reason::Malformed, "{}", hex::encode(value(fields)));
    }
    assert_eq!(read(value(&[&text("paperknife-2"), &a, &e])).unwrap_err().reason, Reason::Unsupported);
}

#[test]
fn object_identifiers_are_bytes_of_any_arc_in_their_shortest_form() {
    assert_eq!(oid::dotted(oid::BINDING), "2.25.195854991087881223926663241629524116347");
    assert_eq!(oid::dotted(oid::DATA), "1.2.840.113549.1.7.1");
    assert!(oid::is_sound(oid::BINDING) && oid::is_sound(&[0x2a]));
    for broken in [&[][..], &[0x80, 1], &[0x2a, 0x80, 1], &[0x2a, 0x86]] {
        assert!(!oid::is_sound(broken), "{broken:?}");
    }
}

#[test]
fn content_is_a_message_again_by_its_type_or_as_a_whole() {
    let message = kek();
    let [signed, unknown] = [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2][..], &[0x2a, 3]];
    assert_eq!(nested(oid::DATA, &message), Some(Nested::ContentInfo));
    assert_eq!(nested(oid::DATA, b"Content-Type: application/pkcs7-mime\n\nx"), Some(Nested::Entity));
    assert_eq!(nested(oid::DATA, b"reading"), None);
    assert_eq!(nested(signed, b"reading"), Some(Nested::Bare(Structure::SignedData)));
    assert_eq!(nested(unknown, &message), None, "a type of its own is its owner's");
    let deep = Around { layers: 4, ..Around::default() };
    let limits = Limits::default();
    let reading = Reading::strict(&limits);
    let inner = Message::parse_inner(&Arc::from(message), Nested::ContentInfo, deep, &reading);
    assert_eq!(inner.unwrap_err().reason, Reason::TooLarge);
}

/// The same message in BER: every constructed element of indefinite length, every whole string in segments.
fn as_ber(element: &[u8], cut: usize) -> Vec<u8> {
    let tag = element[0];
    match tag {
        0x04 if element.len() > 4 => {
            let parts: Vec<Vec<u8>> = contents(element).chunks(cut).map(|part| tlv(0x04, &[part])).collect();
            [&[0x24, 0x80], parts.concat().as_slice(), &[0, 0]].concat()
        }
        // implicit: the encrypted content
        0x80 => {
            let parts: Vec<Vec<u8>> = contents(element).chunks(cut).map(|part| tlv(0x04, &[part])).collect();
            [&[0xa0, 0x80], parts.concat().as_slice(), &[0, 0]].concat()
        }
        tag if tag & 0x20 != 0 => {
            let parts: Vec<Vec<u8>> = children(element).into_iter().map(|child| as_ber(child, cut)).collect();
            [&[tag, 0x80], parts.concat().as_slice(), &[0, 0]].concat()
        }
        _ => element.to_vec(),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for compat in [Compat::STRICT, &all_names()] {
            if let Ok(message) = parse_with(&bytes, compat) {
                let _ = (message.describe(), message.key_names(), message.aad());
            }
        }
        let _ = (is_whole(&bytes), begins(&bytes), nested(oid::DATA, &bytes));
    }

    #[test]
    fn a_changed_octet_never_makes_a_reader_panic(at in 0usize..228, to in any::<u8>()) {
        let mut bytes = kek();
        bytes[at] = to;
        if let Ok(message) = parse_with(&bytes, &all_names()) {
            let _ = (message.describe(), message.key_names(), message.content(), message.aad());
        }
    }

    #[test]
    fn no_part_of_a_message_is_a_message(end in 0usize..228) {
        prop_assert!(!is_whole(&kek()[..end]));
    }

    #[test]
    fn segments_make_no_difference_to_what_is_read(cut in 1usize..100) {
        let (der, ber) = (parse(&kek()).unwrap(), as_ber(&kek(), cut));
        prop_assert!(is_whole(&ber));
        let ber = parse(&ber).unwrap();
        prop_assert_eq!(der.content(), ber.content());
        prop_assert_eq!(der.key_names(), ber.key_names());
        prop_assert_eq!(der.slice(&der.encryption().unwrap().nonce), ber.slice(&ber.encryption().unwrap().nonce));
        prop_assert_eq!(der.encrypted_key(&der.recipients()[0]), ber.encrypted_key(&ber.recipients()[0]));
    }
}
