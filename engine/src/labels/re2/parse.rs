//! Patterns in the syntax of RE2 and Go's `regexp.Compile`, read into HIR.
//!
//! One pass with an explicit stack of open groups. What is accepted, what is refused and the words
//! of the refusal follow Go; what a group is called stays here, since Go lets two groups share a
//! name.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, Hir, Look};

use super::class::Classes;
use super::node::{Cost, Node, Repeat};
use super::scan::{Counts, REPEAT_MAX, Scan};
use super::syntax::{Fault, Flags};
use crate::error::Result;

/// Most levels of a syntax tree.
const HEIGHT_MAX: u32 = 1000;
/// What Go reads in place of a byte that is not UTF-8.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// A pattern that has been read.
pub(super) struct Parsed {
    pub(super) hir: Hir,
    pub(super) cost: Cost,
    pub(super) height: u32,
    /// The names of all groups by number; number 0 is the whole match.
    pub(super) names: Vec<Option<Box<str>>>,
    /// Whether the pattern can match U+FFFD, and so also a byte that is not UTF-8.
    pub(super) reads_replacement: bool,
}

/// Reads a pattern, refusing it once its compiled form must exceed `bytes_max`.
pub(super) fn parse(pattern: &str, bytes_max: usize) -> Result<Parsed> {
    let mut parser = Parser {
        scan: Scan::new(pattern),
        flags: Flags::default(),
        open: vec![Group::new(Flags::default(), None)],
        names: vec![None],
        classes: Classes::default(),
        reads_replacement: false,
        bytes_max: bytes_max as u64,
    };
    let mut repeated_at = None;
    while let Some(next) = parser.scan.peek() {
        repeated_at = parser.step(next, repeated_at)?;
    }
    parser.finish()
}

struct Parser<'p> {
    scan: Scan<'p>,
    flags: Flags,
    /// Open groups, innermost last; the first is the pattern itself.
    open: Vec<Group>,
    names: Vec<Option<Box<str>>>,
    classes: Classes,
    reads_replacement: bool,
    bytes_max: u64,
}

/// A group whose `)` has not come yet.
struct Group {
    /// The flags to return to.
    outside: Flags,
    capture: Option<u32>,
    branches: Vec<Node>,
    parts: Vec<Node>,
    /// Plain characters after the last of `parts`, kept apart so that a word is one node.
    text: String,
}

impl Group {
    fn new(outside: Flags, capture: Option<u32>) -> Self {
        let (branches, parts, text) = (Vec::new(), Vec::new(), String::new());
        Group {
            outside,
            capture,
            branches,
            parts,
            text,
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Node::literal(&self.text));
            self.text.clear();
        }
    }

    fn push(&mut self, part: Node) {
        self.flush();
        self.parts.push(part);
    }

    /// Takes the last part, which for plain text is its last character.
    fn pop(&mut self) -> Option<Node> {
        let Some(last) = self.text.pop() else {
            return self.parts.pop();
        };
        self.flush();
        Some(Node::literal(last.encode_utf8(&mut [0; 4])))
    }

    fn end_branch(&mut self) {
        self.flush();
        let parts = std::mem::take(&mut self.parts);
        self.branches.push(Node::concat(parts));
    }

    fn close(mut self) -> Node {
        self.end_branch();
        let node = Node::alternation(self.branches);
        match self.capture {
            Some(index) => node.capture(index),
            None => node,
        }
    }
}

