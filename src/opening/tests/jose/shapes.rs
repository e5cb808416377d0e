//! Shapes S, G and P of the profile in JOSE (jose.md §9), and tokens: what their layers prove, and what their pk1 binds.

use paperknife_device::jose::header::Header;
use serde_json::{Value, json};

use super::tokens::{
    AUDIENCE, CONTENT, PATH, bound, d1, direct, flattened, fleet, g1, h1, jwe, k1, maced, nested, pk1, profiled,
    shape_g, shape_p, shape_s, signed,
};
use super::{Desk, facts, reason};
use crate::item::{Claims, ContentType, Reason, Timestamp};
use crate::opening::tests::NOW_S;

/// The example tokens of the profile, made by another implementation.
const EXAMPLE_P: &str = "eyJhbGciOiJFQ0RILUVTK0ExMjhLVyIsImN0eSI6IkpPU0UiLCJlbmMiOiJBMTI4R0NNIiwiZXBrIjp7ImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ4IjoiYzJ6N2lsX3QteHhxZktUSWM4dm5sUThaV3RjWk1IQVI4bWVJYjQ4MkowMCIsInkiOiJqNDA4V08wbVNFQnZOdEx0bXVSYXc2Z2xwU2hTcWU2akdOWEhKUlU0TGdzIn0sImtpZCI6ImcxIn0.MU1G3gmKT-7aU3Pu1AYV2Vd3UZ8E6o4B.4pETAzuN1LOTavDu.RIprB2gZRHrdtcXG3dH3XW4LZamN6Y338h-rxkQBiWcIT_LPFO8xfl2P6qxuaoZOZM5DYI9mE36Edeg970XeQQQH9rdu6xDSpNoPepLIx4fDcBS3c6u-sCmjTf1y_UOnzyYE1nNmomGeHBFBpMv1XsY1jw82UOm4UgHVEAUwKd1ANNx5e2DtpaiTkUyBoIetDMxhD4c8sjw3upCJ0wxgn7DmuoXuOT4Me35kJsGXh1oLuJ4uMwOzZDDQ_xgJsz1sh9-qLf5rQ8rnKzO50pW5-LLyaoyPhiG9l1todAFF4adtSM77WqhIamQ7cghrvjhp501qOAX0uFeY6FXXP-vAItC3-zlqXert.seJXfF99EUuuM3s3cBjHIA";
const EXAMPLE_S: &str = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwia2lkIjoiazEiLCJwazEiOnsiYXVkIjoiaHR0cHM6Ly9ndy5leGFtcGxlIiwiZXAiOiJkZXYtNyIsInBhdGgiOiIvMTkvMC8wIiwic2VxIjo0Mn19..XRnmut5Gfm_9-w_D.a1RDMCxvBTYqTinSdhRqBxyKtZbbu1TDo1s1ImMVNA.Way8TGLwIYyfHPiSYKpfyw";

/// The example's keys under the profile.
fn example() -> Desk<'static> {
    let signer = json!({"kty": "EC", "crv": "P-256", "kid": "d1", "alg": "ES256", "use": "sig",
        "x": "80gVGnLqGjcqI7rxYo6p9eOlWfsnXxhl7LRmqYKl89s", "y": "AYC1VsGFchlh9nviCnqljHtHyPJCGZosHsaEk-0vNXw"});
    let master = json!({"kty": "oct", "kid": "k1", "alg": "A128GCM", "k": "TGLnJ56x4ehDnTViftu-xw"});
    let keys = [signer, g1(), master].map(|key| profiled(key, &json!({})));
    Desk { keys: keys.to_vec(), ..fleet(&json!({})) }
}

#[test]
fn the_example_tokens_open_and_prove_what_they_bind() {
    for (token, format, signature) in [(EXAMPLE_S, "JWE", None), (EXAMPLE_P, "JWE", Some("ES256"))] {
        let finding = example().open(token.as_bytes());
        let facts = facts(&finding);
        assert_eq!((facts.content.as_slice(), facts.structure), (CONTENT, format));
        let proven = &facts.proven;
        assert_eq!((proven.sender.as_deref(), proven.sequence), (Some("dev-7"), Some(42)));
        assert_eq!((proven.audience.as_deref(), proven.path.as_deref()), (Some(AUDIENCE), Some(PATH)));
        assert_eq!(proven.signature_alg.as_deref(), signature);
        assert_eq!(facts.content_type, Some(ContentType::Format(110)));
    }
}

