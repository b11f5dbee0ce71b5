//! Aggregations over windows: from lines to series with a value at each step.
//!
//! Lines are looked at no more closely than somebody will look at the result: a count by labels of
//! the stream reads times alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chronolith_engine::Wanted;
use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::logs::{Abridge, LineRun};
use foldhash::fast::RandomState;

use crate::logql::Result;
use crate::logql::eval::counts::{Counted, Counts, Stepper, Windows};
use crate::logql::eval::failure::Fails;
use crate::logql::eval::looked_at::looked_at;
use crate::logql::eval::parallel::work;
use crate::logql::eval::series::{Identity, SeriesTable};
use crate::logql::eval::steps::TimeGrid;
use crate::logql::eval::values::{Fold, Values, seconds};
use crate::logql::eval::ways::Ways;
use crate::logql::limits::Guard;
use crate::logql::pipeline::{
    LabelsWanted, LineLabels, Pipeline, StreamPipeline, Unwrapped, Unwrapper,
};
use crate::logql::source::{Direction, LineRequest, LineSource, LineStream};
use crate::logql::syntax::ast::{Grouping, RangeAggregate, RangeOp, Stage};
use crate::promql::eval::{Column, Series, said_labels};

/// Lines between two looks at the clock.
const LINES_PER_CHECK: usize = 1024;

/// Where lines come from, and who watches.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) source: &'a dyn LineSource,
    pub(super) guard: &'a Guard,
    pub(super) workers: usize,
}

impl Reading<'_> {
    /// The series of an aggregation over windows. Its grouping is `grouping`: its own, or that of
    /// the sum around it, which then need not be worked out again.
    pub(super) fn range(
        &self,
        range: &RangeAggregate,
        grouping: Option<&Grouping>,
        grid: TimeGrid,
    ) -> Result<Vec<Series>> {
        let windows = Windows {
            grid: grid.earlier(range.offset),
            range: i64::try_from(range.range.as_nanos()).unwrap_or(i64::MAX),
        };
        let unwrapper = range.unwrap.as_ref().map(Unwrapper::new).transpose()?;
        let absent = Grouping {
            is_without: false,
            labels: Vec::new(),
        };
        let grouping = match range.op {
            // Whose lines they are does not matter.
            RangeOp::AbsentOverTime => Some(&absent),
            _ => grouping,
        };
        let unwrapped = unwrapper.as_ref().map(Unwrapper::label);
        let stages = looked_at(range);
        let pipeline = Pipeline::new(&stages, &wanted(grouping, unwrapper.as_ref()))?;
        let counted = match range.op {
            RangeOp::BytesOverTime | RangeOp::BytesRate => Counted::Bytes,
            _ => Counted::Lines,
        };
        let aggregation = Aggregation {
            abridge: pipeline.abridge().filter(|_| counted == Counted::Lines),
            pipeline,
            repeats: range.unwrap.is_none() && stages.iter().all(is_timeless),
            identity: Identity::of(grouping, unwrapped),
            fails: Fails::of(range, grouping),
            is_bare: stages.is_empty() && range.unwrap.is_none(),
            is_of_metadata: range.unwrap.is_none() && stages.iter().all(is_of_metadata),
            keeps_labels: stages.iter().all(keeps_labels),
            unwrapper,
            counted,
            windows,
            guard: self.guard,
        };
        let (start, end) = windows.span();
        let streams = self.source.streams(&LineRequest {
            matchers: &range.lines.matchers,
            start,
            end,
            needles: aggregation.pipeline.needles(),
        })?;
        let tables = || Ok(aggregation.tables());
        let read = |tables: &mut Tables, place: usize, stream: &dyn LineStream| {
            aggregation.read(tables, place, stream)
        };
        let mut parts = work(&streams, self.workers, tables, read)?.into_iter();
        let mut all = parts.next().unwrap_or_else(|| aggregation.tables());
        for part in parts {
            all.absorb(part)?;
        }
        if range.op == RangeOp::AbsentOverTime {
            return Ok(absent_series(range, all, &windows));
        }
        all.finish(range, &windows)
    }
}

