//! Cursors: the same entries from either end, and a needle that never loses a line.

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::Line;
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Engine, Selector};
use chronolith_tests::Random;

use super::bed::{
    AHEAD_MS, Folder, PAST_MS, all, append_lines, at_every_stage, logged, numbered, offer, set,
};

/// Overlapping blocks, late samples and a head.
fn write_overlaps(engine: &Engine) {
    let metrics = engine.metrics().unwrap();
    let mut random = Random::new(3);
    for step in 0..6000i64 {
        let base = if step % 5 == 0 { PAST_MS } else { AHEAD_MS };
        let jitter = random.below(400_000) as i64;
        let time = base + step * 1_000 - jitter;
        let _ = offer(&metrics, &numbered(1), time, time as f64);
        if step % 1700 == 1600 {
            metrics.freeze().unwrap();
        }
    }
}

fn forward(engine: &Engine, selector: &Selector) -> Vec<i64> {
    let series = engine
        .metrics()
        .unwrap()
        .snapshot()
        .select(selector)
        .unwrap();
    let mut times = Vec::new();
    for run in series[0].cursor().unwrap() {
        times.extend_from_slice(run.unwrap().times());
    }
    times
}

#[test]
fn backward_gives_the_same_entries_in_reverse() {
    let folder = Folder::new();
    at_every_stage(&folder, write_overlaps, |stage, engine| {
        for selector in [
            all(),
            all().between(Millis(PAST_MS + 1_000_000), Millis(AHEAD_MS + 2_000_000)),
        ] {
            let expected = forward(engine, &selector);
            assert!(expected.len() > 1000 && expected.is_sorted_by(|left, right| left < right));
            let series = engine
                .metrics()
                .unwrap()
                .snapshot()
                .select(&selector)
                .unwrap();
            let mut cursor = series[0].cursor().unwrap();
            let mut backward: Vec<i64> = Vec::new();
            while let Some(run) = cursor.next_back() {
                backward.extend(run.unwrap().times().iter().rev());
            }
            backward.reverse();
            assert_eq!(backward, expected, "{stage}");
            assert!(cursor.next().is_none() && cursor.next_back().is_none());
        }
    });
}

#[test]
fn the_two_ends_meet_without_losing_or_repeating_an_entry() {
    let folder = Folder::new();
    at_every_stage(&folder, write_overlaps, |stage, engine| {
        let expected = forward(engine, &all());
        let series = engine.metrics().unwrap().snapshot().select(&all()).unwrap();
        for seed in 0..5 {
            let mut random = Random::new(seed);
            let mut cursor = series[0].cursor().unwrap();
            let (mut front, mut back): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
            loop {
                let run = match random.below(2) {
                    0 => cursor.next().map(|run| (true, run)),
                    _ => cursor.next_back().map(|run| (false, run)),
                };
                match run {
                    None => break,
                    Some((true, run)) => front.extend_from_slice(run.unwrap().times()),
                    Some((false, run)) => back.extend(run.unwrap().times().iter().rev()),
                }
            }
            front.extend(back.iter().rev());
            assert_eq!(front, expected, "{stage}, seed {seed}");
        }
    });
}

/// Words that are easy to confuse: parts of each other, with punctuation, not ASCII, of any length.
const WORDS: [&str; 14] = [
    "error",
    "err",
    "warn",
    "timeout=30s",
    "user-42",
    "user-4",
    "größe",
    "鍵",
    "a",
    "x1",
    "GET",
    "/api/v1/push",
    "🔒",
    "\"quoted text\"",
];

fn lines() -> Vec<String> {
    let mut random = Random::new(17);
    let line = |random: &mut Random| {
        let words: Vec<_> = (0..random.below(8))
            .map(|_| WORDS[random.below(14)])
            .collect();
        words.join([" ", "", "=", ", ", "."][random.below(5)])
    };
    (0..6000).map(|_| line(&mut random)).collect()
}

#[test]
fn a_needle_never_loses_a_line_that_contains_it() {
    let folder = Folder::new();
    let texts = lines();
    let streams: Vec<LabelSet> = (0..30).map(|n| set(&[("s", &n.to_string())])).collect();
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            for (part, texts) in texts.chunks(200).enumerate() {
                let lines: Vec<Line<'_>> = texts
                    .iter()
                    .enumerate()
                    .map(|(index, text)| Line::new(Nanos((part * 1000 + index) as i64), text))
                    .collect();
                append_lines(&logs, &streams[part], &lines);
                if part % 10 == 5 {
                    logs.freeze().unwrap();
                }
            }
        },
        |stage, engine| {
            let snapshot = engine.logs().unwrap().snapshot();
            let count = |selector: &Selector, needles: &[&str]| {
                let streams = logged(&snapshot, selector);
                let lines = streams.iter().flat_map(|(_, lines)| lines);
                lines
                    .filter(|line| needles.iter().all(|needle| line.1.contains(needle)))
                    .count()
            };
            let parts = [
                "",
                " ",
                "r",
                "rro",
                "error warn",
                "err",
                "0s",
                "user-",
                "v1/p",
                "ß",
                "né",
            ];
            for needle in WORDS
                .into_iter()
                .chain(parts)
                .chain(["error.warn", "nowhere to be found"])
            {
                let hinted = all().containing(needle);
                assert_eq!(
                    count(&hinted, &[needle]),
                    count(&all(), &[needle]),
                    "{stage}: {needle}"
                );
                let two = all().containing(needle).containing("GET");
                let needles = [needle, "GET"];
                assert_eq!(
                    count(&two, &needles),
                    count(&all(), &needles),
                    "{stage}: {needle}"
                );
            }
        },
    );
}

#[test]
fn a_needle_that_no_line_has_reads_no_block_at_all() {
    let folder = Folder::new();
    let engine = folder.open();
    let logs = engine.logs().unwrap();
    let texts = lines();
    let lines: Vec<Line<'_>> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| Line::new(Nanos(index as i64), text))
        .collect();
    append_lines(&logs, &set(&[("s", "1")]), &lines);
    logs.freeze().unwrap();
    let needle = all().containing("the word incomprehensibilities is absent");
    assert!(logged(&logs.snapshot(), &needle).is_empty());
    assert_eq!(engine.stats().cache_misses, 0);
}
