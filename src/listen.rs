//! The listening socket: our own accept loop, because the framework's sets no timer and no cap.
//!
//! May import hyper, tokio, rustls, axum's router, and of the rooms `item` alone, for the name of a source. One rule
//! keeps every connection honest: while no request is being answered, the connection has a deadline. A request head
//! must be complete within `header_timeout` of its first byte (the first one, of the connection itself), and a
//! connection that waits between requests, or does not read its answer, is cut when nothing has moved for
//! `idle_timeout`. A client that sends nothing, or half of HTTP/2's preface, is under the same rule.
//!
//! Draining answers what was accepted: no new connections, requests in flight finish, a waiting connection has a short
//! moment for the request that may be on its way, and then the rest is cut at `shutdown_grace`.
//!
//! Each request carries its `Source`: the peer's address, or what a proxy that is trusted says of it.

mod source;
pub mod tls;
mod wire;

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::ServiceExt;

use crate::listen::tls::Tls;
use crate::listen::wire::{Pulse, Remainder, Socket, Version, Wire};

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; the next one waits unaccepted.
    pub max_connections: usize,
    /// From a head's first byte to its last.
    pub header_timeout: Duration,
    /// Most bytes of a head, request line included (431 beyond).
    pub max_header: u32,
    /// Between requests, and without progress of an answer.
    pub idle_timeout: Duration,
    /// From the stop to the cut.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            max_header: 16 * 1024,
            idle_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// What is served, and how it is reached.
#[derive(Clone)]
pub struct Service {
    /// Answers.
    pub app: Router,
    /// Without it, in the clear.
    pub tls: Option<Arc<Tls>>,
    /// Networks whose word on where a request comes from is believed.
    pub proxies: Arc<[IpNet]>,
}

impl From<Router> for Service {
    fn from(app: Router) -> Self {
        Self { app, tls: None, proxies: Arc::default() }
    }
}

/// How draining ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// Cut with this many connections left: the grace was over, or a second stop came.
    Cut(usize),
    /// Every accepted request was answered.
    Finished,
}

/// Serves until `stop` resolves, then drains; `force` (a second stop) ends draining at once.
pub async fn serve(
    listener: TcpListener,
    service: impl Into<Service>,
    limits: Limits,
    stop: impl Future<Output = ()>,
    force: impl Future<Output = ()>,
) -> Drain {
    let service = service.into();
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (stream, permit) = admit(&listener, &permits) => {
                connections.spawn(converse(stream, service.clone(), limits, stopped.clone(), permit));
            }
        }
    }
    // Connections that the kernel completed before the stop were accepted in their clients' eyes.
    while let (Ok(permit), Some(stream)) = (Arc::clone(&permits).try_acquire_owned(), waiting(&listener).await) {
        connections.spawn(converse(stream, service.clone(), limits, stopped.clone(), permit));
    }
    drop(listener);
    drop(stopping);
    drain(connections, limits.shutdown_grace, force).await
}

/// A permit first, then a connection: beyond the cap nothing is accepted at all.
async fn admit(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            pending::<()>().await; // the semaphore is never closed
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => recover(&error).await,
        }
    }
}

