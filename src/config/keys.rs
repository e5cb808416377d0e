//! Every key that a configuration may hold, on one page, with what it does. `*` stands for a name that the operator
//! chooses. A key that acts later is checked for its form now, so that a file written today stays good.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, KIB, MIB, Read};
use super::{Config, LogFormat};

/// What giving a key does.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    /// Without effect in this version; the form is checked.
    Later(fn(&Given) -> Read<()>),
    /// Sets a value.
    Now(fn(&mut Config, &Given) -> Read<()>),
}

use Effect::{Later, Now};

const KEYS: &[(&str, Effect)] = &[
    ("server.listen", Now(|config, given| set(&mut config.server.listen, given.address()))),
    ("server.data", Now(|config, given| set(&mut config.server.data, given.text().map(Into::into)))),
    ("server.max_connections", Now(|config, given| set(&mut config.server.max_connections, given.count()))),
    ("server.max_body", Now(|config, given| set(&mut config.server.max_body, at_most(given.size(), 64 * MIB)))),
    ("server.header_timeout", Now(|config, given| set(&mut config.server.header_timeout, given.duration()))),
    ("server.body_timeout", Now(|config, given| set(&mut config.server.body_timeout, given.duration()))),
    ("server.shutdown_grace", Now(|config, given| set(&mut config.server.shutdown_grace, given.duration()))),
    ("server.trusted_proxies", Now(|config, given| set(&mut config.server.trusted_proxies, networks(given)))),
    ("server.tls.cert", Now(|config, given| set(&mut config.server.tls.cert, path(given)))),
    ("server.tls.key", Now(|config, given| set(&mut config.server.tls.key, path(given)))),
    ("server.tls.client_ca", Now(|config, given| set(&mut config.server.tls.client_ca, path(given)))),
    ("gateway.audience", Now(|config, given| set(&mut config.gateway.audience, given.texts()))),
    ("gateway.source", Now(|config, given| set(&mut config.gateway.source, given.text()))),
    ("gateway.default_class", Later(text)),
    ("keystore.root", Later(any)),
    ("limits.envelope", Now(|config, given| set(&mut config.limits.envelope, at_most(given.size(), MIB)))),
    ("limits.inflation", Later(number)),
    ("limits.headers", Later(|given| at_most(given.size(), 64 * KIB).map(drop))),
    ("limits.records", Later(number)),
    ("limits.expansion", Later(size)),
    ("limits.failed_openings", Later(number)),
    ("limits.token_rate", Now(|config, given| set(&mut config.limits.token_rate, rate(given)))),
    ("limits.guess_rate", Now(|config, given| set(&mut config.limits.guess_rate, rate(given)))),
    ("classes.*.*", Later(any)),
    ("relays.*.profile", Later(text)),
    ("relays.*.held_quota", Later(number)),
    ("relays.*.rate", Later(number)),
    ("relays.*.endpoint_from", Later(text)),
    ("relays.*.path_from", Later(text)),
    ("relays.*.topic", Later(text)),
    ("relays.*.topic_from", Later(text)),
    ("relays.*.base_path", Later(text)),
    ("relays.*.names", Later(any)),
    ("relays.*.items", Later(text)),
    ("relays.*.endpoint", Later(text)),
    ("relays.*.path", Later(text)),
    ("relays.*.time", Later(text)),
    ("relays.*.time_unit", Later(|given| given.one_of(&[("s", ()), ("ms", ())]))),
    ("relays.*.seq", Later(text)),
    ("relays.*.blob", Later(text)),
    ("relays.*.encoding", Later(text)),
    ("relays.*.inner", Later(text)),
    ("intake.max_pending", Now(|config, given| set(&mut config.intake.max_pending, given.number()))),
    (
        "intake.max_pending_bytes",
        Now(|config, given| set(&mut config.intake.max_pending_bytes, given.size().map(|bytes| bytes as u64))),
    ),
    ("intake.opening_threads", Now(|config, given| set(&mut config.intake.opening_threads, threads(given)))),
    ("store.retention", Now(|config, given| set(&mut config.store.retention, given.keep()))),
    ("store.keep_sealed", Now(|config, given| set(&mut config.store.keep_sealed, given.keep()))),
    ("store.keep_receipts", Now(|config, given| set(&mut config.store.keep_receipts, given.keep()))),
    ("store.keep_refused", Now(|config, given| set(&mut config.store.keep_refused, given.keep()))),
    ("store.sqlite", Later(any)),
    ("store.postgres", Later(any)),
    ("delivery.allow_http", Now(|config, given| set(&mut config.delivery.allow_http, given.flag()))),
    ("delivery.allow_networks", Now(|config, given| set(&mut config.delivery.allow_networks, networks(given)))),
    ("delivery.timeout", Now(|config, given| set(&mut config.delivery.timeout, given.duration()))),
    ("delivery.schedule", Now(|config, given| set(&mut config.delivery.schedule, durations(given)))),
    ("delivery.files", Now(|config, given| set(&mut config.delivery.files, path(given)))),
    ("log.format", Now(|config, given| set(&mut config.log.format, given.one_of(LOG_FORMATS)))),
    ("log.level", Now(|config, given| set(&mut config.log.level, given.text()))),
    ("metrics.listen", Now(|config, given| set(&mut config.metrics.listen, given.address().map(Some)))),
    ("tracing.otlp", Later(text)),
];

