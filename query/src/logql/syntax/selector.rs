//! Selectors and matchers of streams.

use chronolith_engine::labels::{MatchOp, Matcher, Re2};

use crate::logql::syntax::cursor::Parser;
use crate::logql::syntax::error::{Result, SyntaxError};
use crate::logql::syntax::token::Kind;

/// What Loki says where a selector may select every stream there is.
const SELECTS_ALL: &str = "queries require at least one regexp or equality matcher that does not \
                           have an empty-compatible value. For instance, app=~\".*\" does not meet \
                           this requirement, but app=~\".+\" will";

/// The operators of matchers, in the order in which errors list them.
const MATCH_OPS: [&str; 4] = ["=", "=~", "!~", "!="];

/// Refuses matchers all of which accept streams without the label.
pub fn check_matchers(matchers: &[Matcher]) -> Result<()> {
    match matchers.iter().any(|matcher| !matcher.matches_empty()) {
        true => Ok(()),
        false => Err(SyntaxError::new(SELECTS_ALL)),
    }
}

/// A matcher; a pattern that is no regular expression is an error of the query as a whole, which
/// shows the pattern as it was written.
pub(super) fn matcher(op: MatchOp, name: &str, value: &str) -> Result<Matcher> {
    Matcher::new(op, name, value).map_err(|anchored| {
        let error = Re2::compile(value).err().unwrap_or(anchored);
        SyntaxError::new(error.to_string())
    })
}

impl Parser<'_> {
    /// `{a="x", b!~"y"}`; the next token is the brace.
    pub(super) fn selector(&mut self) -> Result<Vec<Matcher>> {
        self.expect("{")?;
        let mut matchers = Vec::new();
        if self.take("}") {
            return Ok(matchers);
        }
        let name = self.identifier_or(&["IDENTIFIER", "}"])?;
        matchers.push(self.matcher_of(&name)?);
        while self.take(",") {
            let name = self.identifier()?;
            matchers.push(self.matcher_of(&name)?);
        }
        match self.take("}") {
            true => Ok(matchers),
            false => Err(self.unexpected(&["}", ","])),
        }
    }

    /// What stands behind the name of a matcher.
    fn matcher_of(&mut self, name: &str) -> Result<Matcher> {
        let Some(op) = self.match_op() else {
            return Err(self.unexpected(&MATCH_OPS));
        };
        self.advance();
        let value = self.text()?;
        matcher(op, name, &value)
    }

    /// The operator of a matcher, if it comes next.
    pub(super) fn match_op(&self) -> Option<MatchOp> {
        match self.kind() {
            Kind::Fixed("=") => Some(MatchOp::Equal),
            Kind::Fixed("!=") => Some(MatchOp::NotEqual),
            Kind::Fixed("=~") => Some(MatchOp::Regex),
            Kind::Fixed("!~") => Some(MatchOp::NotRegex),
            _ => None,
        }
    }
}
