//! The tree of a LogQL query.
//!
//! It holds what was written, with places. Trees are equal if they are the same query, wherever
//! their parts stood in the text.

use std::time::Duration;

use chronolith_engine::labels::Matcher;

use crate::text::Span;

/// A query: lines, or numbers made of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// `{app="a"} |= "x"`: answers lines.
    Lines(LogQuery),
    /// Anything else: answers numbers.
    Metric(MetricExpr),
}

/// Streams, and what their lines go through.
#[derive(Clone, Debug, PartialEq)]
pub struct LogQuery {
    /// Which streams.
    pub matchers: Vec<Matcher>,
    /// What their lines go through, from left to right.
    pub stages: Vec<Stage>,
    /// Where it stands.
    pub span: Span,
}

/// One stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "a" or "b"`.
    Line(LineFilter),
    /// `| json`, `| json a="x.y"`.
    Json(Vec<Extraction>),
    /// `| logfmt --strict a="x"`.
    Logfmt(Logfmt),
    /// `| regexp "(?P<name>…)"`.
    Regexp(String),
    /// `| pattern "<name> …"`.
    Pattern(String),
    /// `| unpack`.
    Unpack,
    /// `| status >= 500 and level = "x"`.
    Label(LabelFilter),
    /// `| line_format "…"`.
    LineFormat(String),
    /// `| label_format a=b, c="…"`.
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`.
    Decolorize,
    /// `| drop a, b="x"`.
    Drop(Vec<Named>),
    /// `| keep a, b="x"`.
    Keep(Vec<Named>),
}

/// A filter of lines: `op` with the first text, `or` with the others.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFilter {
    /// How lines are compared.
    pub op: LineOp,
    /// With what; a line passes if one of them lets it. For a negative `op`, if all of them do.
    pub texts: Vec<LineText>,
}

/// How lines are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`.
    Contains,
    /// `!=`.
    NotContains,
    /// `|~`.
    Regex,
    /// `!~`.
    NotRegex,
    /// `|>`.
    Pattern,
    /// `!>`.
    NotPattern,
}

/// What lines are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineText {
    /// `"text"`.
    Text(String),
    /// `ip("10.0.0.0/8")`.
    Ip(String),
}

/// `name="expression"`, or `name` alone for itself: one label that a parser is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// What the label is called.
    pub name: String,
    /// Where its value stands in the line.
    pub expression: String,
}

/// `| logfmt` and its flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logfmt {
    /// `--strict`: stops at what is no logfmt, with an error.
    pub is_strict: bool,
    /// `--keep-empty`: keys without values are labels too.
    pub keeps_empty: bool,
    /// Only these, if there are any.
    pub extractions: Vec<Extraction>,
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// `name = "text"` and its kin.
    Text(Matcher),
    /// `name >= 500`.
    Number(String, CompareOp, f64),
    /// `name >= 1m30s`; in nanoseconds.
    Duration(String, CompareOp, i64),
    /// `name >= 20MB`.
    Bytes(String, CompareOp, u64),
    /// `name = ip("…")`.
    Ip(IpFilter),
    /// Both: `and`, a comma, or nothing between them.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// One of them.
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// `name = ip("10.0.0.0/8")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpFilter {
    /// Which label.
    pub name: String,
    /// Whether it is `!=`.
    pub is_negative: bool,
    /// Address, range or network.
    pub pattern: String,
}

/// Comparisons of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==`, or `=` in label filters.
    Equal,
    /// `!=`.
    NotEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
}

/// One assignment of `label_format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFormat {
    /// The label that is set.
    pub name: String,
    /// From what.
    pub source: FormatSource,
}

/// Where a label's new value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatSource {
    /// `dst=src`: another label, which is renamed.
    Label(String),
    /// `dst="template"`.
    Template(String),
}

/// What `drop` and `keep` name: a label, or one with a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    /// Whatever its value.
    Name(String),
    /// Where its value fits.
    Matching(Matcher),
}

/// Numbers made of lines.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricExpr {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: MetricKind,
}

/// What a metric expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricKind {
    /// `1.5`.
    Number(f64),
    /// `vector(1.5)`.
    Vector(f64),
    /// `rate({app="a"}[5m])`.
    Range(Box<RangeAggregate>),
    /// `sum by (app) (…)`.
    Aggregate(Box<Aggregate>),
    /// `a / b`.
    Binary(Box<Binary>),
    /// `label_replace(…)`.
    LabelReplace(Box<LabelReplace>),
}

/// An aggregation over the lines of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregate {
    /// Which one.
    pub op: RangeOp,
    /// The first argument of `quantile_over_time`.
    pub parameter: Option<f64>,
    /// Which lines.
    pub lines: LogQuery,
    /// Which number each line gives; absent where lines or their bytes are counted.
    pub unwrap: Option<Unwrap>,
    /// The length of the window.
    pub range: Duration,
    /// `offset`, in nanoseconds; 0 where there is none.
    pub offset: i64,
    /// `by` or `without`.
    pub grouping: Option<Grouping>,
}

/// `| unwrap duration(label)` and the filters behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    /// The label that holds the number.
    pub label: String,
    /// How it is read.
    pub conversion: Conversion,
    /// Conditions behind it.
    pub filters: Vec<LabelFilter>,
}

/// How the value of an unwrapped label is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// As a number.
    Number,
    /// `duration`: as seconds.
    Duration,
    /// `duration_seconds`: the same.
    DurationSeconds,
    /// `bytes`.
    Bytes,
}

/// Aggregations over windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is named as it is written")]
pub enum RangeOp {
    Rate,
    RateCounter,
    CountOverTime,
    BytesRate,
    BytesOverTime,
    AbsentOverTime,
    SumOverTime,
    AvgOverTime,
    MinOverTime,
    MaxOverTime,
    StdvarOverTime,
    StddevOverTime,
    QuantileOverTime,
    FirstOverTime,
    LastOverTime,
}

/// An aggregation over series.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which one.
    pub op: AggregateOp,
    /// How many, of `topk` and its kin.
    pub parameter: Option<u64>,
    /// Over what.
    pub expr: MetricExpr,
    /// `by` or `without`.
    pub grouping: Option<Grouping>,
}

/// Aggregations over series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is named as it is written")]
pub enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    ApproxTopk,
    Sort,
    SortDesc,
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Whether it is `without`.
    pub is_without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

/// Two expressions and what is between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// What is between them.
    pub op: BinaryOp,
    /// The left one.
    pub left: MetricExpr,
    /// The right one.
    pub right: MetricExpr,
    /// `bool`: comparisons give 0 and 1.
    pub returns_bool: bool,
    /// Which series belong together; absent where nothing was written.
    pub matching: Option<Matching>,
}

/// Operators between expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is named as it is written")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Compare(CompareOp),
    And,
    Or,
    Unless,
}

/// Which series of two sides belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// Whether it is `ignoring`.
    pub is_ignoring: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// `group_left` or `group_right` with the labels to take along.
    pub group: Option<Group>,
}

/// Which side has many series for one of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whether it is `group_left`: many on the left.
    pub is_left: bool,
    /// Labels that come from the side of one.
    pub include: Vec<String>,
}

/// `label_replace(expr, "dst", "replacement", "src", "regex")`.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    /// Whose labels.
    pub expr: MetricExpr,
    /// The label that is set.
    pub destination: String,
    /// To what, with `$1` for a group.
    pub replacement: String,
    /// The label that is read.
    pub source: String,
    /// What its value must be, as a whole.
    pub regex: String,
}
