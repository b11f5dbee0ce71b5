//! Random series: counters that reset, gauges of odd numbers, classic histograms, and series that
//! are native histograms now and then; with gaps and stale markers.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::STALE_NAN_BITS;
use chronolith_query::promql::histogram::{Buckets, Histogram};
use chronolith_query::promql::{MemorySource, Sample};

use crate::twin::{self, Bars, Labels, Stored};

pub const MINUTE: i64 = 60_000;

/// When the first sample is taken, a multiple of all steps.
pub const OPENS: i64 = 166 * 7 * MINUTE;

/// Numbers that look random and are the same for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = dice.below(2));
        dice
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(u64::try_from(count).unwrap())).unwrap()
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.index(of.len())]
    }
}

/// The same series for both sides.
pub struct Shop {
    pub series: Vec<Stored>,
    pub source: MemorySource,
    /// How many stale markers there are.
    pub stale: usize,
}

impl Shop {
    pub fn new(dice: &mut Dice, has_bars: bool) -> Shop {
        let mut shop = Shop {
            series: Vec::new(),
            source: MemorySource::new(),
            stale: 0,
        };
        for (x, y) in [("1", "p"), ("1", "q"), ("2", "p"), ("2", "q"), ("3", "p")] {
            let labels = [("x", x), ("y", y)];
            shop.add("a_total", &labels, counter(dice));
            if x != "3" {
                shop.add("b", &labels, gauge(dice));
            }
        }
        for x in ["1", "2"] {
            shop.add("c", &[("x", x), ("z", "r")], gauge(dice));
            let mut below = vec![0.0; 80];
            for le in ["-1", "0.5", "2", "+Inf"] {
                let samples = bucket(dice, &mut below);
                shop.add("h_bucket", &[("x", x), ("le", le)], samples);
            }
        }
        shop.add("h_bucket", &[("x", "2"), ("le", "odd")], gauge(dice));
        if has_bars {
            for (x, y) in [("1", "p"), ("2", "p"), ("2", "q")] {
                let floats_too = dice.below(3) == 0;
                shop.add("n", &[("x", x), ("y", y)], native(dice, floats_too));
            }
        }
        shop.series.sort_by(|one, two| one.labels.cmp(&two.labels));
        shop
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], samples: Vec<(i64, twin::Sample)>) {
        let pairs = labels.iter().copied().chain([("__name__", name)]);
        let set = LabelSet::from_pairs(pairs.clone()).unwrap();
        let mut previous: Option<i64> = None;
        for (time, sample) in &samples {
            assert!(previous.is_none_or(|previous| previous < *time));
            previous = Some(*time);
            let sample = match sample {
                twin::Sample::Float(value) => {
                    self.stale += usize::from(value.to_bits() == STALE_NAN_BITS);
                    Sample::Float(*value)
                }
                twin::Sample::Bars(bars) => Sample::Histogram(Arc::new(histogram(bars))),
            };
            self.source.push(&set, *time, sample, 0);
        }
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels: Labels = pairs.collect();
        self.series.push(Stored { labels, samples });
    }
}

fn histogram(bars: &Bars) -> Histogram {
    let (first, last) = (bars.buckets.keys().min(), bars.buckets.keys().max());
    let (first, last) = (*first.unwrap(), *last.unwrap());
    let counts: Vec<f64> = (first..=last)
        .map(|place| bars.buckets.get(&place).copied().unwrap_or(0.0))
        .collect();
    Histogram {
        zero_threshold: 0.001,
        zero_count: bars.zeros,
        count: bars.count,
        sum: bars.sum,
        positive: Buckets::dense(first, &counts),
        ..Histogram::default()
    }
}

pub fn bars(histogram: &Histogram) -> twin::Sample {
    assert!(histogram.negative.is_empty() && histogram.schema == 0);
    twin::Sample::Bars(Rc::new(Bars {
        count: histogram.count,
        sum: histogram.sum,
        zeros: histogram.zero_count,
        buckets: histogram.positive.iter().collect::<BTreeMap<i32, f64>>(),
    }))
}

