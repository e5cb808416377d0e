//! The client's side of the promise: parcels of sealed readings, senders that hand them over until the server is gone,
//! and a ledger of what was acknowledged, in a file outside the system under test, on disk before it counts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fleet::Simulated;
use crate::gateway::Gateway;
use crate::hostile::Dice;
use crate::wire::Wire;

/// One delivery: a CBOR sequence of envelopes, each a reading of a value that no other has.
pub(crate) struct Parcel {
    pub(crate) values: Vec<u32>,
    pub(crate) body: Vec<u8>,
}

/// What was sealed so far, by value.
#[derive(Default)]
pub(crate) struct Sealed(pub(crate) BTreeMap<u32, Vec<u8>>);

impl Sealed {
    /// Seals parcels of 1 to 16 readings until they hold `count` or more.
    pub(crate) fn parcels(&mut self, devices: &mut [Simulated], dice: &mut Dice, count: usize) -> VecDeque<Parcel> {
        let (mut parcels, mut held) = (VecDeque::new(), 0);
        while held < count {
            let mut parcel = Parcel { values: Vec::new(), body: Vec::new() };
            for _ in 0..=dice.below(16) {
                let value = self.0.len() as u32;
                let sealed = devices[dice.below(devices.len())].seal(f64::from(value));
                parcel.body.extend_from_slice(&sealed);
                parcel.values.push(value);
                self.0.insert(value, sealed);
            }
            held += parcel.values.len();
            parcels.push_back(parcel);
        }
        parcels
    }
}

/// Acknowledged values. A thread of its own writes and syncs what has arrived; what counts is read back from the file.
pub(crate) struct Ledger {
    path: PathBuf,
    entries: Option<Sender<Vec<u32>>>,
    writer: Option<JoinHandle<()>>,
}

impl Ledger {
    /// A new one beside the data folder.
    pub(crate) fn beside(data: &Path) -> Self {
        let path = data.with_file_name("ledger");
        let (file, (entries, arrived)) = (File::create(&path).unwrap(), channel());
        let writer = Some(std::thread::spawn(move || keep(file, &arrived)));
        Self { path, entries: Some(entries), writer }
    }

    /// The whole answer has come.
    pub(crate) fn acknowledge(&self, values: Vec<u32>) {
        self.entries.as_ref().unwrap().send(values).unwrap();
    }

    /// What is on disk when all that was acknowledged is.
    pub(crate) fn close(mut self) -> BTreeSet<u32> {
        drop(self.entries.take());
        self.writer.take().unwrap().join().unwrap();
        let bytes = std::fs::read(&self.path).unwrap();
        bytes.chunks_exact(4).map(|entry| u32::from_le_bytes(entry.try_into().unwrap())).collect()
    }
}

fn keep(mut file: File, arrived: &Receiver<Vec<u32>>) {
    while let Ok(first) = arrived.recv() {
        let values = std::iter::once(first).chain(arrived.try_iter()).flatten();
        file.write_all(&values.flat_map(u32::to_le_bytes).collect::<Vec<_>>()).unwrap();
        file.sync_data().unwrap();
    }
}

/// Parcels on their way.
pub(crate) struct Round<'a> {
    url: String,
    token: String,
    parcels: Mutex<VecDeque<Parcel>>,
    acknowledged: &'a (dyn Fn(Vec<u32>) + Sync),
    unavailable: Mutex<u32>,
}

impl<'a> Round<'a> {
    /// Nothing is sent yet. `acknowledged` is told after each whole answer.
    pub(crate) fn new(
        gateway: &Gateway,
        parcels: VecDeque<Parcel>,
        acknowledged: &'a (dyn Fn(Vec<u32>) + Sync),
    ) -> Self {
        let (url, token) = (gateway.url().to_owned(), gateway.relay_token.clone());
        Self { url, token, parcels: Mutex::new(parcels), acknowledged, unavailable: Mutex::new(0) }
    }

    /// One sender's work: until nothing is left, or the server is gone. A parcel that was not acknowledged stays.
    pub(crate) fn send(&self) {
        let mut wire = None;
        while let Some(parcel) = self.next() {
            let sent = wire.take().map_or_else(|| Wire::connect(&self.url), Ok).and_then(|mut to| {
                let reply = to.deliver(&self.token, &parcel.body)?;
                Ok((to, reply))
            });
            match sent {
                Ok((to, reply)) if reply.status == 202 => {
                    wire = Some(to).filter(|_| !reply.closes);
                    (self.acknowledged)(parcel.values);
                }
                Ok((to, reply)) if reply.status == 503 => {
                    assert!(reply.retry_after.is_some(), "503 without Retry-After");
                    *self.unavailable.lock().unwrap() += 1;
                    self.keep(parcel);
                    wire = Some(to).filter(|_| !reply.closes);
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok((_, reply)) => panic!("{reply:?}"),
                Err(_) => return self.keep(parcel),
            }
        }
    }

    /// Several senders; meanwhile `beside` runs here.
    pub(crate) fn send_by(&self, senders: usize, beside: impl FnOnce()) {
        std::thread::scope(|scope| {
            for _ in 0..senders {
                scope.spawn(|| self.send());
            }
            beside();
        });
    }

    /// Answers of 503 so far.
    pub(crate) fn unavailable(&self) -> u32 {
        *self.unavailable.lock().unwrap()
    }

    /// What was not acknowledged.
    pub(crate) fn left(self) -> VecDeque<Parcel> {
        self.parcels.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Parcel> {
        self.parcels.lock().unwrap().pop_front()
    }

    fn keep(&self, parcel: Parcel) {
        self.parcels.lock().unwrap().push_front(parcel);
    }
}
