//! A fleet against a small HTTP server that keeps what it gets.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use clap::Parser;
use paperknife_device::key_set::KeySet;
use tempfile::TempDir;

use super::{Arguments, run};
use crate::cli::Fault;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// One request as it came.
struct Request {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Answers `answer` to each request on one connection after another; the requests come out of the channel.
fn server(answer: &'static str) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = channel();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, answer, &requests)));
    (origin, received)
}

fn serve(stream: TcpStream, answer: &str, requests: &Sender<Request>) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut to = stream;
    while let Some(request) = read(&mut from) {
        write!(to, "HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n{{}}").unwrap();
        let _ = requests.send(request);
    }
}

fn read(from: &mut impl BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some(Request { line: lines.remove(0), headers: lines, body })
}

fn simulate(origin: &str, folder: &TempDir, more: &[&str]) -> Result<(), Fault> {
    let token = folder.path().join("token");
    fs::write(&token, "pkr_secret\n").unwrap();
    let (url, keys) = (format!("{origin}/ingest/acme"), folder.path().join("fleet.jwks.json"));
    let mut arguments = vec!["simulate", "--url", &url, "--rate", "200", "--for", "0.1"];
    arguments.extend(["--token-file", token.to_str().unwrap(), "--keys", keys.to_str().unwrap()]);
    arguments.extend(more);
    run(&Command::parse_from(arguments).arguments)
}

#[test]
fn a_fleet_posts_sealed_readings_under_the_relays_token() {
    let (origin, requests) = server("202 Accepted");
    let folder = TempDir::new().unwrap();
    simulate(&origin, &folder, &["--devices", "4", "--shape", "S,G"]).unwrap();
    let requests: Vec<_> = requests.try_iter().collect();
    assert_eq!(requests.len(), 20);
    for request in &requests {
        assert_eq!(request.line, "post /ingest/acme http/1.1");
        assert!(request.headers.contains(&"authorization: bearer pkr_secret".to_owned()));
        assert_eq!(request.body[0], 0xd0, "COSE_Encrypt0");
    }
    let mut bodies: Vec<_> = requests.iter().map(|request| &request.body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 20, "no two messages are alike");
    let written = fs::read(folder.path().join("fleet.jwks.json")).unwrap();
    assert_eq!(KeySet::from_json(&written).unwrap_or_else(|fault| panic!("{fault}")).keys.len(), 8);
}

#[test]
fn what_is_not_accepted_is_a_failure() {
    let (origin, _requests) = server("401 Unauthorized");
    let fault = simulate(&origin, &TempDir::new().unwrap(), &["--devices", "1"]).unwrap_err();
    assert_eq!(fault.to_string(), "20 of 20 readings were not accepted");
}

#[test]
fn shape_p_needs_the_gateways_key() {
    let (origin, _requests) = server("404 Not Found");
    let fault = simulate(&origin, &TempDir::new().unwrap(), &["--shape", "P"]).unwrap_err();
    assert!(fault.to_string().contains("/v1/keys/public"), "{fault}");
}
