//! [`Time`]: a moment in a zone, written and read by Go's layouts.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::civil::Date;
use super::layout::{self, Chunk, Fields};
use super::value::Value;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// How Go prints a time.
const PLAIN: &str = "2006-01-02 15:04:05.999999999 -0700 MST";
/// Seconds from Go's first moment, January 1st of the year 1, to 1970.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// A moment, and how far clocks are ahead of UTC where it is told.
#[derive(Clone, Debug)]
pub(super) struct Time {
    seconds: i64,
    nanos: u32,
    offset: i32,
    zone: Arc<str>,
}

impl Time {
    /// In UTC.
    pub(super) fn from_ns(ns: i64) -> Time {
        Time {
            seconds: ns.div_euclid(1_000_000_000),
            nanos: u32::try_from(ns.rem_euclid(1_000_000_000)).unwrap_or(0),
            offset: 0,
            zone: "UTC".into(),
        }
    }

    /// In UTC.
    pub(super) fn from_seconds(seconds: i64) -> Time {
        Time {
            seconds,
            ..Time::from_ns(0)
        }
    }

    /// What Go has where there is no time.
    pub(super) fn zero() -> Time {
        Time::from_seconds(ZERO_SECONDS)
    }

    /// The same moment in UTC.
    pub(super) fn utc(&self) -> Time {
        Time {
            nanos: self.nanos,
            ..Time::from_seconds(self.seconds)
        }
    }

    pub(super) fn unix(&self) -> i64 {
        self.seconds
    }

    pub(super) fn unix_ns(&self) -> i64 {
        self.seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(i64::from(self.nanos))
    }

    pub(super) fn unix_ms(&self) -> i64 {
        self.seconds
            .wrapping_mul(1000)
            .wrapping_add(i64::from(self.nanos / 1_000_000))
    }

    /// Reads a text by a layout; what names no zone is in this one.
    pub(super) fn parse(layout: &str, text: &str, zone: &str) -> Result<Time, String> {
        let fields = layout::parse(layout, text)
            .ok_or_else(|| format!("parsing time {text:?} as {layout:?}: no match"))?;
        let Fields {
            date,
            seconds_of_day,
            nanos,
            ..
        } = fields;
        let seconds = date.days() * 86_400 + seconds_of_day;
        if let Some((offset, name)) = fields.offset {
            return Ok(Time {
                seconds: seconds - i64::from(offset),
                nanos,
                offset,
                zone: name.into(),
            });
        }
        let zone = time_zone(zone)?;
        // Clocks that are ahead by what they are a moment later are right but in the hour of a
        // change.
        let (offset, _) = offset_at(&zone, seconds);
        let (offset, name) = offset_at(&zone, seconds - i64::from(offset));
        Ok(Time {
            seconds: seconds - i64::from(offset),
            nanos,
            offset,
            zone: name.into(),
        })
    }

    /// Writes it by a layout.
    pub(super) fn format(&self, layout: &str) -> String {
        let local = self.seconds + i64::from(self.offset);
        let date = Date::from_days(local.div_euclid(86_400));
        let second = local.rem_euclid(86_400);
        let mut out = String::new();
        let mut rest = layout;
        while let Some((before, chunk, behind)) = layout::next(rest) {
            out.push_str(before);
            self.push(&mut out, chunk, date, second);
            rest = behind;
        }
        out + rest
    }

    /// As Go prints it.
    pub(super) fn show(&self) -> String {
        self.format(PLAIN)
    }

