//! The reader against the negative list of cose.md §7, each row beside its untouched twin.

use std::sync::Arc;

use proptest::prelude::{any, prop, proptest};

use super::{Message, Place, Way, is_whole, sequence};
use crate::envelope::{Fault, Limits, Reading};
use crate::item::{Compat, CoseType, Reason};

mod coset;
mod worst;

fn parse_hex(hex: &str) -> Result<Message, Fault> {
    let bytes: Arc<[u8]> = hex::decode(hex.replace(' ', "")).unwrap().into();
    Message::parse(&bytes, None, Place::Outer, &Reading::strict(&Limits::default()))
}

fn reason(hex: &str) -> Option<Reason> {
    parse_hex(hex).err().map(|fault| fault.reason)
}

/// Encrypt0 with these protected map bytes, unprotected map and ciphertext, all hex.
fn encrypt0(protected: &str, unprotected: &str, ciphertext: &str) -> String {
    let length = protected.len() / 2;
    assert!(length < 256);
    let head = if length < 24 { format!("{:02x}", 0x40 + length) } else { format!("58{length:02x}") };
    format!("d083{head}{protected}{unprotected}{ciphertext}")
}

/// `{1: 10, 4: h'01a2b3c4', 6: h'2a'}`
const PROTECTED: &str = "a3010a044401a2b3c406412a";
const CIPHERTEXT: &str = "491122334455667788ff";

const DIRECT: &str = "8340a1012540";
const WRAPPED: &str = "8340a1012241ff";
/// {1: 2, -1: 1, -2: 32 bytes, -3: true}
const POINT: &str = "a401022001215820000000000000000000000000000000000000000000000000000000000000000022f5";

/// A COSE_Encrypt of these recipients.
fn encrypt(recipients: &[&str]) -> String {
    let head = match recipients.len() {
        count @ 0..24 => format!("{:02x}", 0x80 + count),
        count @ 24..256 => format!("98{count:02x}"),
        count => format!("99{count:04x}"),
    };
    format!("d8608443a10101a1054c{}{CIPHERTEXT}{head}{}", "00".repeat(12), recipients.concat().replace(' ', ""))
}

/// An ECDH-ES+HKDF-256 recipient with this ephemeral key.
fn agreed(key: &str) -> String {
    format!("8344a1013818a120{key}40")
}

/// A key wrap under a key wrap under …, `layers` deep.
fn nested(layers: usize) -> String {
    (1..layers).fold(WRAPPED.to_owned(), |below, _| format!("8440a1012241ff81{below}"))
}

#[test]
fn the_profile_example_is_read() {
    let message = parse_hex(&encrypt0(PROTECTED, "a0", CIPHERTEXT)).unwrap();
    assert_eq!(message.structure(), CoseType::Encrypt0);
    assert_eq!(message.algorithm().map(|algorithm| algorithm.name), Some("AES-CCM-16-64-128"));
    assert_eq!(message.kids().collect::<Vec<_>>(), [&[1, 0xa2, 0xb3, 0xc4][..]]);
    assert_eq!(message.profile_form(Place::Outer), Ok(()));
}

#[test]
fn the_structure_takes_the_protected_bytes_verbatim_and_an_empty_map_as_nothing() {
    let bound = crate::envelope::Binding::given(&[0xbb]);
    let message = parse_hex(&encrypt0(PROTECTED, "a0", CIPHERTEXT)).unwrap();
    assert_eq!(hex::encode(message.authenticated(Way::BODY, &bound)), format!("8368456e6372797074304c{PROTECTED}41bb"));
    // h'a0' enters as h'' (RFC 9052 §5.3); alg must be protected, so such a body is refused, but not for its form
    assert_eq!(
        reason(&encrypt0("a0", "a2010a054d0102030405060708090a0b0c0d", CIPHERTEXT)),
        Some(Reason::AlgNotProtected)
    );
}

