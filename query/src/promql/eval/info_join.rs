//! `info`: series with the labels of the info series of their target.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chronolith_engine::labels::{LabelSet, Labels, MatchOp, Matcher};

use crate::promql::error::{Error, Result};
use crate::promql::eval::binary::show;
use crate::promql::eval::column::{Column, Series};
use crate::promql::eval::labels::{filtered, is_among, metric_name};
use crate::promql::eval::select::Want;
use crate::promql::eval::{Evaluator, keep_in};
use crate::promql::plan::{Grid, Hints, Node, NodeKind, Selection};
use crate::promql::syntax::{Edge, NAME};

/// Labels that tell which target a series belongs to.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// The info metric that is meant if none is named.
const TARGET_INFO: &str = "target_info";

/// What the second argument says.
#[derive(Default)]
struct Wanted {
    names: Vec<Matcher>,
    /// Whether the names were left to the default in a selector of labels. Prometheus enriches
    /// info series too then.
    enriches_info: bool,
    /// Conditions on the labels that are wanted; all labels where there are none.
    data: BTreeMap<String, Vec<Matcher>>,
}

impl Wanted {
    fn of(arg: Option<&Node>) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        if let Some(NodeKind::Selector(selection)) = arg.map(|arg| &arg.kind) {
            for matcher in &selection.matchers {
                if matcher.name() == NAME {
                    wanted.names.push(matcher.clone());
                } else {
                    let data = wanted.data.entry(matcher.name().to_owned()).or_default();
                    data.push(matcher.clone());
                }
            }
        }
        if wanted.names.is_empty() {
            wanted.enriches_info = arg.is_some();
            wanted
                .names
                .push(Matcher::new(MatchOp::Equal, NAME, TARGET_INFO)?);
        }
        Ok(wanted)
    }

    fn is_info_name(&self, name: &str) -> bool {
        !self.enriches_info && self.names.iter().all(|matcher| matcher.matches(name))
    }

    fn wants(&self, label: &str) -> bool {
        self.data.is_empty() || self.data.contains_key(label)
    }

    /// Whether a series without info series passes.
    fn accepts_nothing(&self) -> bool {
        self.data.values().flatten().all(Matcher::matches_empty)
    }
}

impl Evaluator<'_> {
    pub(super) fn enrich(&self, args: &[Node], grid: Grid) -> Result<Vec<Series>> {
        let base = self.vector(&args[0], grid)?;
        let wanted = Wanted::of(args.get(1))?;
        let infos = self.info_series(&base, &wanted, &args[0], grid)?;
        let by_target = by_target(&infos);
        let mut found = Vec::with_capacity(base.len());
        for series in base {
            self.guard.check()?;
            if wanted.is_info_name(metric_name(series.labels.as_labels())) {
                found.push(series);
                continue;
            }
            let mut parts: HashMap<LabelSet, Series> = HashMap::new();
            let candidates = by_target.get(&identity(series.labels.as_labels()));
            for step in 0..grid.count {
                let Some(cell) = series.column.cell(step) else {
                    continue;
                };
                let newest = newest(&infos, candidates, step)?;
                if newest.is_empty() && !wanted.accepts_nothing() {
                    continue;
                }
                let labels = joined(&series.labels, &newest, &wanted)?;
                let part = parts.entry(labels.clone()).or_insert_with(|| Series {
                    labels,
                    drops_name: series.drops_name,
                    column: Column::absent(grid.count),
                });
                part.column.set(step, cell.to_sample());
            }
            let mut parts: Vec<Series> = parts.into_values().collect();
            parts.sort_by(|one, two| one.labels.cmp(&two.labels));
            found.append(&mut parts);
        }
        self.settle(found)
    }

    /// The info series of the targets that the base series belong to; their values are the times
    /// of their samples.
    fn info_series(
        &self,
        base: &[Series],
        wanted: &Wanted,
        arg: &Node,
        grid: Grid,
    ) -> Result<Vec<Series>> {
        let mut matchers = wanted.names.clone();
        let mut is_identified = false;
        for label in IDENTIFYING {
            let plain = base
                .iter()
                .filter(|series| !wanted.is_info_name(metric_name(series.labels.as_labels())));
            let values: BTreeSet<&str> = plain
                .filter_map(|series| series.labels.as_labels().value(label))
                .collect();
            if !values.is_empty() {
                let escaped: Vec<String> = values.into_iter().map(escape).collect();
                matchers.push(Matcher::new(MatchOp::Regex, label, &escaped.join("|"))?);
                is_identified = true;
            }
        }
        if !is_identified {
            return Ok(Vec::new());
        }
        matchers.extend(wanted.data.values().flatten().cloned());
        let (shift, at) =
            first_selection(arg).map_or((0, None), |selection| (selection.shift, selection.at));
        let selection = Selection {
            matchers,
            shift,
            at,
            edge: Edge::Plain,
            hints: Hints::Stored,
        };
        let mut infos = Vec::new();
        self.newest(&selection, grid, Want::Millis, keep_in(&mut infos))?;
        for info in &infos {
            let is_float = |step| !info.column.has(step) || info.column.float(step).is_some();
            if !(0..grid.count).all(is_float) {
                let labels = show(&info.labels);
                return Err(Error::execution(format!(
                    "this should be an info metric, with float samples: {labels}"
                )));
            }
        }
        Ok(infos)
    }
}

