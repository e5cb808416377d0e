//! Where outside the body a claim stands: `header:NAME` or `query:NAME`.

use std::str::FromStr;

use crate::relay::profiles::Body;

/// Where a claim stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A header, whatever its case.
    Header(String),
    /// A query member, by its exact name.
    Query(String),
    /// Known to whoever pulled from the relay, which a delivery pushed to us does not say.
    Request,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            None if text == "request" => Ok(Self::Request),
            _ => Err(format!("`{text}` is not `header:NAME`, `query:NAME` or `request`")),
        }
    }
}

impl Source {
    /// The claim, if the delivery makes it. Of several with one name the first counts.
    pub(super) fn read(&self, body: &Body<'_>) -> Option<String> {
        let value = match self {
            Self::Header(name) => body.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)),
            Self::Query(name) => body.query.iter().find(|(member, _)| member == name),
            Self::Request => None,
        };
        value.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}
