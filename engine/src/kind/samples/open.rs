//! What a series of samples holds in a head window: a Gorilla stream that readers can copy at any
//! time, a log of what the stream cannot hold, and late samples by time.

use std::collections::BTreeMap;

use crate::codec::bytes::Cursor;
use crate::codec::stream::{self, FloatStream};
use crate::error::{Error, Result};
use crate::kind::marks::Marks;
use crate::kind::merge::merge;
use crate::kind::samples::Samples;
use crate::kind::samples::record::{put_rich, read_rich};
use crate::kind::samples::run::SampleRun;
use crate::kind::samples::{Sample, SampleValue};
use crate::kind::{Arrival, Late, Newest, Parts, Refusal, Verdict};
use crate::time::{Millis, Ticks};

/// The samples of one series in one window.
///
/// Samples in order go to `stream`; from the first histogram or start timestamp on, to
/// `extra.rich`.
#[derive(Default)]
pub struct OpenSamples {
    stream: FloatStream,
    /// Counts of samples in order, `stream` then `rich`.
    marks: Marks,
    extra: Option<Box<Extra>>,
}

/// What most series never have.
#[derive(Default)]
struct Extra {
    rich: RichLog,
    late: BTreeMap<i64, LateSample>,
}

struct LateSample {
    seq: u64,
    bytes: Box<[u8]>,
}

/// Samples with a start timestamp or a histogram, encoded one behind the other.
#[derive(Clone, Default)]
struct RichLog {
    times: Vec<i64>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
    newest_value: u64,
}

/// A copy of what a reader sees.
pub struct SampleView {
    stream: Vec<u8>,
    stream_count: u32,
    rich: RichLog,
    late: Vec<(i64, Box<[u8]>)>,
}

/// How far behind the newest sample of the store one may be where late samples are not taken, in
/// milliseconds: half of what a block of Prometheus holds at first.
const BEHIND_STORE_MAX: i64 = 60 * 60 * 1000;

/// Whether late samples are not taken and this time is too far behind what the store had before.
#[inline]
fn is_out_of_bounds(time: i64, arrival: &Arrival) -> bool {
    arrival.late == Late::Refused
        && time < arrival.newest_of_store.0.saturating_sub(BEHIND_STORE_MAX)
}

impl OpenSamples {
    #[inline]
    pub(crate) fn offer(&mut self, sample: &Sample<'_>, arrival: &Arrival) -> Verdict {
        let newest = match self.newest() {
            Some(newest) => Some(newest),
            None => arrival.newest,
        };
        let time = sample.time.0;
        match newest {
            Some(newest) if time <= newest.time.0 => self.offer_behind(sample, newest, arrival),
            _ if time < arrival.oldest.0 => Verdict::Refused(Refusal::TooOld),
            _ if is_out_of_bounds(time, arrival) => Verdict::Refused(Refusal::OutOfBounds),
            _ => self.append(sample, arrival),
        }
    }

    #[inline]
    fn append(&mut self, sample: &Sample<'_>, arrival: &Arrival) -> Verdict {
        let is_rich = self
            .extra
            .as_ref()
            .is_some_and(|extra| !extra.rich.times.is_empty());
        match sample.value {
            SampleValue::Float(value) if sample.start.is_none() && !is_rich => {
                self.stream.append(sample.time.0, value.to_bits());
            }
            _ => match self.extra.get_or_insert_default().rich.append(sample) {
                Ok(()) => {}
                Err(refusal) => return Verdict::Refused(refusal),
            },
        }
        self.marks
            .note(arrival.seq, self.in_order(), arrival.settled);
        Verdict::Accepted
    }

