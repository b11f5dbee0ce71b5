//! Texts and actions of a template, and the tokens of an action.

use crate::text::quote::code_point;

/// A piece of a template's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// What is between the braces, and where it begins.
    Action(&'t str, usize),
    /// An action without an end, and what is wrong with it.
    Open(&'t str, usize, String),
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `name`, keywords included.
    Word(String),
    /// `.name`.
    Field(String),
    /// `.`.
    Dot,
    /// `$name`, or `$` alone.
    Variable(String),
    Text(Vec<u8>),
    Int(i64),
    Float(f64),
    Open,
    Close,
    Bar,
    Declare,
    Assign,
    Comma,
    /// A character of ASCII that nothing begins with.
    Letter(char),
    /// Operands must not touch one another.
    Space,
    /// What is wrong here. It is told by whoever comes this far, so that the first mistake of a
    /// template is the one that is told.
    Wrong(String),
}

/// A token and where it stands.
pub(super) type Placed = (Token, usize);

/// Parts a template into texts and actions; comments are gone, and so is the space that `{{-` and
/// `-}}` take away.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, (String, usize)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trims_next = false;
    loop {
        let rest = &text[at..];
        let open = rest.find("{{");
        let mut plain = &rest[..open.unwrap_or(rest.len())];
        if trims_next {
            plain = plain.trim_start_matches(is_space);
        }
        let Some(open) = open else {
            push_text(&mut pieces, plain);
            return Ok(pieces);
        };
        let mut start = at + open + 2;
        let trims = text[start..].strip_prefix('-');
        if trims.is_some_and(|behind| behind.starts_with(is_space)) {
            plain = plain.trim_end_matches(is_space);
            start += 1;
        }
        push_text(&mut pieces, plain);
        let inside = &text[start..];
        let comment = inside.trim_start_matches(is_space);
        if comment.starts_with("/*") {
            let begin = start + (inside.len() - comment.len());
            (at, trims_next) = comment_end(text, begin)?;
            continue;
        }
        let length = match action_length(inside) {
            Ok(length) => length,
            Err(what) => {
                pieces.push(Piece::Open(inside, start, what));
                return Ok(pieces);
            }
        };
        let mut action = &inside[..length];
        trims_next = false;
        let before = action.strip_suffix('-');
        if let Some(before) = before.filter(|before| before.ends_with(is_space)) {
            (action, trims_next) = (before, true);
        }
        pieces.push(Piece::Action(action, start));
        at = start + length + 2;
    }
}

fn push_text<'t>(pieces: &mut Vec<Piece<'t>>, text: &'t str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}

/// Where a comment ends, and whether the space behind it goes.
fn comment_end(text: &str, begin: usize) -> Result<(usize, bool), (String, usize)> {
    let error = |what: &str| (what.to_owned(), begin);
    let length = text[begin..]
        .find("*/")
        .ok_or_else(|| error("unclosed comment"))?;
    let end = begin + length + 2;
    let rest = &text[end..];
    if rest.starts_with("}}") {
        return Ok((end + 2, false));
    }
    let marker = rest.trim_start_matches(is_space);
    match marker.starts_with("-}}") && marker.len() < rest.len() {
        true => Ok((end + (rest.len() - marker.len()) + 3, true)),
        false => Err(error("comment ends before closing delimiter")),
    }
}

