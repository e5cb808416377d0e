//! A running gateway: the rooms opened in the order of the data, wired, and closed in the opposite order.
//!
//! The only place where both streets come together: `Edge` gets the intake, `Desk` the read side and the keystore.

use std::collections::BTreeMap;
use std::fs;
use std::future::pending;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use ipnet::IpNet;
use keystore::{Defaults, Keystore, Scope};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

use crate::api::{Desk, Rates};
use crate::cli::{Failed, TENANT};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::delivery::connector::{Connector, Policy};
use crate::delivery::schedule::Schedule;
use crate::delivery::{Control, Delivery, Door, Office, Settings, webhook};
use crate::listen::tls::{self, Tls};
use crate::listen::{self, Drain};
use crate::meter::{self, Meter};
use crate::opening::{House, Owner};
use crate::rate::Rate;
use crate::relay::{self, Edge, accounts};
use crate::store::backup::{self, Epoch};
use crate::store::failure::Failure;
use crate::store::outbox::Outbox;
use crate::store::reader::Reader;
use crate::store::{self, Commit, Observer, Store};
use crate::{app, envelope};

/// An open data folder with opening at work on it; it serves once it is given a listener.
pub(super) struct Gateway {
    store: Store,
    keystore: Arc<Keystore>,
    owner: Owner,
    office: Arc<Office>,
    connector: Arc<Connector>,
    watch: Arc<Watch>,
    relay: relay::Limits,
    listen: listen::Limits,
    tls: Option<Arc<Tls>>,
    proxies: Arc<[IpNet]>,
    rates: Rates,
}

impl Gateway {
    /// Opens the data folder, or makes it, and starts opening what is pending.
    pub(super) fn open(config: &Config) -> Result<Self, Failed> {
        let data = &config.server.data;
        prepare(data)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let meter = Arc::new(Meter::new(data).map_err(|error| Failed::said(error.to_string()))?);
        let watch = Arc::new(Watch { meter, fatal: Notify::new() });
        // The store first: it knows whether another server has the folder.
        let store = Store::open(data, store_limits(config), clock, Arc::clone(&watch) as Arc<dyn Observer>)?;
        if let Some(Epoch { restored_at, backed_up_at }) = backup::epoch(data)? {
            tracing::warn!(%restored_at, %backed_up_at, "restored from a backup: what was taken between is not here");
        }
        let keystore = Arc::new(open_keystore(config)?);
        let house = House::new(Arc::clone(&keystore), reader_limits(config));
        let owner = Owner::start(house, store.ledger.clone(), threads(config))
            .map_err(|failure| Failed::said(failure.to_string()))?;
        let connector = Arc::new(connector(config)?);
        let office = Arc::new(office(config, &store, &keystore, &connector, &watch)?);
        Ok(Self {
            store,
            keystore,
            owner,
            office,
            connector,
            watch,
            relay: relay_limits(config),
            listen: listen_limits(config),
            tls: tls(config)?,
            proxies: networks("server.trusted_proxies", &config.server.trusted_proxies)?.into(),
            rates: rates(config),
        })
    }

    /// On the first start, the token with which the operator makes all others.
    pub(super) fn first_token(&self) -> Result<Option<String>, Failed> {
        const SCOPES: &[Scope] = &[Scope::Read, Scope::Admin, Scope::Keys, Scope::Subscriptions, Scope::Firmware];
        match self.keystore.has_no_token_yet()? {
            true => Ok(Some(self.keystore.token_add("admin", SCOPES, TENANT)?)),
            false => Ok(None),
        }
    }

    /// The keys.
    pub(super) fn keystore(&self) -> &Keystore {
        &self.keystore
    }

    /// Makes a relay's account; its token.
    pub(super) fn add_relay(
        &self,
        name: &str,
        profile: &str,
        options: BTreeMap<String, String>,
    ) -> Result<String, Failed> {
        let (name, tenant, profile) = (name.to_owned(), TENANT.to_owned(), profile.to_owned());
        let request = accounts::Request { name, tenant, profile, options };
        let (account, token) =
            accounts::make(&SystemClock, request).map_err(|unmade| Failed::said(unmade.to_string()))?;
        self.store.intake.add_account(&account)?;
        Ok(token.reveal().to_owned())
    }

