//! Binary operators between scalars and vectors, and the matching of series.
//!
//! Signatures are worked out once for each series. The series of one signature are then gone
//! through step by step, since who is there may change at every step.

use std::collections::{HashMap, HashSet};

use chronolith_engine::labels::LabelSet;
use foldhash::fast::RandomState;

use crate::promql::error::{Error, Result};
use crate::promql::eval::column::{Cell, Column, Mark, Sample, Series};
use crate::promql::eval::elements::{arithmetic, numbers, samples};
use crate::promql::eval::labels::{filtered, grouped, is_among, without_metadata};
use crate::promql::eval::{Dialect, Evaluator, Value};
use crate::promql::plan::{BinaryNode, Grid};
use crate::promql::syntax::{BinaryOp, Card, Grouping, NAME};
use crate::text::Span;

/// Whether the result is another metric than the operands.
fn changes_metric(op: BinaryOp) -> bool {
    use BinaryOp::{Add, Atan2, Div, Mod, Mul, Pow, Sub};
    matches!(op, Add | Sub | Mul | Div | Mod | Pow | Atan2)
}

/// On which side of the operator the scalar stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ScalarSide {
    Left,
    Right,
}

impl Evaluator<'_> {
    pub(super) fn binary(&self, node: &BinaryNode, span: Span, grid: Grid) -> Result<Value> {
        let left = self.eval(&node.left, grid)?;
        let right = self.eval(&node.right, grid)?;
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let pairs = left.into_iter().zip(right);
                let values = pairs.map(|(left, right)| numbers(node.op, left, right, self.dialect));
                Ok(Value::Scalar(values.collect()))
            }
            (Value::Vector(left), Value::Scalar(right)) => {
                self.with_scalar(node, left, &right, ScalarSide::Right, span)
            }
            (Value::Scalar(left), Value::Vector(right)) => {
                self.with_scalar(node, right, &left, ScalarSide::Left, span)
            }
            (Value::Vector(left), Value::Vector(right)) => {
                let series = if node.op.is_set() {
                    self.set_operation(node, left, right, grid)
                } else {
                    Matching::new(self, node, left, right, span, grid).run()?
                };
                Ok(Value::Vector(self.settle(series)?))
            }
            _ => Err(Error::execution("operators do not take strings")),
        }
    }

    fn with_scalar(
        &self,
        node: &BinaryNode,
        mut series: Vec<Series>,
        scalar: &[f64],
        side: ScalarSide,
        span: Span,
    ) -> Result<Value> {
        let op = node.op;
        for series in &mut series {
            self.guard.check()?;
            for (step, scalar) in scalar.iter().enumerate() {
                let Some(cell) = series.column.cell(step) else {
                    continue;
                };
                let number = Cell::Float(*scalar);
                let (left, right) = match side {
                    ScalarSide::Right => (cell, number),
                    ScalarSide::Left => (number, cell),
                };
                let kept = samples(op, left, right, span, self).and_then(|outcome| {
                    if node.returns_bool {
                        return Some(Sample::Float(f64::from(u8::from(outcome.holds))));
                    }
                    let value = match side {
                        // A filter keeps the sample of the vector, on whichever side it stands.
                        ScalarSide::Left if op.is_comparison() => cell.to_sample(),
                        _ => outcome.sample,
                    };
                    outcome.holds.then_some(value)
                });
                match kept {
                    Some(sample) => series.column.set(step, sample),
                    None => series.column.clear(step),
                }
            }
            if changes_metric(op) || node.returns_bool {
                self.drop_name(series);
            }
        }
        Ok(Value::Vector(self.settle(series)?))
    }
}

/// What an operator of arithmetic gives at the steps at which both columns have a float. Nothing
/// where either may have a histogram.
fn calculated(op: BinaryOp, left: &Column, right: &Column, dialect: Dialect) -> Option<Column> {
    let (left, right) = (left.only_floats()?, right.only_floats()?);
    let both = |(left, right): (&Mark, &Mark)| match (left, right) {
        (Mark::Float, Mark::Float) => Mark::Float,
        _ => Mark::Absent,
    };
    let marks: Vec<Mark> = left.0.iter().zip(right.0).map(both).collect();
    let sides = marks.iter().zip(left.1.iter().zip(right.1));
    let values = sides.map(|(mark, (left, right))| match mark {
        Mark::Float => arithmetic(op, *left, *right, dialect),
        _ => Some(0.0),
    });
    let values: Option<Vec<f64>> = values.collect();
    Some(Column::of_marked(marks, values?))
}