/// Info series by their targets.
fn by_target(infos: &[Series]) -> HashMap<LabelSet, Vec<usize>> {
    let mut places: HashMap<LabelSet, Vec<usize>> = HashMap::new();
    for (index, info) in infos.iter().enumerate() {
        places
            .entry(identity(info.labels.as_labels()))
            .or_default()
            .push(index);
    }
    places
}

fn identity(labels: Labels<'_>) -> LabelSet {
    filtered(labels, |name| is_among(name, &IDENTIFYING))
}

/// Of each info metric the series with the newest sample at a step.
fn newest<'a>(
    infos: &'a [Series],
    candidates: Option<&Vec<usize>>,
    step: usize,
) -> Result<Vec<&'a Series>> {
    let mut best: BTreeMap<&str, (&Series, f64)> = BTreeMap::new();
    for &index in candidates.into_iter().flatten() {
        let info = &infos[index];
        let Some(time) = info.column.float(step) else {
            continue;
        };
        let name = metric_name(info.labels.as_labels());
        let Some((other, other_time)) = best.get(name) else {
            best.insert(name, (info, time));
            continue;
        };
        if *other_time < time {
            best.insert(name, (info, time));
        } else if (*other_time - time).abs() < 0.5 {
            return Err(Error::execution(format!(
                "found duplicate series for info metric: existing {} @ {other_time}, new {} @ \
                 {time}",
                show(&other.labels),
                show(&info.labels)
            )));
        }
    }
    Ok(best.into_values().map(|(info, _)| info).collect())
}

/// The labels of a series with those of its info series.
fn joined(base: &LabelSet, infos: &[&Series], wanted: &Wanted) -> Result<LabelSet> {
    let base = base.as_labels();
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    for info in infos {
        let labels = info.labels.as_labels();
        for (name, value) in labels.iter() {
            if name == NAME || !wanted.wants(name) {
                continue;
            }
            if added.get(name).is_some_and(|other| *other != value) {
                return Err(Error::execution(format!("conflicting label: {name}")));
            }
            if base.value(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    Ok(LabelSet::from_pairs(base.iter().chain(added))?)
}

/// The first selector inside of an expression, whose times the info series share.
fn first_selection(node: &Node) -> Option<&Selection> {
    match &node.kind {
        NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Given(_) => None,
        NodeKind::Selector(selection) | NodeKind::Range(selection, _) => Some(selection),
        NodeKind::Subquery(subquery) => first_selection(&subquery.expr),
        NodeKind::Unary(_, inside) => first_selection(inside),
        NodeKind::Binary(binary) => {
            first_selection(&binary.left).or_else(|| first_selection(&binary.right))
        }
        NodeKind::Aggregate(aggregate) => first_selection(&aggregate.expr),
        NodeKind::Call(call) => call.args.iter().find_map(first_selection),
    }
}

/// A text as a pattern that matches it alone.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
