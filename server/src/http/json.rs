//! JSON as it is written: straight into bytes, which may be sent while more are written.
//!
//! Knows the notation and Prometheus' text of numbers; the shape is the caller's.

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use super::flow::{Flow, Gone};

/// From here on Prometheus writes a float with an exponent.
const LARGE: f64 = 1e21;
/// Below this it does so as well.
const SMALL: f64 = 1e-6;

/// What [`Json::float_at`] mostly takes.
const FLOAT_AT_BYTES: usize = 64;

/// Integers of this size are floats exactly, and are written as integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Bytes that a string escapes.
const ESCAPED: [bool; 256] = escaped(b"\"\\");
/// Those that it escapes where it may stand in a page.
const ESCAPED_IN_PAGES: [bool; 256] = escaped(b"\"\\<>&");

/// Control characters, and these.
const fn escaped(beside: &[u8]) -> [bool; 256] {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    let mut place = 0;
    while place < beside.len() {
        table[beside[place] as usize] = true;
        place += 1;
    }
    table
}

/// Writes JSON. Nothing is checked: the caller puts commas and brackets.
pub(crate) struct Json {
    flow: Flow,
}

impl Json {
    /// JSON that is kept until it is whole.
    pub(crate) fn whole() -> Self {
        Json {
            flow: Flow::whole(),
        }
    }

    /// JSON of which finished parts go to `sink`.
    pub(crate) fn streamed(sink: Sender<Bytes>) -> Self {
        Json {
            flow: Flow::streamed(sink),
        }
    }

    /// What has been written and not sent.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.flow.out
    }

    /// Sends what is written so far if it is much. To be called between elements, off the runtime.
    pub(crate) fn pass(&mut self) -> Result<(), Gone> {
        self.flow.pass()
    }

    /// Writes text that is JSON already.
    pub(crate) fn raw(&mut self, text: &str) {
        self.flow.out.extend_from_slice(text.as_bytes());
    }

    /// Writes `text` as a string.
    pub(crate) fn text(&mut self, text: &str) {
        self.escaped(text, &ESCAPED);
    }

    /// Writes `text` as a string that may stand in a page: `<`, `>` and `&` are escaped too, and
    /// what JavaScript takes for the end of a line.
    pub(crate) fn page_text(&mut self, text: &str) {
        match text.contains(['\u{2028}', '\u{2029}']) {
            false => self.escaped(text, &ESCAPED_IN_PAGES),
            true => {
                let mut inside = Json::whole();
                inside.escaped(text, &ESCAPED_IN_PAGES);
                let written = String::from_utf8_lossy(&inside.flow.out).into_owned();
                let written = written.replace('\u{2028}', "\\u2028");
                self.raw(&written.replace('\u{2029}', "\\u2029"));
            }
        }
    }

    fn escaped(&mut self, text: &str, table: &[bool; 256]) {
        self.flow.out.push(b'"');
        let mut clean = 0;
        for (at, byte) in text.bytes().enumerate() {
            if !table[usize::from(byte)] {
                continue;
            }
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                _ => b"",
            };
            self.flow.out.extend_from_slice(&text.as_bytes()[clean..at]);
            clean = at + 1;
            match escape {
                b"" => self.raw(&format!("\\u{byte:04x}")),
                escape => self.flow.out.extend_from_slice(escape),
            }
        }
        self.flow.out.extend_from_slice(&text.as_bytes()[clean..]);
        self.flow.out.push(b'"');
    }

    /// Writes milliseconds as seconds with at most three decimals.
    pub(crate) fn seconds(&mut self, ms: i64) {
        if ms < 0 {
            self.flow.out.push(b'-');
        }
        let ms = ms.unsigned_abs();
        self.raw(itoa::Buffer::new().format(ms / 1000));
        let rest = ms % 1000;
        if rest > 0 {
            let digits = [rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8);
            let kept = digits.iter().rposition(|digit| *digit != b'0');
            self.flow.out.push(b'.');
            self.flow
                .out
                .extend_from_slice(&digits[..=kept.unwrap_or(0)]);
        }
    }

    /// Writes a float in quotes behind its time, in brackets.
    pub(crate) fn float_at(&mut self, ms: i64, value: f64) {
        self.flow.out.reserve(FLOAT_AT_BYTES);
        self.flow.out.push(b'[');
        self.seconds(ms);
        self.flow.out.extend_from_slice(b",\"");
        put_float(&mut self.flow.out, value);
        self.flow.out.extend_from_slice(b"\"]");
    }

    /// Writes a float in quotes.
    pub(crate) fn quoted_float(&mut self, value: f64) {
        self.flow.out.push(b'"');
        put_float(&mut self.flow.out, value);
        self.flow.out.push(b'"');
    }

    /// Writes a float in quotes, always without an exponent, as Prometheus writes scalars.
    pub(crate) fn quoted_plain_float(&mut self, value: f64) {
        match value.is_finite() {
            true => self.raw(&format!("\"{value}\"")),
            false => self.quoted_float(value),
        }
    }

    /// Writes `items` in brackets with commas between.
    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Json, T),
    ) {
        self.flow.out.push(b'[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                self.flow.out.push(b',');
            }
            each(self, item);
        }
        self.flow.out.push(b']');
    }

    /// Writes strings in brackets.
    pub(crate) fn texts<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) {
        self.array(texts, |json, text| json.text(text.as_ref()));
    }

    /// Writes pairs of strings as an object that may stand in a page.
    pub(crate) fn page_object<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.flow.out.push(b'{');
        for (place, (name, value)) in pairs.into_iter().enumerate() {
            if place > 0 {
                self.flow.out.push(b',');
            }
            self.page_text(name);
            self.flow.out.push(b':');
            self.page_text(value);
        }
        self.flow.out.push(b'}');
    }

    /// Writes pairs of strings as an object.
    pub(crate) fn object<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.flow.out.push(b'{');
        for (place, (name, value)) in pairs.into_iter().enumerate() {
            if place > 0 {
                self.flow.out.push(b',');
            }
            self.text(name);
            self.flow.out.push(b':');
            self.text(value);
        }
        self.flow.out.push(b'}');
    }
}

