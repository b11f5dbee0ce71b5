//! Repair of one store that nobody has open: what can be read is kept, the rest is named and set
//! aside.
//!
//! The order makes it safe to die in between and to begin again: new blocks are durable and old
//! ones have their second name before one commit puts the former in the place of the latter, and
//! only then do the old names go (I28). Knows nothing of the log.

use std::io::ErrorKind as Os;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::{block_number, block_path};
use crate::error::{Error, Result};
use crate::io::Fs;
use crate::io::pool::FilePool;
use crate::kind::Kind;
use crate::labels::set::LabelSet;
use crate::manifest::salvage::{Left, Salvaged};
use crate::manifest::{BlockEntry, Change, Manifest};
use crate::store::aside::Aside;
use crate::store::check::{Checked, check_block, entry_of};
use crate::store::class_table::{CLASS_DEFAULT, CLASS_WAITING};
use crate::store::rewrite::rewrite;
use crate::time::TickRange;

/// What a repair has found and done.
#[derive(Clone, Debug, Default)]
pub struct RepairReport {
    /// Blocks that were damaged or missing.
    pub blocks: Vec<DamagedBlock>,
    /// What was wrong with manifests.
    pub manifests: Vec<Error>,
    /// Whole blocks that a damaged manifest did not name any more and that are back. Entries that
    /// were expired or deleted may be among theirs.
    pub recovered_blocks: u64,
    /// What was wrong with the log.
    pub log: Vec<DamagedLog>,
    /// The files that were taken out, where they are now: nothing reads them, and they may be
    /// removed.
    pub set_aside: Vec<PathBuf>,
}

/// A block that was damaged, and what was lost with it.
#[derive(Clone, Debug)]
pub struct DamagedBlock {
    /// Where it was.
    pub path: PathBuf,
    /// What was wrong.
    pub errors: Vec<Error>,
    /// The block that has the rest of its entries, if there is any.
    pub rewritten: Option<PathBuf>,
    /// The range of what is lost; none where nothing is.
    pub range_lost: Option<TickRange>,
    /// How many series have lost entries.
    pub series_lost: u64,
    /// How many entries are lost.
    pub entries_lost: u64,
    /// The series that have lost entries, at most a thousand of them; empty where the block could
    /// not tell.
    pub series: Vec<LostSeries>,
}

/// A series that has lost entries with a damaged block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostSeries {
    /// Its labels.
    pub labels: LabelSet,
    /// The first and the last tick of what is lost.
    pub range: TickRange,
    /// How many entries are lost.
    pub entries: u64,
}

/// Damage of the log, and what was lost with it.
#[derive(Clone, Debug)]
pub struct DamagedLog {
    /// What was wrong, and where.
    pub error: Error,
    /// The first and the last number of the records that are lost; none where none is, or where
    /// only some entries of records are.
    pub records: Option<(u64, u64)>,
}

impl RepairReport {
    /// Whether nothing was wrong, and so nothing was changed.
    pub fn is_sound(&self) -> bool {
        self.blocks.is_empty() && self.manifests.is_empty() && self.log.is_empty()
    }
}

/// What a repair works with.
pub(crate) struct Workplace {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) files: Arc<FilePool>,
    pub(crate) aside: Aside,
    /// The first record that the log may still have.
    pub(crate) log_begins: Option<u64>,
}

/// A damaged block, and what the manifest is to say of the rest of it.
type Replaced = (DamagedBlock, Option<BlockEntry>);

/// One store being repaired.
struct Repair<'w> {
    place: &'w Workplace,
    blocks: PathBuf,
    tag: u8,
    next_block: u64,
    change: Change,
    /// Files whose first name goes once the manifest does not need it.
    taken_out: Vec<PathBuf>,
}

/// Repairs the store in `directory`, stream `tag` of the log. Returns from where on it needs the
/// log.
pub(crate) fn repair_store<K: Kind>(
    place: &Workplace,
    directory: &Path,
    tag: u8,
    report: &mut RepairReport,
) -> Result<u64> {
    let salvaged = Manifest::salvage(Arc::clone(&place.fs), &directory.join("manifest"))?;
    let blocks = directory.join("blocks");
    let on_disk = list_blocks(&*place.fs, &blocks)?;
    let Salvaged {
        mut manifest,
        damage,
        broken,
        left,
    } = salvaged;
    if left == Left::Nothing && on_disk.is_empty() && damage.is_empty() {
        // A store that was only begun: opening it makes its first manifest.
        return Ok(0);
    }
    let version = manifest.version();
    let highest = on_disk.iter().max().map_or(1, |number| number + 1);
    let mut repair = Repair {
        place,
        blocks,
        tag,
        next_block: version.next_block.max(highest),
        change: Change::default(),
        taken_out: Vec::new(),
    };
    for entry in &version.blocks {
        repair.named::<K>(entry, report)?;
    }
    if left != Left::All {
        let is_unnamed = |number: &&u64| version.blocks.iter().all(|b| b.number != **number);
        for number in on_disk.iter().filter(is_unnamed) {
            repair.unnamed::<K>(*number, report)?;
        }
    }
    let is_changed = !repair.taken_out.is_empty()
        || repair.change != Change::default()
        || !damage.is_empty()
        || left == Left::Nothing;
    if !is_changed {
        return Ok(version.wal_floor);
    }
    for path in broken.iter().chain(&repair.taken_out) {
        report.set_aside.push(place.aside.keep(path)?);
    }
    report.manifests.extend(damage);
    let change = repair.finish(left);
    let floor = manifest.commit(&change)?.wal_floor;
    manifest.forget_damaged()?;
    repair.let_go()?;
    Ok(floor)
}

