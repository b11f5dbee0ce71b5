//! Logs: a line with structured metadata at a nanosecond.

pub(crate) mod filter;
pub(crate) mod open;
pub(crate) mod repeats;
pub(crate) mod run;
pub(crate) mod seal;

use std::ops::Deref;

use crate::codec::bytes::{Cursor, put_prefixed, put_varint_signed};
use crate::codec::{Packing, Sought};
use crate::config::Limits;
use crate::error::Result;
use crate::kind::{
    Arrival, ChunkSink, Effort, Newest, Parts, RecordState, Refusal, Scratch, SearchSource,
    StoredChunk, StripSource, Verdict, Wanted,
};
use crate::labels::set::Labels;
use crate::time::{Nanos, TickRange, Ticks};
use open::{LineView, OpenLines};
use run::LineRun;

/// The kind of logs: nanoseconds to a line with structured metadata.
pub enum Lines {}

/// One log line as a batch carries it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'a> {
    /// When it was written.
    pub time: Nanos,
    /// The text.
    pub text: &'a str,
    /// Structured metadata: labels of this one line.
    pub metadata: Labels<'a>,
}

impl<'a> Line<'a> {
    /// A line without structured metadata.
    pub fn new(time: Nanos, text: &'a str) -> Self {
        Line {
            time,
            text,
            metadata: Labels::EMPTY,
        }
    }
}

impl Parts for Lines {
    const NAME: &'static str = "logs";
    const HAS_TEXT: bool = true;

    type Time = Nanos;
    type Entry<'a> = Line<'a>;
    type Run = LineRun;
    type Open = OpenLines;
    type View = LineView;

    fn time(entry: &Line<'_>) -> Ticks {
        entry.time.into()
    }

    fn check(entry: &Line<'_>, limits: &Limits) -> Result<(), Refusal> {
        let (length, max) = (entry.text.len(), limits.line_bytes_max);
        if length > max {
            return Err(Refusal::Entry(format!(
                "line has {length} bytes, limits.line_bytes_max is {max}"
            )));
        }
        let (length, max) = (entry.metadata.as_bytes().len(), limits.metadata_bytes_max);
        if length > max {
            return Err(Refusal::Entry(format!(
                "metadata has {length} bytes, limits.metadata_bytes_max is {max}"
            )));
        }
        Ok(())
    }

    /// Lines are told apart when they are merged; at the door no fingerprint is needed.
    fn fingerprint(_: &Line<'_>) -> u64 {
        0
    }

    #[inline]
    fn offer(open: &mut OpenLines, entry: &Line<'_>, arrival: &Arrival) -> Verdict {
        open.offer(entry, arrival)
    }

    fn rollback(open: &mut OpenLines, keep: u64) -> Option<Newest> {
        open.rollback(keep)
    }

    fn heap_bytes(open: &OpenLines) -> usize {
        open.heap_bytes()
    }

    fn newest(open: &OpenLines) -> Option<Newest> {
        open.newest()
    }

    /// A line takes long enough by itself.
    fn touch(_: &OpenLines) -> u64 {
        0
    }

    fn pack(_: &Line<'_>) -> Option<u64> {
        None
    }

    fn unpack(time: Ticks, _: u64) -> Line<'static> {
        Line::new(time.into(), "")
    }

    fn is_empty(open: &OpenLines) -> bool {
        open.is_empty()
    }

    fn view(open: &OpenLines, seq: u64) -> Option<LineView> {
        open.view(seq)
    }

    fn span(view: &LineView) -> Option<TickRange> {
        view.span()
    }

    fn decode(view: LineView, shown: TickRange, wanted: Wanted) -> Result<Vec<LineRun>> {
        Ok(view.decode(shown, wanted))
    }

    fn put_entry(out: &mut Vec<u8>, entry: &Line<'_>, state: &mut RecordState) {
        put_varint_signed(out, entry.time.0.wrapping_sub(state.time));
        state.time = entry.time.0;
        put_prefixed(out, entry.metadata.as_bytes());
        put_prefixed(out, entry.text.as_bytes());
    }

    fn read_entry(
        cursor: &mut Cursor<'_>,
        state: &mut RecordState,
        each: impl FnOnce(&Line<'_>) -> Result<()>,
    ) -> Result<()> {
        state.time = state.time.wrapping_add(cursor.varint_signed()?);
        let metadata = Labels::from_bytes(cursor.prefixed()?)?;
        each(&Line {
            time: Nanos(state.time),
            text: cursor.text()?,
            metadata,
        })
    }

    /// Times pack by themselves; metadata and text are compressed, at a compaction as shapes and
    /// columns.
    fn strip_packing(effort: Effort) -> &'static [Packing] {
        match effort {
            Effort::Quick => &[
                Packing::AsIs,
                Packing::Frame(1),
                Packing::AsIs,
                Packing::TextFrame(1),
            ],
            Effort::Best => &[
                Packing::AsIs,
                Packing::Texts(Sought::Never),
                Packing::AsIs,
                Packing::Texts(Sought::ByContent),
            ],
        }
    }

    fn page_bytes(effort: Effort) -> usize {
        match effort {
            Effort::Quick => 256 << 10,
            Effort::Best => 1 << 20,
        }
    }

    /// Half a page: packing fuller ones again would gain little, and takes most of a merge's time.
    fn full_page_bytes() -> Option<usize> {
        Some(Self::page_bytes(Effort::Best) / 2)
    }

    fn seal(
        run: &LineRun,
        effort: Effort,
        scratch: &mut Scratch,
        sink: &mut ChunkSink<'_>,
    ) -> Result<()> {
        seal::seal(run, effort, scratch, sink)
    }

    fn each_text<'r>(run: &'r LineRun, each: impl FnMut(&'r [u8])) {
        (0..run.len()).map(|index| run.line(index)).for_each(each);
    }

    fn open_chunk<B: Deref<Target = [u8]>>(chunk: &StoredChunk<'_, B>) -> Result<LineRun> {
        seal::open_chunk(chunk.encoding, chunk.count, chunk.wanted, chunk.strip)
    }

    fn search_chunk<B: Deref<Target = [u8]>>(
        encoding: u8,
        count: u32,
        wanted: Wanted,
        strip: &StripSource<'_, B>,
        search: &SearchSource<'_>,
    ) -> Result<Option<LineRun>> {
        seal::search_chunk(encoding, count, wanted, strip, search)
    }
}
