//! Numbers, ids, addresses and dates as text, appended without allocating.

use crate::logmix::random::Random;

const NANOS: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A number in decimal.
pub fn put_number(out: &mut String, number: u64) {
    put_padded(out, number, 1);
}

/// A number in decimal with leading zeros up to `width`.
pub fn put_padded(out: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let (mut left, mut at) = (number, digits.len());
    while left > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.extend(digits[at..].iter().map(|digit| *digit as char));
}

/// A number of thousandths, as seconds with three decimals.
pub fn put_thousandths(out: &mut String, number: u64) {
    put_number(out, number / 1_000);
    out.push('.');
    put_padded(out, number % 1_000, 3);
}

/// The lowest `digits` hexadecimal digits.
pub fn put_hex(out: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(HEX[(number >> (4 * place) & 15) as usize] as char);
    }
}

/// A random UUID of version 4.
pub fn put_uuid(out: &mut String, random: &mut Random) {
    let (one, two) = (random.bits(), random.bits());
    put_hex(out, one >> 32, 8);
    out.push('-');
    put_hex(out, one >> 16, 4);
    out.push_str("-4");
    put_hex(out, one, 3);
    out.push('-');
    put_hex(out, 0x8000 | two >> 50, 4);
    out.push('-');
    put_hex(out, two, 12);
}

/// The address of a client: the same number is the same client; one in eight has version 6.
pub fn put_address(out: &mut String, client: u64) {
    let bits = crate::fleet::mix(client, 71);
    if bits & 7 == 0 {
        out.push_str("2a02:");
        put_hex(out, bits >> 8 & 0xfff, 3);
        out.push(':');
        put_hex(out, bits >> 20, 4);
        out.push_str("::");
        put_hex(out, bits >> 40, 4);
        return;
    }
    put_number(out, 11 + (bits >> 8) % 200);
    for shift in [16, 24, 32] {
        out.push('.');
        put_number(out, bits >> shift & 0xff);
    }
}

/// The parts of a time in UTC.
pub struct Civil {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
    nanos: u64,
}

impl Civil {
    /// Takes a time after 1970 apart.
    pub fn of(time_ns: i64) -> Self {
        let seconds = time_ns / NANOS;
        let days = (seconds / DAY_SECONDS) as u64;
        // Days are counted from the first of March of year 0, so that leap days come last.
        let days = days + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        Civil {
            year: year + era * 400 + u64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            second_of_day: (seconds % DAY_SECONDS) as u64,
            nanos: (time_ns % NANOS) as u64,
        }
    }

    fn put_clock(&self, out: &mut String) {
        put_padded(out, self.second_of_day / 3_600, 2);
        out.push(':');
        put_padded(out, self.second_of_day / 60 % 60, 2);
        out.push(':');
        put_padded(out, self.second_of_day % 60, 2);
    }

    fn put_date(&self, out: &mut String) {
        put_number(out, self.year);
        out.push('-');
        put_padded(out, self.month, 2);
        out.push('-');
        put_padded(out, self.day, 2);
    }

    fn month_name(&self) -> &'static str {
        MONTHS[self.month as usize - 1]
    }

    /// `2025-06-15T15:06:40.000123456Z` with 3, 6 or 9 digits behind the point.
    pub fn put_iso(&self, out: &mut String, digits: u32) {
        self.put_date(out);
        out.push('T');
        self.put_clock(out);
        out.push('.');
        put_padded(out, self.nanos / 10u64.pow(9 - digits), digits as usize);
        out.push('Z');
    }

    /// `2025-06-15 15:06:40,123`, as Java's loggers write it.
    pub fn put_java(&self, out: &mut String) {
        self.put_date(out);
        out.push(' ');
        self.put_clock(out);
        out.push(',');
        put_padded(out, self.nanos / 1_000_000, 3);
    }

    /// `15/Jun/2025:15:06:40 +0000`, as web servers write it.
    pub fn put_access(&self, out: &mut String) {
        put_padded(out, self.day, 2);
        out.push('/');
        out.push_str(self.month_name());
        out.push('/');
        put_number(out, self.year);
        out.push(':');
        self.put_clock(out);
        out.push_str(" +0000");
    }

    /// `Jun 15 15:06:40`, as syslog writes it: the day is padded with a space.
    pub fn put_syslog(&self, out: &mut String) {
        out.push_str(self.month_name());
        out.push_str(if self.day < 10 { "  " } else { " " });
        put_number(out, self.day);
        out.push(' ');
        self.put_clock(out);
    }

    /// `0615 15:06:40.123456`, as Go's klog writes it.
    pub fn put_klog(&self, out: &mut String) {
        put_padded(out, self.month, 2);
        put_padded(out, self.day, 2);
        out.push(' ');
        self.put_clock(out);
        out.push('.');
        put_padded(out, self.nanos / 1_000, 6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let text = |seconds: i64| {
            let mut out = String::new();
            Civil::of(seconds * NANOS + 123_456_789).put_iso(&mut out, 6);
            out
        };
        assert_eq!(text(0), "1970-01-01T00:00:00.123456Z");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.123456Z");
        assert_eq!(text(1_750_000_000), "2025-06-15T15:06:40.123456Z");
        assert_eq!(text(1_767_225_599), "2025-12-31T23:59:59.123456Z");
    }

    #[test]
    fn numbers_keep_their_width() {
        let mut out = String::new();
        put_number(&mut out, 0);
        put_padded(&mut out, 7, 3);
        put_thousandths(&mut out, 12_045);
        put_hex(&mut out, 0xabc, 4);
        assert_eq!(out, "000712.0450abc");
    }
}
