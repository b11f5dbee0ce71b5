//! The two kinds of the one store, and all that differs between them.
//!
//! A kind supplies its tick, its entry, the columns that readers get (`Run`), what a series holds
//! in the head (`Open`), its bytes in the log, its chunks in a block, and the rule for equal
//! timestamps. Everything else in the engine is written once, for any `Kind`.

pub(crate) mod hidden;
pub(crate) mod lines;
pub(crate) mod marks;
pub(crate) mod merge;
pub(crate) mod samples;

use crate::codec::Packing;
use crate::codec::bytes::Cursor;
use crate::codec::chunk::SealedChunk;
use crate::codec::text::Found;
use crate::codec::tiled_times::Memory;
use crate::config::Limits;
use crate::error::Result;
use crate::time::{Moment, TickRange, Ticks};

/// A kind of data that the store keeps: [`Samples`](crate::metrics::Samples) or
/// [`Lines`](crate::logs::Lines).
pub trait Kind: Parts {}

impl<K: Parts> Kind for K {}

/// Why an entry was not taken. `Display` gives a sentence for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The series' labels are not valid or over a limit; the text says which and what would be
    /// right.
    Labels(String),
    /// The entry itself is not valid or over a limit.
    Entry(String),
    /// Another value is already stored at this timestamp.
    Conflict,
    /// Older than the newest sample of its series, and late entries are not taken.
    OutOfOrder,
    /// Late samples are not taken, and this one is more than an hour older than the newest sample
    /// of the store, whichever series that is of.
    OutOfBounds,
    /// Older than the late window or the retention allows.
    TooOld,
    /// Further ahead of the clock than allowed.
    TooFarAhead,
    /// The cap on active series is reached and this series would be new.
    SeriesLimit,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refusal::Labels(text) | Refusal::Entry(text) => text,
            Refusal::Conflict => "another value is already stored at this timestamp",
            Refusal::OutOfOrder => "older than the newest sample of its series",
            Refusal::OutOfBounds => {
                "more than an hour older than the newest sample of the store, and late ones are \
                 not taken"
            }
            Refusal::TooOld => "older than the late window or the retention allows",
            Refusal::TooFarAhead => "further in the future than limits.future_max allows",
            Refusal::SeriesLimit => "the limit of active series is reached",
        })
    }
}

/// What became of an offered entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// The identical entry is already there: fine, and nothing to log.
    Duplicate,
    Refused(Refusal),
}

/// When an entry arrives, as the head counts batches.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The batch's place in the head's order.
    pub(crate) seq: u64,
    /// Every reader, present and future, sees at least the batches up to this one.
    pub(crate) settled: u64,
    /// Entries before this tick are refused.
    pub(crate) oldest: Ticks,
    /// The newest entry that the series had before this window, with its fingerprint.
    pub(crate) newest: Option<Newest>,
    /// The newest entry that the whole store had before this batch.
    pub(crate) newest_of_store: Ticks,
    pub(crate) late: Late,
}

/// Whether entries behind the newest of their series are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    Taken,
    /// As far behind as this many ticks: samples behind the newest of their series, lines behind
    /// the newest of the store.
    Within(i64),
    Refused,
}

/// The newest entry of a series: its time and a fingerprint of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    pub(crate) time: Ticks,
    pub(crate) value: u64,
}

/// How much work sealing may spend on the size of what it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// A freeze: writers may be waiting for it.
    Quick,
    /// A compaction: what is written stays for long.
    Best,
}

/// Entries of one series are gathered up to about this before they are cut into long chunks.
pub(crate) const GATHERED_BYTES_MAX: usize = 4 << 20;

/// What a reader looks at. What it does not want may be left out of what it gets, so that nothing
/// is decoded that nobody looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// Times alone, as for a count. Lines may come empty and without structured metadata, samples
    /// with any values.
    Times,
    /// Times and structured metadata. Lines may come empty.
    Metadata,
    /// Times and how long lines are. Lines may come empty and without structured metadata.
    Lengths,
    /// Times, structured metadata and how long lines are. Lines may come empty.
    LengthsAndMetadata,
    /// All that an entry has.
    #[default]
    Everything,
}