/// Which labels anybody looks at behind the pipeline.
fn wanted(grouping: Option<&Grouping>, unwrapper: Option<&Unwrapper>) -> LabelsWanted {
    match grouping {
        Some(grouping) if !grouping.is_without => {
            let mut names: BTreeSet<String> = grouping.labels.iter().cloned().collect();
            names.extend(unwrapper.map(Unwrapper::names).unwrap_or_default());
            LabelsWanted::Names(names)
        }
        _ => LabelsWanted::All,
    }
}

/// Whether a stage leaves labels as they are.
fn keeps_labels(stage: &Stage) -> bool {
    matches!(stage, Stage::Line(_) | Stage::Decolorize)
}

/// Whether a stage sees labels alone. Templates may see the time.
fn is_of_metadata(stage: &Stage) -> bool {
    matches!(stage, Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_))
}

/// Whether a stage of a pipeline over JSON does the same with equal lines. Templates may see the
/// time.
fn is_timeless(stage: &Stage) -> bool {
    matches!(stage, Stage::Json(_)) || is_of_metadata(stage)
}

/// An aggregation, compiled.
struct Aggregation<'a> {
    pipeline: Pipeline,
    /// How little of lines is enough, if not all of them is looked at.
    abridge: Option<Arc<dyn Abridge>>,
    /// Whether lines that are equal, metadata included, go the same way.
    repeats: bool,
    identity: Identity,
    fails: Fails,
    /// Whether there are no stages at all.
    is_bare: bool,
    /// Whether no stage can see more of a line than its labels.
    is_of_metadata: bool,
    /// Whether no stage changes labels: lines with the same metadata are of one series.
    keeps_labels: bool,
    unwrapper: Option<Unwrapper>,
    counted: Counted,
    windows: Windows,
    guard: &'a Guard,
}

/// The series of one worker.
struct Tables {
    counts: SeriesTable<Counts>,
    values: SeriesTable<Values>,
}

