//! Reads the whole log back: which frames count, which are void, and what was lost.
//!
//! A bad stretch at the very end of the log is a torn tail: nobody can have been told that it was
//! safe, or a later segment would follow. A bad stretch with anything valid behind it is damage: it
//! is reported, and the frames behind it are replayed all the same, since they may have been
//! acknowledged. Writes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read::{SegmentReader, Step};
use super::segment::{
    HeaderState, SEGMENT_HEADER_BYTES, Segment, SegmentHeader, parse_name, segment_name,
    segment_path,
};
use super::{Frame, Lsn};
use crate::error::{Error, Result};
use crate::io::{Fs, ReadFile};

/// How many damages a report lists; the rest are counted.
const DAMAGES_MAX: usize = 1000;

/// How often a listing is repeated when a segment in it vanishes before it is opened.
const LISTINGS_MAX: u32 = 16;

/// From where on the stores of a log need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floors {
    /// Replay begins here.
    pub(crate) lowest: Lsn,
    /// Whoever froze last needs nothing before this.
    pub(crate) highest: Lsn,
    /// Nothing that is written from now on may stand below this: a store would take it for old, or
    /// for deleted.
    pub(crate) next: Lsn,
}

impl Floors {
    /// Of the stores' floors.
    pub(crate) fn of(floors: &[u64]) -> Self {
        let highest = floors.iter().max().copied().unwrap_or(0);
        Floors {
            lowest: Lsn(floors.iter().min().copied().unwrap_or(0)),
            highest: Lsn(highest),
            next: Lsn(highest),
        }
    }
}

impl From<Lsn> for Floors {
    fn from(floor: Lsn) -> Self {
        Floors {
            lowest: floor,
            highest: floor,
            next: floor,
        }
    }
}

/// What a replay found.
#[derive(Debug, Default)]
pub(crate) struct ReplayReport {
    /// Frames handed to the callback.
    pub(crate) frames: u64,
    /// Bytes of all segments.
    pub(crate) bytes: u64,
    /// Bytes at the end of the log that are no whole frame: a write that a crash cut short.
    pub(crate) torn_tail_bytes: u64,
    /// What was lost, in the order of the log.
    pub(crate) damages: Vec<Damage>,
    /// Damages beyond those listed.
    pub(crate) damages_unlisted: u64,
    /// The highest LSN that counts; the next one is higher.
    pub(crate) last: Lsn,
    /// The highest LSN that the log itself proves to have been durable.
    pub(crate) durable: Lsn,
    /// The first LSN of the next segment: no file bears that name, whatever state it is in.
    pub(super) next: u64,
    pub(super) segments: Vec<Segment>,
    /// Segments of which no header and no frame is left: most of them never began.
    pub(super) litter: Vec<Segment>,
}

impl ReplayReport {
    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }
}

/// A stretch of the log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    /// Zero where frames are missing without a trace.
    pub(crate) bytes: u64,
    /// The first and last LSN that are lost with it; none where only a segment's header is bad.
    pub(crate) lost: Option<(Lsn, Lsn)>,
    /// The log proves that some of it had been durable: this is no crash's doing.
    pub(crate) proven: bool,
}

impl Damage {
    pub(crate) fn error(&self) -> Error {
        let what = match self.lost {
            Some((first, last)) => format!(
                "log records {} to {} are lost, {} bytes cannot be read",
                first.0, last.0, self.bytes
            ),
            None => format!("{} bytes of the log cannot be read", self.bytes),
        };
        Error::corrupt(what)
            .at_path(&self.path)
            .at_offset(self.offset)
    }
}

/// Receives each frame.
pub(crate) type Sink<'a> = dyn FnMut(Frame<'_>) -> Result<()> + 'a;

/// Reads the log in `dir` and hands every frame that counts, from `floor` on, to `sink`. Frames
/// below `floor` are in blocks and not missed.
pub(super) fn replay(
    fs: &dyn Fs,
    dir: &Path,
    floors: Floors,
    sink: &mut Sink<'_>,
) -> Result<ReplayReport> {
    let segments = open_segments(fs, dir)?;
    let mut replay = Replay::default();
    let begun = replay.look_ahead(&segments)?;
    replay.begin(floors, &begun);
    for (index, segment) in begun.iter().enumerate() {
        let limit = void_limit(&begun[index + 1..]);
        let place = if index + 1 == begun.len() {
            Place::Last
        } else {
            Place::Sealed
        };
        replay.segment(segment, limit, place, sink)?;
    }
    Ok(replay.finish(&segments))
}