/// Writes a float as Prometheus does: the shortest digits that mean it, with an exponent only where
/// it is very large or very small.
pub(crate) fn put_float(out: &mut Vec<u8>, value: f64) {
    if value.fract() == 0.0 && value.abs() < EXACT && !(value == 0.0 && value.is_sign_negative()) {
        // Whole and in range, so the cast loses nothing.
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        return;
    }
    let text = if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if value == 0.0 {
        "-0".to_owned()
    } else if value.abs() >= LARGE || value.abs() < SMALL {
        with_exponent(value)
    } else {
        let mut buffer = zmij::Buffer::new();
        let short = buffer.format_finite(value).as_bytes();
        if !short.contains(&b'e') {
            out.extend_from_slice(short.strip_suffix(b".0").unwrap_or(short));
            return;
        }
        value.to_string()
    };
    out.extend_from_slice(text.as_bytes());
}

/// `1e-07`: the exponent has a sign and two digits at least.
fn with_exponent(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        let mut out = Vec::new();
        put_float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-07"),
            (5e-324, "5e-324"),
            (-1e-7, "-1e-07"),
            (123_456_789.125, "123456789.125"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1.234e18, "1234000000000000000"),
            (0.00001234, "0.00001234"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(written(value), text, "{value:?}");
        }
    }

    #[test]
    fn what_a_page_would_read_is_escaped_for_it() {
        let mut json = Json::whole();
        json.page_object([("<a>", "b & \u{2028}c\n")]);
        let text = String::from_utf8(json.into_bytes()).unwrap();
        assert_eq!(text, r#"{"\u003ca\u003e":"b \u0026 \u2028c\n"}"#);
    }

    #[test]
    fn scalars_have_no_exponent() {
        let cases = [
            (9.9e-7, "\"0.00000099\""),
            (1e21, "\"1000000000000000000000\""),
            (-0.0, "\"-0\""),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"+Inf\""),
        ];
        for (value, text) in cases {
            let mut json = Json::whole();
            json.quoted_plain_float(value);
            assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn every_float_is_read_back_as_it_was() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let value = f64::from_bits(state ^ (state >> 13));
            if value.is_finite() {
                assert_eq!(
                    written(value).parse::<f64>().unwrap().to_bits(),
                    value.to_bits()
                );
            }
        }
    }

    #[test]
    fn strings_are_escaped_so_that_any_reader_gets_them_back() {
        let mut json = Json::whole();
        json.text("a\"b\\c\nd\te\rf\u{1}g\u{7f}h é 🚀");
        let read: String = serde_json::from_slice(&json.into_bytes()).unwrap();
        assert_eq!(read, "a\"b\\c\nd\te\rf\u{1}g\u{7f}h é 🚀");
    }

    #[test]
    fn seconds_have_at_most_three_decimals() {
        let cases = [
            (0, "0"),
            (1_500, "1.5"),
            (1_768_476_600_000, "1768476600"),
            (-1, "-0.001"),
            (-61_250, "-61.25"),
            (1_010, "1.01"),
        ];
        for (ms, text) in cases {
            let mut json = Json::whole();
            json.seconds(ms);
            assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), text);
        }
    }
}