    fn push(&self, out: &mut String, chunk: Chunk, date: Date, second: i64) {
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let hour12 = (hour + 11) % 12 + 1;
        let month = MONTHS[date.month as usize - 1];
        let weekday = WEEKDAYS[date.weekday()];
        let text = match chunk {
            Chunk::LongYear => format!("{:04}", date.year),
            Chunk::Year => format!("{:02}", date.year.rem_euclid(100)),
            Chunk::LongMonth => month.to_owned(),
            Chunk::Month => month[..3].to_owned(),
            Chunk::NumMonth => date.month.to_string(),
            Chunk::ZeroMonth => format!("{:02}", date.month),
            Chunk::LongWeekDay => weekday.to_owned(),
            Chunk::WeekDay => weekday[..3].to_owned(),
            Chunk::Day => date.day.to_string(),
            Chunk::SpaceDay => format!("{:2}", date.day),
            Chunk::ZeroDay => format!("{:02}", date.day),
            Chunk::SpaceYearDay => format!("{:3}", date.day_of_year()),
            Chunk::ZeroYearDay => format!("{:03}", date.day_of_year()),
            Chunk::Hour => format!("{hour:02}"),
            Chunk::Hour12 => hour12.to_string(),
            Chunk::ZeroHour12 => format!("{hour12:02}"),
            Chunk::Minute => minute.to_string(),
            Chunk::ZeroMinute => format!("{minute:02}"),
            Chunk::Second => (second % 60).to_string(),
            Chunk::ZeroSecond => format!("{:02}", second % 60),
            Chunk::UpperNoon => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Chunk::LowerNoon => if hour < 12 { "am" } else { "pm" }.to_owned(),
            // What has no name is called by its distance.
            Chunk::Zone if self.zone.is_empty() => offset_text(self.offset, 2, false),
            Chunk::Zone => self.zone.to_string(),
            Chunk::Offset { has_z: true, .. } if self.offset == 0 => "Z".to_owned(),
            Chunk::Offset {
                has_colon, parts, ..
            } => offset_text(self.offset, parts, has_colon),
            Chunk::Fraction {
                mark,
                digits,
                keeps_zeros,
            } => {
                let all = format!("{:09}", self.nanos);
                let kept = &all[..digits.min(all.len())];
                let kept = match keeps_zeros {
                    true => kept,
                    false => kept.trim_end_matches('0'),
                };
                match kept {
                    "" => String::new(),
                    kept => format!("{mark}{kept}"),
                }
            }
        };
        out.push_str(&text);
    }

    /// What a method of Go's type gives; `None` if there is none of this name.
    pub(super) fn method(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let local = self.seconds + i64::from(self.offset);
        let date = Date::from_days(local.div_euclid(86_400));
        let second = local.rem_euclid(86_400);
        let text = |text: &str| Value::text(text.as_bytes());
        let value = match (name, arguments) {
            ("Format", [Value::Text(layout)]) => {
                text(&self.format(&String::from_utf8_lossy(layout)))
            }
            ("Unix", []) => Value::Int(self.unix()),
            ("UnixMilli", []) => Value::Int(self.unix_ms()),
            ("UnixMicro", []) => Value::Int(self.unix_ns() / 1000),
            ("UnixNano", []) => Value::Int(self.unix_ns()),
            ("Year", []) => Value::Int(date.year),
            ("Month", []) => text(MONTHS[date.month as usize - 1]),
            ("Day", []) => Value::Int(i64::from(date.day)),
            ("YearDay", []) => Value::Int(date.day_of_year()),
            ("Weekday", []) => text(WEEKDAYS[date.weekday()]),
            ("Hour", []) => Value::Int(second / 3600),
            ("Minute", []) => Value::Int(second / 60 % 60),
            ("Second", []) => Value::Int(second % 60),
            ("Nanosecond", []) => Value::Int(i64::from(self.nanos)),
            ("UTC" | "Local", []) => Value::Time(self.utc()),
            ("String", []) => text(&self.show()),
            ("IsZero", []) => Value::Bool(self.seconds == ZERO_SECONDS && self.nanos == 0),
            ("Format", _) => return Some(Err("wrong number of args for Format".to_owned())),
            _ => return None,
        };
        Some(Ok(value))
    }
}

fn time_zone(name: &str) -> Result<TimeZone, String> {
    match name {
        "" | "UTC" | "Local" => Ok(TimeZone::UTC),
        _ => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}")),
    }
}

/// How far ahead of UTC clocks of a zone are at a moment, and what that is called.
fn offset_at(zone: &TimeZone, seconds: i64) -> (i32, String) {
    let Ok(moment) = Timestamp::from_second(seconds) else {
        return (0, "UTC".to_owned());
    };
    let known = zone.to_offset_info(moment);
    (known.offset().seconds(), known.abbreviation().to_owned())
}

/// `-07`, `-0700`, `-07:00` and longer ones: of `parts` two digits each.
fn offset_text(offset: i32, parts: usize, has_colon: bool) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let size = offset.unsigned_abs();
    let numbers = [size / 3600, size / 60 % 60, size % 60];
    let mut out = sign.to_string();
    for (at, number) in numbers.iter().take(parts).enumerate() {
        if at > 0 && has_colon {
            out.push(':');
        }
        out.push_str(&format!("{number:02}"));
    }
    out
}

/// The number of a month or a weekday by its name or the first letters of it, and what is behind.
pub(super) fn named(text: &str, is_month: bool, is_long: bool) -> Option<(usize, &str)> {
    let names: &[&str] = if is_month { &MONTHS } else { &WEEKDAYS };
    names.iter().enumerate().find_map(|(at, name)| {
        let name = if is_long { name } else { &name[..3] };
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some((at, rest))
    })
}
