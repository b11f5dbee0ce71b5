//! Functions on texts.

use chronolith_engine::labels::{Captures, Haystack, Template};

use super::{Arguments, Made, Regexes, TEXT_BYTES_MAX, count, text};
use crate::logql::pipeline::template::value::Value;

pub(super) fn call(name: &str, arguments: &Arguments<'_>) -> Option<Made> {
    Some(match name {
        "lower" | "ToLower" => arguments
            .text(0)
            .and_then(|value| text(each(&value, lower))),
        "upper" | "ToUpper" => arguments
            .text(0)
            .and_then(|value| text(each(&value, upper))),
        "title" => arguments.text(0).and_then(|value| text(title(&value))),
        "trim" | "TrimSpace" => arguments.text(0).and_then(|value| text(value.trim())),
        "Trim" => trim(arguments, 0, 1, |value, set| value.trim_matches(set)),
        "TrimLeft" => trim(arguments, 0, 1, |value, set| value.trim_start_matches(set)),
        "TrimRight" => trim(arguments, 0, 1, |value, set| value.trim_end_matches(set)),
        "trimAll" => trim(arguments, 1, 0, |value, set| value.trim_matches(set)),
        "TrimPrefix" => pair(arguments, 0, 1, |value, part| without_prefix(value, part)),
        "TrimSuffix" => pair(arguments, 0, 1, |value, part| without_suffix(value, part)),
        "trimPrefix" => pair(arguments, 1, 0, |value, part| without_prefix(value, part)),
        "trimSuffix" => pair(arguments, 1, 0, |value, part| without_suffix(value, part)),
        "contains" => test(arguments, |value, part| {
            memchr::memmem::find(value, part).is_some()
        }),
        "hasPrefix" => test(arguments, |value, part| value.starts_with(part)),
        "hasSuffix" => test(arguments, |value, part| value.ends_with(part)),
        "Replace" => replace(arguments, [0, 1, 2], arguments.int(3)),
        "replace" => replace(arguments, [2, 0, 1], Ok(-1)),
        "trunc" => trunc(arguments),
        "substr" => substr(arguments),
        "repeat" => repeat(arguments),
        "indent" => indent(arguments, ""),
        "nindent" => indent(arguments, "\n"),
        "alignLeft" => align(arguments, |value, length| {
            let letters = value.chars().count();
            let kept: String = value.chars().take(length).collect();
            kept + &" ".repeat(length.saturating_sub(letters))
        }),
        "alignRight" => align(arguments, |value, length| {
            let letters = value.chars().count();
            let kept = value.chars().skip(letters.saturating_sub(length));
            " ".repeat(length.saturating_sub(letters)) + &kept.collect::<String>()
        }),
        _ => return None,
    })
}

/// Functions with a regular expression.
pub(super) fn with_regex(name: &str, arguments: &Arguments<'_>, regexes: &mut Regexes) -> Made {
    let pattern = arguments.text(0)?;
    let value = arguments.bytes(1)?;
    let compiled = regexes.compile(&pattern)?;
    let haystack = Haystack::new(value);
    if name != "count" {
        let replacement = arguments.text(2)?;
        let template = match name {
            "regexReplaceAll" => Template::new(&replacement),
            _ => Template::literal(&replacement),
        };
        return text(compiled.replace_all(&haystack, &template));
    }
    let mut captures = Captures::default();
    let (mut at, mut found, mut last_end) = (0, 0, None);
    while compiled.captures_at(&haystack, at, &mut captures) {
        let Some(range) = captures.group(0) else {
            break;
        };
        let is_empty = range.is_empty();
        // An empty match right behind another one does not count.
        if !(is_empty && last_end == Some(range.start)) {
            found += 1;
        }
        last_end = Some(range.end);
        at = match is_empty {
            false => range.end,
            true => range.end + next_letter(&value[range.end.min(value.len())..]),
        };
        if at > value.len() {
            break;
        }
    }
    Ok(count(found))
}

/// How many bytes the next character has, at least one.
fn next_letter(rest: &[u8]) -> usize {
    let tail = rest.get(1..).unwrap_or(&[]);
    1 + tail
        .iter()
        .take_while(|byte| **byte & 0xc0 == 0x80)
        .count()
        .min(3)
}

fn each(value: &str, change: fn(char) -> char) -> String {
    value.chars().map(change).collect()
}

/// A letter for a letter, as Go does it: those whose other form is several stay.
fn upper(letter: char) -> char {
    let mut made = letter.to_uppercase();
    match (made.next(), made.next()) {
        (Some(upper), None) => upper,
        _ => letter,
    }
}

fn lower(letter: char) -> char {
    // The one letter with several in its stead: a dotted I, of which Go makes a plain one.
    letter.to_lowercase().next().unwrap_or(letter)
}

