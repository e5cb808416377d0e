//! The walls of the house: who may import whom, held over the source as it stands.
//!
//! Each file belongs to the longest room that its path begins with. A room names what it may import: rooms, items of
//! rooms (`envelope/recognise`), crates, items of crates (`keystore/key`). What it does not name is forbidden. The
//! three that must stand: the relay has no way to a key, through any chain of rooms or any state that its handlers are
//! given; `envelope` and `payload` have none either; nothing outside `open` runs a private-key operation.
//! Macros that make paths out of pieces stay out of sight.

mod planted;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path as File, PathBuf};

use source::{Path, Word};

/// A room: its name, the modules within it that are not rooms themselves (`*`: any), and what it may import.
struct Room(&'static str, &'static str, &'static str);

/// The rooms, in the order of the data. Names without a file are planned.
const ROOMS: &[Room] = &[
    // leaves
    Room("item", "compat", "serde jiff hex uuid"),
    Room("fault", "", ""),
    Room("clock", "", "item"),
    Room("rate", "", ""),
    Room("codec", "*", "minicbor serde serde_json base64 hex flate2"),
    Room("problem", "", "axum futures_util tower serde serde_json uuid tracing"),
    Room("config", "given keys", "serde toml strsim"),
    // write side
    Room(
        "relay/profiles",
        "*",
        "item codec envelope/recognise envelope/cose/sequence base64 hex serde serde_json flate2",
    ),
    Room("relay/accounts", "", "relay/profiles item store/intake store/failure clock sha2 subtle getrandom base64"),
    Room(
        "relay/transports",
        "http sse mqtt nats amqp spool",
        "relay relay/profiles relay/accounts item codec store/intake store/failure problem clock rate axum http_body_util tokio tower base64 tracing",
    ),
    Room(
        "relay",
        "",
        "relay/profiles relay/accounts relay/transports item codec store/intake store/failure problem clock fault rate axum tokio tower sha2 tracing",
    ),
    Room(
        "envelope",
        "binding claims curve cose cms jose",
        "item codec minicbor der x509_cert serde serde_json base64 hex",
    ),
    Room("guard/sequence", "", "item serde"),
    Room("guard/settled", "", "item guard/sequence serde"),
    Room("guard/admit", "binding cose cms jose", "guard item envelope keystore/key"),
    Room("guard/settle", "", "item guard guard/sequence guard/settled open keystore/key"),
    Room("guard", "", "item"),
    Room("open", "certificate cose cms identity jose", "item codec envelope guard guard/admit keystore sha2"),
    Room("payload", "*", "codec item serde serde_json base64 minicbor jiff"),
    // asked by the command line alone: to a relay or an API client it would be an oracle
    Room("opening/explain", "", "item guard opening serde"),
    Room(
        "opening",
        "budget owner",
        "item codec envelope guard guard/admit guard/settle guard/settled open payload store/ledger store/failure clock fault keystore/Keystore keystore/AdminError keystore/OpenError keystore/error keystore/key rayon tracing",
    ),
    // where both streets meet
    Room("store/failure", "", "rusqlite"),
    Room("store/intake", "", STORE),
    Room("store/ledger", "", STORE),
    Room("store/reader", "*", STORE),
    Room("store/outbox", "", STORE),
    Room("store/event", "", STORE),
    Room("store/glob", "", STORE),
    Room("store/backup", "", STORE),
    Room("store/subscription", "", STORE),
    Room("store", "*", STORE),
    Room("meter", "process", "item store store/reader store/subscription uuid metrics metrics_exporter_prometheus"),
    // read side
    Room(
        "delivery",
        "*",
        "item store store/reader store/outbox store/event store/subscription store/failure clock keystore/Keystore keystore/OpenError hyper hyper_util http_body_util \
         tokio tokio_rustls rustls rustls_native_certs url ipnet httpdate getrandom serde serde_json uuid tracing",
    ),
    Room(
        "api",
        "*",
        "item store/reader store/outbox store/event store/glob store/subscription store/intake store/failure delivery relay/accounts opening/Health opening/Reopen problem clock rate keystore/Keystore keystore/AdminError keystore/OpenError keystore/Scope keystore/Token keystore/TokenInfo keystore/KeyInfo keystore/PublicKeys keystore/PublicKeyInfo axum futures_util tokio tower serde serde_json serde_saphyr base64 hex uuid sha2 tracing",
    ),
    Room("console", "*", "api problem axum"),
    // wiring
    Room("listen", "source tls wire", "item axum hyper hyper_util ipnet rustls tokio tokio_rustls tower tracing"),
    Room("cli", "*", ANYTHING),
    Room("lib", "", ANYTHING),
    Room("main", "", "paperknife"),
];

const STORE: &str = "store store/outbox store/event store/glob store/subscription store/intake store/ledger store/reader store/failure item clock fault guard/settled guard/sequence payload \
                     rusqlite tokio serde serde_json uuid base64 hex sha2 jiff tracing";
const ANYTHING: &str = "*";
/// What every room may use: it gives errors their words.
const EVERYWHERE: &str = "thiserror";

/// What tests may import beside: the rooms that they are set up with. Any crate too, but not the keystore.
const IN_TESTS: &str = "store store/intake store/ledger store/reader store/failure item clock";

/// Where no chain of imports from `relay` may end; nor from `envelope` and `payload`.
const KEYS: &[&str] = &["keystore", "open", "opening", "guard/admit", "guard/settle"];
const KEYLESS: &[&str] = &["relay", "relay/profiles", "relay/accounts", "relay/transports", "envelope", "payload"];

/// Crates that hold keys or ciphers: the root manifest depends on none, so that no `use` can exist.
const STRONGROOM_CRATES: &[&str] = &[
    "aes",
    "aes-gcm",
    "aes-kw",
    "aws-lc-rs",
    "ccm",
    "chacha20poly1305",
    "cms",
    "coset",
    "ed25519-dalek",
    "hkdf",
    "hmac",
    "josekit",
    "openssl",
    "p256",
    "p384",
    "p521",
    "ring",
    "rsa",
];

/// A file of a room, read.
struct Read {
    file: String,
    room: &'static Room,
    module: Vec<String>,
    words: Vec<Word>,
    source: String,
}

#[test]
fn the_walls_stand() {
    let root = File::new(env!("CARGO_MANIFEST_DIR"));
    let crates = crates(&fs::read_to_string(root.join("Cargo.toml")).unwrap());
    let sources = sources(root, "src");
    let faults = faults(&sources, &crates);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_chain_of_rooms_leads_from_the_relay_to_a_key() {
    // The table bounds every import, so its closure bounds the closure of the imports as they are.
    let chains = chains(ROOMS);
    assert!(chains.is_empty(), "{}", chains.join("\n"));
}

/// To a relay or an API client it would be an oracle, so that no room may import it, and of the wiring `open` alone does.
#[test]
fn an_explanation_is_within_reach_of_the_command_line_alone() {
    let explains = |room: &&Room| room.2.split_whitespace().any(|entry| begins("opening/explain", entry));
    let may: Vec<&str> = ROOMS.iter().filter(explains).map(|room| room.0).collect();
    assert_eq!(may, ["opening/explain"], "rooms that may import it, but for itself");
    let sources = sources(File::new(env!("CARGO_MANIFEST_DIR")), "src");
    let naming = |word: &str| -> Vec<&str> {
        let named = sources.iter().filter(|(file, text)| !file.contains("/tests") && text.contains(word));
        named.map(|(file, _)| file.as_str()).collect()
    };
    assert_eq!(naming("opening::explain"), ["src/cli/open/explain.rs"]);
    assert_eq!(naming("Guess {"), ["src/cli/open/explain.rs", "src/opening/explain.rs"]);
}

#[test]
fn the_root_crate_depends_on_no_key_or_cipher() {
    let manifest = fs::read_to_string(File::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert_eq!(strongroom_crates(&manifest), Vec::<String>::new());
}

#[test]
fn every_file_of_the_other_crates_says_its_job() {
    let root = File::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["bench/src", "device/src", "fuzz/targets", "keystore/src", "tests"]
        .into_iter()
        .flat_map(|folder| sources(root, folder));
    let silent: Vec<String> = others.filter(|(_, text)| !says_its_job(text)).map(|(file, _)| file).collect();
    assert_eq!(silent, Vec::<String>::new(), "files that do not open with `//!`");
}

#[test]
fn the_longest_files_and_functions_are_printed() {
    let root = File::new(env!("CARGO_MANIFEST_DIR"));
    let all: Vec<_> =
        ["src", "keystore/src", "device/src"].into_iter().flat_map(|folder| sources(root, folder)).collect();
    let mut files: Vec<_> = all.iter().map(|(file, text)| (text.lines().count(), file.clone())).collect();
    let mut functions: Vec<_> = all.iter().flat_map(|(file, text)| lengths(file, text)).collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    functions.sort_unstable_by(|one, other| other.cmp(one));
    for (lines, name) in files.iter().take(10).chain(functions.iter().take(10)) {
        println!("{lines:5}  {name}");
    }
}

fn lengths(file: &str, text: &str) -> Vec<(usize, String)> {
    let length =
        |function: source::Function| (function.last - function.first + 1, format!("{file}: {}", function.name));
    source::functions(&source::words(text, false)).into_iter().map(length).collect()
}

/// Every fault of these files against the table.
fn faults(sources: &[(String, String)], crates: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, text) in sources {
        match read(file, text) {
            Err(fault) => faults.push(fault),
            Ok(read) => faults.extend(faults_of(&read, crates)),
        }
    }
    faults
}

fn read(file: &str, text: &str) -> Result<Read, String> {
    let module: Vec<String> =
        file.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let room =
        ROOMS.iter().find(|room| room.0 == room_of(&module)).ok_or_else(|| format!("{file}: unplanned module"))?;
    let inner = &module[room.0.split('/').count()..];
    let planned =
        inner.first().is_none_or(|name| name == "tests" || room.1.split(' ').any(|plan| plan == "*" || plan == name));
    if !planned {
        return Err(format!("{file}: unplanned module in `{}`", room.0));
    }
    let tests = module.last().is_some_and(|last| last == "tests") || module.iter().any(|step| step == "tests");
    Ok(Read { file: file.to_owned(), room, words: source::words(text, tests), module, source: text.to_owned() })
}

fn faults_of(read: &Read, crates: &BTreeSet<String>) -> Vec<String> {
    let paths = source::paths(&read.words);
    let scope = Scope {
        module: &read.module,
        aliases: source::aliases(&paths),
        children: source::children(&read.words),
        crates,
    };
    let mut faults: BTreeSet<String> = paths.iter().filter_map(|path| judge(read, &scope, path)).collect();
    if !says_its_job(&read.source) {
        faults.insert(format!("{}: does not open with `//!`", read.file));
    }
    faults.extend(private_key_operations(read));
    faults.extend(handles_of_edge(read, &scope));
    faults.into_iter().collect()
}

/// A crate's README may be its doc.
fn says_its_job(source: &str) -> bool {
    source.starts_with("//!") || source.starts_with("#![doc = include_str!(")
}

/// What names mean in one file.
struct Scope<'a> {
    module: &'a [String],
    aliases: BTreeMap<String, Vec<String>>,
    children: Vec<String>,
    crates: &'a BTreeSet<String>,
}

/// Where a path leads.
enum Target {
    /// Steps from the crate's root.
    Crate(Vec<String>),
    /// Another crate, and steps within it.
    Extern(Vec<String>),
    /// A name of this file: a type, a variant, a generic.
    Local,
}

impl Scope<'_> {
    fn resolve(&self, steps: &[String], inline: bool) -> Target {
        self.resolve_within(steps, inline, 8)
    }

    /// Aliases may stand for aliases; `depth` ends a ring of them.
    fn resolve_within(&self, steps: &[String], inline: bool, depth: usize) -> Target {
        let (first, rest) = (steps[0].as_str(), &steps[1..]);
        let own = if self.module == ["lib"] { &[] } else { self.module };
        let parent = if inline { own } else { &own[..own.len().saturating_sub(1)] };
        let join = |base: &[String], rest: &[String]| Target::Crate([base, rest].concat());
        match first {
            "crate" => join(&[], rest),
            "self" => join(own, rest),
            "super" => join(parent, rest),
            name if self.children.iter().any(|child| child == name) => join(own, steps),
            name => match self.aliases.get(name) {
                Some(full) if full[0] != name && depth > 0 => {
                    self.resolve_within(&[full.as_slice(), rest].concat(), inline, depth - 1)
                }
                _ if self.crates.contains(name) => Target::Extern(steps.to_vec()),
                _ => Target::Local,
            },
        }
    }
}

