//! Character classes: `[...]`, `\d`, `[:alpha:]`, `\p{Greek}`, and simple case folding.
//!
//! Perl and POSIX classes are ASCII, as in RE2. Each item of a bracket is folded on its own and
//! negated after, so `(?i)[^k]` excludes the Kelvin sign too. Unicode tables are those of
//! `regex-syntax`; only the names that Go knows are let through.

use std::ops::RangeInclusive;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::scan::Scan;
use super::syntax::Fault;
use crate::error::Result;

/// Most ranges in all classes of a pattern together, before they are merged.
const RANGES_MAX: usize = 1 << 20;
/// Most code points that may be case folded one by one in a pattern.
const FOLDED_MAX: u64 = 8 << 20;
/// The least and greatest code points that have another case.
const FOLD_SPAN: (char, char) = ('A', '\u{1e943}');

/// Code points that stand for no character, and the characters around them.
const SURROGATES: RangeInclusive<u32> = 0xd800..=0xdfff;
const BEFORE_SURROGATES: char = '\u{d7ff}';
const AFTER_SURROGATES: char = '\u{e000}';

/// Inclusive ranges of ASCII.
type Ascii = &'static [(char, char)];

const DIGIT: Ascii = &[('0', '9')];
const PERL_SPACE: Ascii = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: Ascii = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

