//! The query of a request: each member once, each known. May import what `api` may.

use std::str::FromStr;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::item::Timestamp;
use crate::problem::{Code, Problem};
use crate::store::reader::{Cursor, PageRequest};

/// Items in an answer where the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Most items in an answer.
const MAX_LIMIT: usize = 1000;

/// Query members not yet read.
pub(in crate::api) struct Members(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Members {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(members) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| bad("the query is not made of name=value pairs"))?;
        for (at, (name, _)) in members.iter().enumerate() {
            if members[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(bad(format!("query member {} stands twice", shown(name))));
            }
        }
        Ok(Self(members))
    }
}

impl Members {
    /// What `read` makes of the members; one that it leaves is unknown, and refused by name.
    pub(in crate::api) fn read<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        let value = read(&mut self)?;
        match self.0.first() {
            None => Ok(value),
            Some((name, _)) => Err(bad(format!("unknown query member {}", shown(name)))),
        }
    }

    /// Refuses any member.
    pub(in crate::api) fn none(self) -> Result<(), Problem> {
        self.read(|_| Ok(()))
    }

    /// Whether it is there.
    pub(in crate::api) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(member, _)| member == name)
    }

    /// The value as it stands.
    pub(in crate::api) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(member, _)| member == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The value as `read` sees it; `what` says what it should have been.
    pub(in crate::api) fn parsed<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        read(&value).map(Some).ok_or_else(|| bad(format!("query member `{name}` is {what}")))
    }

    /// An instant.
    pub(in crate::api) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.parsed(name, "a time as in RFC 3339", Timestamp::parse)
    }

    /// `true` or `false`; false where it is absent.
    pub(in crate::api) fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        Ok(self.parsed(name, "true or false", |value| value.parse().ok())?.unwrap_or(false))
    }

    /// A length of time as in the configuration: `250ms`, `5s`, `5m`, `2h`.
    pub(in crate::api) fn duration(&mut self, name: &str) -> Result<Option<Duration>, Problem> {
        self.parsed(name, "a duration such as 5s", duration)
    }

    /// `limit`, `after` and `order`.
    pub(in crate::api) fn page(&mut self) -> Result<PageRequest, Problem> {
        let within = |value: &str| value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = self.parsed("limit", "a number from 1 to 1000", within)?.unwrap_or(DEFAULT_LIMIT);
        let after = self.parsed("after", "the cursor of an earlier answer", |value| Cursor::from_str(value).ok())?;
        let descending = self.parsed("order", "asc or desc", order)?.unwrap_or(false);
        Ok(PageRequest { limit, after, descending })
    }
}

fn order(value: &str) -> Option<bool> {
    match value {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

fn duration(value: &str) -> Option<Duration> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let number: u32 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number.into())),
        "s" => Some(Duration::from_secs(number.into())),
        "m" => Some(Duration::from_secs(u64::from(number) * 60)),
        "h" => Some(Duration::from_secs(u64::from(number) * 3600)),
        _ => None,
    }
}

/// A name that a client chose, escaped and cut: it goes into an answer and into logs.
fn shown(name: &str) -> String {
    format!("{:?}", name.chars().take(64).collect::<String>())
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::with_detail(Code::BadRequest, detail)
}
