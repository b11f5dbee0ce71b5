//! [`Explanation`]: what each part of a query did, taken down while it runs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::promql::limits::Read;
use crate::promql::plan::{Node, NodeKind};

/// What one part of a query did, and the parts that it is made of.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The part as it stands in the query.
    pub text: String,
    /// What it does: `selector`, `range`, `subquery`, or the name of a function, an aggregation or
    /// an operator.
    pub operator: String,
    /// At how many steps it was evaluated.
    pub steps: usize,
    /// How many series came out of it.
    pub series: usize,
    /// How many samples were read for it and for its parts.
    pub samples_read: usize,
    /// How many stored bytes were read for that; what is in memory is not counted.
    pub bytes_read: u64,
    /// How long it took on the caller's thread, with its parts.
    pub time: Duration,
    /// Whether it was taken from an equal part, so that nothing was evaluated.
    pub is_repeated: bool,
    /// What it is made of.
    pub parts: Vec<Explanation>,
}

/// Takes down what happens. The parts that have ended wait for the one that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Trace(Mutex<Vec<Vec<Explanation>>>);

/// A part that has begun.
pub(crate) struct Begun {
    at: Instant,
    read: Read,
}

/// How a part has ended.
pub(crate) struct Ended {
    pub(crate) steps: usize,
    pub(crate) series: usize,
    pub(crate) read: Read,
    pub(crate) is_repeated: bool,
}

impl Trace {
    /// A part begins when so much was read.
    pub(crate) fn begin(&self, read: Read) -> Begun {
        self.with(|open| open.push(Vec::new()));
        Begun {
            at: Instant::now(),
            read,
        }
    }

    /// It has ended.
    pub(crate) fn end(&self, node: &Node, begun: Begun, ended: Ended, query: &str) {
        let text = query.get(node.span.start..node.span.end);
        self.with(|open| {
            let parts = open.pop().unwrap_or_default();
            let explanation = Explanation {
                text: text.unwrap_or_default().to_owned(),
                operator: operator(node),
                steps: ended.steps,
                series: ended.series,
                samples_read: ended.read.samples - begun.read.samples,
                bytes_read: ended.read.bytes - begun.read.bytes,
                time: begun.at.elapsed(),
                is_repeated: ended.is_repeated,
                parts,
            };
            match open.last_mut() {
                Some(outside) => outside.push(explanation),
                None => open.push(vec![explanation]),
            }
        });
    }

    /// The whole query, once it has ended.
    pub(crate) fn into_explanation(self) -> Option<Explanation> {
        let open = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        open.into_iter().flatten().next()
    }

    fn with(&self, change: impl FnOnce(&mut Vec<Vec<Explanation>>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn operator(node: &Node) -> String {
    match &node.kind {
        NodeKind::Number(_) => "number".to_owned(),
        NodeKind::Text(_) => "string".to_owned(),
        NodeKind::Selector(_) => "selector".to_owned(),
        NodeKind::Range(..) => "range".to_owned(),
        NodeKind::Subquery(_) => "subquery".to_owned(),
        NodeKind::Unary(op, _) => format!("{op:?}").to_lowercase(),
        NodeKind::Binary(binary) => binary.op.symbol().to_owned(),
        NodeKind::Aggregate(aggregate) => aggregate.op.name().to_owned(),
        NodeKind::Call(call) => call.function.name.to_owned(),
        NodeKind::Given(_) => "given".to_owned(),
    }
}
