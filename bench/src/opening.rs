//! Opening in memory: parse, guard, key from a warm cache, cryptography, judgement, decoding; nothing is stored. Beside
//! it, batch by batch, the same cryptography alone.

use std::path::Path;
use std::sync::Arc;

use paperknife::envelope::Limits;
use paperknife::guard::Arrival;
use paperknife::item::{Claims, Compat, Sealed, Timestamp};
use paperknife::opening::{self, House};
use paperknife::store::ledger::Finding;

use crate::cpu::{self, Samples};
use crate::fleet::{Fleet, Order, RELAY, Shape, TENANT};
use crate::report::{Figure, Report, title};
use crate::{Failed, primitives};

/// As in the whole server: few enough that caches are what they would be there.
const DEVICES: usize = 1_000;
/// Envelopes opened in a batch, and their floor's.
const BATCH: usize = 4_000;

/// Name of the floor's figure of a shape.
pub(crate) fn floor_name(shape: Shape) -> String {
    format!("bare primitives, {}", shape.name())
}

/// Measures all shapes.
pub(crate) fn measure(folder: &Path, batches: usize, report: &mut Report) -> Result<(), Failed> {
    title("Opening in memory, beside bare primitives (processor time a message, median and least of the batches)");
    shape_s(folder, batches, report)?;
    let keys: Vec<primitives::G> = (0..DEVICES).map(|_| primitives::G::new()).collect::<Result<_, _>>()?;
    beside(folder, batches, report, Shape::G, |nth| keys[nth % DEVICES].open().map(drop))?;
    let gateway = primitives::gateway()?;
    let keys: Vec<primitives::P> =
        (0..DEVICES).map(|_| primitives::P::new(&gateway, primitives::Wire::COSE)).collect::<Result<_, _>>()?;
    beside(folder, batches, report, Shape::P, |nth| keys[nth % DEVICES].open(&gateway).map(drop))
}

fn shape_s(folder: &Path, batches: usize, report: &mut Report) -> Result<(), Failed> {
    let keys: Vec<primitives::S> =
        (0..DEVICES).map(|_| primitives::S::new(primitives::CONTENT)).collect::<Result<_, _>>()?;
    beside(folder, batches, report, Shape::S, |nth| keys[nth % DEVICES].open().map(drop))
}

fn beside(
    folder: &Path,
    batches: usize,
    report: &mut Report,
    shape: Shape,
    bare: impl Fn(usize) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let bench = Bench::new(folder, shape)?;
    bench.open(BATCH)?; // warms keys
    let (mut floor, mut opening) = (Samples::default(), Samples::default());
    for _ in 0..batches {
        let (time, done) = cpu::of(|| (0..BATCH).try_for_each(&bare));
        done?;
        floor.add(time, BATCH);
        let (time, done) = cpu::of(|| bench.open(BATCH));
        done?;
        opening.add(time, BATCH);
    }
    report.add(Figure::new(floor_name(shape), floor.median(), "us").min(floor.min()));
    let figure = Figure::new(format!("opening in memory, {}", shape.name()), opening.median(), "us").min(opening.min());
    report.add(match shape {
        Shape::P => figure.at_most_times(1.15, floor.median()),
        Shape::S => Figure { floor: Some(floor.median()), ..figure.at_most(5.0) },
        _ => Figure { floor: Some(floor.median()), ..figure },
    });
    Ok(())
}

/// Sealed items and a house that opens them.
pub(crate) struct Bench {
    pub(crate) house: House,
    pub(crate) items: Vec<Sealed>,
    pub(crate) claims: Claims,
}

impl Bench {
    /// A fleet of that shape.
    pub(crate) fn new(folder: &Path, shape: Shape) -> Result<Self, Failed> {
        let fleet = Fleet::ready(folder, Order { shape, devices: DEVICES, messages: BATCH })?;
        let keystore = Arc::new(fleet.keystore(&folder.join("opening"))?);
        let item = |bytes: &axum::body::Bytes| Sealed { bytes: Arc::from(&bytes[..]), cose_type: None };
        let items = fleet.envelopes.iter().map(item).collect();
        let house = House::new(keystore, Limits::default());
        Ok(Self { house, items, claims: Claims::default() })
    }

    /// How the items arrived.
    pub(crate) fn arrival(&self) -> Arrival<'_> {
        Arrival {
            relay: RELAY,
            tenant: TENANT,
            ..Arrival::offline(&self.claims, Compat::STRICT, Timestamp::from_seconds(1_780_000_000))
        }
    }

    fn open(&self, count: usize) -> Result<(), Failed> {
        let arrival = self.arrival();
        for sealed in self.items.iter().cycle().take(count) {
            match opening::find(&self.house, &arrival, sealed).map_err(Failed::of)? {
                Finding::Opened(..) => {}
                other => return Err(Failed(format!("an envelope did not open: {other:?}"))),
            }
        }
        Ok(())
    }
}
