//! What a disk may hold after a power cut: the log of a run, replayed up to a moment, where what was not synced survives
//! in parts or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use crate::hostile::Dice;

const HEAD: usize = 256;
const SECTOR: u64 = 512;

/// One entry of the recorder's log.
pub(crate) struct Record {
    op: u8,
    offset: u64,
    data: Range<usize>,
    name: String,
}

/// Takes a log apart. The replay must know every call that touched the database.
pub(crate) fn records(log: &[u8]) -> Vec<Record> {
    let (mut records, mut at) = (Vec::new(), 0);
    let number = |at: usize| u64::from_le_bytes(log[at..at + 8].try_into().unwrap());
    while at < log.len() {
        let (op, offset, length) = (log[at], number(at + 8), number(at + 16) as usize);
        let name = log[at + 24..at + HEAD].split(|byte| *byte == 0).next().unwrap();
        let name = String::from_utf8(name.to_vec()).unwrap();
        let carried = if matches!(op, b'W' | b'R') { length } else { 0 };
        let data = at + HEAD..at + HEAD + carried;
        at = data.end;
        assert!(op != b'X' || !is_ours(&name), "a call on {name} that cannot be replayed");
        records.push(Record { op, offset, data, name });
    }
    records
}

/// The database and its log. What is mapped to share memory is rebuilt, the keystore is quiet.
fn is_ours(name: &str) -> bool {
    name.starts_with("store.db") && !name.ends_with("-shm")
}

/// How much of what was not synced survives a cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survival {
    /// Nothing.
    Nothing,
    /// The oldest writes up to some moment, whole.
    Prefix,
    /// Each sector with this chance, per mille.
    Sectors(usize),
    /// Each write as a whole, with even chance.
    Writes,
}

pub(crate) const SURVIVALS: [Survival; 6] = [
    Survival::Sectors(500),
    Survival::Nothing,
    Survival::Sectors(100),
    Survival::Sectors(900),
    Survival::Prefix,
    Survival::Writes,
];

/// What a sync is taken to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// The file's changes are on disk; so is its name, as ext4 does it.
    KeepNames,
    /// The file's changes alone: its name is the folder's to sync (POSIX).
    KeepNoNames,
    /// Nothing: a disk that lies. The control, in which rows must be lost.
    Lie,
}

enum Change {
    Cut(u64),
    Write(u64, Range<usize>),
}

enum Entry {
    Link(String, usize),
    Rename(String, String, usize),
    Unlink(String, usize),
}

#[derive(Clone, Default)]
struct Durable(Vec<u8>);

#[derive(Default)]
struct File {
    durable: Durable,
    pending: Vec<Change>,
}

/// A disk while a log is replayed.
pub(crate) struct Disk<'a> {
    log: &'a [u8],
    syncs: Syncs,
    files: Vec<File>,
    /// As the process sees them.
    names: BTreeMap<String, usize>,
    /// As they are on disk.
    durable: BTreeMap<String, usize>,
    pending: Vec<Entry>,
    pub(crate) acknowledged: BTreeSet<u32>,
}

