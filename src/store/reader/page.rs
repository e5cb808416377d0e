//! Pages of lists, and the cursors between them: places in the order of commits, so that a reader who follows them sees
//! everything once, however much is written meanwhile.
//!
//! Imports `item` and serde.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::item::Timestamp;
use crate::store::id;

/// Some of a list, and where it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Of the last item, where there are more.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    pub(super) const fn empty() -> Self {
        Self { items: Vec::new(), next: None }
    }

    /// Of what was read with one more than the limit, each with its place.
    pub(super) fn cut(mut rows: Vec<(Cursor, T)>, page: &PageRequest) -> Self {
        let more = rows.len() > page.limit;
        rows.truncate(page.limit);
        let next = rows.last().map(|(cursor, _)| *cursor).filter(|_| more);
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Most items, at least 1.
    pub limit: usize,
    /// Those after this one.
    pub after: Option<Cursor>,
    /// The newest first.
    pub descending: bool,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 100, after: None, descending: false }
    }
}

impl PageRequest {
    /// Rows to read, to know whether there are more.
    pub(super) fn rows(&self) -> i64 {
        i64::try_from(self.limit.saturating_add(1)).unwrap_or(i64::MAX)
    }

    /// Where to begin.
    pub(super) fn from(&self) -> Cursor {
        let begin =
            if self.descending { Cursor { row: i64::MAX, place: i64::MAX } } else { Cursor { row: -1, place: -1 } };
        self.after.unwrap_or(begin)
    }

    /// The comparison with where to begin.
    pub(super) const fn beyond(&self) -> &'static str {
        if self.descending { "<" } else { ">" }
    }

    /// The word for ORDER BY.
    pub(super) const fn order(&self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }
}

/// A place in a list. Its text says nothing to anybody else, and may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) row: i64,
    pub(super) place: i64,
}

impl Cursor {
    /// Before all that was concluded at or after `time`.
    pub(in crate::store) fn before(time: Timestamp) -> Self {
        Self { row: id::floor(time), place: -1 }
    }

    /// After all that was concluded up to number `row`.
    pub(in crate::store) const fn behind(row: i64) -> Self {
        Self { row, place: i64::MAX }
    }
}

/// Not a cursor of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1{:016x}{:x}", self.row, self.place)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let parse = |part: Option<&str>| i64::from_str_radix(part?, 16).ok();
        let cursor =
            Self { row: parse(text.get(1..17)).ok_or(NotACursor)?, place: parse(text.get(17..)).ok_or(NotACursor)? };
        // What reads in more than one way (signs, capitals, another version) is not ours.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NotACursor) }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