/// A segment opened for replay. Handles are taken before the first frame is handed out, so that a
/// writer which unlinks segments meanwhile cannot pull them away half-way.
struct OpenSegment {
    path: PathBuf,
    first: u64,
    file: Arc<dyn ReadFile>,
    length: u64,
    header: HeaderState,
}

impl OpenSegment {
    /// Opens a segment, or nothing where it has vanished.
    fn open(fs: &dyn Fs, dir: &Path, first: u64) -> Result<Option<Self>> {
        let path = segment_path(dir, first);
        let file = match fs.open_read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(error, "cannot open the log segment", &path)),
        };
        let read = |error| Error::io(error, "cannot read the log segment", &path);
        let length = file.length().map_err(read)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let mut header = HeaderState::Bad;
        if length >= SEGMENT_HEADER_BYTES as u64 {
            file.read_exact_at(&mut bytes, 0).map_err(read)?;
            header = SegmentHeader::decode(&bytes, first).map_err(|error| error.at_path(&path))?;
        }
        Ok(Some(OpenSegment {
            path,
            first,
            file,
            length,
            header,
        }))
    }

    fn void_from(&self) -> u64 {
        match self.header {
            HeaderState::Valid(header) => header.void_from,
            HeaderState::Bad => self.first,
        }
    }

    fn reader(&self) -> SegmentReader {
        SegmentReader::new(self.file.clone(), self.first, self.length)
    }

    fn read_error(&self, error: io::Error) -> Error {
        Error::io(error, "cannot read the log segment", &self.path)
    }
}

fn open_segments(fs: &dyn Fs, dir: &Path) -> Result<Vec<OpenSegment>> {
    'listing: for _ in 0..LISTINGS_MAX {
        let names = match fs.list(dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io(error, "cannot list the log", dir)),
        };
        let mut segments = Vec::new();
        // Names sort as their numbers do: they all have the same width.
        for first in names.iter().filter_map(|name| parse_name(name)) {
            match OpenSegment::open(fs, dir, first)? {
                Some(segment) => segments.push(segment),
                None => continue 'listing,
            }
        }
        return Ok(segments);
    }
    let error = io::ErrorKind::NotFound.into();
    Err(Error::io(
        error,
        "log segments vanish faster than they open",
        dir,
    ))
}

/// From which LSN on frames are void in a segment that these follow.
fn void_limit(later: &[&OpenSegment]) -> u64 {
    later
        .iter()
        .map(|segment| segment.void_from())
        .min()
        .unwrap_or(u64::MAX)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Another segment follows, so this one was complete.
    Sealed,
    Last,
}

#[derive(Default)]
struct Replay {
    floor: u64,
    /// Nothing that is written from now on may stand below this.
    next: u64,
    /// The LSN that comes next if nothing is lost.
    expected: u64,
    report: ReplayReport,
}

impl Replay {
    /// Sets where the replay begins.
    fn begin(&mut self, floors: Floors, begun: &[&OpenSegment]) {
        // A store without entries holds no log, and its floor stays behind: up to the highest floor
        // the log may have been released.
        let begins = begun.first().map_or(0, |segment| segment.first);
        self.floor = floors.lowest.0.max(begins.min(floors.highest.0)).max(1);
        self.expected = self.floor;
        self.next = floors.next.0.max(floors.highest.0);
    }

