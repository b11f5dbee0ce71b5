//! The manifest against a model, a failing disk and damaged files.

use std::collections::{BTreeMap, HashSet};

use super::version::Tombstone;
use super::*;
use crate::io::sim::{Dice, Fault, SimDisk};
use crate::time::{TickRange, Ticks};

mod damage;
mod format;
mod race;

pub(crate) const DIR: &str = "/manifest";

pub(crate) fn block(number: u64) -> BlockEntry {
    let start = number as i64 * 10;
    BlockEntry {
        number,
        range: TickRange::new(Ticks(start), Ticks(start + 9)),
        partition: TickRange::new(Ticks(0), Ticks(1 << 40)),
        lsn_min: number,
        lsn_max: number + 1,
        level: 0,
        class: 0,
        bytes: 1_000 + number,
        series: 3,
        entries: 30,
        applied: 0,
    }
}

pub(crate) fn tombstone(id: u64) -> Tombstone {
    Tombstone {
        id,
        // Above the blocks of these tests, none of which was rewritten for it.
        lsn: 1_000_000 + id,
        range: TickRange::ALL,
        created: Ticks(id as i64),
        matchers: vec![id as u8; 3],
        predicate: vec![id as u8; (id % 3) as usize],
        is_begun: false,
    }
}

pub(crate) fn adding(number: u64) -> Change {
    Change {
        add_blocks: vec![block(number)],
        put_notes: vec![(b"last".to_vec(), number.to_le_bytes().to_vec())],
        ..Change::default()
    }
}

/// Opens with a checkpoint after every few changes, so that short runs see many.
pub(crate) fn open(disk: &SimDisk) -> Result<(Manifest, Opened)> {
    let (mut manifest, opened) = Manifest::open(Arc::new(disk.clone()), Path::new(DIR))?;
    manifest.deltas_max = 3;
    Ok((manifest, opened))
}

pub(crate) fn reopened(disk: &SimDisk) -> Opened {
    open(disk).unwrap().1
}

/// The blocks of a version, which in these tests tell it from every other.
pub(crate) fn blocks(version: &Version) -> Vec<u64> {
    version.blocks.iter().map(|block| block.number).collect()
}

fn random_change(dice: &mut Dice, version: &Version) -> Change {
    let mut change = Change::default();
    for offset in 0..dice.below(3) {
        change.add_blocks.push(block(version.next_block + offset));
    }
    for block in &version.blocks {
        if dice.below(8) == 0 {
            change.remove_blocks.push(block.number);
        }
    }
    for tombstone in &version.tombstones {
        if dice.below(4) == 0 {
            change.begin_tombstones.push(tombstone.id);
        }
        if dice.below(4) == 0 {
            change.remove_tombstones.push(tombstone.id);
        }
    }
    if dice.coin() {
        let id = version.next_tombstone.max(1);
        change.add_tombstones.push(tombstone(id));
        change.wal_floor = Some(version.wal_floor + dice.below(100));
    }
    change.remove_notes.push(vec![dice.below(5) as u8]);
    change
        .put_notes
        .push((vec![dice.below(5) as u8], vec![dice.below(255) as u8; 4]));
    change
}

/// The state that the changes add up to, kept in the plainest way.
#[derive(Default)]
struct Model {
    blocks: BTreeMap<u64, BlockEntry>,
    tombstones: BTreeMap<u64, Tombstone>,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
    wal_floor: u64,
}

impl Model {
    fn apply(&mut self, change: &Change) {
        self.blocks
            .retain(|number, _| !change.remove_blocks.contains(number));
        for id in &change.begin_tombstones {
            self.tombstones.get_mut(id).unwrap().is_begun = true;
        }
        self.blocks
            .extend(change.add_blocks.iter().map(|b| (b.number, b.clone())));
        self.tombstones
            .retain(|id, _| !change.remove_tombstones.contains(id));
        self.tombstones
            .extend(change.add_tombstones.iter().map(|t| (t.id, t.clone())));
        self.notes
            .retain(|key, _| !change.remove_notes.contains(key));
        self.notes.extend(change.put_notes.iter().cloned());
        self.wal_floor = change.wal_floor.unwrap_or(self.wal_floor);
    }

