//! Functions over all windows of a column of floats at once, in time that the samples take and not
//! their windows.
//!
//! What is given here is, bit for bit, what the functions over one window give: those stay, for
//! windows with histograms, for other edges, and as what tests compare with. Where a running result
//! could round otherwise than one that begins anew, a window is gone through as before.

use std::collections::VecDeque;

use crate::promql::functions::order::{quantile_of_sorted, sample_order};
use crate::promql::functions::range::Scope;
use crate::promql::functions::rate::{Kind, between};
use crate::promql::functions::rows::{Row, Windows};
use crate::promql::functions::stretch::Extrapolation;
use crate::promql::slots::Slots;
use crate::promql::sum::{Kahan, Mean};

/// A column of floats without stale markers.
#[derive(Clone, Copy)]
pub(crate) struct Floats<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
}

/// What goes over a column: its windows, the parameter of each step, the scope for notes, and where
/// results go.
pub(crate) type Sliding = fn(Floats<'_>, &Windows<'_>, &[f64], &Scope<'_>, &mut Slots<'_>);

/// The function of this name, if there is one that slides.
pub(crate) fn sliding(name: &str) -> Option<Sliding> {
    Some(match name {
        "avg_over_time" => average,
        "changes" => |floats, windows, _, _, found| {
            let changed = |before: f64, now: f64| {
                // Any other value is a change.
                before != now && !(before.is_nan() && now.is_nan())
            };
            pairs(floats, windows, changed, found);
        },
        "count_over_time" => |floats, windows, _, _, found| {
            for row in windows.rows(floats.times) {
                found
                    .fill(row.step, row.count)
                    .fill(number(row.high - row.low));
            }
        },
        "delta" => |floats, windows, _, _, found| difference(floats, windows, Kind::Delta, found),
        "first_over_time" => |floats, windows, _, _, found| {
            windows.each(floats.times, |step, low, _, _| {
                found.put(step, floats.values[low])
            });
        },
        "idelta" => |floats, windows, _, _, found| last_pair(floats, windows, Kind::Delta, found),
        "increase" => {
            |floats, windows, _, _, found| difference(floats, windows, Kind::Increase, found)
        }
        "irate" => |floats, windows, _, _, found| last_pair(floats, windows, Kind::Rate, found),
        "last_over_time" => last,
        "max_over_time" => |floats, windows, _, _, found| {
            let place = extreme(floats, windows, |before, now| now > before);
            place.go(|step, place, _| found.put(step, floats.values[place]));
        },
        "min_over_time" => |floats, windows, _, _, found| {
            let place = extreme(floats, windows, |before, now| now < before);
            place.go(|step, place, _| found.put(step, floats.values[place]));
        },
        "ts_of_max_over_time" => |floats, windows, _, _, found| {
            let place = extreme(floats, windows, |before, now| now >= before);
            place.go(|step, place, _| found.put(step, seconds(floats.times[place])));
        },
        "ts_of_min_over_time" => |floats, windows, _, _, found| {
            let place = extreme(floats, windows, |before, now| now <= before);
            place.go(|step, place, _| found.put(step, seconds(floats.times[place])));
        },
        "present_over_time" => |floats, windows, _, _, found| {
            windows.each(floats.times, |step, _, _, _| found.put(step, 1.0));
        },
        "quantile_over_time" => quantile,
        "rate" => |floats, windows, _, _, found| difference(floats, windows, Kind::Rate, found),
        "resets" => |floats, windows, _, _, found| {
            pairs(floats, windows, |before, now| now < before, found);
        },
        "sum_over_time" => sum,
        "ts_of_first_over_time" => |floats, windows, _, _, found| {
            windows.each(floats.times, |step, low, _, _| {
                found.put(step, seconds(floats.times[low]))
            });
        },
        "ts_of_last_over_time" => |floats, windows, _, _, found| {
            windows.each(floats.times, |step, _, high, _| {
                found.put(step, seconds(floats.times[high - 1]));
            });
        },
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss)] // There are fewer samples than 2^53.
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss)] // Times are far below 2^53.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// The last sample of each window.
pub(crate) fn last(
    floats: Floats<'_>,
    windows: &Windows<'_>,
    _: &[f64],
    _: &Scope<'_>,
    found: &mut Slots<'_>,
) {
    for row in windows.lasts(floats.times) {
        let found = found.fill(row.step, row.count);
        row.gather(floats.values, row.high - 1, found);
    }
}