#[test]
fn each_fault_has_its_reason_and_its_untouched_twin_is_read() {
    let bomb = format!("{}00", "81".repeat(1_000_000));
    let tags = format!("{}00", "d0".repeat(10_000));
    let rows: &[(&str, String, Reason)] = &[
        ("N01 alg only unprotected", encrypt0("a0", "a3010a044401a2b3c406412a", CIPHERTEXT), Reason::AlgNotProtected),
        ("N02 alg in both buckets", encrypt0(PROTECTED, "a1010a", CIPHERTEXT), Reason::Malformed),
        ("N02 kid in both buckets", encrypt0(PROTECTED, "a1044401a2b3c4", CIPHERTEXT), Reason::Malformed),
        ("N03 duplicate label", encrypt0("a3010a010a06412a", "a0", CIPHERTEXT), Reason::Malformed),
        ("N04 crit unprotected", encrypt0(PROTECTED, "a1028104", CIPHERTEXT), Reason::Malformed),
        ("N04 crit empty", encrypt0("a4010a028004410106412a", "a0", CIPHERTEXT), Reason::Malformed),
        ("N04 crit twice", encrypt0("a4010a0282040404410106412a", "a0", CIPHERTEXT), Reason::Malformed),
        ("N04 crit no array", encrypt0("a4010a020404410106412a", "a0", CIPHERTEXT), Reason::Malformed),
        ("N04 crit absent label", encrypt0("a4010a02810a04410106412a", "a0", CIPHERTEXT), Reason::Malformed),
        (
            "N04 crit unknown int",
            encrypt0("a5010a02811903e704410106412a1903e700", "a0", CIPHERTEXT),
            Reason::CritNotUnderstood,
        ),
        (
            "N04 crit unknown text",
            encrypt0("a5010a028161780441010641 2a617800".replace(' ', "").as_str(), "a0", CIPHERTEXT),
            Reason::CritNotUnderstood,
        ),
        ("N05 trailing byte", format!("{}00", encrypt0(PROTECTED, "a0", CIPHERTEXT)), Reason::Malformed),
        ("N05 trailing in protected", encrypt0("a3010a044401a2b3c406412a00", "a0", CIPHERTEXT), Reason::Malformed),
        ("N06 protected no map", encrypt0("830a0102", "a0", CIPHERTEXT), Reason::Malformed),
        ("N06 label of float", encrypt0("a2010af93c0000", "a0", CIPHERTEXT), Reason::Malformed),
        ("N06 label of bytes", encrypt0("a2010a410100", "a0", CIPHERTEXT), Reason::Malformed),
        ("N06 text is no int", encrypt0("a261310a06412a", "a0", CIPHERTEXT), Reason::Malformed),
        ("A08 indefinite array", format!("d09f4c{PROTECTED}a0{CIPHERTEXT}ff"), Reason::Malformed),
        ("A08 indefinite string", format!("d083 5f4c{PROTECTED}ff a0{CIPHERTEXT}"), Reason::Malformed),
        ("A08 non-minimal int", encrypt0("a301180a044401a2b3c406412a", "a0", CIPHERTEXT), Reason::Malformed),
        ("N09 IV and Partial IV", encrypt0(PROTECTED, "a10541ff", CIPHERTEXT), Reason::Malformed),
        ("N09 neither", encrypt0("a2010a044401a2b3c4", "a0", CIPHERTEXT), Reason::Malformed),
        ("N11 double tag", format!("d0{}", encrypt0(PROTECTED, "a0", CIPHERTEXT)), Reason::Malformed),
        ("N11 wrong tag", encrypt0(PROTECTED, "a0", CIPHERTEXT).replacen("d0", "d2", 1), Reason::Malformed),
        ("N11 unknown tag", encrypt0(PROTECTED, "a0", CIPHERTEXT).replacen("d0", "c1", 1), Reason::Malformed),
        ("N11 untagged", encrypt0(PROTECTED, "a0", CIPHERTEXT)[2..].to_owned(), Reason::Malformed),
        ("N18 nil content", encrypt0(PROTECTED, "a0", "f6"), Reason::Malformed),
        ("N18 no recipients", format!("d8608443a10101a1054c{}{CIPHERTEXT}80", "00".repeat(12)), Reason::Malformed),
        ("N23 nested arrays", bomb, Reason::Malformed),
        ("N23 nested tags", tags, Reason::Malformed),
        ("N23 string of 2^64-1", "d0835bffffffffffffffff".to_owned(), Reason::Malformed),
        ("N23 array of 2^64-1", "d09bffffffffffffffff".to_owned(), Reason::Malformed),
        ("N23 map of 2^64-1", format!("d0834c{PROTECTED}bbffffffffffffffff"), Reason::Malformed),
        ("N09 IV of another length", encrypt0("a2010a0543010203", "a0", CIPHERTEXT), Reason::Malformed),
        (
            "N09 Partial IV longer than the nonce",
            encrypt0("a2010a064e0102030405060708090a0b0c0d0e", "a0", CIPHERTEXT),
            Reason::Malformed,
        ),
        ("N12 direct with ciphertext", encrypt(&["8340a1012541ff"]), Reason::Malformed),
        ("N12 direct with nil", encrypt(&["8340a10125f6"]), Reason::Malformed),
        ("N12 direct with a protected header", encrypt(&["8343a10125a040"]), Reason::Malformed),
        ("N12 direct and a second recipient", encrypt(&[DIRECT, DIRECT]), Reason::Malformed),
        ("N12 direct beside a stranger", encrypt(&[DIRECT, "8340a10139ffff41ff"]), Reason::Malformed),
        ("N12 direct with recipients", encrypt(&["8440a10125408183 40a1012540"]), Reason::Malformed),
        ("N12 derived with ciphertext", encrypt(&["8343a10129a041ff"]), Reason::Malformed),
        (
            "N13 key wrap with a protected header",
            encrypt(&["8343a10122a0581800112233445566778899aabbccddeeff0011223344556677"]),
            Reason::Malformed,
        ),
        ("N13 key transport with a protected header", encrypt(&["8344a1013828a041ff"]), Reason::Malformed),
        ("N16 no ephemeral key", encrypt(&["8344a1013818a040"]), Reason::Malformed),
        (
            "N16 private key in the header",
            encrypt(&[&agreed(
                "a50102200121582000000000000000000000000000000000000000000000000000000000000000000022f52341ff",
            )]),
            Reason::Malformed,
        ),
        (
            "N16 no y",
            encrypt(&[&agreed("a301022001215820000000000000000000000000000000000000000000000000000000000000000000")]),
            Reason::Malformed,
        ),
        (
            "N16 x of 31 bytes",
            encrypt(&[&agreed(
                "a401022001 21581f 00000000000000000000000000000000000000000000000000000000000000 22f5",
            )]),
            Reason::Malformed,
        ),
        ("N03 label twice in a key", encrypt(&[&agreed("a2010201 02")]), Reason::Malformed),
        ("N18 empty recipients within", encrypt(&["8440a1012241ff80"]), Reason::Malformed),
        ("N18 recipients too deep", encrypt(&[&nested(4)]), Reason::Malformed),
        ("N18 65 recipients", encrypt(&vec![WRAPPED; 65]), Reason::TooLarge),
        ("N18 unknown recipients alone", encrypt(&["8340a10139ffff41ff"]), Reason::Unsupported),
        ("N18 no signers", "d8628440a0 41ff 80".replace(' ', ""), Reason::Malformed),
        (
            "N21 CTR outside of any layer",
            "d08340a20139fffd0550000102030405060708090a0b0c0d0e0f41ff".to_owned(),
            Reason::AlgNotAllowed,
        ),
        (
            "N21 CTR with a protected header",
            "d08345a10139fffda10550000102030405060708090a0b0c0d0e0f41ff".to_owned(),
            Reason::Malformed,
        ),
        ("N22 chain of one", encrypt0(PROTECTED, "a118218141ff", CIPHERTEXT), Reason::Malformed),
        (
            "N22 chain of nine",
            encrypt0(PROTECTED, &format!("a1182189{}", "41ff".repeat(9)), CIPHERTEXT),
            Reason::TooLarge,
        ),
        ("N22 thumbprint that is none", encrypt0(PROTECTED, "a118228141ff", CIPHERTEXT), Reason::Malformed),
        ("N23 10^5 recipients", encrypt(&vec![WRAPPED; 4097]), Reason::Malformed),
        ("N01 alg of a signer unprotected", "d8628440a041ff818340a1012641ff".to_owned(), Reason::AlgNotProtected),
        ("RSAES-OAEP with SHA-1", encrypt(&["8340a1013827 41ff"]), Reason::AlgNotAllowed),
        ("Ed448 by its number", "d28444a1013834a041ff41ff".to_owned(), Reason::AlgNotAllowed),
        ("Ed448 by its length", format!("d28443a10127a041ff5872{}", "00".repeat(114)), Reason::AlgNotAllowed),
        ("a MAC's algorithm in an Encrypt0", encrypt0("a2010506412a", "a0", CIPHERTEXT), Reason::Unsupported),
        ("countersignature protected", encrypt0("a3010a06412a0c41ff", "a0", CIPHERTEXT), Reason::Malformed),
        ("countersignature of two elements", encrypt0(PROTECTED, "a10b8240a0", CIPHERTEXT), Reason::Malformed),
        ("unknown algorithm", encrypt0("a3013903e7044401a2b3c406412a", "a0", CIPHERTEXT), Reason::Unsupported),
        ("algorithm as text", encrypt0("a301617804410106412a", "a0", CIPHERTEXT), Reason::Unsupported),
        ("an AEAD's algorithm in a Mac0", format!("d1844c{PROTECTED}a0{CIPHERTEXT}{CIPHERTEXT}"), Reason::Unsupported),
        ("empty", String::new(), Reason::Malformed),
    ];
    assert_eq!(reason(&encrypt0(PROTECTED, "a0", CIPHERTEXT)), None, "the untouched twin");
    for (name, hex, expected) in rows {
        assert_eq!(reason(hex), Some(*expected), "{name}");
    }
    let twins = [
        encrypt(&[DIRECT]),
        encrypt(&[WRAPPED, WRAPPED]),
        encrypt(&["8340a10139ffff41ff", WRAPPED]),
        encrypt(&[&agreed(POINT)]),
        encrypt(&[&nested(3)]),
        encrypt0(PROTECTED, "a118218241ff41fe", CIPHERTEXT),
        encrypt0(PROTECTED, "a10b8340a041ff", CIPHERTEXT),
        encrypt0(PROTECTED, "a2 0b 82 8340a041ff 8340a041fe 0c 41ff", CIPHERTEXT),
        "d8628440a041ff818343a10126a041ff".to_owned(),
    ];
    for twin in twins {
        assert_eq!(parse_hex(&twin).err(), None, "{twin}");
    }
}

