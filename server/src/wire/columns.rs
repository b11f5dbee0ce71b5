//! What a pushed request holds, as columns: label bytes, samples, histograms, and what goes beside
//! them. A [`Batch`] borrows from it.

use std::borrow::Cow;

use chronolith_engine::metrics::{Histogram, Sample, SampleValue, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, BatchMode};

use super::labels::LabelScratch;
use super::protobuf::Malformed;

/// Samples of one request.
pub(crate) const SAMPLES_MAX: usize = 2_000_000;
/// Native histograms of one request: each takes some hundred bytes in memory.
pub(crate) const HISTOGRAMS_MAX: usize = 100_000;
/// Buckets of all histograms of one request.
pub(crate) const BUCKETS_MAX: usize = 4_000_000;
/// Exemplars of one request.
pub(crate) const EXEMPLARS_MAX: usize = 100_000;
/// Labels of all exemplars of one request.
const EXEMPLAR_LABELS_MAX: usize = 500_000;
/// Metric families of one request.
const METADATA_MAX: usize = 200_000;
/// Series of one request.
pub(crate) const SERIES_MAX: usize = 1_000_000;
/// Label bytes of all series of one request: names and values that are sent once and referred to
/// many times count each time.
pub(crate) const LABEL_BYTES_MAX: usize = 128 << 20;
/// Characters of the names and values of one exemplar's labels, as in OpenMetrics.
pub(crate) const EXEMPLAR_CHARS_MAX: usize = 128;
/// Faults that are told in words.
const FAULTS_TOLD_MAX: usize = 5;

/// What a request was decoded to.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    labels: Vec<u8>,
    series: Vec<SeriesEnds>,
    samples: Vec<Sample<'static>>,
    histograms: Vec<TimedHistogram>,
    buckets: usize,
    exemplars: Vec<WireExemplar<'a>>,
    exemplar_labels: usize,
    metadata: Vec<WireMetadata<'a>>,
    /// Series that were left out because their labels make none.
    pub(crate) skipped: u64,
    /// What was refused while decoding, for messages where each entry stands alone.
    pub(crate) faults: Faults,
}

/// Where the parts of one series end in the columns.
#[derive(Clone, Copy, Default)]
struct SeriesEnds {
    labels: usize,
    samples: usize,
    histograms: usize,
}

/// A native histogram with its times.
pub(crate) struct TimedHistogram {
    pub(crate) time: i64,
    pub(crate) start: i64,
    pub(crate) histogram: Histogram,
}

/// An exemplar of the series with this place.
pub(crate) struct WireExemplar<'a> {
    pub(crate) series: usize,
    pub(crate) time: i64,
    pub(crate) value: f64,
    pub(crate) labels: Vec<WireLabel<'a>>,
}

/// A text of a message: borrowed where it stands there as it is meant.
pub(crate) type WireText<'a> = Cow<'a, [u8]>;

/// The name and the value of a label.
pub(crate) type WireLabel<'a> = (WireText<'a>, WireText<'a>);

/// Metadata of a metric family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WireMetadata<'a> {
    pub(crate) family: WireText<'a>,
    pub(crate) kind: &'static str,
    pub(crate) help: &'a [u8],
    pub(crate) unit: &'a [u8],
}

/// What was not taken, and the first reasons in words.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    count: u64,
    told: Vec<String>,
}

