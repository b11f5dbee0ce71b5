//! Random rules, times, freezes and restarts against a plain model of what is kept.

use std::collections::BTreeMap;

use chronolith_tests::Random;

use super::super::bed::{all, logged, offer, offer_line, points};
use super::*;

const SEEDS: u64 = 150;
const STEPS: usize = 60;
const SERIES: usize = 6;

/// What the model knows of an entry: its time, and what it was frozen under if it was.
struct Entry {
    series: usize,
    time: i64,
    frozen: Option<Frozen>,
}

#[derive(Clone, Copy)]
enum Frozen {
    /// Under a rule that keeps it so many milliseconds, or for ever.
    Rule(Option<i64>),
    /// Under none: the default counts, whatever it is now.
    Default,
}

/// How long a rule keeps what it accepts, by series: `None` accepts nothing.
type Rules = Vec<(usize, Option<i64>)>;

struct Model {
    entries: Vec<Entry>,
    rules: Rules,
    default: Option<i64>,
}

impl Model {
    fn keep(&self, series: usize) -> Option<i64> {
        let first = self
            .rules
            .iter()
            .find(|(accepted, _)| series % 3 == *accepted);
        first.map_or(self.default, |(_, keep)| *keep)
    }

    fn freeze(&mut self) {
        let rules = self.rules.clone();
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| entry.frozen.is_none())
        {
            let first = rules
                .iter()
                .find(|(accepted, _)| entry.series % 3 == *accepted);
            entry.frozen = Some(first.map_or(Frozen::Default, |(_, keep)| Frozen::Rule(*keep)));
        }
    }

    fn shown(&self, now: i64) -> BTreeMap<usize, Vec<i64>> {
        let mut shown = BTreeMap::<usize, Vec<i64>>::new();
        for entry in &self.entries {
            let keep = match entry.frozen {
                None => self.keep(entry.series),
                Some(Frozen::Rule(keep)) => keep,
                Some(Frozen::Default) => self.default,
            };
            if keep.is_none_or(|keep| entry.time >= now - keep) {
                shown.entry(entry.series).or_default().push(entry.time);
            }
        }
        for times in shown.values_mut() {
            times.sort_unstable();
        }
        shown
    }
}

fn labels(series: usize) -> LabelSet {
    set(&[
        ("app", &format!("a{series}")),
        ("third", &format!("{}", series % 3)),
    ])
}

fn duration(ms: i64) -> Duration {
    Duration::from_millis(ms as u64)
}

fn random_rules(random: &mut Random) -> Rules {
    let count = random.below(4);
    (0..count)
        .map(|_| {
            let keep = match random.below(4) {
                0 => None,
                _ => Some((1 + random.below(200) as i64) * MINUTE_MS),
            };
            (random.below(3), keep)
        })
        .collect()
}

fn limits(model: &Model) -> Limits {
    let rules: Vec<RetentionRule> = model
        .rules
        .iter()
        .map(|(third, keep)| rule("third", &third.to_string(), keep.map(duration)))
        .collect();
    ruled(&rules, model.default.map(duration))
}

/// Times by series, as read.
fn read(engine: &Engine, is_logs: bool) -> BTreeMap<usize, Vec<i64>> {
    let found: Vec<(String, Vec<i64>)> = match is_logs {
        false => points(&engine.metrics().unwrap().snapshot(), &all())
            .into_iter()
            .map(|(labels, points)| (labels, points.iter().map(|point| point.0).collect()))
            .collect(),
        true => logged(&engine.logs().unwrap().snapshot(), &all())
            .into_iter()
            .map(|(labels, lines)| (labels, lines.iter().map(|line| line.0 / MS).collect()))
            .collect(),
    };
    let series = |text: &str| (0..SERIES).find(|one| labels(*one).as_labels().to_string() == text);
    found
        .into_iter()
        .map(|(labels, times)| (series(&labels).unwrap(), times))
        .collect()
}

fn run(seed: u64, is_logs: bool) {
    let mut random = Random::new(seed);
    // A merge puts entries under the rules of the day: where there are merges, these stay.
    let has_merges = random.below(2) == 0;
    let stage = stage();
    let mut model = Model {
        entries: Vec::new(),
        rules: random_rules(&mut random),
        default: [None, Some(100 * MINUTE_MS)][random.below(2)],
    };
    let mut engine = stage.open(&options(limits(&model))).unwrap();
    for step in 0..STEPS {
        let now = now_ms(&stage);
        match random.below(10) {
            0..5 => {
                let (series, age) = (random.below(SERIES), random.below(150) as i64);
                // No two entries have one time.
                let time = now - age * MINUTE_MS - step as i64 - 1;
                let verdict = match is_logs {
                    false => offer(&engine.metrics().unwrap(), &labels(series), time, 1.0),
                    true => offer_line(&engine.logs().unwrap(), &labels(series), time * MS, "x"),
                };
                let is_kept = model.keep(series).is_none_or(|keep| time >= now - keep);
                assert_eq!(verdict.is_ok(), is_kept, "seed {seed} step {step}");
                if is_kept {
                    model.entries.push(Entry {
                        series,
                        time,
                        frozen: None,
                    });
                }
            }
            5 => advance_ms(&stage, random.below(100) as i64 * MINUTE_MS),
            6 => {
                match is_logs {
                    false => engine.metrics().unwrap().freeze().unwrap(),
                    true => engine.logs().unwrap().freeze().unwrap(),
                }
                model.freeze();
            }
            7 => tend(&stage, &engine),
            8 if has_merges => match is_logs {
                false => engine.metrics().unwrap().compact().unwrap(),
                true => engine.logs().unwrap().compact().unwrap(),
            },
            8 => {
                model.rules = random_rules(&mut random);
                match is_logs {
                    false => engine
                        .metrics()
                        .unwrap()
                        .set_limits(limits(&model))
                        .unwrap(),
                    true => engine.logs().unwrap().set_limits(limits(&model)).unwrap(),
                }
            }
            _ => {
                engine.close().unwrap();
                engine = stage.open(&options(limits(&model))).unwrap();
            }
        }
        let now = now_ms(&stage);
        assert_eq!(
            read(&engine, is_logs),
            model.shown(now),
            "seed {seed} step {step}"
        );
    }
}

#[test]
fn random_rules_times_and_restarts_show_what_a_plain_model_shows() {
    for seed in 0..SEEDS {
        run(seed, seed % 2 == 1);
    }
}
