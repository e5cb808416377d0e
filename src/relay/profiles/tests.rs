//! What each profile finds, beside the shared vectors (which run through `relays test`): options, order, limits.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::{any, prop, proptest};
use serde_json::json;

use crate::item::{CoseType, Reason, Timestamp};
use crate::relay::profiles::{
    Body, Encoding, Found, Kind, Limits, Place, Profile, Unfound, find, parse_profile, prefix, search,
};

const RECEIVED: Timestamp = Timestamp::from_millis(1_790_856_030_000);
/// A whole COSE_Encrypt0 by shape.
const ENVELOPE: [u8; 8] = [0xd0, 0x83, 0x43, 0xa1, 0x01, 0x0a, 0xa0, 0x40];

fn profile(name: &str, options: &[(&str, &str)]) -> Result<Profile, String> {
    let options: BTreeMap<String, String> =
        options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    parse_profile(name, &options)
}

fn body(bytes: &[u8]) -> Body<'_> {
    Body { bytes, content_type: None, headers: &[], query: &[], received_at: RECEIVED }
}

fn plain(name: &str, bytes: &[u8]) -> Result<Found, Unfound> {
    find(&profile(name, &[]).unwrap(), &body(bytes), &Limits::default())
}

fn paths(found: &Found) -> Vec<&str> {
    found.places.iter().map(|place| place.item().claims.path.as_deref().unwrap_or("-")).collect()
}

