//! Times as log files write them, to nanoseconds since 1970. What names no zone is taken for UTC.

use crate::http::times;

const SECOND: i64 = 1_000_000_000;

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Whichever fits.
    Any,
    /// `2006-01-02T15:04:05Z07:00`, or with a space and without a zone.
    Rfc3339,
    /// `Jan  2 15:04:05`.
    Syslog,
    /// `02/Jan/2006:15:04:05 -0700`, as web servers write it.
    Clf,
    /// Numbers since 1970 in these units, in nanoseconds.
    Epoch(i64),
}

impl Layout {
    /// All of them by name.
    pub(crate) const NAMES: [(&str, Layout); 8] = [
        ("any", Layout::Any),
        ("rfc3339", Layout::Rfc3339),
        ("syslog", Layout::Syslog),
        ("clf", Layout::Clf),
        ("unix", Layout::Epoch(SECOND)),
        ("unix-ms", Layout::Epoch(1_000_000)),
        ("unix-us", Layout::Epoch(1_000)),
        ("unix-ns", Layout::Epoch(1)),
    ];

    /// Reads a time. `year` is that of layouts that name none.
    pub(crate) fn read(self, text: &str, year: i64) -> Option<i64> {
        match self {
            Layout::Any => any(text, year),
            Layout::Rfc3339 => rfc3339(text),
            Layout::Syslog => syslog(text, year),
            Layout::Clf => clf(text),
            Layout::Epoch(unit) => epoch(text, unit),
        }
    }
}

/// Reads a time in whichever layout it is. A number is of the unit in which it lies between 1973
/// and 2286.
pub(crate) fn any(text: &str, year: i64) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match digits {
        9 | 10 => SECOND,
        12 | 13 => 1_000_000,
        15 | 16 => 1_000,
        18 | 19 => 1,
        _ => 0,
    };
    let number = (unit > 0).then(|| epoch(text, unit)).flatten();
    number
        .or_else(|| rfc3339(text))
        .or_else(|| clf(text))
        .or_else(|| syslog(text, year))
}

fn epoch(text: &str, unit: i64) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = !whole.is_empty() && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let whole = is_number.then(|| whole.parse::<i64>().ok())?;
    let mut part = 0i64;
    let mut place = unit;
    for digit in decimals.bytes() {
        place /= 10;
        part += i64::from(digit - b'0') * place;
    }
    whole?.checked_mul(unit)?.checked_add(part)
}

fn rfc3339(text: &str) -> Option<i64> {
    if let Some(nanos) = times::rfc3339_nanos(text) {
        return Some(nanos);
    }
    // With a space, small letters, or no zone, as programs like to write it.
    let mut mended = text.trim().replacen(' ', "T", 1).to_ascii_uppercase();
    let has_zone = mended.ends_with('Z') || mended.get(19..)?.contains(['+', '-']);
    if !has_zone {
        mended.push('Z');
    }
    times::rfc3339_nanos(&mended.replace(' ', ""))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn month(text: &str) -> Option<usize> {
    let place = MONTHS.iter().position(|month| *month == text)?;
    Some(place + 1)
}

fn syslog(text: &str, year: i64) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let (month, day, time) = (month(words.next()?)?, words.next()?, words.next()?);
    let day: u8 = day.parse().ok()?;
    times::rfc3339_nanos(&format!("{year:04}-{month:02}-{day:02}T{time}Z"))
}

fn clf(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, month(parts.next()?)?, parts.next()?);
    let (time, zone) = rest.split_once(' ')?;
    let zone = match zone.split_at_checked(3)? {
        (hours, minutes) if minutes.len() == 2 => format!("{hours}:{minutes}"),
        _ => return None,
    };
    times::rfc3339_nanos(&format!("{year}-{month:02}-{day}T{time}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_layout_are_read() {
        let known = 1_700_000_000 * SECOND;
        for (name, text) in [
            ("rfc3339", "2023-11-14T22:13:20Z"),
            ("rfc3339", "2023-11-14T23:13:20+01:00"),
            ("rfc3339", "2023-11-14 22:13:20"),
            ("rfc3339", "2023-11-14 22:13:20,000"),
            ("syslog", "Nov 14 22:13:20"),
            ("clf", "14/Nov/2023:23:13:20 +0100"),
            ("unix", "1700000000"),
            ("unix-ms", "1700000000000"),
            ("unix-us", "1700000000000000"),
            ("unix-ns", "1700000000000000000"),
        ] {
            let (_, layout) = Layout::NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .unwrap();
            assert_eq!(layout.read(text, 2023), Some(known), "{name} {text}");
            assert_eq!(any(text, 2023), Some(known), "{text}");
        }
        assert_eq!(any("1700000000.5", 0), Some(known + SECOND / 2));
        assert_eq!(Layout::Epoch(SECOND).read("-1", 0), Some(-SECOND));
        for wrong in [
            "",
            "soon",
            "12",
            "2023-13-14T22:13:20Z",
            "Foo 14 22:13:20",
            "1/2",
        ] {
            assert_eq!(any(wrong, 2023), None, "{wrong}");
        }
    }
}
