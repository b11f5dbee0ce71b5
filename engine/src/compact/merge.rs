//! The merge: the series of all inputs in label order, each written once, with what is left of its
//! entries.
//!
//! Promises: of every series the entries that a reader of the inputs would see, less those that
//! the screen drops, in blocks of the given partition; a series without entries is gone, and with
//! it label names and values that no other series has. Memory: a chunk of each input, a few
//! mebibytes of entries, and the index of the outputs.

use crate::block::carried::CarriedPage;
use crate::block::walk::SeriesWalk;
use crate::block::{BlockReader, BlockSink, BlockWriter};
use crate::compact::stream::{Piece, Screen, Source, merge_sources};
use crate::error::Result;
use crate::kind::{Columns, Effort, GATHERED_BYTES_MAX, Kind, Scratch};
use crate::labels::set::{Labels, SeriesId};
use crate::time::TickRange;

/// How many bytes are carried in the time in which one is packed.
const CARRYING_COSTS: usize = 16;

/// What a merge drops of a series of the input with a place.
pub(crate) trait SeriesScreen<R> {
    /// Whether nothing of these times is to be dropped.
    fn spares(&mut self, input: usize, labels: Labels<'_>, range: TickRange) -> bool;
    /// What is left of a run.
    fn screen(&mut self, input: usize, labels: Labels<'_>, run: R) -> Result<Vec<R>>;
}

/// What a merge asks of its caller as it goes on.
pub(crate) struct Guide<'a, K: Kind> {
    /// The retention class that a series belongs to.
    pub(crate) class_of: &'a dyn Fn(Labels<'_>) -> u8,
    /// Drops what is to be dropped from a run of an input's series.
    pub(crate) screen: &'a mut dyn SeriesScreen<K::Run>,
    /// Learns that so many bytes of entries were written; may rest, or end the merge.
    pub(crate) pace: &'a mut dyn FnMut(usize) -> Result<()>,
}

/// Writes the entries of `inputs`, oldest acknowledged first, to blocks of `partition`.
pub(crate) fn merge_blocks<'f, K: Kind>(
    inputs: &[&BlockReader],
    partition: TickRange,
    guide: &mut Guide<'_, K>,
    sink: &mut dyn BlockSink<'f>,
) -> Result<()> {
    let mut walks = Vec::with_capacity(inputs.len());
    for (input, reader) in inputs.iter().enumerate() {
        if let Some(walk) = SeriesWalk::open(reader)? {
            walks.push((input, walk));
        }
    }
    let mut outputs = Outputs {
        partition,
        writers: Vec::new(),
        scratch: Scratch::default(),
        sink,
    };
    while let Some(first) = first_in_order(&walks) {
        merge_series(&walks, first, guide, &mut outputs)?;
        advance_from(&mut walks, first)?;
    }
    outputs.finish()
}

type Walk<'r> = (usize, SeriesWalk<'r>);

/// The place of the first walk whose series comes first.
fn first_in_order(walks: &[Walk<'_>]) -> Option<usize> {
    let mut first = 0;
    for (place, (_, walk)) in walks.iter().enumerate().skip(1) {
        let (_, best) = &walks[first];
        // Mostly all inputs stand at one series, which ids tell without a look at labels.
        if walk.id() != best.id() && walk.labels().cmp(&best.labels()).is_lt() {
            first = place;
        }
    }
    (!walks.is_empty()).then_some(first)
}

fn merge_series<K: Kind>(
    walks: &[Walk<'_>],
    first: usize,
    guide: &mut Guide<'_, K>,
    outputs: &mut Outputs<'_, '_>,
) -> Result<()> {
    let (id, labels) = (walks[first].1.id(), walks[first].1.labels());
    let (mut sources, mut places) = (Vec::new(), Vec::new());
    for (input, walk) in walks.iter().filter(|(_, walk)| walk.id() == id) {
        sources.push(Source::<K>::open(walk.reader(), walk.ordinal())?);
        places.push(*input);
    }
    let class = (guide.class_of)(labels);
    let mut gathered = Gathered::<K>::new(id, labels, class);
    let pace = &mut guide.pace;
    let mut screen = ScreenOfSeries {
        places,
        labels,
        screen: &mut *guide.screen,
    };
    let full = outputs.sink.full_page_bytes();
    merge_sources(sources, full, &mut screen, &mut |piece| match piece {
        Piece::Run(run) => {
            pace(run.weight_bytes())?;
            gathered.push(run, outputs)
        }
        Piece::Page(page) => {
            // Copying is a small part of packing.
            pace(page.raw_bytes() / CARRYING_COSTS)?;
            gathered.carry(&page, outputs)
        }
    })?;
    gathered.flush(outputs)
}

/// What is dropped of one series, by the place of its source.
struct ScreenOfSeries<'a, R> {
    places: Vec<usize>,
    labels: Labels<'a>,
    screen: &'a mut dyn SeriesScreen<R>,
}

impl<R> Screen<R> for ScreenOfSeries<'_, R> {
    fn spares(&mut self, source: usize, range: TickRange) -> bool {
        self.screen.spares(self.places[source], self.labels, range)
    }

    fn screen(&mut self, source: usize, run: R) -> Result<Vec<R>> {
        self.screen.screen(self.places[source], self.labels, run)
    }
}