impl Wanted {
    pub(crate) fn has_metadata(self) -> bool {
        !matches!(self, Wanted::Times | Wanted::Lengths)
    }

    /// Whether lengths of lines are all that is wanted of their text.
    pub(crate) fn is_of_lengths(self) -> bool {
        matches!(self, Wanted::Lengths | Wanted::LengthsAndMetadata)
    }

    pub(crate) fn has_text(self) -> bool {
        self == Wanted::Everything
    }
}

/// A sealed chunk to decode: what a block's index says about it, and where its bytes are fetched.
pub struct StoredChunk<'a, B> {
    pub(crate) range: TickRange,
    pub(crate) count: u32,
    pub(crate) encoding: u8,
    pub(crate) wanted: Wanted,
    /// Entries outside of this may be left out.
    pub(crate) shown: TickRange,
    pub(crate) strip: &'a StripSource<'a, B>,
    /// Fetches the column that it shares with others.
    pub(crate) shared: &'a dyn Fn() -> Result<B>,
}

/// Where a kind's encoder hands its chunks.
pub type ChunkSink<'a> = dyn FnMut(SealedChunk<'_>) -> Result<()> + 'a;

/// Where a kind's decoder fetches the strips of the chunk at hand.
pub type StripSource<'a, B> = dyn Fn(usize) -> Result<B> + 'a;

/// Where a kind's decoder has the texts of a strip searched, abridged or measured: those that a
/// reader's needles do not rule out, or as much of all as is enough; nothing where the strip has to
/// be fetched.
pub type SearchSource<'a> = dyn Fn(usize) -> Result<Option<Found>> + 'a;

/// State that a log record's entries share, so that each is a small delta to the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordState {
    pub(crate) time: i64,
}

/// Columns of one series in time order.
pub trait Columns: Clone + Send + Sync + Sized {
    fn count(&self) -> usize;
    fn ticks(&self) -> &[i64];
    /// Whether entry `index` and `other`'s entry `other_index`, at equal times, are one entry to a
    /// reader.
    fn same(&self, index: usize, other: &Self, other_index: usize) -> bool;
    /// The text of entry `index`; empty where the kind has none.
    fn text(&self, _index: usize) -> &[u8] {
        &[]
    }
    /// A hash of what `same` compares.
    fn fingerprint(&self, index: usize) -> u64;
    /// Whether entries of the two can stand in one run.
    fn joins(&self, other: &Self) -> bool;
    /// An empty run of the same make.
    fn empty_like(&self) -> Self;
    /// Appends entry `index` of `from`, which `joins` this run.
    fn push_from(&mut self, from: &Self, index: usize);
    /// Appends all entries of `from`, which `joins` this run and begins where it ends or later.
    fn extend_from(&mut self, from: &Self);
    /// About how many bytes the entries take.
    fn weight_bytes(&self) -> usize;
    /// Keeps the entries from `start` up to `end`.
    fn slice(self, start: usize, end: usize) -> Self;
}

