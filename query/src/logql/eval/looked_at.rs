//! Which stages of a pipeline anybody looks at behind it, where its lines are only counted.

use std::borrow::Cow;

use crate::logql::eval::failure::asks;
use crate::logql::syntax::ast::{RangeAggregate, RangeOp, Stage};

/// The stages without each `line_format` whose text nobody reads: no parser and no filter behind
/// it, and no count of bytes. What fails there happens to nobody, unless a filter asks for errors.
pub(super) fn looked_at(range: &RangeAggregate) -> Cow<'_, [Stage]> {
    let stages = &range.lines.stages;
    let formats = |stage: &Stage| matches!(stage, Stage::LineFormat(_));
    let counts_bytes = matches!(range.op, RangeOp::BytesOverTime | RangeOp::BytesRate);
    if counts_bytes || !stages.iter().any(formats) {
        return Cow::Borrowed(stages);
    }
    let behind = range.unwrap.iter().flat_map(|unwrap| &unwrap.filters);
    let mut is_read = behind.into_iter().any(asks);
    let mut kept = Vec::with_capacity(stages.len());
    for stage in stages.iter().rev() {
        match stage {
            Stage::LineFormat(_) if !is_read => continue,
            Stage::LineFormat(_) | Stage::Drop(_) | Stage::Keep(_) => {}
            Stage::Label(filter) => is_read |= asks(filter),
            _ => is_read = true,
        }
        kept.push(stage.clone());
    }
    kept.reverse();
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::syntax::ast::Query;
    use crate::logql::syntax::{parse, print_stage, range_aggregates};

    #[test]
    fn a_text_that_nobody_reads_is_not_made() {
        let cases = [
            ("count_over_time", "| line_format \"a\"", ""),
            (
                "rate",
                "| line_format \"a\" | drop x | y=\"z\"",
                "| drop x | y=\"z\"",
            ),
            ("bytes_rate", "| line_format \"a\"", "| line_format \"a\""),
            (
                "rate",
                "| line_format \"a\" |= \"b\" | line_format \"c\"",
                "| line_format \"a\" |= \"b\"",
            ),
            (
                "rate",
                "| line_format \"a\" | __error__=\"\"",
                "| line_format \"a\" | __error__=\"\"",
            ),
            (
                "rate",
                "| line_format \"a\" | line_format \"b\" | json",
                "| line_format \"a\" | line_format \"b\" | json",
            ),
        ];
        for (op, stages, kept) in cases {
            let text = format!("{op}({{a=\"b\"}} {stages} [1m])");
            let Query::Metric(metric) = parse(&text).unwrap() else {
                panic!("{text} is no metric");
            };
            let ranges = range_aggregates(&metric);
            let shown: Vec<String> = looked_at(ranges[0]).iter().map(print_stage).collect();
            assert_eq!(shown.join(" "), kept, "{text}");
        }
    }
}
