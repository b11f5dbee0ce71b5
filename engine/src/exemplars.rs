//! Exemplars: example events beside the samples of a series, kept as lines of a store of their own.

use crate::error::{Error, Result};
use crate::head::batch::{Batch, Report};
use crate::kind::lines::{Line, Lines};
use crate::labels::set::{LabelSet, Labels};

use crate::store::deletion::{Deletion, DeletionStatus};
use crate::store::select::Selector;
use crate::tenant::Tenant;
use crate::time::{Millis, Nanos, TickRange, Ticks};

/// Nanoseconds of a millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// An example event behind a sample: usually a trace id.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// When it happened.
    pub time: Millis,
    /// The value it was an example of.
    pub value: f64,
    /// What names it, such as a `trace_id`.
    pub labels: LabelSet,
}

impl Tenant {
    /// Stores exemplars of series, given by label set; identical ones are kept once.
    pub fn append_exemplars(&self, exemplars: &[(Labels<'_>, Exemplar)]) -> Result<Report> {
        let texts: Vec<String> = exemplars
            .iter()
            .map(|(_, exemplar)| text_of(exemplar.value))
            .collect();
        let mut batch = Batch::<Lines>::new();
        for ((series, exemplar), text) in exemplars.iter().zip(&texts) {
            let time = exemplar
                .time
                .0
                .checked_mul(NANOS_PER_MILLI)
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "exemplar time {} ms is out of range",
                        exemplar.time.0
                    ))
                })?;
            let metadata = exemplar.labels.as_labels();
            batch.push(
                *series,
                Line {
                    time: Nanos(time),
                    text,
                    metadata,
                },
            );
        }
        self.exemplar_store()?.append(&batch)
    }

    /// The exemplars of the series that the selector accepts, by series and time. The selector's
    /// range is in milliseconds, as for metrics.
    pub fn exemplars(&self, selector: &Selector) -> Result<Vec<(LabelSet, Vec<Exemplar>)>> {
        let mut in_nanos = selector.clone();
        in_nanos.range = nanos_of(selector.range);
        let mut found = Vec::new();
        for series in self.exemplar_store()?.snapshot().select(&in_nanos)? {
            let mut exemplars = Vec::new();
            for run in series.read()? {
                for index in 0..run.len() {
                    exemplars.push(Exemplar {
                        time: Millis(run.times()[index].div_euclid(NANOS_PER_MILLI)),
                        value: value_of(run.line(index))?,
                        labels: run.metadata(index).to_set(),
                    });
                }
            }
            if !exemplars.is_empty() {
                found.push((series.labels().to_set(), exemplars));
            }
        }
        Ok(found)
    }

    /// Deletes exemplars, as [`Store::delete`](crate::Store::delete) deletes entries; the range is
    /// in milliseconds. A delete of metrics leaves exemplars alone, and this leaves the samples.
    pub fn delete_exemplars(&self, deletion: &Deletion) -> Result<u64> {
        let mut in_nanos = deletion.clone();
        in_nanos.range = nanos_of(deletion.range);
        if !in_nanos.filters.is_empty() {
            return Err(Error::invalid(
                "exemplars have no lines that a filter could look at",
            ));
        }
        self.exemplar_store()?.delete(&in_nanos)
    }

    /// Takes a deletion of exemplars back, as
    /// [`Store::cancel_delete`](crate::Store::cancel_delete) does.
    pub fn cancel_exemplar_deletion(&self, id: u64) -> Result<bool> {
        self.exemplar_store()?.cancel_delete(id)
    }

    /// The deletions of exemplars in force, as [`Store::deletions`](crate::Store::deletions) lists
    /// them, with ranges in milliseconds.
    pub fn exemplar_deletions(&self) -> Result<Vec<DeletionStatus>> {
        let mut deletions = self.exemplar_store()?.deletions();
        for status in &mut deletions {
            let nanos = status.deletion.range;
            let millis = |ticks: Ticks| match ticks.0 {
                // The ends of time stand for no end.
                i64::MIN | i64::MAX => ticks,
                nanos => Ticks(nanos.div_euclid(NANOS_PER_MILLI)),
            };
            status.deletion.range = TickRange::new(millis(nanos.start), millis(nanos.end));
            status.created = millis(status.created);
        }
        Ok(deletions)
    }
}

/// A range of milliseconds as the store of exemplars ticks.
fn nanos_of(millis: TickRange) -> TickRange {
    TickRange {
        start: Ticks(millis.start.0.saturating_mul(NANOS_PER_MILLI)),
        end: Ticks(millis.end.0.saturating_mul(NANOS_PER_MILLI)),
    }
}

/// The value's bits in hexadecimal: text, as a line must be, and every bit pattern kept.
fn text_of(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn value_of(text: &[u8]) -> Result<f64> {
    let text = std::str::from_utf8(text).ok();
    let bits = text.and_then(|text| u64::from_str_radix(text, 16).ok());
    bits.map(f64::from_bits)
        .ok_or_else(|| Error::corrupt("an exemplar's value cannot be read"))
}
