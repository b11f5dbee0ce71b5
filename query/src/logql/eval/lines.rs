//! Queries for lines: in order of time, whatever the stream, up to a limit.
//!
//! The range is read in slices from the end that comes first. Each slice is much longer than the
//! one before, so that a limit that is soon reached reads little, and one that is never reached
//! reads no chunk more than a few times.

use std::collections::HashMap;
use std::hash::RandomState;

use chronolith_engine::Wanted;
use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::LineRun;

use crate::logql::Result;
use crate::logql::answer::{LinesAnswer, ResultEntry, ResultStream};
use crate::logql::eval::best::{Best, Found, Place};
use crate::logql::eval::parallel::{Streams, work};
use crate::logql::limits::Guard;
use crate::logql::pipeline::{LabelsWanted, Pipeline, StreamPipeline};
use crate::logql::query::LinesRequest;
use crate::logql::source::{Direction, LineRequest, LineSource, LineStream};
use crate::logql::syntax::ast::LogQuery;

/// The first slice is such a part of the range, but not shorter than a second.
const FIRST_SLICE: i64 = 1 << 16;
const FIRST_SLICE_MIN_NS: i64 = 1_000_000_000;

/// How much longer than the slices so far the next one is.
const SLICE_GROWTH: i64 = 16;

/// How many lines of a slice are held where only some of them are kept.
const SPACED_LINES_MAX: usize = 1 << 16;

/// Loki reads a range in parts that end at full hours, and each begins to space its lines anew.
const PART_NS: i64 = 3_600_000_000_000;

/// Lines between two looks at the clock.
const LINES_PER_CHECK: usize = 4096;

/// Reads the lines that a query asks for.
pub(crate) fn lines(
    query: &LogQuery,
    source: &dyn LineSource,
    request: &LinesRequest,
    guard: &Guard,
    workers: usize,
) -> Result<LinesAnswer> {
    let pipeline = Pipeline::new(&query.stages, &LabelsWanted::All)?;
    let mut answer = Answer::new(request);
    let mut slices = Slices::new(request);
    while let Some((start, end)) = slices.next() {
        let streams = source.streams(&LineRequest {
            matchers: &query.matchers,
            start,
            end,
            needles: pipeline.needles(),
        })?;
        let reader = Reader {
            pipeline: &pipeline,
            direction: request.direction,
            room: answer.room(),
            guard,
            hasher: RandomState::new(),
        };
        let mut found = reader.read(&streams, workers)?;
        if request.interval > 0 && found.is_full() {
            // What stands behind the last one was not held, so the next slice begins there.
            if let Some(time) = found.forget_last_time() {
                slices.go_back_to(time);
            }
        }
        if answer.take(found) {
            break;
        }
    }
    guard.keep(answer.found.len() as u64);
    Ok(answer.finish(guard))
}

/// Reads one slice.
struct Reader<'a> {
    pipeline: &'a Pipeline,
    direction: Direction,
    room: usize,
    guard: &'a Guard,
    hasher: RandomState,
}

impl Reader<'_> {
    fn read(&self, streams: &Streams<'_>, workers: usize) -> Result<Best> {
        let empty = || Ok(Best::new(self.direction, self.room, self.hasher.clone()));
        let read = |best: &mut Best, place: usize, stream: &dyn LineStream| {
            self.read_stream(best, place, stream)
        };
        let mut parts = work(streams, workers, empty, read)?.into_iter();
        let mut all = parts.next().map_or_else(empty, Ok)?;
        parts.for_each(|part| all.absorb(part));
        Ok(all)
    }

    fn read_stream(&self, best: &mut Best, at: usize, stream: &dyn LineStream) -> Result<()> {
        self.guard.opened()?;
        let mut bound = self.pipeline.stream(stream.labels());
        // Lines are counted from the end that comes first; backward that is down from the middle,
        // so that later lines have higher places either way.
        let mut before = match self.direction {
            Direction::Forward => 0,
            Direction::Backward => usize::MAX / 2,
        };
        for run in stream.runs(Wanted::Everything, self.direction)? {
            let run = run?;
            if self.direction == Direction::Backward {
                before -= run.len();
            }
            if self.read_run(best, (at, before), &run, &mut bound)? == Rest::OfNoUse {
                return Ok(());
            }
            if self.direction == Direction::Forward {
                before += run.len();
            }
        }
        Ok(())
    }

    /// Reads a run of the stream at a place, before which so many lines stand.
    fn read_run(
        &self,
        best: &mut Best,
        (stream, before): (usize, usize),
        run: &LineRun,
        bound: &mut StreamPipeline<'_>,
    ) -> Result<Rest> {
        let count = run.len();
        // Where a text is looked for, all places that have it are found beforehand.
        let candidates: Option<Vec<usize>> = match self.pipeline.needles().is_empty() {
            true => None,
            false => Some(self.pipeline.candidates(run).collect()),
        };
        let steps = candidates.as_ref().map_or(count, Vec::len);
        let mut read_bytes = 0;
        for step in 0..steps {
            let from_start = match self.direction {
                Direction::Forward => step,
                Direction::Backward => steps - 1 - step,
            };
            let index = candidates
                .as_ref()
                .map_or(from_start, |places| places[from_start]);
            let place = Place {
                time: run.times()[index],
                stream,
                line: before + index,
            };
            if !best.wants(place) {
                // All that follows stands behind it.
                self.guard.read(step, read_bytes)?;
                return Ok(Rest::OfNoUse);
            }
            if step % LINES_PER_CHECK == LINES_PER_CHECK - 1 {
                self.guard.check()?;
            }
            let line = run.line(index);
            read_bytes += line.len();
            if let Some(outcome) = bound.process(place.time, line, run.metadata(index)) {
                best.offer(place, &outcome, self.guard)?;
            }
        }
        self.guard.read(count, run.text_bytes())?;
        Ok(Rest::MayCount)
    }
}