#[test]
fn lenient_encodings_are_read_by_their_names_alone_and_protected_bytes_stay_verbatim() {
    let read = |hex: &str, names: &[&str]| {
        let mut compat = Compat::default();
        names.iter().for_each(|name| compat.allow(name).unwrap());
        let bytes: Arc<[u8]> = hex::decode(hex.replace(' ', "")).unwrap().into();
        Message::parse(
            &bytes,
            None,
            Place::Outer,
            &Reading { limits: &Limits::default(), compat: &compat, detached: None },
        )
    };
    let structure =
        |message: &Message| hex::encode(message.authenticated(Way::BODY, &crate::envelope::Binding::given(&[])));
    let rows = [
        (format!("d09f4c{PROTECTED}a0{CIPHERTEXT}ff"), "indefinite-length", PROTECTED.to_owned()),
        (
            format!("d083 5f 44{} 48{} ff a0{CIPHERTEXT}", &PROTECTED[..8], &PROTECTED[8..]),
            "indefinite-length",
            PROTECTED.to_owned(),
        ),
        (
            format!("d083 4d bf{}ff bfff {CIPHERTEXT}", &PROTECTED[2..]),
            "indefinite-length",
            format!("bf{}ff", &PROTECTED[2..]),
        ),
        (format!("d083 580c {PROTECTED} a0{CIPHERTEXT}"), "non-minimal", PROTECTED.to_owned()),
        (
            encrypt0("a301180a044401a2b3c406412a", "a0", CIPHERTEXT),
            "non-minimal",
            "a301180a044401a2b3c406412a".to_owned(),
        ),
    ];
    for (hex, name, protected) in rows {
        assert_eq!(read(&hex, &[]).err().map(|fault| fault.reason), Some(Reason::Malformed), "{hex}");
        let message = read(&hex, &[name]).unwrap_or_else(|fault| panic!("{hex}: {fault:?}"));
        assert_eq!(
            structure(&message),
            format!("8368456e637279707430{:02x}{protected}40", 0x40 + protected.len() / 2),
            "{hex}"
        );
        assert_eq!(message.kids().collect::<Vec<_>>(), [&[1, 0xa2, 0xb3, 0xc4][..]], "{hex}");
    }
    assert!(read(&encrypt0("a301180a044401a2b3c406412a", "a0", CIPHERTEXT), &["indefinite-length"]).is_err());
    assert!(read(&format!("d08f4c{PROTECTED}a0{CIPHERTEXT}ff"), &["all"]).is_err());
    assert!(read(&format!("{}00", "9f".repeat(100_000)), &["all"]).is_err());
}

