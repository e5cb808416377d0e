//! The load: pre-sealed envelopes over a number of connections, each sending its next as soon as it was answered, or at a
//! rate. Measures what a relay sees; what the server spends is read from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::fleet::{Fleet, RELAY, Shape};
use crate::report::{self, Figure};
use crate::server::Server;
use crate::{Failed, Run};

/// How it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) connections: usize,
    /// Deliveries a second of all connections; none: as fast as they are answered.
    pub(crate) rate: Option<f64>,
}

/// What the relay saw.
pub(crate) struct Seen {
    pub(crate) duration: Duration,
    /// From request to answer, sorted.
    latencies: Vec<Duration>,
}

impl Seen {
    /// Deliveries a second.
    pub(crate) fn throughput(&self) -> f64 {
        self.latencies.len() as f64 / self.duration.as_secs_f64()
    }

    /// The latency that this share of the deliveries did not exceed, milliseconds.
    pub(crate) fn latency_ms(&self, share: f64) -> f64 {
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
    }
}

struct Work {
    envelopes: Vec<Bytes>,
    authorization: String,
    next: AtomicUsize,
    begun: Instant,
    pace: Pace,
}

/// Sends these envelopes, each once.
pub(crate) fn send(server: &Server, token: &str, envelopes: &[Bytes], pace: Pace) -> Result<Seen, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failed::of)?;
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..pace.connections {
            connections.push(connect(server).await?);
        }
        let work = Arc::new(Work {
            envelopes: envelopes.to_vec(),
            authorization: format!("Bearer {token}"),
            next: AtomicUsize::new(0),
            begun: Instant::now(),
            pace,
        });
        let senders: Vec<_> = connections.into_iter().map(|to| tokio::spawn(drive(to, Arc::clone(&work)))).collect();
        let mut latencies = Vec::with_capacity(envelopes.len());
        for sender in senders {
            latencies.extend(sender.await.map_err(Failed::of)??);
        }
        latencies.sort();
        Ok(Seen { duration: work.begun.elapsed(), latencies })
    })
}

type Connection = SendRequest<Full<Bytes>>;

async fn connect(server: &Server) -> Result<Connection, Failed> {
    let stream = TcpStream::connect(server.address).await.map_err(Failed::of)?;
    stream.set_nodelay(true).map_err(Failed::of)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(Failed::of)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn drive(mut connection: Connection, work: Arc<Work>) -> Result<Vec<Duration>, Failed> {
    let mut latencies = Vec::new();
    loop {
        let nth = work.next.fetch_add(1, Ordering::Relaxed);
        let Some(envelope) = work.envelopes.get(nth) else { return Ok(latencies) };
        if let Some(rate) = work.pace.rate {
            let due = work.begun + Duration::from_secs_f64(nth as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        latencies.push(deliver(&mut connection, envelope, &work.authorization).await?);
    }
}

async fn deliver(connection: &mut Connection, envelope: &Bytes, authorization: &str) -> Result<Duration, Failed> {
    let request = Request::post(format!("/ingest/{RELAY}"))
        .header(header::HOST, "127.0.0.1")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/cose")
        .body(Full::new(envelope.clone()))
        .map_err(Failed::of)?;
    let begun = Instant::now();
    connection.ready().await.map_err(Failed::of)?;
    let answer = connection.send_request(request).await.map_err(Failed::of)?;
    let status = answer.status();
    answer.into_body().collect().await.map_err(Failed::of)?;
    match status {
        StatusCode::ACCEPTED => Ok(begun.elapsed()),
        status => Err(Failed(format!("a delivery was answered {status}"))),
    }
}

/// The gateway's metrics.
pub(crate) fn metrics(server: &Server, token: &str) -> Result<String, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::of)?;
    runtime.block_on(async {
        let mut connection = connect(server).await?;
        let request = Request::get("/metrics")
            .header(header::HOST, "127.0.0.1")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::default())
            .map_err(Failed::of)?;
        let answer = connection.send_request(request).await.map_err(Failed::of)?;
        let text = answer.into_body().collect().await.map_err(Failed::of)?.to_bytes();
        String::from_utf8(text.to_vec()).map_err(Failed::of)
    })
}

/// The sample of a metric without labels, or of the given ones.
pub(crate) fn sample(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Waits until the gateway has a verdict on everything.
pub(crate) fn settle(server: &Server, token: &str) -> Result<(), Failed> {
    for _ in 0..6_000 {
        if sample(&metrics(server, token)?, "paperknife_pending") == Some(0.0) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failed("items stay pending".to_owned()))
}

/// `load`: one run against a fresh gateway.
pub(crate) fn command(run: &Run, shape: Shape, rate: Option<f64>) -> Result<(), Failed> {
    let folder = &run.place.folder;
    let (fleet, data) = (Fleet::ready(folder, run.order(shape))?, folder.join("load"));
    fleet.lay_out(&data)?;
    let server = Server::gateway(&run.place.server, &data)?;
    let before = server.cpu()?;
    let seen = send(&server, &fleet.relay_token, &fleet.envelopes, Pace { connections: run.connections, rate })?;
    settle(&server, &fleet.api_token)?;
    let cpu = server.cpu()? - before;
    let mut report = report::Report::default();
    let name = shape.name();
    report.add(Figure::new(format!("server CPU a message, {name}"), per_message(cpu, fleet.envelopes.len()), "us"));
    report.add(Figure::new(format!("throughput, {name}"), seen.throughput(), "/s"));
    for (name, share) in [("median", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        report.add(Figure::new(format!("latency of the answer, {name}"), seen.latency_ms(share), "ms"));
    }
    report.add(Figure::new("resident memory", server.memory()? as f64 / f64::from(1 << 20), "MiB"));
    Ok(())
}

/// Microseconds a message.
pub(crate) fn per_message(cpu: Duration, messages: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / messages as f64
}
