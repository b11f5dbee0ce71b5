//! What a pattern asks, where that can be said without a regular expression.
//!
//! Most patterns in label matchers and line filters are lists, prefixes and substrings in disguise.
//! An index answers those from its sorted values; a shape is therefore either exactly the pattern's
//! meaning or, in `General`, facts that hold for every text that matches.

use std::sync::Arc;

use memchr::memmem;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::strings::{Lister, Strings, pieces, reads_replacement};

/// Most values of an exact set, and their bytes together.
const EXACT_VALUES_MAX: usize = 256;
const EXACT_BYTES_MAX: usize = 8 << 10;
/// Most strings in a list of required ones, and their bytes together.
const REQUIRED_VALUES_MAX: usize = 16;
const REQUIRED_BYTES_MAX: usize = 1 << 10;

/// Most strings in a list of what texts begin with.
const PREFIXES_MAX: usize = 64;

/// Which texts a pattern accepts. All but `General` are exact: a text is accepted if and only if it
/// has the property named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// The text is one of these values (sorted, unique; possibly none at all).
    Exact(Arc<[Box<str>]>),
    /// The text begins with this: `p.*`.
    Prefix(Box<str>),
    /// The text contains this: `.*lit.*`.
    Contains(Box<str>),
    /// The text is not empty: `.+`.
    NotEmpty,
    /// Any text: `.*`.
    Any,
    /// Only the pattern itself can tell, but an accepted text begins with `prefix` and contains
    /// `inner` (either may be empty, which says nothing).
    General {
        /// What every accepted text begins with.
        prefix: Box<str>,
        /// What every accepted text contains.
        inner: Box<str>,
    },
}

/// What is known of a pattern.
pub(super) struct Facts {
    pub(super) shape: Shape,
    /// Strings of which every match contains at least one; none if not known.
    pub(super) required: Box<[Box<[u8]>]>,
    /// Strings with one of which every accepted text begins, sorted, none of them the beginning of
    /// another; none if not known.
    pub(super) prefixes: Box<[Box<str>]>,
}

impl Shape {
    /// Decides a text by bytes alone; `None` where only the pattern can accept it.
    pub(super) fn decide(&self, text: &[u8], contains: impl Fn(&[u8]) -> bool) -> Option<bool> {
        match self {
            Shape::Exact(values) => {
                let found = values.binary_search_by(|value| value.as_bytes().cmp(text));
                Some(found.is_ok())
            }
            Shape::Prefix(prefix) => Some(text.starts_with(prefix.as_bytes())),
            Shape::Contains(_) => Some(contains(text)),
            Shape::NotEmpty => Some(!text.is_empty()),
            Shape::Any => Some(true),
            Shape::General { prefix, .. } if !text.starts_with(prefix.as_bytes()) => Some(false),
            Shape::General { .. } => None,
        }
    }
}

/// One end of what is left of a pattern after the trivial has been taken off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// The border of the text.
    Border,
    /// Anything may lie between here and the border.
    Open,
}

/// The faces of a look-around that differ between the two ends.
struct Side {
    border: Look,
    line: Look,
}

const LEFT: Side = Side {
    border: Look::Start,
    line: Look::StartLF,
};
const RIGHT: Side = Side {
    border: Look::End,
    line: Look::EndLF,
};

/// Works out what can be said of a pattern that is searched for anywhere in a text.
pub(super) fn facts(hir: &Hir) -> Facts {
    let pieces = pieces(hir);
    let mut lister = Lister::new(REQUIRED_VALUES_MAX, REQUIRED_BYTES_MAX);
    let required = lister.required(&pieces).unwrap_or_default();
    let shape = shape(hir, &pieces);
    let prefixes = match shape {
        Shape::General { .. } if starts_at_border(&pieces) => prefixes(hir),
        _ => Box::default(),
    };
    Facts {
        shape,
        required: without_longer(&required),
        prefixes,
    }
}

fn starts_at_border(pieces: &[&Hir]) -> bool {
    trim(pieces.iter().copied(), &LEFT).1 == Edge::Border
}

/// What texts begin with, for a pattern that begins where they do.
fn prefixes(hir: &Hir) -> Box<[Box<str>]> {
    let sequence = Extractor::new().extract(hir);
    let listed = sequence.literals().unwrap_or_default();
    let cut = listed.iter().map(|one| whole_characters(one.as_bytes()));
    let mut all: Vec<Box<str>> = cut.collect();
    if all.len() > PREFIXES_MAX || all.iter().any(|prefix| prefix.is_empty()) {
        return Box::default();
    }
    all.sort_unstable();
    // Sorted, a string stands right behind its own beginnings.
    all.dedup_by(|longer, kept| longer.starts_with(&**kept));
    all.into()
}

/// Leaves out strings that contain another one: a text with them has that one too.
fn without_longer(strings: &Strings) -> Box<[Box<[u8]>]> {
    let contains_another = |string: &Vec<u8>| {
        let contained = |other: &Vec<u8>| other != string && memmem::find(string, other).is_some();
        strings.iter().any(contained)
    };
    let shortest = strings.iter().filter(|string| !contains_another(string));
    shortest.map(|string| string.as_slice().into()).collect()
}

