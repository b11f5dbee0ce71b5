//! Label filters: conditions on the labels of a line.
//!
//! A value that cannot be compared is an error of the line, which stays. Without the label a line
//! goes; but filters on addresses keep one that has an error, unless what a parser found before it
//! failed says otherwise.

use std::collections::BTreeSet;

use super::ip::IpRange;
use super::labels::{Category, LineLabels};
use crate::logql::syntax::ast::{CompareOp, IpFilter, LabelFilter};
use crate::text::amounts;

/// What a line is whose label could not be compared.
const FILTER_ERROR: &str = "LabelFilterErr";

/// A label filter, compiled.
pub(super) enum LabelTest {
    Plain(LabelFilter),
    Ip {
        filter: IpFilter,
        /// What is searched for, or what is wrong with it; every line is told where the condition
        /// is part of another.
        range: Result<IpRange, String>,
    },
    And(Box<LabelTest>, Box<LabelTest>),
    Or(Box<LabelTest>, Box<LabelTest>),
}

impl LabelTest {
    pub(super) fn new(filter: &LabelFilter) -> LabelTest {
        let compile = |filter: &LabelFilter| Box::new(LabelTest::new(filter));
        match filter {
            LabelFilter::And(left, right) => LabelTest::And(compile(left), compile(right)),
            LabelFilter::Or(left, right) => LabelTest::Or(compile(left), compile(right)),
            LabelFilter::Ip(filter) => LabelTest::Ip {
                filter: filter.clone(),
                range: IpRange::parse(&filter.pattern),
            },
            plain => LabelTest::Plain(plain.clone()),
        }
    }

    /// What is wrong with a condition that stands alone.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            LabelTest::Ip {
                range: Err(what), ..
            } => Err(what.clone()),
            _ => Ok(()),
        }
    }

    /// Adds the labels that the filter looks at; filters on anything but text look at errors too.
    pub(super) fn add_names(&self, names: &mut BTreeSet<String>) {
        match self {
            LabelTest::And(left, right) | LabelTest::Or(left, right) => {
                left.add_names(names);
                right.add_names(names);
            }
            LabelTest::Ip { filter, .. } => {
                names.insert(filter.name.clone());
            }
            LabelTest::Plain(filter) => {
                let name = match filter {
                    LabelFilter::Text(matcher) => matcher.name(),
                    LabelFilter::Number(name, ..)
                    | LabelFilter::Duration(name, ..)
                    | LabelFilter::Bytes(name, ..) => name,
                    LabelFilter::Ip(_) | LabelFilter::And(..) | LabelFilter::Or(..) => return,
                };
                names.insert(name.to_owned());
            }
        }
    }

    /// Whether a line stays. Both sides of `and` are looked at, since each may find an error.
    pub(super) fn accepts(&self, labels: &mut LineLabels<'_>) -> bool {
        match self {
            LabelTest::And(left, right) => {
                let is_left = left.accepts(labels);
                right.accepts(labels) && is_left
            }
            LabelTest::Or(left, right) => left.accepts(labels) || right.accepts(labels),
            LabelTest::Plain(LabelFilter::Text(matcher)) => {
                matcher.matches(labels.value(matcher.name()).unwrap_or(""))
            }
            LabelTest::Plain(filter) => match compare(filter, labels) {
                Ok(is_accepted) => is_accepted,
                Err(error) => {
                    labels.fail(FILTER_ERROR, &error);
                    true
                }
            },
            LabelTest::Ip { filter, range } => match range {
                Ok(range) => match labels.find(&filter.name) {
                    Some((value, category))
                        if labels.error().is_none() || category == Category::Parsed =>
                    {
                        range.is_in(value.as_bytes()) != filter.is_negative
                    }
                    _ => labels.error().is_some(),
                },
                Err(error) => {
                    labels.fail(FILTER_ERROR, error);
                    true
                }
            },
        }
    }
}

fn compare(filter: &LabelFilter, labels: &LineLabels<'_>) -> Result<bool, String> {
    let value = |name: &str| labels.value(name);
    Ok(match filter {
        LabelFilter::Number(name, op, wanted) => match value(name) {
            Some(text) => is(*op, &amounts::float(text)?, wanted),
            None => false,
        },
        LabelFilter::Duration(name, op, wanted) => match value(name) {
            Some(text) => is(*op, &amounts::duration(text)?, wanted),
            None => false,
        },
        LabelFilter::Bytes(name, op, wanted) => match value(name) {
            Some(text) => is(*op, &amounts::bytes(text)?, wanted),
            None => false,
        },
        LabelFilter::Text(_) | LabelFilter::Ip(_) | LabelFilter::And(..) | LabelFilter::Or(..) => {
            false
        }
    })
}

fn is<T: PartialOrd>(op: CompareOp, left: &T, right: &T) -> bool {
    match op {
        CompareOp::Equal => left == right,
        CompareOp::NotEqual => left != right,
        CompareOp::Greater => left > right,
        CompareOp::GreaterOrEqual => left >= right,
        CompareOp::Less => left < right,
        CompareOp::LessOrEqual => left <= right,
    }
}