/// What a kind is made of. Public only as a bound; nobody outside can name or implement it.
pub trait Parts: Sized + Send + Sync + 'static {
    /// The kind's name, as in directory names and messages.
    const NAME: &'static str;
    /// Whether entries have a text that line filters can look at.
    const HAS_TEXT: bool;

    /// The kind's time.
    type Time: Moment;
    /// One entry as a batch carries it.
    type Entry<'a>: Copy + Send + Sync;
    /// The columns that a reader gets.
    type Run: Columns;
    /// What a series holds in a head window.
    type Open: Default + Send + Sync;
    /// What a reader copies out of `Open` under a lock, to decode without one.
    type View: Send;

    fn time(entry: &Self::Entry<'_>) -> Ticks;
    /// Checks what depends on the entry alone.
    fn check(entry: &Self::Entry<'_>, limits: &Limits) -> Result<(), Refusal>;
    /// A fingerprint of the value, equal for identical values.
    fn fingerprint(entry: &Self::Entry<'_>) -> u64;

    /// Judges an entry and keeps it if it is accepted.
    fn offer(open: &mut Self::Open, entry: &Self::Entry<'_>, arrival: &Arrival) -> Verdict;
    /// Drops the entries of batches after `keep`; what remains newest, if anything.
    fn rollback(open: &mut Self::Open, keep: u64) -> Option<Newest>;
    fn heap_bytes(open: &Self::Open) -> usize;
    /// The newest entry in order.
    fn newest(open: &Self::Open) -> Option<Newest>;
    /// Reads a byte where the next entry will be written, so that the memory is near when it is.
    fn touch(open: &Self::Open) -> u64;
    /// The entry as a time and a word, if that says all of it: recovery then keeps many at once.
    fn pack(entry: &Self::Entry<'_>) -> Option<u64>;
    /// Undoes [`Parts::pack`].
    fn unpack(time: Ticks, word: u64) -> Self::Entry<'static>;
    fn is_empty(open: &Self::Open) -> bool;
    /// Copies what a reader at `seq` sees; `None` where it sees nothing.
    fn view(open: &Self::Open, seq: u64) -> Option<Self::View>;
    /// Where the entries of a view lie, if that can be told before they are decoded and less than
    /// all may be wanted of them.
    fn span(_view: &Self::View) -> Option<TickRange> {
        None
    }
    /// Decodes a view into runs in time order, equal timestamps settled: all that is wanted of the
    /// entries in a range. Others may be among them.
    fn decode(view: Self::View, shown: TickRange, wanted: Wanted) -> Result<Vec<Self::Run>>;

    /// Writes one entry into a log record.
    fn put_entry(out: &mut Vec<u8>, entry: &Self::Entry<'_>, state: &mut RecordState);
    /// Reads one entry of a log record and hands it on.
    fn read_entry(
        cursor: &mut Cursor<'_>,
        state: &mut RecordState,
        each: impl FnOnce(&Self::Entry<'_>) -> Result<()>,
    ) -> Result<()>;

    /// Strips of a chunk, and how each is stored.
    fn strip_packing(effort: Effort) -> &'static [Packing];
    /// Raw bytes after which neighbouring chunks' page is closed.
    fn page_bytes(effort: Effort) -> usize;
    /// Cuts a run into chunks and hands each on.
    fn seal(
        run: &Self::Run,
        effort: Effort,
        scratch: &mut Scratch,
        sink: &mut ChunkSink<'_>,
    ) -> Result<()>;
    /// From how many raw bytes on a page of one chunk is packed for long: later merges carry it as
    /// it is. Absent where longer chunks are worth packing again.
    fn full_page_bytes() -> Option<usize> {
        None
    }
    /// The texts of a run that a filter over it must know.
    fn each_text<'r>(run: &'r Self::Run, each: impl FnMut(&'r [u8]));
    /// Decodes what is wanted of a sealed chunk.
    fn open_chunk<B: std::ops::Deref<Target = [u8]>>(
        chunk: &StoredChunk<'_, B>,
    ) -> Result<Self::Run>;
    /// Decodes those entries of a sealed chunk whose text a search finds. None where that is not
    /// quicker than to open the chunk and look at each. Texts come as the search gives them,
    /// whatever is wanted of them.
    fn search_chunk<B: std::ops::Deref<Target = [u8]>>(
        _encoding: u8,
        _count: u32,
        _wanted: Wanted,
        _strip: &StripSource<'_, B>,
        _search: &SearchSource<'_>,
    ) -> Result<Option<Self::Run>> {
        Ok(None)
    }
    /// Fails where the summary of a chunk says what its entries, all of them, are not.
    fn check_summary(_encoding: u8, _summary: &[u8], _run: &Self::Run) -> Result<()> {
        Ok(())
    }
}

/// Buffers that sealing reuses from chunk to chunk.
#[derive(Default)]
pub struct Scratch {
    pub(crate) strips: [Vec<u8>; 4],
    pub(crate) times: Memory,
}
