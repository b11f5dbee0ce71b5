//! Go's layouts of times: an example time, whose parts say what stands where.

use super::civil::Date;
use super::times::named;

/// A part of a layout that stands for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    LongYear,
    Year,
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    UpperNoon,
    LowerNoon,
    Zone,
    /// `-07:00` and its kin, with `Z` for UTC where it begins with one.
    Offset {
        has_z: bool,
        has_colon: bool,
        parts: usize,
    },
    Fraction {
        mark: char,
        digits: usize,
        keeps_zeros: bool,
    },
}

/// Chunks by how they are written; a longer one stands in front of what it begins with.
const CHUNKS: [(&str, Chunk); 33] = [
    ("January", Chunk::LongMonth),
    ("Jan", Chunk::Month),
    ("Monday", Chunk::LongWeekDay),
    ("Mon", Chunk::WeekDay),
    ("MST", Chunk::Zone),
    ("002", Chunk::ZeroYearDay),
    ("01", Chunk::ZeroMonth),
    ("02", Chunk::ZeroDay),
    ("03", Chunk::ZeroHour12),
    ("04", Chunk::ZeroMinute),
    ("05", Chunk::ZeroSecond),
    ("06", Chunk::Year),
    ("15", Chunk::Hour),
    ("1", Chunk::NumMonth),
    ("2006", Chunk::LongYear),
    ("2", Chunk::Day),
    ("__2", Chunk::SpaceYearDay),
    ("_2", Chunk::SpaceDay),
    ("3", Chunk::Hour12),
    ("4", Chunk::Minute),
    ("5", Chunk::Second),
    ("PM", Chunk::UpperNoon),
    ("pm", Chunk::LowerNoon),
    ("-07:00:00", offset(false, true, 3)),
    ("-070000", offset(false, false, 3)),
    ("-07:00", offset(false, true, 2)),
    ("-0700", offset(false, false, 2)),
    ("-07", offset(false, false, 1)),
    ("Z07:00:00", offset(true, true, 3)),
    ("Z070000", offset(true, false, 3)),
    ("Z07:00", offset(true, true, 2)),
    ("Z0700", offset(true, false, 2)),
    ("Z07", offset(true, false, 1)),
];

const fn offset(has_z: bool, has_colon: bool, parts: usize) -> Chunk {
    Chunk::Offset {
        has_z,
        has_colon,
        parts,
    }
}

/// The first chunk of a layout, with what is before and behind it.
pub(super) fn next(layout: &str) -> Option<(&str, Chunk, &str)> {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        // The underscore stands for itself.
        if let Some(behind) = rest.strip_prefix("_2006") {
            return Some((&layout[..=at], Chunk::LongYear, behind));
        }
        if let Some((chunk, length)) = fraction(rest) {
            return Some((&layout[..at], chunk, &rest[length..]));
        }
        let known = CHUNKS.iter().find(|(text, chunk)| {
            let is_short_name = matches!(chunk, Chunk::Month | Chunk::WeekDay);
            let behind = rest.strip_prefix(text);
            let is_lower = |letter: char| letter.is_ascii_lowercase();
            behind.is_some_and(|behind| !(is_short_name && behind.starts_with(is_lower)))
        });
        if let Some((text, chunk)) = known {
            return Some((&layout[..at], *chunk, &rest[text.len()..]));
        }
    }
    None
}

/// `.000` or `,999`, unless digits follow.
fn fraction(text: &str) -> Option<(Chunk, usize)> {
    let mark = text
        .chars()
        .next()
        .filter(|mark| matches!(mark, '.' | ','))?;
    let digit = *text.as_bytes().get(1)?;
    if digit != b'0' && digit != b'9' {
        return None;
    }
    let bytes = &text.as_bytes()[1..];
    let digits = bytes.iter().take_while(|byte| **byte == digit).count();
    if bytes.get(digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let chunk = Chunk::Fraction {
        mark,
        digits,
        keeps_zeros: digit == b'0',
    };
    Some((chunk, digits + 1))
}

/// What a text says by a layout.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) date: Date,
    pub(super) seconds_of_day: i64,
    pub(super) nanos: u32,
    /// How far ahead of UTC, in seconds, and the zone's name; `None` if it does not say.
    pub(super) offset: Option<(i32, String)>,
}