    /// A sample at or before the newest of its series: a repetition, a conflict, or late.
    #[cold]
    fn offer_behind(&mut self, sample: &Sample<'_>, newest: Newest, arrival: &Arrival) -> Verdict {
        let value = Samples::fingerprint(sample);
        if sample.time.0 == newest.time.0 {
            return match value == newest.value {
                true => Verdict::Duplicate,
                false => Verdict::Refused(Refusal::Conflict),
            };
        }
        if is_out_of_bounds(sample.time.0, arrival) {
            return Verdict::Refused(Refusal::OutOfBounds);
        }
        if arrival.late == Late::Refused {
            return Verdict::Refused(Refusal::OutOfOrder);
        }
        let newest_ever = match arrival.newest {
            Some(before) => newest.time.max(before.time),
            None => newest.time,
        };
        let is_behind = |span: i64| sample.time.0 < newest_ever.0.saturating_sub(span);
        let is_too_late = matches!(arrival.late, Late::Within(span) if is_behind(span));
        if sample.time.0 < arrival.oldest.0 || is_too_late {
            return Verdict::Refused(Refusal::TooOld);
        }
        match self.stored(sample.time.0) {
            Some(stored) if stored == value => Verdict::Duplicate,
            Some(_) => Verdict::Refused(Refusal::Conflict),
            // Before this window's first sample and no sample here yet: as good as in order.
            None if self.in_order() == 0 && self.is_after_late(sample.time.0) => {
                self.append(sample, arrival)
            }
            None => {
                let mut bytes = Vec::new();
                put_rich(&mut bytes, sample);
                let late = LateSample {
                    seq: arrival.seq,
                    bytes: bytes.into(),
                };
                self.extra
                    .get_or_insert_default()
                    .late
                    .insert(sample.time.0, late);
                Verdict::Accepted
            }
        }
    }

    /// Whether every late sample lies before `time`.
    fn is_after_late(&self, time: i64) -> bool {
        let newest_late = self
            .extra
            .as_ref()
            .and_then(|extra| extra.late.last_key_value());
        newest_late.is_none_or(|(late, _)| *late < time)
    }

    /// The fingerprint of the sample stored at `time` in this window.
    fn stored(&self, time: i64) -> Option<u64> {
        if let Some(late) = self.extra.as_ref().and_then(|extra| extra.late.get(&time)) {
            return value_of(&late.bytes, time);
        }
        if let Some(rich) = self.extra.as_ref().map(|extra| &extra.rich)
            && let Ok(index) = rich.times.binary_search(&time)
        {
            return value_of(rich.entry(index), time);
        }
        let (first, last) = self.stream.first_time().zip(self.stream.last_time())?;
        if time < first || time > last {
            return None;
        }
        let (mut times, mut values) = (Vec::new(), Vec::new());
        stream::decode(
            self.stream.as_bytes(),
            self.stream.len(),
            &mut times,
            &mut values,
        )
        .expect("a stream decodes what it has encoded");
        times
            .binary_search(&time)
            .ok()
            .map(|index| values[index].to_bits())
    }

    fn in_order(&self) -> u32 {
        let rich = self
            .extra
            .as_ref()
            .map_or(0, |extra| extra.rich.times.len());
        self.stream.len() + rich as u32
    }

    /// The newest sample in order in this window.
    #[inline]
    pub(crate) fn newest(&self) -> Option<Newest> {
        if let Some(extra) = &self.extra
            && let Some(time) = extra.rich.times.last()
        {
            return Some(Newest {
                time: Ticks(*time),
                value: extra.rich.newest_value,
            });
        }
        let (time, value) = self.stream.last_time().zip(self.stream.last_bits())?;
        Some(Newest {
            time: Ticks(time),
            value,
        })
    }

