//! The way out: the only code that dials an address which somebody else has chosen (reliability §7, threats E5–E7).
//!
//! A URL is parsed once, by the WHATWG rules. Its host is resolved here; every answer is reduced to the address that it
//! stands for and filtered; what passed is dialled, never the name again. TLS and `Host` keep the name. No redirect, no
//! proxy, no cookie, no connection kept for another endpoint.
//!
//! May import hyper, hyper_util, tokio, url, ipnet, rustls with the platform's trust store (an operator's own CA counts,
//! and a new list of CAs needs no new program), and httpdate through `delivery::schedule`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

mod address;

/// Bytes of an answer that are read: enough to leave a well-behaved connection clean.
const MAX_ANSWER: usize = 16 * 1024;
/// Longest URL.
const MAX_URL: usize = 2_048;

/// What may be reached.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Without TLS too.
    pub allow_http: bool,
    /// Networks that are reached on any port, whatever they are.
    pub allow_networks: Vec<IpNet>,
}

/// Why a receiver was not reached: a class that its owner may see, never an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The address is not one that may be reached.
    #[error("blocked_address")]
    BlockedAddress,
    /// Nobody answers there.
    #[error("connect")]
    Connect,
    /// The name has no address.
    #[error("dns")]
    Dns,
    /// What came back is no HTTP.
    #[error("protocol")]
    Protocol,
    /// It took too long.
    #[error("timeout")]
    Timeout,
    /// No certificate that we trust for that name.
    #[error("tls")]
    Tls,
    /// Not a URL that may be asked.
    #[error("blocked_url")]
    Url,
}

impl Unreached {
    /// The class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlockedAddress => "blocked_address",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Url => "blocked_url",
        }
    }
}

/// What a receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its `Retry-After`, as it stands.
    pub retry_after: Option<String>,
}

/// A URL whose form may be asked; its addresses are judged each time.
#[derive(Clone, Debug)]
pub struct Target(Url);

impl Policy {
    /// Judges the form of a URL: scheme, host, no user, no fragment, no control character. The WHATWG parser would strip
    /// tabs and line breaks silently and read numbers in any notation, so what it made is compared with what was given.
    ///
    /// # Errors
    /// [`Unreached::Url`], or [`Unreached::BlockedAddress`] for a literal address that may not be reached.
    pub fn target(&self, url: &str) -> Result<Target, Unreached> {
        if url.len() > MAX_URL || url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Unreached::Url);
        }
        let url = Url::parse(url).map_err(|_| Unreached::Url)?;
        let is_allowed = url.scheme() == "https" || self.allow_http && url.scheme() == "http";
        let has_extras = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        if !is_allowed || has_extras {
            return Err(Unreached::Url);
        }
        let target = Target(url);
        match target.0.host().ok_or(Unreached::Url)? {
            Host::Domain("") => Err(Unreached::Url),
            // What no network of ours can allow is refused by its port alone.
            Host::Domain(_) if !self.is_public_port(&target) && self.allow_networks.is_empty() => {
                Err(Unreached::BlockedAddress)
            }
            Host::Domain(_) => Ok(target),
            Host::Ipv4(ip) => self.judge(&target, ip.into()).map(|()| target),
            Host::Ipv6(ip) => self.judge(&target, ip.into()).map(|()| target),
        }
    }

    /// Whether that address may be reached for the target: it lies in a network that is allowed, or is public and the
    /// port is the scheme's own.
    fn judge(&self, target: &Target, ip: IpAddr) -> Result<(), Unreached> {
        let inner = address::canonical(ip);
        let allowed = self.allow_networks.iter().any(|network| network.contains(&inner) || network.contains(&ip));
        if allowed || address::is_public(ip) && self.is_public_port(target) {
            Ok(())
        } else {
            Err(Unreached::BlockedAddress)
        }
    }

    fn is_public_port(&self, target: &Target) -> bool {
        match target.0.scheme() {
            "https" => target.port() == 443,
            _ => self.allow_http && target.port() == 80,
        }
    }

    /// Of all addresses of a name, those that may be dialled.
    fn choose(&self, target: &Target, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, Unreached> {
        let passed: Vec<_> = found.iter().filter(|found| self.judge(target, found.ip()).is_ok()).copied().collect();
        match (found.is_empty(), passed.is_empty()) {
            (true, _) => Err(Unreached::Dns),
            (false, true) => Err(Unreached::BlockedAddress),
            (false, false) => Ok(passed),
        }
    }
}