/// What is wrong with a path, if anything.
fn judge(read: &Read, scope: &Scope<'_>, path: &Path) -> Option<String> {
    let may = Permission { may: read.room.2, test: path.test };
    let what = match scope.resolve(&path.steps, path.inline) {
        _ if path.steps.iter().filter(|step| *step == "super").count() > 1 => Some("`super::super`".into()),
        Target::Local => None,
        Target::Extern(steps) if may.cross(&steps) => None,
        Target::Extern(steps) => Some(format!("`{}` may not import `{}`", read.room.0, steps.join("::"))),
        Target::Crate(steps) => judge_room(read.room.0, may, &steps, path.public),
    };
    what.map(|what| format!("{}:{}: {what}", read.file, path.line))
}

fn judge_room(own: &str, may: Permission, steps: &[String], public: bool) -> Option<String> {
    let (room, name) = (room_of(steps), steps.join("::"));
    let glob = steps.last().is_some_and(|last| last == "*");
    match room {
        // `use crate as c`: what is made of it is judged in turn.
        _ if steps.is_empty() => None,
        "" if may.wires() => None,
        "" => Some(format!("`{own}` imports `{name}` of the crate's root")),
        _ if public && room != own => Some(format!("`{own}` hands on `{name}`, which is of another room")),
        _ if glob && !may.test => Some(format!("`{own}` imports all of `{room}` by a glob")),
        _ if room == own || may.enter(steps, room) => None,
        _ => Some(format!("`{own}` may not import `{room}`")),
    }
}

