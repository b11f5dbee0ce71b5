//! Aggregations.

use std::rc::Rc;

use chronolith_query::promql::syntax::{Aggregate, AggregateOp, Grouping};

use super::{Careful, Element, Labels, Outcome, Sample, Twin, Value, mean, no_twins, quantile};

/// 2^63, from which on no number of series can be asked for.
const TOO_MANY: f64 = 9_223_372_036_854_775_808.0;

impl Twin<'_> {
    pub fn aggregate(&self, node: &Aggregate, times: &[i64]) -> Outcome<Value> {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        let mut params = Vec::new();
        let mut label = String::new();
        if let Some(param) = &node.param {
            match self.eval(param, times)? {
                Value::Scalar(values) => params = values,
                Value::Text(text) => label = text,
                Value::Vector(_) => panic!("no parameter is a vector"),
            }
        }
        let steps = self.vector(&node.expr, times)?;
        self.check_params(node.op, &params)?;
        if node.op == Quantile {
            self.note_quantiles(&params);
        }
        let mut out = Vec::new();
        for (step, elements) in steps.into_iter().enumerate() {
            let param = params.get(step).copied();
            let mut found = Vec::new();
            let grouping = match (&node.grouping, node.op) {
                (Grouping::By(names), CountValues) => {
                    let mut names = names.clone();
                    names.push(label.clone());
                    Grouping::By(names)
                }
                (grouping, _) => grouping.clone(),
            };
            let elements = match node.op {
                CountValues => labelled(elements, &label),
                _ => elements,
            };
            for (labels, members) in groups(&elements, &grouping) {
                match node.op {
                    Topk | Bottomk => {
                        let best = self.best(node.op, &members, param.unwrap());
                        found.extend(best);
                    }
                    Limitk => {
                        let most = if param.unwrap() < 1.0 {
                            0
                        } else {
                            param.unwrap() as usize
                        };
                        found.extend(members.into_iter().take(most).cloned());
                    }
                    LimitRatio => panic!("the twin does not know the hash of labels"),
                    _ => {
                        let Some(sample) = self.of_group(node.op, &members, param) else {
                            continue;
                        };
                        let drops = members.iter().any(|member| member.drops_name);
                        found.push(Element {
                            labels,
                            sample,
                            drops_name: drops && node.op != CountValues,
                        });
                    }
                }
            }
            no_twins(&found)?;
            out.push(found);
        }
        Ok(Value::Vector(out))
    }

    fn check_params(&self, op: AggregateOp, params: &[f64]) -> Outcome<()> {
        use AggregateOp::{Bottomk, Limitk, Topk};
        if ![Topk, Bottomk, Limitk].contains(&op) || params.iter().all(|param| *param < 1.0) {
            return Ok(());
        }
        if params.iter().any(|param| param.is_nan()) {
            return Err("Parameter value is NaN".to_owned());
        }
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if least <= -TOO_MANY {
            return Err(format!(
                "Scalar value {} underflows int64",
                super::short(least)
            ));
        }
        if most >= TOO_MANY - 1024.0 {
            return Err(format!(
                "Scalar value {} overflows int64",
                super::short(most)
            ));
        }
        Ok(())
    }

    fn note_quantiles(&self, params: &[f64]) {
        let note = |q: f64| {
            let q = super::short(q);
            self.note(format!(
                "PromQL warning: quantile value should be between 0 and 1, got {q}"
            ));
        };
        if params.iter().any(|q| q.is_nan()) {
            return note(f64::NAN);
        }
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most > 1.0 {
            note(most);
        }
        if least < 0.0 {
            note(least);
        }
    }

    fn note_ignored(&self, op: AggregateOp, members: &[&Element]) {
        if members.iter().any(|member| member.sample.float().is_none()) {
            self.note(format!(
                "PromQL info: ignored histogram in {} aggregation",
                op.name()
            ));
        }
    }

    fn best(&self, op: AggregateOp, members: &[&Element], count: f64) -> Vec<Element> {
        if count < 1.0 {
            return Vec::new();
        }
        self.note_ignored(op, members);
        let floats = members
            .iter()
            .filter(|member| member.sample.float().is_some());
        let heap = floats
            .map(|member| (member.sample.float().unwrap(), *member))
            .collect();
        let best = best_of(heap, count as usize, op == AggregateOp::Topk);
        best.into_iter().map(|(_, member)| member.clone()).collect()
    }

    fn of_group(
        &self,
        op: AggregateOp,
        members: &[&Element],
        param: Option<f64>,
    ) -> Option<Sample> {
        use AggregateOp::{
            Avg, Count, CountValues, Group, Max, Min, Quantile, Stddev, Stdvar, Sum,
        };
        let floats: Vec<f64> = members
            .iter()
            .filter_map(|member| member.sample.float())
            .collect();
        match op {
            Count | CountValues => return Some(Sample::Float(members.len() as f64)),
            Group => return Some(Sample::Float(1.0)),
            Sum | Avg if floats.is_empty() => {
                let mut bars = members.iter().map(|member| match &member.sample {
                    Sample::Bars(bars) => (**bars).clone(),
                    Sample::Float(_) => panic!("there are no floats"),
                });
                let first = bars.next()?;
                let sum = bars.fold(first, |sum, bars| sum.plus(&bars));
                let share = if op == Avg {
                    1.0 / members.len() as f64
                } else {
                    1.0
                };
                return Some(Sample::Bars(Rc::new(sum.times(share))));
            }
            Sum | Avg if floats.len() < members.len() => {
                self.note(
                    "PromQL warning: encountered a mix of histograms and floats for aggregation"
                        .to_owned(),
                );
                return None;
            }
            _ => {}
        }
        if ![Sum, Avg].contains(&op) {
            self.note_ignored(op, members);
        }
        if floats.is_empty() {
            return None;
        }
        let extreme = |wins: fn(f64, f64) -> bool| {
            let mut best = floats[0];
            for value in &floats {
                if wins(*value, best) || best.is_nan() {
                    best = *value;
                }
            }
            best
        };
        Some(Sample::Float(match op {
            Sum => {
                let mut sum = Careful {
                    sum: floats[0],
                    lost: 0.0,
                };
                floats[1..].iter().for_each(|value| sum.add(*value));
                sum.total()
            }
            Avg => mean(&floats),
            Max => extreme(|value, best| value > best),
            Min => extreme(|value, best| value < best),
            Quantile => quantile(param.unwrap(), &floats),
            Stdvar => variance(&floats),
            Stddev => variance(&floats).sqrt(),
            other => panic!("{} is handled above", other.name()),
        }))
    }
}

