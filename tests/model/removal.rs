//! Deletions as the model knows them: what each hides, and whether it is in force.

use chronolith_engine::Deletion;
use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::logs::{LineFilter, LineOp};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_tests::Random;

use super::pick::Pick;
use super::shelf::{Entry, Shape, Shelf};
use super::value::Value;

/// A label that no series has: its matcher accepts all of them, and its value tells deletions
/// apart.
pub const TELLTALE: &str = "deletion";

/// What is known about a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Acknowledged, and not cancelled.
    InForce,
    /// Cancelled, or known not to be there.
    Gone,
    /// The call failed: this is so now, and only a boot can tell what comes up.
    Open { is_in_force: bool },
}

/// One deletion.
#[derive(Clone, Debug)]
pub struct Removal {
    pub number: usize,
    /// What the engine calls it, once that is known.
    pub id: Option<u64>,
    pub standing: Standing,
    /// How many batches had been sent before it.
    position: usize,
    pick: Pick,
    range: Option<(i64, i64)>,
    text: Option<String>,
}

/// A deletion as the engine lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub number: usize,
    pub id: u64,
    pub is_begun: bool,
    pub blocks_left: u64,
    pub is_in_memory: bool,
}

impl Removal {
    pub fn choose(dice: &mut Random, shelf: &Shelf, number: usize) -> Self {
        let times: Vec<i64> = shelf
            .sent
            .iter()
            .flat_map(|sent| sent.entries.iter().map(|entry| entry.time))
            .collect();
        let range = match dice.below(2) {
            0 if !times.is_empty() => {
                let mut pair = [0; 2].map(|_| times[dice.below(times.len())]);
                pair.sort_unstable();
                Some((pair[0], pair[1]))
            }
            _ => None,
        };
        let needle = dice.below(12);
        let has_text = shelf.shape == Shape::Lines && dice.below(3) == 0;
        Removal {
            number,
            id: None,
            standing: Standing::InForce,
            position: shelf.sent.len(),
            pick: Pick::choose(dice),
            range,
            text: has_text.then(|| format!("line {needle} ")),
        }
    }

    pub fn is_in_force(&self) -> bool {
        matches!(
            self.standing,
            Standing::InForce | Standing::Open { is_in_force: true }
        )
    }

    /// Whether an entry of this batch is hidden while the deletion is in force.
    pub fn hides(&self, batch: usize, entry: &Entry) -> bool {
        let has_text = |needle: &String| match &entry.value {
            Value::Line(text, _) => text.contains(needle.as_str()),
            _ => false,
        };
        batch < self.position
            && self
                .range
                .is_none_or(|(start, end)| (start..=end).contains(&entry.time))
            && self.text.as_ref().is_none_or(has_text)
            && self.pick.accepts(entry.series)
    }

    /// As the engine takes it.
    pub fn deletion(&self, shape: Shape) -> Deletion {
        let number = self.number.to_string();
        let mut matchers = self.pick.matchers();
        matchers.push(Matcher::new(MatchOp::NotEqual, TELLTALE, &number).unwrap());
        let mut deletion = Deletion::new(matchers);
        if let Some((start, end)) = self.range {
            deletion = match shape {
                Shape::Lines => deletion.between(Nanos(start), Nanos(end)),
                _ => deletion.between(Millis(start), Millis(end)),
            };
        }
        if let Some(text) = &self.text {
            deletion = deletion.lines(LineFilter::new(LineOp::Contains, text).unwrap());
        }
        deletion
    }
}

/// The number that a deletion bears.
pub fn number_of(deletion: &Deletion) -> Option<usize> {
    let mut matchers = deletion.matchers().iter();
    let telltale = matchers.find(|matcher| matcher.name() == TELLTALE)?;
    telltale.value().parse().ok()
}