/// What a room may import, and whether it is its tests that ask.
#[derive(Clone, Copy)]
struct Permission {
    may: &'static str,
    test: bool,
}

impl Permission {
    /// Wiring may name everything; so may the tests of a room that is near the keystore anyway: they set a house up.
    fn wires(self) -> bool {
        self.may == ANYTHING || self.test && self.may.contains("keystore")
    }

    fn enter(self, steps: &[String], room: &str) -> bool {
        self.wires() || lists(self.may, steps, room) || self.test && lists(IN_TESTS, steps, room)
    }

    fn cross(self, steps: &[String]) -> bool {
        let name = steps[0].as_str();
        self.wires() || lists(self.may, steps, name) || name == EVERYWHERE || self.test && name != "keystore"
    }
}

/// Whether a list names the room or crate of these steps, an item on the way to them, or something further that they
/// are on the way to (`use crate::guard` where `guard/settled` may be imported: what is made of it is judged in turn).
fn lists(may: &str, steps: &[String], room: &str) -> bool {
    let path = steps.join("/");
    may.split_whitespace().any(|entry| {
        entry == room || entry.starts_with(&format!("{path}/")) || entry.len() > room.len() && begins(&path, entry)
    })
}

fn begins(path: &str, with: &str) -> bool {
    path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The longest room that these steps begin with; empty where there is none.
fn room_of(steps: &[String]) -> &'static str {
    let path = steps.join("/");
    ROOMS.iter().map(|room| room.0).filter(|room| begins(&path, room)).max_by_key(|room| room.len()).unwrap_or_default()
}

