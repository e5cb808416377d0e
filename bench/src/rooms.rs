//! Each room alone. A batch of items walks from room to room, and each room is timed over the whole batch: what one room
//! hands on is what the next is given, as in the corridor. Where an envelope holds another, both layers' times add up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keystore::key::Name;
use keystore::{Defaults, Keystore};
use paperknife::clock::SystemClock;
use paperknife::envelope::{Envelope, Reading};
use paperknife::guard::admit::{Admitted, Candidates};
use paperknife::guard::settled::Settled;
use paperknife::guard::{Arrival, admit, settle};
use paperknife::item::{Item, KeyName, Origin, Sealed};
use paperknife::open::{self, Layer, Opened, Proof};
use paperknife::payload::{self, Payload};
use paperknife::store::ledger::{Concluding, Finding};
use paperknife::store::{Limits, Store};

use crate::Failed;
use crate::cpu::{self, Samples};
use crate::fleet::{Shape, TENANT, fresh};
use crate::opening::Bench;
use crate::report::{Figure, Report, title};

/// Items that walk together.
const BATCH: usize = 2_000;
/// Most layers of an envelope of the profile.
const LAYERS: usize = 2;

/// The rooms of opening, in the order of the data.
const ROOMS: [&str; 6] = ["parse", "key look-up, warm", "admit", "crypto", "settle", "decode"];

/// Measures each room.
pub(crate) fn measure(folder: &Path, batches: usize, report: &mut Report) -> Result<(), Failed> {
    title("Each room alone (processor time a message)");
    for shape in [Shape::S, Shape::P] {
        let bench = Bench::new(folder, shape)?;
        let mut samples = [const { None::<Samples> }; ROOMS.len()];
        for batch in 0..=batches {
            let (times, _) = walk(&bench, &bench.items[..BATCH.min(bench.items.len())])?;
            // The first one warms the keys.
            for (samples, time) in samples.iter_mut().zip(times).filter(|_| batch > 0) {
                samples.get_or_insert_default().add(time, BATCH);
            }
        }
        for (room, samples) in ROOMS.into_iter().zip(samples.iter().flatten()) {
            report.add(Figure::new(format!("{room}, {}", shape.name()), samples.median(), "us").min(samples.min()));
        }
        report.add(conclude(folder, &bench, batches)?);
    }
    report.add(cold(folder, batches)?);
    Ok(())
}

type Found = (Settled, Payload);

/// The corridor, a room at a time: how long each took.
fn walk(bench: &Bench, items: &[Sealed]) -> Result<([Duration; ROOMS.len()], Vec<Found>), Failed> {
    let (house, arrival) = (&bench.house, bench.arrival());
    let mut times = [Duration::ZERO; ROOMS.len()];
    let parse =
        |sealed| Envelope::parse(sealed, &Reading::strict(&house.limits)).map_err(|fault| Failed(format!("{fault:?}")));
    let mut layers: Vec<(Envelope, Proof)> =
        timed(&mut times[0], || items.iter().map(|sealed| Ok((parse(sealed)?, Proof::none()))).collect())?;
    let mut opened = Vec::new();
    for _ in 0..LAYERS {
        let found = timed(&mut times[1], || layers.into_iter().map(|layer| find(bench, &arrival, layer)).collect())?;
        let admitted = timed(&mut times[2], || found.into_iter().map(|found| admit(found, &arrival)).collect())?;
        layers = Vec::new();
        let tried = || admitted.into_iter().map(|admitted| run(bench, &arrival, admitted)).collect();
        for layer in timed(&mut times[3], tried)? {
            match layer {
                Layer::Content(content) => opened.push(content),
                Layer::Envelope(inner, proof) => layers.push((*inner, proof)),
            }
        }
    }
    let settled = timed(&mut times[4], || opened.into_iter().map(|opened| judge(opened, &arrival)).collect())?;
    let found = timed(&mut times[5], || settled.into_iter().map(|settled| Ok(decode(settled, &arrival))).collect())?;
    Ok((times, found))
}

fn timed<T>(time: &mut Duration, work: impl FnOnce() -> Result<Vec<T>, Failed>) -> Result<Vec<T>, Failed> {
    let (took, done) = cpu::of(work);
    *time += took;
    done
}

type Named = (Envelope, Proof, Candidates);

fn find(bench: &Bench, arrival: &Arrival<'_>, (envelope, proof): (Envelope, Proof)) -> Result<Named, Failed> {
    let keys = open::find(&bench.house.keystore, arrival, &envelope).map_err(|why| Failed(format!("{why:?}")))?;
    Ok((envelope, proof, keys))
}

fn admit((envelope, proof, keys): Named, arrival: &Arrival<'_>) -> Result<(Admitted, Proof), Failed> {
    let admitted = admit::admit(envelope, keys, arrival).map_err(|denied| Failed(denied.detail.to_owned()))?;
    Ok((admitted, proof))
}