    /// The HTTP service.
    fn app(&self, closing: watch::Receiver<bool>) -> Router {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (answered, rendered) = (Arc::clone(&self.watch.meter), Arc::clone(&self.watch.meter));
        let (reader, outbox) = (self.store.reader.clone(), self.store.outbox.clone());
        let edge = Edge::new(
            self.store.intake.clone(),
            self.relay,
            Arc::clone(&clock),
            Arc::new(move |after: Duration| answered.answered(after)),
        )
        .with_guesses(self.rates.guess.clone());
        let desk = Desk {
            reader: self.store.reader.clone(),
            intake: self.store.intake.clone(),
            keystore: Arc::clone(&self.keystore),
            reopen: self.owner.reopen(),
            clock,
            metrics: Arc::new(move || render(&rendered, &reader, &outbox)),
            delivery: Control::new(
                Arc::clone(&self.office),
                Arc::clone(&self.connector),
                self.store.reader.clone(),
                closing,
            ),
            opening: self.owner.health(),
            rates: self.rates.clone(),
        };
        app(edge, desk)
    }

    /// The service behind its socket.
    fn service(&self, closing: watch::Receiver<bool>) -> listen::Service {
        let app = self.app(closing);
        let app = if self.tls.is_some() { app.layer(map_response(insist_on_tls)) } else { app };
        listen::Service { app, tls: self.tls.clone(), proxies: Arc::clone(&self.proxies) }
    }

    /// How clients speak to it.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Serves until `stop`, then drains; `force` ends draining at once.
    pub(super) async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
        force: impl Future<Output = ()>,
    ) -> Drain {
        let delivery = Delivery::start(Arc::clone(&self.office));
        let (closing, closed) = watch::channel(false);
        // Streams end first: draining would wait for them in vain.
        let stop = async move {
            stop.await;
            closing.send_replace(true);
        };
        let drained = listen::serve(listener, self.service(closed), self.listen, stop, force).await;
        delivery.stop().await;
        drained
    }

    /// Serves `/metrics`, without a token, and whether we live and work, to whoever reaches this listener; never ends by
    /// itself.
    pub(super) fn serve_metrics(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + use<> {
        let meter = Arc::clone(&self.watch.meter);
        let (reader, outbox) = (self.store.reader.clone(), self.store.outbox.clone());
        let scrape = move || async move {
            let text = tokio::task::spawn_blocking(move || render(&meter, &reader, &outbox)).await;
            text.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
        };
        let whole = self.app(watch::channel(false).1);
        let health = axum::routing::get(move |request: Request| whole.oneshot(request));
        let app = Router::new()
            .route("/metrics", axum::routing::get(scrape))
            .route("/healthz", health.clone())
            .route("/readyz", health);
        let limits = self.listen;
        async move {
            listen::serve(listener, app, limits, pending(), pending()).await;
        }
    }

    /// Resolves when nothing can be stored any more: this process must end.
    pub(super) async fn fatal(&self) {
        self.watch.fatal.notified().await;
    }

    /// Commits what is under way and ends. What is pending stays on disk and is opened on the next start.
    pub(super) fn close(self) {
        self.owner.stop();
        self.store.close();
    }
}

/// A browser that came by TLS once comes by nothing else (RFC 6797).
async fn insist_on_tls(mut response: Response) -> Response {
    let year = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    response
}

/// The metrics with the store's own counters of now, where it answers.
fn render(meter: &Meter, reader: &Reader, outbox: &Outbox) -> String {
    let asked = reader.counters().and_then(|counters| Ok((counters, reader.silent()?, outbox.queues()?)));
    match &asked {
        Ok((counters, silent, queues)) => {
            meter.render(Some(&meter::State { counters, silent: *silent, queues, now_ms: SystemClock.now().millis() }))
        }
        Err(failure) => {
            tracing::warn!(%failure, "metrics without the store's counters: {failure}");
            meter.render(None)
        }
    }
}

/// What the store's writer tells: the meter, and whoever waits for the end.
struct Watch {
    meter: Arc<Meter>,
    fatal: Notify,
}

impl Observer for Watch {
    fn committed(&self, commit: &Commit) {
        self.meter.committed(commit);
    }

    fn fatal(&self, failure: &Failure) {
        tracing::error!(%failure, "{failure}");
        self.fatal.notify_one();
    }
}

/// Binds, with the address in the error.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).await.map_err(Failed::io(format_args!("cannot listen on {address}")))
}

/// The keystore of the configured data folder.
pub(super) fn open_keystore(config: &Config) -> Result<Keystore, Failed> {
    Ok(Keystore::open(&config.server.data, Defaults { audience: config.gateway.audience.clone() })?)
}

