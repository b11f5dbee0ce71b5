//! Evaluation: lines in order and within the limit; windows over lines, and numbers made of them.
//!
//! Aggregations and operators over series are PromQL's, which are given the series that were made
//! of lines. This room reads lines, and knows what to leave unread.

mod best;
mod counts;
mod failure;
mod lines;
mod looked_at;
mod metric;
mod parallel;
mod range;
mod rate;
mod series;
mod steps;
mod values;
mod ways;

pub(super) use lines::lines;
pub(super) use metric::{instant, range};
pub(super) use steps::TimeGrid;
