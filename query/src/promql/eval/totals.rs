//! [`Totals`]: what becomes of the floats of a group at all steps.
//!
//! Series are added one after the other, each at all steps, in the order in which they come, so
//! that sums round as in Prometheus.

use crate::promql::eval::column::{Column, Mark};
use crate::promql::slots::are_full;
use crate::promql::sum::{Mean, kahan};
use crate::promql::syntax::AggregateOp;

/// Totals at all steps, and at which of them there is anything.
pub(super) struct Totals {
    present: Vec<Mark>,
    kept: Kept,
}

enum Kept {
    Sums {
        sums: Vec<f64>,
        lost: Vec<f64>,
    },
    /// Sums of means, as long as none of them can overflow.
    Means {
        counts: Vec<f64>,
        sums: Vec<f64>,
        lost: Vec<f64>,
        added: usize,
    },
    LargeMeans(Vec<Mean>),
    Least(Vec<f64>),
    Greatest(Vec<f64>),
    Counts(Vec<f64>),
    /// One, whoever is there.
    Ones(Vec<f64>),
    Spreads {
        spreads: Vec<Spread>,
        is_root: bool,
    },
}

/// Squares of distances to the mean.
#[derive(Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn of(first: f64) -> Spread {
        Spread {
            count: 1.0,
            mean: first,
            squares: if first.is_finite() { 0.0 } else { f64::NAN },
        }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }
}

impl Totals {
    /// Nothing yet at any of `steps`.
    pub(super) fn of(op: AggregateOp, steps: usize) -> Totals {
        let zeros = || vec![0.0; steps];
        Totals {
            present: vec![Mark::Absent; steps],
            kept: match op {
                AggregateOp::Sum => Kept::Sums {
                    sums: zeros(),
                    lost: zeros(),
                },
                AggregateOp::Avg => Kept::Means {
                    counts: zeros(),
                    sums: zeros(),
                    lost: zeros(),
                    added: 0,
                },
                AggregateOp::Min => Kept::Least(zeros()),
                AggregateOp::Max => Kept::Greatest(zeros()),
                AggregateOp::Group => Kept::Ones(vec![1.0; steps]),
                AggregateOp::Stddev | AggregateOp::Stdvar => Kept::Spreads {
                    spreads: vec![Spread::default(); steps],
                    is_root: op == AggregateOp::Stddev,
                },
                _ => Kept::Counts(zeros()),
            },
        }
    }

    /// Adds a float at a step.
    pub(super) fn add(&mut self, step: usize, value: f64) {
        let steps = step..=step;
        self.kept
            .add(&mut self.present[steps], step, &[Mark::Float], &[value]);
    }

    /// Adds the floats of a series that has no others.
    pub(super) fn add_all(&mut self, present: &[Mark], values: &[f64]) {
        self.kept.add(&mut self.present, 0, present, values);
    }

    /// What has come of it.
    pub(super) fn into_column(self) -> Column {
        let values = match self.kept {
            Kept::Sums { mut sums, lost } => {
                for (sum, lost) in sums.iter_mut().zip(lost) {
                    if !sum.is_infinite() {
                        *sum += lost;
                    }
                }
                sums
            }
            Kept::Means {
                counts, sums, lost, ..
            } => {
                let means = counts.iter().zip(&sums).zip(&lost);
                means
                    .map(|((count, sum), lost)| Mean::of_sum(*count, *sum, *lost).value())
                    .collect()
            }
            Kept::LargeMeans(means) => means.into_iter().map(Mean::value).collect(),
            Kept::Least(values)
            | Kept::Greatest(values)
            | Kept::Counts(values)
            | Kept::Ones(values) => values,
            Kept::Spreads { spreads, is_root } => {
                let variance = |spread: Spread| spread.squares / spread.count;
                let spreads = spreads.into_iter().map(variance);
                match is_root {
                    true => spreads.map(f64::sqrt).collect(),
                    false => spreads.collect(),
                }
            }
        };
        Column::of_marked(self.present, values)
    }
}

/// So many numbers, each below the second, have a sum that is finite.
const SUMMANDS_MAX: usize = 1 << 24;
const SUMMAND_MAX: f64 = 1e300;

