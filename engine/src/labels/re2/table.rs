//! [`Table`]: whether a pattern matches somewhere in a text, by one look at each byte.
//!
//! The general automata choose between many ways to search, and for short texts without a literal
//! that must be there they often choose a slow one: a table that says for each state and byte what
//! comes next is thirty times as fast then. It is built when a pattern has been asked often enough
//! to be worth it, and only if it is small; patterns that can match nothing at all go without.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use regex_automata::dfa::Automaton;
use regex_automata::dfa::dense::{Builder, Config, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::Hir;

/// Questions after which a table is built.
const QUESTIONS: u32 = 64;

/// Bytes that a table may have, and that building it may take.
const TABLE_BYTES_MAX: usize = 512 << 10;
const BUILDING_BYTES_MAX: usize = 2 << 20;

/// A table that is built on demand.
#[derive(Default)]
pub(super) struct Table {
    asked: AtomicU32,
    built: OnceLock<Option<DFA<Vec<u32>>>>,
}

impl Table {
    /// Whether the pattern matches somewhere in these bytes; none while there is no table.
    pub(super) fn is_match(&self, hir: &Hir, bytes: &[u8]) -> Option<bool> {
        let Some(built) = self.built.get() else {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            return match asked < QUESTIONS {
                true => None,
                false => self.ask(hir, bytes),
            };
        };
        search(built.as_ref()?, bytes)
    }

    /// The same, building the table now.
    pub(super) fn ask(&self, hir: &Hir, bytes: &[u8]) -> Option<bool> {
        search(self.built.get_or_init(|| build(hir)).as_ref()?, bytes)
    }
}

fn search(table: &DFA<Vec<u32>>, bytes: &[u8]) -> Option<bool> {
    let input = Input::new(bytes).earliest(true);
    let found = table.try_search_fwd(&input).ok()?;
    Some(found.is_some())
}

fn build(hir: &Hir) -> Option<DFA<Vec<u32>>> {
    // Where a match may be empty it matters whether it may lie inside of a character.
    if hir
        .properties()
        .minimum_len()
        .is_none_or(|length| length == 0)
    {
        return None;
    }
    let config = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(BUILDING_BYTES_MAX))
        .which_captures(WhichCaptures::None);
    let nfa = thompson::Compiler::new()
        .configure(config)
        .build_from_hir(hir)
        .ok()?;
    // Any match will do, so all are looked for, which ends at the first.
    let config = Config::new()
        .match_kind(MatchKind::All)
        .dfa_size_limit(Some(TABLE_BYTES_MAX))
        .determinize_size_limit(Some(BUILDING_BYTES_MAX));
    Builder::new().configure(config).build_from_nfa(&nfa).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Re2;

    #[test]
    fn a_pattern_that_is_asked_often_answers_as_before() {
        let pattern = Re2::compile(r"\d+\.\d+ .*[0-9]{9}|(?m:^end$)|\bx+\b").unwrap();
        let texts: [(&[u8], bool); 7] = [
            (b"1.2 and 123456789", true),
            (b"1.2 and 12345678", false),
            (b"first\nend\nlast", true),
            (b"the end", false),
            (b"an xx here", true),
            (b"\xff1.2 \xfe 999999999", true),
            (b"axxb", false),
        ];
        for _ in 0..200 {
            for (text, expected) in texts {
                assert_eq!(pattern.is_match(text), expected, "{text:?}");
            }
        }
        assert!(pattern.program.table.built.get().unwrap().is_some());
    }

    #[test]
    fn patterns_with_large_tables_go_without() {
        let pattern = Re2::compile(r"[ab]*a[ab]{20}c").unwrap();
        for _ in 0..100 {
            assert!(pattern.is_match(b"bbaaaaaaaaaaaaaaaaaaaaac"));
        }
        assert!(pattern.program.table.built.get().unwrap().is_none());
        assert_eq!(pattern.is_match_by_table(b"a"), None);
        assert_eq!(Re2::compile("(?:x*)").unwrap().is_match_by_table(b""), None);
    }
}
