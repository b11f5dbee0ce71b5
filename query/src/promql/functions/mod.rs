//! What functions calculate, free of steps, labels and plans.

pub(crate) mod classic;
pub(crate) mod extended;
pub(crate) mod hash;
pub(crate) mod maths;
pub(crate) mod order;
mod over_time;
pub(crate) mod range;
mod rate;
mod regression;
pub(crate) mod rows;
pub(crate) mod sliding;
mod stretch;
pub(crate) mod total;

/// The value at `time` on the line between two samples.
#[expect(clippy::cast_precision_loss)] // Distances in time are far below 2^53.
pub(crate) fn interpolate(before: (i64, f64), after: (i64, f64), time: i64) -> f64 {
    let part = (time - before.0) as f64 / (after.0 - before.0) as f64;
    before.1 + (after.1 - before.1) * part
}
