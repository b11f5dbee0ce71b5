//! What lines have in common: texts with `<_>` where they differ.
//!
//! Lines are cut into words. Words with a digit differ, says the first look; lines with as many
//! words that agree in half of the others are one pattern, in which the words that differ become
//! `<_>` too. What it finds depends on the order of the lines in rare cases only, and never on
//! anything else.

use std::collections::{BTreeMap, HashMap};

/// What stands where lines differ. The pattern filter of LogQL matches by it.
const ANYTHING: &str = "<_>";

/// Words of a line that are looked at; all behind them differs.
const WORDS_MAX: usize = 100;

/// Patterns of one level: lines that fit none of so many are not counted.
const PATTERNS_MAX: usize = 300;

/// Behind these a word ends; they belong to it.
const ENDS: [char; 6] = [' ', '\t', '=', ',', '"', ';'];

/// Lines that are much alike.
struct Pattern {
    words: Vec<Word>,
    /// Lines by the time of their bucket.
    counts: BTreeMap<i64, u64>,
}

/// A word without the signs that end it, which never differ between lines of one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: Option<String>,
    end: Option<char>,
}

/// A pattern of lines of one level.
pub(super) struct Found {
    pub(super) level: String,
    pub(super) pattern: String,
    /// How many lines there are in each bucket of time that has any.
    pub(super) counts: BTreeMap<i64, u64>,
}

/// Finds patterns in lines.
#[derive(Default)]
pub(super) struct Miner {
    /// Patterns by level and by how many words they have.
    levels: HashMap<String, Level>,
}

#[derive(Default)]
struct Level {
    patterns: Vec<Pattern>,
    by_length: HashMap<usize, Vec<usize>>,
}

impl Miner {
    /// Counts a line.
    pub(super) fn push(&mut self, level: &str, line: &str, bucket: i64) {
        let words = words(line);
        let level = match self.levels.get_mut(level) {
            Some(level) => level,
            None => self.levels.entry(level.to_owned()).or_default(),
        };
        let Level {
            patterns,
            by_length,
        } = level;
        let places = by_length.entry(words.len()).or_default();
        let fits = |place: &&usize| patterns[**place].fits(&words);
        let place = match places.iter().find(fits) {
            Some(place) => *place,
            None if patterns.len() >= PATTERNS_MAX => return,
            None => {
                places.push(patterns.len());
                patterns.push(Pattern {
                    words: words.clone(),
                    counts: BTreeMap::new(),
                });
                patterns.len() - 1
            }
        };
        let pattern = &mut patterns[place];
        for (known, word) in pattern.words.iter_mut().zip(&words) {
            if known.text != word.text {
                known.text = None;
            }
        }
        *pattern.counts.entry(bucket).or_default() += 1;
    }

    /// The patterns, those of most lines first.
    pub(super) fn found(self) -> Vec<Found> {
        let mut found = Vec::new();
        for (name, level) in self.levels {
            found.extend(level.patterns.into_iter().map(|pattern| Found {
                level: name.clone(),
                pattern: pattern.text(),
                counts: pattern.counts,
            }));
        }
        let lines = |found: &Found| found.counts.values().sum::<u64>();
        found.sort_by(|one, two| {
            let by_lines = lines(two).cmp(&lines(one));
            by_lines.then_with(|| (&one.pattern, &one.level).cmp(&(&two.pattern, &two.level)))
        });
        found
    }
}

impl Pattern {
    /// Whether a line with as many words is one of these: half of the words that may agree do, and
    /// all of them end alike.
    fn fits(&self, words: &[Word]) -> bool {
        let (mut equal, mut other) = (0, 0);
        for (known, word) in self.words.iter().zip(words) {
            if known.end != word.end {
                return false;
            }
            match (&known.text, &word.text) {
                (Some(known), Some(word)) if known == word => {
                    equal += usize::from(!word.is_empty())
                }
                (Some(_), Some(_)) => other += 1,
                _ => {}
            }
        }
        equal >= other
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for word in &self.words {
            match &word.text {
                Some(known) => text.push_str(known),
                // Two of these in a row are not a pattern.
                None if text.ends_with(ANYTHING) => {}
                None => text.push_str(ANYTHING),
            }
            text.extend(word.end);
        }
        text
    }
}

fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for part in line.split_inclusive(ENDS) {
        if words.len() >= WORDS_MAX {
            words.push(Word {
                text: None,
                end: None,
            });
            break;
        }
        let end = part.chars().next_back().filter(|last| ENDS.contains(last));
        let text = end.map_or(part, |end| &part[..part.len() - end.len_utf8()]);
        let differs = text.contains(|letter: char| letter.is_ascii_digit());
        words.push(Word {
            text: (!differs).then(|| text.to_owned()),
            end,
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(lines: &[&str]) -> Vec<(String, u64)> {
        let mut miner = Miner::default();
        for line in lines {
            miner.push("info", line, 0);
        }
        let found = miner.found().into_iter();
        found
            .map(|found| (found.pattern, found.counts[&0]))
            .collect()
    }

    #[test]
    fn words_that_differ_become_a_gap() {
        let found = patterns(&[
            "user alice logged in from 10.0.0.1",
            "user bob logged in from 10.0.0.2",
            "cache is full",
        ]);
        let expected = [
            ("user <_> logged in from <_>".to_owned(), 2),
            ("cache is full".to_owned(), 1),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_stay_where_values_differ() {
        let found = patterns(&[
            "level=info took=12ms path=/a msg=\"all done\"",
            "level=info took=3ms path=/b msg=\"all done\"",
        ]);
        assert_eq!(found[0].0, "level=info took=<_> path=<_> msg=\"all done\"");
        let found = patterns(&["{\"id\":7,\"kind\":\"x\"}", "{\"id\":8,\"kind\":\"y\"}"]);
        assert_eq!(found[0], ("{\"id\"<_>,\"kind\":\"<_>\"}".to_owned(), 2));
    }

    #[test]
    fn there_is_an_end_to_patterns_and_to_words() {
        let mut miner = Miner::default();
        for number in 0..PATTERNS_MAX + 50 {
            let word: String = (b'a'..=b'z')
                .map(char::from)
                .cycle()
                .skip(number % 26)
                .take(3 + number / 26)
                .collect();
            miner.push("info", &word, 0);
        }
        assert!(miner.found().len() <= PATTERNS_MAX);
        let long = "x ".repeat(10_000);
        let found = patterns(&[&long]);
        assert!(found[0].0.len() < 250 && found[0].0.ends_with(ANYTHING));
    }

    #[test]
    fn the_same_lines_make_the_same_patterns() {
        let lines = ["a b c", "a b d", "e f", "e g", ""];
        assert_eq!(patterns(&lines), patterns(&lines));
    }
}
