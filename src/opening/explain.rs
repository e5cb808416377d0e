//! Why an envelope does not open, for somebody who holds the keys: at which layer it stopped, and which of several other
//! inputs would have opened it.
//!
//! Imports its parent and what the corridor is given. The command line alone imports it: whoever can ask this of a key
//! has an oracle, so nothing that answers a relay or an API client may reach it (tidy holds that wall).

use crate::guard::{Arrival, Guess};
use crate::item::Sealed;
use crate::opening::{Failure, Finding, House, walk};

/// One input in place of another: the keys and the claims of an opening in which it alone differs.
pub struct Variation<'a> {
    /// What differs: `path`, `audience` …
    pub input: &'static str,
    /// Its value here, in words.
    pub value: String,
    /// The keys, as their records would be.
    pub house: House,
    /// What is known of the envelope beside its bytes.
    pub arrival: Arrival<'a>,
}

/// An input that would have opened the envelope.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Remedy {
    /// What differs.
    pub input: &'static str,
    /// The value that opens.
    pub value: String,
}

/// What an explanation found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// The layer whose check failed, the outermost being 0.
    pub layer: usize,
    /// What would have opened it.
    pub would_open: Vec<Remedy>,
}

/// Walks an envelope that does not open as it is, and then each variation of its inputs. What is guessed in place of the
/// envelope's own word is guessed for the layer that failed.
pub fn explain<'a>(
    house: &House,
    arrival: &Arrival<'_>,
    sealed: &Sealed,
    variations: impl IntoIterator<Item = Variation<'a>>,
) -> Result<Explanation, Failure> {
    let mut layer = 0;
    walk(house, arrival, sealed, &mut layer)?;
    let mut would_open: Vec<Remedy> = Vec::new();
    for Variation { input, value, house, arrival } in variations {
        let arrival = Arrival { guess: Guess { layer, ..arrival.guess }, ..arrival };
        let remedy = Remedy { input, value };
        let opens = matches!(walk(&house, &arrival, sealed, &mut 0)?, Finding::Opened(..));
        if opens && !would_open.contains(&remedy) {
            would_open.push(remedy);
        }
    }
    Ok(Explanation { layer, would_open })
}