/// The data folder, made where there is none, for its owner alone.
pub(super) fn prepare(data: &Path) -> Result<(), Failed> {
    if data.is_dir() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.and_then(|()| fs::set_permissions(data, fs::Permissions::from_mode(0o700))).map_err(Failed::io(data.display()))
}

/// TLS of the listener, where it is configured.
fn tls(config: &Config) -> Result<Option<Arc<Tls>>, Failed> {
    let config::Tls { cert, key, client_ca } = config.server.tls.clone();
    let files = match (cert, key, client_ca) {
        (None, None, None) => return Ok(None),
        (Some(cert), Some(key), client_ca) => tls::Files { cert, key, client_ca },
        _ => return Err(Failed::said("server.tls: cert and key go together")),
    };
    Tls::load(files).map(|tls| Some(Arc::new(tls))).map_err(|unusable| Failed::said(format!("server.tls: {unusable}")))
}

/// A burst of two seconds' worth for tokens, of ten for guesses: a fleet of relays that is set up wrongly is let know.
fn rates(config: &Config) -> Rates {
    let (token, guess) = (config.limits.token_rate, config.limits.guess_rate);
    let rate = |rate: u32, seconds| Rate::new(rate, rate.saturating_mul(seconds)).map(Arc::new);
    Rates { token: rate(token, 2), guess: rate(guess, 10) }
}

fn networks(key: &str, networks: &[String]) -> Result<Vec<IpNet>, Failed> {
    let parsed = networks.iter().map(|network| network.parse()).collect::<Result<_, _>>();
    parsed.map_err(|error: ipnet::AddrParseError| Failed::said(format!("{key}: {error}")))
}

/// The way out, as far as the configuration lets it lead.
fn connector(config: &Config) -> Result<Connector, Failed> {
    let allow_networks = networks("delivery.allow_networks", &config.delivery.allow_networks)?;
    let policy = Policy { allow_http: config.delivery.allow_http, allow_networks };
    Connector::new(policy, config.delivery.timeout).map_err(|error| Failed::said(format!("cannot set up TLS: {error}")))
}

fn office(
    config: &Config,
    store: &Store,
    keystore: &Arc<Keystore>,
    connector: &Arc<Connector>,
    watch: &Arc<Watch>,
) -> Result<Office, Failed> {
    let schedule = Schedule::new(config.delivery.schedule.clone());
    let schedule = schedule.ok_or_else(|| Failed::said("delivery.schedule: holds no attempt"))?;
    let source = match config.gateway.source.as_str() {
        "" => webhook::DEFAULT_SOURCE.to_owned(),
        source => source.to_owned(),
    };
    let told = Arc::clone(watch);
    Ok(Office {
        outbox: store.outbox.clone(),
        keystore: Arc::clone(keystore),
        clock: Arc::new(SystemClock),
        settings: Settings { schedule, source },
        door: Arc::clone(connector) as Arc<dyn Door>,
        files: config.delivery.files.clone(),
        told: Arc::new(move |subscription, outcome| told.meter.attempted(subscription, outcome)),
    })
}

fn threads(config: &Config) -> usize {
    match config.intake.opening_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn reader_limits(config: &Config) -> envelope::Limits {
    envelope::Limits { envelope: config.limits.envelope, ..envelope::Limits::default() }
}

fn relay_limits(config: &Config) -> relay::Limits {
    let profiles = relay::profiles::Limits { max_body: config.server.max_body, ..relay::profiles::Limits::default() };
    relay::Limits { body_timeout: config.server.body_timeout, profiles }
}

fn listen_limits(config: &Config) -> listen::Limits {
    listen::Limits {
        max_connections: config.server.max_connections,
        header_timeout: config.server.header_timeout,
        shutdown_grace: config.server.shutdown_grace,
        ..listen::Limits::default()
    }
}

fn store_limits(config: &Config) -> store::Limits {
    let seconds = |keep: Option<Duration>| keep.map(|keep| i64::try_from(keep.as_secs()).unwrap_or(i64::MAX));
    store::Limits {
        max_pending: config.intake.max_pending,
        max_pending_bytes: config.intake.max_pending_bytes,
        keep_sealed_s: seconds(config.store.keep_sealed),
        keep_receipts_s: seconds(config.store.keep_receipts),
        keep_refused_s: seconds(config.store.keep_refused),
        retention_s: seconds(config.store.retention),
        ..store::Limits::default()
    }
}
