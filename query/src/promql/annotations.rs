//! What a query has to say beside its answer: warnings and infos.
//!
//! The texts are Prometheus', since people search for them.

use std::sync::{Mutex, PoisonError};

use crate::promql::dates;
use crate::promql::histogram::Combined;
use crate::text::{Span, number, quote};

/// Warnings and infos of one query, in the order in which they came up. One that comes up at
/// several places is told once, with the last of them, as Prometheus does it.
#[derive(Clone, Debug, Default)]
pub struct Annotations {
    notes: Vec<Note>,
    /// How often something was noted, again and again counted as well.
    times: usize,
}

#[derive(Clone, Debug)]
struct Note {
    level: Level,
    text: String,
    span: Span,
    repairs: Option<Repairs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Warning,
    Info,
}

/// What was repaired in buckets that were not monotonic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repairs {
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) difference: f64,
    pub(crate) samples: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Annotations {
    /// The warnings, with places in `query`.
    pub fn warnings(&self, query: &str) -> Vec<String> {
        self.texts(Level::Warning, query)
    }

    /// The infos, with places in `query`.
    pub fn infos(&self, query: &str) -> Vec<String> {
        self.texts(Level::Info, query)
    }

    fn texts(&self, level: Level, query: &str) -> Vec<String> {
        let notes = self.notes.iter().filter(|note| note.level == level);
        notes.map(|note| note.show(query)).collect()
    }

    fn add(&mut self, note: Note) {
        self.times += 1;
        let same = |known: &&mut Note| known.level == note.level && known.text == note.text;
        let Some(known) = self.notes.iter_mut().find(same) else {
            self.notes.push(note);
            return;
        };
        known.span = note.span;
        if let (Some(all), Some(more)) = (&mut known.repairs, note.repairs) {
            all.lowest = all.lowest.min(more.lowest);
            all.highest = all.highest.max(more.highest);
            all.difference = all.difference.max(more.difference);
            all.samples += more.samples;
            all.first = all.first.min(more.first);
            all.last = all.last.max(more.last);
        }
    }
}

impl Note {
    fn show(&self, query: &str) -> String {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Info => "info",
        };
        let mut out = format!("PromQL {level}: {}", self.text);
        if let Some(repairs) = &self.repairs {
            out += &format!(
                ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                number::general(repairs.lowest),
                number::general(repairs.highest),
                number::general_rounded(repairs.difference, 2),
                repairs.samples,
                dates::rfc3339(repairs.first),
                dates::rfc3339(repairs.last),
            );
        }
        format!("{out} ({})", self.span.place(query))
    }
}

/// What was being done with histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Addition,
    Subtraction,
    Aggregation,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Addition => "addition",
            Operation::Subtraction => "subtraction",
            Operation::Aggregation => "aggregation",
        }
    }
}

/// Takes notes while a query runs.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Annotations>);

impl Notes {
    pub(crate) fn into_annotations(self) -> Annotations {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often something was noted so far.
    pub(crate) fn times(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).times
    }

    /// Adds what was noted elsewhere.
    pub(crate) fn absorb(&self, others: Notes) {
        let others = others.into_annotations();
        if others.notes.is_empty() {
            return;
        }
        let mut annotations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        others
            .notes
            .into_iter()
            .for_each(|note| annotations.add(note));
    }

    fn warn(&self, span: Span, text: String) {
        self.note(Level::Warning, span, text, None);
    }

    fn inform(&self, span: Span, text: String) {
        self.note(Level::Info, span, text, None);
    }

    fn note(&self, level: Level, span: Span, text: String, repairs: Option<Repairs>) {
        let mut annotations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        annotations.add(Note {
            level,
            text,
            span,
            repairs,
        });
    }

    pub(crate) fn invalid_quantile(&self, span: Span, q: f64) {
        let q = number::general(q);
        self.warn(
            span,
            format!("quantile value should be between 0 and 1, got {q}"),
        );
    }

    pub(crate) fn invalid_ratio(&self, span: Span, ratio: f64, capped: f64) {
        let (ratio, capped) = (number::general(ratio), number::general(capped));
        let text =
            format!("ratio value should be between -1 and 1, got {ratio}, capping to {capped}");
        self.warn(span, text);
    }

    pub(crate) fn bad_bucket_label(&self, span: Span, metric: &str, le: &str) {
        let le = quote::quote(le);
        let text = format!("bucket label \"le\" is missing or has a malformed value of {le}");
        self.warn(span, with_metric(text, metric));
    }

    pub(crate) fn mixed_range(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!("encountered a mix of histograms and floats for metric name {metric}");
        self.warn(span, text);
    }

