//! `export`: readings of a data folder as CSV or lines of JSON, page by page, however many there are.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::api::readings::csv;
use crate::cli::{Failed, Place, TENANT, existing, instant, now};
use crate::clock::SystemClock;
use crate::item::Timestamp;
use crate::store::Store;
use crate::store::glob::Glob;
use crate::store::reader::{Aggregate, Page, PageRequest, ReadingFilter, Series};

/// Write readings as CSV or NDJSON
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  paperknife export --device urn:dev:mac:0024befffe804ff1 --from 2026-11-24T00:00:00Z --output day.csv --data ./data
  paperknife export --bucket 300 --aggregate mean --format ndjson --data ./data | head

It reads beside a running gateway, and holds one page in memory. In CSV, text that a spreadsheet would take for a formula
has an apostrophe before it.")]
pub(super) struct Arguments {
    /// Of this device
    #[arg(long)]
    device: Option<String>,
    /// Whose name fits this pattern, with * and ?
    #[arg(long, value_parser = glob)]
    name: Option<Glob>,
    /// Measured then or later
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// Measured before then
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,
    /// Not one by one, but so many seconds of a device and name at a time
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..))]
    bucket: Option<i64>,
    /// Which number of a bucket is its value: min, max, mean, sum, count, first, last
    #[arg(long, requires = "bucket", value_parser = aggregate)]
    aggregate: Option<Aggregate>,
    /// How to write
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Where to write; standard output where it is not said
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Ndjson,
}

fn glob(pattern: &str) -> Result<Glob, &'static str> {
    Glob::parse(pattern).ok_or("must be 1 to 256 bytes")
}

fn aggregate(name: &str) -> Result<Aggregate, &'static str> {
    Aggregate::from_name(name).ok_or("must be min, max, mean, sum, count, first or last")
}

/// Readings in memory at one time.
const PAGE: usize = 1000;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failed> {
    let data = arguments.place.settle()?.config.server.data;
    existing(&data)?;
    let reader = Store::look(&data, Arc::new(SystemClock))?;
    let filter = ReadingFilter {
        device: arguments.device.clone(),
        name: arguments.name.clone(),
        from: arguments.from,
        to: arguments.to,
        bucket_s: arguments.bucket,
        aggregate: arguments.aggregate,
    };
    let columns = if filter.bucket_s.is_some() { csv::BUCKET } else { csv::READING };
    let mut out = open(arguments)?;
    let mut bar = Bar::new(arguments.output.is_some() && io::stderr().is_terminal());
    let mut request = PageRequest { limit: PAGE, ..PageRequest::default() };
    let written = (|| {
        if matches!(arguments.format, Format::Csv) {
            out.write_all(csv::head(columns).as_bytes()).map_err(Failed::io("cannot write"))?;
        }
        loop {
            let page = reader.readings(TENANT, &filter, &request)?;
            write(&mut out, arguments.format, columns, &page).map_err(Failed::io("cannot write"))?;
            bar.advance(&page);
            match page.next {
                Some(after) => request.after = Some(after),
                None => return out.flush().map_err(Failed::io("cannot write")),
            }
        }
    })();
    bar.end();
    match written {
        // A reader that has gone (`| head`) is no failure.
        Err(Failed::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

fn open(arguments: &Arguments) -> Result<Box<dyn Write>, Failed> {
    Ok(match &arguments.output {
        Some(file) => Box::new(BufWriter::new(File::create(file).map_err(Failed::io(file.display()))?)),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    })
}

fn write(out: &mut impl Write, format: Format, columns: &[&str], page: &Page<Series>) -> io::Result<()> {
    for item in &page.items {
        match format {
            Format::Csv => out.write_all(csv::line(columns, &serde_json::to_value(item)?).as_bytes())?,
            Format::Ndjson => {
                serde_json::to_writer(&mut *out, item)?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(())
}

/// How far it is, for whoever watches: by when the messages came, from the first one to now.
struct Bar {
    is_shown: bool,
    drawn: Option<Instant>,
    first: Option<u64>,
    last: u64,
    rows: u64,
}

impl Bar {
    const WIDTH: u64 = 30;

    const fn new(is_shown: bool) -> Self {
        Self { is_shown, drawn: None, first: None, last: 0, rows: 0 }
    }

    fn advance(&mut self, page: &Page<Series>) {
        self.rows += page.items.len() as u64;
        for item in &page.items {
            // The upper 48 bits of a UUIDv7 are milliseconds (RFC 9562 §5.7).
            let Series::Measured(reading) = item else { continue };
            let at = (reading.message.as_u128() >> 80) as u64;
            self.first.get_or_insert(at);
            self.last = at;
        }
        if self.is_shown && self.drawn.is_none_or(|drawn| drawn.elapsed() > Duration::from_millis(100)) {
            self.drawn = Some(Instant::now());
            self.draw();
        }
    }

    fn draw(&self) {
        let share = self.first.map_or(0, |first| {
            let whole = u64::try_from(now().millis()).unwrap_or(0).saturating_sub(first).max(1);
            self.last.saturating_sub(first).min(whole) * 100 / whole
        });
        let full = usize::try_from(share * Self::WIDTH / 100).unwrap_or(0);
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(Self::WIDTH as usize - full));
        let _ = write!(io::stderr(), "\r{bar} {share:3} %  {} readings", self.rows);
    }

    fn end(&self) {
        if self.is_shown {
            let bar = "█".repeat(Self::WIDTH as usize);
            let _ = writeln!(io::stderr(), "\r{bar} 100 %  {} readings", self.rows);
        }
    }
}
