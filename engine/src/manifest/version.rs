//! What a manifest says: one version of the list of live blocks, and changes from one to the next.
//!
//! A version never changes; applying a change makes another one or says why it cannot. Pure: knows
//! no files, and does not look into matchers or notes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::error::{Error, Result};
use crate::time::{TickRange, Ticks};

/// A live block as the planner and the reader of the store need to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// Names the file; never used for another block.
    pub(crate) number: u64,
    /// From the first to the last tick of its entries.
    pub(crate) range: TickRange,
    /// The UTC partition that the block lies inside.
    pub(crate) partition: TickRange,
    /// The first and the last LSN of its entries.
    pub(crate) lsn_min: u64,
    pub(crate) lsn_max: u64,
    /// How often its entries have been merged.
    pub(crate) level: u8,
    /// The retention class that all of its entries share.
    pub(crate) class: u8,
    pub(crate) bytes: u64,
    pub(crate) series: u64,
    pub(crate) entries: u64,
    /// Every tombstone that existed when the block was written and whose id is not above this one
    /// had been applied to it; 0 for none.
    pub(crate) applied: u64,
}

/// Hides entries that were acknowledged before it: those with a lower LSN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// From 1 on, rising; never used for another tombstone.
    pub(crate) id: u64,
    pub(crate) lsn: u64,
    pub(crate) range: TickRange,
    /// When it was made, for those who list it.
    pub(crate) created: Ticks,
    /// Encoded matchers; opaque here.
    pub(crate) matchers: Vec<u8>,
    /// Which lines of the series it hides, encoded; opaque here, and empty for all.
    pub(crate) predicate: Vec<u8>,
    /// Whether a merge has taken out something that it hides: then nothing brings that back.
    pub(crate) is_begun: bool,
}

/// One state of the store's list of what exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// The number of the file that made this version durable; 0 before the first.
    pub(crate) sequence: u64,
    /// The lowest number that no block has had.
    pub(crate) next_block: u64,
    /// The lowest id that no tombstone has had; before the first one 0, though ids begin at 1.
    pub(crate) next_tombstone: u64,
    /// The lowest LSN that is not yet in a live block.
    pub(crate) wal_floor: u64,
    /// In the order of (`lsn_min`, `number`).
    pub(crate) blocks: Vec<BlockEntry>,
    /// In the order of `id`.
    pub(crate) tombstones: Vec<Tombstone>,
    /// Small durable records of higher floors; opaque here.
    pub(crate) notes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What turns one version into the next. Removals come before additions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) add_blocks: Vec<BlockEntry>,
    pub(crate) remove_blocks: Vec<u64>,
    /// The new floor, never lower than the old one; `None` leaves it.
    pub(crate) wal_floor: Option<u64>,
    /// The new lowest unused number; `None` raises it above the added blocks where that is needed.
    pub(crate) next_block: Option<u64>,
    /// The same of tombstones.
    pub(crate) next_tombstone: Option<u64>,
    pub(crate) add_tombstones: Vec<Tombstone>,
    /// Tombstones that this change's merge took something out for; they must still exist before
    /// it, though they may go with it.
    pub(crate) begin_tombstones: Vec<u64>,
    pub(crate) remove_tombstones: Vec<u64>,
    /// A key that exists gets the new value.
    pub(crate) put_notes: Vec<(Vec<u8>, Vec<u8>)>,
    /// A key that does not exist is fine.
    pub(crate) remove_notes: Vec<Vec<u8>>,
}

