//! `| decolorize`: takes terminal sequences out of a line, as ECMA-48 forms them.

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Writes the line without its sequences to `out`; tells whether there were any. A sequence that is
/// not finished stays.
pub(super) fn decolorize(line: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(mut place) = memchr::memchr(ESCAPE, line) else {
        return false;
    };
    out.clear();
    let mut rest = line;
    loop {
        out.extend_from_slice(&rest[..place]);
        rest = &rest[place..];
        match sequence(rest) {
            Some(length) => rest = &rest[length..],
            None => {
                out.push(ESCAPE);
                rest = &rest[1..];
            }
        }
        match memchr::memchr(ESCAPE, rest) {
            Some(next) => place = next,
            None => break,
        }
    }
    out.extend_from_slice(rest);
    true
}

/// How long the sequence is that a text begins with.
fn sequence(text: &[u8]) -> Option<usize> {
    let count = |from: usize, range: std::ops::RangeInclusive<u8>| {
        let rest = text.get(from..).unwrap_or(&[]);
        from + rest.iter().take_while(|byte| range.contains(byte)).count()
    };
    let end = |at: usize, range: std::ops::RangeInclusive<u8>| {
        let is_final = text.get(at).is_some_and(|byte| range.contains(byte));
        is_final.then_some(at + 1)
    };
    match text.get(1)? {
        b'[' => end(count(count(2, 0x30..=0x3f), 0x20..=0x2f), 0x40..=0x7e),
        b']' => {
            let at = memchr::memchr2(BELL, ESCAPE, &text[2..])? + 2;
            match text[at] {
                BELL => Some(at + 1),
                _ => (text.get(at + 1) == Some(&b'\\')).then_some(at + 2),
            }
        }
        _ => end(count(1, 0x20..=0x2f), 0x30..=0x7e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_and_all_else_stays() {
        let cases = [
            (
                "\x1b[32mINFO\x1b[0m  job=1 \x1b[1;33m2ms\x1b[0m",
                "INFO  job=1 2ms",
            ),
            (
                "\x1b]0;title\x07\x1b[2K\x1b[1Gprogress \x1b[38;5;196m9%\x1b[m",
                "progress 9%",
            ),
            ("\x1b]8;;http://x\x1b\\link", "link"),
            ("\x1b(Btext\x1bM", "text"),
            ("cut \x1b[3", "cut \x1b[3"),
            ("\x1b", "\x1b"),
        ];
        for (line, plain) in cases {
            let mut out = b"old".to_vec();
            assert!(decolorize(line.as_bytes(), &mut out));
            assert_eq!(String::from_utf8_lossy(&out), plain, "{line:?}");
        }
        assert!(!decolorize(b"plain", &mut Vec::new()));
    }
}