    pub(crate) fn rollback(&mut self, keep: u64) -> Option<Newest> {
        let remaining = self.marks.rollback(keep);
        let in_stream = remaining.min(self.stream.len());
        if let Some(extra) = &mut self.extra {
            extra.rich.truncate((remaining - in_stream) as usize);
            extra.late.retain(|_, late| late.seq <= keep);
        }
        if in_stream < self.stream.len() {
            self.stream.truncate(in_stream);
        }
        self.newest()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| {
            // A B-tree node is about two thirds full: 64 bytes an entry and the value's own.
            let late = extra.late.len() * 96;
            let rich = &extra.rich;
            rich.times.capacity() * 8 + rich.ends.capacity() * 4 + rich.bytes.capacity() + late
        });
        self.stream.heap_bytes() + self.marks.heap_bytes() + extra
    }

    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.stream
            .as_bytes()
            .last()
            .map_or(0, |byte| u64::from(*byte))
    }

    pub(crate) fn is_empty(&self) -> bool {
        let late = self
            .extra
            .as_ref()
            .is_some_and(|extra| !extra.late.is_empty());
        self.in_order() == 0 && !late
    }

    pub(crate) fn view(&self, seq: u64) -> Option<SampleView> {
        let visible = self.marks.visible(seq);
        let stream_count = visible.min(self.stream.len());
        let (mut rich, mut late) = (RichLog::default(), Vec::new());
        if let Some(extra) = &self.extra {
            rich = extra.rich.clone();
            rich.truncate((visible - stream_count) as usize);
            let seen = extra.late.iter().filter(|(_, sample)| sample.seq <= seq);
            late.extend(seen.map(|(time, sample)| (*time, sample.bytes.clone())));
        }
        if visible == 0 && late.is_empty() {
            return None;
        }
        let stream = if stream_count == 0 {
            Vec::new()
        } else {
            self.stream.as_bytes().to_vec()
        };
        Some(SampleView {
            stream,
            stream_count,
            rich,
            late,
        })
    }
}

impl RichLog {
    fn append(&mut self, sample: &Sample<'_>) -> Result<(), Refusal> {
        put_rich(&mut self.bytes, sample);
        let Ok(end) = u32::try_from(self.bytes.len()) else {
            self.bytes
                .truncate(self.ends.last().map_or(0, |end| *end as usize));
            return Err(Refusal::Entry("a series holds 4 GiB in one window".into()));
        };
        self.times.push(sample.time.0);
        self.ends.push(end);
        self.newest_value = Samples::fingerprint(sample);
        Ok(())
    }

    fn entry(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        &self.bytes[start..self.ends[index] as usize]
    }

    fn truncate(&mut self, count: usize) {
        if count >= self.times.len() {
            return;
        }
        self.times.truncate(count);
        self.ends.truncate(count);
        self.bytes
            .truncate(self.ends.last().map_or(0, |end| *end as usize));
        if let Some(time) = self.times.last() {
            self.newest_value = value_of(self.entry(count - 1), *time).unwrap_or_default();
        }
    }
}

/// The fingerprint of an encoded rich sample.
fn value_of(bytes: &[u8], time: i64) -> Option<u64> {
    let (start, value) = read_rich(&mut Cursor::new(bytes), time).ok()?;
    let sample = Sample {
        time: Millis(time),
        start,
        value: value.as_value(),
    };
    Some(Samples::fingerprint(&sample))
}

impl SampleView {
    pub(crate) fn decode(self) -> Result<Vec<SampleRun>> {
        let mut in_order = Vec::new();
        if self.stream_count > 0 {
            let (mut times, mut values) = (Vec::new(), Vec::new());
            stream::decode(&self.stream, self.stream_count, &mut times, &mut values)?;
            let values = crate::kind::samples::run::SampleColumn::Floats(values);
            in_order.push(SampleRun {
                times,
                starts: None,
                values,
            });
        }
        for index in 0..self.rich.times.len() {
            push_rich(
                &mut in_order,
                self.rich.times[index],
                self.rich.entry(index),
            )?;
        }
        if self.late.is_empty() {
            return Ok(in_order);
        }
        let mut late = Vec::new();
        for (time, bytes) in &self.late {
            push_rich(&mut late, *time, bytes)?;
        }
        Ok(merge(vec![in_order, late]))
    }
}

fn push_rich(runs: &mut Vec<SampleRun>, time: i64, bytes: &[u8]) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    let (start, value) = read_rich(&mut cursor, time)?;
    if !cursor.is_empty() {
        return Err(Error::corrupt("bytes behind a sample"));
    }
    let sample = Sample {
        time: Millis(time),
        start,
        value: value.as_value(),
    };
    if !runs.last().is_some_and(|run| run.takes(&sample)) {
        runs.push(SampleRun::of_sort(&sample));
    }
    runs.last_mut()
        .expect("a run was pushed above")
        .push(&sample);
    Ok(())
}