impl Version {
    /// The version that `change` makes of this one, with the same `sequence`, or why it makes none.
    pub(crate) fn apply(&self, change: &Change) -> Result<Version> {
        let blocks = self.changed_blocks(change)?;
        let tombstones = self.changed_tombstones(change)?;
        let highest = change.add_blocks.iter().map(|block| block.number).max();
        let next_block = raised("block number", self.next_block, change.next_block, highest)?;
        let highest = change.add_tombstones.iter().map(|added| added.id).max();
        let next = change.next_tombstone;
        let next_tombstone = raised("tombstone id", self.next_tombstone, next, highest)?;
        check_applied(&change.add_blocks, &tombstones, next_tombstone)?;
        check_applied(&blocks, &change.add_tombstones, next_tombstone)?;
        let wal_floor = change.wal_floor.unwrap_or(self.wal_floor);
        if wal_floor < self.wal_floor {
            let now = self.wal_floor;
            return Err(Error::invalid(format!(
                "log floor {wal_floor} is below the present floor {now}: it may only rise"
            )));
        }
        let mut notes = self.notes.clone();
        for key in &change.remove_notes {
            notes.remove(key);
        }
        notes.extend(change.put_notes.iter().cloned());
        Ok(Version {
            sequence: self.sequence,
            next_block,
            next_tombstone,
            wal_floor,
            blocks,
            tombstones,
            notes,
        })
    }

    /// The change that makes this version of an empty one.
    pub(crate) fn as_change(&self) -> Change {
        Change {
            add_blocks: self.blocks.clone(),
            wal_floor: Some(self.wal_floor),
            next_block: Some(self.next_block),
            next_tombstone: Some(self.next_tombstone),
            add_tombstones: self.tombstones.iter().map(Tombstone::fresh).collect(),
            begin_tombstones: self
                .tombstones
                .iter()
                .filter(|tombstone| tombstone.is_begun)
                .map(|tombstone| tombstone.id)
                .collect(),
            put_notes: self.notes.clone().into_iter().collect(),
            ..Change::default()
        }
    }

    fn changed_blocks(&self, change: &Change) -> Result<Vec<BlockEntry>> {
        let kept = self
            .blocks
            .iter()
            .map(|block| (block.number, block.clone()));
        let mut blocks: BTreeMap<u64, BlockEntry> = kept.collect();
        for number in &change.remove_blocks {
            if blocks.remove(number).is_none() {
                return Err(Error::invalid(format!(
                    "block {number} to remove is not live"
                )));
            }
        }
        for block in &change.add_blocks {
            block.check()?;
            // A number names one file for ever: not even a block that goes now gives its number
            // away.
            if change.remove_blocks.contains(&block.number) {
                let number = block.number;
                return Err(Error::invalid(format!(
                    "block {number} is removed and added at once"
                )));
            }
            match blocks.entry(block.number) {
                Entry::Vacant(place) => place.insert(block.clone()),
                Entry::Occupied(_) => {
                    let number = block.number;
                    return Err(Error::invalid(format!(
                        "block {number} to add is live already"
                    )));
                }
            };
        }
        let mut blocks: Vec<BlockEntry> = blocks.into_values().collect();
        blocks.sort_by_key(|block| (block.lsn_min, block.number));
        Ok(blocks)
    }

    fn changed_tombstones(&self, change: &Change) -> Result<Vec<Tombstone>> {
        let kept = self
            .tombstones
            .iter()
            .map(|tombstone| (tombstone.id, tombstone.clone()));
        let mut tombstones: BTreeMap<u64, Tombstone> = kept.collect();
        self.begin_tombstones(change, &mut tombstones)?;
        for id in &change.remove_tombstones {
            if tombstones.remove(id).is_none() {
                return Err(Error::invalid(format!(
                    "tombstone {id} to remove does not exist"
                )));
            }
        }
        for tombstone in &change.add_tombstones {
            let id = tombstone.id;
            if id == 0 || id < self.next_tombstone {
                return Err(Error::invalid(format!(
                    "tombstone id {id} was used before, or is 0"
                )));
            }
            if tombstone.range.start > tombstone.range.end {
                return Err(Error::invalid(format!(
                    "tombstone {id} ends before it starts"
                )));
            }
            let mut added = tombstone.fresh();
            added.is_begun = change.begin_tombstones.contains(&id);
            if tombstones.insert(id, added).is_some() {
                return Err(Error::invalid(format!(
                    "tombstone {id} to add exists already"
                )));
            }
        }
        Ok(tombstones.into_values().collect())
    }

