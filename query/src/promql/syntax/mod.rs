//! The syntax of PromQL: tokens, the tree, the parser and the printer.
//!
//! Accepts the whole language of Prometheus 3.14, experimental parts included. Knows no data; of
//! types it knows only what the grammar itself decides, the rest is told by `promql::check`.

mod ast;
mod duration;
mod lexer;
mod parser;
mod printer;
mod selector;
#[cfg(test)]
mod tests;
mod token;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Card, DurationExpr, Edge, Expr, ExprKind,
    Extent, Fill, Grouping, Matching, Number, RangeSelector, Selector, Shift, Subquery, Text,
    UnaryOp,
};
pub use parser::{NESTING_MAX, OPERATORS_MAX, QUERY_BYTES_MAX, parse, parse_selector};
pub use printer::{pretty, print};
pub(crate) use selector::NAME;

/// What is wrong with a query, and where.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// Where in the query, if there is a place.
    pub span: Option<crate::text::Span>,
    /// What, as Prometheus words it.
    pub message: String,
}

impl SyntaxError {
    pub(crate) fn new(span: crate::text::Span, message: impl Into<String>) -> Self {
        SyntaxError {
            span: Some(span),
            message: message.into(),
        }
    }

    /// The message with its place in `query`: `1:5: parse error: ...`.
    pub fn describe(&self, query: &str) -> String {
        let place = self
            .span
            .map_or_else(|| "unknown position".to_owned(), |span| span.place(query));
        format!("{place}: parse error: {}", self.message)
    }
}
