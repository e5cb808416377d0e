//! The edge as its clients see it: TLS, rates, what browsers are told, and what the audit keeps.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::gateway::{BINARY, Gateway, done};

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn guessing_is_limited_by_source_and_keeps_nobody_out() {
    let gateway = Gateway::start_with(&[("PAPERKNIFE_LIMITS__GUESS_RATE", "1")]);
    let wrong = bearer(&format!("pkn_{}", "A".repeat(60)));
    let guess = |path: &str| gateway.request("POST", path, b"x", &[("authorization", &wrong)]);
    let answers: Vec<_> = (0..100).map(|at| guess(["/v1/held/reopen", "/ingest/acme"][at % 2])).collect();
    let guessed = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((10..40).contains(&guessed), "{guessed} guesses in some seconds, a burst of 10");
    let last = answers.last().unwrap();
    assert_eq!((last.status, last.json()["code"].as_str()), (429, Some("rate_limited")));
    assert!(last.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    // What is right is let in from the same address.
    assert_eq!(gateway.get_answer("/v1/messages").status, 200);
    assert_eq!(gateway.ingest(b"x", &[]).status, 202);
}

#[test]
fn a_token_that_asks_too_often_waits_and_no_other_does() {
    let gateway = Gateway::start_with(&[("PAPERKNIFE_LIMITS__TOKEN_RATE", "5")]);
    let statuses: Vec<_> = (0..100).map(|_| gateway.get_answer("/v1/messages").status).collect();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!((10..60).contains(&answered) && statuses.contains(&429), "{statuses:?}");
    let other = done(&["tokens", "add", "other", "--scope", "read", "--data", &gateway.place()]);
    assert_eq!(gateway.request("GET", "/v1/messages", b"", &[("authorization", &bearer(&other))]).status, 200);
}

#[test]
fn the_audit_says_who_changed_what_and_holds_no_secret() {
    let gateway = Gateway::start();
    let token = bearer(&gateway.api_token);
    let ask = |method: &str, path: &str, body: &str| {
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        gateway.request(method, path, body.as_bytes(), &headers)
    };
    let made = ask("POST", "/v1/relays", r#"{"name":"beta","profile":"raw"}"#).json();
    ask("DELETE", "/v1/relays/beta%0d%0aFORGED", "");
    ask("POST", "/v1/subscriptions", "{}");
    ask("GET", "/v1/relays", "");
    let log = gateway.logged();
    let audit: Vec<&str> = log.lines().filter(|line| line.contains(" audit: ")).collect();
    assert_eq!(audit.len(), 3, "what changes nothing is not in it:\n{log}");
    for (line, said) in audit.iter().zip([
        "POST /v1/relays: 201",
        "DELETE /v1/relays/beta%0d%0aFORGED: 404",
        "POST /v1/subscriptions: 403",
    ]) {
        assert!(line.contains(said) && line.contains("name=\"tests\""), "{line}");
    }
    let secrets = [made["token"].as_str().unwrap(), gateway.api_token.as_str()];
    assert!(!secrets.iter().any(|secret| log.contains(*secret)));
}

#[test]
fn browsers_are_told_to_load_and_frame_nothing() {
    let gateway = Gateway::start();
    for path in ["/healthz", "/v1/messages", "/nothing", "/ingest/acme"] {
        let answer = gateway.get_answer(path);
        let header = |name| answer.header(name).unwrap_or_else(|| panic!("{path} lacks {name}"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn healthcheck_finds_the_configured_certificate_over_tls_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let pair = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec!["gw.example".to_owned()]).unwrap();
        let lay = |kind: &str, label: &str, der: &[u8]| {
            let file = folder.path().join(format!("{name}.{kind}"));
            let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
            std::fs::write(&file, text).unwrap();
            file.to_str().unwrap().to_owned()
        };
        (lay("pem", "CERTIFICATE", made.cert.der()), lay("key", "PRIVATE KEY", &made.signing_key.serialize_der()))
    };
    let ((cert, key), (other, _)) = (pair("own"), pair("other"));
    let environment = [("PAPERKNIFE_SERVER__TLS__CERT", cert.as_str()), ("PAPERKNIFE_SERVER__TLS__KEY", key.as_str())];
    let gateway = Gateway::start_with(&environment);
    let address = gateway.url().strip_prefix("https://").expect("https").to_owned();
    let check = |certificate: &str| {
        Command::new(BINARY)
            .args(["healthcheck", "--data", &gateway.place()])
            .envs([("PAPERKNIFE_SERVER__LISTEN", address.as_str()), ("PAPERKNIFE_SERVER__TLS__CERT", certificate)])
            .output()
            .unwrap()
    };
    let (own, other) = (check(&cert), check(&other));
    assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    assert!(!other.status.success());
}