/// Counts the neighbours within each window of which `differs` holds.
fn pairs(
    floats: Floats<'_>,
    windows: &Windows<'_>,
    differs: impl Fn(f64, f64) -> bool,
    found: &mut Slots<'_>,
) {
    // How many there are up to each sample.
    let (mut counts, mut count) = (Vec::with_capacity(floats.values.len()), 0);
    let mut before = None;
    for value in floats.values {
        count += usize::from(before.is_some_and(|before| differs(before, *value)));
        counts.push(count);
        before = Some(*value);
    }
    windows.each(floats.times, |step, low, high, _| {
        found.put(step, number(counts[high - 1] - counts[low]));
    });
}

/// Differences of the last and the first sample.
fn difference(floats: Floats<'_>, windows: &Windows<'_>, kind: Kind, found: &mut Slots<'_>) {
    let values = floats.values;
    let mut extrapolation = Extrapolation::new(kind);
    let mut resets = Resets::of(values, kind);
    for row in windows.rows(floats.times) {
        let Row { low, high, .. } = row;
        if high - low < 2 {
            continue;
        }
        let borders = (row.end.saturating_sub(windows.range), row.end);
        let stretched = extrapolation.at(&floats.times[low..high], borders);
        let found = found.fill(row.step, row.count);
        if resets.are_none() {
            row.gather(values, high - 1, found);
            match row.stride {
                1 => stretched.differences(values[low..].iter(), found),
                stride => stretched.differences(values[low..].iter().step_by(stride.max(1)), found),
            }
            continue;
        }
        for (place, found) in found.iter_mut().enumerate() {
            let (low, high) = (low + place * row.stride, high + place * row.stride);
            let result = resets.add(values[high - 1] - values[low], low, high);
            *found = stretched.of(result, values[low]);
        }
    }
}

/// Where a counter falls, found once for all windows.
struct Resets<'a> {
    values: &'a [f64],
    /// The places of samples that the next one is below.
    places: Vec<usize>,
    /// Those before this one are before the window.
    passed: usize,
}

impl<'a> Resets<'a> {
    fn of(values: &'a [f64], kind: Kind) -> Self {
        let pairs = values.iter().zip(values.iter().skip(1));
        let falls = |(before, now): (&f64, &f64)| now < before;
        let mut places = Vec::new();
        // Most counters never fall, which is seen at once.
        if kind.is_counter() && pairs.clone().fold(false, |any, pair| any | falls(pair)) {
            let fallen = pairs.enumerate().filter(|(_, pair)| falls(*pair));
            places.extend(fallen.map(|(place, _)| place));
        }
        Resets {
            values,
            places,
            passed: 0,
        }
    }

    fn are_none(&self) -> bool {
        self.places.is_empty()
    }

    /// The difference of a window with what was lost at resets in it.
    fn add(&mut self, mut difference: f64, low: usize, high: usize) -> f64 {
        let places = &self.places;
        while places.get(self.passed).is_some_and(|place| *place < low) {
            self.passed += 1;
        }
        let inside = places[self.passed..].iter();
        for place in inside.take_while(|place| **place + 1 < high) {
            difference += self.values[*place];
        }
        difference
    }
}

/// Differences of the last two samples.
fn last_pair(floats: Floats<'_>, windows: &Windows<'_>, kind: Kind, found: &mut Slots<'_>) {
    windows.each(floats.times, |step, low, high, _| {
        if high - low < 2 {
            return;
        }
        let (before, now) = (high - 2, high - 1);
        let pair = (floats.values[before], floats.values[now]);
        found.put(
            step,
            between(pair, floats.times[now] - floats.times[before], kind),
        );
    });
}

/// The extreme of each window, found by a queue of those that may still become it.
struct Extremes<'a, B> {
    floats: Floats<'a>,
    windows: &'a Windows<'a>,
    beats: B,
}

/// `beats` tells whether a value replaces one that was before it. NaN never stays if there is
/// anything else.
fn extreme<'a, B: Fn(f64, f64) -> bool>(
    floats: Floats<'a>,
    windows: &'a Windows<'a>,
    beats: B,
) -> Extremes<'a, B> {
    Extremes {
        floats,
        windows,
        beats,
    }
}

impl<B: Fn(f64, f64) -> bool> Extremes<'_, B> {
    /// Tells of each window where its extreme is.
    fn go(self, mut found: impl FnMut(usize, usize, i64)) {
        let values = self.floats.values;
        // Places of values, each of which the ones behind it do not beat.
        let mut queue: VecDeque<usize> = VecDeque::new();
        let mut entered = 0;
        self.windows
            .each(self.floats.times, |step, low, high, end| {
                for place in entered.max(low)..high {
                    let value = values[place];
                    if value.is_nan() {
                        continue;
                    }
                    while queue
                        .back()
                        .is_some_and(|last| (self.beats)(values[*last], value))
                    {
                        queue.pop_back();
                    }
                    queue.push_back(place);
                }
                entered = high;
                while queue.front().is_some_and(|first| *first < low) {
                    queue.pop_front();
                }
                // Where all are NaN, each has replaced the one before.
                found(step, queue.front().copied().unwrap_or(high - 1), end);
            });
    }
}