    /// Leaves out segments that never began, and learns what was durable: that is best known by the
    /// last frames, and needed at the first. Older segments know nothing that a later header does
    /// not.
    ///
    /// A crash at its creation leaves a segment without header and frames. It may also come back
    /// after it was withdrawn, among segments that were written since: it says nothing of them.
    fn look_ahead<'a>(&mut self, segments: &'a [OpenSegment]) -> Result<Vec<&'a OpenSegment>> {
        let mut begun = Vec::with_capacity(segments.len());
        for segment in segments.iter().rev() {
            self.report.bytes += segment.length;
            let has_frames = match segment.header {
                HeaderState::Valid(header) => {
                    self.learn(header.durable);
                    begun.is_empty() && self.look_through(segment)?
                }
                HeaderState::Bad => self.look_through(segment)?,
            };
            if has_frames || segment.header != HeaderState::Bad {
                begun.push(segment);
                continue;
            }
            if begun.is_empty() {
                self.report.torn_tail_bytes += segment.length;
            }
            self.report.litter.push(Segment {
                first: segment.first,
                bytes: segment.length,
            });
        }
        begun.reverse();
        self.report
            .segments
            .extend(begun.iter().map(|segment| Segment {
                first: segment.first,
                bytes: segment.length,
            }));
        Ok(begun)
    }

    fn learn(&mut self, durable: u64) {
        self.report.durable.0 = self.report.durable.0.max(durable);
    }

    /// Learns what the frames of a segment call durable; whether it has any.
    fn look_through(&mut self, segment: &OpenSegment) -> Result<bool> {
        let mut has_frames = false;
        let mut reader = segment.reader();
        loop {
            match reader.step().map_err(|error| segment.read_error(error))? {
                Step::Frame { header, .. } => {
                    has_frames = true;
                    self.learn(header.durable);
                }
                Step::Bad { .. } => {}
                Step::End => return Ok(has_frames),
            }
        }
    }

    /// Replays one segment, of which frames from `limit` on are void.
    fn segment(
        &mut self,
        segment: &OpenSegment,
        limit: u64,
        place: Place,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        if place == Place::Sealed && limit <= self.floor {
            return Ok(());
        }
        if segment.first >= limit {
            // All its frames are void, but what its header says of those before it still holds.
            if segment.header != HeaderState::Bad {
                self.lose_before(segment, segment.void_from().min(limit));
                self.reach(limit);
            }
            return Ok(());
        }
        if segment.header == HeaderState::Bad {
            self.report_damage(Damage {
                path: segment.path.clone(),
                offset: 0,
                bytes: segment.length.min(SEGMENT_HEADER_BYTES as u64),
                lost: None,
                proven: false,
            });
        }
        self.lose_before(segment, segment.void_from());
        self.reach(segment.first);
        let mut reader = segment.reader();
        // Everything from the limit on is void: whether it can be read no longer matters.
        while reader.expected() < limit {
            let before = reader.expected();
            match reader.step().map_err(|error| segment.read_error(error))? {
                Step::Frame {
                    header,
                    tenant,
                    body,
                } => {
                    self.reach(header.lsn + 1);
                    if header.lsn >= self.floor {
                        self.report.frames += 1;
                        sink(Frame {
                            lsn: Lsn(header.lsn),
                            tenant,
                            kind: header.kind,
                            record: header.record,
                            body,
                            proven: header.lsn <= self.report.durable.0,
                        })?;
                    }
                }
                Step::Bad {
                    offset,
                    bytes,
                    next,
                } => {
                    if next.is_none() && place == Place::Last {
                        self.report.torn_tail_bytes += bytes;
                        break;
                    }
                    let next = next.unwrap_or(limit).min(limit);
                    self.lose(&segment.path, offset, bytes, before..next);
                    self.reach(next);
                }
                Step::End => break,
            }
        }
        Ok(())
    }

    /// Nothing below `lsn` is expected any more.
    fn reach(&mut self, lsn: u64) {
        self.expected = self.expected.max(lsn);
    }

    /// Reports frames below `end` that no segment in front of this one has.
    fn lose_before(&mut self, segment: &OpenSegment, end: u64) {
        let lsns = self.expected..end;
        let gone = self.report.litter.iter();
        let gone = gone.rev().find(|gone| lsns.contains(&gone.first)).copied();
        match gone {
            Some(Segment { first, bytes }) => {
                self.lose(
                    &segment.path.with_file_name(segment_name(first)),
                    0,
                    bytes,
                    lsns,
                );
            }
            None => self.lose(&segment.path, 0, 0, lsns),
        }
    }

    /// Reports frames that are gone, if any are, as far as they are not in blocks already.
    fn lose(&mut self, path: &Path, offset: u64, bytes: u64, lsns: std::ops::Range<u64>) {
        let first = lsns.start.max(self.floor);
        let last = lsns.end.saturating_sub(1);
        if first > last {
            return;
        }
        self.report_damage(Damage {
            path: path.to_path_buf(),
            offset,
            bytes,
            lost: Some((Lsn(first), Lsn(last))),
            proven: first <= self.report.durable.0,
        });
    }

    fn report_damage(&mut self, damage: Damage) {
        if self.report.damages.len() < DAMAGES_MAX {
            self.report.damages.push(damage);
        } else {
            self.report.damages_unlisted += 1;
        }
    }

    fn finish(mut self, segments: &[OpenSegment]) -> ReplayReport {
        let last_name = segments.last().map_or(0, |segment| segment.first);
        self.report.last = Lsn(self.expected - 1);
        self.report.next = self.expected.max(last_name + 1).max(self.next);
        self.report
    }
}
