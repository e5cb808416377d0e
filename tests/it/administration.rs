//! The command line as its operator meets it: what is printed where, what is told, how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{BINARY, Gateway, done, paperknife};

const DEVICE: &str = "urn:dev:mac:0024befffe804ff1";

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails with this code; what it said.
fn failed(arguments: &[&str], code: i32) -> String {
    let output = paperknife(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", error_of(&output));
    assert_eq!(output.stdout, b"", "{arguments:?}: a failure prints nothing on standard output");
    error_of(&output)
}

/// A server whose every line on standard output is read, until it listens.
struct Started {
    child: Child,
    rest: BufReader<ChildStdout>,
    lines: Vec<String>,
}

fn start(data: &Path) -> Started {
    let mut child = Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut rest = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.starts_with("listening on ")) {
        let mut line = String::new();
        assert_ne!(rest.read_line(&mut line).unwrap(), 0, "it ended: {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    Started { child, rest, lines }
}

impl Started {
    fn address(&self) -> &str {
        self.lines.last().unwrap().strip_prefix("listening on http://").unwrap()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Its exit code, and what it still printed.
    fn end(mut self) -> (Option<i32>, String) {
        let mut printed = String::new();
        self.rest.read_to_string(&mut printed).unwrap();
        (self.child.wait().unwrap().code(), printed)
    }
}

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    (folder, data)
}

#[test]
fn the_first_start_prints_a_token_and_the_second_does_not() {
    let (_folder, data) = folder();
    let first = start(Path::new(&data));
    assert_eq!(first.lines.len(), 2, "{:?}", first.lines);
    assert!(first.lines[0].starts_with("admin token (shown once): pkn_"), "{:?}", first.lines);
    first.signal("-TERM");
    assert_eq!(first.end(), (Some(0), String::new()));
    let second = start(Path::new(&data));
    assert_eq!(second.lines.len(), 1, "{:?}", second.lines);
    second.signal("-INT");
    assert_eq!(second.end(), (Some(0), String::new()));
}

#[test]
fn a_second_signal_ends_what_a_first_one_drains() {
    let (_folder, data) = folder();
    let server = start(Path::new(&data));
    let token = done(&["relays", "add", "acme", "--data", &data]);
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head =
        format!("POST /ingest/acme HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 9\r\n\r\n1");
    slow.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let stopped = Instant::now();
    server.signal("-TERM");
    std::thread::sleep(Duration::from_millis(700));
    assert!(Command::new("kill").args(["-0", &server.child.id().to_string()]).status().unwrap().success(), "it drains");
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(10), "the slow request was waited for");
}

#[test]
fn the_data_folder_is_its_owners_alone() {
    let gateway = Gateway::start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&gateway.data()), 0);
    for name in ["root.key", "keystore.db", "store.db", "store.db-wal"] {
        assert_eq!(mode(&gateway.data().join(name)), 0, "{name} is open to others");
    }
}

#[test]
fn a_relays_token_is_printed_alone_and_kept_nowhere() {
    let (_folder, data) = folder();
    let token = done(&["relays", "add", "acme", "--profile", "senml-json", "--data", &data]);
    let secret = token.strip_prefix("pkr_").expect("a relay's token");
    assert_eq!(secret.len(), 43, "32 bytes in base64url");
    for command in [&["relays", "list", "--json"][..], &["relays", "show", "acme", "--json"], &["relays", "list"]] {
        let printed = done(&[command, &["--data", &data]].concat());
        assert!(printed.contains("acme") && !printed.contains(secret), "{printed}");
    }
    let listed: Value = serde_json::from_str(&done(&["relays", "list", "--json", "--data", &data])).unwrap();
    assert_eq!(listed["items"][0]["profile"], "senml-json");
    assert_eq!(failed(&["relays", "add", "acme", "--data", &data], 1).lines().count(), 1);
    done(&["relays", "remove", "acme", "--data", &data]);
    failed(&["relays", "show", "acme", "--data", &data], 1);
    failed(&["relays", "remove", "acme", "--data", &data], 1);
}

#[test]
fn an_account_that_could_not_work_is_not_made() {
    let (_folder, data) = folder();
    for wrong in [
        &["acme", "--profile", "senml"][..],
        &["acme", "--set", "endpoint_from"],
        &["acme", "--set", "endpoint_from=cookie:x"],
        &["acme", "--set", "endpiont_from=header:x"],
        &["a/b"],
        &[""],
    ] {
        failed(&[&["relays", "add"], wrong, &["--data", &data]].concat(), 2);
    }
    assert_eq!(done(&["relays", "add", "a", "--data", &data]).len(), 47);
    assert_eq!(done(&["relays", "list", "--data", &data]).lines().count(), 1);
}

#[test]
fn a_token_works_until_it_is_revoked() {
    let gateway = Gateway::start();
    let place = gateway.place();
    let token = done(&["tokens", "add", "reader", "--scope", "read", "--data", &place]);
    let status = || {
        let bearer = format!("Bearer {token}");
        let ask = |path| gateway.request("GET", path, &[], &[("authorization", &bearer)]).status;
        (ask("/v1/messages"), ask("/v1/refusals"))
    };
    assert_eq!(status(), (200, 403));
    done(&["tokens", "revoke", "reader", "--data", &place]);
    assert_eq!(status(), (401, 401));
    assert!(!done(&["tokens", "list", "--json", "--data", &place]).contains(&token));
    failed(&["tokens", "revoke", "reader", "--data", &place], 1);
    failed(&["tokens", "add", "x", "--scope", "root", "--data", &place], 2);
}