/// The part of a series' labels by which it is matched.
pub(super) fn signature(series: &Series, labels: &Grouping) -> LabelSet {
    grouped(series.labels.as_labels(), labels)
}

/// At which steps any of the series has a sample.
pub(super) fn presence(series: &[Series], steps: usize) -> Vec<bool> {
    let mut present = vec![false; steps];
    for series in series {
        for (step, present) in present.iter_mut().enumerate() {
            *present |= series.column.has(step);
        }
    }
    present
}

/// The series of one signature, by their places.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

/// Matches the series of two sides. The side of one is the right one, unless `group_right` turns
/// them round.
struct Matching<'a> {
    evaluator: &'a Evaluator<'a>,
    node: &'a BinaryNode,
    many: Vec<Series>,
    one: Vec<Series>,
    fill_many: Option<f64>,
    fill_one: Option<f64>,
    span: Span,
    grid: Grid,
    /// Steps at which there may be results.
    active: Vec<bool>,
    results: Vec<Series>,
    /// Whose result each is.
    pairs: Vec<Pair>,
    /// Which results have the same labels: those of the same number.
    identities: Vec<usize>,
    /// Where the result of a pair stands.
    places: HashMap<Pair, usize, RandomState>,
    /// The numbers of labels.
    numbers: HashMap<LabelSet, usize, RandomState>,
}

/// Two series by their places, either of which may be filled in.
type Pair = (Option<usize>, Option<usize>);

/// Why there is no answer. Of several faults the first one is told: that of the earliest step,
/// there of the side of one before the side of many, and there of the earliest series.
struct Fault {
    place: (usize, bool, usize),
    error: Error,
}

impl<'a> Matching<'a> {
    fn new(
        evaluator: &'a Evaluator<'a>,
        node: &'a BinaryNode,
        left: Vec<Series>,
        right: Vec<Series>,
        span: Span,
        grid: Grid,
    ) -> Self {
        let fill = node.matching.fill;
        let fills = fill.left.is_some() || fill.right.is_some();
        let presence = [presence(&left, grid.count), presence(&right, grid.count)];
        let sides = presence[0].iter().zip(&presence[1]);
        let active = sides
            .map(|(left, right)| (*left && *right) || (fills && (*left || *right)))
            .collect();
        let (many, one, fill_many, fill_one) = match node.matching.card {
            // As in Prometheus, where the sides are turned round and their values are not.
            Card::OneToMany => (right, left, fill.left, fill.right),
            _ => (left, right, fill.left, fill.right),
        };
        Matching {
            evaluator,
            node,
            many,
            one,
            fill_many,
            fill_one,
            span,
            grid,
            active,
            results: Vec::new(),
            pairs: Vec::new(),
            identities: Vec::new(),
            places: HashMap::default(),
            numbers: HashMap::default(),
        }
    }

    fn run(mut self) -> Result<Vec<Series>> {
        let mut first: Option<Fault> = None;
        for group in self.groups() {
            self.evaluator.guard.check()?;
            // Nobody to match, but twins on the side of one are an error all the same.
            let only_twins = (group.many.is_empty() && self.fill_many.is_none())
                || (group.one.is_empty() && self.fill_one.is_none());
            if only_twins && group.one.len() < 2 {
                continue;
            }
            if self.whole_columns(&group) {
                continue;
            }
            for step in 0..self.grid.count {
                if !self.active[step] {
                    continue;
                }
                let done = match only_twins {
                    true => self.partner(&group, step).map(|_| ()),
                    false => self.step(&group, step),
                };
                let Err(fault) = done else {
                    continue;
                };
                if first.as_ref().is_none_or(|first| fault.place < first.place) {
                    first = Some(fault);
                }
                break;
            }
        }
        if let Some(fault) = first {
            return Err(fault.error);
        }
        let mut results: Vec<(Pair, Series)> = self.pairs.into_iter().zip(self.results).collect();
        // In the order of the side of many; what was filled in there comes last.
        results.sort_by_key(|((many, one), _)| (many.is_none(), *many, *one));
        Ok(results.into_iter().map(|(_, series)| series).collect())
    }