#[test]
fn detached_content_is_the_callers_to_supply() {
    let read = |content: &str, detached: Option<&[u8]>| {
        let bytes: Arc<[u8]> = hex::decode(encrypt0(PROTECTED, "a0", content)).unwrap().into();
        let reading = Reading { limits: &Limits::default(), compat: Compat::STRICT, detached };
        Message::parse(&bytes, None, Place::Outer, &reading).map(|message| message.content().to_vec())
    };
    assert_eq!(read("f6", Some(b"apart")), Ok(b"apart".to_vec()));
    assert_eq!(read("41ff", None), Ok(vec![0xff]));
    assert!(read("f6", None).is_err() && read("41ff", Some(b"apart")).is_err());
}

#[test]
fn crit_is_understood_for_known_labels_and_cwt_tag_may_stand_outside() {
    assert_eq!(reason(&encrypt0("a4010a02810404410106412a", "a0", CIPHERTEXT)), None);
    assert_eq!(reason(&format!("d83d{}", encrypt0(PROTECTED, "a0", CIPHERTEXT))), None);
}

#[test]
fn what_breaks_the_strict_form_is_named() {
    let broken = |hex: &str| parse_hex(hex).unwrap().profile_form(Place::Outer).is_err();
    assert!(!broken(&encrypt0(PROTECTED, "a0", CIPHERTEXT)));
    assert!(broken(&encrypt0("a2010a06412a", "a1044401a2b3c4", CIPHERTEXT)), "kid unprotected");
    assert!(broken(&encrypt0(PROTECTED, "a1186300", CIPHERTEXT)), "an unprotected header");
    assert!(broken(&encrypt0("a3010a044401a2b3c40642002a", "a0", CIPHERTEXT)), "Partial IV not shortest");
    let empty = encrypt0("a3010a044401a2b3c40640", "a0", CIPHERTEXT);
    assert_eq!(reason(&empty), Some(Reason::Malformed), "Partial IV empty");
    assert!(broken(&encrypt0("a3010a044401a2b3c40646010203040506", "a0", CIPHERTEXT)), "Partial IV of 6 bytes");
    assert!(broken(&encrypt0("a4010a044401a2b3c406412a186300", "a0", CIPHERTEXT)), "a label outside the table");
    assert!(broken(&encrypt0("a4010a044401a2b3c406412a0fa10801", "a0", CIPHERTEXT)), "a claim outside the table");
}

