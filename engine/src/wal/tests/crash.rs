//! Random work, faults and power losses against a model of what must and what may come back.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::io::sim::Dice;

/// What the world was told.
struct Model {
    disk: SimDisk,
    wal: Option<Wal>,
    floor: u64,
    /// Must come back.
    acknowledged: BTreeMap<u64, Vec<u8>>,
    /// May come back: nobody was told anything yet, or an error without a revival.
    open: BTreeMap<u64, Vec<u8>>,
    /// Must not come back.
    void: BTreeSet<u64>,
    /// The last record of each hole that a boot has met: it stays, and what follows is durable.
    holes: BTreeSet<Option<Lsn>>,
    faulted: bool,
    durability: Durability,
}

/// What a run loses that it may not lose, if anything.
type Verdict = std::result::Result<(), String>;

impl Model {
    fn new(disk: SimDisk, durability: Durability) -> Self {
        Model {
            durability,
            disk,
            wal: None,
            floor: 0,
            acknowledged: BTreeMap::new(),
            open: BTreeMap::new(),
            void: BTreeSet::new(),
            holes: BTreeSet::new(),
            faulted: false,
        }
    }

    /// Opens the log and compares what it replays with what it must and may. A planned fault may
    /// make the opening itself fail.
    fn boot(&mut self) -> Verdict {
        let options = WalOptions {
            durability: self.durability,
            ..options(600)
        };
        let Ok((wal, report, seen)) = try_open(&self.disk, options, self.floor) else {
            return Ok(());
        };
        // Without a sync per write, what was acknowledged may be lost: that is reported.
        if self.durability == Durability::Always && !report.damages.is_empty() {
            return Err(format!("damage without cause: {:?}", report.damages));
        }
        // No byte rots here: what is missing was never durable, and nothing may have claimed so.
        for damage in &report.damages {
            let is_new = self.holes.insert(damage.lost.map(|(_, last)| last));
            if is_new && damage.proven {
                return Err(format!("a crash passes for damage: {damage:?}"));
            }
        }
        let mut last = 0;
        for (lsn, body) in &seen {
            if *lsn <= last {
                return Err(format!("record {lsn} after {last}"));
            }
            last = *lsn;
            if self.void.contains(lsn) {
                return Err(format!("void record {lsn} is back"));
            }
            let maps = [&self.acknowledged, &self.open];
            if !maps.iter().any(|map| map.get(lsn) == Some(body)) {
                return Err(format!("record {lsn} was never written"));
            }
        }
        let seen: BTreeMap<_, _> = seen.into_iter().collect();
        for lsn in self.acknowledged.range(self.floor..).map(|(lsn, _)| lsn) {
            if !seen.contains_key(lsn) {
                return Err(format!("acknowledged record {lsn} is lost"));
            }
        }
        // What came back is built upon from now on; it must stay as soon as anything later is
        // acknowledged.
        self.open = seen;
        // No earlier process of this test saw a sync fail and left the machine running.
        wal.close_gap();
        self.wal = Some(wal);
        Ok(())
    }

    fn acknowledge(&mut self, lsn: u64) {
        let later = self.open.split_off(&(lsn + 1));
        self.acknowledged.append(&mut self.open);
        self.open = later;
    }

    fn act(&mut self, dice: &mut Dice) {
        let Some(wal) = self.wal.take() else {
            return;
        };
        for _ in 0..=dice.below(4) {
            let length = dice.below_len(200);
            let body: Vec<u8> = (0..length).map(|_| dice.next() as u8).collect();
            if let Ok(lsn) = wal.submit(wal.era(), "tenant", 1, 1, &body) {
                self.open.insert(lsn.0, body);
            }
        }
        let last = wal.last_lsn();
        let lsn = Lsn(last.0.saturating_sub(dice.below(3)));
        if lsn > Lsn(0) && wal.wait(lsn).is_ok() {
            match self.durability {
                Durability::Always => self.acknowledge(lsn.0),
                _ if dice.coin() && wal.sync().is_ok() => self.acknowledge(lsn.0),
                _ => {}
            }
        }
        if wal.health().is_some() {
            self.faulted = true;
            let reached = wal.acknowledged_lsn();
            if wal.revive(reached).is_ok() {
                let later = self.open.split_off(&(reached.0 + 1));
                if self.durability == Durability::Always {
                    self.acknowledge(reached.0);
                }
                self.void.extend(later.keys());
            }
        } else if dice.below(4) == 0 {
            let top = self
                .acknowledged
                .last_key_value()
                .map_or(0, |(lsn, _)| *lsn);
            self.floor = self.floor.max(dice.below(top + 2));
            // A release that fails leaves segments behind, which is all that it can do.
            let _ = wal.release(Lsn(self.floor));
        }
        self.wal = Some(wal);
    }
}

