//! From pattern text to a program: parse, work out the facts, build the automata, all within limits.

use std::thread;

use memchr::memmem::Finder;
use regex_automata::meta::Regex;

use super::parse::{Parsed, parse};
use super::shape::{Facts, Shape, facts};
use super::syntax::Fault;
use crate::error::{Error, Result};

/// Bytes that one automaton of a program may take unless the caller says otherwise.
pub(super) const PROGRAM_BYTES_MAX: usize = 48 << 20;
/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// Patterns higher than this are compiled on a thread of their own, because the automaton builder recurses.
const HEIGHT_INLINE_MAX: u32 = 50;
const DEEP_STACK_BYTES: usize = 32 << 20;

/// A compiled pattern.
pub(super) struct Program {
    pub(super) regex: Regex,
    pub(super) names: Vec<Option<Box<str>>>,
    pub(super) facts: Facts,
    /// Finds the string of `Contains`, or the inner one of a `General` whose automata are anchored and so
    /// would not look for it first.
    pub(super) finder: Option<Finder<'static>>,
    pub(super) reads_replacement: bool,
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

/// What the matcher that finds groups will allocate: two tables of a slot for each state and group border.
fn slot_bytes(parsed: &Parsed) -> u64 {
    let slots = 2 * parsed.names.len() as u64;
    let table = parsed.cost.states.saturating_mul(slots);
    table.saturating_mul(2 * size_of::<usize>() as u64)
}

fn build(parsed: Parsed, pattern: &str, bytes_max: usize) -> Result<Program> {
    let facts = facts(&parsed.hir);
    let regex = Regex::builder()
        .configure(Regex::config().nfa_size_limit(Some(bytes_max)))
        .build_from_hir(&parsed.hir)
        // The syntax has been checked: only a limit can be in the way.
        .map_err(|_| Fault::TooLarge.at(pattern))?;
    let sought: Option<&str> = match &facts.shape {
        Shape::Contains(text) => Some(text),
        Shape::General { inner, .. } if starts_at_border(&parsed) && !inner.is_empty() => {
            Some(inner)
        }
        _ => None,
    };
    let finder = sought.map(|text| Finder::new(text.as_bytes()).into_owned());
    Ok(Program {
        regex,
        names: parsed.names,
        facts,
        finder,
        reads_replacement: parsed.reads_replacement,
    })
}

fn starts_at_border(parsed: &Parsed) -> bool {
    let leading = parsed.hir.properties().look_set_prefix();
    leading.contains(regex_syntax::hir::Look::Start)
}
