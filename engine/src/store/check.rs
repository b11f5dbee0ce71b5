//! Checks one block against all that it promises, down to each entry.
//!
//! The block room checks that the parts of a block agree with each other; here they are compared
//! with the manifest, and every chunk is decoded as its kind would. Opens the block anew, so that
//! what was found sound before counts for nothing.

use std::path::Path;
use std::sync::Arc;

use crate::block::{BlockReader, ChunkMeta, PageCache, Stand};
use crate::codec::tokens::Needle;
use crate::error::{Error, Result};
use crate::io::pool::FilePool;
use crate::kind::{Columns, Kind, Wanted};
use crate::manifest::BlockEntry;
use crate::store::class_table::CLASS_WAITING;
use crate::store::cursor::open_chunk;
use crate::store::recover::is_passing;
use crate::time::Moment;

/// Pages kept while a block is gone through: neighbouring series share them.
const CACHE_BYTES: usize = 64 << 20;

/// A block as found.
#[derive(Default)]
pub(crate) struct Checked {
    /// The block, where it could be opened at all.
    pub(crate) reader: Option<Arc<BlockReader>>,
    /// Everything that is wrong; empty if nothing is.
    pub(crate) errors: Vec<Error>,
}

/// Checks a block of the stream `tag`; with an entry, also against that. An error is the disk's.
pub(crate) fn check_block<K: Kind>(
    files: &Arc<FilePool>,
    path: &Path,
    number: u64,
    tag: u8,
    entry: Option<&BlockEntry>,
) -> Result<Checked> {
    let cache = PageCache::new(CACHE_BYTES);
    let reader = match BlockReader::open(files, path, number, cache) {
        Ok(reader) => reader,
        Err(error) if is_passing(&error) => return Err(error),
        Err(error) => {
            return Ok(Checked {
                reader: None,
                errors: vec![error],
            });
        }
    };
    let mut errors = reader.verify();
    let strange = |what: &str| Error::corrupt(what).at_path(path).at_offset(0);
    let header = reader.header();
    if header.kind != tag || i64::from(header.ticks_per_second) != K::Time::PER_SECOND {
        errors.push(strange("the block belongs to another stream"));
    } else {
        check_chunks::<K>(&reader, &mut errors);
    }
    let is_told = |entry: &BlockEntry| {
        let mut told = entry_of(&reader, entry.applied);
        // Repair gives a block this class where nobody knows what its own means.
        if entry.class == CLASS_WAITING {
            told.class = CLASS_WAITING;
        }
        *entry == told
    };
    if !entry.is_none_or(is_told) {
        errors.push(strange(
            "the manifest says other things of the block than it does itself",
        ));
    }
    Ok(Checked {
        reader: Some(reader),
        errors,
    })
}

/// What a manifest would say of a block.
pub(crate) fn entry_of(reader: &BlockReader, applied: u64) -> BlockEntry {
    let header = reader.header();
    BlockEntry {
        number: reader.number(),
        range: reader.range(),
        partition: header.partition,
        lsn_min: header.lsn_min,
        lsn_max: header.lsn_max,
        level: header.level,
        class: header.class,
        bytes: reader.bytes(),
        series: u64::from(reader.series_count()),
        entries: reader.entry_count(),
        applied,
    }
}

fn check_chunks<K: Kind>(reader: &BlockReader, errors: &mut Vec<Error>) {
    // What was said of a page or a section is not said again of each chunk in it.
    let mut known: Vec<String> = errors.iter().map(Error::to_string).collect();
    let (mut metas, mut stand) = (Vec::new(), Stand::default());
    for ordinal in 0..reader.series_count() {
        if let Err(error) = reader.chunks_on(ordinal, &mut stand, &mut metas) {
            if !known.contains(&error.to_string()) {
                errors.push(error);
            }
            // It is the list of all chunks that is damaged.
            return;
        }
        for meta in &metas {
            let outcome =
                read_chunk::<K>(reader, meta).and_then(|run| check_filter::<K>(reader, meta, &run));
            let Err(error) = outcome else { continue };
            let text = error.to_string();
            if !known.contains(&text) {
                known.push(text);
                errors.push(error.context(format!("series {ordinal}")));
            }
        }
    }
}

/// Decodes a chunk and checks that it is what the index says: so many entries, from the first tick
/// to the last, in order and none twice, of which its summary is true.
pub(crate) fn read_chunk<K: Kind>(reader: &BlockReader, meta: &ChunkMeta) -> Result<K::Run> {
    let checked = open_chunk::<K>(reader, meta, Wanted::Everything, meta.range).and_then(|run| {
        let ticks = run.ticks();
        let (first, last) = (meta.range.start.0, meta.range.end.0);
        if ticks.first() != Some(&first) || ticks.last() != Some(&last) {
            return Err(Error::corrupt(
                "a chunk has another range than its index says",
            ));
        }
        for place in 1..ticks.len() {
            let is_behind = ticks[place - 1] < ticks[place]
                || ticks[place - 1] == ticks[place] && !run.same(place - 1, &run, place);
            if !is_behind {
                return Err(Error::corrupt("the entries of a chunk are out of order"));
            }
        }
        K::check_summary(meta.encoding, reader.summary(meta)?, &run)?;
        Ok(run)
    });
    checked.map_err(|error| error.at_path(reader.path()))
}