#[test]
fn the_example_tokens_open_with_bare_keys_too() {
    let mut desk = example();
    desk.keys.iter_mut().for_each(|key| drop(key.as_object_mut().unwrap().remove("paperknife")));
    for token in [EXAMPLE_S, EXAMPLE_P] {
        assert_eq!(
            reason(&Desk { audience: &[], claims: Claims::default(), ..desk.clone() }.open(token.as_bytes())),
            None
        );
        assert_eq!(reason(&desk.open(token.as_bytes())), None);
        let elsewhere = Desk { audience: &["https://other.example"], ..desk.clone() };
        assert_eq!(reason(&elsewhere.open(token.as_bytes())), Some(Reason::BindingMismatch));
    }
}

/// Seals in a shape, under this pk1.
type Seal = fn(&Value) -> String;

const SHAPES: [(&str, Seal); 3] = [("S", shape_s), ("G", shape_g), ("P", shape_p)];

#[test]
fn each_shape_proves_its_sender_by_the_layer_that_carries_pk1() {
    for (name, seal) in SHAPES {
        let finding = fleet(&json!({})).open(seal(&pk1()).as_bytes());
        let facts = facts(&finding);
        assert_eq!(facts.proven.sender.as_deref(), Some("dev-7"), "{name}");
        let counter = &facts.sequenced.as_ref().unwrap().counter;
        assert_eq!(Some(&counter.key), facts.proven.key.as_ref(), "{name}");
        assert_eq!(facts.sequenced.as_ref().unwrap().also, None, "{name}");
        let kid = if name == "S" { "k1" } else { "d1" };
        assert_eq!(facts.proven.kid.as_deref(), Some(kid.as_bytes()), "{name}");
    }
}

/// pk1 with one member changed; null removes it.
fn changed(member: &str, value: Value) -> Value {
    let mut pk1 = pk1();
    match value {
        Value::Null if member != "path" => drop(pk1.as_object_mut().unwrap().remove(member)),
        value => pk1[member] = value,
    }
    pk1
}

#[test]
fn what_pk1_says_must_agree_and_be_of_its_form() {
    let (mismatch, malformed) = (Some(Reason::BindingMismatch), Some(Reason::Malformed));
    let rows = [
        ("untouched", pk1(), None),
        (
            "with a context and a time",
            json!({"aud": AUDIENCE, "ep": "dev-7", "path": PATH, "seq": 0, "ctx": "AQI", "iat": NOW_S}),
            None,
        ),
        ("another audience", changed("aud", json!("https://other.example")), mismatch),
        ("another device", changed("ep", json!("dev-8")), mismatch),
        ("another path of the list", changed("path", json!("/19/1/0")), mismatch),
        ("a path outside the list", changed("path", json!("/3/0/0")), mismatch),
        ("no path, which the list has not", changed("path", json!(null)), mismatch),
        ("another member", changed("x", json!(1)), malformed),
        ("no audience", changed("aud", json!(null)), malformed),
        ("no number", changed("seq", json!(null)), malformed),
        ("a number as text", changed("seq", json!("42")), malformed),
        ("a number that is no integer", changed("seq", json!(42.0)), malformed),
        ("a number below 0", changed("seq", json!(-1)), malformed),
        ("a number of 2^40", changed("seq", json!(1_u64 << 40)), malformed),
        ("an empty context", changed("ctx", json!("")), malformed),
        ("a context of 17 bytes", changed("ctx", json!("AAAAAAAAAAAAAAAAAAAAAAA")), malformed),
        ("a context that is not base64url", changed("ctx", json!("A+")), malformed),
        ("a time below 0", changed("iat", json!(-1)), malformed),
        ("text", json!("pk1"), malformed),
    ];
    for (shape, seal) in SHAPES {
        for (row, pk1, expected) in &rows {
            assert_eq!(reason(&fleet(&json!({})).open(seal(pk1).as_bytes())), *expected, "{shape}, {row}");
        }
    }
}