impl Target {
    fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// For `Host`: the name, and the port where it is not the scheme's.
    fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    fn path_and_query(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

/// Dials receivers.
pub struct Connector {
    policy: Policy,
    timeout: Duration,
    tls: Arc<ClientConfig>,
}

impl Connector {
    /// Trusts whom the platform trusts.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new(policy: Policy, timeout: Duration) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        // A certificate that does not parse is none to trust; without any, https finds nobody and says `tls`.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::trusting(roots, policy, timeout)
    }

    /// Trusts these.
    fn trusting(roots: RootCertStore, policy: Policy, timeout: Duration) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { policy, timeout, tls: Arc::new(config) })
    }

    /// Judges a URL now, as it will be judged at each attempt: its form, and the addresses of its name. A name that has
    /// none now may have some later.
    ///
    /// # Errors
    /// Where it would not be asked.
    pub async fn admit(&self, url: &str) -> Result<(), Unreached> {
        let target = self.policy.target(url)?;
        match tokio::time::timeout(self.timeout, self.resolve(&target)).await {
            Ok(Ok(_) | Err(Unreached::Dns)) | Err(_) => Ok(()),
            Ok(Err(unreached)) => Err(unreached),
        }
    }

    /// Posts once; the whole of it within the timeout.
    ///
    /// # Errors
    /// Where there was no answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Unreached> {
        let target = self.policy.target(url)?;
        let exchange = self.exchange(&target, headers, body.into());
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(Unreached::Timeout))
    }

    async fn exchange(&self, target: &Target, headers: HeaderMap, body: Bytes) -> Result<Answer, Unreached> {
        let stream = dial(&self.resolve(target).await?).await?;
        let request = request(target, headers, body)?;
        if target.0.scheme() == "http" {
            return speak(stream, request).await;
        }
        // `Url` keeps a v6 literal in brackets; a certificate does not.
        let name = target.0.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|_| Unreached::Tls)?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        speak(stream.map_err(|_| Unreached::Tls)?, request).await
    }

    /// The addresses that may be dialled, checked.
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, Unreached> {
        let port = target.port();
        let found = match target.0.host().ok_or(Unreached::Url)? {
            Host::Ipv4(ip) => vec![SocketAddr::from((ip, port))],
            Host::Ipv6(ip) => vec![SocketAddr::from((ip, port))],
            // Never asked of anybody (RFC 6761 §6.3): not every resolver knows the form with the dot.
            Host::Domain(name) if is_localhost(name) => {
                vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))]
            }
            Host::Domain(name) => {
                let found = tokio::net::lookup_host((name, port)).await.map_err(|_| Unreached::Dns)?;
                found.collect()
            }
        };
        self.policy.choose(target, &found)
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// The first that answers.
async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, Unreached> {
    for address in addresses {
        let connected: io::Result<TcpStream> = TcpStream::connect(address).await;
        if let Ok(stream) = connected {
            // Small requests need no waiting for more; one that cannot be set so is as good.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(Unreached::Connect)
}

fn request(target: &Target, mut headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, Unreached> {
    let host = HeaderValue::from_str(&target.authority()).map_err(|_| Unreached::Url)?;
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("paperknife/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONTENT_LENGTH, body.len().into());
    let mut request = Request::post(target.path_and_query()).body(Full::new(body)).map_err(|_| Unreached::Url)?;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Unreached>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Unreached::Protocol)?;
    // Ends with this exchange, however that ends.
    let mut connections = tokio::task::JoinSet::new();
    connections.spawn(connection);
    let mut answer = sender.send_request(request).await.map_err(|_| Unreached::Protocol)?;
    drain(&mut answer).await;
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: answer.status().as_u16(), retry_after })
}

/// Reads a little of the body, so that a receiver that writes some is not cut; the status stands whatever it writes.
async fn drain(answer: &mut Response<Incoming>) {
    let mut left = MAX_ANSWER;
    while answer.status() != StatusCode::NO_CONTENT
        && let Some(Ok(frame)) = answer.frame().await
        && let Some(data) = frame.data_ref()
        && let Some(rest) = left.checked_sub(data.len())
    {
        left = rest;
    }
}

#[cfg(test)]
mod tests;