impl Parser<'_> {
    /// Reads one token. `repeated_at` is where the token before began if it was a repetition, and
    /// so is the answer for this one.
    fn step(&mut self, next: char, repeated_at: Option<usize>) -> Result<Option<usize>> {
        let start = self.scan.at;
        match next {
            '(' if self.scan.rest().starts_with("(?") => self.perl_group()?,
            '\\' => self.backslash()?,
            '[' => {
                let class = self.classes.bracketed(&mut self.scan, self.flags.fold)?;
                self.push_class(class)?;
            }
            '*' | '+' | '?' => {
                self.scan.at += 1;
                let (min, max) = match next {
                    '*' => (0, None),
                    '+' => (1, None),
                    _ => (0, Some(1)),
                };
                self.repeat(min, max, start, repeated_at)?;
                return Ok(Some(start));
            }
            '{' => match self.scan.counts() {
                Counts::Literal => {
                    self.scan.at += 1;
                    self.innermost().text.push('{');
                }
                Counts::OutOfRange => return Err(Fault::RepeatCount.at(self.scan.since(start))),
                Counts::Range(min, max) => {
                    self.repeat(min, max, start, repeated_at)?;
                    return Ok(Some(start));
                }
            },
            _ => {
                self.scan.at += next.len_utf8();
                self.plain(next)?;
            }
        }
        Ok(None)
    }

    /// A token of one character.
    fn plain(&mut self, token: char) -> Result<()> {
        match token {
            '(' => self.open_group(None)?,
            ')' => self.close_group()?,
            '|' => self.innermost().end_branch(),
            '^' if self.flags.lines => self.push(Node::look(Look::StartLF))?,
            '^' => self.push(Node::look(Look::Start))?,
            '$' if self.flags.lines => self.push(Node::look(Look::EndLF))?,
            '$' => self.push(Node::look(Look::End))?,
            '.' => self.dot()?,
            letter => self.literal(u32::from(letter))?,
        }
        Ok(())
    }

    fn innermost(&mut self) -> &mut Group {
        self.open
            .last_mut()
            .expect("the pattern itself is never closed before its end")
    }

    fn push(&mut self, part: Node) -> Result<()> {
        self.check(&part)?;
        self.innermost().push(part);
        Ok(())
    }

    fn check(&self, part: &Node) -> Result<()> {
        if part.cost.bytes > self.bytes_max {
            return Err(Fault::TooLarge.at(self.scan.whole));
        }
        if part.height > HEIGHT_MAX {
            return Err(Fault::TooDeep.at(self.scan.whole));
        }
        Ok(())
    }

    fn push_class(&mut self, class: ClassUnicode) -> Result<()> {
        let holds =
            |range: &ClassUnicodeRange| range.start() <= REPLACEMENT && REPLACEMENT <= range.end();
        self.reads_replacement |= class.ranges().iter().any(holds);
        self.push(Node::class(class))
    }

    fn dot(&mut self) -> Result<()> {
        let mut class = ClassUnicode::empty();
        if !self.flags.dot_newline {
            class.push(ClassUnicodeRange::new('\n', '\n'));
        }
        class.negate();
        self.push_class(class)
    }

    /// One code point as itself, in all of its cases under `(?i)`.
    fn literal(&mut self, point: u32) -> Result<()> {
        match char::from_u32(point) {
            Some(letter) if !self.flags.fold => self.innermost_text(letter),
            _ => {
                let class = self.classes.single(point, self.flags.fold, &self.scan)?;
                match class.ranges() {
                    [one] if one.start() == one.end() => self.innermost_text(one.start()),
                    _ => self.push_class(class)?,
                }
            }
        }
        Ok(())
    }

    fn innermost_text(&mut self, letter: char) {
        self.reads_replacement |= letter == REPLACEMENT;
        self.innermost().text.push(letter);
    }

    fn backslash(&mut self) -> Result<()> {
        let start = self.scan.at;
        let letter = self.scan.rest().chars().nth(1);
        let look = match letter {
            Some('A') => Look::Start,
            Some('z') => Look::End,
            Some('b') => Look::WordAscii,
            Some('B') => return self.no_border(),
            Some('C') => return Err(Fault::Escape.at(&self.scan.whole[start..start + 2])),
            Some('Q') => return self.quoted(),
            _ => {
                if let Some(class) = self.classes.escaped(&mut self.scan, self.flags.fold)? {
                    return self.push_class(class);
                }
                let point = self.scan.escape()?;
                return self.literal(point);
            }
        };
        self.scan.at += 2;
        self.push(Node::look(look))
    }

    /// `\B`. The automata look at bytes, and inside of a character beyond ASCII there is no ASCII
    /// border; one of the Unicode looks holds at every border of characters, and neither does
    /// inside of one.
    fn no_border(&mut self) -> Result<()> {
        self.scan.at += "\\B".len();
        // Those looks want text that is UTF-8.
        self.reads_replacement = true;
        let between = [Look::WordUnicode, Look::WordUnicodeNegate].map(Node::look);
        let between = Node::alternation(between.into());
        self.push(Node::concat(vec![
            Node::look(Look::WordAsciiNegate),
            between,
        ]))
    }

    /// `\Q...\E`; without the end, all of the rest is literal.
    fn quoted(&mut self) -> Result<()> {
        self.scan.at += "\\Q".len();
        let rest = self.scan.rest();
        let (text, marker) = match rest.split_once("\\E") {
            Some((text, _)) => (text, "\\E".len()),
            None => (rest, 0),
        };
        for letter in text.chars() {
            self.literal(u32::from(letter))?;
        }
        self.scan.at += text.len() + marker;
        Ok(())
    }

    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        start: usize,
        repeated_at: Option<usize>,
    ) -> Result<()> {
        let lazy = self.scan.take("?");
        if let Some(before) = repeated_at {
            return Err(Fault::NestedRepeat.at(self.scan.since(before)));
        }
        let operator = self.scan.since(start);
        let Some(part) = self.innermost().pop() else {
            return Err(Fault::MissingRepeatArgument.at(operator));
        };
        let greedy = lazy == self.flags.lazy;
        let part = part.repeat(Repeat { min, max, greedy });
        let counted = min.max(max.unwrap_or(0)) >= 2;
        if counted && part.repeats > REPEAT_MAX {
            return Err(Fault::RepeatCount.at(operator));
        }
        self.push(part)
    }

    fn open_group(&mut self, name: Option<&str>) -> Result<()> {
        let index =
            u32::try_from(self.names.len()).map_err(|_| Fault::TooLarge.at(self.scan.whole))?;
        self.names.push(name.map(Box::from));
        self.open.push(Group::new(self.flags, Some(index)));
        Ok(())
    }

    fn close_group(&mut self) -> Result<()> {
        if self.open.len() < 2 {
            return Err(Fault::UnexpectedParen.at(self.scan.whole));
        }
        let group = self.open.pop().expect("there are at least two");
        self.flags = group.outside;
        let part = group.close();
        self.push(part)
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` or `(?flags:`.
    fn perl_group(&mut self) -> Result<()> {
        let start = self.scan.at;
        let rest = self.scan.rest();
        let named = [("(?P<", 5), ("(?<", 4)]
            .into_iter()
            .find(|(opening, least)| rest.starts_with(opening) && rest.len() >= *least);
        let Some((opening, _)) = named else {
            return self.flags_group(start);
        };
        let Some(end) = rest.find('>') else {
            return Err(Fault::NamedCapture.at(rest));
        };
        let name = &rest[opening.len()..end];
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            return Err(Fault::NamedCapture.at(&rest[..=end]));
        }
        self.scan.at += end + 1;
        self.open_group(Some(name))
    }

    fn flags_group(&mut self, start: usize) -> Result<()> {
        self.scan.at += "(?".len();
        let mut flags = self.flags;
        let (mut on, mut seen) = (true, false);
        while let Some(letter) = self.scan.next() {
            match letter {
                '-' if on => {
                    on = false;
                    seen = false;
                }
                ':' | ')' if on || seen => {
                    if letter == ':' {
                        self.open.push(Group::new(self.flags, None));
                    }
                    self.flags = flags;
                    return Ok(());
                }
                letter => match flags.with(letter, on) {
                    Some(with) => (flags, seen) = (with, true),
                    None => break,
                },
            }
        }
        Err(Fault::PerlSyntax.at(self.scan.since(start)))
    }

    fn finish(mut self) -> Result<Parsed> {
        if self.open.len() != 1 {
            return Err(Fault::MissingParen.at(self.scan.whole));
        }
        let whole = self.open.pop().expect("there is exactly one").close();
        self.check(&whole)?;
        Ok(Parsed {
            hir: whole.hir,
            cost: whole.cost,
            height: whole.height,
            names: self.names,
            reads_replacement: self.reads_replacement,
        })
    }
}