/// What has been read so far.
struct Reader<'t> {
    rest: &'t str,
    date: Date,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    is_afternoon: Option<bool>,
    nanos: u32,
    offset: Option<(i32, String)>,
}

/// Reads a text by a layout.
pub(super) fn parse(layout: &str, text: &str) -> Option<Fields> {
    let date = Date {
        year: 0,
        month: 1,
        day: 1,
    };
    let mut reader = Reader {
        rest: text,
        date,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        is_afternoon: None,
        nanos: 0,
        offset: None,
    };
    let mut layout = layout;
    while let Some((before, chunk, behind)) = next(layout) {
        reader.literal(before)?;
        reader.read(chunk, behind)?;
        layout = behind;
    }
    reader.literal(layout)?;
    reader.finish()
}

impl<'t> Reader<'t> {
    /// Takes a literal of the layout; spaces stand for any number of them.
    fn literal(&mut self, mut literal: &str) -> Option<()> {
        while let Some(letter) = literal.chars().next() {
            if letter == ' ' {
                if !self.rest.is_empty() && !self.rest.starts_with(' ') {
                    return None;
                }
                literal = literal.trim_start_matches(' ');
                self.rest = self.rest.trim_start_matches(' ');
                continue;
            }
            self.rest = self.rest.strip_prefix(letter)?;
            literal = &literal[letter.len_utf8()..];
        }
        Some(())
    }

    /// A number of exactly `length` digits.
    fn digits(&mut self, length: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(length)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        self.rest = rest;
        is_number.then(|| digits.parse().ok())?
    }

    /// A number of one or two digits.
    fn number(&mut self) -> Option<i64> {
        let is_digit = |at: usize| self.rest.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        self.digits(if is_digit(1) { 2 } else { 1 })
    }