fn run(bench: &Bench, arrival: &Arrival<'_>, (admitted, proof): (Admitted, Proof)) -> Result<Layer, Failed> {
    let reading = Reading::strict(&bench.house.limits);
    open::open(&admitted, proof, &bench.house.keystore, &reading, arrival).map_err(|why| Failed(format!("{why:?}")))
}

fn judge(opened: Opened, arrival: &Arrival<'_>) -> Result<Settled, Failed> {
    settle::settle(opened, arrival).map_err(|denied| Failed(denied.detail.to_owned()))
}

fn decode(settled: Settled, arrival: &Arrival<'_>) -> Found {
    let facts = settled.facts();
    let context = payload::Context {
        issued_at: facts.proven.issued_at,
        received_at: arrival.received_at,
        base_path: facts.proven.path.as_deref(),
        base_path_proven: facts.proven.path.is_some(),
        max_future_s: facts.max_future_s,
        max_readings: facts.max_readings,
    };
    let payload = payload::decode(facts.content_type.as_ref(), &facts.content, &context);
    (settled, payload)
}

/// The writer's work on an item: take and conclude, in batches as large as they get, with message, identity, reading,
/// sequence and counter rows. Processor time of all of this process, which does nothing else.
fn conclude(folder: &Path, bench: &Bench, batches: usize) -> Result<Figure, Failed> {
    let data = folder.join("rooms");
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Failed::of)?;
    let mut samples = Samples::default();
    for _ in 0..batches.div_ceil(4) {
        fresh(&data)?;
        let store = Store::open(&data, Limits::default(), Arc::new(SystemClock), Arc::new(())).map_err(Failed::of)?;
        let mut total = Duration::ZERO;
        for items in bench.items.chunks(500) {
            let (_, found) = walk(bench, items)?;
            let (time, done) = cpu::of(|| taken_and_concluded(&store, &runtime, items, found));
            done?;
            total += time;
        }
        samples.add(total, bench.items.len());
        store.close();
    }
    let shape = if bench.items.first().is_some_and(|sealed| sealed.bytes.len() < 100) { "S" } else { "P" };
    Ok(Figure::new(format!("take and conclude, {shape}"), samples.median(), "us").min(samples.min()))
}

fn taken_and_concluded(
    store: &Store,
    runtime: &tokio::runtime::Runtime,
    items: &[Sealed],
    found: Vec<Found>,
) -> Result<(), Failed> {
    let origin = Origin { relay: "bench".into(), tenant: TENANT.into(), unauthenticated_sender: false };
    let item = |sealed: &Sealed| Item { sealed: sealed.clone(), claims: Default::default() };
    runtime.block_on(store.intake.take(origin, items.iter().map(item).collect())).map_err(Failed::of)?;
    let taken = store.ledger.next(Duration::from_secs(5), items.len()).map_err(Failed::of)?;
    let findings = taken.iter().zip(found).map(|(taken, (settled, payload))| Concluding {
        item: taken.id,
        finding: Finding::Opened(Box::new(settled), payload),
        open_time: Duration::ZERO,
    });
    store.ledger.conclude(findings.collect()).map_err(Failed::of)?;
    Ok(())
}

/// A key that no cache has: read by index, checked, unsealed, parsed.
fn cold(folder: &Path, batches: usize) -> Result<Figure, Failed> {
    let bench = Bench::new(folder, Shape::P)?;
    let (_, _) = walk(&bench, &bench.items[..1])?;
    let kids = inner_kids(&bench)?;
    let mut samples = Samples::default();
    for _ in 0..batches {
        let keystore = Keystore::open(&folder.join("opening"), Defaults::default()).map_err(Failed::of)?;
        let look_up = |kid: &Vec<u8>| keystore.find(TENANT, Some(Name::Kid(kid))).map(|keys| keys.len());
        let (time, found) = cpu::of(|| kids.iter().map(look_up).sum::<Result<usize, _>>());
        if found.map_err(Failed::of)? != kids.len() {
            return Err(Failed("a key was not found".to_owned()));
        }
        samples.add(time, kids.len());
    }
    Ok(Figure::new("key look-up, cold", samples.median(), "us").min(samples.min()).at_most(20.0))
}

/// The names of the fleet's signing keys, as its envelopes give them.
fn inner_kids(bench: &Bench) -> Result<Vec<Vec<u8>>, Failed> {
    let arrival = bench.arrival();
    let kid = |sealed: &Sealed| {
        let envelope = Envelope::parse(sealed, &Reading::strict(&bench.house.limits))
            .map_err(|fault| Failed(format!("{fault:?}")))?;
        let named = find(bench, &arrival, (envelope, Proof::none()))?;
        match run(bench, &arrival, admit(named, &arrival)?)? {
            Layer::Envelope(inner, _) => first_kid(&inner).ok_or_else(|| Failed("no kid within".to_owned())),
            Layer::Content(_) => Err(Failed("no layer within".to_owned())),
        }
    };
    bench.items.iter().take(1_000).map(kid).collect()
}

fn first_kid(envelope: &Envelope) -> Option<Vec<u8>> {
    envelope.key_names().into_iter().find_map(|name| match name {
        KeyName::Kid(kid) => Some(kid),
        _ => None,
    })
}
