//! Series lines: labels, and values in a short notation.

use std::sync::Arc;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{ResetHint, STALE_NAN_BITS};

use crate::promql::histogram::{Buckets, Histogram};
use crate::promql::script::Result;
use crate::promql::syntax::parse_selector;

/// The most values that one item may stand for.
const REPEAT_MAX: usize = 1_000_000;

/// A value of a series line.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Float(f64),
    /// A histogram, and whether its hint was written.
    Histogram(Arc<Histogram>, bool),
}

/// A line of labels and values; `None` is a gap.
#[derive(Clone, Debug)]
pub(super) struct SeriesLine {
    pub(super) labels: LabelSet,
    pub(super) items: Vec<Option<Item>>,
}

/// The labels of a line, and what stands behind them.
pub(super) fn split_labels(line: &str) -> Result<(LabelSet, &str)> {
    let name = line
        .find(|c: char| c == '{' || c.is_whitespace())
        .unwrap_or(line.len());
    let mut end = name;
    if line[name..].starts_with('{') {
        end = name + closing_brace(&line[name..]).ok_or("a brace is not closed")?;
    }
    let (metric, rest) = line.split_at(end);
    let (metric, rest) = match metric.strip_suffix("@st") {
        Some(metric) => (metric, &line[metric.len()..]),
        None => (metric, rest),
    };
    let matchers = parse_selector(metric).map_err(|error| error.describe(metric))?;
    let pairs = matchers
        .iter()
        .map(|matcher| (matcher.name(), matcher.value()));
    let labels = LabelSet::from_pairs(pairs).map_err(|error| error.to_string())?;
    Ok((labels, rest))
}

/// The place behind the brace that closes the one at the beginning.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, letter) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(open) if letter == '\\' && open != '`' => escaped = true,
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if matches!(letter, '"' | '\'' | '`') => quote = Some(letter),
            None if letter == '}' => return Some(at + 1),
            None => {}
        }
    }
    None
}

pub(super) fn parse_line(line: &str) -> Result<SeriesLine> {
    let (labels, rest) = split_labels(line)?;
    let items = parse_items(rest)?;
    Ok(SeriesLine { labels, items })
}

fn parse_items(text: &str) -> Result<Vec<Option<Item>>> {
    let mut items = Vec::new();
    for word in words(text)? {
        push_item(&word, &mut items)?;
    }
    Ok(items)
}

/// Words between blanks; a histogram is one word.
fn words(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut rest) = (Vec::new(), String::new(), text);
    while let Some(letter) = rest.chars().next() {
        if rest.starts_with("{{") {
            let end = rest.find("}}").ok_or("a histogram is not closed")? + 2;
            word.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        if letter.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(letter);
        }
        rest = &rest[letter.len_utf8()..];
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

/// A word and how often its value is repeated or continued.
fn split_times(word: &str) -> Result<(&str, Option<usize>)> {
    let Some((head, times)) = word.rsplit_once('x') else {
        return Ok((word, None));
    };
    if head.ends_with("}}") || !head.contains("{{") {
        let times: usize = times
            .parse()
            .map_err(|_| format!("invalid repetition in {word:?}"))?;
        if times > REPEAT_MAX {
            return Err(format!(
                "{word:?} repeats too often, at most {REPEAT_MAX} times"
            ));
        }
        return Ok((head, Some(times)));
    }
    Ok((word, None))
}

fn push_item(word: &str, items: &mut Vec<Option<Item>>) -> Result<()> {
    let (head, times) = split_times(word)?;
    if head == "_" {
        items.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Ok(());
    }
    let count = times.map_or(1, |times| times + 1);
    if head == "stale" {
        let stale = f64::from_bits(STALE_NAN_BITS);
        items.extend(std::iter::repeat_n(Some(Item::Float(stale)), count));
        return Ok(());
    }
    if head.starts_with("{{") {
        return push_histograms(head, count, items);
    }
    let (base, step) = split_step(head);
    let mut value = number(base)?;
    let step = step.map(number).transpose()?;
    for _ in 0..count {
        items.push(Some(Item::Float(value)));
        value += step.unwrap_or(0.0);
    }
    Ok(())
}

/// A value, and with its sign what is added at each step.
fn split_step(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let is_step =
        |at: &usize| matches!(bytes[*at], b'+' | b'-') && !matches!(bytes[at - 1], b'e' | b'E');
    match (1..bytes.len()).find(is_step) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    }
}

