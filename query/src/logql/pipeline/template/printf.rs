//! `printf` and its kin, as Go prints.

use super::TEXT_BYTES_MAX;
use super::value::Value;
use crate::text::{number, quote};

/// The widest column and the longest fraction that a format may ask for.
const WIDTH_MAX: usize = 10_000;

/// One directive of a format.
#[derive(Clone, Copy, Default)]
struct Directive {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `print`: a space stands between two values neither of which is a text.
pub(super) fn print(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut was_text = true;
    for (at, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if at > 0 && !is_text && !was_text {
            out.push(b' ');
        }
        value.show(&mut out);
        was_text = is_text;
    }
    out
}

/// `println`: a space between all values.
pub(super) fn println(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        value.show(&mut out);
    }
    out.push(b'\n');
    out
}

/// `printf`. What is wrong with a format stands in the text, as Go does it.
pub(super) fn printf(format: &[u8], values: &[Value]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(format.len());
    let mut values = values.iter();
    let mut rest = format;
    while let Some(place) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..place]);
        rest = &rest[place + 1..];
        let (directive, behind) = read(rest, &mut values);
        let Some(verb) = first_char(behind) else {
            out.extend_from_slice(b"%!(NOVERB)");
            return Ok(out);
        };
        rest = &behind[verb.len_utf8().min(behind.len())..];
        if verb == '%' {
            out.push(b'%');
            continue;
        }
        match values.next() {
            None => out.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes()),
            Some(value) => directive.write(verb, value, &mut out),
        }
        if out.len() > TEXT_BYTES_MAX {
            return Err("the text is too long".to_owned());
        }
    }
    out.extend_from_slice(rest);
    let extra: Vec<&Value> = values.collect();
    if !extra.is_empty() {
        out.extend_from_slice(b"%!(EXTRA ");
        for (at, value) in extra.into_iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(b", ");
            }
            if matches!(value, Value::Nil) {
                out.extend_from_slice(b"<nil>");
                continue;
            }
            out.extend_from_slice(value.type_name().as_bytes());
            out.push(b'=');
            value.show(&mut out);
        }
        out.push(b')');
    }
    Ok(out)
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let chunk = bytes.utf8_chunks().next()?;
    Some(
        chunk
            .valid()
            .chars()
            .next()
            .unwrap_or(char::REPLACEMENT_CHARACTER),
    )
}

/// Reads flags, width and precision.
fn read<'f>(mut rest: &'f [u8], values: &mut std::slice::Iter<'_, Value>) -> (Directive, &'f [u8]) {
    let mut directive = Directive::default();
    while let Some((flag, behind)) = rest.split_first() {
        match flag {
            b'-' => directive.minus = true,
            b'+' => directive.plus = true,
            b'#' => directive.sharp = true,
            b' ' => directive.space = true,
            b'0' => directive.zero = true,
            _ => break,
        }
        rest = behind;
    }
    (directive.width, rest) = size(rest, values);
    if let Some(behind) = rest.strip_prefix(b".") {
        let (precision, behind) = size(behind, values);
        (directive.precision, rest) = (precision.or(Some(0)), behind);
    }
    // Zeros stand in front only.
    directive.zero &= !directive.minus;
    (directive, rest)
}

/// A number of a format, or the next value for `*`.
fn size<'f>(rest: &'f [u8], values: &mut std::slice::Iter<'_, Value>) -> (Option<usize>, &'f [u8]) {
    if let Some(behind) = rest.strip_prefix(b"*") {
        let value = match values.next() {
            Some(Value::Int(value)) => usize::try_from(*value).ok(),
            _ => None,
        };
        return (value.map(|value| value.min(WIDTH_MAX)), behind);
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, behind) = rest.split_at(digits);
    let number = std::str::from_utf8(number).unwrap_or("");
    let value = match number {
        "" => None,
        number => Some(number.parse().unwrap_or(WIDTH_MAX).min(WIDTH_MAX)),
    };
    (value, behind)
}

