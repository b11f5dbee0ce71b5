//! A parsed part of a pattern: its HIR, and what the limits need to know about it.
//!
//! Parts are built bottom up from an explicit stack, so a deep pattern costs no machine stack here.
//! Costs are estimates made before any automaton exists: they let a pattern that would need
//! gigabytes be refused for the price of parsing it.

use regex_syntax::hir::{Capture, Class, ClassUnicode, Hir, Look, Repetition};

/// Estimated bytes of automaton for one literal byte or one small class.
const STATE_BYTES: u64 = 56;
/// Estimated bytes for a class beyond ASCII: a fixed part, and a part for each of its ranges
/// (measured on the reverse automaton, the larger of the two).
const CLASS_BYTES: u64 = 700;
const CLASS_RANGE_BYTES: u64 = 50;
/// States that a class beyond ASCII takes in the forward automaton.
const CLASS_STATES: u64 = 14;

/// What a part would cost once compiled.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) bytes: u64,
    pub(super) states: u64,
}

/// The shape that decides how a part is counted when it joins a larger one: nested concatenations
/// and alternations are one level, as in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Literal,
    Concat,
    Alternation,
    Other,
}

/// A parsed part.
pub(super) struct Node {
    pub(super) hir: Hir,
    pub(super) cost: Cost,
    /// Levels of the syntax tree, at least one.
    pub(super) height: u32,
    /// The greatest product of nested repeat counts, at least one.
    pub(super) repeats: u32,
    form: Form,
}

/// A repetition operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greedy: bool,
}

impl Cost {
    fn states(states: u64) -> Cost {
        Cost {
            bytes: states.saturating_mul(STATE_BYTES),
            states,
        }
    }

    fn plus(self, other: Cost) -> Cost {
        Cost {
            bytes: self.bytes.saturating_add(other.bytes),
            states: self.states.saturating_add(other.states),
        }
    }

    fn times(self, count: u64) -> Cost {
        Cost {
            bytes: self.bytes.saturating_mul(count),
            states: self.states.saturating_mul(count),
        }
    }
}

impl Node {
    fn leaf(hir: Hir, form: Form, cost: Cost) -> Node {
        Node {
            hir,
            cost,
            height: 1,
            repeats: 1,
            form,
        }
    }

    pub(super) fn empty() -> Node {
        Node::leaf(Hir::empty(), Form::Other, Cost::states(1))
    }

    pub(super) fn literal(text: &str) -> Node {
        let cost = Cost::states(text.len() as u64);
        Node::leaf(Hir::literal(text.as_bytes()), Form::Literal, cost)
    }

    pub(super) fn look(look: Look) -> Node {
        Node::leaf(Hir::look(look), Form::Other, Cost::states(1))
    }

    pub(super) fn class(class: ClassUnicode) -> Node {
        let ranges = class.ranges().len() as u64;
        let cost = if class.is_ascii() {
            Cost::states(1)
        } else {
            Cost {
                bytes: CLASS_BYTES + CLASS_RANGE_BYTES * ranges,
                states: CLASS_STATES + ranges / 2,
            }
        };
        Node::leaf(Hir::class(Class::Unicode(class)), Form::Other, cost)
    }

    /// The parts one after the other.
    pub(super) fn concat(mut parts: Vec<Node>) -> Node {
        match parts.len() {
            0 => Node::empty(),
            1 => parts.remove(0),
            _ => Node::join(parts, Form::Concat),
        }
    }

    /// One of the parts, the earlier preferred.
    pub(super) fn alternation(mut parts: Vec<Node>) -> Node {
        match parts.len() {
            1 => parts.remove(0),
            _ => Node::join(parts, Form::Alternation),
        }
    }

    fn join(parts: Vec<Node>, form: Form) -> Node {
        let mut cost = Cost::states(parts.len() as u64 / 2);
        let (mut below, mut repeats) = (0, 1);
        let literal = form == Form::Concat && parts.iter().all(|part| part.form == Form::Literal);
        let mut subs = Vec::with_capacity(parts.len());
        for part in parts {
            cost = cost.plus(part.cost);
            repeats = repeats.max(part.repeats);
            let folded_in = u32::from(part.form == form);
            below = below.max(part.height - folded_in);
            subs.push(part.hir);
        }
        let (form, height) = if literal {
            (Form::Literal, 1)
        } else {
            (form, below + 1)
        };
        let hir = match form {
            Form::Alternation => Hir::alternation(subs),
            _ => Hir::concat(subs),
        };
        Node {
            hir,
            cost,
            height,
            repeats,
            form,
        }
    }

    /// This part, repeated.
    pub(super) fn repeat(self, repeat: Repeat) -> Node {
        let Repeat { min, max, greedy } = repeat;
        let copies = max.unwrap_or(min).max(1);
        let optional = max.map_or(1, |max| max.saturating_sub(min));
        let cost = self
            .cost
            .times(u64::from(copies))
            .plus(Cost::states(2 * u64::from(optional)));
        // As in Go, what is repeated no times does not count towards the product.
        let repeats = match max {
            Some(0) => 1,
            _ => self.repeats.saturating_mul(copies),
        };
        let sub = Box::new(self.hir);
        Node {
            hir: Hir::repetition(Repetition {
                min,
                max,
                greedy,
                sub,
            }),
            cost,
            height: self.height + 1,
            repeats,
            form: Form::Other,
        }
    }

    /// This part as a numbered group. Names stay with the parser: Go lets two groups share one.
    pub(super) fn capture(self, index: u32) -> Node {
        let sub = Box::new(self.hir);
        Node {
            hir: Hir::capture(Capture {
                index,
                name: None,
                sub,
            }),
            cost: self.cost.plus(Cost::states(2)),
            height: self.height + 1,
            repeats: self.repeats,
            form: Form::Other,
        }
    }
}
