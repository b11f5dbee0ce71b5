//! From trees back to text, on one line, as Loki writes queries.

use chronolith_engine::labels::{MatchOp, Matcher};

use crate::logql::syntax::ast::{
    Aggregate, Binary, Conversion, Extraction, FormatSource, Grouping, LabelFilter, LabelReplace,
    LineFilter, LineOp, LineText, LogQuery, Logfmt, Matching, MetricExpr, MetricKind, Named, Query,
    RangeAggregate, Stage, Unwrap,
};
use crate::logql::syntax::units::{show_bytes, show_duration, show_go_duration};
use crate::text::{number, quote};

/// The query on one line. Parsing it again gives the same tree.
pub fn print(query: &Query) -> String {
    match query {
        Query::Lines(lines) => print_lines(lines),
        Query::Metric(expr) => print_metric(expr),
    }
}

/// A selector: `{a="x", b!="y"}`.
pub fn print_selector(matchers: &[Matcher]) -> String {
    let matchers: Vec<String> = matchers.iter().map(print_matcher).collect();
    format!("{{{}}}", matchers.join(", "))
}

/// One stage, with the `|` or the operator that it begins with.
pub fn print_stage(stage: &Stage) -> String {
    match stage {
        Stage::Line(filter) => line_filter(filter),
        Stage::Json(extractions) => with_list("| json", extractions.iter().map(extraction)),
        Stage::Logfmt(logfmt) => logfmt_stage(logfmt),
        Stage::Regexp(pattern) => format!("| regexp {}", quote::quote(pattern)),
        Stage::Pattern(pattern) => format!("| pattern {}", quote::quote(pattern)),
        Stage::Unpack => "| unpack".to_owned(),
        Stage::Label(filter) => format!("| {}", label_filter(filter)),
        Stage::LineFormat(template) => format!("| line_format {}", quote::quote(template)),
        Stage::LabelFormat(formats) => {
            let formats = formats.iter().map(|format| {
                let source = match &format.source {
                    FormatSource::Label(label) => label.clone(),
                    FormatSource::Template(template) => quote::quote(template),
                };
                format!("{}={source}", format.name)
            });
            with_list("| label_format", formats)
        }
        Stage::Decolorize => "| decolorize".to_owned(),
        Stage::Drop(names) => with_list("| drop", names.iter().map(named)),
        Stage::Keep(names) => with_list("| keep", names.iter().map(named)),
    }
}

pub(super) fn print_lines(lines: &LogQuery) -> String {
    let mut out = print_selector(&lines.matchers);
    for stage in &lines.stages {
        out.push(' ');
        out += &print_stage(stage);
    }
    out
}

pub(super) fn print_metric(expr: &MetricExpr) -> String {
    match &expr.kind {
        MetricKind::Number(value) => number::general(*value),
        MetricKind::Vector(value) => vector(*value),
        MetricKind::Range(range) => {
            let (head, tail) = range_ends(range);
            format!("{head}{}{tail}", range_lines(range))
        }
        MetricKind::Aggregate(aggregate) => {
            let parameter = aggregate.parameter.map(|count| format!("{count},"));
            let parameter = parameter.unwrap_or_default();
            let expr = print_metric(&aggregate.expr);
            format!("{}{parameter}{expr})", aggregate_head(aggregate))
        }
        MetricKind::Binary(binary) => {
            let (left, right) = (print_metric(&binary.left), print_metric(&binary.right));
            format!("({left} {} {right})", operator(binary))
        }
        MetricKind::LabelReplace(replace) => {
            let expr = print_metric(&replace.expr);
            format!("label_replace({expr},{})", label_replace_texts(replace))
        }
    }
}

/// `vector(1.500000)`, or with all of its digits where six do not say all.
pub(super) fn vector(value: f64) -> String {
    let short = format!("{value:.6}");
    #[expect(clippy::float_cmp)] // Whether it says all.
    match short.parse::<f64>() {
        Ok(read) if read == value => format!("vector({short})"),
        _ => format!("vector({})", number::plain(value)),
    }
}

/// What stands in front of the lines of an aggregation over windows, and behind them.
pub(super) fn range_ends(range: &RangeAggregate) -> (String, String) {
    let parameter = range.parameter.map(number::plain);
    let parameter = parameter.map_or_else(String::new, |parameter| parameter + ",");
    let tail = match &range.grouping {
        Some(grouping) => format!(") {}", print_grouping(grouping)),
        None => ")".to_owned(),
    };
    (format!("{}({parameter}", range.op.name()), tail)
}

fn range_lines(range: &RangeAggregate) -> String {
    let unwrap = range.unwrap.as_ref().map(print_unwrap);
    let unwrap = unwrap.map_or_else(String::new, |parts| format!(" {}", parts.join(" ")));
    let window = window(range, show_go_duration);
    format!("{}{unwrap}{window}", print_lines(&range.lines))
}

