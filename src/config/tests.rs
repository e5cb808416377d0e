//! The defaults file is the defaults; every fault is told, with its place.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::given::Given;
use super::{Config, DEFAULTS, Faults, LogFormat, keys, load, parse};

fn read(text: &str) -> Config {
    parse(Path::new("t.toml"), text).unwrap().config
}

fn faults(text: &str) -> Vec<String> {
    let Faults(faults) = parse(Path::new("t.toml"), text).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_defaults_file_is_the_defaults() {
    let loaded = parse(Path::new("config.default.toml"), DEFAULTS).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.idle, []);
}

#[test]
fn each_value_of_the_defaults_file_is_read_and_not_skipped() {
    // Were a line of the file ignored, the test above would not see it: another value must make another configuration.
    let changed = DEFAULTS
        .replace("listen = \"127.0.0.1:8080\"", "listen = \"127.0.0.1:1\"")
        .replace("data = \"data\"", "data = \"x\"")
        .replace("= 10000 ", "= 1 ")
        .replace("\"8MiB\"", "\"1MiB\"")
        .replace("\"10s\"", "\"1s\"")
        .replace("\"30s\"", "\"1s\"")
        .replace("audience = []", "audience = [\"a\"]")
        .replace("\"64KiB\"", "\"1KiB\"")
        .replace("= 1000000 ", "= 1 ")
        .replace("max_pending_bytes = \"1GiB\"", "max_pending_bytes = 1")
        .replace("opening_threads = 0", "opening_threads = 1")
        .replace("\"forever\"", "\"1d\"")
        .replace("\"30d\"", "\"1d\"")
        .replace("format = \"text\"", "format = \"json\"")
        .replace("level = \"info\"", "level = \"warn\"");
    let (read, default) = (read(&changed), Config::default());
    let second = Duration::from_secs(1);
    assert_eq!(read.server.listen.port(), 1);
    assert_eq!(read.server.data, Path::new("x"));
    assert_eq!((read.server.max_connections, read.server.max_body), (1, 1 << 20));
    assert_eq!([read.server.header_timeout, read.server.body_timeout, read.server.shutdown_grace], [second; 3]);
    assert_ne!(read.gateway, default.gateway);
    assert_ne!(read.limits, default.limits);
    assert_eq!((read.intake.max_pending, read.intake.max_pending_bytes, read.intake.opening_threads), (1, 1, 1));
    let store = read.store;
    let day = Some(Duration::from_secs(86_400));
    assert_eq!([store.retention, store.keep_sealed, store.keep_receipts, store.keep_refused], [day; 4]);
    assert_eq!((read.log.format, read.log.level.as_str()), (LogFormat::Json, "warn"));
}

#[test]
fn the_defaults_file_speaks_of_every_key() {
    for pattern in keys::patterns() {
        let (table, key) = pattern.split_once('.').unwrap();
        let section = DEFAULTS
            .split("\n[")
            .find(|part| part.starts_with(table))
            .or_else(|| DEFAULTS.split("\n# [").find(|part| part.starts_with(table)));
        let key = key.trim_start_matches("*.");
        let told = section.is_some_and(|part| {
            key == "*" || part.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")))
        });
        assert!(told, "config.default.toml does not speak of {pattern}");
    }
}

#[test]
fn what_is_commented_out_is_known_too() {
    let open = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.split(' ').nth(1) == Some("=") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = DEFAULTS.lines().map(open).collect();
    let loaded = parse(Path::new("t.toml"), &text.join("\n")).unwrap();
    assert!(loaded.idle.len() > 25, "{:?}", loaded.idle);
}