impl Aggregation<'_> {
    fn tables(&self) -> Tables {
        Tables {
            counts: SeriesTable::new(self.identity.clone()),
            values: SeriesTable::new(self.identity.clone()),
        }
    }

    fn new_counts(&self) -> Result<Counts> {
        let steps = self.windows.grid.count;
        self.guard.hold(steps)?;
        Ok(Counts::new(self.counted, steps))
    }

    fn read(&self, tables: &mut Tables, at: usize, stream: &dyn LineStream) -> Result<()> {
        self.guard.opened()?;
        let wants_metadata = self.pipeline.wants_metadata_of(stream.labels());
        let counts_bytes = self.counted == Counted::Bytes;
        let is_by_labels = self.is_bare || self.is_of_metadata;
        let wants_text = self.pipeline.wants_text() || (counts_bytes && !is_by_labels);
        let wanted = match (wants_text, counts_bytes, wants_metadata) {
            (true, _, _) => Wanted::Everything,
            (false, true, true) => Wanted::LengthsAndMetadata,
            (false, true, false) => Wanted::Lengths,
            (false, false, true) => Wanted::Metadata,
            (false, false, false) => Wanted::Times,
        };
        let mut bound = self.pipeline.stream(stream.labels());
        let mut known = ByMetadata::default();
        let mut ways = Ways::default();
        let mut stepper = Stepper::new(self.windows);
        let runs = match &self.abridge {
            Some(abridge) if wants_text => stream.runs_abridged(abridge)?,
            _ => stream.runs(wanted, Direction::Forward)?,
        };
        for run in runs {
            let run = run?;
            let kept = if self.is_bare && !wants_metadata {
                self.count_run(tables, &run, stream.labels(), &mut stepper)?
            } else if self.is_of_metadata && !wants_text {
                self.count_by_metadata(tables, &run, &mut bound, &mut known, &mut stepper)?
            } else if self.abridge.is_some() && self.repeats && ways.are_worth_it() {
                self.count_by_line(tables, &run, &mut bound, &mut ways, &mut stepper)?
            } else {
                self.read_run(tables, at, &run, &mut bound, &mut stepper)?
            };
            self.guard.keep(kept as u64);
            self.guard.read(run.len(), run.text_bytes())?;
        }
        Ok(())
    }

    /// Counts lines that are all of one series and that nothing is done with; how many.
    fn count_run(
        &self,
        tables: &mut Tables,
        run: &LineRun,
        labels: Labels<'_>,
        stepper: &mut Stepper,
    ) -> Result<usize> {
        let kept = labels.iter().filter(|(name, _)| self.identity.keeps(name));
        let set = LabelSet::from_pairs(kept)?;
        let place = tables.counts.place_of(set, || self.new_counts())?;
        let counts = tables.counts.state(place);
        match self.counted {
            Counted::Lines => counts.add_times(stepper, run.times()),
            Counted::Bytes => {
                for (index, time) in run.times().iter().enumerate() {
                    counts.add(stepper.steps(*time), run.line_bytes(index));
                }
            }
        }
        Ok(run.len())
    }

    /// Counts lines of which nothing but the metadata matters: those with the same go the same way,
    /// so the pipeline is asked once for each. How many passed.
    fn count_by_metadata(
        &self,
        tables: &mut Tables,
        run: &LineRun,
        bound: &mut StreamPipeline<'_>,
        known: &mut ByMetadata,
        stepper: &mut Stepper,
    ) -> Result<usize> {
        // Lines without metadata have one number, as it were.
        let (numbers, distinct) = run.metadata_numbers().unwrap_or((&[], 1));
        let mut places: Vec<Option<Option<usize>>> = vec![None; distinct];
        let mut kept = 0;
        for (index, &time) in run.times().iter().enumerate() {
            let number = numbers.get(index).map_or(0, |number| *number as usize);
            let found = match places[number] {
                Some(found) => found,
                None => {
                    let metadata = run.metadata(index);
                    let found = self.place_of_metadata(tables, (time, metadata), bound, known)?;
                    places[number] = Some(found);
                    found
                }
            };
            if let Some(place) = found {
                kept += 1;
                let bytes = run.line_bytes(index);
                tables.counts.state(place).add(stepper.steps(time), bytes);
            }
        }
        Ok(kept)
    }

    /// The place of the series of lines with this metadata, of which one has this time; none where
    /// the pipeline drops them.
    fn place_of_metadata(
        &self,
        tables: &mut Tables,
        (time, metadata): (i64, Labels<'_>),
        bound: &mut StreamPipeline<'_>,
        known: &mut ByMetadata,
    ) -> Result<Option<usize>> {
        if let Some(found) = known.get(metadata.as_bytes()) {
            return Ok(*found);
        }
        self.guard.check()?;
        let found = match bound.process(time, b"", metadata) {
            Some(outcome) => Some(self.place(tables, &outcome.labels)?),
            None => None,
        };
        if known.len() >= METADATA_KNOWN_MAX {
            known.clear();
        }
        known.insert(metadata.as_bytes().into(), found);
        Ok(found)
    }

    /// Counts lines of which many are the same, once they are abridged: the pipeline is asked once
    /// for each. How many passed.
    fn count_by_line(
        &self,
        tables: &mut Tables,
        run: &LineRun,
        bound: &mut StreamPipeline<'_>,
        ways: &mut Ways,
        stepper: &mut Stepper,
    ) -> Result<usize> {
        let mut kept = 0;
        for (index, &time) in run.times().iter().enumerate() {
            if index % LINES_PER_CHECK == LINES_PER_CHECK - 1 {
                self.guard.check()?;
            }
            let (line, metadata) = (run.line(index), run.metadata(index));
            let way = match ways.find(line, metadata) {
                Some(way) => way,
                None => {
                    let way = match bound.process(time, line, metadata) {
                        Some(outcome) => Some(self.place(tables, &outcome.labels)?),
                        None => None,
                    };
                    ways.note(way);
                    way
                }
            };
            if let Some(place) = way {
                kept += 1;
                tables.counts.state(place).add(stepper.steps(time), 0);
            }
        }
        Ok(kept)
    }

    /// The place of the series of a line that is counted; an error where the line has one that
    /// fails the query.
    fn place(&self, tables: &mut Tables, labels: &LineLabels<'_>) -> Result<usize> {
        match self.fails.check(labels) {
            Some(error) => Err(error),
            None => tables.counts.place(labels, || self.new_counts()),
        }
    }

    /// Sends lines through the pipeline one by one; how many passed.
    fn read_run(
        &self,
        tables: &mut Tables,
        stream: usize,
        run: &LineRun,
        bound: &mut StreamPipeline<'_>,
        stepper: &mut Stepper,
    ) -> Result<usize> {
        let (mut kept, mut held) = (0, 0);
        // The series of the last line, and the metadata by which it was told.
        let mut last: Option<(usize, Labels<'_>)> = None;
        for (seen, index) in self.pipeline.candidates(run).enumerate() {
            if seen % LINES_PER_CHECK == LINES_PER_CHECK - 1 {
                self.guard.check()?;
            }
            let (time, metadata) = (run.times()[index], run.metadata(index));
            let Some(mut outcome) = bound.process(time, run.line(index), metadata) else {
                continue;
            };
            let labels = &mut outcome.labels;
            if let Some(unwrapper) = &self.unwrapper {
                let sample = unwrapper.sample(labels);
                if sample == Unwrapped::Skip {
                    continue;
                }
                if let Some(error) = self.fails.check(labels) {
                    return Err(error);
                }
                if let Unwrapped::Value(value) = sample {
                    let place = tables.values.place(labels, || Ok(Values::default()))?;
                    tables.values.state(place).push(stream, time, value);
                    held += 1;
                }
            } else {
                let same = last.filter(|(_, known)| self.keeps_labels && *known == metadata);
                let place = match same {
                    Some((place, _)) => place,
                    None => self.place(tables, labels)?,
                };
                last = Some((place, metadata));
                let bytes = outcome.line.len();
                tables.counts.state(place).add(stepper.steps(time), bytes);
            }
            kept += 1;
        }
        self.guard.hold(held)?;
        Ok(kept)
    }
}

/// Series of one stream by the metadata of lines; none where the pipeline drops them.
type ByMetadata = HashMap<Box<[u8]>, Option<usize>, RandomState>;

/// How many sets of metadata are remembered. Where each line has its own, remembering is in vain.
const METADATA_KNOWN_MAX: usize = 1024;

impl Tables {
    /// Takes over what another worker found.
    fn absorb(&mut self, other: Tables) -> Result<()> {
        for (labels, counts) in other.counts.into_series() {
            let mut counts = Some(counts);
            let place = self.counts.place_of(labels, || {
                // It is new here: what the other worker has is taken as it is.
                Ok(counts
                    .take()
                    .unwrap_or_else(|| Counts::new(Counted::Lines, 0)))
            })?;
            if let Some(counts) = counts {
                self.counts.state(place).absorb(&counts);
            }
        }
        for (labels, values) in other.values.into_series() {
            let place = self.values.place_of(labels, || Ok(Values::default()))?;
            self.values.state(place).absorb(values);
        }
        Ok(())
    }

    fn finish(self, range: &RangeAggregate, windows: &Windows) -> Result<Vec<Series>> {
        let divisor = match range.op {
            RangeOp::Rate | RangeOp::BytesRate => seconds(windows.range),
            _ => 1.0,
        };
        let mut found = Vec::new();
        for (labels, counts) in self.counts.into_series() {
            found.push(series(labels, counts.column(divisor)));
        }
        let fold = Fold::new(range.op, range.parameter, windows.range);
        for (labels, values) in self.values.into_series() {
            found.push(series(labels, values.column(&fold, windows)?));
        }
        found.retain(|series| !series.column.is_absent());
        // Whatever the threads did, the answer is the same.
        found.sort_by(|one, two| one.labels.cmp(&two.labels));
        Ok(found)
    }
}

fn series(labels: LabelSet, column: Column) -> Series {
    Series {
        labels,
        drops_name: false,
        column,
    }
}

/// One series with the labels that the selector asks for, where no line is.
fn absent_series(range: &RangeAggregate, tables: Tables, windows: &Windows) -> Vec<Series> {
    let steps = windows.grid.count;
    let mut column = Column::of_floats(vec![1.0; steps]);
    let mut fill = |there: &Column| {
        for step in 0..steps {
            if there.has(step) {
                column.clear(step);
            }
        }
    };
    for (_, counts) in tables.counts.into_series() {
        fill(&counts.column(1.0));
    }
    let fold = Fold::new(RangeOp::LastOverTime, None, windows.range);
    for (_, values) in tables.values.into_series() {
        if let Ok(there) = values.column(&fold, windows) {
            fill(&there);
        }
    }
    match column.is_absent() {
        true => Vec::new(),
        false => vec![series(said_labels(range.lines.matchers.iter()), column)],
    }
}