#[test]
fn profiles_and_options_are_read_with_help() {
    assert_eq!(profile("raw", &[]), Ok(Profile::plain(Kind::Raw)));
    assert!(
        profile("text", &[("encoding", "hex"), ("endpoint_from", "header:X-Ep"), ("path_from", "query:p")]).is_ok()
    );
    assert!(profile("raw", &[("endpoint_from", "request")]).is_ok());
    for (name, options, says) in [
        ("leshan", [].as_slice(), "known: raw, senml-cbor, senml-json, text"),
        ("raw", &[("encoding", "hex")], "unknown; known: endpoint_from, path_from"),
        ("text", &[("encoding", "rot13")], "is not one of"),
        ("text", &[("colour", "red")], "known: encoding"),
        ("raw", &[("endpoint_from", "cookie:x")], "header:NAME"),
        ("raw", &[("path_from", "header:")], "header:NAME"),
    ] {
        let error = profile(name, options).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn claims_stand_in_headers_and_query() {
    let headers = [("X-EndPoint".to_owned(), " urn:dev:1 ".to_owned()), ("x-endpoint".to_owned(), "second".to_owned())];
    let query = [("p".to_owned(), "/dev0/3303/0/5700".to_owned()), ("P".to_owned(), "/1/0/0".to_owned())];
    let body = Body { headers: &headers, query: &query, ..body(&ENVELOPE) };
    let profile = profile("raw", &[("endpoint_from", "header:x-endpoint"), ("path_from", "query:p")]).unwrap();
    let item = find(&profile, &body, &Limits::default()).unwrap().into_items().remove(0);
    assert_eq!(item.claims.endpoint.as_deref(), Some("urn:dev:1"), "headers of any case, the first of several");
    assert_eq!(item.claims.path.as_deref(), Some("/dev0/3303/0/5700"), "query members as they are");
    assert_eq!(item.claims.prefix.as_deref(), Some("dev0"));
    let missing = [("x-endpoint".to_owned(), " ".to_owned())];
    let item =
        find(&profile, &Body { headers: &missing, query: &[], ..body }, &Limits::default()).unwrap().into_items();
    assert_eq!((item[0].claims.endpoint.as_deref(), item[0].claims.path.as_deref()), (None, None));
}

#[test]
fn the_prefix_is_what_precedes_the_first_number() {
    for (path, expected) in [
        ("/19/0/0", None),
        ("/dev0/19/0/0", Some("dev0")),
        ("dev0/19/0/0", Some("dev0")),
        ("/floor/2a/19/0", Some("floor/2a")),
        ("/a/b", None),
        ("", None),
        ("/", None),
    ] {
        assert_eq!(prefix(path).as_deref(), expected, "{path}");
    }
}

#[test]
fn raw_always_gives_a_place_but_for_an_empty_body() {
    assert_eq!(plain("raw", b""), Err(Unfound::NoEnvelope));
    assert_eq!(plain("text", b""), Err(Unfound::NoEnvelope));
    for name in ["raw", "text"] {
        let found = plain(name, b"no envelope").unwrap();
        let [Place::Kept(item, Reason::Malformed)] = found.places.as_slice() else { panic!("{found:?}") };
        assert_eq!(&item.sealed.bytes[..], b"no envelope");
    }
    let found = plain("text", b"\xff\xfe").unwrap();
    assert_eq!(&found.places[0].item().sealed.bytes[..], b"\xff\xfe");
}

#[test]
fn trailing_bytes_of_a_raw_body_are_never_cut() {
    let longer = [ENVELOPE.as_slice(), &[0]].concat();
    assert!(matches!(plain("raw", &longer).unwrap().places[0], Place::Kept(..)));
    assert!(matches!(plain("raw", &ENVELOPE).unwrap().places[0], Place::Envelope(_, Encoding::Raw)));
}

#[test]
fn only_a_media_type_names_an_untagged_structure() {
    for (content_type, named) in [
        (Some("application/cose; cose-type=\"cose-encrypt0\""), Some(CoseType::Encrypt0)),
        (Some("APPLICATION/COSE;Cose-Type=COSE-Encrypt0"), Some(CoseType::Encrypt0)),
        (Some("application/cose"), None),
        (Some("application/octet-stream; cose-type=\"cose-encrypt0\""), None),
        (None, None),
    ] {
        let body = Body { content_type, ..body(&ENVELOPE[1..]) };
        let place = find(&Profile::plain(Kind::Raw), &body, &Limits::default()).unwrap().places.remove(0);
        assert_eq!(matches!(place, Place::Envelope(..)), named.is_some(), "{content_type:?}");
        assert_eq!(place.into_item().sealed.cose_type, named, "{content_type:?}");
    }
}

#[test]
fn a_sequence_splits_cleanly_or_is_one_item() {
    let limits = Limits { max_items: 3, ..Limits::default() };
    let split = |bytes: &[u8], content_type| {
        let body = Body { content_type: Some(content_type), ..body(bytes) };
        find(&Profile::plain(Kind::Raw), &body, &limits).map(|found| found.places)
    };
    assert_eq!(split(&ENVELOPE.repeat(3), "application/cbor-seq").unwrap().len(), 3);
    assert_eq!(split(&ENVELOPE.repeat(4), "application/cbor-seq"), Err(Unfound::TooLarge));
    for (bytes, content_type) in
        [(ENVELOPE.repeat(2)[..15].to_vec(), "application/cbor-seq"), (ENVELOPE.repeat(2), "application/octet-stream")]
    {
        let places = split(&bytes, content_type).unwrap();
        assert!(
            matches!(places.as_slice(), [Place::Kept(item, _)] if item.sealed.bytes[..] == bytes),
            "{content_type}"
        );
    }
}

#[test]
fn places_of_a_pack_keep_their_order_and_their_neighbours() {
    let sealed = STANDARD.encode(ENVELOPE);
    let pack = json!([
        {"bn": "/19/0/0/", "n": "0", "vd": sealed},
        {"n": "1", "vd": "AAAA"},
        {"n": "2", "vs": sealed.clone() + "U", "t": -5},
        {"n": "3", "vd": "not base64!"},
        {"bn": "/3303/0/", "n": "5700", "v": 21.5},
        {"bn": "/5/", "n": "0", "vs": "plain"},
        {"bn": "/dev0/19/0/0", "n": "", "vd": hex::encode(ENVELOPE)},
    ]);
    let found = plain("senml-json", pack.to_string().as_bytes()).unwrap();
    assert_eq!(paths(&found), ["/19/0/0/0", "/19/0/0/1", "/19/0/0/2", "/19/0/0/3", "/dev0/19/0/0"]);
    let kinds: Vec<Option<Encoding>> = found
        .places
        .iter()
        .map(|place| match place {
            Place::Envelope(_, encoding) => Some(*encoding),
            Place::Kept(..) => None,
        })
        .collect();
    assert_eq!(kinds, [Some(Encoding::Base64), None, Some(Encoding::Base64), None, Some(Encoding::Hex)]);
    assert_eq!(&found.places[1].item().sealed.bytes[..], [0, 0, 0], "the bytes that the value says");
    assert_eq!(&found.places[3].item().sealed.bytes[..], b"not base64!", "the text, where it says none");
    let repaired = &found.places[2].item().claims;
    assert!(repaired.repaired && repaired.time == Some(RECEIVED.plus_seconds(-5)));
    assert_eq!(found.places[4].item().claims.prefix.as_deref(), Some("dev0"));
    let cleartext: Vec<(&str, &serde_json::Value)> =
        found.cleartext.iter().map(|clear| (clear.path.as_deref().unwrap(), &clear.value)).collect();
    assert_eq!(cleartext, [("/3303/0/5700", &json!(21.5)), ("/5/0", &json!("plain"))]);
}

#[test]
fn a_record_may_name_an_untagged_structure() {
    let untagged = STANDARD.encode(&ENVELOPE[1..]);
    for (format, taken) in [
        (json!("16"), true),
        (json!(16), true),
        (json!("60"), false),
        (json!("application/cose; cose-type=cose-encrypt0"), true),
    ] {
        let pack = json!([{"n": "/19/0/0", "ct": format, "vd": untagged}]).to_string();
        let place = plain("senml-json", pack.as_bytes()).unwrap().places.remove(0);
        assert_eq!(
            matches!(&place, Place::Envelope(item, _) if item.sealed.cose_type == Some(CoseType::Encrypt0)),
            taken
        );
    }
}

#[test]
fn what_is_no_pack_has_no_place() {
    for bytes in [b"{}".as_slice(), b"[", b"[{\"n\":\"/1\"}]", b"[]", b"[{\"n\":\"/1\",\"vs\":\"x\"}]", &[0xff]] {
        assert_eq!(plain("senml-json", bytes), Err(Unfound::NoEnvelope), "{bytes:?}");
    }
    assert_eq!(plain("senml-cbor", b"\x80"), Err(Unfound::NoEnvelope));
    let beside =
        search(&Profile::plain(Kind::SenmlJson), &body(b"[{\"n\":\"/1\",\"vs\":\"x\"}]"), &Limits::default()).unwrap();
    assert_eq!(beside.cleartext.len(), 1);
}

#[test]
fn limits_of_a_delivery() {
    let limits = Limits { max_items: 3, max_body: 100 };
    let pack = |count: usize| format!("[{}]", vec![r#"{"n":"a","vd":"AA"}"#; count].join(","));
    let taken = |text: String| {
        find(&Profile::plain(Kind::SenmlJson), &body(text.as_bytes()), &limits).map(|found| found.places.len())
    };
    assert_eq!(taken(pack(3)), Ok(3));
    assert_eq!(taken(pack(4)), Err(Unfound::TooLarge));
    assert_eq!(taken(pack(3) + &" ".repeat(100)), Err(Unfound::TooLarge));
    let bomb = format!(r#"[{{"bn":"{}"}},{}]"#, "n".repeat(1000), vec![r#"{"vb":true}"#; 9_999].join(","));
    assert!(plain("senml-json", bomb.as_bytes()).is_err(), "ten megabytes of names stay within the budget");
    let bomb = format!(
        r#"[{{"bn":"{}"}},{}]"#,
        "n".repeat(1000),
        vec![r#"{"bu":"uuuuuuuuuuuuuuuuuuuuu","vb":true}"#; 9_999].join(",")
    );
    assert_eq!(
        find(
            &Profile::plain(Kind::SenmlJson),
            &body(bomb.as_bytes()),
            &Limits { max_body: 1 << 20, ..Limits::default() }
        ),
        Err(Unfound::TooLarge)
    );
}

proptest! {
    #[test]
    fn any_body_gives_places_or_says_why(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for kind in Kind::ALL {
            let found = find(&Profile::plain(kind), &body(&bytes), &Limits::default());
            let always = matches!(kind, Kind::Raw | Kind::Text) && !bytes.is_empty();
            assert!(found.is_ok() || !always, "{kind:?}");
        }
    }
}