#[test]
fn a_null_path_is_bound_where_the_list_has_it() {
    let desk = fleet(&json!({"paths": [PATH, null]}));
    assert_eq!(reason(&desk.open(shape_s(&changed("path", json!(null))).as_bytes())), None);
}

#[test]
fn the_profile_asks_for_a_binding_and_for_its_shapes() {
    let ask = |token: &str| reason(&fleet(&json!({})).open(token.as_bytes()));
    let inner = signed(bound(&pk1()), CONTENT);
    let to_us = |header: Header, content: &[u8]| jwe(super::tokens::AGREED, super::tokens::gateway(), header, content);
    assert_eq!(ask(&direct(Header::new(), CONTENT)), Some(Reason::ClaimMissing), "S without pk1");
    let bare = signed(Header::new(), CONTENT);
    assert_eq!(ask(&direct(nested(), bare.as_bytes())), Some(Reason::ClaimMissing), "G without pk1");
    assert_eq!(ask(&to_us(nested(), bare.as_bytes())), Some(Reason::ClaimMissing), "P without pk1");
    assert_eq!(ask(&inner), Some(Reason::ShapeNotAllowed), "the signature alone");
    assert_eq!(ask(&to_us(bound(&pk1()), CONTENT)), Some(Reason::Malformed), "P without a signature");
    assert_eq!(ask(&flattened(&shape_s(&pk1())).to_string()), Some(Reason::Malformed), "S in JSON");
    let signed_only = fleet(&json!({"shapes": ["G", "P"]}));
    assert_eq!(reason(&signed_only.open(shape_s(&pk1()).as_bytes())), Some(Reason::UnauthenticatedSender));
    assert_eq!(reason(&signed_only.open(shape_g(&pk1()).as_bytes())), None);
}

#[test]
fn without_the_profile_a_binding_that_is_there_is_enforced_and_none_is_no_fault() {
    let record = json!({"device": "dev-7"});
    let mut key = k1();
    key["paperknife"] = record;
    let desk = Desk { audience: &[AUDIENCE], ..Desk::of(&[key]) };
    let none = desk.open(direct(Header::new(), CONTENT).as_bytes());
    assert_eq!((&facts(&none).proven.path, facts(&none).proven.sequence), (&None, None));
    assert_eq!(reason(&desk.open(shape_s(&pk1()).as_bytes())), None);
    assert_eq!(reason(&desk.open(shape_s(&changed("ep", json!("dev-8"))).as_bytes())), Some(Reason::BindingMismatch));
    let elsewhere = Claims { path: Some("/3/0/0".to_owned()), ..Claims::default() };
    let desk = Desk { claims: elsewhere, ..desk };
    assert_eq!(reason(&desk.open(shape_s(&pk1()).as_bytes())), Some(Reason::BindingMismatch));
}

#[test]
fn a_serialization_and_a_layer_around_change_nothing_of_what_identifies_a_message() {
    let of_device = |mut key: Value| {
        key["paperknife"] = json!({"device": "dev-7"});
        key
    };
    let desk = Desk::of(&[of_device(d1()), g1(), of_device(k1())]);
    let house = desk.house().unwrap();
    let identity = |token: &str| facts(&desk.open_in(&house, token.as_bytes())).identity;
    let inner = signed(bound(&pk1()), CONTENT);
    let general = json!({"payload": super::tokens::part(&inner, 1), "signatures": [{"protected": super::tokens::part(&inner, 0),
        "signature": super::tokens::part(&inner, 2), "header": {"note": 1}}]});
    let around = direct(nested(), inner.as_bytes());
    let tokens = [flattened(&inner).to_string(), general.to_string(), around];
    for token in tokens {
        assert_eq!(identity(&token), identity(&inner), "{token}");
    }
    assert_ne!(identity(&signed(bound(&changed("seq", json!(43))), CONTENT)), identity(&inner));
    let sealed = shape_s(&pk1());
    assert_eq!(identity(&flattened(&sealed).to_string()), identity(&sealed));
}