/// A failed accept never ends the loop: a connection that went away costs nothing, and when descriptors or memory are
/// short (EMFILE, ENFILE, ENOMEM) trying again at once would spin.
async fn recover(error: &io::Error) {
    let gone = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused];
    if !gone.contains(&error.kind()) {
        tracing::warn!(%error, "cannot accept a connection: {error}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// A connection that already waits in the kernel's queue, if any.
async fn waiting(listener: &TcpListener) -> Option<TcpStream> {
    poll_fn(|context| match listener.poll_accept(context) {
        Poll::Ready(Ok((stream, _))) => Poll::Ready(Some(stream)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn drain(mut connections: JoinSet<()>, grace: Duration, force: impl Future<Output = ()>) -> Drain {
    let finished = tokio::select! {
        biased;
        () = async { while connections.join_next().await.is_some() {} } => true,
        () = sleep(grace) => false,
        () = force => false,
    };
    if finished {
        return Drain::Finished;
    }
    let left = connections.len();
    connections.shutdown().await;
    Drain::Cut(left)
}

/// One connection, from its first byte to its end.
async fn converse(
    stream: TcpStream,
    service: Service,
    limits: Limits,
    stop: watch::Receiver<()>,
    permit: OwnedSemaphorePermit,
) {
    let _permit = permit;
    // Answers are small and whole: waiting to fill a segment would only delay them.
    let (Ok(()), Ok(peer)) = (stream.set_nodelay(true), stream.peer_addr()) else { return };
    let Service { app, tls, proxies } = service;
    let socket = match tls {
        None => Socket::Plain(stream),
        Some(tls) => match timeout(limits.header_timeout, tls.greet(stream)).await {
            Ok(Ok(stream)) => Socket::Tls(Box::new(stream)),
            // Port scans and clients without a certificate: no word on each in the log.
            Ok(Err(error)) => return tracing::debug!(%error, "no TLS: {error}"),
            Err(_) => return,
        },
    };
    let caller = Answering { app, peer: peer.ip(), proxies };
    let pulse = Arc::new(Pulse::new(limits.header_timeout, limits.idle_timeout));
    let Ok(Ok((wire, version))) = timeout(limits.header_timeout, Wire::greet(socket, Arc::clone(&pulse))).await else {
        return;
    };
    match version {
        Version::Http1 => http1(wire, caller, limits, &pulse, stop).await,
        Version::Http2 => http2(wire, caller, limits, &pulse, stop).await,
    }
}

/// Who answers on a connection, and whom.
#[derive(Clone)]
struct Answering {
    app: Router,
    peer: IpAddr,
    proxies: Arc<[IpNet]>,
}

async fn http1(wire: Wire, caller: Answering, limits: Limits, pulse: &Arc<Pulse>, stop: watch::Receiver<()>) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // A head that was begun while the last answer was written escapes the pulse: this timer does not.
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(limits.max_header as usize);
    let answering = Arc::clone(pulse);
    let service = service_fn(move |request| answer(caller.clone(), Arc::clone(&answering), request));
    drive(builder.serve_connection(TokioIo::new(wire), service), pulse, stop, DRAIN_LINGER).await;
}

async fn http2(wire: Wire, caller: Answering, limits: Limits, pulse: &Arc<Pulse>, stop: watch::Receiver<()>) {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle_timeout / 2)
        .keep_alive_timeout(limits.header_timeout)
        .max_concurrent_streams(128)
        .max_header_list_size(limits.max_header)
        // Rapid reset (CVE-2023-44487) and its mirror (CVE-2025-8671): a peer that makes us reset is dropped.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128);
    let answering = Arc::clone(pulse);
    let service = service_fn(move |request| answer(caller.clone(), Arc::clone(&answering), request));
    // GOAWAY tells the peer which requests were taken: no moment of grace is needed.
    drive(builder.serve_connection(TokioIo::new(wire), service), pulse, stop, Duration::ZERO).await;
}

/// How long a waiting HTTP/1 connection may still hand in the request that crossed our stop on the wire.
const DRAIN_LINGER: Duration = Duration::from_millis(250);

async fn answer(caller: Answering, pulse: Arc<Pulse>, mut request: Request<Incoming>) -> Result<Response, Infallible> {
    let _busy = Arc::clone(&pulse).busy();
    let source = source::of(caller.peer, &caller.proxies, request.headers());
    request.extensions_mut().insert(source);
    caller.app.oneshot(Remainder::wrap(request, pulse)).await
}

/// Runs a connection until it ends, breaks the pulse's rule, or is drained.
async fn drive<C: GracefulConnection>(connection: C, pulse: &Pulse, mut stop: watch::Receiver<()>, linger: Duration) {
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = overdue(pulse) => tracing::debug!("cut a connection that was too slow or idle"),
        // The sender is dropped when the gateway stops: `changed` ends with an error, which is the sign.
        _ = stop.changed() => {
            let moment = async { tokio::select! { () = begun(pulse) => {}, () = sleep(linger) => {} } };
            tokio::select! { biased; _ = connection.as_mut() => return, () = moment => {} }
        }
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! { biased; _ = connection.as_mut() => {}, () = overdue(pulse) => {} }
}

/// Resolves when the pulse's deadline has passed. Polled after the connection in the same task, where deadlines come
/// nearer: it sees each new one without being told.
async fn overdue(pulse: &Pulse) {
    let mut alarm = pin!(sleep_until(Instant::now()));
    poll_fn(|context| {
        while let Some(deadline) = pulse.deadline() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(context));
        }
        Poll::Pending
    })
    .await;
}

/// Resolves once a request is being answered; polled after the connection, as [`overdue`] is.
async fn begun(pulse: &Pulse) {
    poll_fn(|_| if pulse.deadline().is_none() { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[cfg(test)]
mod tests;