/// `Keystore::run` is called by `open` alone. A recipe, without which there is nothing to run, can be made nowhere else
/// either: no other room may import `keystore::recipe`.
fn private_key_operations(read: &Read) -> Vec<String> {
    let wired = read.room.0 == "open" || read.room.2 == ANYTHING;
    let calls = read.words.windows(4).filter(|four| {
        let [owner, join, name, after] = four else { return false };
        let of_keystore = [("keystore", "."), ("Keystore", "::")].contains(&(owner.text.as_str(), join.text.as_str()));
        of_keystore && name.text == "run" && after.text == "(" && !name.test
    });
    let fault =
        |call: &[Word]| format!("{}:{}: `{}` may not run an operation on keys", read.file, call[2].line, read.room.0);
    calls.filter(|_| !wired).map(fault).collect()
}

/// What `relay::Edge` holds: no handle of the store but the intake, and nothing behind which a handle could hide.
fn handles_of_edge(read: &Read, scope: &Scope<'_>) -> Vec<String> {
    if read.file != "src/relay.rs" {
        return Vec::new();
    }
    let Some(at) = read.words.windows(2).position(|pair| pair[0].text == "struct" && pair[1].text == "Edge") else {
        return vec!["src/relay.rs: has no `struct Edge`".into()];
    };
    let fields = &read.words[at..source::item_end(&read.words, at)];
    let named = (0..fields.len()).filter(|at| hides_a_handle(&fields[*at..], scope));
    named.map(|at| format!("{}:{}: `Edge` may not hold `{}`", read.file, fields[at].line, fields[at].text)).collect()
}