fn variance(floats: &[f64]) -> f64 {
    let (mut mean, mut count) = (floats[0], 1.0);
    let mut squares = if floats[0].is_finite() { 0.0 } else { f64::NAN };
    for value in &floats[1..] {
        count += 1.0;
        let away = value - mean;
        mean += away / count;
        squares += away * (value - mean);
    }
    squares / count
}

/// The groups in the order in which they come up.
fn groups<'e>(elements: &'e [Element], grouping: &Grouping) -> Vec<(Labels, Vec<&'e Element>)> {
    let mut groups: Vec<(Labels, Vec<&Element>)> = Vec::new();
    for element in elements {
        let labels = group_labels(&element.labels, grouping);
        match groups.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, members)) => members.push(element),
            None => groups.push((labels, vec![element])),
        }
    }
    groups
}

/// The labels of a group, or those by which series are matched.
pub fn group_labels(labels: &Labels, grouping: &Grouping) -> Labels {
    let mut labels = labels.clone();
    match grouping {
        Grouping::By(names) => labels.retain(|name, _| names.contains(name)),
        Grouping::Without(names) => {
            labels.retain(|name, _| name != "__name__" && !names.contains(name));
        }
    }
    labels
}

fn labelled(elements: Vec<Element>, label: &str) -> Vec<Element> {
    let mut elements = elements;
    for element in &mut elements {
        let text = match &element.sample {
            Sample::Float(value) => super::shown(*value),
            Sample::Bars(_) => "histogram".to_owned(),
        };
        element.labels.insert(label.to_owned(), text);
    }
    elements
}

/// The `count` greatest or least, the best first. Which of equals stays is told by the heap in
/// which Prometheus keeps them, the worst on top.
fn best_of<T>(items: Vec<(f64, T)>, count: usize, greatest: bool) -> Vec<(f64, T)> {
    let below = |one: f64, two: f64| one.is_nan() || if greatest { one < two } else { one > two };
    let mut heap: Vec<(f64, T)> = Vec::new();
    for item in items {
        if heap.len() < count {
            heap.push(item);
            // The first sample of a group is pushed alone, so its order does not matter.
            let mut child = heap.len() - 1;
            while child > 0 {
                let parent = (child - 1) / 2;
                if !below(heap[child].0, heap[parent].0) {
                    break;
                }
                heap.swap(child, parent);
                child = parent;
            }
            continue;
        }
        let (worst, new) = (heap[0].0, item.0);
        let replaces = match greatest {
            true => worst < new || (worst.is_nan() && !new.is_nan()),
            false => worst > new || (worst.is_nan() && !new.is_nan()),
        };
        if replaces {
            heap[0] = item;
            sink(&mut heap, &below);
        }
    }
    // Sorting by insertion, backwards, as is done with up to twelve.
    for end in 1..heap.len() {
        let mut place = end;
        while place > 0 && below(heap[place - 1].0, heap[place].0) {
            heap.swap(place, place - 1);
            place -= 1;
        }
    }
    heap
}

fn sink<T>(heap: &mut [(f64, T)], below: &impl Fn(f64, f64) -> bool) {
    let mut parent = 0;
    loop {
        let left = 2 * parent + 1;
        if left >= heap.len() {
            return;
        }
        let right = left + 1;
        let child = match right < heap.len() && below(heap[right].0, heap[left].0) {
            true => right,
            false => left,
        };
        if !below(heap[child].0, heap[parent].0) {
            return;
        }
        heap.swap(parent, child);
        parent = child;
    }
}
