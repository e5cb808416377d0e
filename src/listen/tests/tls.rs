//! TLS: who is let in and who is not, and files that change under a listener that goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::{GET_AND_CLOSE, PATIENCE, SHORT, connect, limits, rest};
use crate::listen::tls::{Files, Tls};
use crate::listen::{Service, serve};

/// An authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate and its key, in DER.
#[derive(Clone)]
struct Pair(CertificateDer<'static>, Vec<u8>);

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Authority { issuer: Issuer::new(params, key), certificate }
}

impl Authority {
    fn issue(&self, is_expired: bool) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        if is_expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        Pair(params.signed_by(&key, &self.issuer).unwrap().der().clone(), key.serialize_der())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn lay(folder: &Path, name: &str, label: &str, der: &[u8]) {
    // As a careful administrator does: whole files are renamed into place.
    let file = folder.join(format!("{name}.new"));
    std::fs::write(&file, pem(label, der)).unwrap();
    std::fs::rename(file, folder.join(name)).unwrap();
}

fn files(folder: &Path, client_ca: bool) -> Files {
    Files {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
        client_ca: client_ca.then(|| folder.join("ca.pem")),
    }
}

/// A listener whose certificate is of `authority`, and its folder.
async fn listener(authority: &Authority, client_ca: Option<&Authority>) -> (u16, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let Pair(certificate, key) = authority.issue(false);
    lay(folder.path(), "cert.pem", "CERTIFICATE", &certificate);
    lay(folder.path(), "key.pem", "PRIVATE KEY", &key);
    if let Some(authority) = client_ca {
        lay(folder.path(), "ca.pem", "CERTIFICATE", &authority.certificate);
    }
    let tls = Tls::load(files(folder.path(), client_ca.is_some())).unwrap();
    let app = axum::Router::new().route("/", axum::routing::get(async || "here"));
    let service = Service { tls: Some(Arc::new(tls)), ..Service::from(app) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener, service, limits(), std::future::pending(), std::future::pending()));
    (port, folder)
}

/// Asks over TLS; the answer and the listener's certificate, or why there is none.
fn ask(port: u16, trusted: &Authority, own: Option<Pair>) -> Result<(String, CertificateDer<'static>), String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(Pair(certificate, key)) => builder
            .with_client_auth_cert(vec![certificate], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)))
            .unwrap(),
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream);
    stream.write_all(GET_AND_CLOSE).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok((answer, stream.conn.peer_certificates().unwrap()[0].clone().into_owned()))
}

async fn asked(
    port: u16,
    trusted: &Arc<Authority>,
    own: Option<Pair>,
) -> Result<(String, CertificateDer<'static>), String> {
    let trusted = Arc::clone(trusted);
    spawn_blocking(move || ask(port, &trusted, own)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_in_use_without_a_restart_once_its_key_is_there() {
    let authority = Arc::new(authority());
    let (port, folder) = listener(&authority, None).await;
    let (answer, first) = asked(port, &authority, None).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
    let Pair(certificate, key) = authority.issue(false);
    lay(folder.path(), "cert.pem", "CERTIFICATE", &certificate);
    tokio::time::sleep(super::Duration::from_millis(1200)).await;
    // The certificate is new, its key is not there yet: what was good goes on.
    assert_eq!(asked(port, &authority, None).await.unwrap().1, first);
    lay(folder.path(), "key.pem", "PRIVATE KEY", &key);
    tokio::time::sleep(super::Duration::from_millis(1200)).await;
    assert_eq!(asked(port, &authority, None).await.unwrap().1, certificate);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_without_a_certificate_of_the_authority_are_not_let_in() {
    let (authority, other) = (Arc::new(authority()), authority());
    let (port, _folder) = listener(&authority, Some(&authority)).await;
    assert!(asked(port, &authority, Some(authority.issue(false))).await.unwrap().0.ends_with("here"));
    for (who, own) in
        [("nobody", None), ("another's", Some(other.issue(false))), ("expired", Some(authority.issue(true)))]
    {
        let answer = asked(port, &authority, own).await;
        assert!(answer.is_err(), "{who} was let in: {answer:?}");
    }
}

/// A hello of TLS 1.1 with one suite, as RFC 4346 §7.4.1.2 has it.
const HELLO_1_1: &[u8] =
    b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x020123456789abcdef0123456789abcdef\x00\x00\x02\x00\x2f\x01\x00";

#[tokio::test(flavor = "multi_thread")]
async fn silence_plain_text_and_old_versions_get_nothing() {
    let authority = authority();
    let (port, _folder) = listener(&authority, None).await;
    for first in [b"".as_slice(), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", HELLO_1_1] {
        let begun = super::Instant::now();
        let said = spawn_blocking(move || {
            let mut stream = connect(([127, 0, 0, 1], port).into());
            stream.write_all(first).unwrap();
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said);
            said
        });
        let said = said.await.unwrap();
        // An alert at most (RFC 8446 §6): its type is 21.
        assert!(said.first().is_none_or(|kind| *kind == 21) && said.len() <= 7, "{first:?}: {said:?}");
        assert!(begun.elapsed() < SHORT * 50);
    }
    assert_eq!(rest(connect(([127, 0, 0, 1], port).into())), "");
}

#[test]
fn what_is_wrong_with_files_is_told_by_their_names_and_not_by_what_they_hold() {
    let (authority, folder) = (authority(), tempfile::tempdir().unwrap());
    let (Pair(certificate, _), Pair(_, key)) = (authority.issue(false), authority.issue(false));
    let told = |client_ca| Tls::load(files(folder.path(), client_ca)).err().unwrap().to_string();
    assert!(told(false).contains("cert.pem"), "no file");
    lay(folder.path(), "cert.pem", "CERTIFICATE", &certificate);
    assert!(told(false).contains("key.pem"), "no key");
    std::fs::write(folder.path().join("key.pem"), "hunter2").unwrap();
    assert!(told(false).contains("key.pem") && !told(false).contains("hunter2"), "{}", told(false));
    lay(folder.path(), "key.pem", "PRIVATE KEY", &key);
    assert!(told(false).contains("cert.pem and "), "not its key: {}", told(false));
    lay(folder.path(), "cert.pem", "PRIVATE KEY", &key);
    assert!(told(false).contains("cert.pem"), "no certificate");
}
