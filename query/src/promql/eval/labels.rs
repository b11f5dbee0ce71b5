//! Changes to label sets, and when the names of metrics go.

use chronolith_engine::labels::{LabelSet, Labels};

use crate::promql::error::{Error, Result};
use crate::promql::eval::column::{Series, settle};
use crate::promql::eval::{Dialect, Evaluator};
use crate::promql::options::NameRemoval;
use crate::promql::syntax::{Grouping, NAME, Text};

/// Labels that tell about the metric, not about who exposes it: they go with the name.
const METADATA: [&str; 3] = [NAME, "__type__", "__unit__"];

/// The labels that `keep` accepts.
pub(crate) fn filtered(labels: Labels<'_>, keep: impl Fn(&[u8]) -> bool) -> LabelSet {
    let mut bytes = Vec::with_capacity(labels.as_bytes().len());
    put_filtered(labels, keep, &mut bytes);
    // A subset of a valid set is valid.
    Labels::from_bytes(&bytes).map_or_else(|_| LabelSet::default(), Labels::to_set)
}

/// Whether the bytes are those of one of these names.
pub(crate) fn is_among(name: &[u8], names: &[impl AsRef<str>]) -> bool {
    names.iter().any(|other| other.as_ref().as_bytes() == name)
}

/// Appends the canonical bytes of the labels that `keep` accepts.
fn put_filtered(labels: Labels<'_>, keep: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) {
    for (_, part) in labels.parts().filter(|(name, _)| keep(name)) {
        out.extend_from_slice(part);
    }
}

/// The labels with one more, or another value for it; an empty value removes it.
pub(crate) fn with(labels: Labels<'_>, name: &str, value: &str) -> Result<LabelSet> {
    let others = labels.iter().filter(|(other, _)| *other != name);
    let pairs: Vec<(&str, &str)> = others.chain([(name, value)]).collect();
    Ok(LabelSet::from_pairs(pairs)?)
}

/// The labels without the name and what goes with it.
pub(crate) fn without_metadata(labels: Labels<'_>) -> LabelSet {
    filtered(labels, |name| !is_among(name, &METADATA))
}

/// Appends the canonical bytes of the labels without the name and what goes with it.
pub(super) fn put_without_metadata(labels: Labels<'_>, out: &mut Vec<u8>) {
    put_filtered(labels, |name| !is_among(name, &METADATA), out);
}

/// The labels that make the group of a series; `without` leaves out the name too.
pub(crate) fn grouped(labels: Labels<'_>, grouping: &Grouping) -> LabelSet {
    let mut bytes = Vec::new();
    put_grouped(labels, grouping, &mut bytes);
    Labels::from_bytes(&bytes).map_or_else(|_| LabelSet::default(), Labels::to_set)
}

/// Appends the canonical bytes of the labels that make the group of a series.
pub(crate) fn put_grouped(labels: Labels<'_>, grouping: &Grouping, out: &mut Vec<u8>) {
    match grouping {
        Grouping::By(names) if names.is_empty() => {}
        Grouping::By(names) => put_filtered(labels, |name| is_among(name, names), out),
        Grouping::Without(names) => put_filtered(
            labels,
            |name| name != NAME.as_bytes() && !is_among(name, names),
            out,
        ),
    }
}

/// The name of the metric, empty where there is none.
pub(crate) fn metric_name<'a>(labels: Labels<'a>) -> &'a str {
    labels.value(NAME).unwrap_or("")
}

impl Evaluator<'_> {
    pub(super) fn delays_names(&self) -> bool {
        self.options.names == NameRemoval::Delayed
    }

    /// Takes the name off a series, now or at the end.
    pub(super) fn drop_name(&self, series: &mut Series) {
        series.drops_name = true;
        if !self.delays_names() {
            series.labels = without_metadata(series.labels.as_labels());
        }
    }

    /// Joins series that have become the same. Where names go at the end, that is looked at then.
    /// Loki's operators do not ask whether series are the same: they stay apart.
    pub(super) fn settle(&self, mut series: Vec<Series>) -> Result<Vec<Series>> {
        if self.dialect == Dialect::Prometheus {
            return settle(series);
        }
        series.retain(|series| !series.column.is_absent());
        Ok(series)
    }

    /// Takes off the names that were to go at the end.
    pub(crate) fn finish_names(&self, mut series: Vec<Series>) -> Result<Vec<Series>> {
        for series in series.iter_mut().filter(|series| series.drops_name) {
            series.labels = without_metadata(series.labels.as_labels());
        }
        settle(series)
    }
}

/// An error for a name that no label may have.
pub(super) fn check_label_name(name: &Text, what: &str) -> Result<()> {
    if name.value.is_empty() || name.bytes.is_some() {
        return Err(Error::execution(format!("invalid {what}: {}", name.value)));
    }
    Ok(())
}
