//! Parameters as Loki reads them: times, ranges, steps, limits, directions.

use std::time::SystemTime;

use chronolith_query::logql::Direction;
use chronolith_query::logql::syntax::ast::Query;
use chronolith_query::logql::syntax::{self, SyntaxError};

use chronolith_engine::labels::Matcher;

use crate::http::params::Params;
use crate::http::times::{self, SECOND};
use crate::meters::Limit;

use super::answer::{Fault, bad, beyond};

/// How far back a request looks that does not say.
const SINCE: i64 = 3600 * SECOND;

/// Lines of an answer that are wanted if the request does not say.
pub(super) const LIMIT: usize = 100;

/// Steps of a range query that does not say how long one is.
const STEPS: i64 = 250;

/// Steps of a range query at most.
const STEPS_MAX: i64 = 11_000;

/// Nanoseconds of a millisecond.
pub(super) const MS: i64 = 1_000_000;

/// Integers of this many digits are nanoseconds, shorter ones seconds.
const NANO_DIGITS: usize = 11;

/// Now, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// A point in time: seconds with decimals, seconds, nanoseconds, or RFC 3339.
pub(super) fn nanos(text: &str) -> Option<i64> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        // Rounded to milliseconds. The cast saturates: an absurd time is the end of time.
        let ms = (seconds * 1000.0).round() as i64;
        return seconds.is_finite().then_some(ms.saturating_mul(MS));
    }
    match text.parse::<i64>() {
        Ok(number) if text.len() < NANO_DIGITS => Some(number.saturating_mul(SECOND)),
        Ok(number) => Some(number),
        Err(_) => times::rfc3339_nanos(text),
    }
}

/// The point in time of a parameter, if it is there.
pub(super) fn time_if_given(params: &Params, name: &str) -> Result<Option<i64>, Fault> {
    match params.value(name) {
        "" => Ok(None),
        text => nanos(text).map(Some).ok_or_else(|| {
            bad(format!(
                "could not parse '{name}' parameter: strconv.ParseInt: parsing {text:?}: invalid \
                 syntax"
            ))
        }),
    }
}

/// The range from `start` to `end`, without any the last hour.
pub(super) fn range(params: &Params) -> Result<(i64, i64), Fault> {
    let (start, end) = (
        time_if_given(params, "start")?,
        time_if_given(params, "end")?,
    );
    let since = match params.value("since") {
        "" => SINCE,
        text => length(text).map_err(|_| {
            bad(format!(
                "could not parse 'since' parameter: not a valid duration string: {text:?}"
            ))
        })?,
    };
    let now = now();
    let end = end.unwrap_or(now);
    let start = start.unwrap_or_else(|| end.min(now).saturating_sub(since));
    Ok((start, end))
}

/// A length of time in nanoseconds: seconds with decimals, or units.
pub(super) fn length(text: &str) -> Result<i64, Fault> {
    let ms = times::length_ms(text).map_err(bad)?;
    Ok(ms.saturating_mul(MS))
}

/// How many lines are wanted.
pub(super) fn limit(params: &Params, default: usize) -> Result<usize, Fault> {
    let text = params.value("limit");
    if text.is_empty() {
        return Ok(default);
    }
    let wrong = || bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax"));
    let limit: i64 = text.parse().map_err(|_| wrong())?;
    match usize::try_from(limit) {
        Ok(0) | Err(_) => Err(bad("limit must be a positive value")),
        Ok(limit) => Ok(limit),
    }
}

/// Which lines come first.
pub(super) fn direction(params: &Params) -> Result<Direction, Fault> {
    let text = params.value("direction");
    match text.to_ascii_lowercase().as_str() {
        "" | "backward" => Ok(Direction::Backward),
        "forward" => Ok(Direction::Forward),
        _ => Err(bad(format!("invalid direction '{text}'"))),
    }
}

/// The step of a range of time, which may have so many of them.
pub(super) fn step(params: &Params, (start, end): (i64, i64)) -> Result<i64, Fault> {
    let step = match params.value("step") {
        "" => ((end.saturating_sub(start)) / SECOND / STEPS).max(1) * SECOND,
        text => length(text)?,
    };
    if step <= 0 {
        return Err(bad(
            "zero or negative query resolution step widths are not accepted. Try a positive \
             integer",
        ));
    }
    if end.saturating_sub(start) / step > STEPS_MAX {
        return Err(beyond(
            Limit::QuerySteps,
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the \
             value of the step parameter",
        ));
    }
    Ok(step)
}

