//! `ip("…")`: an address, a range or a network, found anywhere in a text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of one family from a first to a last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpRange {
    first: IpAddr,
    last: IpAddr,
}

impl IpRange {
    /// Reads `10.0.0.1`, `10.0.0.1-10.0.0.9` or `10.0.0.0/8`, and the same of IPv6.
    pub(super) fn parse(pattern: &str) -> Result<IpRange, String> {
        let range = match (pattern.split_once('/'), pattern.split_once('-')) {
            (Some((address, bits)), _) => network(address, bits),
            (None, Some((first, last))) => pair(first, last),
            (None, None) => pair(pattern, pattern),
        };
        let quoted = crate::text::quote::quote(pattern);
        range.ok_or_else(|| format!("ip: invalid pattern: {quoted}"))
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether an address of the range stands anywhere in a text.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while let Some(start) = text[at..].iter().position(|byte| is_part(*byte)) {
            let start = at + start;
            let rest = &text[start..];
            let length = rest.iter().position(|byte| !is_part(*byte));
            at = start + length.unwrap_or(rest.len());
            let before = start.checked_sub(1).map(|place| text[place]);
            let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let stands_alone = !is_word(before.as_ref()) && !is_word(text.get(at));
            if self.is_in_run(&text[start..at], stands_alone) {
                return true;
            }
        }
        false
    }

    /// Looks at letters any of which may be of an address. An address of IPv6 must not go on as a
    /// word; one of IPv4 may be a part of the run, such as with a port behind it.
    fn is_in_run(&self, run: &[u8], stands_alone: bool) -> bool {
        match self.first {
            IpAddr::V4(_) => run
                .split(|byte| !(byte.is_ascii_digit() || *byte == b'.'))
                .filter(|part| (7..=16).contains(&part.len()))
                .filter_map(|part| {
                    let part = part.strip_suffix(b".").unwrap_or(part);
                    std::str::from_utf8(part).ok()?.parse::<Ipv4Addr>().ok()
                })
                .any(|address| self.contains(address.into())),
            IpAddr::V6(_) => {
                let is_likely = stands_alone && run.contains(&b':') && run.len() <= 46;
                let trimmed = match run {
                    [.., b':', b':'] => run,
                    [before @ .., b':' | b'.'] => before,
                    _ => run,
                };
                let text = std::str::from_utf8(trimmed).unwrap_or("");
                let address = text.parse::<Ipv6Addr>();
                is_likely && address.is_ok_and(|address| self.contains(address.into()))
            }
        }
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'.' || byte == b':'
}

fn pair(first: &str, last: &str) -> Option<IpRange> {
    let (first, last) = (first.parse::<IpAddr>().ok()?, last.parse::<IpAddr>().ok()?);
    let is_range = first.is_ipv4() == last.is_ipv4() && first <= last;
    is_range.then_some(IpRange { first, last })
}

fn network(address: &str, bits: &str) -> Option<IpRange> {
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) if bits <= 32 => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let address = address.to_bits();
            Some(IpRange {
                first: Ipv4Addr::from_bits(address & !host).into(),
                last: Ipv4Addr::from_bits(address | host).into(),
            })
        }
        IpAddr::V6(address) if bits <= 128 => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            let address = address.to_bits();
            Some(IpRange {
                first: Ipv6Addr::from_bits(address & !host).into(),
                last: Ipv6Addr::from_bits(address | host).into(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_anywhere() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            (
                "192.0.2.15",
                &[
                    "192.0.2.15",
                    "x=192.0.2.15:8080 y",
                    "from 192.0.2.15.",
                    "[192.0.2.15]",
                ],
                &["192.0.2.151", "1192.0.2.15", "192.0.2", "", "192.0.2.15.3"],
            ),
            (
                "10.0.0.0/8",
                &["a 10.255.0.1 b"],
                &["11.0.0.1", "::10.0.0.300"],
            ),
            (
                "198.51.100.1-198.51.100.100",
                &["198.51.100.4"],
                &["198.51.100.200"],
            ),
            (
                "2001:db8::/33",
                &[
                    "2001:db8::1 x",
                    "ip=2001:db8:0:1::dead,",
                    "[2001:db8::1]:80",
                ],
                &["2001:db8:ffff::42", "::1", "10:00:58", "10.0.0.1"],
            ),
            ("::1", &["a ::1 b", "::1"], &["::12", "::"]),
            ("::/0", &["fe80::1"], &["std::vector", "a:b", "x"]),
        ];
        for (pattern, found, others) in cases {
            let range = IpRange::parse(pattern).unwrap();
            for text in found {
                assert!(range.is_in(text.as_bytes()), "{pattern} in {text}");
            }
            for text in others {
                assert!(!range.is_in(text.as_bytes()), "{pattern} not in {text}");
            }
        }
    }

    #[test]
    fn a_wrong_pattern_is_refused() {
        for pattern in [
            "300.1.2.3",
            "",
            "10.0.0.0/33",
            "10.0.0.9-10.0.0.1",
            "::1-1.2.3.4",
            "::/x",
        ] {
            let error = format!("ip: invalid pattern: \"{pattern}\"");
            assert_eq!(IpRange::parse(pattern), Err(error));
        }
        assert!(IpRange::parse("::/128").is_ok() && IpRange::parse("0.0.0.0/0").is_ok());
    }
}