/// A filter may say "maybe" to what is not there, but never "no" to what is.
fn check_filter<K: Kind>(reader: &BlockReader, meta: &ChunkMeta, run: &K::Run) -> Result<()> {
    let mut outcome = Ok(true);
    K::each_text(run, |text| {
        if matches!(outcome, Ok(true)) {
            outcome = reader.page_may_hold(meta.page, &Needle::new(text));
        }
    });
    match outcome? {
        true => Ok(()),
        false => {
            let text = format!("the token filter of page {} hides what is in it", meta.page);
            Err(Error::corrupt(text).at_path(reader.path()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockHeader, BlockWriter, Paging};
    use crate::codec::Packing;
    use crate::codec::chunk::SealedChunk;
    use crate::codec::tokens::TokenSet;
    use crate::io::Fs;
    use crate::io::sim::SimDisk;
    use crate::kind::lines::run::LineRun;
    use crate::kind::lines::{Line, Lines};
    use crate::kind::{Effort, Parts, Scratch};
    use crate::labels::set::LabelSet;
    use crate::time::{Nanos, TickRange, Ticks};

    const LOGS: u8 = 2;

    /// What a block is made to say that is not so, all of it behind right checksums.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Lie {
        None,
        Range,
        Count,
        Tokens,
        Stream,
        Order,
        Twice,
    }

    fn lines(times: &[i64], text: &str) -> LineRun {
        let mut run = LineRun::default();
        for time in times {
            run.push(&Line::new(Nanos(*time), text));
        }
        run
    }

    fn tokens(text: &[u8]) -> Vec<u64> {
        let mut tokens = TokenSet::new();
        tokens.add_line(text);
        tokens.sorted()
    }

    /// A block of two chunks, the second of which may be told wrongly.
    fn block(lie: Lie) -> (Arc<FilePool>, std::path::PathBuf) {
        let disk = SimDisk::new(1);
        let dir = Path::new("/blocks");
        disk.create_dir_all(dir).unwrap();
        let header = BlockHeader {
            kind: if lie == Lie::Stream { 1 } else { LOGS },
            ticks_per_second: 1_000_000_000,
            level: 0,
            class: 0,
            partition: TickRange::new(Ticks(0), Ticks(999)),
            lsn_min: 1,
            lsn_max: 2,
        };
        // A page for each chunk, and so a filter of the tokens that it tells.
        let paging = Paging::new(&[Packing::AsIs; 4], 1);
        let mut writer = BlockWriter::create(&disk, dir, 7, header, paging).unwrap();
        let labels = LabelSet::from_pairs([("app", "a")]).unwrap();
        let labels = labels.as_labels();
        writer.series(labels.id(), labels).unwrap();
        let times: &[i64] = match lie {
            Lie::Order => &[10, 30, 20, 40],
            Lie::Twice => &[10, 20, 20, 40],
            _ => &[10, 20, 30, 40],
        };
        let runs = [
            lines(&[1, 2], "first words"),
            lines(times, "some other words again"),
        ];
        for (place, run) in runs.iter().enumerate() {
            let lie = if place == 1 { lie } else { Lie::None };
            Lines::seal(run, Effort::Quick, &mut Scratch::default(), &mut |chunk| {
                let late = i64::from(lie == Lie::Range);
                writer.chunk(SealedChunk {
                    range: TickRange::new(chunk.range.start, Ticks(chunk.range.end.0 + late)),
                    count: chunk.count + u32::from(lie == Lie::Count),
                    tokens: &tokens(if lie == Lie::Tokens {
                        b"else"
                    } else {
                        run.line(0)
                    }),
                    ..chunk
                })
            })
            .unwrap();
        }
        writer.finish().unwrap();
        let path = crate::block::block_path(dir, 7);
        (FilePool::new(Arc::new(disk), 1), path)
    }

    fn errors(lie: Lie) -> Vec<Error> {
        let (files, path) = block(lie);
        check_block::<Lines>(&files, &path, 7, LOGS, None)
            .unwrap()
            .errors
    }

    #[test]
    fn what_is_wrong_behind_right_checksums_is_noticed() {
        assert!(errors(Lie::None).is_empty(), "{:?}", errors(Lie::None));
        let lies = [
            Lie::Range,
            Lie::Count,
            Lie::Tokens,
            Lie::Stream,
            Lie::Order,
            Lie::Twice,
        ];
        for lie in lies {
            let found = errors(lie);
            assert_eq!(found.len(), 1, "{lie:?}: {found:?}");
            assert!(found[0].path().is_some(), "{lie:?}: {found:?}");
        }
    }

    #[test]
    fn a_manifest_that_says_other_things_is_noticed() {
        let (files, path) = block(Lie::None);
        let checked = check_block::<Lines>(&files, &path, 7, LOGS, None).unwrap();
        let right = entry_of(&checked.reader.unwrap(), 3);
        let check = |entry: &BlockEntry| {
            let checked = check_block::<Lines>(&files, &path, 7, LOGS, Some(entry));
            checked.unwrap().errors.len()
        };
        assert_eq!(check(&right), 0);
        let mut wrong = right.clone();
        wrong.entries += 1;
        assert_eq!(check(&wrong), 1);
    }
}