/// Steps all walks that stand at the series of the one at `first`; those at their end go.
fn advance_from(walks: &mut Vec<Walk<'_>>, first: usize) -> Result<()> {
    let id = walks[first].1.id();
    let mut place = 0;
    while place < walks.len() {
        let walk = &mut walks[place].1;
        if walk.id() == id && !walk.advance()? {
            walks.remove(place);
        } else {
            place += 1;
        }
    }
    Ok(())
}

/// Entries of one series on their way to chunks.
struct Gathered<'a, K: Kind> {
    id: SeriesId,
    labels: Labels<'a>,
    class: u8,
    run: Option<K::Run>,
    has_series: bool,
}

impl<'a, K: Kind> Gathered<'a, K> {
    fn new(id: SeriesId, labels: Labels<'a>, class: u8) -> Self {
        Gathered {
            id,
            labels,
            class,
            run: None,
            has_series: false,
        }
    }

    fn push(&mut self, run: K::Run, outputs: &mut Outputs<'_, '_>) -> Result<()> {
        if run.count() == 0 {
            return Ok(());
        }
        match &mut self.run {
            Some(held) if held.joins(&run) => held.extend_from(&run),
            _ => {
                self.flush(outputs)?;
                self.run = Some(run);
            }
        }
        let held = self.run.as_ref().map_or(0, Columns::weight_bytes);
        match held >= GATHERED_BYTES_MAX {
            true => self.flush(outputs),
            false => Ok(()),
        }
    }

    fn flush(&mut self, outputs: &mut Outputs<'_, '_>) -> Result<()> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let (writer, scratch) = self.writer(outputs)?;
        K::seal(&run, Effort::Best, scratch, &mut |chunk| {
            writer.chunk(chunk)
        })
    }

    /// Writes what is gathered, and then a page as it is.
    fn carry(&mut self, page: &CarriedPage, outputs: &mut Outputs<'_, '_>) -> Result<()> {
        self.flush(outputs)?;
        self.writer(outputs)?.0.carried(page)
    }

    /// Where the series goes, which is told of it when it is first asked for.
    fn writer<'o, 'f>(
        &mut self,
        outputs: &'o mut Outputs<'_, 'f>,
    ) -> Result<(&'o mut BlockWriter<'f>, &'o mut Scratch)> {
        let (writer, scratch) = outputs.writer(self.class)?;
        if !self.has_series {
            writer.series(self.id, self.labels)?;
            self.has_series = true;
        }
        Ok((writer, scratch))
    }
}

/// The blocks being written, one for each retention class that has a series.
struct Outputs<'s, 'f> {
    partition: TickRange,
    writers: Vec<(u8, BlockWriter<'f>)>,
    scratch: Scratch,
    sink: &'s mut dyn BlockSink<'f>,
}

impl<'f> Outputs<'_, 'f> {
    fn writer(&mut self, class: u8) -> Result<(&mut BlockWriter<'f>, &mut Scratch)> {
        let found = self.writers.iter().position(|(held, _)| *held == class);
        let place = match found {
            Some(place) => place,
            None => {
                let writer = self.sink.begin(self.partition, class)?;
                self.writers.push((class, writer));
                self.writers.len() - 1
            }
        };
        Ok((&mut self.writers[place].1, &mut self.scratch))
    }

    fn finish(self) -> Result<()> {
        for (class, writer) in self.writers {
            self.sink.done(self.partition, class, writer.finish()?);
        }
        Ok(())
    }
}