/// `[5m] offset 1h0m0s`, the offset as `show` writes it.
pub(super) fn window(range: &RangeAggregate, show: fn(i64) -> String) -> String {
    let length = i64::try_from(range.range.as_nanos()).unwrap_or(i64::MAX);
    let offset = match range.offset {
        0 => String::new(),
        offset => format!(" offset {}", show(offset)),
    };
    format!("[{}]{offset}", show_duration(length))
}

/// What is unwrapped, and each filter behind it.
pub(super) fn print_unwrap(unwrap: &Unwrap) -> Vec<String> {
    let label = &unwrap.label;
    let head = match unwrap.conversion {
        Conversion::Number => format!("| unwrap {label}"),
        Conversion::Duration => format!("| unwrap duration({label})"),
        Conversion::DurationSeconds => format!("| unwrap duration_seconds({label})"),
        Conversion::Bytes => format!("| unwrap bytes({label})"),
    };
    let filters = unwrap.filters.iter();
    let filters = filters.map(|filter| format!("| {}", label_filter(filter)));
    std::iter::once(head).chain(filters).collect()
}

/// `sum by (a)(`.
pub(super) fn aggregate_head(aggregate: &Aggregate) -> String {
    let grouping = aggregate.grouping.as_ref().map(print_grouping);
    let grouping = grouping.map_or_else(String::new, |grouping| format!(" {grouping}"));
    format!("{}{grouping}(", aggregate.op.name())
}

fn print_grouping(grouping: &Grouping) -> String {
    let word = if grouping.is_without { "without" } else { "by" };
    format!("{word} ({})", grouping.labels.join(","))
}

/// The operator with what stands between it and the right side.
pub(super) fn operator(binary: &Binary) -> String {
    let mut out = binary.op.symbol().to_owned();
    if binary.returns_bool {
        out += " bool";
    }
    if let Some(matching) = &binary.matching {
        out += &print_matching(matching);
    }
    out
}

fn print_matching(matching: &Matching) -> String {
    let word = if matching.is_ignoring {
        "ignoring"
    } else {
        "on"
    };
    let mut out = format!(" {word} ({})", matching.labels.join(","));
    if let Some(group) = &matching.group {
        out += if group.is_left {
            " group_left"
        } else {
            " group_right"
        };
        out += &format!(" ({})", group.include.join(","));
    }
    out
}

fn label_replace_texts(replace: &LabelReplace) -> String {
    let texts = [
        &replace.destination,
        &replace.replacement,
        &replace.source,
        &replace.regex,
    ];
    texts.map(|text| quote::quote(text)).join(",")
}

fn print_matcher(matcher: &Matcher) -> String {
    let op = match matcher.op() {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    format!("{}{op}{}", matcher.name(), quote::quote(matcher.value()))
}

fn line_filter(filter: &LineFilter) -> String {
    let op = match filter.op {
        LineOp::Contains => "|=",
        LineOp::NotContains => "!=",
        LineOp::Regex => "|~",
        LineOp::NotRegex => "!~",
        LineOp::Pattern => "|>",
        LineOp::NotPattern => "!>",
    };
    let texts = filter.texts.iter().map(|text| match text {
        LineText::Text(text) => quote::quote(text),
        LineText::Ip(pattern) => format!("ip({})", quote::quote(pattern)),
    });
    let texts: Vec<String> = texts.collect();
    format!("{op} {}", texts.join(" or "))
}

fn logfmt_stage(logfmt: &Logfmt) -> String {
    let mut out = "| logfmt".to_owned();
    if logfmt.is_strict {
        out += " --strict";
    }
    if logfmt.keeps_empty {
        out += " --keep-empty";
    }
    with_list(&out, logfmt.extractions.iter().map(extraction))
}

fn extraction(extraction: &Extraction) -> String {
    let expression = quote::quote(&extraction.expression);
    format!("{}={expression}", extraction.name)
}

fn named(named: &Named) -> String {
    match named {
        Named::Name(name) => name.clone(),
        Named::Matching(matcher) => print_matcher(matcher),
    }
}

fn with_list(head: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.is_empty() {
        true => head.to_owned(),
        false => format!("{head} {}", items.join(",")),
    }
}

fn label_filter(filter: &LabelFilter) -> String {
    match filter {
        LabelFilter::Text(matcher) => print_matcher(matcher),
        LabelFilter::Number(name, op, value) => {
            format!("{name}{}{}", op.symbol(), number::plain(*value))
        }
        LabelFilter::Duration(name, op, ns) => {
            format!("{name}{}{}", op.symbol(), show_go_duration(*ns))
        }
        LabelFilter::Bytes(name, op, bytes) => {
            format!("{name}{}{}", op.symbol(), show_bytes(*bytes))
        }
        LabelFilter::Ip(ip) => {
            let op = if ip.is_negative { "!=" } else { "=" };
            format!("{}{op}ip({})", ip.name, quote::quote(&ip.pattern))
        }
        LabelFilter::And(left, right) => {
            format!("( {} , {} )", label_filter(left), label_filter(right))
        }
        LabelFilter::Or(left, right) => {
            format!("( {} or {} )", label_filter(left), label_filter(right))
        }
    }
}
