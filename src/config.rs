//! The configuration: a TOML file, then the environment, then flags, into typed tables. Read once, at the start.
//!
//! May import std, toml and strsim, and no room: each room has its own `Limits`, which `cli::serve` fills from here, so
//! that no room learns of files or variables. It holds paths of secrets, never secrets. Every fault is told, not only
//! the first, and an unknown key is a fault: a limit that was mistyped is a limit that is not there.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

mod given;
mod keys;
#[cfg(test)]
mod tests;

use given::Given;
use keys::Effect;

/// The defaults, as a commented file: what `config init` writes.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Variables that configure: `PAPERKNIFE_` and a key whose steps are joined by two underscores.
const PREFIX: &str = "PAPERKNIFE_";

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[limits]`
    pub limits: Limits,
    /// `[intake]`
    pub intake: Intake,
    /// `[store]`
    pub store: Store,
    /// `[delivery]`
    pub delivery: Delivery,
    /// `[log]`
    pub log: Log,
    /// `[metrics]`
    pub metrics: Metrics,
}

/// `[server]`: the HTTP edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen; port 0 is any free port.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Connections at one time.
    pub max_connections: usize,
    /// Bytes of a body, after inflation.
    pub max_body: usize,
    /// Until a request's header block must be there.
    pub header_timeout: Duration,
    /// Until a request's body must be there.
    pub body_timeout: Duration,
    /// What requests under way get when the server is asked to stop.
    pub shutdown_grace: Duration,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// TLS of the listener.
    pub tls: Tls,
}

/// `server.tls`: files in PEM, read again when they change. Without `cert` and `key`, plain HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The chain, the listener's own certificate first.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Only clients with a certificate of these authorities are let in.
    pub client_ca: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("data"),
            max_connections: 10_000,
            max_body: 8 * given::MIB,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
            tls: Tls::default(),
        }
    }
}

/// `[gateway]`: who we are to the devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// The names by which devices address us, for keys that list none of their own.
    pub audience: Vec<String>,
    /// URI by which CloudEvents name us as their source; empty: a general one.
    pub source: String,
}

/// `[limits]`: checked before anything is allocated or computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one envelope.
    pub envelope: usize,
    /// Requests a second of one API token; 0 is unlimited.
    pub token_rate: u32,
    /// Wrong tokens a second of one source; 0 is unlimited.
    pub guess_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { envelope: 64 * given::KIB, token_rate: 1000, guess_rate: 10 }
    }
}

/// `[intake]`: what may wait to be opened, and who opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Items.
    pub max_pending: u64,
    /// Bytes.
    pub max_pending_bytes: u64,
    /// Threads that open; 0 is one a core.
    pub opening_threads: usize,
}

impl Default for Intake {
    fn default() -> Self {
        Self { max_pending: 1_000_000, max_pending_bytes: 1 << 30, opening_threads: 0 }
    }
}

/// `[store]`: how long things are kept; `None` is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Messages and readings.
    pub retention: Option<Duration>,
    /// Sealed bytes beside their message, as evidence.
    pub keep_sealed: Option<Duration>,
    /// Receipts.
    pub keep_receipts: Option<Duration>,
    /// Refused items.
    pub keep_refused: Option<Duration>,
}

impl Default for Store {
    fn default() -> Self {
        let month = Some(30 * given::DAY);
        Self { retention: None, keep_sealed: month, keep_receipts: month, keep_refused: month }
    }
}

/// `[delivery]`: what webhooks may reach, and when they are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Receivers without TLS.
    pub allow_http: bool,
    /// Networks whose addresses are reached on any port, as address/length; else public addresses on port 443.
    pub allow_networks: Vec<String>,
    /// Of one attempt.
    pub timeout: Duration,
    /// Before each attempt.
    pub schedule: Vec<Duration>,
    /// Folder in which subscriptions may keep files of events; none: they may not.
    pub files: Option<PathBuf>,
}

impl Default for Delivery {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        let schedule = [0, 5, 5 * 60, 30 * 60, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self {
            allow_http: false,
            allow_networks: Vec::new(),
            timeout: Duration::from_secs(15),
            schedule: schedule.map(Duration::from_secs).to_vec(),
            files: None,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,paperknife=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// A listener of its own, where `/metrics` asks for no token.
    pub listen: Option<SocketAddr>,
}

/// A configuration, and the keys in it that this version knows but does not act on.
#[derive(Debug)]
pub struct Loaded {
    /// The typed values.
    pub config: Config,
    /// Keys without effect yet, to be told.
    pub idle: Vec<Fault>,
}

/// One thing to tell of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the key was given.
    pub place: Place,
    /// The key with its tables, joined by dots; empty where the file cannot be read at all.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
}

/// Where a key was given, in the order of reading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file as a whole.
    File(PathBuf),
    /// A line of a file, from 1.
    Line(PathBuf, usize),
    /// An environment variable, by name.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Line(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.what),
            key => write!(f, "{}: {key}: {}", self.place, self.what),
        }
    }
}

/// Every fault that was found.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

/// This process's environment. Names and values that are not text configure nothing.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Defaults, overlaid by `file` if there is one, overlaid by the `environment`.
///
/// # Errors
/// Every fault of both.
pub fn load(file: Option<&Path>, environment: &[(String, String)]) -> Result<Loaded, Faults> {
    let mut reading = Reading::default();
    if let Some(path) = file {
        reading.file(path);
    }
    reading.environment(environment);
    reading.done()
}

/// The same for text that is a file's content; `name` stands for the file in faults.
///
/// # Errors
/// Every fault.
pub fn parse(name: &Path, text: &str) -> Result<Loaded, Faults> {
    let mut reading = Reading::default();
    reading.text(name, text);
    reading.done()
}

/// A configuration under way.
#[derive(Default)]
struct Reading {
    config: Config,
    idle: Vec<Fault>,
    faults: Vec<Fault>,
}

impl Reading {
    fn done(mut self) -> Result<Loaded, Faults> {
        self.faults.sort_by(|one, other| one.place.cmp(&other.place));
        self.idle.sort_by(|one, other| one.place.cmp(&other.place));
        match self.faults.is_empty() {
            true => Ok(Loaded { config: self.config, idle: self.idle }),
            false => Err(Faults(self.faults)),
        }
    }

    fn file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.text(path, &text),
            Err(error) => self.fault(Place::File(path.into()), String::new(), error.to_string()),
        }
    }

    fn text(&mut self, name: &Path, text: &str) {
        let line = |at: usize| {
            Place::Line(name.into(), 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count())
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = error.span().map_or_else(|| Place::File(name.into()), |span| line(span.start));
            self.fault(place, String::new(), error.message().to_owned());
        }
        self.table(&mut Vec::new(), table.get_ref(), &line);
    }

    /// Walks a table down to its values: a step a key, so that a quoted name may hold dots.
    fn table(&mut self, steps: &mut Vec<String>, table: &DeTable<'_>, line: &dyn Fn(usize) -> Place) {
        for (key, value) in table {
            steps.push(key.get_ref().to_string());
            match value.get_ref() {
                DeValue::Table(inner) if !keys::is_value(steps) => self.table_or_unknown(steps, key, inner, line),
                value => self.value(steps, &Given::from_toml(value), line(key.span().start)),
            }
            steps.pop();
        }
    }

    /// An unknown table is told once, not once for each of its keys.
    fn table_or_unknown(
        &mut self,
        steps: &mut Vec<String>,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        inner: &DeTable<'_>,
        line: &dyn Fn(usize) -> Place,
    ) {
        match keys::is_table(steps) {
            true => self.table(steps, inner, line),
            false => self.fault(line(key.span().start), steps.join("."), keys::unknown(steps)),
        }
    }

    fn environment(&mut self, environment: &[(String, String)]) {
        for (name, value) in environment {
            // One underscore is no step: an orchestrator sets PAPERKNIFE_PORT and the like for a service of our name.
            let Some(key) = name.strip_prefix(PREFIX).filter(|key| key.contains("__")) else { continue };
            let steps: Vec<String> = key.to_ascii_lowercase().split("__").map(str::to_owned).collect();
            self.value(&steps, &Given::from_variable(value), Place::Variable(name.clone()));
        }
    }

    fn value(&mut self, steps: &[String], given: &Given, place: Place) {
        let outcome = match keys::find(steps) {
            None => Err(keys::unknown(steps)),
            Some(Effect::Now(set)) => set(&mut self.config, given),
            Some(Effect::Later(check)) => check(given).map(|()| self.idle(place.clone(), steps)),
        };
        if let Err(what) = outcome {
            self.fault(place, steps.join("."), what);
        }
    }

    fn idle(&mut self, place: Place, steps: &[String]) {
        self.idle.push(Fault { place, key: steps.join("."), what: "known, but without effect in this version".into() });
    }

    fn fault(&mut self, place: Place, key: String, what: String) {
        self.faults.push(Fault { place, key, what });
    }
}