/// How long an action is, up to its closing braces. Quotes hide braces.
fn action_length(text: &str) -> Result<usize, String> {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '}' if text[at..].starts_with("}}") => return Ok(at),
            '`' => {
                letters
                    .by_ref()
                    .find(|(_, letter)| *letter == '`')
                    .ok_or("unterminated raw quoted string")?;
            }
            '"' | '\'' => loop {
                match letters.next() {
                    Some((_, '\\')) => {
                        letters.next();
                    }
                    None | Some((_, '\n')) => {
                        let what = match letter {
                            '"' => "unterminated quoted string",
                            _ => "unterminated character constant",
                        };
                        return Err(what.to_owned());
                    }
                    Some((_, other)) if other == letter => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    Err("unclosed action".to_owned())
}

/// The tokens of an action that begins at `start`, and where the last one ends; no space at either
/// end. Behind what is wrong there are none.
pub(super) fn tokens(action: &str, start: usize) -> (Vec<Placed>, usize) {
    let mut tokens = Vec::new();
    let mut rest = action.trim_end_matches(is_space);
    let end = start + rest.len();
    rest = rest.trim_start_matches(is_space);
    while let Some(letter) = rest.chars().next() {
        let at = end - rest.len();
        let made = next(rest, letter).and_then(|(token, length)| {
            let is_name = matches!(token, Token::Word(_) | Token::Field(_) | Token::Variable(_));
            let behind = rest[length..].chars().next();
            match behind.filter(|letter| is_name && !ends_name(*letter)) {
                Some(letter) => Err(format!("bad character {}", code_point(letter))),
                None => Ok((token, length)),
            }
        });
        match made {
            Ok((token, length)) => {
                tokens.push((token, at));
                rest = &rest[length..];
            }
            Err(what) => {
                tokens.push((Token::Wrong(what), at));
                break;
            }
        }
    }
    (tokens, end)
}

/// What may stand right behind a name.
fn ends_name(letter: char) -> bool {
    is_space(letter) || matches!(letter, '.' | ',' | '|' | ':' | ')' | '(' | '=')
}

fn next(rest: &str, letter: char) -> Result<(Token, usize), String> {
    let simple = |token: Token| Ok((token, letter.len_utf8()));
    match letter {
        letter if is_space(letter) => {
            let behind = rest.trim_start_matches(is_space);
            Ok((Token::Space, rest.len() - behind.len()))
        }
        '(' => simple(Token::Open),
        ')' => simple(Token::Close),
        '|' => simple(Token::Bar),
        ',' => simple(Token::Comma),
        '=' => simple(Token::Assign),
        ':' if rest.starts_with(":=") => Ok((Token::Declare, 2)),
        ':' => Err("expected :=".to_owned()),
        '"' | '`' | '\'' => quoted(rest, letter),
        '$' => {
            let name = word(&rest[1..]);
            Ok((Token::Variable(format!("${name}")), 1 + name.len()))
        }
        '.' if !rest[1..].starts_with(|letter: char| letter.is_ascii_digit()) => {
            match word(&rest[1..]) {
                "" => simple(Token::Dot),
                name => Ok((Token::Field(name.to_owned()), 1 + name.len())),
            }
        }
        '0'..='9' | '.' | '+' | '-' => number(rest),
        letter if is_word_letter(letter) => {
            let name = word(rest);
            Ok((Token::Word(name.to_owned()), name.len()))
        }
        '!'..='~' => simple(Token::Letter(letter)),
        letter => {
            let shown = code_point(letter);
            Err(format!("unrecognized character in action: {shown}"))
        }
    }
}

fn is_word_letter(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

fn word(text: &str) -> &str {
    let length = text.find(|letter| !is_word_letter(letter));
    &text[..length.unwrap_or(text.len())]
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let mut letters = rest.char_indices().skip(1);
    let mut end = None;
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote != '`' => {
                letters.next();
            }
            letter if letter == quote => {
                end = Some(at + 1);
                break;
            }
            _ => {}
        }
    }
    let length = end.ok_or("unterminated quoted string")?;
    let literal = &rest[..length];
    let text = crate::text::quote::unquote(literal);
    if quote != '\'' {
        return Ok((Token::Text(text), length));
    }
    let mut letters = std::str::from_utf8(&text).unwrap_or("").chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => Ok((Token::Int(i64::from(u32::from(letter))), length)),
        _ => Err(format!("malformed character constant: {literal}")),
    }
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let mut length = 0;
    let mut before = ' ';
    for letter in rest.chars() {
        let is_sign = matches!(letter, '+' | '-') && (length == 0 || matches!(before, 'e' | 'E'));
        if !(is_word_letter(letter) || letter == '.' || is_sign) {
            break;
        }
        length += letter.len_utf8();
        before = letter;
    }
    let literal = &rest[..length];
    let bad = || format!("bad number syntax: {}", crate::text::quote::quote(literal));
    let has_digit = literal.bytes().any(|byte| byte.is_ascii_digit());
    let plain = literal.replace('_', "").to_ascii_lowercase();
    if !has_digit {
        return Err(bad());
    }
    if let Some(value) = integer(&plain) {
        return Ok((Token::Int(value), length));
    }
    let is_decimal = !plain.contains(|letter: char| letter.is_alphabetic() && letter != 'e');
    match plain.parse() {
        Ok(value) if is_decimal => Ok((Token::Float(value), length)),
        _ => Err(bad()),
    }
}

fn integer(plain: &str) -> Option<i64> {
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(plain)),
    };
    let (radix, digits) = match (digits.get(..2), digits.as_bytes()) {
        (Some("0x"), _) => (16, &digits[2..]),
        (Some("0b"), _) => (2, &digits[2..]),
        (Some("0o"), _) => (8, &digits[2..]),
        (_, [b'0', _, ..]) => (8, &digits[1..]),
        _ => (10, digits),
    };
    let is_digit = |letter: char| letter.is_digit(radix);
    let value = digits.chars().all(is_digit).then_some(digits)?;
    Some(sign * i64::from_str_radix(value, radix).ok()?)
}