/// The times of scrapes, every half minute, some late, some missing, with a longer gap perhaps.
fn scrapes(dice: &mut Dice) -> Vec<i64> {
    let late = [0, 0, 0, 7_000][dice.index(4)];
    let gap = dice.below(2) == 0;
    let gap_from = i64::try_from(dice.below(60)).unwrap();
    let gap_to = gap_from + i64::try_from(dice.below(25)).unwrap();
    let mut times = Vec::new();
    for scrape in 0..80 {
        let is_lost = dice.below(12) == 0 || (gap && (gap_from..gap_to).contains(&scrape));
        let jitter = if dice.below(8) == 0 { 1_234 } else { 0 };
        if !is_lost {
            times.push(OPENS + scrape * (MINUTE / 2) + late + jitter);
        }
    }
    times
}

fn stale() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

fn counter(dice: &mut Dice) -> Vec<(i64, twin::Sample)> {
    let (mut value, mut samples) = ([0.0, 5.0, 1e6][dice.index(3)], Vec::new());
    let grows = [1, 7, 100][dice.index(3)];
    for time in scrapes(dice) {
        let shown = match dice.below(30) {
            0 => stale(),
            1 => {
                value = dice.below(3) as f64;
                value
            }
            _ => {
                value += dice.below(grows) as f64 / 2.0;
                value
            }
        };
        samples.push((time, twin::Sample::Float(shown)));
    }
    samples
}

fn gauge(dice: &mut Dice) -> Vec<(i64, twin::Sample)> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e15];
    let is_odd = dice.below(3) == 0;
    let is_flat = dice.below(4) == 0;
    let mut samples = Vec::new();
    for time in scrapes(dice) {
        let value = match dice.below(25) {
            0 => stale(),
            1 | 2 if is_odd => odd[dice.index(odd.len())],
            _ if is_flat => 3.0,
            place if place % 2 == 0 => dice.below(5) as f64 - 1.0,
            _ => dice.below(1_000) as f64 / 7.0 - 20.0,
        };
        samples.push((time, twin::Sample::Float(value)));
    }
    samples
}

/// A bucket that mostly holds what the one below it holds, and more.
fn bucket(dice: &mut Dice, below: &mut [f64]) -> Vec<(i64, twin::Sample)> {
    let mut samples = Vec::new();
    let mut more = 0.0;
    for (place, below) in below.iter_mut().enumerate() {
        more += dice.below(4) as f64;
        *below = match dice.below(60) {
            0 => (*below - 1.0).max(0.0),
            _ => *below + more,
        };
        if dice.below(15) > 0 {
            let time = OPENS + i64::try_from(place).unwrap() * (MINUTE / 2);
            samples.push((time, twin::Sample::Float(*below)));
        }
    }
    samples
}

fn native(dice: &mut Dice, floats_too: bool) -> Vec<(i64, twin::Sample)> {
    let mut bars = Bars {
        count: 0.0,
        sum: 0.0,
        zeros: 0.0,
        buckets: BTreeMap::from([(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0)]),
    };
    let mut samples = Vec::new();
    for time in scrapes(dice) {
        if dice.below(25) == 0 {
            bars = bars.times(0.0);
        }
        let zeros = dice.below(2) as f64;
        bars.zeros += zeros;
        bars.count += zeros;
        for place in 0..4 {
            let more = dice.below(4) as f64;
            *bars.buckets.get_mut(&place).unwrap() += more;
            bars.count += more;
            bars.sum += more * f64::from(place);
        }
        let sample = match floats_too && dice.below(4) == 0 {
            true => twin::Sample::Float(dice.below(9) as f64),
            false => twin::Sample::Bars(Rc::new(bars.clone())),
        };
        samples.push((time, sample));
    }
    samples
}
