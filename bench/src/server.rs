//! A server in a process of its own: started, measured from outside, ended.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Failed, cpu};

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start until it listened.
    pub(crate) started_in: Duration,
}

impl Server {
    /// The gateway on a data folder; its log goes beside it.
    pub(crate) fn gateway(binary: &Path, data: &Path) -> Result<Self, Failed> {
        let log = File::create(data.with_extension("log")).map_err(Failed::of)?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stderr(log);
        Self::start(command)
    }

    /// The floor on a fresh data folder.
    pub(crate) fn floor(data: &Path) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::current_exe().map_err(Failed::of)?);
        command.arg("floor").arg(data);
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self, Failed> {
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(Failed::of)?;
        let output = child.stdout.take().ok_or_else(|| Failed("no output".to_owned()))?;
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| line.strip_prefix("listening on http://")?.parse().ok());
        let address = addresses.next();
        let started_in = begun.elapsed();
        match address {
            Some(address) => Ok(Self { child, address, started_in }),
            None => {
                let _ = child.kill();
                Err(Failed(format!("{command:?} did not start; its log stands beside its data folder")))
            }
        }
    }

    /// Its processor time so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Failed> {
        cpu::of_process(self.child.id())
    }

    /// Its resident memory, bytes.
    pub(crate) fn memory(&self) -> Result<u64, Failed> {
        cpu::memory_of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