    pub(crate) fn mixed_aggregation(&self, span: Span) {
        let text = "encountered a mix of histograms and floats for aggregation";
        self.warn(span, text.to_owned());
    }

    pub(crate) fn mixed_classic_native(&self, span: Span, metric: &str) {
        let text = "vector contains a mix of classic and native histograms";
        self.warn(span, with_metric(text.to_owned(), metric));
    }

    pub(crate) fn not_a_counter(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!("this native histogram metric is not a counter: {metric}");
        self.warn(span, text);
    }

    pub(crate) fn not_a_gauge(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!("this native histogram metric is not a gauge: {metric}");
        self.warn(span, text);
    }

    pub(crate) fn mixed_schemas(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!(
            "vector contains a mix of histograms with exponential and custom buckets schemas for \
             metric name {metric}"
        );
        self.warn(span, text);
    }

    pub(crate) fn incompatible_layout(&self, span: Span, operator: &str) {
        let text = format!("incompatible bucket layout encountered for binary operator {operator}");
        self.warn(span, text);
    }

    pub(crate) fn sort_is_ineffective(&self, span: Span) {
        let text = "sort is ineffective for range queries since results are always ordered by \
                    labels";
        self.warn(span, text.to_owned());
    }

    pub(crate) fn overlapping_start(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!(
            "sample has start time that overlaps with previous sample timestamp for metric {metric}"
        );
        self.warn(span, text);
    }

    pub(crate) fn hints_collide(&self, span: Span, operation: Operation) {
        let operation = operation.name();
        let text = format!("conflicting counter resets during histogram {operation}");
        self.warn(span, text);
    }

    pub(crate) fn bounds_reconciled(&self, span: Span, operation: Operation) {
        let operation = operation.name();
        let text = format!("mismatched custom buckets were reconciled during {operation}");
        self.inform(span, text);
    }

    /// What was noticed while two histograms were combined.
    pub(crate) fn combined(&self, span: Span, combined: Combined, operation: Operation) {
        if combined.hints_collide {
            self.hints_collide(span, operation);
        }
        if combined.bounds_reconciled {
            self.bounds_reconciled(span, operation);
        }
    }

    pub(crate) fn possible_non_counter(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \
             {metric}"
        );
        self.inform(span, text);
    }

    pub(crate) fn possible_non_counter_label(&self, span: Span, metric: &str, kind: &str) {
        let (metric, kind) = (quote::quote(metric), quote::quote(kind));
        let text = format!(
            "metric might not be a counter, __type__ label is not set to \"counter\" or \
             \"histogram\", got {kind}: {metric}"
        );
        self.inform(span, text);
    }

    pub(crate) fn forced_monotonicity(&self, span: Span, metric: &str, repairs: Repairs) {
        let text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                    https://prometheus.io/docs/prometheus/latest/querying/functions/\
                    #histogram_quantile)";
        let text = with_metric(text.to_owned(), metric);
        self.note(Level::Info, span, text, Some(repairs));
    }

    pub(crate) fn incompatible_types(&self, span: Span, left: &str, operator: &str, right: &str) {
        let shown = quote::quote(operator);
        let text = format!(
            "incompatible sample types encountered for binary operator {shown}: {left} {operator} \
             {right}"
        );
        self.inform(span, text);
    }

    pub(crate) fn ignored_in_aggregation(&self, span: Span, aggregation: &str) {
        self.inform(
            span,
            format!("ignored histogram in {aggregation} aggregation"),
        );
    }

    pub(crate) fn ignored_in_range(&self, span: Span, metric: &str) {
        let metric = quote::quote(metric);
        let text = format!(
            "ignored histograms in a range containing both floats and histograms for metric name \
             {metric}"
        );
        self.inform(span, text);
    }

    pub(crate) fn quantile_is_nan(&self, span: Span, metric: &str) {
        let text = "input to histogram_quantile has NaN observations, result is NaN";
        self.inform(span, with_metric(text.to_owned(), metric));
    }

    pub(crate) fn quantile_is_skewed(&self, span: Span, metric: &str) {
        let text = "input to histogram_quantile has NaN observations, result is skewed higher";
        self.inform(span, with_metric(text.to_owned(), metric));
    }

    pub(crate) fn fraction_has_nan(&self, span: Span, metric: &str) {
        let text = "input to histogram_fraction has NaN observations, which are excluded from all \
                    fractions";
        self.inform(span, with_metric(text.to_owned(), metric));
    }
}

fn with_metric(text: String, metric: &str) -> String {
    if metric.is_empty() {
        return text;
    }
    format!("{text} for metric name {}", quote::quote(metric))
}