#[test]
fn every_fault_is_told_with_line_and_key() {
    let text = "[server]\nlistne = \"x\"\nmax_body = \"8MB\"\n\n[sevrer]\nlisten = 1\n[log]\nformat = \"xml\"\n";
    assert_eq!(
        faults(text),
        [
            "t.toml:2: server.listne: unknown key; did you mean server.listen?",
            "t.toml:3: server.max_body: must be a size such as \"64KiB\", \"8MiB\", \"1GiB\", not \"8MB\"",
            "t.toml:5: sevrer: unknown key; did you mean server?",
            "t.toml:8: log.format: must be one of json, text, not \"xml\"",
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_by_line() {
    let told = faults("[server]\nlisten = \n");
    assert!(told[0].starts_with("t.toml:2: "), "{told:?}");
}

#[test]
fn a_missing_file_is_a_fault() {
    let Faults(faults) = load(Some(Path::new("/nowhere/paperknife.toml")), &[]).unwrap_err();
    assert!(faults[0].to_string().starts_with("/nowhere/paperknife.toml: "), "{}", faults[0]);
}

#[test]
fn a_table_given_a_value_is_told() {
    assert_eq!(faults("server = 3"), ["t.toml:1: server: is a table of keys, not a value"]);
}

#[test]
fn the_environment_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:1\"\nmax_connections = 7\n").unwrap();
    let environment = variables(&[
        ("PAPERKNIFE_SERVER__LISTEN", "[::1]:2"),
        ("PAPERKNIFE_GATEWAY__AUDIENCE", r#"["a", "b"]"#),
        ("PAPERKNIFE_INTAKE__MAX_PENDING", "5"),
        ("PAPERKNIFE_STORE__KEEP_SEALED", "forever"),
    ]);
    let config = load(Some(&file), &environment).unwrap().config;
    assert_eq!((config.server.listen.port(), config.server.max_connections), (2, 7));
    assert_eq!(config.gateway.audience, ["a", "b"]);
    assert_eq!((config.intake.max_pending, config.store.keep_sealed), (5, None));
}

#[test]
fn a_variable_that_is_mistyped_is_told_and_one_of_an_orchestrator_is_not() {
    let environment = variables(&[("PAPERKNIFE_SERVER__LISTNE", "x"), ("PAPERKNIFE_PORT", "tcp://10.0.0.1:80")]);
    let Faults(faults) = load(None, &environment).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["PAPERKNIFE_SERVER__LISTNE: server.listne: unknown key; did you mean server.listen?"]);
}

#[test]
fn a_key_for_later_is_taken_and_named() {
    let loaded = parse(Path::new("t.toml"), "[relays.\"a.b\"]\nrate = 5\n[store]\nsqlite = {}\n").unwrap();
    let idle: Vec<String> = loaded.idle.iter().map(ToString::to_string).collect();
    assert_eq!(idle.len(), 2);
    assert!(idle.contains(&"t.toml:2: relays.a.b.rate: known, but without effect in this version".into()), "{idle:?}");
    assert_eq!(faults("[relays.a]\nrate = \"fast\"\n").len(), 1);
}

#[test]
fn delivery_reaches_what_the_file_names() {
    let text =
        "[delivery]\nallow_http = true\nallow_networks = [\"10.0.0.0/8\", \"fd00::/8\"]\nschedule = [\"0s\", \"1m\"]\n";
    let delivery = parse(Path::new("t.toml"), text).unwrap().config.delivery;
    assert_eq!((delivery.allow_http, delivery.allow_networks.len(), delivery.schedule.len()), (true, 2, 2));
    let wrong =
        ["timeout = 15", "allow_networks = [\"10.0.0.0\"]", "allow_networks = [\"10.0.0.0/33\"]", "schedule = []"];
    for line in wrong {
        assert_eq!(faults(&format!("[delivery]\n{line}\n")).len(), 1, "{line}");
    }
}

#[test]
fn limits_have_ceilings() {
    assert_eq!(faults("[limits]\nenvelope = \"2MiB\"\n"), ["t.toml:2: limits.envelope: must be at most 1048576 bytes"]);
    assert_eq!(faults("[server]\nmax_connections = 0\n"), ["t.toml:2: server.max_connections: must be at least 1"]);
}

#[test]
fn durations_and_sizes() {
    let text = |text: &str| Given::Text(text.to_owned());
    for (given, millis) in [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)] {
        assert_eq!(text(given).duration(), Ok(Duration::from_millis(millis)), "{given}");
    }
    for (given, bytes) in [("1B", 1), ("64KiB", 65_536), ("8 MiB", 8 << 20), ("1GiB", 1 << 30)] {
        assert_eq!(text(given).size(), Ok(bytes), "{given}");
    }
    for given in ["", "s", "-1s", "1.5s", "1 fortnight", "18446744073709551615d", "8MB", "8"] {
        assert!(text(given).duration().is_err(), "{given}");
    }
    for given in ["", "MiB", "-1B", "8MB", "0KiB", "18446744073709551615GiB"] {
        assert!(text(given).size().is_err(), "{given}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_told(text in any::<String>()) {
        let _ = parse(Path::new("t.toml"), &text);
    }

    #[test]
    fn any_variable_is_read_or_told(name in "[A-Z_]{0,20}", value in any::<String>()) {
        let _ = load(None, &[(format!("PAPERKNIFE_{name}"), value)]);
    }

    #[test]
    fn a_duration_reads_as_written(seconds in 0..1_000_000_000_u64) {
        let read = Given::Text(format!("{seconds}s")).duration();
        prop_assert_eq!(read, Ok(Duration::from_secs(seconds)));
    }

    #[test]
    fn a_mistyped_key_is_named_with_its_neighbour(at in 0..6_usize, letter in "[a-z]") {
        let mut key = "listen".to_owned();
        key.replace_range(at..=at, &letter);
        if key != "listen" {
            let told = faults(&format!("[server]\n{key} = \"127.0.0.1:0\"\n"));
            prop_assert!(told[0].ends_with("did you mean server.listen?"), "{:?}", told);
        }
    }
}
