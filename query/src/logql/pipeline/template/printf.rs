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
    let mut operands = Operands::new(values);
    let mut rest = format;
    while let Some(place) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..place]);
        rest = &rest[place + 1..];
        let (directive, behind) = read(rest, &mut operands);
        let Some(verb) = first_char(behind) else {
            out.extend_from_slice(b"%!(NOVERB)");
            return Ok(out);
        };
        rest = &behind[verb.len_utf8().min(behind.len())..];
        if verb == '%' {
            out.push(b'%');
            continue;
        }
        match operands.is_sound.then(|| operands.next()) {
            None => out.extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes()),
            Some(None) => out.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes()),
            Some(Some(value)) => directive.write(verb, value, &mut out),
        }
        if out.len() > TEXT_BYTES_MAX {
            return Err("the text is too long".to_owned());
        }
    }
    out.extend_from_slice(rest);
    let extra = operands.unused();
    if !extra.is_empty() {
        out.extend_from_slice(b"%!(EXTRA ");
        for (at, value) in extra.iter().enumerate() {
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

/// The values of a format, which are taken one after another or by their number: `%[2]d`.
struct Operands<'v> {
    values: &'v [Value],
    next: usize,
    /// Whether a number was given anywhere: then none is told as left over.
    is_numbered: bool,
    /// Whether the directive at hand asks for values that there are.
    is_sound: bool,
}

impl<'v> Operands<'v> {
    fn new(values: &'v [Value]) -> Self {
        Operands {
            values,
            next: 0,
            is_numbered: false,
            is_sound: true,
        }
    }

    fn next(&mut self) -> Option<&'v Value> {
        let value = self.values.get(self.next);
        self.next += usize::from(value.is_some());
        value
    }

    /// Reads the number of the value that is next, if one stands here.
    fn number<'f>(&mut self, rest: &'f [u8]) -> &'f [u8] {
        let Some(inside) = rest.strip_prefix(b"[") else {
            return rest;
        };
        self.is_numbered = true;
        let Some(length) = memchr::memchr(b']', inside) else {
            self.is_sound = false;
            return inside;
        };
        let number = std::str::from_utf8(&inside[..length]).unwrap_or("");
        match number.parse::<usize>() {
            Ok(number) if (1..=self.values.len()).contains(&number) => self.next = number - 1,
            _ => self.is_sound = false,
        }
        &inside[length + 1..]
    }

    fn unused(&self) -> &'v [Value] {
        match self.is_numbered {
            true => &[],
            false => self.values.get(self.next..).unwrap_or(&[]),
        }
    }
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
fn read<'f>(mut rest: &'f [u8], operands: &mut Operands<'_>) -> (Directive, &'f [u8]) {
    operands.is_sound = true;
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
    (directive.width, rest) = size(operands.number(rest), operands);
    if let Some(behind) = rest.strip_prefix(b".") {
        let (precision, behind) = size(operands.number(behind), operands);
        (directive.precision, rest) = (precision.or(Some(0)), behind);
    }
    rest = operands.number(rest);
    // Zeros stand in front only.
    directive.zero &= !directive.minus;
    (directive, rest)
}

/// A number of a format, or the next value for `*`.
fn size<'f>(rest: &'f [u8], operands: &mut Operands<'_>) -> (Option<usize>, &'f [u8]) {
    if let Some(behind) = rest.strip_prefix(b"*") {
        let value = match operands.next() {
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
            // Of `%+v` the sign is not that of a number.
            ('v', Value::Int(_) | Value::Float(_)) if self.plus => {
                let plain = Directive {
                    plus: false,
                    ..*self
                };
                return plain.write(verb, value, out);
            }
            ('v', Value::Int(value)) => return self.number(&value.to_string(), out),
            ('v', Value::Float(value)) => {
                return self.number(&self.float('g', *value), out);
            }
            ('v', value) => Some(value.shown()),
            ('s', Value::Time(_) | Value::List(_) | Value::Map(_)) => Some(value.shown()),
            ('d', Value::Int(value)) => return self.number(&value.to_string(), out),
            ('t', Value::Bool(value)) => Some(value.to_string().into_bytes()),
            ('q', Value::Text(text)) => Some(self.quoted(&self.cut(text)).into_bytes()),
            ('q' | 'c' | 'U', Value::Int(value)) => self.letter(verb, *value),
            ('x' | 'X', Value::Text(text)) => Some(cased(verb, self.hex(text)).into_bytes()),
            ('x' | 'X' | 'o' | 'O' | 'b', Value::Int(value)) => {
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

    /// A text in quotes: raw ones for `#` where it can stand in them, in ASCII alone for `+`.
    fn quoted(&self, text: &[u8]) -> String {
        let raw = std::str::from_utf8(text).ok();
        let is_raw = |letter: char| letter == '\t' || !(letter == '`' || letter.is_control());
        if let Some(raw) = raw.filter(|raw| self.sharp && raw.chars().all(is_raw)) {
            return format!("`{raw}`");
        }
        let text = quote::quote_bytes(text);
        if !self.plus {
            return text;
        }
        let ascii = text.chars().map(|letter| match u32::from(letter) {
            0..0x80 => letter.to_string(),
            code @ 0x80..0x1_0000 => format!("\\u{code:04x}"),
            code => format!("\\U{code:08x}"),
        });
        ascii.collect()
    }

    /// The bytes of a text as digits, apart for a space and marked for `#`.
    fn hex(&self, text: &[u8]) -> String {
        let text = &text[..self.precision.unwrap_or(text.len()).min(text.len())];
        let mark = if self.sharp { "0x" } else { "" };
        let bytes = text.iter();
        match (self.space, text.is_empty()) {
            (_, true) => String::new(),
            (true, _) => {
                let bytes = bytes.map(|byte| format!("{mark}{byte:02x}"));
                bytes.collect::<Vec<_>>().join(" ")
            }
            (false, _) => {
                let bytes = bytes.map(|byte| format!("{byte:02x}"));
                mark.to_owned() + &bytes.collect::<String>()
            }
        }
    }

    /// A character by its number.
    fn letter(&self, verb: char, code: i64) -> Option<Vec<u8>> {
        let letter = u32::try_from(code).ok().and_then(char::from_u32);
        let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        let text = match verb {
            'c' => letter.to_string(),
            'q' => quote::quote_char(letter),
            _ if self.sharp => quote::code_point(letter),
            _ => format!("U+{code:04X}"),
        };
        Some(text.into_bytes())
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
            'o' | 'O' => ("0", format!("{size:o}")),
            'b' => ("0b", format!("{size:b}")),
            _ => ("0x", format!("{size:x}")),
        };
        let sign = if value < 0 { "-" } else { "" };
        let prefix = match verb {
            'O' => "0o",
            _ if self.sharp => prefix,
            _ => "",
        };
        let text = format!("{sign}{prefix}{digits}");
        match verb {
            'O' => text,
            verb => cased(verb, text),
        }
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