#[test]
fn a_sequence_is_split_only_where_all_of_it_is_whole() {
    let one = hex::decode(encrypt0(PROTECTED, "a0", CIPHERTEXT)).unwrap();
    let two = one.repeat(2);
    assert_eq!(sequence(&two), Some(vec![0..one.len(), one.len()..two.len()]));
    assert_eq!(sequence(&two[..two.len() - 1]), None);
    assert_eq!(sequence(&[one.as_slice(), &[0]].concat()), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let shared: Arc<[u8]> = bytes.clone().into();
        for named in [None, Some(CoseType::Encrypt0), Some(CoseType::Encrypt), Some(CoseType::Sign1)] {
            let whole = is_whole(&bytes, named);
            assert!(whole || Message::parse(&shared, named, Place::Outer, &Reading::strict(&Limits::default())).is_err());
        }
    }

    #[test]
    fn a_mutant_is_read_without_panic(at in 0usize..46, value in any::<u8>(), cut in 0usize..46) {
        let mut bytes = hex::decode(encrypt0(PROTECTED, "a0", CIPHERTEXT)).unwrap();
        let length = bytes.len();
        bytes[at % length] = value;
        bytes.truncate(length - cut % length);
        if let Ok(message) = Message::parse(&bytes.into(), None, Place::Outer, &Reading::strict(&Limits::default())) {
            let _ = (message.describe(), message.profile_form(Place::Outer), message.kids().count());
        }
    }
}
