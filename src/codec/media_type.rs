//! Reads a media type (RFC 9110 §8.3.1) as far as its callers need: the essence, and one parameter by name.

/// The media type without its parameters, in lower case: `application/senml+json`.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The value of the first parameter of that name, unquoted. Escapes within quotes are not undone: no value that is
/// looked for here has any.
pub fn parameter<'a>(media_type: &'a str, name: &str) -> Option<&'a str> {
    let pairs = media_type.split(';').skip(1).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests;
