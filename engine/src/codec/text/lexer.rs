//! Finds the parts of a text that are likely to differ from one text to the next: its *holes*.
//!
//! The first pass over a line takes quoted strings, values behind `=` or behind a JSON key, and
//! words with a digit. The second pass, inside what the first found, takes runs of letters and
//! digits that have a digit. Any choice of holes gives every byte back; a good one makes few shapes
//! and columns of one make.

use super::span::Span;

/// How finely a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// A line: fields.
    Coarse,
    /// A field: tokens.
    Fine,
}

/// The most holes of one text; what follows the last is fixed text.
pub(super) const HOLES_MAX: usize = 512;

/// Belongs to words of a line: everything but space, quotes, brackets and list separators.
const FIELD: u8 = 1;
/// Belongs to tokens: as `codec::tokens` has it.
const TOKEN: u8 = 2;
const DIGIT: u8 = 4;

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        let token = value.is_ascii_alphanumeric() || value == b'_' || value >= 0x80;
        let separates = value <= b' '
            || matches!(
                value,
                b'"' | b'\''
                    | b'('
                    | b')'
                    | b'['
                    | b']'
                    | b'{'
                    | b'}'
                    | b'<'
                    | b'>'
                    | b','
                    | b';'
                    | b'='
                    | b'|'
                    | 0x7f
            );
        table[byte] = if separates { 0 } else { FIELD }
            | if token { TOKEN } else { 0 }
            | if value.is_ascii_digit() { DIGIT } else { 0 };
        byte += 1;
    }
    table
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// Puts the holes of `bytes[text]` into `holes`, in order; none is empty.
pub(super) fn holes(bytes: &[u8], text: Span, grain: Grain, holes: &mut Vec<Span>) {
    holes.clear();
    let line = text.of(bytes);
    let base = text.start as usize;
    match grain {
        Grain::Coarse => coarse(line, base, holes),
        Grain::Fine => fine(line, base, holes),
    }
}

/// Goes on to the end of a run of bytes of one sort, and tells what else they are.
#[inline(always)]
fn run(text: &[u8], at: &mut usize, sort: u8) -> u8 {
    let mut seen = 0;
    let bytes = text[*at..].iter();
    *at += bytes
        .take_while(|byte| {
            let class = class(**byte);
            seen |= class;
            class & sort != 0
        })
        .count();
    seen
}

fn coarse(line: &[u8], base: usize, holes: &mut Vec<Span>) {
    let mut at = 0;
    while at < line.len() && holes.len() < HOLES_MAX {
        let byte = line[at];
        if byte == b'"' {
            at = quoted(line, at, base, holes);
            continue;
        }
        if class(byte) & FIELD == 0 {
            at += 1;
            continue;
        }
        let start = at;
        let seen = run(line, &mut at, FIELD);
        let is_value = start > 0 && line[start - 1] == b'=';
        // A JSON value follows its key at once, or behind one space.
        let start = match &line[..start] {
            [.., b'"'] if byte == b':' => start + 1,
            _ => start,
        };
        let is_json = start > 1 && line[start - 1] == b':' && line[start - 2] == b'"';
        let mut end = at;
        while !is_value && end > start && matches!(line[end - 1], b':' | b'.') {
            end -= 1;
        }
        if end > start && (is_value || is_json || seen & DIGIT != 0) {
            holes.push(Span::between(base + start, base + end));
        }
    }
}

/// Takes the string that begins at the quote, and returns where to go on.
fn quoted(line: &[u8], open: usize, base: usize, holes: &mut Vec<Span>) -> usize {
    let mut from = open + 1;
    let close = loop {
        let Some(place) = memchr::memchr(b'"', &line[from..]) else {
            return open + 1;
        };
        let place = from + place;
        let escapes = line[open + 1..place]
            .iter()
            .rev()
            .take_while(|&&byte| byte == b'\\')
            .count();
        if escapes % 2 == 0 {
            break place;
        }
        from = place + 1;
    };
    let is_key = line.get(close + 1) == Some(&b':');
    if is_key {
        // What follows is the key's value, colon included.
        return close + 1;
    }
    if close > open + 1 {
        holes.push(Span::between(base + open + 1, base + close));
    }
    close + 1
}

fn fine(field: &[u8], base: usize, holes: &mut Vec<Span>) {
    let mut at = 0;
    while at < field.len() && holes.len() < HOLES_MAX {
        if class(field[at]) & TOKEN == 0 {
            at += 1;
            continue;
        }
        let start = at;
        let seen = run(field, &mut at, TOKEN);
        if seen & DIGIT != 0 {
            holes.push(Span::between(base + start, base + at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, grain: Grain) -> Vec<&str> {
        let mut out = Vec::new();
        holes(
            line.as_bytes(),
            Span::between(0, line.len()),
            grain,
            &mut out,
        );
        let text = |span: &Span| &line[span.start as usize..span.end()];
        out.iter().map(text).collect()
    }

    #[test]
    fn a_line_is_cut_into_strings_values_and_words_with_digits() {
        let nginx = r#"10.0.0.1 - - [07/Nov/2026:10:06:40 +0000] "GET /a HTTP/1.1" 200 "-" rt=0.3"#;
        assert_eq!(
            found(nginx, Grain::Coarse),
            [
                "10.0.0.1",
                "07/Nov/2026:10:06:40",
                "+0000",
                "GET /a HTTP/1.1",
                "200",
                "-",
                "0.3"
            ]
        );
        let logfmt = r#"level=info msg="a \"b\" c" empty="" took=12ms"#;
        assert_eq!(
            found(logfmt, Grain::Coarse),
            ["info", r#"a \"b\" c"#, "12ms"]
        );
        let json = r#"{"a":"x y","n":12,"ok":true,"list":[1,2]}"#;
        assert_eq!(found(json, Grain::Coarse), ["x y", "12", "true", "1", "2"]);
        assert_eq!(
            found("sshd[77]: port 22: \"open", Grain::Coarse),
            ["77", "22"]
        );
    }

    #[test]
    fn a_field_is_cut_into_tokens_with_digits() {
        assert_eq!(
            found("GET /api/v1/items/123?page=3", Grain::Fine),
            ["v1", "123", "3"]
        );
        assert!(found("no digits_here", Grain::Fine).is_empty());
    }
}
