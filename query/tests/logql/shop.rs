//! The lines that the tests ask for: tills of a shop, in JSON, logfmt and plain words.

use chronolith_engine::labels::LabelSet;
use chronolith_query::logql::MemoryLines;

pub const SECOND: i64 = 1_000_000_000;

/// When the shop opens: a multiple of every step that is used.
pub const OPENS: i64 = 472_000 * 3_600 * SECOND;

/// How long it is open.
pub const OPEN: i64 = 3_600 * SECOND;

/// A line with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub labels: LabelSet,
    pub time: i64,
    pub text: String,
    pub metadata: LabelSet,
}

pub fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

pub fn line(labels: &[(&str, &str)], second: i64, text: &str) -> Line {
    Line {
        labels: set(labels),
        time: OPENS + second * SECOND,
        text: text.to_owned(),
        metadata: LabelSet::default(),
    }
}

/// Numbers that look random and are the same for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        let count = u64::try_from(of.len()).unwrap();
        of[usize::try_from(self.below(count)).unwrap()]
    }
}

/// An hour of lines, some of which share a time.
pub fn hour(dice: &mut Dice, count: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for _ in 0..count {
        let format = dice.pick(&["json", "logfmt", "words"]);
        let till = dice.pick(&["1", "2"]);
        let mut pairs = vec![("format", format), ("till", till)];
        if dice.below(2) == 0 {
            pairs.push(("floor", "ground"));
        }
        let time = OPENS + i64::try_from(dice.below(3_600)).unwrap() * SECOND;
        let metadata = match dice.below(3) {
            0 => set(&[("clerk", dice.pick(&["ann", "bob"]))]),
            1 => set(&[("customer", dice.pick(&["x", "y"])), ("till", "meta")]),
            _ => LabelSet::default(),
        };
        lines.push(Line {
            labels: set(&pairs),
            time,
            text: text(dice, format),
            metadata,
        });
    }
    lines.sort_by_key(|line| line.time);
    let mut unique: Vec<Line> = Vec::new();
    for line in lines {
        if !unique.contains(&line) {
            unique.push(line);
        }
    }
    unique
}

fn text(dice: &mut Dice, format: &str) -> String {
    let price = dice.below(40);
    let wait = dice.below(900);
    let kind = dice.pick(&["sale", "refund", "error: no paper"]);
    let clerk = dice.pick(&["cat", "dan", ""]);
    match format {
        "json" => format!(
            r#"{{"price":{price},"wait":"{wait}ms","kind":"{kind}","who":{{"clerk":"{clerk}"}}}}"#
        ),
        "logfmt" => format!("price={price} wait={wait}ms kind=\"{kind}\" clerk={clerk}"),
        _ => format!("{kind} of {price} by {clerk}"),
    }
}

/// The lines in memory.
pub fn memory(lines: &[Line]) -> MemoryLines {
    let mut source = MemoryLines::new();
    for line in lines {
        source.push(&line.labels, line.time, &line.text, &line.metadata);
    }
    source
}