/// A decimal number; there are no hexadecimal ones, since `x` repeats.
pub(super) fn number(text: &str) -> Result<f64> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn push_histograms(text: &str, count: usize, items: &mut Vec<Option<Item>>) -> Result<()> {
    let end = text.find("}}").ok_or("a histogram is not closed")? + 2;
    let (base, hinted) = histogram(&text[..end])?;
    let rest = &text[end..];
    if rest.is_empty() {
        let base = Arc::new(base);
        items.extend(std::iter::repeat_n(
            Some(Item::Histogram(base, hinted)),
            count,
        ));
        return Ok(());
    }
    let (sign, step) = rest.split_at(1);
    let (step, hinted) = histogram(step)?;
    let mut value = base;
    for index in 0..count {
        if index > 0 {
            if value.schema > step.schema {
                let (from, to) = (step.schema, value.schema);
                return Err(format!(
                    "error combining histograms: cannot merge from schema {from} to {to}"
                ));
            }
            let combined = match sign {
                "+" => value.add(&step),
                "-" => value.subtract(&step),
                _ => return Err(format!("unexpected {rest:?} behind a histogram")),
            };
            combined.map_err(|_| "histograms with and without custom values".to_owned())?;
        }
        items.push(Some(Item::Histogram(Arc::new(value.clone()), hinted)));
    }
    Ok(())
}

/// A histogram in double braces, and whether its hint was written.
fn histogram(text: &str) -> Result<(Histogram, bool)> {
    let inside = text
        .strip_prefix("{{")
        .and_then(|text| text.strip_suffix("}}"));
    let inside = inside.ok_or_else(|| format!("{text:?} is no histogram"))?;
    let mut histogram = Histogram::default();
    let (mut hinted, mut offsets) = (false, [0, 0]);
    let mut counts: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut seen: Vec<String> = Vec::new();
    for field in fields(inside)? {
        let (key, value) = field
            .split_once(':')
            .ok_or_else(|| format!("{field:?} has no value"))?;
        if seen.iter().any(|other| other == key) {
            return Err(format!("duplicate key {key:?} in histogram"));
        }
        seen.push(key.to_owned());
        match key {
            "schema" => histogram.schema = integer(value)?,
            "sum" => histogram.sum = number(value)?,
            "count" => histogram.count = number(value)?,
            "z_bucket" => histogram.zero_count = number(value)?,
            "z_bucket_w" => histogram.zero_threshold = number(value)?,
            "offset" => offsets[0] = integer(value)?,
            "n_offset" => offsets[1] = integer(value)?,
            "buckets" => counts[0] = numbers(value)?,
            "n_buckets" => counts[1] = numbers(value)?,
            "custom_values" => histogram.custom = numbers(value)?.into(),
            "counter_reset_hint" => {
                hinted = true;
                histogram.hint = hint(value)?;
            }
            _ => return Err(format!("bad histogram descriptor found: {key:?}")),
        }
    }
    histogram.positive = Buckets::dense(offsets[0], &counts[0]);
    histogram.negative = Buckets::dense(offsets[1], &counts[1]);
    Ok((histogram, hinted))
}

/// Fields between blanks; a list in brackets is one field.
fn fields(text: &str) -> Result<Vec<String>> {
    let (mut fields, mut field, mut in_list) = (Vec::new(), String::new(), false);
    for letter in text.chars().chain([' ']) {
        match letter {
            '[' => in_list = true,
            ']' => in_list = false,
            _ => {}
        }
        if letter.is_whitespace() && !in_list {
            if !field.is_empty() {
                fields.push(std::mem::take(&mut field));
            }
        } else {
            field.push(letter);
        }
    }
    if in_list {
        return Err(format!("a list is not closed in {text:?}"));
    }
    Ok(fields)
}

fn integer(text: &str) -> Result<i32> {
    text.parse().map_err(|_| format!("{text:?} is no integer"))
}

fn numbers(text: &str) -> Result<Vec<f64>> {
    let inside = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let inside = inside.ok_or_else(|| format!("{text:?} is no list"))?;
    inside.split_whitespace().map(number).collect()
}

fn hint(text: &str) -> Result<ResetHint> {
    Ok(match text {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        _ => return Err(format!("unknown counter_reset_hint {text:?}")),
    })
}

/// Offsets of start timestamps from the times of samples, in milliseconds.
pub(super) fn parse_starts(text: &str) -> Result<Vec<Option<i64>>> {
    let mut starts = Vec::new();
    for word in text.split_whitespace() {
        let (head, times) = split_times(word)?;
        if head == "_" {
            starts.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
            continue;
        }
        let (base, step) = split_step(head);
        let mut value = signed_duration(base)?;
        let step = step.map_or(Ok(0), signed_duration)?;
        for _ in 0..times.map_or(1, |times| times + 1) {
            starts.push(Some(value));
            value += step;
        }
    }
    Ok(starts)
}

fn signed_duration(text: &str) -> Result<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    Ok(sign * crate::text::duration::parse(digits)?)
}
