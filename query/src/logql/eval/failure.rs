//! What fails a metric query: lines that reach an aggregation with an error.

use crate::logql::pipeline::{ERROR_LABEL, LineLabels};
use crate::logql::syntax::ast::{Grouping, LabelFilter, RangeAggregate, Stage};
use crate::logql::{Error, ErrorKind};
use crate::text::quote;

/// Errors of parsers, which a query may ask for.
const PARSER_ERRORS: [&str; 2] = ["JSONParserErr", "LogfmtParserErr"];

/// Which errors fail a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fails {
    /// All of them.
    Always,
    /// Those that are not of parsers: the query asks what parsers found wrong.
    UnlessParsers,
}

impl Fails {
    /// What fails an aggregation: it asks for errors if it groups by them or compares them.
    pub(super) fn of(range: &RangeAggregate, grouping: Option<&Grouping>) -> Fails {
        let groups = grouping.is_some_and(|grouping| {
            !grouping.is_without && grouping.labels.iter().any(|label| label == ERROR_LABEL)
        });
        let stages = range.lines.stages.iter().filter_map(|stage| match stage {
            Stage::Label(filter) => Some(filter),
            _ => None,
        });
        let behind = range.unwrap.iter().flat_map(|unwrap| &unwrap.filters);
        match groups || stages.chain(behind).any(asks) {
            true => Fails::UnlessParsers,
            false => Fails::Always,
        }
    }

    /// The error of a line that fails the query, if it does.
    pub(super) fn check(self, labels: &LineLabels<'_>) -> Option<Error> {
        let error = labels.error()?;
        if self == Fails::UnlessParsers && PARSER_ERRORS.contains(&error) {
            return None;
        }
        let pairs = labels.all().into_iter();
        let shown: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", quote::quote(value)))
            .collect();
        let message = format!(
            "pipeline error: '{error}' for series: '{{{}}}'.\nUse a label filter to intentionally \
             skip this error. (e.g | __error__!=\"{error}\").\nTo skip all potential errors you \
             can match empty errors.(e.g __error__=\"\")\nThe label filter can also be specified \
             after unwrap. (e.g | unwrap latency | __error__=\"\" )",
            shown.join(", ")
        );
        Some(Error::new(ErrorKind::BadData, message))
    }
}

/// Whether a condition is about errors.
pub(super) fn asks(filter: &LabelFilter) -> bool {
    match filter {
        LabelFilter::Text(matcher) => matcher.name() == ERROR_LABEL,
        LabelFilter::And(left, right) | LabelFilter::Or(left, right) => asks(left) || asks(right),
        LabelFilter::Number(name, ..)
        | LabelFilter::Duration(name, ..)
        | LabelFilter::Bytes(name, ..) => name == ERROR_LABEL,
        LabelFilter::Ip(ip) => ip.name == ERROR_LABEL,
    }
}
