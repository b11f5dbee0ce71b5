//! From pattern text to a program: parse, work out the facts, build the automata, all within
//! limits.

use std::sync::OnceLock;
use std::thread;

use memchr::memmem::Finder;
use regex_automata::meta::Regex;
use regex_syntax::hir::{Hir, Look};

use super::parse::{Parsed, parse};
use super::shape::{Facts, Shape, facts};
use super::syntax::Fault;
use super::table::Table;
use crate::error::{Error, Result};

/// Bytes that one automaton of a program may take unless the caller says otherwise.
pub(super) const PROGRAM_BYTES_MAX: usize = 48 << 20;
/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// Patterns higher than this are compiled on a thread of their own, because the automaton builder
/// recurses.
const HEIGHT_INLINE_MAX: u32 = 50;
const DEEP_STACK_BYTES: usize = 32 << 20;
/// Estimated bytes up to which automata that matching does not need wait until they are asked for.
const LATER_BYTES_MAX: u64 = 1 << 20;

/// A compiled pattern.
pub(super) struct Program {
    /// Built at once when matching needs it, and when it might break a limit; else on first use,
    /// since most label matchers are decided by their shape.
    regex: OnceLock<Regex>,
    /// What the automata are built from; empty where they are large, and built already.
    pub(super) hir: Hir,
    pub(super) table: Table,
    pub(super) names: Vec<Option<Box<str>>>,
    pub(super) facts: Facts,
    /// Finds the string of `Contains`, or the inner one of a `General` whose automata are anchored
    /// and so would not look for it first.
    pub(super) finder: Option<Finder<'static>>,
    pub(super) reads_replacement: bool,
}

impl Program {
    /// The automata.
    pub(super) fn regex(&self) -> &Regex {
        let late = || regex(&self.hir, None).expect("a pattern of this size breaks no limit");
        self.regex.get_or_init(late)
    }
}

/// Compiles a pattern whose automata may take `bytes_max` each.
pub(super) fn compile(pattern: &str, bytes_max: usize) -> Result<Program> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Error::limit(format!(
            "regular expression of {} bytes is too long: at most {PATTERN_BYTES_MAX} are allowed",
            pattern.len()
        )));
    }
    let parsed = parse(pattern, bytes_max)?;
    if slot_bytes(&parsed) > bytes_max as u64 {
        return Err(Fault::TooLarge.at(pattern));
    }
    if parsed.height <= HEIGHT_INLINE_MAX {
        return build(parsed, pattern, bytes_max);
    }
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(DEEP_STACK_BYTES);
        let deep = builder
            .spawn_scoped(scope, || build(parsed, pattern, bytes_max))
            .map_err(|_| Error::limit("no thread to compile a deep regular expression on"))?;
        deep.join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What the matcher that finds groups will allocate: two tables of a slot for each state and group
/// border.
fn slot_bytes(parsed: &Parsed) -> u64 {
    let slots = 2 * parsed.names.len() as u64;
    let table = parsed.cost.states.saturating_mul(slots);
    table.saturating_mul(2 * size_of::<usize>() as u64)
}

fn build(parsed: Parsed, pattern: &str, bytes_max: usize) -> Result<Program> {
    let facts = facts(&parsed.hir);
    let small = parsed.cost.bytes <= LATER_BYTES_MAX && parsed.height <= HEIGHT_INLINE_MAX;
    let needed = matches!(facts.shape, Shape::General { .. });
    let sought: Option<&str> = match &facts.shape {
        Shape::Contains(text) => Some(text),
        Shape::General { inner, .. } if starts_at_border(&parsed) && !inner.is_empty() => {
            Some(inner)
        }
        _ => None,
    };
    let finder = sought.map(|text| Finder::new(text.as_bytes()).into_owned());
    let regex = if needed || !small {
        let regex = regex(&parsed.hir, Some(bytes_max));
        OnceLock::from(regex.ok_or_else(|| Fault::TooLarge.at(pattern))?)
    } else {
        OnceLock::new()
    };
    let hir = match small {
        true => parsed.hir,
        false => Hir::empty(),
    };
    Ok(Program {
        regex,
        hir,
        table: Table::default(),
        names: parsed.names,
        facts,
        finder,
        reads_replacement: parsed.reads_replacement,
    })
}

/// Builds the automata; `None` if a limit is in the way, for the syntax has been checked.
fn regex(hir: &Hir, bytes_max: Option<usize>) -> Option<Regex> {
    let config = Regex::config().nfa_size_limit(bytes_max);
    Regex::builder().configure(config).build_from_hir(hir).ok()
}

fn starts_at_border(parsed: &Parsed) -> bool {
    let leading = parsed.hir.properties().look_set_prefix();
    leading.contains(Look::Start)
}