impl<'a> Disk<'a> {
    /// Begins with the files of `base`, all of them on disk.
    pub(crate) fn new(base: &Path, log: &'a [u8], syncs: Syncs) -> Self {
        let mut disk = Self {
            log,
            syncs,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            acknowledged: BTreeSet::new(),
        };
        for entry in std::fs::read_dir(base).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if is_ours(&name) {
                let content = Durable(std::fs::read(entry.path()).unwrap());
                disk.names.insert(name, disk.files.len());
                disk.files.push(File { durable: content, pending: Vec::new() });
            }
        }
        disk.durable.clone_from(&disk.names);
        disk
    }

    /// The disk as it was found after a cut of this one, where another log begins.
    pub(crate) fn anew<'b>(&self, found: &Path, log: &'b [u8]) -> Disk<'b> {
        Disk { acknowledged: self.acknowledged.clone(), ..Disk::new(found, log, self.syncs) }
    }

    /// The next entry of the log happens.
    pub(crate) fn apply(&mut self, record: &Record) {
        if record.op == b'A' {
            self.acknowledged.insert(record.offset as u32);
        } else if record.op == b'S' && record.name.is_empty() && self.syncs != Syncs::Lie {
            std::mem::take(&mut self.pending).into_iter().for_each(|entry| self.enter(&entry));
        } else if is_ours(&record.name) {
            self.change(record);
        }
    }

    fn change(&mut self, record: &Record) {
        let name = &record.name;
        match record.op {
            b'C' => {
                self.pending.push(Entry::Link(name.clone(), self.files.len()));
                self.names.insert(name.clone(), self.files.len());
                self.files.push(File::default());
            }
            b'R' => {
                let file = self.names.remove(name).expect("a file");
                let to = String::from_utf8(self.log[record.data.clone()].to_vec()).unwrap();
                self.pending.push(Entry::Rename(name.clone(), to.clone(), file));
                self.names.insert(to, file);
            }
            b'U' => {
                let file = self.names.remove(name).expect("a file");
                self.pending.push(Entry::Unlink(name.clone(), file));
            }
            b'W' => self.file(name).pending.push(Change::Write(record.offset, record.data.clone())),
            b'T' => self.file(name).pending.push(Change::Cut(record.offset)),
            // What the kernel may do: the pages are dropped, and marked clean.
            b'F' => self.file(name).pending.clear(),
            b'S' if self.syncs != Syncs::Lie => self.sync(name),
            _ => {}
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        let file = *self.names.get(name).unwrap_or_else(|| panic!("{name} was never made"));
        &mut self.files[file]
    }

    fn sync(&mut self, name: &str) {
        let log = self.log;
        let number = self.names[name];
        let file = &mut self.files[number];
        for change in std::mem::take(&mut file.pending) {
            file.durable.apply(&change, log, |_| true);
        }
        if self.syncs == Syncs::KeepNames {
            let named = |entry: &Entry| match entry {
                Entry::Link(_, file) | Entry::Rename(_, _, file) | Entry::Unlink(_, file) => *file == number,
            };
            let reach = self.pending.iter().rposition(named).map_or(0, |last| last + 1);
            let entries: Vec<Entry> = self.pending.drain(..reach).collect();
            entries.into_iter().for_each(|entry| self.enter(&entry));
        }
    }

    fn enter(&mut self, entry: &Entry) {
        enter(&mut self.durable, entry);
    }

    /// The power goes now: writes into `folder` what may be found afterwards.
    pub(crate) fn cut(&self, folder: &Path, survival: Survival, dice: &mut Dice) {
        let mut names = self.durable.clone();
        for entry in &self.pending {
            if survives(survival, dice) {
                enter(&mut names, entry);
            }
        }
        for (name, file) in names {
            let file = &self.files[file];
            std::fs::write(folder.join(name), file.after(self.log, survival, dice).0).unwrap();
        }
    }
}

/// A truncation or a name, that no sector holds a part of.
fn survives(survival: Survival, dice: &mut Dice) -> bool {
    !matches!(survival, Survival::Nothing) && dice.below(2) == 0
}

fn enter(names: &mut BTreeMap<String, usize>, entry: &Entry) {
    match entry {
        Entry::Link(name, file) => drop(names.insert(name.clone(), *file)),
        Entry::Rename(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        Entry::Unlink(name, file) => {
            if names.get(name) == Some(file) {
                names.remove(name);
            }
        }
    }
}

impl File {
    fn after(&self, log: &[u8], survival: Survival, dice: &mut Dice) -> Durable {
        let mut image = self.durable.clone();
        let prefix = dice.below(self.pending.len() + 1);
        for (nth, change) in self.pending.iter().enumerate() {
            let whole = match survival {
                Survival::Nothing => Some(false),
                Survival::Prefix => Some(nth < prefix),
                Survival::Writes => Some(dice.below(2) == 0),
                Survival::Sectors(_) if matches!(change, Change::Cut(_)) => Some(survives(survival, dice)),
                Survival::Sectors(_) => None,
            };
            let Survival::Sectors(chance) = survival else {
                if whole == Some(true) {
                    image.apply(change, log, |_| true);
                }
                continue;
            };
            image.apply(change, log, |_| whole.unwrap_or_else(|| dice.below(1000) < chance));
        }
        image
    }
}

impl Durable {
    /// Makes a change, sector by sector, as far as `survives` says.
    fn apply(&mut self, change: &Change, log: &[u8], mut survives: impl FnMut(u64) -> bool) {
        match change {
            Change::Cut(length) => {
                if survives(0) {
                    self.0.resize(*length as usize, 0);
                }
            }
            Change::Write(offset, data) => {
                let (mut at, end) = (*offset, offset + data.len() as u64);
                while at < end {
                    let next = end.min((at / SECTOR + 1) * SECTOR);
                    if survives(at) {
                        let from = data.start + (at - offset) as usize;
                        self.put(at as usize, &log[from..from + (next - at) as usize]);
                    }
                    at = next;
                }
            }
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        self.0[at..end].copy_from_slice(bytes);
    }
}
