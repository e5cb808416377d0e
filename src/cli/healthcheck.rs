//! `healthcheck`: asks a gateway whether it is ready, for the container's HEALTHCHECK.

use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::cli::{Failed, Place, say};
use crate::config::Config;

mod pin;

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
    let question = match &arguments.url {
        Some(url) => split(url).ok_or_else(|| Failed::said(format!("{url}: must be http://ADDRESS:PORT/PATH")))?,
        None => own(&arguments.place.settle()?.config)?,
    };
    let status = question.ask()?;
    if status == 200 {
        say("ready");
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failed::said(format!("{question} answers {status}")))
}

/// Where to ask, and for what.
struct Question {
    authority: String,
    path: String,
    /// With TLS: the certificate that stands there.
    certificate: Option<CertificateDer<'static>>,
}

/// The configured listener. Where that lets nobody in without a certificate, the listener of the metrics says the same.
fn own(config: &Config) -> Result<Question, Failed> {
    let (tls, path) = (&config.server.tls, "/readyz".to_owned());
    if let (Some(_), Some(metrics)) = (&tls.client_ca, config.metrics.listen) {
        return Ok(Question { authority: reachable(metrics).to_string(), path, certificate: None });
    }
    let read = tls.cert.as_ref().map(|file| {
        CertificateDer::from_pem_file(file)
            .map_err(|_| Failed::said(format!("{}: no certificate in PEM", file.display())))
    });
    Ok(Question { authority: reachable(config.server.listen).to_string(), path, certificate: read.transpose()? })
}

/// `http://a:1/b` → `a:1` and `/b`: plain HTTP, as a check beside the gateway needs no more.
fn split(url: &str) -> Option<Question> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/readyz"), |at| rest.split_at(at));
    let clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let port = authority.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
    let authority = if port { authority.to_owned() } else { format!("{authority}:80") };
    let question = Question { authority, path: path.to_owned(), certificate: None };
    (!rest.is_empty() && clean(rest)).then_some(question)
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

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl Question {
    fn ask(&self) -> Result<u16, Failed> {
        let (said, authority) = (self.to_string(), &self.authority);
        let stream = connect(authority)?;
        let mut stream = match self.certificate.clone() {
            None => Box::new(stream),
            Some(certificate) => pin::wrap(stream, certificate).map_err(|error| Failed::said(error.to_string()))?,
        };
        let request = format!("GET {} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n", self.path);
        stream.write_all(request.as_bytes()).map_err(Failed::io(&said))?;
        let mut answer = Vec::new();
        // What has come by the time-out or a reset may already hold the status line.
        let _ = stream.take(ANSWER_LIMIT).read_to_end(&mut answer);
        status(&answer).ok_or_else(|| Failed::said(format!("{said} gives no HTTP answer")))
    }
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
