//! TLS of the listening socket: certificate and key from files, read again when they change, so that a renewed
//! certificate needs no restart. May import rustls, tokio_rustls, tokio; no room.
//!
//! The key here is the listener's own, as its administrator laid it down; no device or gateway key is in reach. TLS 1.2
//! and 1.3, with the provider's suites: rustls has no older version, no renegotiation and no weak cipher to switch off.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at, at most; a look is a `stat` for each.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The chain, the listener's own certificate first.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities; only clients with a certificate of one of them are let in.
    pub client_ca: Option<PathBuf>,
}

/// Why the files make no listener.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// An authority that is none.
    #[error("{}: {source}", .file.display())]
    Authority {
        /// Where it stands.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The authorities do not make a verifier.
    #[error("{}: {source}", .file.display())]
    Authorities {
        /// Where they stand.
        file: PathBuf,
        /// What is wrong with them.
        source: VerifierBuilderError,
    },
    /// Certificate and key do not go together, or one of them is of no use.
    #[error("{} and {}: {source}", .cert.display(), .key.display())]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// A file that cannot be read as PEM.
    #[error("{}: {}", .file.display(), said(.source))]
    Pem {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
}

/// A file of PEM says nothing of itself in an error but what kind of thing is missing: it may hold a key.
fn said(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "holds nothing of that kind in PEM".to_owned(),
        _ => "is not PEM".to_owned(),
    }
}

/// A listener's TLS, as its files have it now.
pub struct Tls {
    files: Files,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
}

/// What changes when a file does: time, length, and the inode, for whoever renames a new one into place.
type Stamp = (i64, i64, u64, u64);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Where they make no listener.
    pub fn load(files: Files) -> Result<Self, Unusable> {
        let stamps = stamps(&files);
        let config = configure(&files)?;
        Ok(Self { files, state: Mutex::new(State { config, stamps, looked: Instant::now() }) })
    }

    /// Shakes hands. The caller limits the time.
    pub(super) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.current()).accept(stream).await
    }

    /// The configuration as of the last second. A certificate whose key has not followed yet changes nothing: what was
    /// good goes on until both are.
    fn current(&self) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_AGAIN {
            state.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != state.stamps {
                self.renew(&mut state, stamps);
            }
        }
        Arc::clone(&state.config)
    }

    fn renew(&self, state: &mut State, stamps: Vec<Option<Stamp>>) {
        match configure(&self.files) {
            Ok(config) => {
                (state.config, state.stamps) = (config, stamps);
                tracing::info!("TLS: the files have changed and are in use");
            }
            Err(unusable) => tracing::warn!(%unusable, "TLS: the files have changed and are not in use: {unusable}"),
        }
    }
}

fn stamps(files: &Files) -> Vec<Option<Stamp>> {
    let all = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    all.into_iter().flatten().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
}

fn configure(files: &Files) -> Result<Arc<ServerConfig>, Unusable> {
    let chain = certificates(&files.cert)?;
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|source| Unusable::Pem { file: files.key.clone(), source })?;
    let pair = |source| Unusable::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(file)?), provider).build();
            let verifier = verifier.map_err(|source| Unusable::Authorities { file: file.clone(), source })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let some = read.and_then(|all| if all.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(all) });
    some.map_err(|source| Unusable::Pem { file: file.to_owned(), source })
}

fn authorities(file: &Path) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|source| Unusable::Authority { file: file.to_owned(), source })?;
    }
    Ok(roots)
}
