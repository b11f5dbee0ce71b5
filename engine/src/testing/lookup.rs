//! The inverted indexes alone: what benchmarks of matchers ask, without labels or entries.

use crate::error::Result;
use crate::head::index::HeadIndexView;
use crate::index::select::select;
use crate::kind::Kind;
use crate::labels::matcher::Matcher;
use crate::store::Store;

/// How many series the matchers select in the head.
pub fn count_in_head<K: Kind>(store: &Store<K>, matchers: &[Matcher]) -> Result<u64> {
    let view = HeadIndexView::new(store.core.head.index());
    Ok(select(&view, matchers)?.len())
}

/// How many series the matchers select in the blocks, a series counted once in each.
pub fn count_in_blocks<K: Kind>(store: &Store<K>, matchers: &[Matcher]) -> Result<u64> {
    let mut count = 0;
    for block in &store.core.state().blocks {
        count += block.reader.select(matchers)?.len();
    }
    Ok(count)
}
