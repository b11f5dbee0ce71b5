//! Tokens, and how an error names one.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    /// The text is no LogQL from here on; the message stands beside.
    Error,
    /// A character that no token has.
    Unknown,
    Identifier,
    Text,
    Number,
    /// `--strict`.
    Flag,
    Duration,
    Bytes,
    /// `[5m]` as a whole.
    Range,
    /// A keyword, a function that is called, or punctuation: always written the same.
    Fixed(&'static str),
}

/// A piece of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// The first byte.
    pub(super) start: usize,
    /// Line and column as errors name them.
    pub(super) place: (usize, usize),
}

impl Token<'_> {
    /// How an error names the token.
    pub(super) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::End => "$end",
            Kind::Error | Kind::Unknown => "$unk",
            Kind::Identifier => "IDENTIFIER",
            Kind::Text => "STRING",
            Kind::Number => "NUMBER",
            Kind::Flag => "PARSER_FLAG",
            Kind::Duration => "DURATION",
            Kind::Bytes => "BYTES",
            Kind::Range => "RANGE",
            Kind::Fixed(text) => text,
        }
    }
}

/// Words that always have a meaning of their own.
const KEYWORDS: [&str; 22] = [
    "and",
    "bool",
    "by",
    "decolorize",
    "drop",
    "group_left",
    "group_right",
    "ignoring",
    "json",
    "keep",
    "label_format",
    "line_format",
    "logfmt",
    "offset",
    "on",
    "or",
    "pattern",
    "regexp",
    "unless",
    "unpack",
    "unwrap",
    "without",
];

/// Words with a meaning where they are called, and names elsewhere.
const FUNCTIONS: [&str; 33] = [
    "absent_over_time",
    "approx_topk",
    "avg",
    "avg_over_time",
    "bottomk",
    "bytes",
    "bytes_over_time",
    "bytes_rate",
    "count",
    "count_over_time",
    "duration",
    "duration_seconds",
    "first_over_time",
    "ip",
    "label_replace",
    "last_over_time",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "quantile_over_time",
    "rate",
    "rate_counter",
    "sort",
    "sort_desc",
    "stddev",
    "stddev_over_time",
    "stdvar",
    "stdvar_over_time",
    "sum",
    "sum_over_time",
    "topk",
    "vector",
];

/// Operators and punctuation; those of two characters first, so that they are found first.
const SYMBOLS: [&str; 28] = [
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "|", "=", ">", "<", "{", "}", "(",
    ")", "[", "]", ",", ".", "+", "-", "*", "/", "%", "^",
];

/// The word as a keyword, whatever its case.
pub(super) fn keyword(word: &str) -> Option<&'static str> {
    let same = |known: &&&str| known.eq_ignore_ascii_case(word);
    KEYWORDS.iter().find(same).copied()
}

/// The word as a function, whatever its case.
pub(super) fn function(word: &str) -> Option<&'static str> {
    let same = |known: &&&str| known.eq_ignore_ascii_case(word);
    FUNCTIONS.iter().find(same).copied()
}

/// The symbol that the text begins with.
pub(super) fn symbol(text: &str) -> Option<&'static str> {
    let begins = |known: &&&str| text.starts_with(**known);
    SYMBOLS.iter().find(begins).copied()
}