    fn begin_tombstones(
        &self,
        change: &Change,
        tombstones: &mut BTreeMap<u64, Tombstone>,
    ) -> Result<()> {
        for id in &change.begin_tombstones {
            let is_added = change.add_tombstones.iter().any(|added| added.id == *id);
            match tombstones.get_mut(id) {
                Some(tombstone) => tombstone.is_begun = true,
                None if is_added => {}
                None => {
                    return Err(Error::invalid(format!(
                        "tombstone {id} was applied and does not exist"
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Tombstone {
    /// As it was when it was made.
    fn fresh(&self) -> Tombstone {
        Tombstone {
            is_begun: false,
            ..self.clone()
        }
    }
}

/// The number that follows all that were given out: what a change says, or one above the highest
/// that it adds.
fn raised(what: &str, before: u64, given: Option<u64>, highest: Option<u64>) -> Result<u64> {
    let above = highest.map_or(0, |highest| highest.saturating_add(1));
    let next = given.unwrap_or(before.max(above));
    if next < before || highest.is_some_and(|highest| highest >= next) {
        return Err(Error::invalid(format!(
            "next {what} {next} was used before or is not above the added ones"
        )));
    }
    Ok(next)
}

/// Whether readers could tell of each tombstone what it hides in each block.
fn check_applied(blocks: &[BlockEntry], tombstones: &[Tombstone], next: u64) -> Result<()> {
    for block in blocks {
        let (number, applied) = (block.number, block.applied);
        if applied > 0 && applied >= next {
            return Err(Error::invalid(format!(
                "tombstone {applied}, applied to block {number}, was never made"
            )));
        }
        if let Some(tombstone) = tombstones.iter().find(|one| block.straddles(one)) {
            return Err(Error::invalid(format!(
                "block {number} holds entries from before and after tombstone {}, which was not \
                 applied to it",
                tombstone.id
            )));
        }
    }
    Ok(())
}

impl BlockEntry {
    fn check(&self) -> Result<()> {
        let number = self.number;
        if self.range.start > self.range.end || self.lsn_min > self.lsn_max {
            return Err(Error::invalid(format!(
                "block {number} ends before it starts"
            )));
        }
        if self.range.start < self.partition.start || self.partition.end < self.range.end {
            return Err(Error::invalid(format!(
                "block {number} reaches beyond its partition"
            )));
        }
        Ok(())
    }

    /// Whether it holds entries from before and after a tombstone that was not applied to it:
    /// readers could not tell what is hidden.
    fn straddles(&self, tombstone: &Tombstone) -> bool {
        self.lsn_min < tombstone.lsn
            && tombstone.lsn <= self.lsn_max
            && self.applied < tombstone.id
            && self.range.overlaps(&tombstone.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::{block, tombstone};

    fn with_blocks(numbers: &[u64]) -> Version {
        let change = Change {
            add_blocks: numbers.iter().map(|number| block(*number)).collect(),
            wal_floor: Some(50),
            ..Change::default()
        };
        Version::default().apply(&change).unwrap()
    }

    #[test]
    fn blocks_come_in_the_order_of_their_lsn_and_numbers_run_on() {
        let mut late = block(1);
        (late.lsn_min, late.lsn_max) = (500, 600);
        let change = Change {
            add_blocks: vec![late, block(2)],
            ..Change::default()
        };
        let version = with_blocks(&[3]).apply(&change).unwrap();
        let numbers: Vec<u64> = version.blocks.iter().map(|block| block.number).collect();
        assert_eq!(numbers, [2, 3, 1]);
        assert_eq!((version.next_block, version.wal_floor), (4, 50));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let version = with_blocks(&[1, 2]);
        let mut reversed = block(3);
        reversed.range = TickRange::new(reversed.range.end, reversed.range.start);
        let mut outside = block(3);
        outside.partition.end = outside.range.start;
        let none = Change::default;
        let refused = [
            Change {
                add_blocks: vec![block(1)],
                ..none()
            },
            Change {
                add_blocks: vec![block(3), block(3)],
                ..none()
            },
            Change {
                add_blocks: vec![reversed],
                ..none()
            },
            Change {
                add_blocks: vec![outside],
                ..none()
            },
            Change {
                add_blocks: vec![block(2)],
                remove_blocks: vec![2],
                ..none()
            },
            Change {
                add_blocks: vec![block(9)],
                next_block: Some(9),
                ..none()
            },
            Change {
                remove_blocks: vec![7],
                ..none()
            },
            Change {
                remove_blocks: vec![1, 1],
                ..none()
            },
            Change {
                wal_floor: Some(49),
                ..none()
            },
            Change {
                next_block: Some(2),
                ..none()
            },
            Change {
                remove_tombstones: vec![1],
                ..none()
            },
            Change {
                add_tombstones: vec![tombstone(1), tombstone(1)],
                ..none()
            },
            Change {
                begin_tombstones: vec![1],
                ..none()
            },
            Change {
                add_tombstones: vec![tombstone(0)],
                ..none()
            },
            Change {
                add_tombstones: vec![tombstone(3)],
                next_tombstone: Some(3),
                ..none()
            },
            Change {
                add_blocks: vec![BlockEntry {
                    applied: 1,
                    ..block(3)
                }],
                ..none()
            },
        ];
        for change in refused {
            assert!(version.apply(&change).is_err(), "{change:?} was taken");
        }
    }

    #[test]
    fn the_id_of_a_removed_tombstone_is_never_used_again() {
        let adding = |id| Change {
            add_tombstones: vec![tombstone(id)],
            ..Change::default()
        };
        let removing = Change {
            remove_tombstones: vec![2],
            ..Change::default()
        };
        let version = Version::default().apply(&adding(2)).unwrap();
        let version = version.apply(&removing).unwrap();
        assert_eq!((version.tombstones.len(), version.next_tombstone), (0, 3));
        assert!(version.apply(&adding(1)).is_err());
        assert!(version.apply(&adding(2)).is_err());
        assert_eq!(version.apply(&adding(3)).unwrap().next_tombstone, 4);
        let change = version.as_change();
        assert_eq!(Version::default().apply(&change).unwrap(), version);
    }

    #[test]
    fn a_block_on_both_sides_of_a_tombstone_must_have_had_it_applied() {
        let mut first = tombstone(1);
        first.lsn = 5;
        let change = Change {
            add_tombstones: vec![first],
            ..Change::default()
        };
        let version = Version::default().apply(&change).unwrap();
        let adding = |lsn_min, lsn_max, applied| Change {
            add_blocks: vec![BlockEntry {
                lsn_min,
                lsn_max,
                applied,
                ..block(3)
            }],
            ..Change::default()
        };
        assert!(version.apply(&adding(2, 4, 0)).is_ok());
        assert!(version.apply(&adding(5, 9, 0)).is_ok());
        assert!(version.apply(&adding(2, 9, 1)).is_ok());
        assert!(version.apply(&adding(2, 9, 0)).is_err());
        assert!(version.apply(&adding(4, 5, 0)).is_err());
        let straddled = Version::default().apply(&adding(2, 9, 0)).unwrap();
        assert!(straddled.apply(&change).is_err());
    }

    #[test]
    fn a_tombstone_that_was_begun_stays_so_and_may_go_with_the_same_change() {
        let change = Change {
            add_tombstones: vec![tombstone(1), tombstone(2)],
            ..Change::default()
        };
        let version = Version::default().apply(&change).unwrap();
        let begun = |version: &Version| {
            let begun = version
                .tombstones
                .iter()
                .map(|tombstone| tombstone.is_begun);
            begun.collect::<Vec<_>>()
        };
        assert_eq!(begun(&version), [false, false]);
        let change = Change {
            begin_tombstones: vec![1, 2],
            remove_tombstones: vec![1],
            ..Change::default()
        };
        let version = version.apply(&change).unwrap();
        assert_eq!(begun(&version), [true]);
        let again = Version::default().apply(&version.as_change()).unwrap();
        assert_eq!(again, version);
    }

    #[test]
    fn a_version_is_made_again_from_its_own_change() {
        let change = Change {
            add_tombstones: vec![tombstone(4), tombstone(2)],
            put_notes: vec![(b"k".to_vec(), b"v".to_vec())],
            ..Change::default()
        };
        let version = with_blocks(&[5, 1, 3]).apply(&change).unwrap();
        assert_eq!(
            Version::default().apply(&version.as_change()).unwrap(),
            version
        );
    }
}
