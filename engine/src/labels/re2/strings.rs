//! Finite sets of strings read out of HIR: what a part can match when that can be listed, and which
//! strings every match must contain.
//!
//! An answer is given only when it is certain, and for bounded work; `None` means "do not know".

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::parse::REPLACEMENT;

/// Bytes copied for one pattern before lists are given up.
const WORK_MAX: usize = 4 << 20;

/// A list of strings: sorted, unique.
pub(super) type Strings = Vec<Vec<u8>>;

/// Lists strings within limits.
pub(super) struct Lister {
    values_max: usize,
    bytes_max: usize,
    work_left: usize,
}

/// The pieces of a concatenation at the top of `hir`, groups opened.
pub(super) fn pieces(hir: &Hir) -> Vec<&Hir> {
    let mut out = Vec::new();
    let mut ahead = vec![hir];
    while let Some(next) = ahead.pop() {
        match next.kind() {
            HirKind::Capture(capture) => ahead.push(&capture.sub),
            HirKind::Concat(subs) => ahead.extend(subs.iter().rev()),
            HirKind::Empty => {}
            _ => out.push(next),
        }
    }
    out
}

impl Lister {
    pub(super) fn new(values_max: usize, bytes_max: usize) -> Self {
        Lister {
            values_max,
            bytes_max,
            work_left: WORK_MAX,
        }
    }

    /// Everything that the pieces match one after the other, wherever they stand.
    pub(super) fn sequence(&mut self, pieces: &[&Hir]) -> Option<Strings> {
        let mut all = vec![Vec::new()];
        for piece in pieces {
            let next = self.all(piece)?;
            all = self.cross(&all, &next)?;
        }
        Some(all)
    }

    fn all(&mut self, hir: &Hir) -> Option<Strings> {
        match hir.kind() {
            HirKind::Empty => Some(vec![Vec::new()]),
            HirKind::Literal(literal) => self.keep(vec![literal.0.to_vec()]),
            HirKind::Class(class) => self.class(class),
            // Whether these hold depends on the text around.
            HirKind::Look(_) => None,
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Capture(capture) => self.all(&capture.sub),
            HirKind::Concat(subs) => self.sequence(&subs.iter().collect::<Vec<_>>()),
            HirKind::Alternation(subs) => {
                let mut all = Vec::new();
                for sub in subs {
                    let next = self.all(sub)?;
                    all.extend(next);
                    if all.len() > self.values_max * 2 {
                        all = self.keep(all)?;
                    }
                }
                self.keep(all)
            }
        }
    }

    fn class(&mut self, class: &Class) -> Option<Strings> {
        let class = match class {
            Class::Unicode(class) => class,
            // What can never match is a byte class without bytes.
            Class::Bytes(class) => return class.ranges().is_empty().then(Vec::new),
        };
        let count: usize = class.ranges().iter().map(|range| range.len()).sum();
        if count > self.values_max {
            return None;
        }
        let chars = class
            .ranges()
            .iter()
            .flat_map(|range| range.start()..=range.end());
        self.keep(chars.map(|c| c.to_string().into_bytes()).collect())
    }

    fn repetition(&mut self, repetition: &Repetition) -> Option<Strings> {
        let max = repetition.max?;
        let once = self.all(&repetition.sub)?;
        let mut times = vec![Vec::new()];
        let mut all = Vec::new();
        for count in 0..=max {
            if count > 0 {
                times = self.cross(&times, &once)?;
            }
            if count >= repetition.min {
                all.extend_from_slice(&times);
                all = self.keep(all)?;
            }
        }
        Some(all)
    }

    /// Each of `left` followed by each of `right`.
    fn cross(&mut self, left: &Strings, right: &Strings) -> Option<Strings> {
        let bytes = |strings: &Strings| strings.iter().map(Vec::len).sum::<usize>();
        let written = bytes(left) * right.len() + bytes(right) * left.len();
        if left.len() * right.len() > self.values_max * 16 || written > self.bytes_max * 16 {
            return None;
        }
        let mut all = Vec::with_capacity(left.len() * right.len());
        for head in left {
            for tail in right {
                all.push([head.as_slice(), tail.as_slice()].concat());
            }
        }
        self.keep(all)
    }

    /// Sorts the strings and holds them to the limits.
    fn keep(&mut self, mut strings: Strings) -> Option<Strings> {
        let bytes =
            |strings: &Strings| strings.iter().map(|string| string.len() + 8).sum::<usize>();
        self.work_left = self.work_left.checked_sub(bytes(&strings))?;
        strings.sort_unstable();
        strings.dedup();
        let total: usize = strings.iter().map(Vec::len).sum();
        (strings.len() <= self.values_max && total <= self.bytes_max).then_some(strings)
    }

    /// Strings of which every match of the pieces contains at least one, none of them empty.
    pub(super) fn required(&mut self, pieces: &[&Hir]) -> Option<Strings> {
        let mut best = Best::default();
        let mut run = vec![Vec::new()];
        for piece in pieces {
            // What must hold between two characters does not part them.
            if matches!(piece.kind(), HirKind::Look(_)) {
                continue;
            }
            let listed = self.all(piece);
            match listed.as_ref().and_then(|listed| self.cross(&run, listed)) {
                Some(longer) => {
                    if longer.len() > run.len() {
                        best.offer(&run);
                    }
                    run = longer;
                }
                None => {
                    best.offer(&run);
                    if listed.is_none()
                        && let Some(within) = self.required_within(piece)
                    {
                        best.offer(&within);
                    }
                    run = listed.unwrap_or_else(|| vec![Vec::new()]);
                }
            }
        }
        best.offer(&run);
        best.strings
    }

    fn required_within(&mut self, piece: &Hir) -> Option<Strings> {
        match piece.kind() {
            HirKind::Repetition(repetition) if repetition.min > 0 => {
                self.required(&pieces(&repetition.sub))
            }
            HirKind::Alternation(subs) => {
                let mut all = Vec::new();
                for sub in subs {
                    all.extend(self.required(&pieces(sub))?);
                    if all.len() > self.values_max * 2 {
                        all = self.keep(all)?;
                    }
                }
                self.keep(all)
            }
            _ => None,
        }
    }
}

/// The most selective list offered so far.
#[derive(Default)]
struct Best {
    strings: Option<Strings>,
    score: i64,
}

impl Best {
    /// Long strings are selective, many are slow to look for.
    fn offer(&mut self, strings: &Strings) {
        let Some(shortest) = strings.iter().map(Vec::len).min() else {
            return;
        };
        let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let score = size(shortest) - (size(strings.len()) - 1);
        let better = self.strings.is_none() || score > self.score;
        // Single characters are everywhere: several of them select nothing.
        let selective = shortest > 1 || (shortest == 1 && strings.len() <= 2);
        if selective && better && !strings.iter().any(|string| reads_replacement(string)) {
            self.strings = Some(strings.clone());
            self.score = score;
        }
    }
}

/// Whether the string holds a U+FFFD, which stands for bytes that are not UTF-8 as well: comparing
/// bytes would miss those.
pub(super) fn reads_replacement(string: &[u8]) -> bool {
    let mut buffer = [0; 4];
    let replacement = REPLACEMENT.encode_utf8(&mut buffer).as_bytes();
    string
        .windows(replacement.len())
        .any(|window| window == replacement)
}
