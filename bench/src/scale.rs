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
    let (mut sent, mut size) = (0, 1_000);
    while size <= rows {
        let fill = size.saturating_sub(sent);
        grow(place, &fleet, &data, &mut sent, fill)?;
        weigh(place, &fleet, &data, &mut sent, size, report)?;
        size *= 10;
    }
    Ok(())
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
) -> Result<(), Failed> {
    let server = Server::gateway(&place.server, data)?;
    report.add(Figure::new(format!("start with {rows} rows"), server.started_in.as_secs_f64() * 1e3, "ms"));
    let before = server.cpu()?;
    send(&server, fleet, sent, MEASURED)?;
    load::settle(&server, &fleet.api_token)?;
    let cpu = load::per_message(server.cpu()? - before, MEASURED);
    report.add(Figure::new(format!("server CPU a message with {rows} rows"), cpu, "us"));
    report.add(Figure::new(
        format!("resident memory with {rows} rows"),
        server.memory()? as f64 / f64::from(1 << 20),
        "MiB",
    ));
    let bytes = fs::metadata(data.join("store.db")).map_err(Failed::of)?.len();
    report.add(Figure::new(format!("store.db with {} rows", *sent), bytes as f64 / f64::from(1 << 20), "MiB"));
    Ok(())
}

fn send(server: &Server, fleet: &Fleet, sent: &mut usize, count: usize) -> Result<(), Failed> {
    let envelopes = &fleet.envelopes[*sent..(*sent + count).min(fleet.envelopes.len())];
    *sent += envelopes.len();
    let pace = Pace { connections: CONNECTIONS, rate: None };
    load::send(server, &fleet.relay_token, envelopes, pace).map(drop)
}