    /// Calculates with two whole columns, if there is one series on either side, which have floats
    /// alone, and the operator is one of arithmetic: whoever is there at a step, they are a pair.
    fn whole_columns(&mut self, group: &Group) -> bool {
        let ([many], [one]) = (&group.many[..], &group.one[..]) else {
            return false;
        };
        let (many, one) = (*many, *one);
        let is_plain = self.fill_many.is_none() && self.fill_one.is_none();
        if !is_plain || self.node.returns_bool || !changes_metric(self.node.op) {
            return false;
        }
        let (left, right) = match self.node.matching.card {
            Card::OneToMany => (&self.one[one], &self.many[many]),
            _ => (&self.many[many], &self.one[one]),
        };
        let dialect = self.evaluator.dialect;
        let Some(column) = calculated(self.node.op, &left.column, &right.column, dialect) else {
            return false;
        };
        if !column.is_absent() {
            let place = self.place(Some(many), Some(one));
            self.results[place].column = column;
        }
        true
    }

    fn groups(&self) -> Vec<Group> {
        let mut places: HashMap<LabelSet, usize, RandomState> = HashMap::default();
        let mut groups: Vec<Group> = Vec::new();
        let labels = &self.node.matching.labels;
        for (is_many, side) in [(true, &self.many), (false, &self.one)] {
            for (index, series) in side.iter().enumerate() {
                let next = groups.len();
                let place = *places.entry(signature(series, labels)).or_insert(next);
                if place == next {
                    groups.push(Group::default());
                }
                let members = match is_many {
                    true => &mut groups[place].many,
                    false => &mut groups[place].one,
                };
                members.push(index);
            }
        }
        groups
    }

    /// The series on the side of one that is there at a step.
    fn partner(&self, group: &Group, step: usize) -> std::result::Result<Option<usize>, Fault> {
        let mut present = group
            .one
            .iter()
            .filter(|index| self.one[**index].column.has(step));
        let first = present.next().copied();
        match (first, present.next()) {
            (Some(first), Some(second)) => Err(Fault {
                place: (step, false, *second),
                error: self.twins(first, *second),
            }),
            _ => Ok(first),
        }
    }