#[test]
fn a_signature_around_what_is_sealed_must_be_its_senders() {
    let own = signed(nested(), shape_s(&pk1()).as_bytes());
    let mut theirs = d1();
    theirs["paperknife"] = json!({"device": "dev-8"});
    let mut ours = k1();
    ours["paperknife"] = json!({"device": "dev-7"});
    assert_eq!(reason(&Desk::of(&[theirs.clone(), ours.clone()]).open(own.as_bytes())), Some(Reason::BindingMismatch));
    theirs["paperknife"] = json!({"device": "dev-7"});
    assert_eq!(reason(&Desk::of(&[theirs, ours]).open(own.as_bytes())), None);
    let to_us = jwe(super::tokens::AGREED, super::tokens::gateway(), Header::new(), CONTENT);
    let around = signed(nested(), to_us.as_bytes());
    assert_eq!(reason(&Desk::of(&[d1(), g1()]).open(around.as_bytes())), Some(Reason::UnauthenticatedSender));
}

fn token(claims: &str) -> String {
    maced(r#"{"alg":"HS256","kid":"h1","typ":"JWT"}"#, claims.as_bytes())
}

#[test]
fn claims_of_a_token_are_judged_and_reported() {
    let desk = Desk { audience: &[AUDIENCE], ..Desk::of(&[h1()]) };
    let late = NOW_S + 1_000;
    let rows = [
        (
            format!(
                r#"{{"iss":"i","sub":"s","aud":"{AUDIENCE}","iat":{NOW_S},"exp":{late},"nbf":{NOW_S},"jti":"j","x":[1.5]}}"#
            ),
            None,
        ),
        (format!(r#"{{"aud":["https://other.example","{AUDIENCE}"]}}"#), None),
        (r#"{"aud":"https://other.example"}"#.to_owned(), Some(Reason::BindingMismatch)),
        (format!(r#"{{"exp":{}}}"#, NOW_S - 301), Some(Reason::TooOld)),
        (format!(r#"{{"nbf":{late}}}"#), Some(Reason::FromFuture)),
        (format!(r#"{{"iat":{late}}}"#), Some(Reason::FromFuture)),
        (r#"{"exp":"1"}"#.to_owned(), Some(Reason::Malformed)),
        (r#"{"iss":1}"#.to_owned(), Some(Reason::Malformed)),
        (r#"{"aud":[1]}"#.to_owned(), Some(Reason::Malformed)),
        ("[]".to_owned(), Some(Reason::Malformed)),
    ];
    for (claims, expected) in &rows {
        assert_eq!(reason(&desk.open(token(claims).as_bytes())), *expected, "{claims}");
    }
    let finding = desk.open(token(&rows[0].0).as_bytes());
    let proven = &facts(&finding).proven;
    let said = proven.token.as_ref().unwrap();
    assert_eq!((said.iss.as_deref(), said.sub.as_deref(), said.jti.as_deref()), (Some("i"), Some("s"), Some("j")));
    assert_eq!(said.exp, Some(Timestamp::from_seconds(late)));
    assert_eq!((proven.audience.as_deref(), proven.issued_at), (Some(AUDIENCE), Some(Timestamp::from_seconds(NOW_S))));
    let expired = token(&rows[3].0);
    assert_eq!(reason(&Desk { judges_expiry: false, ..desk }.open(expired.as_bytes())), None);
}

#[test]
fn claims_against_pk1_are_a_mismatch() {
    let desk = Desk::of(&[h1()]);
    let protected = format!(
        r#"{{"alg":"HS256","kid":"h1","typ":"JWT","pk1":{}}}"#,
        json!({"aud": AUDIENCE, "ep": "dev-7", "path": null, "seq": 1, "iat": NOW_S})
    );
    let ask = |claims: &str| reason(&desk.open(maced(&protected, claims.as_bytes()).as_bytes()));
    assert_eq!(ask(&format!(r#"{{"aud":"{AUDIENCE}","iat":{NOW_S}}}"#)), None);
    assert_eq!(ask(r#"{"aud":"https://other.example"}"#), Some(Reason::BindingMismatch));
    assert_eq!(ask(&format!(r#"{{"iat":{}}}"#, NOW_S - 1)), Some(Reason::BindingMismatch));
}