    fn read(&mut self, chunk: Chunk, behind: &str) -> Option<()> {
        let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        match chunk {
            Chunk::LongYear => self.date.year = self.digits(4)?,
            Chunk::Year => {
                let year = self.digits(2)?;
                self.date.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Chunk::LongMonth | Chunk::Month => {
                let (month, rest) = named(self.rest, true, chunk == Chunk::LongMonth)?;
                self.date.month = u32::try_from(month).ok()? + 1;
                self.rest = rest;
            }
            Chunk::LongWeekDay | Chunk::WeekDay => {
                self.rest = named(self.rest, false, chunk == Chunk::LongWeekDay)?.1;
            }
            Chunk::NumMonth => self.date.month = number(self.number())?,
            Chunk::ZeroMonth => self.date.month = number(self.digits(2))?,
            Chunk::Day => self.date.day = number(self.number())?,
            Chunk::SpaceDay => {
                self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                self.date.day = number(self.number())?;
            }
            Chunk::ZeroDay => self.date.day = number(self.digits(2))?,
            Chunk::SpaceYearDay | Chunk::ZeroYearDay => {
                let spaces = self.rest.len() - self.rest.trim_start_matches(' ').len();
                let spaces = spaces.min(2);
                self.rest = &self.rest[spaces..];
                self.year_day = Some(self.digits(3 - spaces)?);
            }
            Chunk::Hour => self.hour = self.number().filter(|hour| *hour < 24)?,
            Chunk::Hour12 => self.hour = self.number().filter(|hour| *hour <= 12)?,
            Chunk::ZeroHour12 => self.hour = self.digits(2).filter(|hour| *hour <= 12)?,
            Chunk::Minute => self.minute = self.number().filter(|minute| *minute < 60)?,
            Chunk::ZeroMinute => self.minute = self.digits(2).filter(|minute| *minute < 60)?,
            Chunk::Second => self.second(true, behind)?,
            Chunk::ZeroSecond => self.second(false, behind)?,
            Chunk::UpperNoon => self.noon(["AM", "PM"])?,
            Chunk::LowerNoon => self.noon(["am", "pm"])?,
            Chunk::Zone => self.zone()?,
            Chunk::Offset {
                has_z,
                has_colon,
                parts,
            } => self.offset(has_z, has_colon, parts)?,
            Chunk::Fraction {
                digits,
                keeps_zeros: true,
                ..
            } => self.fraction(digits)?,
            Chunk::Fraction { .. } => self.optional_fraction()?,
        }
        Some(())
    }

    /// Seconds; a fraction may follow them though the layout has none.
    fn second(&mut self, may_be_one_digit: bool, behind: &str) -> Option<()> {
        let second = match may_be_one_digit {
            true => self.number(),
            false => self.digits(2),
        };
        self.second = second.filter(|second| *second < 60)?;
        match matches!(next(behind), Some(("", Chunk::Fraction { .. }, _))) {
            true => Some(()),
            false => self.optional_fraction(),
        }
    }

    fn optional_fraction(&mut self) -> Option<()> {
        let Some(behind) = self.rest.strip_prefix(['.', ',']) else {
            return Some(());
        };
        match behind.bytes().take_while(u8::is_ascii_digit).count() {
            0 => Some(()),
            digits => self.fraction(digits),
        }
    }

    fn fraction(&mut self, digits: usize) -> Option<()> {
        let behind = self.rest.strip_prefix(['.', ','])?;
        let (text, rest) = behind.split_at_checked(digits)?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let kept = &text[..digits.min(9)];
        self.nanos = format!("{kept:0<9}").parse().ok()?;
        self.rest = rest;
        Some(())
    }

    fn noon(&mut self, words: [&str; 2]) -> Option<()> {
        let is_afternoon = self.rest.starts_with(words[1]);
        self.rest = self.rest.strip_prefix(words[usize::from(is_afternoon)])?;
        self.is_afternoon = Some(is_afternoon);
        Some(())
    }

    /// The name of a zone, which tells no offset.
    fn zone(&mut self) -> Option<()> {
        let letters = self.rest.bytes().take_while(u8::is_ascii_uppercase).count();
        if !(3..=5).contains(&letters) {
            return None;
        }
        let (name, rest) = self.rest.split_at(letters);
        self.offset.get_or_insert((0, name.to_owned()));
        self.rest = rest;
        Some(())
    }

    fn offset(&mut self, has_z: bool, has_colon: bool, parts: usize) -> Option<()> {
        if let (true, Some(rest)) = (has_z, self.rest.strip_prefix('Z')) {
            self.rest = rest;
            self.offset = Some((0, "UTC".to_owned()));
            return Some(());
        }
        let sign = match self.rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let mut seconds = 0;
        for (part, unit) in [3600, 60, 1].into_iter().take(parts).enumerate() {
            if part > 0 && has_colon {
                self.rest = self.rest.strip_prefix(':')?;
            }
            seconds += self.digits(2)? * unit;
        }
        let seconds = i32::try_from(seconds).ok()? * sign;
        let name = match seconds {
            0 => "UTC".to_owned(),
            _ => String::new(),
        };
        self.offset = Some((seconds, name));
        Some(())
    }

    fn finish(mut self) -> Option<Fields> {
        if !self.rest.is_empty() {
            return None;
        }
        match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        if let Some(day) = self.year_day {
            let first = Date {
                month: 1,
                day: 1,
                ..self.date
            };
            self.date = Date::from_days(first.days() + day - 1);
            if self.date.year != first.year {
                return None;
            }
        }
        self.date.exists().then(|| Fields {
            date: self.date,
            seconds_of_day: self.hour * 3600 + self.minute * 60 + self.second,
            nanos: self.nanos,
            offset: self.offset,
        })
    }
}