fn title(value: &str) -> String {
    let mut is_start = true;
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        match is_start {
            true => out.push(upper(letter)),
            false => out.push(letter),
        }
        is_start = match letter.is_ascii() {
            true => !(letter.is_ascii_alphanumeric() || letter == '_'),
            false => letter.is_whitespace(),
        };
    }
    out
}

fn trim(
    arguments: &Arguments<'_>,
    value: usize,
    set: usize,
    trim: for<'v> fn(&'v str, &[char]) -> &'v str,
) -> Made {
    let set: Vec<char> = arguments.text(set)?.chars().collect();
    text(trim(&arguments.text(value)?, &set))
}

fn pair(
    arguments: &Arguments<'_>,
    value: usize,
    part: usize,
    make: for<'v> fn(&'v [u8], &[u8]) -> &'v [u8],
) -> Made {
    text(make(arguments.bytes(value)?, arguments.bytes(part)?))
}

fn without_prefix<'v>(value: &'v [u8], part: &[u8]) -> &'v [u8] {
    value.strip_prefix(part).unwrap_or(value)
}

fn without_suffix<'v>(value: &'v [u8], part: &[u8]) -> &'v [u8] {
    value.strip_suffix(part).unwrap_or(value)
}

fn test(arguments: &Arguments<'_>, is_so: fn(&[u8], &[u8]) -> bool) -> Made {
    let (part, value) = (arguments.bytes(0)?, arguments.bytes(1)?);
    Ok(Value::Bool(is_so(value, part)))
}

/// Replaces as many as `times` says, all if it is negative.
fn replace(arguments: &Arguments<'_>, order: [usize; 3], times: Result<i64, String>) -> Made {
    let [value, old, new] = order.map(|at| arguments.text(at));
    let (value, old, new) = (value?, old?, new?);
    let times = usize::try_from(times?).unwrap_or(usize::MAX);
    let places = if old.is_empty() {
        value.chars().count() + 1
    } else {
        memchr::memmem::find_iter(value.as_bytes(), old.as_bytes()).count()
    };
    let grown = places.min(times).saturating_mul(new.len());
    match value.len().saturating_add(grown) > 2 * TEXT_BYTES_MAX {
        true => Err("the text is too long".to_owned()),
        false => text(value.replacen(&*old, &new, times)),
    }
}

/// The first bytes of a text, or the last ones for a negative number.
fn trunc(arguments: &Arguments<'_>) -> Made {
    let (length, value) = (arguments.int(0)?, arguments.bytes(1)?);
    let size = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    text(match length < 0 {
        true => &value[value.len().saturating_sub(size)..],
        false => &value[..value.len().min(size)],
    })
}

fn substr(arguments: &Arguments<'_>) -> Made {
    let (start, end) = (arguments.int(0)?, arguments.int(1)?);
    let value = arguments.bytes(2)?;
    let place = |at: i64| usize::try_from(at).ok();
    let found = match (place(start), place(end)) {
        (None, Some(end)) => value.get(..end),
        (None, None) => None,
        (Some(start), Some(end)) if end <= value.len() => value.get(start..end),
        (Some(start), _) => value.get(start..),
    };
    match found {
        Some(found) => text(found),
        None => Err("runtime error: slice bounds out of range".to_owned()),
    }
}

fn repeat(arguments: &Arguments<'_>) -> Made {
    let (times, value) = (arguments.int(0)?, arguments.bytes(1)?);
    let times = usize::try_from(times).map_err(|_| "strings: negative Repeat count".to_owned())?;
    match times.saturating_mul(value.len()) > TEXT_BYTES_MAX {
        true => Err("the text is too long".to_owned()),
        false => text(value.repeat(if value.is_empty() { 0 } else { times })),
    }
}

fn indent(arguments: &Arguments<'_>, before: &str) -> Made {
    let (spaces, value) = (arguments.int(0)?, arguments.text(1)?);
    let spaces =
        usize::try_from(spaces).map_err(|_| "strings: negative Repeat count".to_owned())?;
    let lines = value.matches('\n').count() + 1;
    if spaces.saturating_mul(lines) > TEXT_BYTES_MAX {
        return Err("the text is too long".to_owned());
    }
    let padding = " ".repeat(spaces);
    let indented = value.replace('\n', &format!("\n{padding}"));
    text(format!("{before}{padding}{indented}"))
}

fn align(arguments: &Arguments<'_>, align: fn(&str, usize) -> String) -> Made {
    let (length, value) = (arguments.int(0)?, arguments.text(1)?);
    match usize::try_from(length) {
        Err(_) => text(&*value),
        Ok(length) if length > TEXT_BYTES_MAX => Err("the text is too long".to_owned()),
        Ok(length) => text(align(&value, length)),
    }
}