fn shape(hir: &Hir, pieces: &[&Hir]) -> Shape {
    let (from_left, left) = trim(pieces.iter().copied(), &LEFT);
    let rest = &pieces[from_left..];
    let (from_right, right) = trim(rest.iter().rev().copied(), &RIGHT);
    let body = &rest[..rest.len() - from_right];
    // An open edge may have swallowed all there was, and then the other end must be asked about
    // too.
    exact_shape(body, left, right).unwrap_or_else(|| general(hir, pieces, left))
}

/// How many pieces at one end say nothing but where the rest may lie, and where that is.
fn trim<'a>(pieces: impl Iterator<Item = &'a Hir>, side: &Side) -> (usize, Edge) {
    let mut edge = Edge::Open;
    let mut count = 0;
    for piece in pieces {
        match piece.kind() {
            // After "anything", the border means that the anything was empty.
            HirKind::Look(look) if *look == side.border => edge = Edge::Border,
            HirKind::Look(look) if *look == side.line && edge == Edge::Border => {}
            _ if edge == Edge::Open && always_matches_empty(piece) => {}
            _ if edge == Edge::Border && is_anything(piece, 0) => edge = Edge::Open,
            _ => break,
        }
        count += 1;
    }
    (count, edge)
}

fn exact_shape(body: &[&Hir], left: Edge, right: Edge) -> Option<Shape> {
    let bordered = left == Edge::Border && right == Edge::Border;
    if let [only] = body {
        let some = if bordered {
            is_anything(only, 1)
        } else {
            is_one_of_any(only)
        };
        if some {
            return Some(Shape::NotEmpty);
        }
    }
    let values = Lister::new(EXACT_VALUES_MAX, EXACT_BYTES_MAX).sequence(body)?;
    if values.iter().any(|value| reads_replacement(value)) {
        return None;
    }
    let values: Vec<Box<str>> = values
        .into_iter()
        .map(|value| String::from_utf8(value).ok().map(String::into_boxed_str))
        .collect::<Option<_>>()?;
    match (left, right) {
        (Edge::Border, Edge::Border) => Some(Shape::Exact(values.into())),
        _ if values.is_empty() => Some(Shape::Exact(values.into())),
        (Edge::Border, Edge::Open) => open(values, Shape::Prefix),
        (Edge::Open, Edge::Open) => open(values, Shape::Contains),
        (Edge::Open, Edge::Border) if values.iter().any(|value| value.is_empty()) => {
            Some(Shape::Any)
        }
        (Edge::Open, Edge::Border) => None,
    }
}

/// The shape of "one of these values, then anything".
fn open(mut values: Vec<Box<str>>, shape: fn(Box<str>) -> Shape) -> Option<Shape> {
    if values.iter().any(|value| value.is_empty()) {
        return Some(Shape::Any);
    }
    let only = values.pop()?;
    values.is_empty().then(|| shape(only))
}

fn general(hir: &Hir, pieces: &[&Hir], left: Edge) -> Shape {
    let prefix = match left {
        Edge::Open => "".into(),
        Edge::Border => {
            let sequence = Extractor::new().extract(hir);
            whole_characters(sequence.longest_common_prefix().unwrap_or_default())
        }
    };
    let required = Lister::new(1, REQUIRED_BYTES_MAX)
        .required(pieces)
        .unwrap_or_default();
    let inner = whole_characters(required.first().map_or(&[], Vec::as_slice));
    Shape::General { prefix, inner }
}

/// The longest beginning that is UTF-8 and stands for itself only.
fn whole_characters(bytes: &[u8]) -> Box<str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            std::str::from_utf8(valid).unwrap_or_default()
        }
    };
    text.split(super::parse::REPLACEMENT)
        .next()
        .unwrap_or_default()
        .into()
}

/// Whether the piece can be skipped wherever it stands.
fn always_matches_empty(piece: &Hir) -> bool {
    let properties = piece.properties();
    properties.minimum_len() == Some(0) && properties.look_set().is_empty()
}

/// Whether the piece is any text of at least `min` characters.
fn is_anything(piece: &Hir, min: u32) -> bool {
    match piece.kind() {
        HirKind::Repetition(repetition) => {
            repetition.min == min && repetition.max.is_none() && is_any_character(&repetition.sub)
        }
        _ => false,
    }
}

/// Whether the piece contains, with open edges, "some character".
fn is_one_of_any(piece: &Hir) -> bool {
    match piece.kind() {
        HirKind::Repetition(repetition) => repetition.min == 1 && is_any_character(&repetition.sub),
        _ => is_any_character(piece),
    }
}

fn is_any_character(mut hir: &Hir) -> bool {
    while let HirKind::Capture(capture) = hir.kind() {
        hir = &capture.sub;
    }
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => match class.ranges() {
            [all] => all.start() == '\0' && all.end() == char::MAX,
            _ => false,
        },
        _ => false,
    }
}
