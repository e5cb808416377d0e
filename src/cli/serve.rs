//! `serve`: the gateway, until it is told to stop.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::gateway::{Gateway, bind};
use crate::cli::{Failed, Place, say};
use crate::config::{Config, Log, LogFormat};
use crate::listen::Drain;

/// Run the gateway
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Where to listen; port 0 is any free port
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

const EXAMPLE: &str = "\
Example:
  paperknife serve --data ./data --listen 127.0.0.1:8080
  paperknife serve --config paperknife.toml

The address that is listened on goes to standard output, and on the first start an admin token, once.
SIGTERM and SIGINT drain; a second one ends at once.";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let mut loaded = arguments.place.settle()?;
    if let Some(listen) = arguments.listen {
        loaded.config.server.listen = listen;
    }
    log(&loaded.config.log)?;
    for idle in &loaded.idle {
        tracing::warn!(key = idle.key, "{idle}");
    }
    let runtime = tokio::runtime::Runtime::new().map_err(Failed::io("cannot start the runtime"))?;
    let gateway = Gateway::open(&loaded.config)?;
    let served = runtime.block_on(serve(&gateway, &loaded.config));
    gateway.close();
    Ok(exit(&served?))
}

/// Why serving ended.
enum End {
    /// Nothing could be stored any more; a supervisor starts us again.
    Fatal,
    Stopped(Drain),
}

fn exit(end: &End) -> ExitCode {
    match end {
        End::Fatal => return ExitCode::from(75), // EX_TEMPFAIL
        End::Stopped(Drain::Cut(connections)) => tracing::warn!(connections, "stopped; cut {connections} connections"),
        End::Stopped(Drain::Finished) => tracing::info!("stopped"),
    }
    ExitCode::SUCCESS
}

async fn serve(gateway: &Gateway, config: &Config) -> Result<End, Failed> {
    let signals =
        || -> Result<_, std::io::Error> { Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)) };
    let (mut first, mut second) =
        signals().and_then(|one| Ok((one, signals()?))).map_err(Failed::io("cannot wait for signals"))?;
    if let Some(address) = config.metrics.listen {
        tokio::spawn(gateway.serve_metrics(bind(address).await?));
    }
    let listener = bind(config.server.listen).await?;
    let address = listener.local_addr().map_err(Failed::io("cannot tell the address"))?;
    if let Some(token) = gateway.first_token()? {
        say(format_args!("admin token (shown once): {token}"));
    }
    say(format_args!("listening on {}://{address}", gateway.scheme()));
    // Whoever waits for this line reads it through a pipe.
    let _ = std::io::stdout().flush();
    let force = async {
        either(&mut second).await;
        either(&mut second).await;
    };
    Ok(tokio::select! {
        drain = gateway.serve(listener, either(&mut first), force) => End::Stopped(drain),
        () = gateway.fatal() => End::Fatal,
    })
}

/// The next SIGTERM or SIGINT.
async fn either((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Logs go to standard error, so that standard output holds what was promised of it alone.
fn log(log: &Log) -> Result<(), Failed> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| Failed::said(format!("log.level: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_ansi(false).try_init(),
    };
    started.map_err(|error| Failed::said(error.to_string()))
}