/// A handle by its name, or what can close over one: a trait object other than the clock. A function that takes a
/// duration and gives nothing back is no way in.
fn hides_a_handle(words: &[Word], scope: &Scope<'_>) -> bool {
    const HANDLES: [&str; 8] = ["Desk", "House", "Keystore", "Ledger", "Owner", "Reader", "Reopen", "Store"];
    const CLOSED: [&str; 5] = ["Any", "Fn", "FnMut", "FnOnce", "fn"];
    let says = |words: &[Word], signs: &[&str]| {
        signs.iter().zip(words).filter(|(sign, word)| **sign == word.text).count() == signs.len()
    };
    let one_way = |words: &[Word]| says(words, &["Fn", "(", "Duration", ")", "+"]);
    let name = &words[0].text;
    let full = scope.aliases.get(name).and_then(|full| full.last()).unwrap_or(name);
    match full.as_str() {
        "dyn" => !says(words, &["dyn", "Clock"]) && !one_way(&words[1..]),
        closed if CLOSED.contains(&closed) => !one_way(words),
        name => HANDLES.contains(&name),
    }
}

/// Chains of rooms, as the table allows them, from a room without keys to one with.
fn chains(rooms: &[Room]) -> Vec<String> {
    let mut chains = Vec::new();
    for start in KEYLESS {
        let (mut seen, mut open) = (BTreeSet::from([(*start).to_owned()]), vec![vec![(*start).to_owned()]]);
        while let Some(chain) = open.pop() {
            let last = chain.last().cloned().unwrap_or_default();
            if KEYS.iter().any(|key| begins(&last, key)) {
                chains.push(chain.join(" → "));
                continue;
            }
            let may = rooms.iter().find(|room| room.0 == last).map_or("", |room| room.2);
            for next in may.split_whitespace().map(room_or_crate) {
                if seen.insert(next.clone()) {
                    open.push([chain.as_slice(), &[next]].concat());
                }
            }
        }
    }
    chains
}

fn room_or_crate(entry: &str) -> String {
    let steps: Vec<String> = entry.split('/').map(str::to_owned).collect();
    match room_of(&steps) {
        "" => entry.to_owned(),
        room => room.to_owned(),
    }
}

/// Names of the crates that code of the root package can reach, as code spells them.
fn crates(manifest: &str) -> BTreeSet<String> {
    let listed = ["[dependencies]", "[dev-dependencies]"].into_iter().flat_map(|table| dependencies(manifest, table));
    listed.map(|name| name.replace('-', "_")).chain(["paperknife".into()]).collect()
}

fn strongroom_crates(manifest: &str) -> Vec<String> {
    let listed = ["[dependencies]", "[build-dependencies]"].into_iter().flat_map(|table| dependencies(manifest, table));
    listed.filter(|name| STRONGROOM_CRATES.contains(&name.as_str())).collect()
}

fn dependencies(manifest: &str, table: &str) -> Vec<String> {
    let lines =
        manifest.lines().skip_while(|line| line.trim() != table).skip(1).take_while(|line| !line.starts_with('['));
    let name = |line: &str| line.split(['=', '.', ' ']).next().unwrap_or_default().to_owned();
    lines.filter(|line| line.contains('=') && !line.starts_with('#')).map(name).collect()
}

/// Every Rust file below a folder, by its path from the root; none where the folder is still to come.
fn sources(root: &File, folder: &str) -> Vec<(String, String)> {
    let (mut open, mut found) = (vec![root.join(folder)], Vec::new());
    open.retain(|folder| folder.is_dir());
    while let Some(folder) = open.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
