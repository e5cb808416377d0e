//! A connection's socket, watched: its deadline, its protocol's first bytes, and what is left of a body that nobody
//! wanted. May import tokio, tokio_rustls, hyper and bytes of bodies; no room.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;

/// The deadline of a connection while no request is being answered on it.
pub(super) struct Pulse {
    state: Mutex<State>,
    header_timeout: Duration,
    idle_timeout: Duration,
}

#[derive(Clone, Copy)]
struct State {
    answering: usize,
    reading_head: bool,
    deadline: Instant,
    heads_are_bytes: bool,
}

impl Pulse {
    /// A new connection: its first head is due.
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Self {
        let deadline = Instant::now() + header_timeout;
        let state = State { answering: 0, reading_head: true, deadline, heads_are_bytes: true };
        Self { state: Mutex::new(state), header_timeout, idle_timeout }
    }

    /// When the connection is to be cut; none while a request is being answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        (state.answering == 0).then_some(state.deadline)
    }

    /// A request is being answered, as long as the value lives.
    pub(super) fn busy(self: Arc<Self>) -> Busy {
        self.state().answering += 1;
        Busy(self)
    }

    /// Bytes came in. In HTTP/1, after a pause, they begin a head; in HTTP/2 they may be anything.
    fn heard(&self) {
        let mut state = self.state();
        if state.heads_are_bytes && state.answering == 0 && !state.reading_head {
            state.reading_head = true;
            state.deadline = Instant::now() + self.header_timeout;
        }
    }

    /// Bytes of an answer went out: its reader is not stuck.
    fn spoke(&self) {
        let mut state = self.state();
        if state.answering == 0 && !state.reading_head {
            state.deadline = Instant::now() + self.idle_timeout;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this lives, a request is being answered.
pub(super) struct Busy(Arc<Pulse>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.answering -= 1;
        state.reading_head = false;
        state.deadline = Instant::now() + self.0.idle_timeout;
    }
}

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What an HTTP/2 client says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's bytes, below HTTP.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the same of whichever socket it is.
macro_rules! either {
    ($socket:expr, $pinned:ident => $call:expr) => {
        match $socket {
            Socket::Plain($pinned) => {
                let $pinned = Pin::new($pinned);
                $call
            }
            Socket::Tls($pinned) => {
                let $pinned = Pin::new($pinned.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), socket => socket.poll_read(context, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), socket => socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), socket => socket.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Tls(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), socket => socket.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), socket => socket.poll_shutdown(context))
    }
}

/// The socket, with the bytes that told its protocol put back in front.
pub(super) struct Wire {
    stream: Socket,
    ahead: Bytes,
    pulse: Arc<Pulse>,
}

impl Wire {
    /// Reads until the protocol is clear. It waits for the client without end: the caller limits that.
    pub(super) async fn greet(mut stream: Socket, pulse: Arc<Pulse>) -> io::Result<(Self, Version)> {
        let mut first = Vec::with_capacity(PREFACE.len());
        let version = loop {
            let mut chunk = [0; PREFACE.len()];
            match read(&mut stream, &mut chunk[..PREFACE.len() - first.len()]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => first.extend_from_slice(&chunk[..count]),
            }
            if !PREFACE.starts_with(&first) {
                break Version::Http1;
            }
            if first.len() == PREFACE.len() {
                break Version::Http2;
            }
        };
        pulse.state().heads_are_bytes = version == Version::Http1;
        Ok((Self { stream, ahead: first.into(), pulse }, version))
    }
}

async fn read(stream: &mut Socket, into: &mut [u8]) -> io::Result<usize> {
    let mut buffer = ReadBuf::new(into);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
    Ok(buffer.filled().len())
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(count));
        }
        if buffer.filled().len() > before {
            self.pulse.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.pulse.spoke();
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.pulse.spoke();
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Most bytes of an unwanted body that are read and thrown away.
const MAX_DISCARD: u64 = 32 * 1024 * 1024;
/// Longest time that is spent on it.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// A request body whose rest is thrown away when its reader stops early. Without that, answering 401 or 413 to a client
/// that is still sending would close a socket with unread bytes, and the reset would take the answer with it.
pub(super) struct Remainder {
    body: Option<Incoming>,
    pulse: Arc<Pulse>,
    /// The client waits for our word before it sends (`Expect: 100-continue`): reading would ask for the body.
    held_back: bool,
}

impl Remainder {
    /// The request with its body so wrapped.
    pub(super) fn wrap(request: Request<Incoming>, pulse: Arc<Pulse>) -> Request {
        let held_back = request.headers().contains_key(header::EXPECT);
        request.map(|body| Body::new(Self { body: Some(body), pulse, held_back }))
    }
}

impl hyper::body::Body for Remainder {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.held_back = false;
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for Remainder {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream() && !self.held_back) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let busy = Arc::clone(&self.pulse).busy();
            runtime.spawn(async move {
                let _ = timeout(DISCARD_TIMEOUT, discard(body)).await;
                drop(busy);
            });
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = MAX_DISCARD;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let count = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(count) {
            Some(fewer) => left = fewer,
            None => return,
        }
    }
}
