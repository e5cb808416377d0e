//! Ready is 200, and nothing else is.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{Question, reachable, split, status};

#[test]
fn urls_are_split() {
    let split = |url| split(url).map(|Question { authority, path, .. }| format!("{authority} {path}"));
    assert_eq!(split("http://127.0.0.1:8080/readyz").as_deref(), Some("127.0.0.1:8080 /readyz"));
    assert_eq!(split("http://gateway").as_deref(), Some("gateway:80 /readyz"));
    assert_eq!(split("http://[::1]:1/healthz").as_deref(), Some("[::1]:1 /healthz"));
    for wrong in ["", "http://", "https://a/", "127.0.0.1:8080", "http://a/\r\nX: y", "http://a b"] {
        assert_eq!(split(wrong), None, "{wrong}");
    }
}

#[test]
fn every_address_is_reached_by_loopback() {
    let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
    assert_eq!(reached("0.0.0.0:8080"), "127.0.0.1:8080");
    assert_eq!(reached("[::]:8080"), "[::1]:8080");
    assert_eq!(reached("10.0.0.1:8080"), "10.0.0.1:8080");
}

#[test]
fn a_status_line_is_read() {
    assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
    assert_eq!(status(b"HTTP/1.0 503 \r\n"), Some(503));
    for other in [b"".as_slice(), b"SSH-2.0", b"HTTP/1.1", b"HTTP/1.1 \xff\r\n"] {
        assert_eq!(status(other), None);
    }
}

#[test]
fn a_server_is_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let ask = || Question { authority: authority.clone(), path: "/readyz".to_owned(), certificate: None }.ask();
    assert_eq!(ask().unwrap(), 503);
    assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:"));
    assert!(ask().is_err(), "nobody listens any more");
}