fn are_small(values: &[f64]) -> bool {
    let is_small = |all, value: &f64| all & (value.abs() < SUMMAND_MAX);
    values.iter().fold(true, is_small)
}

/// Goes over the steps at which a series has a float: `first` and `next` see what is kept and the
/// float.
fn each<K>(
    known: &mut [Mark],
    kept: &mut [K],
    (present, values): (&[Mark], &[f64]),
    first: impl Fn(&mut K, f64),
    next: impl Fn(&mut K, f64),
) {
    if are_full(known) && are_full(present) {
        for (kept, value) in kept.iter_mut().zip(values) {
            next(kept, *value);
        }
        return;
    }
    let samples = present.iter().zip(values);
    for ((known, kept), (mark, value)) in known.iter_mut().zip(kept).zip(samples) {
        match (*mark, *known) {
            (Mark::Absent, _) => {}
            (_, Mark::Absent) => {
                *known = Mark::Float;
                first(kept, *value);
            }
            _ => next(kept, *value),
        }
    }
}

impl Kept {
    /// Adds floats from a step on.
    fn add(&mut self, known: &mut [Mark], from: usize, present: &[Mark], values: &[f64]) {
        let series = (present, values);
        let set = |kept: &mut f64, value: f64| *kept = value;
        match self {
            Kept::Sums { sums, lost } => {
                add_sums(known, &mut sums[from..], &mut lost[from..], series);
            }
            Kept::Means {
                counts,
                sums,
                lost,
                added,
            } => {
                *added += 1;
                if *added >= SUMMANDS_MAX || !are_small(values) {
                    let means = counts.iter().zip(&*sums).zip(&*lost);
                    *self = Kept::LargeMeans(
                        means
                            .map(|((count, sum), lost)| Mean::of_sum(*count, *sum, *lost))
                            .collect(),
                    );
                    return self.add(known, from, present, values);
                }
                for (count, mark) in counts[from..].iter_mut().zip(present) {
                    *count += if *mark == Mark::Absent { 0.0 } else { 1.0 };
                }
                add_sums(known, &mut sums[from..], &mut lost[from..], series);
            }
            Kept::LargeMeans(means) => each(
                known,
                &mut means[from..],
                series,
                |mean, value| *mean = Mean::of(value),
                Mean::add,
            ),
            Kept::Least(least) => each(known, &mut least[from..], series, set, |least, value| {
                if *least > value || least.is_nan() {
                    *least = value;
                }
            }),
            Kept::Greatest(most) => each(known, &mut most[from..], series, set, |most, value| {
                if *most < value || most.is_nan() {
                    *most = value;
                }
            }),
            Kept::Counts(counts) => {
                let count = |count: &mut f64, _| *count += 1.0;
                each(known, &mut counts[from..], series, count, count);
            }
            Kept::Ones(ones) => each(known, &mut ones[from..], series, |_, _| {}, |_, _| {}),
            Kept::Spreads { spreads, .. } => each(
                known,
                &mut spreads[from..],
                series,
                |spread, value| *spread = Spread::of(value),
                Spread::add,
            ),
        }
    }
}

/// Sums that begin at zero: the first value is added as any other. Nothing branches, so that it is
/// done for several steps at once.
fn add_sums(
    known: &mut [Mark],
    sums: &mut [f64],
    lost: &mut [f64],
    (present, values): (&[Mark], &[f64]),
) {
    let totals = sums.iter_mut().zip(lost);
    if are_full(present) {
        known.fill(Mark::Float);
        for ((sum, lost), value) in totals.zip(values) {
            (*sum, *lost) = kahan(*value, *sum, *lost);
        }
        return;
    }
    let samples = present.iter().zip(values);
    for ((known, (sum, lost)), (mark, value)) in known.iter_mut().zip(totals).zip(samples) {
        let is_there = *mark != Mark::Absent;
        let added = kahan(*value, *sum, *lost);
        *known = if is_there { Mark::Float } else { *known };
        *sum = if is_there { added.0 } else { *sum };
        *lost = if is_there { added.1 } else { *lost };
    }
}