    fn check(&self, version: &Version) {
        // Blocks of these tests have their number as their lowest LSN, so the orders agree.
        assert!(version.blocks.iter().eq(self.blocks.values()));
        assert!(version.tombstones.iter().eq(self.tombstones.values()));
        assert_eq!(version.notes, self.notes);
        assert_eq!(version.wal_floor, self.wal_floor);
    }
}

#[test]
fn random_changes_agree_with_a_model_over_many_opens() {
    for seed in 0..20 {
        println!("seed {seed}");
        let (disk, mut dice) = (SimDisk::new(seed), Dice::new(seed));
        let mut model = Model::default();
        for _ in 0..6 {
            let (mut manifest, opened) = open(&disk).unwrap();
            model.check(&opened.version);
            assert!(opened.damage.is_empty());
            for _ in 0..dice.below(12) {
                let change = random_change(&mut dice, &manifest.version());
                model.apply(&change);
                model.check(&manifest.commit(&change).unwrap());
                let beside = Manifest::read(&disk, Path::new(DIR)).unwrap();
                assert_eq!(beside.version, manifest.version());
            }
        }
    }
}

#[test]
fn a_new_manifest_is_empty_and_a_sound_one_lets_litter_go() {
    let disk = SimDisk::new(1);
    let (mut manifest, opened) = open(&disk).unwrap();
    assert_eq!(blocks(&opened.version), [0u64; 0]);
    assert_eq!(opened.may_remove_litter, Litter::MustStay);
    manifest.commit(&adding(1)).unwrap();
    let opened = reopened(&disk);
    assert_eq!(blocks(&opened.version), [1]);
    assert_eq!(opened.may_remove_litter, Litter::MayGo);
}

#[test]
fn files_do_not_pile_up() {
    let disk = SimDisk::new(1);
    let (mut manifest, _) = open(&disk).unwrap();
    for number in 0..40 {
        manifest.commit(&adding(number)).unwrap();
        let (files, limit) = (disk.files().len(), manifest.deltas_max as usize + 1);
        assert!(
            files <= limit,
            "{files} files lie there, {limit} are enough"
        );
    }
}

#[test]
fn a_refused_change_leaves_everything_as_it_was() {
    let disk = SimDisk::new(1);
    let (mut manifest, _) = open(&disk).unwrap();
    manifest.commit(&adding(1)).unwrap();
    let (version, operations) = (manifest.version(), disk.operations());
    assert!(manifest.commit(&adding(1)).is_err());
    assert_eq!(
        (manifest.version(), disk.operations()),
        (version, operations)
    );
}

/// Adds blocks 1 to 9 one by one and retries nothing. The blocks of the last version that was
/// acknowledged, and of all that were tried since.
fn run(disk: &SimDisk) -> (Vec<u64>, HashSet<Vec<u64>>) {
    let mut acknowledged = Vec::new();
    let mut possible = HashSet::from([Vec::new()]);
    let Ok((mut manifest, _)) = open(disk) else {
        return (acknowledged, possible);
    };
    for number in 1..10 {
        let mut tried = acknowledged.clone();
        tried.push(number);
        match manifest.commit(&adding(number)) {
            Ok(version) => {
                assert_eq!(blocks(&version), tried);
                possible = HashSet::from([tried.clone()]);
                acknowledged = tried;
            }
            Err(_) => {
                assert_eq!(blocks(&manifest.version()), acknowledged);
                possible.insert(tried);
            }
        }
    }
    (acknowledged, possible)
}

/// How many operations a run without faults takes.
fn operations() -> u64 {
    let disk = SimDisk::new(0);
    run(&disk);
    disk.operations()
}

