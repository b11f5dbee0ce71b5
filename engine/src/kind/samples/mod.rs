//! Metrics: a float or a native histogram at a millisecond.

pub(crate) mod cut;
pub(crate) mod open;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod seal;

use std::ops::Deref;

use crate::codec::Packing;
use crate::codec::bytes::Cursor;
use crate::codec::histogram::{Counts, Histogram};
use crate::config::Limits;
use crate::error::Result;
use crate::kind::{
    Arrival, ChunkSink, Effort, Newest, Parts, RecordState, Refusal, Scratch, StoredChunk, Verdict,
    Wanted,
};
use crate::time::{Millis, TickRange, Ticks};
use open::{OpenSamples, SampleView};
use run::SampleRun;

/// The kind of metrics: milliseconds to a float or a native histogram.
pub enum Samples {}

/// One sample as a batch carries it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// When it was taken.
    pub time: Millis,
    /// Since when its counter counts, where the sender says so.
    pub start: Option<Millis>,
    /// The value.
    pub value: SampleValue<'a>,
}

/// A float with every bit pattern kept, or a native histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleValue<'a> {
    /// Any 64-bit float, the stale marker and other NaNs bit for bit.
    Float(f64),
    /// A native histogram.
    Histogram(&'a Histogram),
}

impl Sample<'static> {
    /// A plain float.
    pub fn float(time: Millis, value: f64) -> Self {
        Sample {
            time,
            start: None,
            value: SampleValue::Float(value),
        }
    }
}

/// The bits by which Prometheus marks that a series has ended; no other NaN means it.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

impl Parts for Samples {
    const NAME: &'static str = "metrics";
    const HAS_TEXT: bool = false;

    type Time = Millis;
    type Entry<'a> = Sample<'a>;
    type Run = SampleRun;
    type Open = OpenSamples;
    type View = SampleView;

    fn time(entry: &Sample<'_>) -> Ticks {
        entry.time.into()
    }

    fn check(entry: &Sample<'_>, limits: &Limits) -> Result<(), Refusal> {
        let SampleValue::Histogram(histogram) = entry.value else {
            return Ok(());
        };
        let buckets = bucket_count(histogram);
        if buckets > limits.histogram_buckets_max {
            let max = limits.histogram_buckets_max;
            return Err(Refusal::Entry(format!(
                "histogram has {buckets} buckets, limits.histogram_buckets_max is {max}"
            )));
        }
        histogram
            .validate()
            .map_err(|error| Refusal::Entry(error.to_string()))
    }

    fn fingerprint(entry: &Sample<'_>) -> u64 {
        match entry.value {
            SampleValue::Float(value) => value.to_bits(),
            SampleValue::Histogram(histogram) => record::histogram_fingerprint(histogram),
        }
    }

    #[inline]
    fn offer(open: &mut OpenSamples, entry: &Sample<'_>, arrival: &Arrival) -> Verdict {
        open.offer(entry, arrival)
    }

    fn rollback(open: &mut OpenSamples, keep: u64) -> Option<Newest> {
        open.rollback(keep)
    }

    fn heap_bytes(open: &OpenSamples) -> usize {
        open.heap_bytes()
    }

    fn newest(open: &OpenSamples) -> Option<Newest> {
        open.newest()
    }

    #[inline]
    fn touch(open: &OpenSamples) -> u64 {
        open.touch()
    }

    #[inline]
    fn pack(entry: &Sample<'_>) -> Option<u64> {
        match entry.value {
            SampleValue::Float(value) if entry.start.is_none() => Some(value.to_bits()),
            _ => None,
        }
    }

    #[inline]
    fn unpack(time: Ticks, word: u64) -> Sample<'static> {
        Sample::float(time.into(), f64::from_bits(word))
    }

    fn is_empty(open: &OpenSamples) -> bool {
        open.is_empty()
    }

    fn view(open: &OpenSamples, seq: u64) -> Option<SampleView> {
        open.view(seq)
    }

    fn decode(view: SampleView, _: TickRange, _: Wanted) -> Result<Vec<SampleRun>> {
        view.decode()
    }

    fn put_entry(out: &mut Vec<u8>, entry: &Sample<'_>, state: &mut RecordState) {
        record::put(out, entry, state);
    }

    fn read_entry(
        cursor: &mut Cursor<'_>,
        state: &mut RecordState,
        each: impl FnOnce(&Sample<'_>) -> Result<()>,
    ) -> Result<()> {
        record::read(cursor, state, each)
    }

    fn strip_packing(_effort: Effort) -> &'static [Packing] {
        &[Packing::AsIs]
    }

    fn page_bytes(_effort: Effort) -> usize {
        32 << 10
    }

    fn seal(
        run: &SampleRun,
        effort: Effort,
        scratch: &mut Scratch,
        sink: &mut ChunkSink<'_>,
    ) -> Result<()> {
        seal::seal(run, effort, scratch, sink)
    }

    fn each_text<'r>(_run: &'r SampleRun, _each: impl FnMut(&'r [u8])) {}

    fn check_summary(encoding: u8, summary: &[u8], run: &SampleRun) -> Result<()> {
        seal::check_summary(encoding, summary, run)
    }

    fn open_chunk<B: Deref<Target = [u8]>>(chunk: &StoredChunk<'_, B>) -> Result<SampleRun> {
        seal::open_chunk(chunk)
    }
}

fn bucket_count(histogram: &Histogram) -> usize {
    match &histogram.counts {
        Counts::Integer(counts) => counts.positive.len() + counts.negative.len(),
        Counts::Float(counts) => counts.positive.len() + counts.negative.len(),
    }
}
