//! `healthcheck`: asks a gateway whether it is ready, for the container's HEALTHCHECK.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::cli::{Failed, Place, say};

/// Ask a gateway whether it is ready; exit 0 if it is
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Where to ask. Default: /readyz of the configured listener
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    place: Place,
}

const EXAMPLE: &str = "\
Example:
  paperknife healthcheck
  paperknife healthcheck --url http://127.0.0.1:8080/readyz";

/// Of connecting, and of each wait for bytes.
const PATIENCE: Duration = Duration::from_secs(2);
/// A status line is all that is wanted.
const ANSWER_LIMIT: u64 = 4096;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let (authority, path) = match &arguments.url {
        Some(url) => split(url).ok_or_else(|| Failed::said(format!("{url}: must be http://ADDRESS:PORT/PATH")))?,
        None => (reachable(arguments.place.settle()?.config.server.listen).to_string(), "/readyz".to_owned()),
    };
    let status = ask(&authority, &path)?;
    if status == 200 {
        say("ready");
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failed::said(format!("http://{authority}{path} answers {status}")))
}

/// `http://a:1/b` → `a:1` and `/b`. The check runs beside the gateway: plain HTTP.
fn split(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/readyz"), |at| rest.split_at(at));
    let clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let port = authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
    let authority = if port { authority.to_owned() } else { format!("{authority}:80") };
    (!rest.is_empty() && clean(rest)).then(|| (authority, path.to_owned()))
}

/// A gateway that listens on every address answers on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(authority: &str, path: &str) -> Result<u16, Failed> {
    let mut stream = connect(authority)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(Failed::io(authority))?;
    let mut answer = Vec::new();
    // What has come by the time-out or a reset may already hold the status line.
    let _ = stream.take(ANSWER_LIMIT).read_to_end(&mut answer);
    status(&answer).ok_or_else(|| Failed::said(format!("http://{authority}{path} gives no HTTP answer")))
}

fn connect(authority: &str) -> Result<TcpStream, Failed> {
    let mut last = std::io::Error::other("no such address");
    for address in authority.to_socket_addrs().map_err(Failed::io(authority))? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).map_err(Failed::io(authority))?;
                stream.set_write_timeout(Some(PATIENCE)).map_err(Failed::io(authority))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Failed::io(authority)(last))
}

/// `HTTP/1.1 200 OK` → 200.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests;