const LOG_FORMATS: &[(&str, LogFormat)] = &[("json", LogFormat::Json), ("text", LogFormat::Text)];

/// What the key of these steps does.
pub(super) fn find(steps: &[String]) -> Option<Effect> {
    KEYS.iter().find(|(key, _)| matches(key, steps, false)).map(|(_, effect)| *effect)
}

/// Whether these steps name a key, whose value may itself be a table.
pub(super) fn is_value(steps: &[String]) -> bool {
    find(steps).is_some()
}

/// Whether some key lies below these steps.
pub(super) fn is_table(steps: &[String]) -> bool {
    KEYS.iter().any(|(key, _)| matches(key, steps, true))
}

/// What to tell of a key that is none, with the nearest that is.
pub(super) fn unknown(steps: &[String]) -> String {
    if is_table(steps) {
        return "is a table of keys, not a value".into();
    }
    let given = steps.join(".");
    let name = |pattern: &str| fill(pattern, steps);
    let nearest = KEYS
        .iter()
        .flat_map(|(key, _)| prefixes(key))
        .map(name)
        .map(|known| (strsim::osa_distance(&given, &known), known))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        // Beyond half of its letters a name is not mistyped but another one.
        Some((distance, known)) if distance * 2 <= given.len() => format!("unknown key; did you mean {known}?"),
        _ => "unknown key".into(),
    }
}

/// All key patterns, for the test that the defaults file speaks of each.
#[cfg(test)]
pub(super) fn patterns() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

fn matches(key: &str, steps: &[String], below: bool) -> bool {
    let pattern: Vec<&str> = key.split('.').collect();
    let fits = if below { pattern.len() > steps.len() } else { pattern.len() == steps.len() };
    fits && pattern.iter().zip(steps).all(|(part, step)| *part == "*" || part == step)
}

/// `server.tls.cert` → `server`, `server.tls`, `server.tls.cert`: a table's name can be mistyped too.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('.').map(|(at, _)| &key[..at]).chain([key])
}

/// The pattern with the operator's own names in the places of its stars.
fn fill(pattern: &str, steps: &[String]) -> String {
    let given = steps.iter().map(String::as_str).chain(std::iter::repeat("NAME"));
    let parts: Vec<&str> =
        pattern.split('.').zip(given).map(|(part, own)| if part == "*" { own } else { part }).collect();
    parts.join(".")
}

fn set<T>(slot: &mut T, value: Read<T>) -> Read<()> {
    *slot = value?;
    Ok(())
}

fn at_most(size: Read<usize>, ceiling: usize) -> Read<usize> {
    match size? {
        size if size > ceiling => Err(format!("must be at most {ceiling} bytes")),
        size => Ok(size),
    }
}

/// 0 is one a core.
fn threads(given: &Given) -> Read<usize> {
    match given.number()? {
        threads @ 0..=1024 => Ok(threads as usize),
        _ => Err("must be at most 1024".into()),
    }
}

/// 0 is unlimited.
fn rate(given: &Given) -> Read<u32> {
    u32::try_from(given.number()?).map_err(|_| "is too large".into())
}

fn path(given: &Given) -> Read<Option<PathBuf>> {
    given.text().map(|path| Some(path.into()))
}

fn any(_: &Given) -> Read<()> {
    Ok(())
}

fn durations(given: &Given) -> Read<Vec<Duration>> {
    match given {
        Given::List(items) if items.is_empty() => Err("must hold at least one duration".into()),
        Given::List(items) => items.iter().map(Given::duration).collect(),
        other => other.duration().map(|one| vec![one]),
    }
}

/// `"10.0.0.0/8"`, `"fd00::/8"`.
fn networks(given: &Given) -> Read<Vec<String>> {
    let networks = given.texts()?;
    match networks.iter().find(|network| !is_network(network)) {
        Some(wrong) => Err(format!("must be networks such as \"10.0.0.0/8\", not {wrong:?}")),
        None => Ok(networks),
    }
}

fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}

fn number(given: &Given) -> Read<()> {
    given.number().map(drop)
}

fn size(given: &Given) -> Read<()> {
    given.size().map(drop)
}

fn text(given: &Given) -> Read<()> {
    given.text().map(drop)
}
