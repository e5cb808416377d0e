//! Undoes an HTTP content coding (RFC 9110 §8.4.1) under a cap, for the HTTP edge and for `relays test`, and the DEFLATE
//! of a JWE.
//!
//! One coding only: stacked ones are a way to multiply the ratio (threats.md §2).

use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Most bytes that one coded byte may become.
pub const MAX_RATIO: usize = 10;

/// Why a coded body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not what the coding says, cut short, or followed by more.
    #[error("the body is not of the content coding that it names")]
    Malformed,
    /// Beyond `MAX_RATIO` or the limit.
    #[error("the inflated body is too large")]
    TooLarge,
    /// Neither gzip nor deflate, or several codings.
    #[error("unsupported content coding")]
    Unsupported,
}

/// The body without its `Content-Encoding`: at most `limit` bytes and at most [`MAX_RATIO`] times its coded size.
pub fn inflate(coded: &[u8], coding: &str, limit: usize) -> Result<Vec<u8>, Error> {
    let cap = limit.min(coded.len().saturating_mul(MAX_RATIO));
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" if coded.len() > limit => Err(Error::TooLarge),
        "" | "identity" => Ok(coded.to_vec()),
        "gzip" | "x-gzip" => {
            let mut decoder = GzDecoder::new(coded);
            let body = read_capped(&mut decoder, cap)?;
            nothing_left(decoder.into_inner(), body)
        }
        // RFC 9110 §8.4.1.2: "deflate" is the zlib format.
        "deflate" => {
            let mut decoder = ZlibDecoder::new(coded);
            let body = read_capped(&mut decoder, cap)?;
            nothing_left(decoder.into_inner(), body)
        }
        _ => Err(Error::Unsupported),
    }
}

/// One whole raw DEFLATE stream (RFC 1951), and no byte after it: at most `limit` bytes and at most [`MAX_RATIO`] times
/// its coded size.
pub fn raw(coded: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let cap = limit.min(coded.len().saturating_mul(MAX_RATIO));
    let mut decoder = DeflateDecoder::new(coded);
    let content = read_capped(&mut decoder, cap)?;
    nothing_left(decoder.into_inner(), content)
}

fn read_capped(decoder: &mut impl Read, cap: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let one_more = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(one_more).read_to_end(&mut body).map_err(|_| Error::Malformed)?;
    if body.len() > cap { Err(Error::TooLarge) } else { Ok(body) }
}

fn nothing_left(rest: &[u8], body: Vec<u8>) -> Result<Vec<u8>, Error> {
    if rest.is_empty() { Ok(body) } else { Err(Error::Malformed) }
}

#[cfg(test)]
mod tests;
