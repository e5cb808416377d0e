//! What was measured, as text for people and JSON for the next run.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::Failed;

/// A line on standard output.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    // Nobody is left to tell where standard output itself is gone.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A title between figures.
pub(crate) fn title(words: &str) {
    say(format_args!("\n{words}"));
}

/// One figure and what it stands beside.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// Value, median of the runs.
    pub(crate) value: f64,
    /// Its least, where runs were repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// Unit.
    pub(crate) unit: &'static str,
    /// What the same work costs at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<f64>,
    /// Most that it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<f64>,
}

impl Figure {
    /// A value alone.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, min: None, unit, floor: None, target: None }
    }

    /// With the least of its runs.
    pub(crate) fn min(self, min: f64) -> Self {
        Self { min: Some(min), ..self }
    }

    /// Beside its floor, and at most `factor` times that.
    pub(crate) fn at_most_times(self, factor: f64, floor: f64) -> Self {
        Self { floor: Some(floor), target: Some(floor * factor), ..self }
    }

    /// At most this.
    pub(crate) fn at_most(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    fn line(&self) -> String {
        let mut line = format!("  {:<52} {:>9.2} {:<7}", self.name, self.value, self.unit);
        if let Some(min) = self.min {
            line += &format!(" min {min:>8.2}");
        }
        if let Some(floor) = self.floor {
            line += &format!("  floor {floor:>8.2}  = {:.2} x", self.value / floor);
        }
        if let Some(target) = self.target {
            let word = if self.value <= target { "holds" } else { "MISSED" };
            line += &format!("  target {target:>8.2} {word}");
        }
        line
    }
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Prints a figure and keeps it.
    pub(crate) fn add(&mut self, figure: Figure) {
        say(format_args!("{}", figure.line().trim_end()));
        self.figures.push(figure);
    }

    /// The value of a figure that was measured before.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// Writes the JSON file.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failed> {
        let json = serde_json::to_vec_pretty(self).map_err(Failed::of)?;
        std::fs::write(file, json).map_err(Failed::of)?;
        say(format_args!("\nwritten to {}", file.display()));
        Ok(())
    }
}
