//! What is sent: random entries that meet each other often, at equal times, late, far off and
//! wrong.

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::STALE_NAN_BITS;
use chronolith_tests::Random;

use super::shelf::{Entry, Shape, Shelf};
use super::show::{INVALID, SERIES};
use super::value::Value;

const SECOND: i64 = 1_000;
/// The shortest partition of the store.
const PARTITION: i64 = 2 * 60 * 60 * SECOND;

/// How far ahead of the clock an entry may be, as the default limits have it.
const FUTURE: i64 = 10 * 60 * SECOND;

/// Nanoseconds of a millisecond.
const NANOS: i64 = 1_000_000;

/// Ticks of a store's time in a millisecond.
fn ticks(shape: Shape) -> i64 {
    if shape == Shape::Lines { NANOS } else { 1 }
}

/// The newest time that is taken when the clock stands at `now_ms`.
pub fn newest_taken(shape: Shape, now_ms: i64) -> i64 {
    (now_ms + FUTURE) * ticks(shape)
}

/// The entries of one batch.
pub fn entries(dice: &mut Random, shelf: &Shelf, now_ms: i64) -> Vec<Entry> {
    if shelf.shape == Shape::Notes {
        let notes = 1 + dice.below(3);
        let note = |dice: &mut Random| Entry {
            series: dice.below(SERIES),
            time: 0,
            value: Value::Note(format!("help {}", dice.below(5))),
            is_repeat: false,
        };
        return (0..notes).map(|_| note(dice)).collect();
    }
    let mut entries = Vec::new();
    for _ in 0..1 + dice.below(3) {
        let is_invalid = dice.below(60) == 0;
        let series = if is_invalid {
            INVALID
        } else {
            dice.below(SERIES)
        };
        for _ in 0..1 + dice.below(4) {
            let entry = entry(dice, shelf, &entries, series, now_ms);
            entries.push(entry);
        }
    }
    entries
}

fn entry(dice: &mut Random, shelf: &Shelf, before: &[Entry], series: usize, now_ms: i64) -> Entry {
    let known: Vec<&Entry> = shelf
        .sent
        .iter()
        .flat_map(|sent| &sent.entries)
        .chain(before)
        .filter(|entry| entry.series == series)
        .collect();
    let unit = ticks(shelf.shape);
    let newest = known.iter().map(|entry| entry.time / unit).max();
    let newest = newest.filter(|newest| *newest < now_ms + FUTURE - 10 * SECOND);
    let step = |dice: &mut Random, most: usize| dice.below(most) as i64 * SECOND;
    let time = match dice.below(100) {
        0..62 => newest.unwrap_or(now_ms - 60 * SECOND) + step(dice, 4),
        62..76 => now_ms - step(dice, 120),
        76..90 if !known.is_empty() => {
            let again = known[dice.below(known.len())];
            let value = match dice.below(3) {
                0 => value(dice, shelf.shape, again.time),
                _ => again.value.clone(),
            };
            return Entry {
                series,
                time: again.time,
                value,
                is_repeat: false,
            };
        }
        90..95 => now_ms - PARTITION * (1 + dice.below(40) as i64),
        95..97 => now_ms + FUTURE + SECOND + step(dice, 100),
        _ => now_ms,
    };
    let time = time * unit + if unit > 1 { dice.below(2) as i64 } else { 0 };
    Entry {
        series,
        time,
        value: value(dice, shelf.shape, time),
        is_repeat: false,
    }
}

fn value(dice: &mut Random, shape: Shape, time: i64) -> Value {
    if shape == Shape::Exemplars {
        let text = format!("{:016x}", float(dice));
        return Value::Line(text, metadata(dice));
    }
    if shape == Shape::Lines {
        let pad = match dice.below(60) {
            0 => 5000,
            1..4 => 600,
            _ => 0,
        };
        let text = format!("line {} {}", dice.below(12), "x".repeat(pad));
        return Value::Line(text, metadata(dice));
    }
    let start = (dice.below(16) == 0).then_some(time - 10 * SECOND);
    match dice.below(16) {
        0 => Value::Histogram(dice.draw() % 50, start),
        _ => Value::Float(float(dice), start),
    }
}

fn float(dice: &mut Random) -> u64 {
    let odd = [
        -0.0,
        0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1e300,
        5e-324,
    ];
    match dice.below(10) {
        0 => STALE_NAN_BITS,
        1 => odd[dice.below(odd.len())].to_bits(),
        2..6 => (dice.below(1000) as f64 / 10.0).to_bits(),
        6 => dice.draw(),
        _ => (dice.below(100) as f64).to_bits(),
    }
}

fn metadata(dice: &mut Random) -> LabelSet {
    match dice.below(4) {
        0 => {
            let value = format!("v{}", dice.below(3));
            LabelSet::from_pairs([("trace", value.as_str()), ("user", "u")]).unwrap()
        }
        _ => LabelSet::default(),
    }
}
