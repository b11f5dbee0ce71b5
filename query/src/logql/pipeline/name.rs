//! Names and values that parsers make of bytes.

use std::borrow::Cow;

/// Which bytes a name may have, but for digits at its beginning.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let letter = byte as u8;
        plain[byte] = letter.is_ascii_alphanumeric() || letter == b'_';
        byte += 1;
    }
    plain
};

/// Appends what a key becomes as the name of a label, or as a part of it: letters that no name has
/// turn into `_`, each of them.
pub(super) fn push_name(out: &mut Vec<u8>, key: &[u8]) {
    let is_plain = key.iter().all(|byte| PLAIN[usize::from(*byte)]);
    let is_digit_first = key.first().is_some_and(u8::is_ascii_digit);
    match is_plain && !(is_digit_first && out.is_empty()) {
        true => out.extend_from_slice(key),
        false => push_changed(out, &String::from_utf8_lossy(key)),
    }
}

fn push_changed(out: &mut Vec<u8>, key: &str) {
    let key = key.trim();
    if out.is_empty() && key.starts_with(|letter: char| letter.is_ascii_digit()) {
        out.push(b'_');
    }
    for letter in key.chars() {
        let byte = u8::try_from(letter).unwrap_or(b'_');
        out.push(if PLAIN[usize::from(byte)] { byte } else { b'_' });
    }
}

/// A name that has been put together: all of it is ASCII.
pub(super) fn name_text(name: &[u8]) -> &str {
    std::str::from_utf8(name).unwrap_or_default()
}

/// Whether a label may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_plain) && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit()
}

/// Bytes as the value of a label: what is no UTF-8, and what stands for such, is a space.
pub(super) fn value_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return match !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER) {
            true => Cow::Owned(text.replace(char::REPLACEMENT_CHARACTER, " ")),
            false => Cow::Borrowed(text),
        };
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| ' '));
    }
    Cow::Owned(out.replace(char::REPLACEMENT_CHARACTER, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_that_no_name_has_becomes_an_underscore() {
        let cases = [
            ("plain", "plain"),
            (" a.b-c ", "a_b_c"),
            ("1digit", "_1digit"),
            ("ключ", "____"),
            ("", ""),
        ];
        for (key, name) in cases {
            let mut out = Vec::new();
            push_name(&mut out, key.as_bytes());
            assert_eq!(name_text(&out), name, "{key:?}");
        }
        let mut out = b"a_".to_vec();
        push_name(&mut out, b"1b");
        push_name(&mut out, b"\xffc\xc3");
        assert_eq!(name_text(&out), "a_1b_c_");
        assert!(is_name("_a1") && !is_name("1a") && !is_name("a-b") && !is_name(""));
    }

    #[test]
    fn bytes_that_are_no_text_become_spaces() {
        assert_eq!(value_text(b"a\xff\xfeb"), "a  b");
        assert_eq!(value_text("a\u{fffd}".as_bytes()), "a ");
        assert_eq!(value_text("é".as_bytes()), "é");
    }
}
