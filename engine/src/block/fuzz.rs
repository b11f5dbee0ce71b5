//! Bodies for fuzz targets: any bytes may be a block or a section, and nothing may panic.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::block::{BlockReader, PageCache, block_path};
use crate::codec::bytes::Cursor;
use crate::codec::tokens::Needle;
use crate::index::filter::Filter;
use crate::index::postings::read_postings;
use crate::index::rows::Rows;
use crate::index::sealed::SealedIndex;
use crate::index::select::select;
use crate::index::symbols::{SymbolDirectory, Symbols};
use crate::io::pool::FilePool;
use crate::io::sim::SimDisk;
use crate::labels::matcher::{MatchOp, Matcher};

/// Series beyond these are not asked for: a hostile count must not make a run long.
const ASKED_MAX: u32 = 64;

/// Takes `data` for a block file and asks it everything.
pub(crate) fn fuzz_block(data: &[u8]) {
    let disk = SimDisk::new(0);
    let path = block_path(Path::new("/blocks"), 7);
    disk.plant(&path, data);
    let files = FilePool::new(Arc::new(disk), 1);
    let Ok(reader) = BlockReader::open(&files, &path, 7, PageCache::new(1 << 16)) else {
        return;
    };
    // Answers and errors are equally fine here: whether answers are right is for tests that know
    // the block.
    let _ = reader.select(&matchers());
    let _ = reader.label_names(None, |_| ControlFlow::Continue(()));
    let _ = reader.label_values("job", None, |_| ControlFlow::Continue(()));
    let mut chunks = Vec::new();
    for ordinal in 0..reader.series_count().min(ASKED_MAX) {
        let _ = reader.labels(ordinal, &mut Vec::new());
        if let Ok(id) = reader.series_id(ordinal) {
            let _ = reader.ordinal_of(id);
        }
        if reader.chunks(ordinal, &mut chunks).is_ok() {
            for chunk in chunks.iter().take(ASKED_MAX as usize) {
                let _ = reader.summary(chunk);
                let _ = reader.page_may_hold(chunk.page, &Needle::new(b" word "));
                for strip in 0..reader.strip_count() {
                    let _ = reader.strip(chunk, strip);
                }
            }
        }
    }
    if reader.series_count() < ASKED_MAX && reader.page_count() < ASKED_MAX {
        let _ = reader.verify();
    }
}

/// Takes `data` for the sections of an index, split at the first two bytes' places, and asks them
/// everything.
pub(crate) fn fuzz_index(data: &[u8]) {
    let [first, second, rest @ ..] = data else {
        return;
    };
    let split = |bytes: &'_ [u8], at: u8| bytes.len() * usize::from(at) / 256;
    let (symbols, rest) = rest.split_at(split(rest, *first));
    let (postings, rows) = rest.split_at(split(rest, *second));
    let _ = Filter::read(postings).map(|filter| filter.may_hold(&Needle::new(b" word ")));
    let _ = read_postings(&mut Cursor::new(postings)).and_then(|entry| entry.bitmap(1_000));
    let rows = Rows::read(rows).ok();
    let Ok(directory) = SymbolDirectory::read(symbols) else {
        return;
    };
    let index = SealedIndex {
        symbols: Symbols::new(symbols, &directory),
        postings,
        rows,
        series_count: rows.map_or(1_000, |rows| rows.count().min(1_000_000)),
    };
    let _ = select(&index, &matchers());
    let mut row = Vec::new();
    if let Some(rows) = rows {
        for ordinal in 0..rows.count().min(ASKED_MAX) {
            if rows.row(ordinal, &mut row).is_ok() {
                let _ = index.label_texts().append(&row, &mut Vec::new());
            }
        }
    }
    let _ = index.label_names(None, |_| ControlFlow::Continue(()));
    let _ = index.label_values("job", None, |_| ControlFlow::Continue(()));
}

fn matchers() -> Vec<Matcher> {
    let made = [
        Matcher::new(MatchOp::Regex, "job", ".*a.*"),
        Matcher::new(MatchOp::NotRegex, "pod", "p[0-9]?.*"),
        Matcher::new(MatchOp::NotEqual, "job", "x"),
    ];
    made.into_iter().flatten().collect()
}
