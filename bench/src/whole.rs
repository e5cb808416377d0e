//! The whole server beside its floor: durable HTTP and bare primitives. Runs of floor and server alternate, each on a
//! fresh data folder, so that whatever else the machine does falls on both.

use std::path::Path;
use std::time::Duration;

use crate::cpu::Samples;
use crate::fleet::{Fleet, Shape, fresh};
use crate::load::{self, Pace, Seen};
use crate::report::{Figure, Report, title};
use crate::server::Server;
use crate::{Failed, Run, opening};

/// Shapes, and how many times the floor the whole may cost.
const SHAPES: [(Shape, Option<f64>); 3] = [(Shape::S, Some(1.5)), (Shape::G, None), (Shape::P, Some(1.25))];

/// One shape's runs.
#[derive(Default)]
struct Runs {
    floor: Samples,
    server: Samples,
    throughput: Vec<f64>,
    p99_ms: Vec<f64>,
}

/// Measures the whole server, all shapes.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<(), Failed> {
    let mut fleets = Vec::new();
    for (shape, _) in SHAPES {
        fleets.push((Fleet::ready(&run.place.folder, run.order(shape))?, Runs::default()));
    }
    for _ in 0..run.runs {
        for (fleet, runs) in &mut fleets {
            floor(run, fleet, runs)?;
            server(run, fleet, runs)?;
        }
    }
    title(&format!(
        "The whole server beside its floor ({} messages, {} devices, {} connections; server CPU a message, median of {})",
        run.messages, run.devices, run.connections, run.runs
    ));
    for ((shape, factor), (_, runs)) in SHAPES.into_iter().zip(fleets) {
        show(shape, factor, &runs, report);
    }
    Ok(())
}

fn floor(run: &Run, fleet: &Fleet, runs: &mut Runs) -> Result<(), Failed> {
    let data = run.place.folder.join("floor");
    fresh(&data)?;
    let server = Server::floor(&data)?;
    let before = server.cpu()?;
    load::send(&server, &fleet.relay_token, &fleet.envelopes, pace(run))?;
    runs.floor.add(server.cpu()? - before, fleet.envelopes.len());
    Ok(())
}

fn server(run: &Run, fleet: &Fleet, runs: &mut Runs) -> Result<(), Failed> {
    let (cpu, seen) = one(run, fleet, &run.place.folder.join("server"), pace(run))?;
    runs.server.add(cpu, fleet.envelopes.len());
    runs.throughput.push(seen.throughput());
    runs.p99_ms.push(seen.latency_ms(0.99));
    Ok(())
}

/// A fresh gateway takes and opens the fleet's messages: what it spent, what the relay saw.
fn one(run: &Run, fleet: &Fleet, data: &Path, pace: Pace) -> Result<(Duration, Seen), Failed> {
    fleet.lay_out(data)?;
    let server = Server::gateway(&run.place.server, data)?;
    let before = server.cpu()?;
    let seen = load::send(&server, &fleet.relay_token, &fleet.envelopes, pace)?;
    load::settle(&server, &fleet.api_token)?;
    Ok((server.cpu()? - before, seen))
}

const fn pace(run: &Run) -> Pace {
    Pace { connections: run.connections, rate: None }
}

fn show(shape: Shape, factor: Option<f64>, runs: &Runs, report: &mut Report) {
    let name = shape.name();
    let bare = report.value(&opening::floor_name(shape)).unwrap_or(f64::NAN);
    report.add(
        Figure::new(format!("durable HTTP, body of shape {name}"), runs.floor.median(), "us").min(runs.floor.min()),
    );
    let floor = runs.floor.median() + bare;
    let figure = Figure::new(format!("whole server, {name}"), runs.server.median(), "us").min(runs.server.min());
    report.add(match factor {
        Some(factor) => figure.at_most_times(factor, floor),
        None => Figure { floor: Some(floor), ..figure },
    });
    report.add(Figure::new(format!("throughput, {name}"), median(&runs.throughput), "/s"));
    report.add(Figure::new(format!("latency of the answer, p99, {name}"), median(&runs.p99_ms), "ms"));
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Deliveries a second while visibility is measured.
const RATE: f64 = 1_000.0;

/// From a relay's answer until the message can be read, at a steady rate: quantiles of the gateway's own histogram, and
/// the share within the target, which is one of its bounds.
pub(crate) fn visible(run: &Run, report: &mut Report) -> Result<(), Failed> {
    title("Visible after its answer, at 1,000 messages a second");
    for (shape, _) in SHAPES {
        let mut fleet = Fleet::ready(&run.place.folder, run.order(shape))?;
        fleet.envelopes.truncate(10_000);
        let data = run.place.folder.join("visible");
        fleet.lay_out(&data)?;
        let server = Server::gateway(&run.place.server, &data)?;
        let pace = Pace { connections: run.connections, rate: Some(RATE) };
        load::send(&server, &fleet.relay_token, &fleet.envelopes, pace)?;
        load::settle(&server, &fleet.api_token)?;
        let metrics = load::metrics(&server, &fleet.api_token)?;
        for (quantile, target) in [(0.5, None), (0.99, Some(10.0))] {
            let ms = quantile_ms(&metrics, "paperknife_visible_seconds", quantile);
            let figure = Figure::new(format!("visible, p{:.0}, {}", quantile * 100.0, shape.name()), ms, "ms");
            report.add(match target {
                Some(target) => figure.at_most(target),
                None => figure,
            });
        }
    }
    Ok(())
}

/// A quantile of a Prometheus histogram, on a line within its bucket; milliseconds.
fn quantile_ms(metrics: &str, name: &str, quantile: f64) -> f64 {
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.split_once("\"} ")?;
        Some((bound.parse::<f64>().unwrap_or(f64::INFINITY), count.parse::<f64>().ok()?))
    };
    let buckets: Vec<(f64, f64)> = metrics.lines().filter_map(bucket).collect();
    let wanted = buckets.last().map_or(0.0, |(_, all)| all * quantile);
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if count >= wanted {
            return (low + (bound - low) * (wanted - below) / (count - below).max(1.0)) * 1e3;
        }
        (low, below) = (bound, count);
    }
    f64::NAN
}