/// What the next boots find is one of the `possible` versions, stays the same once it was opened,
/// and can be built upon.
fn check_boot(image: &SimDisk, possible: &HashSet<Vec<u64>>) {
    let found = reopened(image);
    assert!(found.damage.is_empty(), "{:?}", found.damage);
    let found = blocks(&found.version);
    assert!(
        possible.contains(&found),
        "{found:?} is none of {possible:?}"
    );
    let image = image.crash_to_synced();
    let (mut manifest, opened) = open(&image).unwrap();
    assert_eq!(blocks(&opened.version), found);
    manifest.commit(&adding(100)).unwrap();
    let mut more = found;
    more.push(100);
    assert_eq!(blocks(&reopened(&image.crash_to_synced()).version), more);
}

#[test]
fn a_crash_at_any_operation_keeps_what_was_acknowledged() {
    for operation in 0..operations() {
        for seed in 0..12 {
            println!("operation {operation} seed {seed}");
            let disk = SimDisk::new(seed);
            disk.fail_at(operation, Fault::CrashHere);
            let (_, possible) = run(&disk);
            let image = if seed == 0 {
                disk.crash_to_synced()
            } else {
                disk.crash(seed)
            };
            check_boot(&image, &possible);
        }
    }
}

#[test]
fn a_fault_at_any_operation_is_an_error_and_the_next_commit_supersedes_it() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWriteThenEio] {
        for operation in 0..operations() {
            println!("{fault:?} at operation {operation}");
            for boot in [Boot::Process, Boot::Synced, Boot::Power] {
                let disk = SimDisk::new(operation);
                disk.fail_at(operation, fault);
                let (acknowledged, possible) = run(&disk);
                assert!(acknowledged.len() >= 8 || acknowledged.is_empty());
                let image = match boot {
                    Boot::Process => disk,
                    Boot::Synced => disk.crash_to_synced(),
                    Boot::Power => disk.crash(operation),
                };
                check_boot(&image, &possible);
            }
        }
    }
}

/// What dies between a run and the next open.
enum Boot {
    /// The process alone: the next open sees what was never synced, and must make it durable.
    Process,
    /// The machine, in the hardest way.
    Synced,
    /// The machine, as the dice fall.
    Power,
}

/// Runs until the first commit fails, then dies.
fn run_to_failure(disk: &SimDisk) {
    let Ok((mut manifest, _)) = open(disk) else {
        return;
    };
    let _ = (1..10).try_for_each(|number| manifest.commit(&adding(number)).map(drop));
}

#[test]
fn what_an_open_found_in_a_cache_is_durable_when_litter_may_go() {
    for operation in 0..operations() {
        let disk = SimDisk::new(operation);
        disk.fail_at(operation, Fault::Eio);
        run_to_failure(&disk);
        let opened = reopened(&disk);
        let later = reopened(&disk.crash_to_synced());
        assert_eq!(
            blocks(&opened.version),
            blocks(&later.version),
            "operation {operation}"
        );
    }
}

#[test]
fn a_fault_and_then_a_crash_bring_up_one_of_the_versions_in_flight() {
    for first in 0..operations() {
        for second in first + 1..first + 8 {
            println!("fault at {first}, crash at {second}");
            let disk = SimDisk::new(first);
            disk.fail_at(first, Fault::Eio);
            disk.fail_at(second, Fault::CrashHere);
            let (_, possible) = run(&disk);
            check_boot(&disk.crash(second), &possible);
        }
    }
}

#[test]
fn a_full_disk_that_gets_room_again_goes_on() {
    let disk = SimDisk::new(1);
    let (mut manifest, _) = open(&disk).unwrap();
    manifest.commit(&adding(1)).unwrap();
    disk.capacity(disk.used());
    let error = manifest.commit(&adding(2)).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Full);
    // An open on the full disk cannot settle, but reads.
    let opened = reopened(&disk);
    assert_eq!(blocks(&opened.version), [1]);
    assert_eq!(opened.may_remove_litter, Litter::MustStay);
    disk.capacity(u64::MAX);
    let (mut manifest, _) = open(&disk).unwrap();
    assert_eq!(blocks(&manifest.commit(&adding(2)).unwrap()), [1, 2]);
}
