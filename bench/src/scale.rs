//! Scale of state: what a message costs while the store grows, how long a start takes then, and in how much memory.

use std::fs;

use crate::fleet::{Fleet, Order, Shape};
use crate::load::{self, Pace};
use crate::report::{Figure, Report, title};
use crate::server::Server;
use crate::{Failed, Place};

/// Connections of the load.
const CONNECTIONS: usize = 32;
/// Messages whose cost is measured at each size.
const MEASURED: usize = 20_000;

/// Measures at 10^3 rows and each power of ten up to `rows`.
pub(crate) fn measure(place: &Place, rows: usize, devices: usize, report: &mut Report) -> Result<(), Failed> {
    title(&format!("Scale of state: {devices} devices, shape S, one message each in turn"));
    let order = Order { shape: Shape::S, devices, messages: rows + 4 * MEASURED };
    let (fleet, data) = (Fleet::ready(&place.folder, order)?, place.folder.join("scale"));
    fleet.lay_out(&data)?;
    let (mut sent, mut size, mut small) = (0, 1_000, None);
    while size <= rows {
        let fill = size.saturating_sub(sent);
        grow(place, &fleet, &data, &mut sent, fill)?;
        let weight = weigh(place, &fleet, &data, &mut sent, size, report)?;
        weight.show(size, *small.get_or_insert(weight), report);
        size *= 10;
    }
    Ok(())
}

/// What a store of some size costs.
#[derive(Clone, Copy)]
struct Weight {
    start_ms: f64,
    message_us: f64,
}

impl Weight {
    /// Beside the smallest: a start may take a second longer, a message may cost a fifth more.
    fn show(self, rows: usize, small: Self, report: &mut Report) {
        let start = Figure::new(format!("start with {rows} rows"), self.start_ms, "ms");
        report.add(start.at_most(small.start_ms + 1_000.0));
        let message = Figure::new(format!("server CPU a message with {rows} rows"), self.message_us, "us");
        report.add(message.at_most_times(1.2, small.message_us));
    }
}

/// Fills the store without looking.
fn grow(place: &Place, fleet: &Fleet, data: &std::path::Path, sent: &mut usize, count: usize) -> Result<(), Failed> {
    let server = Server::gateway(&place.server, data)?;
    send(&server, fleet, sent, count)?;
    load::settle(&server, &fleet.api_token)
}

fn weigh(
    place: &Place,
    fleet: &Fleet,
    data: &std::path::Path,
    sent: &mut usize,
    rows: usize,
    report: &mut Report,
) -> Result<Weight, Failed> {
    let server = Server::gateway(&place.server, data)?;
    let start_ms = server.started_in.as_secs_f64() * 1e3;
    let before = server.cpu()?;
    send(&server, fleet, sent, MEASURED)?;
    load::settle(&server, &fleet.api_token)?;
    let message_us = load::per_message(server.cpu()? - before, MEASURED);
    report.add(Figure::new(
        format!("resident memory with {rows} rows"),
        server.memory()? as f64 / f64::from(1 << 20),
        "MiB",
    ));
    let bytes = fs::metadata(data.join("store.db")).map_err(Failed::of)?.len();
    report.add(Figure::new(format!("store.db with {} rows", *sent), bytes as f64 / f64::from(1 << 20), "MiB"));
    Ok(Weight { start_ms, message_us })
}

fn send(server: &Server, fleet: &Fleet, sent: &mut usize, count: usize) -> Result<(), Failed> {
    let envelopes = &fleet.envelopes[*sent..(*sent + count).min(fleet.envelopes.len())];
    *sent += envelopes.len();
    let pace = Pace { connections: CONNECTIONS, rate: None };
    load::send(server, &fleet.relay_token, envelopes, pace).map(drop)
}
