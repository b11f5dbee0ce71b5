//! Metrics of a data directory as blocks of Prometheus, each within two hours of UTC.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::SystemTime;

use chronolith_engine::Snapshot;
use chronolith_engine::metrics::Samples;
use chronolith_engine::time::Millis;

use super::export::{Range, Written, empty_folder, extent, selected};
use super::fault::Result;
use super::progress::Progress;
use super::tsdb::writer::BlockWriter;

/// What a block of Prometheus reaches over before it is compacted.
const BLOCK_MS: i64 = 2 * 60 * 60 * 1000;

/// Letters and digits of the names of blocks.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes all blocks.
pub(crate) fn export(
    snapshot: &Snapshot<Samples>,
    range: &Range,
    folder: &Path,
    progress: &mut Progress,
) -> Result<Written> {
    empty_folder(folder)?;
    let mut written = Written::default();
    let Some((first, last)) = extent(snapshot, range)? else {
        return Ok(written);
    };
    let mut start = first.div_euclid(BLOCK_MS) * BLOCK_MS;
    while start <= last {
        let end = start.saturating_add(BLOCK_MS);
        let from = start.max(first);
        let selector = range
            .selector()
            .between(Millis(from), Millis((end - 1).min(last)));
        let mut block = BlockWriter::create(folder, ulid())?;
        for series in selected(snapshot, &selector)? {
            let runs = series.read()?;
            let starts = runs.iter().filter_map(|run| run.starts());
            written.starts_lost += starts.flatten().filter(|start| **start != 0).count() as u64;
            block.add(series.labels(), &runs)?;
            progress.show(|| format!("block {}: {} samples", written.files + 1, block.samples()));
        }
        match block.is_empty() {
            true => block.give_up()?,
            false => {
                let meta = block.finish()?;
                written.files += 1;
                written.entries += meta.samples;
            }
        }
        start = end;
    }
    Ok(written)
}

/// A name that no other block has: the time in milliseconds, then what chance gives.
fn ulid() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_millis());
    let chance = || u128::from(RandomState::new().hash_one(now));
    let number = now << 80 | (chance() << 16 & ((1 << 80) - 1)) ^ chance() & 0xffff;
    (0..26)
        .rev()
        .map(|place| char::from(CROCKFORD[(number >> (5 * place) & 31) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_blocks_are_long_enough_and_differ() {
        let (one, two) = (ulid(), ulid());
        assert_eq!((one.len(), two.len()), (26, 26));
        assert_ne!(one, two);
        assert!(one.starts_with('0'), "{one}");
    }
}
