//! What queries answer: numbers, texts, and series of samples.

use std::sync::Arc;

use chronolith_engine::labels::LabelSet;

use crate::promql::histogram::Histogram;

/// The value of a query.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number at a time.
    Scalar(i64, f64),
    /// A text.
    Text(String),
    /// Series with one sample each.
    Vector(Vec<ResultSeries>),
    /// Series with samples over time.
    Matrix(Vec<ResultSeries>),
}

/// A series of a result.
#[derive(Clone, Debug)]
pub struct ResultSeries {
    /// The labels.
    pub labels: LabelSet,
    /// The samples in order of time.
    pub points: Vec<Point>,
}

/// A sample of a result.
#[derive(Clone, Debug)]
pub struct Point {
    /// When, in milliseconds.
    pub time: i64,
    /// What.
    pub sample: Sample,
}

/// A float or a histogram.
#[derive(Clone, Debug)]
pub enum Sample {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl Sample {
    /// The float, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Sample::Float(value) => Some(*value),
            Sample::Histogram(_) => None,
        }
    }
}
