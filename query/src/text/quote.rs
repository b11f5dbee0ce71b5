//! Quoted strings and characters as Go writes and reads them.

/// A text in double quotes, as Go's `%q` writes it.
pub(crate) fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Bytes in double quotes; those that are no UTF-8 become `\x` escapes.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            push_escaped(&mut out, letter, '"');
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// A character in single quotes, as Go's `%q` writes it.
pub(crate) fn quote_char(letter: char) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, letter, '\'');
    out.push('\'');
    out
}

/// A character as Go's `%#U` writes it: `U+0071 'q'`.
pub(crate) fn code_point(letter: char) -> String {
    let number = u32::from(letter);
    if is_printable(letter) {
        format!("U+{number:04X} '{letter}'")
    } else {
        format!("U+{number:04X}")
    }
}

fn push_escaped(out: &mut String, letter: char, quote: char) {
    match letter {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ if letter == quote => {
            out.push('\\');
            out.push(letter);
        }
        _ if is_printable(letter) => out.push(letter),
        _ if u32::from(letter) < 0x80 => out.push_str(&format!("\\x{:02x}", u32::from(letter))),
        _ if u32::from(letter) < 0x1_0000 => {
            out.push_str(&format!("\\u{:04x}", u32::from(letter)));
        }
        _ => out.push_str(&format!("\\U{:08x}", u32::from(letter))),
    }
}

/// Close to Go's `IsPrint`: no control characters, no spaces but the plain one, no byte order
/// marks.
fn is_printable(letter: char) -> bool {
    let invisible = matches!(u32::from(letter), 0xad | 0x200b..=0x200f | 0x2028..=0x202e
        | 0x2060..=0x206f | 0xfeff | 0xe000..=0xf8ff | 0xfff0..=0xfffb);
    letter == ' ' || !(letter.is_control() || letter.is_whitespace() || invisible)
}

/// What stands between the quotes of a literal that the scanner accepted, with escapes resolved:
/// bytes, since `\xff` is no UTF-8.
pub(crate) fn unquote(literal: &str) -> Vec<u8> {
    let inside = literal
        .get(1..literal.len().saturating_sub(1))
        .unwrap_or("");
    if literal.starts_with('`') {
        return inside.as_bytes().to_vec();
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let Some(escape) = letters.next() else { break };
        let (digits, radix, first) = match escape {
            'x' => (2, 16, None),
            'u' => (4, 16, None),
            'U' => (8, 16, None),
            '0'..='7' => (3, 8, Some(escape)),
            _ => {
                out.push(plain_escape(escape));
                continue;
            }
        };
        let mut code = first.and_then(|first| first.to_digit(radix)).unwrap_or(0);
        for _ in usize::from(first.is_some())..digits {
            let digit = letters.next().and_then(|letter| letter.to_digit(radix));
            code = code.wrapping_mul(radix).wrapping_add(digit.unwrap_or(0));
        }
        match (escape, char::from_u32(code)) {
            ('u' | 'U', Some(letter)) => {
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            ('u' | 'U', None) => {}
            _ => out.push(u8::try_from(code & 0xff).unwrap_or_default()),
        }
    }
    out
}

fn plain_escape(escape: char) -> u8 {
    match escape {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        // A backslash or the quote itself; the scanner lets nothing else through.
        other => u8::try_from(u32::from(other)).unwrap_or(b'?'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_back() {
        for text in [
            "",
            "plain",
            "a\"b\\c\n\t",
            "umlaut ä",
            "\u{1}\u{7f}",
            "日本",
        ] {
            assert_eq!(unquote(&quote(text)), text.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn escapes_mean_what_go_means() {
        assert_eq!(
            unquote(r#""\x41\101\u00e9\U0001F600\'""#),
            "AAé😀'".as_bytes()
        );
        assert_eq!(unquote(r"'it\'s'"), b"it's");
        assert_eq!(unquote(r"`\d+`"), br"\d+");
        assert_eq!(quote_bytes(&unquote(r#""a\xc5z""#)), r#""a\xc5z""#);
    }

    #[test]
    fn characters_are_named_as_go_names_them() {
        assert_eq!(quote_char('\''), r"'\''");
        assert_eq!(quote_char('�'), "'�'");
        assert_eq!(code_point('q'), "U+0071 'q'");
    }
}
