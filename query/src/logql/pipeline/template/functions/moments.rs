//! Functions on times.

use std::time::{SystemTime, UNIX_EPOCH};

use super::maths::to_int;
use super::{Arguments, Made, text, wrong_type};
use crate::logql::pipeline::template::times::Time;
use crate::logql::pipeline::template::value::Value;

pub(super) fn of_line(time: i64) -> Value {
    Value::Time(Time::from_ns(time))
}

pub(super) fn call(name: &str, arguments: &Arguments<'_>) -> Option<Made> {
    let number = |value: fn(&Time) -> i64| text(value(time(arguments.at(0))?).to_string());
    Some(match name {
        "now" => Ok(Value::Time(now())),
        "unixEpoch" => number(Time::unix),
        "unixEpochMillis" => number(Time::unix_ms),
        "unixEpochNanos" => number(Time::unix_ns),
        "unixToTime" => arguments.text(0).and_then(|epoch| from_epoch(&epoch)),
        "date" => date(arguments),
        // A text that is no time is the zero time.
        "toDate" => parse(arguments.text(0), arguments.text(1), "UTC"),
        "toDateInZone" => arguments
            .text(1)
            .and_then(|zone| parse(arguments.text(0), arguments.text(2), &zone)),
        _ => return None,
    })
}

fn time(value: &Value) -> Result<&Time, String> {
    match value {
        Value::Time(time) => Ok(time),
        other => Err(wrong_type("time.Time", other)),
    }
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ns = since.map_or(0, |since| since.as_nanos());
    Time::from_ns(i64::try_from(ns).unwrap_or(i64::MAX))
}

fn parse(
    layout: Result<std::borrow::Cow<'_, str>, String>,
    text: Result<std::borrow::Cow<'_, str>, String>,
    zone: &str,
) -> Made {
    let parsed = Time::parse(&layout?, &text?, zone);
    Ok(Value::Time(parsed.unwrap_or_else(|_| Time::zero())))
}

/// A moment of days, seconds, milliseconds, microseconds or nanoseconds, told by how long the
/// number is.
fn from_epoch(epoch: &str) -> Made {
    let number: i64 = epoch
        .parse()
        .map_err(|_| format!("unable to parse time '{epoch}': it is no number"))?;
    Ok(Value::Time(match epoch.len() {
        5 => Time::from_seconds(number.saturating_mul(86_400)),
        10 => Time::from_seconds(number),
        13 => Time::from_ns(number.saturating_mul(1_000_000)),
        16 => Time::from_ns(number.saturating_mul(1000)),
        19 => Time::from_ns(number),
        _ => {
            return Err(format!(
                "unable to parse time '{epoch}': of no known length"
            ));
        }
    }))
}

/// A time, or seconds since 1970, by a layout and in UTC; anything else is the present.
fn date(arguments: &Arguments<'_>) -> Made {
    let layout = arguments.text(0)?;
    let time = match arguments.at(1) {
        Value::Time(time) => time.utc(),
        seconds @ Value::Int(_) => Time::from_seconds(to_int(seconds)),
        _ => now(),
    };
    text(time.format(&layout))
}