const POSIX: &[(&str, Ascii)] = &[
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// Scripts whose full name has four letters. Other four-letter names are ISO 15924 codes, which Go
/// refuses.
const FOUR_LETTER_SCRIPTS: &[&str] = &[
    "ahom", "cham", "kawi", "lisu", "miao", "modi", "newa", "thai", "toto",
];

/// Reads classes for one pattern, within its limits.
#[derive(Default)]
pub(super) struct Classes {
    ranges: usize,
    folded: u64,
    tables: Vec<(String, bool, ClassUnicode)>,
}

/// The items of one bracket so far. Those in `folding` are yet to be case folded.
#[derive(Default)]
struct Bracket {
    ready: Vec<ClassUnicodeRange>,
    folding: Vec<ClassUnicodeRange>,
}

impl Classes {
    /// One code point, in all of its cases if `fold`. A surrogate gives the empty class.
    pub(super) fn single(
        &mut self,
        point: u32,
        fold: bool,
        scan: &Scan<'_>,
    ) -> Result<ClassUnicode> {
        let mut bracket = Bracket::default();
        bracket.push(point, point, fold);
        self.finish(bracket, scan)
    }

    /// The class of a `\d`-like or `\p`-like escape under the cursor, if it is one.
    pub(super) fn escaped(
        &mut self,
        scan: &mut Scan<'_>,
        fold: bool,
    ) -> Result<Option<ClassUnicode>> {
        let mut bracket = Bracket::default();
        if !self.escaped_item(scan, fold, &mut bracket)? {
            return Ok(None);
        }
        self.finish(bracket, scan).map(Some)
    }

    /// A bracketed class; the cursor is on the `[`.
    pub(super) fn bracketed(&mut self, scan: &mut Scan<'_>, fold: bool) -> Result<ClassUnicode> {
        let start = scan.at;
        let opened = scan.take("[");
        debug_assert!(opened);
        let negated = scan.take("^");
        let mut bracket = Bracket::default();
        let mut first = true;
        // A `]` that comes first is a literal.
        while first || scan.peek() != Some(']') {
            first = false;
            self.item(scan, start, fold, &mut bracket)?;
            self.check(&bracket, scan)?;
        }
        scan.at += 1;
        let mut class = self.finish(bracket, scan)?;
        if negated {
            class.negate();
        }
        Ok(class)
    }

    fn item(
        &mut self,
        scan: &mut Scan<'_>,
        start: usize,
        fold: bool,
        bracket: &mut Bracket,
    ) -> Result<()> {
        if self.named_item(scan, fold, bracket)? || self.escaped_item(scan, fold, bracket)? {
            return Ok(());
        }
        let from = scan.at;
        let low = character(scan, start)?;
        let mut high = low;
        // The dash of `[a-]` is a literal.
        let rest = scan.rest();
        if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
            scan.at += 1;
            high = character(scan, start)?;
            if high < low {
                return Err(Fault::CharRange.at(scan.since(from)));
            }
        }
        bracket.push(low, high, fold);
        Ok(())
    }

    /// `[:alpha:]` or `[:^alpha:]`, if one comes next.
    fn named_item(
        &mut self,
        scan: &mut Scan<'_>,
        fold: bool,
        bracket: &mut Bracket,
    ) -> Result<bool> {
        let Some(body) = scan.rest().strip_prefix("[:") else {
            return Ok(false);
        };
        let Some(end) = body.find(":]") else {
            return Ok(false);
        };
        let start = scan.at;
        scan.at += "[:".len() + end + ":]".len();
        let name = &body[..end];
        let plain = name.strip_prefix('^').unwrap_or(name);
        let Some((_, ascii)) = POSIX.iter().find(|(known, _)| *known == plain) else {
            return Err(Fault::CharRange.at(scan.since(start)));
        };
        self.push_ascii(ascii, plain.len() != name.len(), fold, bracket, scan)?;
        Ok(true)
    }

    fn escaped_item(
        &mut self,
        scan: &mut Scan<'_>,
        fold: bool,
        bracket: &mut Bracket,
    ) -> Result<bool> {
        let mut ahead = *scan;
        if !ahead.take("\\") {
            return Ok(false);
        }
        let (ascii, negated) = match ahead.next() {
            Some('d') => (DIGIT, false),
            Some('D') => (DIGIT, true),
            Some('s') => (PERL_SPACE, false),
            Some('S') => (PERL_SPACE, true),
            Some('w') => (WORD, false),
            Some('W') => (WORD, true),
            Some(letter @ ('p' | 'P')) => {
                let start = scan.at;
                *scan = ahead;
                self.unicode_item(scan, start, letter == 'P', fold, bracket)?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *scan = ahead;
        self.push_ascii(ascii, negated, fold, bracket, scan)?;
        Ok(true)
    }

    fn push_ascii(
        &mut self,
        ascii: Ascii,
        negated: bool,
        fold: bool,
        bracket: &mut Bracket,
        scan: &Scan<'_>,
    ) -> Result<()> {
        let mut group = Bracket::default();
        for &(low, high) in ascii {
            group.push(u32::from(low), u32::from(high), fold);
        }
        let mut class = self.finish(group, scan)?;
        if negated {
            class.negate();
        }
        bracket.ready.extend_from_slice(class.ranges());
        Ok(())
    }

    /// `N`, `{Greek}` or `{^Greek}` after `\p`.
    fn unicode_item(
        &mut self,
        scan: &mut Scan<'_>,
        start: usize,
        mut negated: bool,
        fold: bool,
        bracket: &mut Bracket,
    ) -> Result<()> {
        let mut name = match scan.next() {
            Some('{') => {
                let Some(end) = scan.rest().find('}') else {
                    return Err(Fault::CharRange.at(&scan.whole[start..]));
                };
                let name = &scan.rest()[..end];
                scan.at += end + 1;
                name
            }
            Some(letter) => scan.since(scan.at - letter.len_utf8()),
            None => "",
        };
        if let Some(plain) = name.strip_prefix('^') {
            negated = !negated;
            name = plain;
        }
        let Some(mut class) = self.table(name, fold) else {
            return Err(Fault::CharRange.at(scan.since(start)));
        };
        if negated {
            class.negate();
        }
        bracket.ready.extend_from_slice(class.ranges());
        self.check(bracket, scan)
    }

    /// A Unicode category or script by name, folded if asked; kept, for patterns name few of them
    /// often.
    fn table(&mut self, name: &str, fold: bool) -> Option<ClassUnicode> {
        let key: String = name
            .chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let known = self
            .tables
            .iter()
            .find(|(known, folded, _)| *known == key && *folded == fold);
        if let Some((_, _, class)) = known {
            return Some(class.clone());
        }
        let mut class = unicode_table(&key)?;
        if fold {
            class.case_fold_simple();
        }
        bridge(&mut class);
        self.tables.push((key, fold, class.clone()));
        Some(class)
    }

    fn check(&self, bracket: &Bracket, scan: &Scan<'_>) -> Result<()> {
        if self.ranges + bracket.ready.len() + bracket.folding.len() > RANGES_MAX {
            return Err(Fault::TooLarge.at(scan.whole));
        }
        Ok(())
    }

    /// Folds what is to be folded and merges all, charging both to the pattern.
    fn finish(&mut self, bracket: Bracket, scan: &Scan<'_>) -> Result<ClassUnicode> {
        self.check(&bracket, scan)?;
        self.ranges += bracket.ready.len() + bracket.folding.len();
        let mut class = ClassUnicode::new(bracket.ready);
        bridge(&mut class);
        if bracket.folding.is_empty() {
            return Ok(class);
        }
        let mut folding = ClassUnicode::new(bracket.folding);
        let (least, greatest) = FOLD_SPAN;
        let covers = |range: &ClassUnicodeRange| range.start() <= least && range.end() >= greatest;
        if !folding.ranges().iter().any(covers) {
            for range in folding.ranges() {
                self.folded += u64::from(range.end()) - u64::from(range.start());
            }
            if self.folded > FOLDED_MAX {
                return Err(Fault::TooLarge.at(scan.whole));
            }
            folding.case_fold_simple();
        }
        class.union(&folding);
        bridge(&mut class);
        Ok(class)
    }
}

impl Bracket {
    /// Adds code points `low..=high`, leaving out surrogates at the ends: those within are no
    /// `char`.
    fn push(&mut self, low: u32, high: u32, fold: bool) {
        let ranges = if fold {
            &mut self.folding
        } else {
            &mut self.ready
        };
        let low = if SURROGATES.contains(&low) {
            SURROGATES.end() + 1
        } else {
            low
        };
        let high = if SURROGATES.contains(&high) {
            SURROGATES.start() - 1
        } else {
            high
        };
        if let (true, Some(low), Some(high)) =
            (low <= high, char::from_u32(low), char::from_u32(high))
        {
            ranges.push(ClassUnicodeRange::new(low, high));
        }
    }
}

/// Joins ranges that only the surrogates part. `regex-syntax` does not, and would take what is
/// between them, its borders included, for the negation.
fn bridge(class: &mut ClassUnicode) {
    let parted = class
        .ranges()
        .windows(2)
        .any(|pair| pair[0].end() == BEFORE_SURROGATES && pair[1].start() == AFTER_SURROGATES);
    if parted {
        class.push(ClassUnicodeRange::new(BEFORE_SURROGATES, AFTER_SURROGATES));
    }
}

/// One character of a bracket that was opened at `start`.
fn character(scan: &mut Scan<'_>, start: usize) -> Result<u32> {
    match scan.peek() {
        None => Err(Fault::MissingBracket.at(&scan.whole[start..])),
        Some('\\') => scan.escape(),
        Some(next) => {
            scan.at += next.len_utf8();
            Ok(u32::from(next))
        }
    }
}

/// A category or script by its key (lower case, without spaces, dashes and underscores).
pub(super) fn unicode_table(key: &str) -> Option<ClassUnicode> {
    let refused = key.is_empty()
        || !key.bytes().all(|byte| byte.is_ascii_alphanumeric())
        // Loose matching in `regex-syntax` would strip this prefix.
        || key.starts_with("is")
        || matches!(key, "unknown" | "katakanaorhiragana");
    if refused {
        return None;
    }
    if matches!(key, "cs" | "surrogate") {
        return Some(ClassUnicode::empty());
    }
    let script = key.len() != 4 || FOUR_LETTER_SCRIPTS.contains(&key);
    let by = |property: &str| {
        let hir = regex_syntax::parse(&format!("\\p{{{property}={key}}}")).ok()?;
        match hir.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(class),
            _ => None,
        }
    };
    by("gc").or_else(|| if script { by("sc") } else { None })
}