    fn twins(&self, first: usize, second: usize) -> Error {
        let side = match self.node.matching.card {
            Card::OneToMany => "left",
            _ => "right",
        };
        if self.evaluator.dialect == Dialect::Loki {
            return Error::execution(format!(
                "found duplicate series on the {side} hand-side;many-to-many matching not \
                 allowed: matching labels must be unique on one side"
            ));
        }
        let mut labels = [&self.one[first].labels, &self.one[second].labels];
        labels.sort();
        let group = matched(&self.one[first].labels, &self.node.matching.labels);
        let [one, two] = labels.map(show);
        Error::execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the \
             operation: [{one}, {two}];many-to-many matching not allowed: matching labels must be \
             unique on one side",
            show(&group)
        ))
    }

    fn step(&mut self, group: &Group, step: usize) -> std::result::Result<(), Fault> {
        let partner = self.partner(group, step)?;
        let mut matched = 0;
        let mut labels: HashSet<usize> = HashSet::new();
        for &index in &group.many {
            if !self.many[index].column.has(step) || (partner.is_none() && self.fill_one.is_none())
            {
                continue;
            }
            let Some(place) = self.pair(Some(index), partner, step) else {
                continue;
            };
            matched += 1;
            let told = match self.node.matching.card {
                Card::OneToOne if matched > 1 => {
                    "many-to-one matching must be explicit (group_left/group_right)"
                }
                Card::OneToOne => continue,
                _ if labels.insert(self.identities[place]) => continue,
                _ => "grouping labels must ensure unique matches",
            };
            return Err(Fault {
                place: (step, true, index),
                error: Error::execution(format!("multiple matches for labels: {told}")),
            });
        }
        if matched == 0 && partner.is_some() && self.fill_many.is_some() {
            self.pair(None, partner, step);
        }
        Ok(())
    }

    /// Applies the operator to a pair, either of which may be filled in; where its result stands.
    fn pair(&mut self, many: Option<usize>, one: Option<usize>, step: usize) -> Option<usize> {
        let cell = |series: &'_ [Series], index: Option<usize>, fill: Option<f64>| match index {
            Some(index) => series[index].column.cell(step).map(Cell::to_sample),
            None => fill.map(Sample::Float),
        };
        let sides = cell(&self.many, many, self.fill_many).zip(cell(&self.one, one, self.fill_one));
        let (many_sample, one_sample) = sides?;
        let (left, right) = match self.node.matching.card {
            Card::OneToMany => (&one_sample, &many_sample),
            _ => (&many_sample, &one_sample),
        };
        let (left, right) = (Cell::of(left), Cell::of(right));
        let outcome = samples(self.node.op, left, right, self.span, self.evaluator)?;
        let place = self.place(many, one);
        let column = &mut self.results[place].column;
        if self.node.returns_bool {
            column.set_float(step, f64::from(u8::from(outcome.holds)));
        } else if outcome.holds {
            column.set(step, outcome.sample);
        }
        Some(place)
    }

    /// Where the result of a pair stands.
    fn place(&mut self, many: Option<usize>, one: Option<usize>) -> usize {
        if let Some(place) = self.places.get(&(many, one)) {
            return *place;
        }
        let labels = self.result_labels(many, one);
        let place = self.results.len();
        self.places.insert((many, one), place);
        let mut series = Series {
            labels,
            drops_name: false,
            column: Column::absent(self.grid.count),
        };
        if self.node.returns_bool {
            self.evaluator.drop_name(&mut series);
        }
        let next = self.numbers.len();
        let identity = self.numbers.entry(series.labels.clone()).or_insert(next);
        self.identities.push(*identity);
        self.pairs.push((many, one));
        self.results.push(series);
        place
    }

    fn result_labels(&self, many: Option<usize>, one: Option<usize>) -> LabelSet {
        let matching = &self.node.matching;
        // What is filled in has the labels by which its partner was matched.
        let own = |series: &[Series], index: Option<usize>| {
            index.map(|index| series[index].labels.clone())
        };
        let of_many = own(&self.many, many);
        let of_one = own(&self.one, one);
        let filled = |other: &Option<LabelSet>| {
            let other = other.as_ref();
            other.map_or_else(LabelSet::default, |other| matched(other, &matching.labels))
        };
        let one = of_one.clone().unwrap_or_else(|| filled(&of_many));
        let mut labels = of_many.unwrap_or_else(|| filled(&of_one));
        if changes_metric(self.node.op) {
            labels = without_metadata(labels.as_labels());
        }
        if matching.card == Card::OneToOne {
            labels = match &matching.labels {
                Grouping::By(names) => filtered(labels.as_labels(), |name| is_among(name, names)),
                Grouping::Without(names) => {
                    filtered(labels.as_labels(), |name| !is_among(name, names))
                }
            };
        }
        if matching.include.is_empty() {
            return labels;
        }
        let is_included = |name: &str| matching.include.iter().any(|include| include == name);
        let labels = labels.as_labels();
        let kept = labels.iter().filter(|(name, _)| !is_included(name));
        let taken = one.as_labels();
        let taken = taken.iter().filter(|(name, _)| is_included(name));
        LabelSet::from_pairs(kept.chain(taken)).unwrap_or_default()
    }
}

/// The labels by which a series is matched, as errors and filled-in series have them.
fn matched(labels: &LabelSet, grouping: &Grouping) -> LabelSet {
    grouped(labels.as_labels(), grouping)
}

/// Labels as Prometheus writes them.
pub(super) fn show(labels: &LabelSet) -> String {
    let labels = labels.as_labels();
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let is_plain = name == NAME
                || name.bytes().enumerate().all(|(index, byte)| {
                    byte == b'_'
                        || byte.is_ascii_alphabetic()
                        || (index > 0 && byte.is_ascii_digit())
                });
            let value = crate::text::quote::quote(value);
            if is_plain {
                format!("{name}={value}")
            } else {
                format!("{}={value}", crate::text::quote::quote(name))
            }
        })
        .collect();
    format!("{{{}}}", pairs.join(", "))
}
