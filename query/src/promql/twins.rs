//! Parts of a plan that occur more than once: found here, evaluated once, and kept until the last
//! of them has been served.
//!
//! A part is told by what it calculates and not by where it stands. Where an evaluation has
//! something to note, the place matters: then each occurrence is evaluated by itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::promql::plan::{Node, NodeKind};

/// One of several parts of a plan that calculate the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twin {
    /// The same for all of them.
    pub(crate) number: usize,
    /// How many there are.
    pub(crate) count: usize,
}

/// Marks the parts that occur more than once.
pub(crate) fn mark(node: &mut Node) {
    let mut numbers = HashMap::new();
    number(node, &mut numbers);
    let mut counts = vec![0; numbers.len()];
    count(node, &mut counts);
    settle(node, &counts);
}

/// Gives each part a number, the same for those that calculate the same.
fn number(node: &mut Node, numbers: &mut HashMap<String, usize>) -> usize {
    let parts = parts_mut(node).into_iter();
    let below: Vec<usize> = parts.map(|part| number(part, numbers)).collect();
    let next = numbers.len();
    let number = *numbers.entry(name(node, &below)).or_insert(next);
    node.twin = Some(Twin { number, count: 0 });
    number
}

/// What a part calculates from parts of these numbers.
fn name(node: &Node, below: &[usize]) -> String {
    match &node.kind {
        NodeKind::Number(value) => format!("number {}", value.to_bits()),
        NodeKind::Text(text) => format!("text {text:?}"),
        NodeKind::Selector(selection) => format!("selector {selection:?}"),
        NodeKind::Range(selection, range) => format!("range {selection:?} {range}"),
        NodeKind::Subquery(subquery) => {
            let (shift, at) = (subquery.shift, subquery.at);
            let (range, step) = (subquery.range, subquery.step);
            format!("subquery {below:?} {range} {step:?} {shift} {at:?}")
        }
        NodeKind::Unary(op, _) => format!("unary {op:?} {below:?}"),
        NodeKind::Binary(binary) => {
            let (op, matching) = (binary.op, &binary.matching);
            format!(
                "binary {op:?} {} {matching:?} {below:?}",
                binary.returns_bool
            )
        }
        NodeKind::Aggregate(aggregate) => {
            let (op, grouping) = (aggregate.op, &aggregate.grouping);
            format!("aggregate {op:?} {grouping:?} {below:?}")
        }
        NodeKind::Call(call) => format!("call {} {below:?}", call.function.name),
        NodeKind::Given(place) => format!("given {place}"),
    }
}

fn parts_mut(node: &mut Node) -> Vec<&mut Node> {
    match &mut node.kind {
        NodeKind::Number(_)
        | NodeKind::Text(_)
        | NodeKind::Selector(_)
        | NodeKind::Range(..)
        | NodeKind::Given(_) => Vec::new(),
        NodeKind::Subquery(subquery) => vec![&mut subquery.expr],
        NodeKind::Unary(_, inside) => vec![inside],
        NodeKind::Binary(binary) => vec![&mut binary.left, &mut binary.right],
        NodeKind::Aggregate(aggregate) => {
            let param = aggregate.param.as_mut();
            param.into_iter().chain([&mut aggregate.expr]).collect()
        }
        NodeKind::Call(call) => call.args.iter_mut().collect(),
    }
}

/// Counts how often each is asked for: what is in a part that was there before is not.
fn count(node: &mut Node, counts: &mut [usize]) {
    let Some(twin) = node.twin else { return };
    counts[twin.number] += 1;
    // The samples of a subquery are not kept, but what they are made of is.
    if counts[twin.number] == 1 || matches!(node.kind, NodeKind::Subquery(_)) {
        parts_mut(node)
            .into_iter()
            .for_each(|part| count(part, counts));
    }
}

/// Leaves marks on those that occur more than once and are worth keeping.
fn settle(node: &mut Node, counts: &[usize]) {
    let is_kept = !matches!(
        node.kind,
        NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Given(_) | NodeKind::Subquery(_)
    );
    node.twin = node.twin.filter(|_| is_kept).and_then(|twin| {
        let count = counts[twin.number];
        (count > 1).then_some(Twin { count, ..twin })
    });
    parts_mut(node)
        .into_iter()
        .for_each(|part| settle(part, counts));
}

/// What was evaluated and will be asked for again, by part and by where it was evaluated.
#[derive(Debug)]
pub(crate) struct Shelf<P, V>(Mutex<HashMap<(usize, P), Kept<V>>>);

#[derive(Debug)]
struct Kept<V> {
    value: V,
    left: usize,
}

impl<P, V> Default for Shelf<P, V> {
    fn default() -> Self {
        Shelf(Mutex::default())
    }
}

impl<P: Hash + Eq, V: Clone> Shelf<P, V> {
    /// Keeps a value for the other parts that calculate the same.
    pub(crate) fn keep(&self, twin: Twin, place: P, value: V) {
        let left = twin.count - 1;
        self.locked()
            .insert((twin.number, place), Kept { value, left });
    }

    /// The value if it is there, and whether nobody else will ask for it: then it is gone.
    pub(crate) fn take(&self, twin: Twin, place: P) -> Option<(V, bool)> {
        let mut kept = self.locked();
        let place = (twin.number, place);
        let found = kept.get_mut(&place)?;
        found.left = found.left.saturating_sub(1);
        if found.left > 0 {
            return Some((found.value.clone(), false));
        }
        kept.remove(&place).map(|kept| (kept.value, true))
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<(usize, P), Kept<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
