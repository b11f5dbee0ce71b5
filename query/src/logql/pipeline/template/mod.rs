//! Templates of `line_format` and `label_format`: the language of Go's `text/template` over the
//! labels of a line.
//!
//! A template is parsed once and rendered for each line. Everything that it may ask for is bounded:
//! its depth, the steps of one rendering, the length of a value.

mod civil;
mod compare;
mod decimal;
mod exec;
mod functions;
mod layout;
mod lexer;
mod parser;
mod printf;
mod times;
mod tree;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::labels::LineLabels;
use exec::Exec;
use tree::Node;

/// Bytes that one value, and what a template makes of a line, may have.
const TEXT_BYTES_MAX: usize = 4 << 20;
/// Steps that one rendering may take: nodes, and rounds of `range`.
const STEPS_MAX: usize = 200_000;
/// How deep actions and parentheses may lie in one another.
const NESTING_MAX: usize = 64;

/// A template, parsed.
pub(super) struct Template {
    /// What errors call it.
    name: &'static str,
    nodes: Vec<Node>,
}

/// What a template sees.
pub(super) struct Context<'c, 'l> {
    /// Of the line, in nanoseconds.
    pub(super) time: i64,
    pub(super) line: &'c [u8],
    pub(super) labels: &'c LineLabels<'l>,
}

/// What rendering needs from line to line.
#[derive(Default)]
pub(super) struct State {
    regexes: functions::Regexes,
}

impl Template {
    /// Parses a template; errors are in Go's words.
    pub(super) fn parse(name: &'static str, text: &str) -> Result<Template, String> {
        let nodes = parser::parse(text).map_err(|error| format!("template: {name}:{error}"))?;
        Ok(Template { name, nodes })
    }

    /// Appends what the template makes of a line.
    pub(super) fn render(
        &self,
        context: &Context<'_, '_>,
        state: &mut State,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        Exec::new(self.name, context, &mut state.regexes).run(&self.nodes, out)
    }

    /// Which labels it looks at; `None` if it may be any.
    pub(super) fn labels(&self) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        tree::collect_labels(&self.nodes, tree::Dot::IsLabels, &mut names).then_some(names)
    }

    /// Whether it looks at the line.
    pub(super) fn wants_line(&self) -> bool {
        tree::calls(&self.nodes, functions::LINE)
    }
}
