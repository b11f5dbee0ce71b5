//! Operators between two expressions, and which series belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chronolith_query::promql::syntax::{Binary, BinaryOp, Card, Grouping};

use super::groups::group_labels;
use super::{Element, Labels, Outcome, Sample, Twin, Value, nameless, no_twins};

impl Twin<'_> {
    pub fn binary(&self, node: &Binary, times: &[i64]) -> Outcome<Value> {
        let left = self.eval(&node.left, times)?;
        let right = self.eval(&node.right, times)?;
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let pairs = left.iter().zip(&right);
                let values = pairs.map(|(left, right)| match holds(node.op, *left, *right) {
                    Some(holds) => f64::from(u8::from(holds)),
                    None => arithmetic(node.op, *left, *right),
                });
                Ok(Value::Scalar(values.collect()))
            }
            (Value::Vector(left), Value::Scalar(right)) => {
                self.with_scalar(node, left, &right, false)
            }
            (Value::Scalar(left), Value::Vector(right)) => {
                self.with_scalar(node, right, &left, true)
            }
            (Value::Vector(left), Value::Vector(right)) => {
                let mut steps = Vec::new();
                for (left, right) in left.iter().zip(&right) {
                    let found = match node.op {
                        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => sets(node, left, right),
                        _ => self.matched(node, left, right)?,
                    };
                    no_twins(&found)?;
                    steps.push(found);
                }
                first_decides(&mut steps);
                Ok(Value::Vector(steps))
            }
            _ => panic!("operators take no texts"),
        }
    }

    fn with_scalar(
        &self,
        node: &Binary,
        steps: Vec<Vec<Element>>,
        scalars: &[f64],
        is_left: bool,
    ) -> Outcome<Value> {
        let mut out = Vec::new();
        for (elements, scalar) in steps.iter().zip(scalars) {
            let mut found = Vec::new();
            for element in elements {
                let scalar = Sample::Float(*scalar);
                let (left, right) = match is_left {
                    true => (&scalar, &element.sample),
                    false => (&element.sample, &scalar),
                };
                let Some((sample, kept)) = self.operate(node.op, left, right) else {
                    continue;
                };
                let is_comparison = node.op.is_comparison();
                if node.returns_bool {
                    let truth = Sample::Float(f64::from(u8::from(kept)));
                    found.push(self.unnamed(element, truth));
                } else if is_comparison {
                    if kept {
                        found.push(element.clone());
                    }
                } else if matches!(node.op, BinaryOp::TrimLower | BinaryOp::TrimUpper) {
                    found.push(Element {
                        sample,
                        ..element.clone()
                    });
                } else {
                    found.push(self.unnamed(element, sample));
                }
            }
            no_twins(&found)?;
            out.push(found);
        }
        Ok(Value::Vector(out))
    }

    /// What an operator makes of two samples, and whether it holds where it compares.
    fn operate(&self, op: BinaryOp, left: &Sample, right: &Sample) -> Option<(Sample, bool)> {
        use BinaryOp::{Add, Div, Equal, Mul, NotEqual, Sub, TrimLower, TrimUpper};
        let bars = |bars: super::Bars| Some((Sample::Bars(Rc::new(bars)), true));
        let found = match (left, right) {
            (Sample::Float(_), Sample::Float(_)) if matches!(op, TrimLower | TrimUpper) => None,
            (Sample::Float(one), Sample::Float(two)) => Some(match holds(op, *one, *two) {
                Some(holds) => (left.clone(), holds),
                None => (Sample::Float(arithmetic(op, *one, *two)), true),
            }),
            (Sample::Bars(one), Sample::Float(two)) => match op {
                Mul => bars(one.times(*two)),
                Div => bars(one.over(*two)),
                _ => None,
            },
            (Sample::Float(one), Sample::Bars(two)) if op == Mul => bars(two.times(*one)),
            (Sample::Bars(one), Sample::Bars(two)) => match op {
                Add => bars(one.plus(two)),
                Sub => bars(one.plus(&two.times(-1.0))),
                Equal => Some((left.clone(), one.is_like(two))),
                NotEqual => Some((left.clone(), !one.is_like(two))),
                _ => None,
            },
            _ => None,
        };
        if found.is_none() {
            let sort = |sample: &Sample| match sample {
                Sample::Float(_) => "float",
                Sample::Bars(_) => "histogram",
            };
            let (left, right, op) = (sort(left), sort(right), op.symbol());
            self.note(format!(
                "PromQL info: incompatible sample types encountered for binary operator {op:?}: \
                 {left} {op} {right}"
            ));
        }
        found
    }

    /// Operators other than those on sets, at one step.
    fn matched(&self, node: &Binary, left: &[Element], right: &[Element]) -> Outcome<Vec<Element>> {
        let fill = &node.matching.fill;
        let fills = fill.left.is_some() || fill.right.is_some();
        if (left.is_empty() && right.is_empty())
            || ((left.is_empty() || right.is_empty()) && !fills)
        {
            return Ok(Vec::new());
        }
        let turned = node.matching.card == Card::OneToMany;
        let (many, one) = if turned { (right, left) } else { (left, right) };
        let key = |labels: &Labels| group_labels(labels, &node.matching.labels);
        for (place, element) in one.iter().enumerate() {
            if one[..place]
                .iter()
                .any(|other| key(&other.labels) == key(&element.labels))
            {
                let side = if turned { "left" } else { "right" };
                return Err(format!("found duplicate series on the {side}"));
            }
        }
        let mut found = Vec::new();
        let mut done: Vec<(Labels, BTreeSet<Labels>)> = Vec::new();
        for element in many {
            let partner = one
                .iter()
                .find(|one| key(&one.labels) == key(&element.labels));
            let filled = fill
                .right
                .map(|value| of_number(key(&element.labels), value));
            if let Some(partner) = partner.cloned().or(filled) {
                self.pair(node, element, &partner, &mut done, &mut found)?;
            }
        }
        if let Some(value) = fill.left {
            for partner in one {
                let key = key(&partner.labels);
                if !done.iter().any(|(known, _)| *known == key) {
                    let element = of_number(key, value);
                    self.pair(node, &element, partner, &mut done, &mut found)?;
                }
            }
        }
        Ok(found)
    }

    fn pair(
        &self,
        node: &Binary,
        many: &Element,
        one: &Element,
        done: &mut Vec<(Labels, BTreeSet<Labels>)>,
        found: &mut Vec<Element>,
    ) -> Outcome<()> {
        let matching = &node.matching;
        let (left, right) = match matching.card {
            Card::OneToMany => (&one.sample, &many.sample),
            _ => (&many.sample, &one.sample),
        };
        let Some((sample, kept)) = self.operate(node.op, left, right) else {
            return Ok(());
        };
        let mut labels = result_labels(node, &many.labels, &one.labels);
        if node.returns_bool && !self.delays_names {
            labels = nameless(&labels);
        }
        let key = group_labels(&many.labels, &matching.labels);
        let known = done.iter_mut().find(|(known, _)| *known == key);
        match (known, matching.card) {
            (Some(_), Card::OneToOne) => {
                return Err(
                    "multiple matches for labels: many-to-one matching must be explicit \
                            (group_left/group_right)"
                        .to_owned(),
                );
            }
            (Some((_, results)), _) => {
                if !results.insert(labels.clone()) {
                    return Err(
                        "multiple matches for labels: grouping labels must ensure unique \
                                matches"
                            .to_owned(),
                    );
                }
            }
            (None, _) => done.push((key, BTreeSet::from([labels.clone()]))),
        }
        let sample = match node.returns_bool {
            true => Sample::Float(f64::from(u8::from(kept))),
            false if kept => sample,
            false => return Ok(()),
        };
        found.push(Element {
            labels,
            sample,
            drops_name: node.returns_bool,
        });
        Ok(())
    }
}

