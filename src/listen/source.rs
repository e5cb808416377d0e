//! Where a request comes from: its peer, or what proxies that are trusted say (threat E19). May import `item` and HTTP
//! types.
//!
//! `X-Forwarded-For` alone is read, from its right end: that is where proxies add. What else a client writes, be it
//! `Forwarded` or addresses further to the left, is a word of nobody.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::item::Source;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The nearest address that is no trusted proxy's.
pub(super) fn of(peer: IpAddr, proxies: &[IpNet], headers: &HeaderMap) -> Source {
    let is_proxy = |ip: IpAddr| proxies.iter().any(|network| network.contains(&ip));
    let mut source = peer.to_canonical();
    let lines: Vec<&str> = headers.get_all(FORWARDED).iter().map(|value| value.to_str().unwrap_or("-")).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !is_proxy(source) {
            break;
        }
        // A hop that is no address: the proxy that wrote it is the last one known.
        let Some(ip) = address(hop.trim()) else { break };
        source = ip.to_canonical();
    }
    Source::new(source)
}

/// With or without a port, IPv6 with or without brackets: proxies write all of these.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use ipnet::IpNet;

    use super::of;
    use crate::item::Source;

    /// Peer, lines of `X-Forwarded-For`, whose request it is; 10.0.0.0/8 and fd00::/8 are proxies of ours.
    const ROWS: [(&str, &[&str], &str); 11] = [
        ("192.0.2.1", &[], "192.0.2.1"),
        ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
        ("::ffff:192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", &["203.0.113.9", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", &["198.51.100.7, rubbish"], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
        ("fd00::1", &["[2001:db8::5]:443"], "2001:db8::5"),
        ("::ffff:10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
    ];

    #[test]
    fn trusted_proxies_alone_are_believed() {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
        for (peer, lines, expected) in ROWS {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(super::FORWARDED, HeaderValue::from_static(line));
            }
            headers.append(HeaderName::from_static("forwarded"), HeaderValue::from_static("for=203.0.113.200"));
            let source = of(peer.parse().unwrap(), &proxies, &headers);
            assert_eq!(source, Source::new(expected.parse().unwrap()), "{peer} {lines:?}");
        }
    }

    #[test]
    fn addresses_of_one_household_are_one_source() {
        let source = |text: &str| Source::new(text.parse().unwrap());
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    }
}
