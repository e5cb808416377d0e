//! Rows of the attack catalogue that concern the API and have no other place: cursors, logs, defaults, paths.
//!
//! The others of section E: E1–E3, E5, E7, E9, E14, E21 beside their code in `src/api`, `src/delivery`; E4 in
//! `timing`; E8, E10 in `webhooks`; E17 in `src/listen`; E19, E20 in `edge`. E22 needs an idempotency key, which this
//! API has not: deliveries are recognised by what they hold.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::fleet;
use crate::gateway::{Gateway, done, paperknife};

/// E13: what is no cursor of ours is a 400; one of another tenant or list shows nothing that its bearer may not see.
#[test]
fn cursors_that_are_not_ours_are_refused() {
    let gateway = Gateway::start();
    let mut devices = fleet::known_devices(&gateway, 1);
    for nth in 0..3 {
        gateway.deliver(&devices[0].seal(f64::from(nth)), None, None);
    }
    let ours = gateway.get("/v1/messages?limit=1")["next"].as_str().unwrap().to_owned();
    let huge = "9".repeat(10_000);
    let negative = format!("1{:016x}0", -1i64);
    let rows = [
        "",
        "-1",
        "0",
        "1",
        "null",
        "%00",
        "..%2f",
        huge.as_str(),
        negative.as_str(),
        &ours[1..],
        &ours[..ours.len() - 1],
        "18000000000000000ffffffffffffffff",
        "1%2B00000000000000000",
        "2000000000000000000",
    ];
    for cursor in rows {
        for list in ["messages", "readings", "devices", "refusals", "held"] {
            let answer = gateway.get_answer(&format!("/v1/{list}?after={cursor}"));
            assert!([400, 431].contains(&answer.status), "{list} {cursor}: {}", answer.status);
        }
        let stream = gateway.request(
            "GET",
            "/v1/stream",
            b"",
            &[
                ("authorization", &format!("Bearer {}", gateway.api_token)),
                ("last-event-id", if cursor.len() > 1000 || cursor.contains('%') { "x" } else { cursor }),
            ],
        );
        assert_eq!(stream.status, 400, "{cursor}");
    }
    // Old, or far ahead: the rest of the own list, which may be none.
    for cursor in ["100000000000000000", "17fffffffffffffff0"] {
        assert_eq!(gateway.get_answer(&format!("/v1/messages?after={cursor}")).status, 200);
    }
}

/// E11, E12: neither secrets nor what would write lines of its own come into logs, even where they tell everything.
#[test]
fn logs_hold_no_secret_and_no_control_sequence() {
    let gateway = Gateway::start_with(&[
        ("PAPERKNIFE_LOG__LEVEL", "trace"),
        ("PAPERKNIFE_DELIVERY__ALLOW_HTTP", "true"),
        ("PAPERKNIFE_DELIVERY__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
    ]);
    let token = done(&["tokens", "add", "all", "--scope", "read,admin,subscriptions", "--data", &gateway.place()]);
    let bearer = format!("Bearer {token}");
    let ask = |method: &str, path: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        gateway.request(method, path, body.as_bytes(), &headers)
    };
    let hook = json!({"name": "canary-name", "events": ["message.opened"],
        "sink": {"kind": "webhook", "url": "http://127.0.0.1:9/canary-path", "headers": {"x-key": "canary-header-value"}}});
    let made = ask("POST", "/v1/subscriptions", &hook.to_string());
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let secret = made.json()["secret"].as_str().unwrap().trim_start_matches("whsec_").to_owned();
    ask("POST", &format!("/v1/subscriptions/{}/test", made.json()["id"].as_str().unwrap()), "");
    let mut devices = fleet::known_devices(&gateway, 1);
    gateway.deliver(&devices[0].seal_bytes(b"canary-cleartext"), None, Some("/19/0/0"));
    // By hand: a client of good manners does not send such headers.
    let mut stream = TcpStream::connect(gateway.url().strip_prefix("http://").unwrap()).unwrap();
    let relay = &gateway.relay_token;
    write!(
        stream,
        "POST /ingest/acme HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {relay}\r\nuser-agent: \u{9b}31m\u{202e}evil\r\n\
         x-endpoint: \u{202e}dne\u{9b}2J\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let hostile =
        r#"{"name":"x\r\n2026-01-01T00:00:00Z ERROR forged\u001b[2J\u202e","profile":"\u001b]0;title\u0007"}"#;
    assert!(ask("POST", "/v1/relays", hostile).status >= 400);
    ask("GET", "/v1/messages?%1b[31m%0d%0aFORGED%e2%80%ae=1", "");
    ask("DELETE", "/v1/relays/%1b%5b31m%0aFORGED", "");
    ask("POST", &format!("/v1/relays/{}", "a".repeat(9_000)), "{}");
    let log = gateway.logged();
    let metrics = String::from_utf8(gateway.get_answer("/metrics").body).unwrap();
    for (what, canary) in [
        ("an API token", token.as_str()),
        ("another", gateway.api_token.as_str()),
        ("the relay's token", gateway.relay_token.as_str()),
        ("a webhook's secret", secret.as_str()),
        ("a header's value", "canary-header-value"),
        ("cleartext", "canary-cleartext"),
    ] {
        assert!(!log.contains(canary) && !metrics.contains(canary), "{what} is in the log");
    }
    let control = log.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(control, None, "a control character is in the log");
    assert!(!log.lines().any(|line| line.starts_with("FORGED") || line.contains(" ERROR forged")));
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(longest < 32 * 1024, "a line of {longest} bytes");
}

/// E18: nothing is looked up in a file system by what a client says.
#[test]
fn paths_lead_nowhere_else() {
    let gateway = Gateway::start();
    for path in [
        "/docs/../openapi.yaml",
        "/docs/..%2fopenapi.yaml",
        "/docs/%2e%2e/root.key",
        "/docs/..%5croot.key",
        "/docs/%00",
        "/docs//etc/passwd",
        "/v1/messages/..%2f..%2froot.key",
        "/v1/devices/..%2f..%2froot.key",
        "/openapi.yaml%00",
        "/../root.key",
        "/v1/../../root.key",
    ] {
        // By hand: a client would tidy the path.
        let mut stream = TcpStream::connect(gateway.url().strip_prefix("http://").unwrap()).unwrap();
        let bearer = &gateway.api_token;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
}

/// E23: nothing is open that was not opened.
#[test]
fn a_fresh_gateway_is_open_to_this_machine_alone_and_knows_no_password() {
    let defaults = done(&["config", "init"]);
    assert!(defaults.contains("listen = \"127.0.0.1:8080\"") && defaults.contains("# listen = \"127.0.0.1:9090\""));
    let gateway = Gateway::start();
    for path in ["/v1/messages", "/v1/keys", "/v1/tokens", "/v1/stream", "/metrics", "/v1/relays"] {
        assert_eq!(gateway.request("GET", path, b"", &[]).status, 401, "{path}");
        for guess in ["admin", "paperknife", "pkn_", "null", "undefined"] {
            let answer = gateway.request("GET", path, b"", &[("authorization", &format!("Bearer {guess}"))]);
            assert!([401, 429].contains(&answer.status), "{path} {guess}");
        }
    }
    for path in ["/debug/pprof", "/debug", "/console", "/admin", "/.env", "/server-status", "/actuator"] {
        assert_eq!(gateway.get_answer(path).status, 404, "{path}");
    }
    assert_eq!(paperknife(&["serve", "--token", "x"]).status.code(), Some(2), "a secret is no argument");
}
