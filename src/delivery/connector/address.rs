//! Which addresses are public. What a v6 address carries of a v4 one is judged as that.
//!
//! May import std alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that it stands for: mapped, compatible, NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380).
pub(super) fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => inner(v6).map_or(ip, IpAddr::V4),
    }
}

/// Whether nothing of ours, of our host's or of a provider's own network lies there.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => !BLOCKED_V4.iter().any(|(network, length)| in_v4(v4, *network, *length)),
        IpAddr::V6(v6) => !BLOCKED_V6.iter().any(|(network, length)| in_v6(v6, *network, *length)),
    }
}

type V4 = ([u8; 4], u32);
type V6 = ([u16; 8], u32);

/// RFC 6890 and its successors (IANA special-purpose registry).
const BLOCKED_V4: &[V4] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

const BLOCKED_V6: &[V6] = &[
    ([0; 8], 96), // unspecified, loopback, compatible
    // NAT64 of a network's own (RFC 8215): what it leads to is that network's to know.
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 64),      // discard
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),     // protocol assignments
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),     // documentation
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),     // SRv6
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),      // unique local
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),     // link-local
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),     // site-local
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),      // multicast
];

fn in_v4(ip: Ipv4Addr, network: [u8; 4], length: u32) -> bool {
    let differ = u32::from(ip) ^ u32::from_be_bytes(network);
    differ.checked_shr(32 - length).unwrap_or(0) == 0
}

fn in_v6(ip: Ipv6Addr, network: [u16; 8], length: u32) -> bool {
    let differ = u128::from(ip) ^ u128::from(Ipv6Addr::from(network));
    differ.checked_shr(128 - length).unwrap_or(0) == 0
}

/// The v4 address within.
fn inner(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        // ::1 and :: are their own.
        [0, 0, 0, 0, 0, 0] if g == 0 && h <= 1 => None,
        [0, 0, 0, 0, 0, 0 | 0xffff] => Some(join(g, h)),
        // ::ffff:0:a.b.c.d (SIIT)
        [0, 0, 0, 0, 0xffff, 0] => Some(join(g, h)),
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(join(g, h)),
        [0x2002, ..] => Some(join(b, c)),
        [0x2001, 0, ..] => Some(join(!g, !h)),
        _ => None,
    }
}