/// Elements with the same labels are one series, and whether its name goes is told by the first.
fn first_decides(steps: &mut [Vec<Element>]) {
    let mut drops: BTreeMap<Labels, bool> = BTreeMap::new();
    for element in steps.iter_mut().flatten() {
        let first = drops
            .entry(element.labels.clone())
            .or_insert(element.drops_name);
        element.drops_name = *first;
    }
}

fn of_number(labels: Labels, value: f64) -> Element {
    Element {
        labels,
        sample: Sample::Float(value),
        drops_name: false,
    }
}

fn result_labels(node: &Binary, many: &Labels, one: &Labels) -> Labels {
    use BinaryOp::{Add, Atan2, Div, Mod, Mul, Pow, Sub};
    let matching = &node.matching;
    let mut labels = many.clone();
    if matches!(node.op, Add | Sub | Mul | Div | Mod | Pow | Atan2) {
        labels = nameless(&labels);
    }
    if matching.card == Card::OneToOne {
        match &matching.labels {
            Grouping::By(names) => labels.retain(|name, _| names.contains(name)),
            Grouping::Without(names) => labels.retain(|name, _| !names.contains(name)),
        }
    }
    for name in &matching.include {
        match one.get(name) {
            Some(value) => labels.insert(name.clone(), value.clone()),
            None => labels.remove(name),
        };
    }
    labels
}

fn sets(node: &Binary, left: &[Element], right: &[Element]) -> Vec<Element> {
    let has = |side: &[Element], labels: &Labels| {
        let key = group_labels(labels, &node.matching.labels);
        side.iter()
            .any(|other| group_labels(&other.labels, &node.matching.labels) == key)
    };
    let of_left = left.iter().filter(|element| match node.op {
        BinaryOp::And => has(right, &element.labels),
        BinaryOp::Unless => !has(right, &element.labels),
        _ => true,
    });
    let is_or = node.op == BinaryOp::Or;
    let of_right = right
        .iter()
        .filter(|element| is_or && !has(left, &element.labels));
    of_left.chain(of_right).cloned().collect()
}

fn holds(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        _ => return None,
    })
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        other => panic!("{} is no arithmetic", other.symbol()),
    }
}
