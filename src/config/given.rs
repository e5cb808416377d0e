//! One value as it was given, and the forms it may be read in: durations `"30s"`, sizes `"64KiB"`, addresses, lists.

use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;

pub(super) const KIB: usize = 1 << 10;
pub(super) const MIB: usize = 1 << 20;
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A value of a file or of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Flag(bool),
    List(Vec<Self>),
    Number(String),
    /// Dates and tables, which no key takes, but `keystore.root` and its like.
    Other(&'static str),
    Text(String),
}

/// What a value was read as, or what it should have been.
pub(super) type Read<T> = Result<T, String>;

impl Given {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Array(items) => Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect()),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Float(number) => Self::Number(number.as_str().to_owned()),
            DeValue::Integer(number) => Self::Number(number.to_string()),
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Datetime(_) | DeValue::Table(_) => Self::Other(value.type_str()),
        }
    }

    /// A variable holds a TOML value, or bare text: `8080`, `true`, `["a", "b"]`, `127.0.0.1:8080`.
    pub(super) fn from_variable(text: &str) -> Self {
        match DeValue::parse(text) {
            Ok(value) if !matches!(value.get_ref(), DeValue::Datetime(_) | DeValue::Table(_)) => {
                Self::from_toml(value.get_ref())
            }
            _ => Self::Text(text.to_owned()),
        }
    }

    pub(super) fn text(&self) -> Read<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            other => Err(format!("must be text, not {}", other.kind())),
        }
    }

    /// A variable of one name may leave the brackets out.
    pub(super) fn texts(&self) -> Read<Vec<String>> {
        match self {
            Self::List(items) => items.iter().map(Self::text).collect(),
            Self::Text(text) => Ok(vec![text.clone()]),
            other => Err(format!("must be a list of texts, not {}", other.kind())),
        }
    }

    pub(super) fn flag(&self) -> Read<bool> {
        match self {
            Self::Flag(flag) => Ok(*flag),
            other => Err(format!("must be true or false, not {}", other.kind())),
        }
    }

    pub(super) fn number(&self) -> Read<u64> {
        match self {
            Self::Number(number) => number.parse().map_err(|_| format!("must be a whole number, not {number}")),
            other => Err(format!("must be a whole number, not {}", other.kind())),
        }
    }

    /// A number of things held in memory, at least one.
    pub(super) fn count(&self) -> Read<usize> {
        match self.number()? {
            0 => Err("must be at least 1".into()),
            number => usize::try_from(number).map_err(|_| "is too large".into()),
        }
    }

    /// `"127.0.0.1:8080"`, `"[::1]:0"`.
    pub(super) fn address(&self) -> Read<SocketAddr> {
        let text = self.text()?;
        text.parse().map_err(|_| format!("must be ADDRESS:PORT such as 127.0.0.1:8080, not {text:?}"))
    }

    /// `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"30d"`.
    pub(super) fn duration(&self) -> Read<Duration> {
        let wrong = || format!("must be a duration such as \"30s\", \"5m\", \"2h\", \"30d\", not {}", self.shown());
        let Self::Text(text) = self else { return Err(wrong()) };
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let millis = match unit {
            "ms" => Some(number),
            "s" => number.checked_mul(1000),
            "m" => number.checked_mul(60 * 1000),
            "h" => number.checked_mul(60 * 60 * 1000),
            "d" => number.checked_mul(24 * 60 * 60 * 1000),
            _ => None,
        };
        // What does not fit milliseconds of i64 cannot be added to a time either.
        millis.filter(|millis| i64::try_from(*millis).is_ok()).map(Duration::from_millis).ok_or_else(wrong)
    }

    /// A duration, or `"forever"`.
    pub(super) fn keep(&self) -> Read<Option<Duration>> {
        match self {
            Self::Text(text) if text == "forever" => Ok(None),
            given => given.duration().map(Some).map_err(|what| format!("{what}, nor \"forever\"")),
        }
    }

    /// `512`, `"64KiB"`, `"8MiB"`, `"1GiB"`: bytes.
    pub(super) fn size(&self) -> Read<usize> {
        let wrong = || format!("must be a size such as \"64KiB\", \"8MiB\", \"1GiB\", not {}", self.shown());
        let (number, unit) = match self {
            Self::Text(text) => split(text).ok_or_else(wrong)?,
            given => (given.number().map_err(|_| wrong())?, "B"),
        };
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return Err(wrong()),
        };
        let bytes = number.checked_mul(1 << shift).ok_or_else(wrong)?;
        usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).ok_or_else(wrong)
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Read<T> {
        let text = self.text()?;
        let known = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| format!("must be one of {}, not {text:?}", known()))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Number(_) => "a number",
            Self::Other(kind) => kind,
            Self::Text(_) => "text",
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Number(text) => text.clone(),
            Self::Text(text) => format!("{text:?}"),
            other => other.kind().to_owned(),
        }
    }
}

/// `"30s"` → 30 and `s`.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}