#[test]
fn devices_are_added_shown_and_revoked() {
    let (_folder, data) = folder();
    done(&["devices", "add", DEVICE, "--data", &data]);
    let shown: Value = serde_json::from_str(&done(&["devices", "show", DEVICE, "--json", "--data", &data])).unwrap();
    assert_eq!((shown["device"].as_str(), shown["status"].as_str()), (Some(DEVICE), Some("active")));
    done(&["devices", "revoke", DEVICE, "--reason", "stolen", "--data", &data]);
    assert!(done(&["devices", "list", "--data", &data]).contains("revoked"));
    failed(&["devices", "show", "urn:dev:ops:nobody", "--data", &data], 1);
}

#[test]
fn the_gateways_own_key_is_there_and_rotates() {
    let (_folder, data) = folder();
    done(&["tokens", "add", "x", "--scope", "read", "--data", &data]);
    let keys = || serde_json::from_str::<Value>(&done(&["keys", "list", "--json", "--data", &data])).unwrap();
    let id = keys()["items"][0]["id"].as_str().unwrap().to_owned();
    done(&["keys", "rotate", &id, "--data", &data]);
    let statuses: Vec<_> = keys()["items"].as_array().unwrap().iter().map(|key| key["status"].clone()).collect();
    assert_eq!(statuses.len(), 2);
    assert!(statuses.contains(&"active".into()) && statuses.contains(&"retiring".into()), "{statuses:?}");
    assert!(done(&["keys", "show", &id, "--data", &data]).contains("ECDH-ES+A128KW"));
    failed(&["keys", "show", "nobody", "--data", &data], 1);
}

#[test]
fn a_mistyped_data_folder_is_told_and_not_made() {
    let (folder, _) = folder();
    let nowhere = folder.path().join("dta");
    for list in ["keys", "devices", "relays", "tokens"] {
        let told = failed(&[list, "list", "--data", nowhere.to_str().unwrap()], 1);
        assert!(told.contains("no data folder at"), "{told}");
    }
    assert!(!nowhere.exists());
}

#[test]
fn a_configuration_is_written_checked_and_obeyed() {
    let (folder, data) = folder();
    let file = folder.path().join("p.toml");
    let name = file.to_str().unwrap();
    done(&["config", "init", name]);
    assert_eq!(fs::read_to_string(&file).unwrap(), include_str!("../../config.default.toml"));
    assert_eq!(done(&["config", "check", name]), "no fault found");
    failed(&["config", "init", name], 1);
    fs::write(&file, "[server]\nlistne = 1\nmax_body = \"1 ell\"\n[stroe]\n").unwrap();
    let told = failed(&["config", "check", name], 1);
    assert_eq!(told.lines().count(), 3, "{told}");
    for said in
        ["p.toml:2: server.listne", "did you mean server.listen?", "p.toml:3: server.max_body", "p.toml:4: stroe"]
    {
        assert!(told.contains(said), "{told}");
    }
    assert!(failed(&["serve", "--config", name, "--data", &data], 1).contains("p.toml:2: server.listne"));
    fs::write(&file, format!("[server]\ndata = \"{data}\"\n")).unwrap();
    done(&["tokens", "add", "x", "--scope", "read", "--config", name]);
    assert!(Path::new(&data).join("keystore.db").is_file(), "the file's data folder is used");
}

#[test]
fn the_environment_configures() {
    let (_folder, data) = folder();
    let run = |name: &str, value: &str, arguments: &[&str]| {
        Command::new(BINARY).env(name, value).args(arguments).output().unwrap()
    };
    let added = run("PAPERKNIFE_SERVER__DATA", &data, &["tokens", "add", "x", "--scope", "read"]);
    assert!(added.status.success(), "{}", error_of(&added));
    assert!(Path::new(&data).join("keystore.db").is_file());
    let told = error_of(&run("PAPERKNIFE_SERVER__LISTNE", "x", &["config", "check"]));
    assert!(told.contains("did you mean server.listen?"), "{told}");
}

#[test]
fn metrics_have_a_listener_of_their_own_where_one_is_configured() {
    // A port that was free a moment ago: the configured listener tells its address nowhere.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let gateway = Gateway::start_with(&[("PAPERKNIFE_METRICS__LISTEN", &address)]);
    assert_eq!(gateway.request("GET", "/metrics", &[], &[]).status, 401, "the main listener asks for a token");
    let scrape = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let metrics = scrape("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("paperknife_conservation_error 0"), "{metrics}");
    assert!(scrape("/v1/messages").starts_with("HTTP/1.1 404"), "nothing else is served there");
}

#[test]
fn a_healthcheck_tells_ready_from_gone() {
    let mut gateway = Gateway::start();
    let url = format!("{}/readyz", gateway.url());
    assert_eq!(done(&["healthcheck", "--url", &url]), "ready");
    assert!(failed(&["healthcheck", "--url", &format!("{}/nowhere", gateway.url())], 1).contains("404"));
    gateway.terminate();
    failed(&["healthcheck", "--url", &url], 1);
}
