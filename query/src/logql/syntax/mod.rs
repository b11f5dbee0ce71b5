//! The syntax of LogQL: tokens, the tree, the parser and the printers.
//!
//! Accepts the language of Loki 3.7 and words its errors as Loki does. Knows no data, and of stages
//! no more than how they are written: whether they compile is told by the pipeline.

mod aggregations;
pub mod ast;
mod cursor;
mod error;
mod fold;
mod lexer;
mod parser;
mod pretty;
mod printer;
mod selector;
mod stages;
#[cfg(test)]
mod tests;
mod token;
mod units;
mod walk;

pub use ast::Query;
pub use cursor::{NESTING_MAX, OPERATORS_MAX, QUERY_BYTES_MAX};
pub use error::{Place, Result, SyntaxError};
pub use parser::{parse, parse_selector};
pub use pretty::pretty;
pub use printer::{print, print_selector, print_stage};
pub use selector::check_matchers;
pub(crate) use units::{show_duration, show_go_duration};
pub use walk::{range_aggregates, selectors};