impl Repair<'_> {
    /// A block that the manifest names: kept as it is, written anew without what is damaged, or
    /// taken out.
    fn named<K: Kind>(&mut self, entry: &BlockEntry, report: &mut RepairReport) -> Result<()> {
        let path = block_path(&self.blocks, entry.number);
        let number = entry.number;
        let checked = check_block::<K>(&self.place.files, &path, number, self.tag, Some(entry))?;
        if checked.errors.is_empty() {
            return Ok(());
        }
        self.change.remove_blocks.push(number);
        let is_missing = checked.errors.iter().any(Error::is_not_found);
        let damaged = match self.salvage::<K>(&path, checked, entry.applied)? {
            Ok((damaged, rest)) => {
                self.change.add_blocks.extend(rest);
                damaged
            }
            Err(errors) => DamagedBlock {
                path: path.clone(),
                errors,
                rewritten: None,
                range_lost: Some(entry.range),
                series_lost: entry.series,
                entries_lost: entry.entries,
                series: Vec::new(),
            },
        };
        report.blocks.push(damaged);
        if !is_missing {
            self.taken_out.push(path);
        }
        Ok(())
    }

    /// A block that a manifest may have named that is lost. What cannot be read of it is no loss
    /// that anybody could tell.
    fn unnamed<K: Kind>(&mut self, number: u64, report: &mut RepairReport) -> Result<()> {
        let path = block_path(&self.blocks, number);
        let checked = check_block::<K>(&self.place.files, &path, number, self.tag, None)?;
        match &checked.reader {
            Some(reader) if checked.errors.is_empty() => {
                self.change.add_blocks.push(waiting(entry_of(reader, 0)));
                report.recovered_blocks += 1;
            }
            _ => {
                if let Ok((damaged, rest)) = self.salvage::<K>(&path, checked, 0)? {
                    self.change.add_blocks.extend(rest.map(waiting));
                    report.blocks.push(damaged);
                }
                self.taken_out.push(path);
            }
        }
        Ok(())
    }

    /// Writes what can be read of a block into a new one, and says what the manifest is to say of
    /// that. The inner error: nothing could be told of it.
    fn salvage<K: Kind>(
        &mut self,
        path: &Path,
        checked: Checked,
        applied: u64,
    ) -> Result<Result<Replaced, Vec<Error>>> {
        let Some(reader) = checked.reader else {
            return Ok(Err(checked.errors));
        };
        let number = self.next_block;
        self.next_block += 1;
        let Some(rewritten) = rewrite::<K>(&*self.place.fs, &reader, &self.blocks, number)? else {
            return Ok(Err(checked.errors));
        };
        let rest = rewritten.block.map(|block| BlockEntry {
            number,
            range: block.range,
            bytes: block.bytes,
            series: u64::from(block.series),
            entries: block.entries,
            ..entry_of(&reader, applied)
        });
        let damaged = DamagedBlock {
            path: path.to_path_buf(),
            errors: checked.errors,
            rewritten: rewritten.block.map(|_| block_path(&self.blocks, number)),
            range_lost: rewritten.range_lost,
            series_lost: rewritten.series_lost,
            entries_lost: rewritten.entries_lost,
            series: rewritten.lost,
        };
        Ok(Ok((damaged, rest)))
    }

    /// The change that makes the manifest name what is there.
    fn finish(&self, left: Left) -> Change {
        let change = Change {
            next_block: Some(self.next_block),
            ..self.change.clone()
        };
        // Without a manifest nobody knows how far the log was emptied into blocks. All that is
        // there is read again, and what is in both is settled when it is read.
        let newest = change.add_blocks.iter().map(|block| block.lsn_max).max();
        let floor = self.place.log_begins;
        let floor = floor.unwrap_or(newest.map_or(0, |newest| newest.saturating_add(1)));
        Change {
            wal_floor: (left == Left::Nothing).then_some(floor),
            ..change
        }
    }

    /// Removes the first names of what was set aside.
    fn let_go(&self) -> Result<()> {
        for path in &self.taken_out {
            match self.place.fs.remove_file(path) {
                Err(error) if error.kind() != Os::NotFound => {
                    return Err(Error::io(error, "cannot remove a damaged block", path));
                }
                _ => {}
            }
        }
        let failed = |error| Error::io(error, "cannot sync the blocks", &self.blocks);
        self.place.fs.sync_dir(&self.blocks).map_err(failed)
    }
}

/// Of a block that no manifest speaks for, nobody knows what its retention class means, and its
/// number may mean another by now: the entries are kept until a merge gives them a class (I25).
fn waiting(entry: BlockEntry) -> BlockEntry {
    let class = match entry.class {
        CLASS_DEFAULT => CLASS_DEFAULT,
        _ => CLASS_WAITING,
    };
    BlockEntry { class, ..entry }
}

fn list_blocks(fs: &dyn Fs, blocks: &Path) -> Result<Vec<u64>> {
    match fs.list(blocks) {
        Ok(names) => Ok(names.iter().filter_map(|name| block_number(name)).collect()),
        Err(error) if error.kind() == Os::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io(error, "cannot list the blocks", blocks)),
    }
}
