//! Real sockets: what slow, silent, greedy and crossing clients get. Timeouts are short where a cut is awaited and long
//! where survival is, so that no verdict depends on the speed of the machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::listen::{Drain, Limits, serve};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);

struct House {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    force: oneshot::Sender<()>,
    served: JoinHandle<Drain>,
}

fn limits() -> Limits {
    Limits { header_timeout: SHORT, idle_timeout: LONG, ..Limits::default() }
}

async fn house(limits: Limits) -> House {
    let app = Router::new()
        .route("/", get(async || "here"))
        .route(
            "/slow",
            get(async || {
                sleep(Duration::from_millis(500)).await;
                "done"
            }),
        )
        .route("/endless", get(async || std::future::pending::<&str>().await))
        .route("/unread", post(async || axum::http::StatusCode::PAYLOAD_TOO_LARGE))
        .route("/read", post(async |body: Bytes| body.len().to_string()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (force, forced) = oneshot::channel::<()>();
    let until = |signal: oneshot::Receiver<()>| async move {
        if signal.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let served = tokio::spawn(serve(listener, app, limits, until(stopped), until(forced)));
    House { address, stop, force, served }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads to the end; a reset counts as an end too.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let begun = Instant::now();
    let _ = stream.read_to_end(&mut bytes);
    assert!(begun.elapsed() < PATIENCE, "never closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer with a short body of known text.
fn answer(stream: &mut TcpStream, body: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(body.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&bytes)));
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

async fn ask(address: SocketAddr, bytes: &'static [u8]) -> String {
    spawn_blocking(move || {
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        rest(stream)
    })
    .await
    .unwrap()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const GET_AND_CLOSE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn answers() {
    let house = house(limits()).await;
    assert!(ask(house.address, GET_AND_CLOSE).await.ends_with("here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_a_client_that_never_finishes_its_first_head() {
    let house = house(limits()).await;
    let rows: [&[u8]; 5] = [b"", b"PRI * H", b"G", b"GET / HTTP/1.1\r\nhost:", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for first in rows {
        let said = ask(house.address, first).await;
        assert!(!said.starts_with("HTTP/1.1 2"), "{first:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_a_head_that_drips() {
    let house = house(limits()).await;
    spawn_blocking(move || {
        let mut stream = connect(house.address);
        let begun = Instant::now();
        while stream.write_all(b"G").is_ok() {
            assert!(begun.elapsed() < PATIENCE, "a dripping head was borne");
            std::thread::sleep(Duration::from_millis(20));
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_head_has_the_same_time_and_a_pause_has_more() {
    let house = house(limits()).await;
    spawn_blocking(move || {
        let mut stream = connect(house.address);
        stream.write_all(GET).unwrap();
        answer(&mut stream, "here");
        std::thread::sleep(SHORT * 3); // longer than a head may take: idle is another thing
        stream.write_all(GET).unwrap();
        answer(&mut stream, "here");
        stream.write_all(b"GET / HT").unwrap();
        assert_eq!(rest(stream), "");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_an_idle_connection() {
    let house = house(Limits { idle_timeout: SHORT, ..limits() }).await;
    assert!(ask(house.address, GET).await.ends_with("here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_the_limit_is_431() {
    let house = house(limits()).await;
    spawn_blocking(move || {
        let mut stream = connect(house.address);
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\npad: {}\r\n\r\n", "p".repeat(20 * 1024));
        stream.write_all(head.as_bytes()).unwrap();
        assert!(answer(&mut stream, "\r\n").starts_with("HTTP/1.1 431"));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_cap_a_connection_waits() {
    let house = house(Limits { max_connections: 1, ..limits() }).await;
    spawn_blocking(move || {
        let mut first = connect(house.address);
        first.write_all(GET).unwrap();
        answer(&mut first, "here");
        let mut second = connect(house.address);
        second.write_all(GET_AND_CLOSE).unwrap();
        second.set_read_timeout(Some(SHORT)).unwrap();
        assert!(second.read(&mut [0]).is_err(), "a second connection was served");
        drop(first);
        second.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(rest(second).ends_with("here"));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_answers_what_was_accepted_and_nothing_else() {
    let house = house(Limits { header_timeout: LONG, ..limits() }).await;
    let address = house.address;
    let (mut waiting, slow) = spawn_blocking(move || {
        let mut waiting = connect(address);
        waiting.write_all(GET).unwrap();
        answer(&mut waiting, "here");
        let mut slow = connect(address);
        slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        (waiting, slow)
    })
    .await
    .unwrap();
    sleep(SHORT).await;
    house.stop.send(()).unwrap();
    let crossing = spawn_blocking(move || {
        waiting.write_all(GET).unwrap(); // sent before its client could know
        rest(waiting)
    });
    assert!(crossing.await.unwrap().ends_with("here"));
    let said = spawn_blocking(move || rest(slow)).await.unwrap();
    assert!(said.contains("connection: close") && said.ends_with("done"), "{said}");
    assert_eq!(house.served.await.unwrap(), Drain::Finished);
    assert!(TcpStream::connect(address).is_err(), "still accepting");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_ends_at_the_grace_or_when_forced() {
    for forced in [false, true] {
        let grace = if forced { LONG } else { SHORT };
        let house = house(Limits { header_timeout: LONG, shutdown_grace: grace, ..limits() }).await;
        let mut stream = connect(house.address);
        stream.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        sleep(SHORT).await;
        house.stop.send(()).unwrap();
        let force = forced.then_some(house.force).map(|force| force.send(()));
        assert_eq!(house.served.await.unwrap(), Drain::Cut(1), "{force:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let house = house(limits()).await;
    spawn_blocking(move || {
        let mut stream = connect(house.address);
        let body = vec![0; 10 << 20];
        write!(stream, "POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
        stream.write_all(&body).unwrap();
        assert!(answer(&mut stream, "\r\n").starts_with("HTTP/1.1 413"));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_first_is_not_told_to_send() {
    let house = house(limits()).await;
    let head =
        b"POST /unread HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 9\r\n\r\n";
    let said = ask(house.address, head).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
}

/// Threat E17: whatever two readers could frame differently gets one answer, and the connection ends: 400, or, for a
/// length beside a transfer coding, an answer by the coding alone (RFC 9112 §6.1).
#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_framing_is_refused_and_the_connection_closed() {
    let house = house(limits()).await;
    let both = b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let said = ask(house.address, both).await;
    assert!(said.contains("connection: close") && said.matches("HTTP/1.1").count() == 1, "{said}");
    let rows: [&[u8]; 6] = [
        b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        b"POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        b"POST /read HTTP/1.1\r\nhost: x\r\nfoo: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length : 0\r\n\r\n",
        b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
    ];
    for row in rows {
        let said = ask(house.address, row).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{:?}: {said}", String::from_utf8_lossy(row));
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_served_and_drained() {
    let house = house(limits()).await;
    let stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request =
        hyper::Request::get(format!("http://{}/slow", house.address)).body(axum::body::Body::empty()).unwrap();
    let asked = tokio::spawn(async move { sender.send_request(request).await });
    sleep(SHORT * 2).await; // longer than a head may take
    house.stop.send(()).unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    assert_eq!(house.served.await.unwrap(), Drain::Finished);
    connection.await.unwrap().unwrap();
}

mod tls;
