//! Tokens, and how an error names one.

use crate::promql::syntax::ast::{AggregateOp, BinaryOp};
use crate::text::{Span, quote};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    /// The text is not PromQL from here on; the message stands beside.
    Error,
    Identifier,
    /// An identifier with a colon.
    MetricIdentifier,
    Number,
    Duration,
    Text,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    Equal,
    RegexEqual,
    RegexNotEqual,
    At,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// Words with a meaning in the grammar that are no operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Start,
    End,
    Step,
    Range,
}

const KEYWORDS: [(&str, Keyword); 17] = [
    ("offset", Keyword::Offset),
    ("smoothed", Keyword::Smoothed),
    ("anchored", Keyword::Anchored),
    ("by", Keyword::By),
    ("without", Keyword::Without),
    ("on", Keyword::On),
    ("ignoring", Keyword::Ignoring),
    ("group_left", Keyword::GroupLeft),
    ("group_right", Keyword::GroupRight),
    ("fill", Keyword::Fill),
    ("fill_left", Keyword::FillLeft),
    ("fill_right", Keyword::FillRight),
    ("bool", Keyword::Bool),
    ("start", Keyword::Start),
    ("end", Keyword::End),
    ("step", Keyword::Step),
    ("range", Keyword::Range),
];

impl Keyword {
    /// The four that are functions too, and metric names: errors name them like punctuation.
    pub(super) fn is_context(self) -> bool {
        use Keyword::{End, Range, Start, Step};
        matches!(self, Start | End | Step | Range)
    }

    pub(super) fn is_fill(self) -> bool {
        use Keyword::{Fill, FillLeft, FillRight};
        matches!(self, Fill | FillLeft | FillRight)
    }
}

/// What a word is, whatever its case.
pub(super) fn word_kind(word: &str) -> Option<Kind> {
    let lower = word.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "nan" => return Some(Kind::Number),
        "and" => return Some(Kind::Op(BinaryOp::And)),
        "or" => return Some(Kind::Op(BinaryOp::Or)),
        "unless" => return Some(Kind::Op(BinaryOp::Unless)),
        "atan2" => return Some(Kind::Op(BinaryOp::Atan2)),
        _ => {}
    }
    if let Some(op) = AggregateOp::from_name(&lower) {
        return Some(Kind::Aggregate(op));
    }
    let keyword = KEYWORDS.iter().find(|(name, _)| *name == lower);
    keyword.map(|(_, keyword)| Kind::Keyword(*keyword))
}

/// A piece of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) span: Span,
    pub(super) text: &'a str,
}

impl Token<'_> {
    /// How an error names the token: `identifier "foo"`, `<op:+>`, `")"`.
    pub(super) fn describe(&self) -> String {
        let text = self.text;
        match self.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Error => "error".to_owned(),
            Kind::Identifier => format!("identifier {}", quote::quote(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote::quote(text)),
            Kind::Number => format!("number {}", shortened(text)),
            Kind::Duration => format!("duration {}", shortened(text)),
            Kind::Text => format!("string {}", shortened(text)),
            Kind::Keyword(keyword) if !keyword.is_context() => format!("<{text}>"),
            Kind::Op(_) => format!("<op:{text}>"),
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            Kind::RegexEqual | Kind::RegexNotEqual | Kind::At => format!("<op:{text}>"),
            _ => shortened(text),
        }
    }
}

/// Quoted, and cut behind ten characters if there are more bytes.
fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote::quote(text);
    }
    let start: String = text.chars().take(10).collect();
    quote::quote(&start) + "..."
}