/// Below it every whole number is a float, and no order of adding them rounds.
const EXACT: u64 = 1 << 53;

/// A sum of whole numbers that slides, as long as nothing rounds.
struct WholeSum<'a> {
    values: &'a [f64],
    /// The samples that are in the sum.
    low: usize,
    high: usize,
    sum: i64,
    /// The sum of what the numbers are without their signs, which bounds any sum on the way.
    size: u64,
}

/// The largest number that a [`WholeSum`] takes: so many of them still fit its sums.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

impl<'a> WholeSum<'a> {
    /// Nothing if the numbers are not whole, or so many and large that sums may not fit.
    fn of(values: &'a [f64]) -> Option<WholeSum<'a>> {
        let are_whole = values
            .iter()
            .all(|value| value.abs() < WHOLE_MAX && value.trunc().to_bits() == value.to_bits());
        // 2^53 times 2^10 is below what the signed sum holds.
        let largest = values
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        let fits = largest * number(values.len()) < WHOLE_MAX * 1000.0;
        (are_whole && fits).then_some(WholeSum {
            values,
            low: 0,
            high: 0,
            sum: 0,
            size: 0,
        })
    }

    /// The sum of a window, which is behind the one before. Nothing where it may round.
    #[expect(clippy::cast_possible_truncation)] // Whole, and below 2^53.
    fn slide(&mut self, low: usize, high: usize) -> Option<f64> {
        for value in &self.values[self.high.max(self.low)..high] {
            self.sum += *value as i64;
            self.size += (*value as i64).unsigned_abs();
        }
        self.high = high;
        for value in &self.values[self.low..low] {
            self.sum -= *value as i64;
            self.size -= (*value as i64).unsigned_abs();
        }
        self.low = low;
        #[expect(clippy::cast_precision_loss)] // Below 2^53, as its size is.
        (self.size < EXACT).then_some(self.sum as f64)
    }
}

fn sum(floats: Floats<'_>, windows: &Windows<'_>, _: &[f64], _: &Scope<'_>, found: &mut Slots<'_>) {
    let mut whole = WholeSum::of(floats.values);
    windows.each(floats.times, |step, low, high, _| {
        let exact = whole.as_mut().and_then(|whole| whole.slide(low, high));
        found.put(
            step,
            exact.unwrap_or_else(|| Kahan::of(&floats.values[low..high])),
        );
    });
}

fn average(
    floats: Floats<'_>,
    windows: &Windows<'_>,
    _: &[f64],
    _: &Scope<'_>,
    found: &mut Slots<'_>,
) {
    let mut whole = WholeSum::of(floats.values);
    windows.each(floats.times, |step, low, high, _| {
        let exact = whole.as_mut().and_then(|whole| whole.slide(low, high));
        found.put(
            step,
            match exact {
                // Without a sign, as a compensation that is zero leaves it.
                Some(sum) => sum / number(high - low) + 0.0,
                None => Mean::over(&floats.values[low..high]),
            },
        );
    });
}

/// From this part of a window on, putting all of it in order anew is cheaper than moving what has
/// changed.
const RESORTED: usize = 4;

fn quantile(
    floats: Floats<'_>,
    windows: &Windows<'_>,
    params: &[f64],
    scope: &Scope<'_>,
    found: &mut Slots<'_>,
) {
    let values = floats.values;
    // Values that are equal but not the same would have to keep the order of their times.
    let is_plain = |value: &f64| !value.is_nan() && value.to_bits() != (-0.0_f64).to_bits();
    let is_ordered = values.iter().all(is_plain);
    let mut sorted: Vec<f64> = Vec::new();
    let (mut before_low, mut before_high) = (0, 0);
    windows.each(floats.times, |step, low, high, _| {
        let q = params.get(step).copied().unwrap_or(f64::NAN);
        if !(0.0..=1.0).contains(&q) {
            scope.notes.invalid_quantile(scope.span, q);
        }
        let changed = (low - before_low) + (high - before_high);
        if !is_ordered || changed * RESORTED > high - low {
            sorted.clear();
            sorted.extend_from_slice(&values[low..high]);
            sorted.sort_by(sample_order);
        } else {
            for value in &values[before_low..low] {
                let place = sorted.partition_point(|other| other < value);
                sorted.remove(place);
            }
            for value in &values[before_high..high] {
                let place = sorted.partition_point(|other| other < value);
                sorted.insert(place, *value);
            }
        }
        (before_low, before_high) = (low, high);
        found.put(step, quantile_of_sorted(q, &sorted));
    });
}

#[cfg(test)]
mod tests;