fn run(seed: u64, durability: Durability, plant: impl Fn(&SimDisk)) -> Verdict {
    let mut dice = Dice::new(seed);
    let mut model = Model::new(new_disk(seed), durability);
    plant(&model.disk);
    for _ in 0..4 {
        model.boot()?;
        for _ in 0..dice.below(3) {
            let fault = match dice.below(4) {
                0 => Fault::Eio,
                1 => Fault::Enospc,
                2 => Fault::ShortWriteThenEio,
                _ => Fault::CrashHere,
            };
            let operation = model.disk.operations() + dice.below(30);
            model.disk.fail_at(operation, fault);
        }
        for _ in 0..dice.below(12) {
            model.act(&mut dice);
        }
        if !model.faulted && dice.below(3) == 0 && model.wal.take().is_some() {
            // The process dies, the machine does not.
            model.disk.heal();
            continue;
        }
        model.wal = None;
        model.faulted = false;
        model.disk = match dice.below(4) {
            0 => model.disk.crash_to_synced(),
            _ => model.disk.crash(dice.next()),
        };
        plant(&model.disk);
    }
    model.boot()
}

#[test]
fn random_crashes_and_faults_lose_nothing_acknowledged_and_bring_nothing_back() {
    for seed in 0..1500 {
        if let Err(problem) = run(seed, Durability::Always, |_| {}) {
            panic!("seed {seed}: {problem}");
        }
    }
}

#[test]
fn without_a_sync_per_write_what_was_synced_comes_back_all_the_same() {
    // An interval that never passes: the thread's syncs would make a seed mean nothing.
    let interval = Durability::Interval(Duration::from_secs(1 << 30));
    for seed in 0..1500 {
        for durability in [interval, Durability::Never] {
            if let Err(problem) = run(seed, durability, |_| {}) {
                panic!("seed {seed}, {durability:?}: {problem}");
            }
        }
    }
}

#[test]
fn planted_bugs_are_found() {
    let plants: [fn(&SimDisk); 2] = [
        |disk| disk.ignore_sync_of(|_| true),
        |disk| disk.ignore_sync_dir(|_| true),
    ];
    for plant in plants {
        assert!((0..50).any(|seed| run(seed, Durability::Always, plant).is_err()));
    }
}

/// Six records in groups over several segments, a reopening in between and a revival where needed.
fn script(model: &mut Model) -> Verdict {
    for _ in 0..2 {
        model.boot()?;
        let mut dice = Dice::new(7);
        for _ in 0..5 {
            model.act(&mut dice);
        }
        model.wal = None;
        if model.faulted {
            break;
        }
    }
    Ok(())
}

#[test]
fn a_fault_at_every_operation_costs_nothing_acknowledged() {
    let fresh = || Model::new(new_disk(3), Durability::Always);
    let mut clean = fresh();
    script(&mut clean).unwrap();
    let operations = clean.disk.operations();
    assert!(operations > 30);
    let faults = [
        Fault::Eio,
        Fault::Enospc,
        Fault::ShortWriteThenEio,
        Fault::CrashHere,
    ];
    for operation in 0..operations {
        for fault in faults {
            for crash in 0..4 {
                let mut model = fresh();
                model.disk.fail_at(operation, fault);
                let verdict = script(&mut model).and_then(|()| {
                    model.disk = match crash {
                        0 => model.disk.crash_to_synced(),
                        seed => model.disk.crash(seed),
                    };
                    model.boot()
                });
                if let Err(problem) = verdict {
                    panic!("{fault:?} at {operation}, crash {crash}: {problem}");
                }
            }
        }
    }
}

#[test]
fn a_read_that_fails_fails_the_opening_and_hides_nothing() {
    let disk = log_of(10, 400);
    let before = disk.reads();
    let (_, _, whole) = open(&disk.copy(), options(400));
    let mut read = 0;
    loop {
        let copy = disk.copy();
        copy.fail_read_at(read, Fault::Eio);
        match try_open(&copy, options(400), 0) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Io),
            Ok((_, _, seen)) => {
                assert_eq!(seen, whole);
                break;
            }
        }
        read += 1;
    }
    assert!(read > 20 && disk.reads() == before);
}