impl Directive {
    fn write(&self, verb: char, value: &Value, out: &mut Vec<u8>) {
        let done = match (verb, value) {
            ('v', Value::Text(text)) if self.sharp => Some(quote::quote_bytes(text).into_bytes()),
            ('T', value) => Some(value.type_name().as_bytes().to_vec()),
            ('v' | 's', Value::Text(text)) => Some(self.cut(text)),
            ('v', Value::Int(value)) => return self.number(&value.to_string(), out),
            ('v', Value::Float(value)) => {
                return self.number(&self.float('g', *value), out);
            }
            ('v', value) => Some(value.shown()),
            ('s', Value::Time(_) | Value::List(_) | Value::Map(_)) => Some(value.shown()),
            ('d', Value::Int(value)) => return self.number(&value.to_string(), out),
            ('t', Value::Bool(value)) => Some(value.to_string().into_bytes()),
            ('q', Value::Text(text)) => Some(quote::quote_bytes(&self.cut(text)).into_bytes()),
            ('q' | 'c' | 'U', Value::Int(value)) => letter(verb, *value),
            ('x' | 'X', Value::Text(text)) => {
                let hex = text.iter().map(|byte| format!("{byte:02x}"));
                Some(cased(verb, hex.collect()).into_bytes())
            }
            ('x' | 'X' | 'o' | 'b', Value::Int(value)) => {
                return self.number(&self.radix(verb, *value), out);
            }
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Float(value)) => {
                return self.number(&self.float(verb, *value), out);
            }
            _ => None,
        };
        match done {
            Some(text) => self.pad(&text, out),
            None => bad(verb, value, out),
        }
    }

    /// The first characters of a text, as many as the precision says.
    fn cut(&self, text: &[u8]) -> Vec<u8> {
        match self.precision {
            None => text.to_vec(),
            Some(letters) => {
                let text = String::from_utf8_lossy(text);
                text.chars().take(letters).collect::<String>().into_bytes()
            }
        }
    }

    fn float(&self, verb: char, value: f64) -> String {
        if !value.is_finite() {
            return number::general(value);
        }
        let lower = verb.to_ascii_lowercase();
        let text = match (lower, self.precision) {
            ('f', precision) => format!("{value:.*}", precision.unwrap_or(6)),
            ('e', precision) => exponent(&format!("{value:.*e}", precision.unwrap_or(6))),
            (_, None) => number::general(value),
            (_, Some(precision)) => number::general_rounded(value, precision.max(1)),
        };
        cased(verb, text)
    }

    fn radix(&self, verb: char, value: i64) -> String {
        let size = value.unsigned_abs();
        let (prefix, digits) = match verb {
            'o' => ("0", format!("{size:o}")),
            'b' => ("0b", format!("{size:b}")),
            _ => ("0x", format!("{size:x}")),
        };
        let sign = if value < 0 { "-" } else { "" };
        let prefix = if self.sharp { prefix } else { "" };
        cased(verb, format!("{sign}{prefix}{digits}"))
    }

    /// A number with its sign, and zeros between the sign and the digits.
    fn number(&self, text: &str, out: &mut Vec<u8>) {
        let (sign, digits) = match text.split_at_checked(1) {
            Some((sign @ ("-" | "+"), digits)) => (sign, digits),
            _ => ("", text),
        };
        let sign = match sign {
            "" if self.plus => "+",
            "" if self.space => " ",
            // `+Inf` shows its sign only where signs are asked for.
            "+" if !self.plus && !text.ends_with("Inf") => "",
            sign => sign,
        };
        let is_finite = digits.starts_with(|letter: char| letter.is_ascii_hexdigit())
            && !digits.starts_with("Inf");
        let width = self.width.unwrap_or(0);
        let missing = width.saturating_sub(sign.len() + digits.len());
        if self.zero && is_finite {
            out.extend_from_slice(format!("{sign}{}{digits}", "0".repeat(missing)).as_bytes());
        } else {
            self.pad(format!("{sign}{digits}").as_bytes(), out);
        }
    }

    fn pad(&self, text: &[u8], out: &mut Vec<u8>) {
        let letters = String::from_utf8_lossy(text).chars().count();
        let missing = self.width.unwrap_or(0).saturating_sub(letters);
        let padding = if self.zero { b'0' } else { b' ' };
        if self.minus {
            out.extend_from_slice(text);
        }
        out.extend(std::iter::repeat_n(padding, missing));
        if !self.minus {
            out.extend_from_slice(text);
        }
    }
}

fn cased(verb: char, text: String) -> String {
    match verb.is_ascii_uppercase() {
        true => text.to_ascii_uppercase(),
        false => text,
    }
}

/// Rust's exponent in Go's clothes.
fn exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn letter(verb: char, code: i64) -> Option<Vec<u8>> {
    let letter = u32::try_from(code).ok().and_then(char::from_u32);
    let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(
        match verb {
            'c' => letter.to_string(),
            'q' => quote::quote_char(letter),
            _ => format!("U+{code:04X}"),
        }
        .into_bytes(),
    )
}

/// What stands for a value that a verb cannot print.
fn bad(verb: char, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.extend_from_slice(format!("%!{verb}(<nil>)").as_bytes()),
        value => {
            out.extend_from_slice(format!("%!{verb}({}=", value.type_name()).as_bytes());
            value.show(out);
            out.push(b')');
        }
    }
}
