//! Classic histograms as native ones with listed borders, for `load_with_nhcb`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::metrics::SCHEMA_CUSTOM;

use crate::promql::histogram::{Buckets, Histogram};
use crate::promql::script::Result;
use crate::promql::syntax::NAME;

/// A histogram at one time, as its series told it.
#[derive(Clone, Default)]
struct Parts {
    /// Borders and the counts up to them, in order of the border.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Classic histograms that are being put together.
#[derive(Default)]
pub(super) struct Collector {
    families: BTreeMap<LabelSet, BTreeMap<i64, Parts>>,
}

/// What a classic series tells about its histogram.
enum Role {
    Bucket(f64),
    Count,
    Sum,
}

impl Collector {
    /// Takes note of a sample, if its series is part of a classic histogram.
    pub(super) fn note(&mut self, labels: &LabelSet, time: i64, value: f64) {
        let Some((family, role)) = role(labels.as_labels()) else {
            return;
        };
        let times = self.families.entry(family).or_default();
        let parts = times.entry(time).or_default();
        match role {
            Role::Bucket(bound) => parts.buckets.push((bound, value)),
            Role::Count => parts.count = Some(value),
            Role::Sum => parts.sum = value,
        }
    }

    /// The histograms, with their labels and times.
    pub(super) fn finish(self) -> Result<Vec<(LabelSet, i64, Arc<Histogram>)>> {
        let mut found = Vec::new();
        for (labels, times) in self.families {
            for (time, parts) in times {
                let histogram = parts
                    .histogram()
                    .map_err(|what| format!("{labels:?}: {what}"))?;
                found.push((labels.clone(), time, Arc::new(histogram)));
            }
        }
        Ok(found)
    }
}

/// The histogram that a series is part of, and which part; nothing for other series.
fn role(labels: Labels<'_>) -> Option<(LabelSet, Role)> {
    let name = labels.value(NAME)?;
    let (family, role) = if let Some(family) = name.strip_suffix("_bucket") {
        let bound: f64 = labels.value("le")?.parse().ok()?;
        (family, Role::Bucket(bound))
    } else if let Some(family) = name.strip_suffix("_count") {
        (family, Role::Count)
    } else {
        (name.strip_suffix("_sum")?, Role::Sum)
    };
    if matches!(role, Role::Bucket(bound) if bound.is_nan()) {
        return None;
    }
    let others = labels
        .iter()
        .filter(|(name, _)| *name != NAME && *name != "le");
    let pairs = others.chain([(NAME, family)]);
    let labels = LabelSet::from_pairs(pairs).ok()?;
    Some((labels, role))
}

impl Parts {
    fn histogram(mut self) -> Result<Histogram> {
        self.buckets.sort_by(|one, two| one.0.total_cmp(&two.0));
        // One border may be written in several ways; the first one counts.
        self.buckets
            .dedup_by(|next, first| next.0.total_cmp(&first.0).is_eq());
        let highest = self.buckets.last().map_or(0.0, |bucket| bucket.1);
        let count = self.count.unwrap_or(highest);
        if self
            .buckets
            .last()
            .is_none_or(|last| last.0 != f64::INFINITY)
        {
            self.buckets.push((f64::INFINITY, count));
        }
        let (mut bounds, mut counts, mut before) = (Vec::new(), Vec::new(), 0.0);
        for (bound, total) in &self.buckets {
            if *total < before {
                return Err("bucket counts are not monotonic".to_owned());
            }
            counts.push(total - before);
            before = *total;
            if *bound != f64::INFINITY {
                bounds.push(*bound);
            }
        }
        #[expect(clippy::float_cmp)] // Counts are whole.
        if before != count {
            return Err("the count is not that of the +Inf bucket".to_owned());
        }
        let mut histogram = Histogram {
            schema: i32::from(SCHEMA_CUSTOM),
            count,
            sum: self.sum,
            positive: Buckets::dense(0, &counts),
            custom: bounds.into(),
            ..Histogram::default()
        };
        histogram.compact();
        Ok(histogram)
    }
}