/// How far lines of an answer must be apart.
pub(super) fn interval(params: &Params) -> Result<i64, Fault> {
    match params.value("interval") {
        "" => Ok(0),
        text => match length(text)? {
            interval if interval < 0 => Err(bad("interval must be >= 0")),
            interval => Ok(interval),
        },
    }
}

/// What is wrong with a query.
pub(super) fn misread(error: SyntaxError) -> Fault {
    bad(error.to_string())
}

/// The matchers of a selector that may be missing, or be empty: then every stream is meant.
pub(super) fn matchers_if_given(text: &str) -> Result<Vec<Matcher>, Fault> {
    match text.trim() {
        "" | "{}" => Ok(Vec::new()),
        text => syntax::parse_selector(text).map_err(misread),
    }
}

/// The matchers of a query that must be nothing else.
pub(super) fn required_matchers(text: &str) -> Result<Vec<Matcher>, Fault> {
    match syntax::parse(text).map_err(misread)? {
        Query::Lines(lines) if lines.stages.is_empty() => Ok(lines.matchers),
        _ => Err(bad("only label matchers are supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Params {
        let mut params = Params::default();
        params.parse(text.as_bytes());
        params
    }

    #[test]
    fn times_are_seconds_or_nanoseconds_by_their_length() {
        assert_eq!(nanos("1768471200"), Some(1_768_471_200 * SECOND));
        assert_eq!(nanos("1768471200000000000"), Some(1_768_471_200 * SECOND));
        assert_eq!(nanos("1768471200.1234"), Some(1_768_471_200_123 * MS));
        assert_eq!(nanos("1768471200000"), Some(1_768_471_200_000));
        assert_eq!(nanos("9999999999"), Some(i64::MAX));
        assert_eq!(
            nanos("2026-01-15T10:00:00.5Z"),
            Some(1_768_471_200_500 * MS)
        );
        for wrong in ["yesterday", "", "1e5", "NaN.", "2026-01-15"] {
            assert_eq!(nanos(wrong), None, "{wrong}");
        }
    }

    fn text(fault: Fault) -> String {
        fault.0.message().to_owned()
    }

    #[test]
    fn a_range_is_the_last_hour_unless_it_is_told() {
        let asked = "start=1768471200&end=1768471300";
        let hour = range(&params("end=1768471200")).ok();
        assert_eq!(hour, Some((1_768_467_600 * SECOND, 1_768_471_200 * SECOND)));
        let told = range(&params(asked)).ok();
        assert_eq!(told, Some((1_768_471_200 * SECOND, 1_768_471_300 * SECOND)));
        let minute = range(&params("end=1768471200&since=1m")).ok();
        assert_eq!(
            minute,
            Some((1_768_471_140 * SECOND, 1_768_471_200 * SECOND))
        );
        assert!(range(&params("since=soon")).is_err());
    }

    #[test]
    fn a_step_is_a_part_of_the_range_unless_it_is_told() {
        let day = (0, 86_400 * SECOND);
        assert_eq!(step(&params(""), day).ok(), Some(345 * SECOND));
        assert_eq!(step(&params(""), (0, 5)).ok(), Some(SECOND));
        assert_eq!(step(&params("step=60000ms"), day).ok(), Some(60 * SECOND));
        let fault = step(&params("step=0"), day).err().map(text).unwrap();
        assert!(fault.starts_with("zero or negative"), "{fault}");
        let fault = step(&params("step=1"), day).err().map(text).unwrap();
        assert!(fault.starts_with("exceeded maximum resolution"), "{fault}");
    }

    #[test]
    fn limits_and_directions_are_checked() {
        assert_eq!(limit(&params(""), 7).ok(), Some(7));
        for wrong in ["limit=0", "limit=-1", "limit=many"] {
            assert!(limit(&params(wrong), 7).is_err(), "{wrong}");
        }
        assert_eq!(
            direction(&params("direction=FORWARD")).ok(),
            Some(Direction::Forward)
        );
        assert!(direction(&params("direction=sideways")).is_err());
        assert!(interval(&params("interval=-5")).is_err());
        assert_eq!(interval(&params("interval=1s")).ok(), Some(SECOND));
    }
}
