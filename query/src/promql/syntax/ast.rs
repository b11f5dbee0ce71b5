//! The tree of a query.
//!
//! It holds what was written, with places; defaults and `start()` are resolved by the plan. Trees
//! are equal if they are the same query, wherever their parts stood in the text.

use chronolith_engine::labels::Matcher;

use crate::text::Span;

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `1.5`, or `5m` for its seconds.
    Number(Number),
    /// `"text"`.
    Text(Text),
    /// `metric{label="value"} offset 5m`.
    Selector(Selector),
    /// `metric[5m]`.
    Range(RangeSelector),
    /// `expr[5m:1m]`.
    Subquery(Box<Subquery>),
    /// `(expr)`.
    Paren(Box<Expr>),
    /// `-expr`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(Box<Binary>),
    /// `sum by (job) (expr)`.
    Aggregate(Box<Aggregate>),
    /// `rate(metric[5m])`.
    Call(Call),
}

/// A number, perhaps written as a duration.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// The value; of a duration its seconds.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
}

impl PartialEq for Number {
    /// By bits, so that `NaN` is the same query as `NaN`.
    fn eq(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits() && self.is_duration == other.is_duration
    }
}

/// A string. Escapes may name bytes that are no UTF-8; those are kept beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text, with U+FFFD for what is no UTF-8.
    pub value: String,
    /// The bytes where they are no UTF-8.
    pub bytes: Option<Vec<u8>>,
}

/// Which series, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// The name in front of the braces.
    pub name: Option<String>,
    /// All conditions; that of the name is the last one.
    pub matchers: Vec<Matcher>,
    /// `offset`.
    pub shift: Option<Shift>,
    /// `@`.
    pub at: Option<At>,
    /// `anchored` or `smoothed`.
    pub edge: Edge,
}

/// A selector with a range.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSelector {
    /// What is selected.
    pub selector: Selector,
    /// Where the selector stands, without its range.
    pub selector_span: Span,
    /// How far back.
    pub range: Extent,
}

/// An expression that is evaluated at steps of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// The expression.
    pub expr: Expr,
    /// How far back.
    pub range: Extent,
    /// The distance of steps, if it is given.
    pub step: Option<Extent>,
    /// `offset`.
    pub shift: Option<Shift>,
    /// `@`.
    pub at: Option<At>,
}

/// A length of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Extent {
    /// In milliseconds.
    Literal(i64),
    /// To be worked out when the query's steps are known.
    Computed(DurationExpr),
}

/// `offset`, in milliseconds or to be worked out.
pub type Shift = Extent;

/// Arithmetic on durations.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    /// Seconds.
    Number(Number),
    /// `step()`.
    Step,
    /// `range()`.
    Range,
    /// `-a`.
    Negative(Box<DurationExpr>),
    /// `(a)`.
    Paren(Box<DurationExpr>),
    /// `a + b`.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `min_of(a, b)`.
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`.
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
}

/// The time of `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Milliseconds.
    Time(i64),
    /// `start()`.
    Start,
    /// `end()`.
    End,
}

/// What happens at the edges of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// Samples inside the range only; functions extrapolate.
    #[default]
    Plain,
    /// The last sample before the range stands at its beginning.
    Anchored,
    /// Values at both edges are interpolated.
    Smoothed,
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// An operator between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs)] // Each is its symbol.
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Unless,
    TrimUpper,
    TrimLower,
}

impl BinaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
            BinaryOp::TrimUpper => "</",
            BinaryOp::TrimLower => ">/",
        }
    }

    /// Whether it compares: filters, or gives 0 and 1 under `bool`.
    pub fn is_comparison(self) -> bool {
        use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(
            self,
            Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual
        )
    }

    /// Whether it works on sets of series.
    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }

    /// How tightly it binds.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And | BinaryOp::Unless => 2,
            BinaryOp::Add | BinaryOp::Sub => 4,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
            BinaryOp::Pow => 6,
            // Comparisons and trims.
            _ => 3,
        }
    }
}

/// Two expressions and what stands between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Whether `bool` follows it.
    pub returns_bool: bool,
    /// How series of the two sides are matched.
    pub matching: Matching,
    /// The left side.
    pub left: Expr,
    /// The right side.
    pub right: Expr,
}

/// How series of two sides are matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// How many may match how many.
    pub card: Card,
    /// Labels that are looked at, or not.
    pub labels: Grouping,
    /// Labels that come from the side of one.
    pub include: Vec<String>,
    /// What stands in for a series without a partner.
    pub fill: Fill,
}

/// How many series may match how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Card {
    /// One by one.
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
}

/// Values for series without a partner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fill {
    /// For the left side.
    pub left: Option<f64>,
    /// For the right side.
    pub right: Option<f64>,
}

/// Labels to group or match by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// These: `by`, `on`.
    By(Vec<String>),
    /// All but these: `without`, `ignoring`.
    Without(Vec<String>),
}

impl Default for Grouping {
    fn default() -> Self {
        Grouping::Without(Vec::new())
    }
}

impl Grouping {
    /// The labels that are named.
    pub fn names(&self) -> &[String] {
        match self {
            Grouping::By(names) | Grouping::Without(names) => names,
        }
    }
}

/// An aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The operator.
    pub op: AggregateOp,
    /// What makes a group.
    pub grouping: Grouping,
    /// The parameter of those that take one.
    pub param: Option<Expr>,
    /// What is aggregated.
    pub expr: Expr,
}

/// An aggregation operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs)] // Each is its name.
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

const AGGREGATES: [(&str, AggregateOp); 14] = [
    ("sum", AggregateOp::Sum),
    ("avg", AggregateOp::Avg),
    ("count", AggregateOp::Count),
    ("min", AggregateOp::Min),
    ("max", AggregateOp::Max),
    ("group", AggregateOp::Group),
    ("stddev", AggregateOp::Stddev),
    ("stdvar", AggregateOp::Stdvar),
    ("topk", AggregateOp::Topk),
    ("bottomk", AggregateOp::Bottomk),
    ("count_values", AggregateOp::CountValues),
    ("quantile", AggregateOp::Quantile),
    ("limitk", AggregateOp::Limitk),
    ("limit_ratio", AggregateOp::LimitRatio),
];

impl AggregateOp {
    /// As it is written.
    pub fn name(self) -> &'static str {
        let found = AGGREGATES.iter().find(|(_, op)| *op == self);
        found.map_or("", |(name, _)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<AggregateOp> {
        let found = AGGREGATES.iter().find(|(known, _)| *known == name);
        found.map(|(_, op)| *op)
    }

    /// Whether a parameter comes first.
    pub fn takes_param(self) -> bool {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        matches!(
            self,
            Topk | Bottomk | CountValues | Quantile | Limitk | LimitRatio
        )
    }

    /// Whether Prometheus has it behind a switch.
    pub fn is_experimental(self) -> bool {
        matches!(self, AggregateOp::Limitk | AggregateOp::LimitRatio)
    }
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Expr>,
}
