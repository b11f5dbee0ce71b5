//! Times and ranges of time as people write them in flags.

use std::time::{Duration, SystemTime};

use clap::builder::ValueParser;
use clap::{Arg, ArgMatches};

use crate::duration;
use crate::http::times::{SECOND, rfc3339_nanos, rfc3339_seconds};
use crate::reach::Failure;

const MS: i64 = 1_000_000;

/// The length of a range if nobody says so.
const DEFAULT_SINCE: Duration = Duration::from_secs(3600);

/// How a time may be written.
const TIME_HELP: &str = "RFC 3339, seconds since 1970, now, or -1h for an hour ago";

/// A range in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// A flag that takes a time.
pub(super) fn time_argument(name: &'static str, what: &str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("TIME")
        .allow_hyphen_values(true)
        .value_parser(ValueParser::new(|text: &str| {
            time(text, now()).ok_or_else(|| format!("{text:?} is no time: write {TIME_HELP}"))
        }))
        .help(format!("{what}: {TIME_HELP}"))
}

/// A flag that takes a length of time.
pub(super) fn length_argument(name: &'static str, what: String) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("DURATION")
        .value_parser(ValueParser::new(|text: &str| {
            duration::parse(text).ok_or_else(|| {
                format!("{text:?} is no duration: write numbers with units, such as 30m or 12h")
            })
        }))
        .help(what)
}

/// The flags that choose a range.
pub(super) fn arguments() -> [Arg; 3] {
    let default = duration::format(DEFAULT_SINCE);
    [
        length_argument(
            "since",
            format!("How far before --to the range begins [default: {default}]"),
        )
        .conflicts_with("from"),
        time_argument("from", "Where the range begins").alias("start"),
        time_argument("to", "Where the range ends [default: now]").alias("end"),
    ]
}

/// Whether any of these flags was given.
pub(super) fn is_given(flags: &ArgMatches) -> bool {
    ["since", "from", "to"]
        .iter()
        .any(|name| flags.contains_id(name))
}

impl Period {
    /// The range that the flags choose.
    pub(super) fn read(flags: &ArgMatches) -> Result<Period, Failure> {
        let to = flags.get_one::<i64>("to").copied().unwrap_or_else(now);
        let since = flags.get_one::<Duration>("since").copied();
        let since = i64::try_from(since.unwrap_or(DEFAULT_SINCE).as_nanos()).unwrap_or(i64::MAX);
        let from = flags.get_one::<i64>("from").copied();
        let from = from.unwrap_or_else(|| to.saturating_sub(since));
        match from <= to {
            true => Ok(Period { from, to }),
            false => Err(Failure::misused(format!(
                "the range begins at {} and ends before that, at {}: --from must not be after --to",
                rfc3339_seconds(from),
                rfc3339_seconds(to)
            ))),
        }
    }
}

/// Nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// Reads a time as nanoseconds since 1970.
fn time(text: &str, now: i64) -> Option<i64> {
    if text == "now" {
        return Some(now);
    }
    if let Some(nanos) = rfc3339_nanos(text) {
        return Some(nanos);
    }
    if let Some(ago) = text.strip_prefix('-').and_then(duration::parse) {
        return now.checked_sub(i64::try_from(ago.as_nanos()).ok()?);
    }
    if text.len() > 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // As Loki reads them: so many digits are nanoseconds.
        return text.parse().ok();
    }
    let seconds: f64 = text.parse().ok()?;
    let nanos = (seconds * 1000.0).round() * MS as f64;
    // The comparison holds for no NaN.
    (nanos.abs() < i64::MAX as f64).then_some(nanos as i64)
}

/// A time as parameters of the Prometheus API have it: seconds with decimals.
pub(super) fn seconds(nanos: i64) -> String {
    let (whole, ms) = (nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND) / MS);
    match ms {
        0 => whole.to_string(),
        // A float of three decimals is exact enough for any such time.
        _ => format!("{}", (whole * 1000 + ms) as f64 / 1000.0),
    }
}

/// A time as RFC 3339 with milliseconds.
pub(super) fn rfc3339_ms(nanos: i64) -> String {
    let whole = rfc3339_seconds(nanos);
    let ms = nanos.rem_euclid(SECOND) / MS;
    format!("{}.{ms:03}Z", whole.trim_end_matches('Z'))
}

/// A time as RFC 3339 with all its decimals.
pub(super) fn rfc3339_exact(nanos: i64) -> String {
    let whole = rfc3339_seconds(nanos);
    let fraction = format!("{:09}", nanos.rem_euclid(SECOND));
    match fraction.trim_end_matches('0') {
        "" => whole,
        digits => format!("{}.{digits}Z", whole.trim_end_matches('Z')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_written_in_several_ways() {
        let now = 1_768_476_600 * SECOND;
        assert_eq!(time("now", now), Some(now));
        assert_eq!(time("-1h", now), Some(now - 3600 * SECOND));
        assert_eq!(time("1768476600.5", 0), Some(now + 500 * MS));
        assert_eq!(time("1768476600123456789", 0), Some(now + 123_456_789));
        assert_eq!(time("2026-01-15T11:30:00Z", 0), Some(now));
        assert_eq!(time("-5", 0), Some(-5 * SECOND));
        for wrong in ["", "soon", "NaN", "1e300", "12:00", "-1x"] {
            assert_eq!(time(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        let nanos = 1_768_476_600 * SECOND + 120 * MS;
        assert_eq!(seconds(nanos), "1768476600.12");
        assert_eq!(seconds(-SECOND), "-1");
        assert_eq!(rfc3339_ms(nanos), "2026-01-15T11:30:00.120Z");
        assert_eq!(rfc3339_exact(nanos), "2026-01-15T11:30:00.12Z");
        assert_eq!(rfc3339_exact(1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(rfc3339_ms(-1), "1969-12-31T23:59:59.999Z");
    }
}