/// Whether what follows in a stream may still be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    MayCount,
    OfNoUse,
}

/// The slices of a range, from the end that comes first.
struct Slices {
    direction: Direction,
    /// What is left: the first time and the last one.
    start: i64,
    end: i64,
    length: i64,
}

impl Slices {
    fn new(request: &LinesRequest) -> Slices {
        let whole = request.end.saturating_sub(request.start);
        Slices {
            direction: request.direction,
            start: request.start,
            end: request.end.saturating_sub(1),
            length: (whole / FIRST_SLICE).max(FIRST_SLICE_MIN_NS),
        }
    }

    /// Lets the next slice begin at a time of the last one.
    fn go_back_to(&mut self, time: i64) {
        match self.direction {
            Direction::Forward => self.start = time,
            Direction::Backward => self.end = time,
        }
        self.length = FIRST_SLICE_MIN_NS;
    }

    /// The first time and the last one of the next slice.
    fn next(&mut self) -> Option<(i64, i64)> {
        if self.start > self.end {
            return None;
        }
        let slice = match self.direction {
            Direction::Forward => {
                let end = self.start.saturating_add(self.length - 1).min(self.end);
                let start = std::mem::replace(&mut self.start, end.saturating_add(1));
                (start, end)
            }
            Direction::Backward => {
                let start = self.end.saturating_sub(self.length - 1).max(self.start);
                let end = std::mem::replace(&mut self.end, start.saturating_sub(1));
                (start, end)
            }
        };
        self.length = self.length.saturating_mul(SLICE_GROWTH);
        Some(slice)
    }
}

/// What was found so far.
struct Answer {
    limit: usize,
    interval: i64,
    found: Vec<Found>,
}

impl Answer {
    fn new(request: &LinesRequest) -> Answer {
        Answer {
            limit: request.limit,
            interval: request.interval,
            found: Vec::new(),
        }
    }

    /// How many lines of the next slice may be of use.
    fn room(&self) -> usize {
        match self.interval {
            // Which lines are far enough from each other is told by all of them.
            1.. => SPACED_LINES_MAX,
            _ => self.limit - self.found.len(),
        }
    }

    /// Takes the lines of a slice; whether that is all.
    fn take(&mut self, best: Best) -> bool {
        for found in best.into_lines() {
            if self.found.len() >= self.limit {
                break;
            }
            let part = |time: i64| time.div_euclid(PART_NS);
            let is_far = |last: &Found| {
                found.time.abs_diff(last.time) >= self.interval.unsigned_abs()
                    || part(found.time) != part(last.time)
            };
            if self.interval <= 0 || self.found.last().is_none_or(is_far) {
                self.found.push(found);
            }
        }
        self.found.len() >= self.limit
    }

    fn finish(self, guard: &Guard) -> LinesAnswer {
        let mut places: HashMap<LabelSet, usize> = HashMap::new();
        let mut streams: Vec<ResultStream> = Vec::new();
        for found in self.found {
            let place = *places
                .entry(found.stream.as_ref().clone())
                .or_insert_with_key(|labels| {
                    streams.push(ResultStream {
                        labels: labels.clone(),
                        entries: Vec::new(),
                    });
                    streams.len() - 1
                });
            streams[place].entries.push(ResultEntry {
                time: found.time,
                line: found.line,
                metadata: found.metadata,
                parsed: found.parsed,
            });
        }
        streams.sort_by(|one, two| one.labels.cmp(&two.labels));
        LinesAnswer {
            streams,
            stats: guard.stats(),
        }
    }
}