impl Faults {
    pub(crate) fn add(&mut self, why: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < FAULTS_TOLD_MAX {
            self.told.push(why());
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The reasons in one line.
    pub(crate) fn text(&self) -> String {
        let mut text = self.told.join("; ");
        let more = self.count - self.told.len() as u64;
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        text
    }
}

impl<'a> Columns<'a> {
    /// Adds a sample to the series at hand; a start of 0 is none.
    #[inline]
    pub(crate) fn sample(&mut self, time: i64, start: i64, value: f64) -> Result<(), Malformed> {
        if self.samples.len() >= SAMPLES_MAX {
            return Err(too_many("samples", SAMPLES_MAX));
        }
        self.samples.push(Sample {
            time: Millis(time),
            start: (start != 0).then_some(Millis(start)),
            value: SampleValue::Float(value),
        });
        Ok(())
    }

    /// Adds a histogram to the series at hand.
    pub(crate) fn histogram(
        &mut self,
        timed: TimedHistogram,
        buckets: usize,
    ) -> Result<(), Malformed> {
        self.buckets += buckets;
        if self.histograms.len() >= HISTOGRAMS_MAX {
            return Err(too_many("native histograms", HISTOGRAMS_MAX));
        }
        if self.buckets > BUCKETS_MAX {
            return Err(too_many("buckets of native histograms", BUCKETS_MAX));
        }
        self.histograms.push(timed);
        Ok(())
    }

    /// Adds an exemplar to the series at hand.
    pub(crate) fn exemplar(
        &mut self,
        time: i64,
        value: f64,
        labels: Vec<WireLabel<'a>>,
    ) -> Result<(), Malformed> {
        if self.exemplars.len() >= EXEMPLARS_MAX {
            return Err(too_many("exemplars", EXEMPLARS_MAX));
        }
        self.exemplar_labels += labels.len();
        if self.exemplar_labels > EXEMPLAR_LABELS_MAX {
            return Err(too_many("labels of exemplars", EXEMPLAR_LABELS_MAX));
        }
        self.exemplars.push(WireExemplar {
            series: self.series.len(),
            time,
            value,
            labels,
        });
        Ok(())
    }

    /// Adds metadata. That of one family often comes several times in a row.
    pub(crate) fn metadata(&mut self, found: WireMetadata<'a>) -> Result<(), Malformed> {
        if self.metadata.last() == Some(&found) {
            return Ok(());
        }
        if self.metadata.len() >= METADATA_MAX {
            return Err(too_many("metric families", METADATA_MAX));
        }
        self.metadata.push(found);
        Ok(())
    }

    /// The exemplars of all series.
    pub(crate) fn exemplars(&self) -> &[WireExemplar<'a>] {
        &self.exemplars
    }

    /// The metadata of all families.
    pub(crate) fn families(&self) -> &[WireMetadata<'a>] {
        &self.metadata
    }

    /// Ends the series at hand, of these labels, which are settled.
    #[inline]
    pub(crate) fn end_series(&mut self, labels: &LabelScratch<'_>) -> Result<(), Malformed> {
        if self.series.len() >= SERIES_MAX {
            return Err(too_many("series", SERIES_MAX));
        }
        if self.labels.len() + labels.bytes_max() > LABEL_BYTES_MAX {
            return Err(too_many("bytes of labels", LABEL_BYTES_MAX));
        }
        labels.put(&mut self.labels);
        self.series.push(SeriesEnds {
            labels: self.labels.len(),
            samples: self.samples.len(),
            histograms: self.histograms.len(),
        });
        Ok(())
    }

    /// Forgets the entries of the series at hand.
    pub(crate) fn drop_series(&mut self) {
        let last = self.last();
        self.samples.truncate(last.samples);
        self.histograms.truncate(last.histograms);
        let place = self.series.len();
        while self
            .exemplars
            .last()
            .is_some_and(|exemplar| exemplar.series == place)
        {
            self.exemplars.pop();
        }
    }

    fn last(&self) -> SeriesEnds {
        self.series.last().copied().unwrap_or_default()
    }

    /// The canonical label bytes of a series.
    pub(crate) fn labels(&self, series: usize) -> &[u8] {
        let start = match series.checked_sub(1) {
            Some(before) => self.series[before].labels,
            None => 0,
        };
        &self.labels[start..self.series[series].labels]
    }

    /// All that was decoded as a batch, without the series in `left_out`, which is sorted.
    pub(crate) fn batch(&self, mode: BatchMode, left_out: &[usize]) -> Batch<'_, Samples> {
        let (mut batch, mut before) = (Batch::with_mode(mode), SeriesEnds::default());
        for (place, ends) in self.series.iter().enumerate() {
            let samples = &self.samples[before.samples..ends.samples];
            let histograms = &self.histograms[before.histograms..ends.histograms];
            let labels = &self.labels[before.labels..ends.labels];
            before = *ends;
            let is_empty = samples.is_empty() && histograms.is_empty();
            if is_empty || left_out.binary_search(&place).is_ok() {
                continue;
            }
            batch.series(labels);
            for sample in samples {
                batch.entry(*sample);
            }
            for timed in histograms {
                batch.entry(Sample {
                    time: Millis(timed.time),
                    start: (timed.start != 0).then_some(Millis(timed.start)),
                    value: SampleValue::Histogram(&timed.histogram),
                });
            }
        }
        batch
    }

    /// What each entry of [`Columns::batch`] with nothing left out is, and of which series.
    pub(crate) fn entries(&self) -> Vec<(usize, EntrySort)> {
        let (mut entries, mut before) = (Vec::new(), SeriesEnds::default());
        for (place, ends) in self.series.iter().enumerate() {
            let samples = ends.samples - before.samples;
            let histograms = ends.histograms - before.histograms;
            entries.extend(std::iter::repeat_n((place, EntrySort::Float), samples));
            entries.extend(std::iter::repeat_n(
                (place, EntrySort::Histogram),
                histograms,
            ));
            before = *ends;
        }
        entries
    }

    /// The float samples of all series.
    #[cfg(test)]
    pub(crate) fn samples(&self) -> &[Sample<'static>] {
        &self.samples
    }

    /// One of the histograms.
    #[cfg(test)]
    pub(crate) fn histogram_at(&self, place: usize) -> &TimedHistogram {
        &self.histograms[place]
    }

    /// Float samples and native histograms.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.samples.len(), self.histograms.len())
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntrySort {
    Float,
    Histogram,
}

fn too_many(what: &str, max: usize) -> Malformed {
    Malformed::new(format!(
        "a request may hold {max} {what}: send less at once"
    ))
}
