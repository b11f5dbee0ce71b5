//! What keeps a store small over the years, and whole: merges, deletes, and backups to go on from.

use std::path::Path;

use chronolith_engine::testing::{self, SimDisk, Stage};
use chronolith_engine::{ErrorKind, Result};

use super::check::{self, Check};
use super::removal::{Removal, Standing};
use super::shelf::{Content, SHAPES, Shape, Shelf};
use super::show::{self, TENANTS};
use super::world::{Death, World};

/// Deletions that one store may have whose fate is open: their sets are tried one by one.
const OPEN_MAX: usize = 2;

/// How often a run did what a run may do: all seeds together must have done each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deeds {
    pub deaths: u32,
    pub merges: u32,
    pub deletes: u32,
    pub cancels: u32,
    /// Cancels that came too late.
    pub late_cancels: u32,
    /// Reads for which something had expired.
    pub expiries: u32,
    pub backups: u32,
    /// Backups that failed or died on the way.
    pub cut_backups: u32,
    /// Backups that became the data directory.
    pub restores: u32,
}

impl Deeds {
    fn counts(self) -> [u32; 9] {
        [
            self.deaths,
            self.merges,
            self.deletes,
            self.cancels,
            self.late_cancels,
            self.expiries,
            self.backups,
            self.cut_backups,
            self.restores,
        ]
    }

    pub fn add(&mut self, other: Deeds) {
        self.deaths += other.deaths;
        self.merges += other.merges;
        self.deletes += other.deletes;
        self.cancels += other.cancels;
        self.late_cancels += other.late_cancels;
        self.expiries += other.expiries;
        self.backups += other.backups;
        self.cut_backups += other.cut_backups;
        self.restores += other.restores;
    }

    pub fn are_all_done(self) -> bool {
        self.counts().iter().all(|count| *count > 0)
    }
}

impl World {
    /// Merges what pays in all stores, as in the background, or one store to the end: nothing of
    /// what is read may change.
    pub(super) fn merge(&mut self) -> Check {
        let tenant = usize::from(self.dice.below(4) == 0);
        let choice = self.dice.below(6);
        let before = self.before();
        if choice < 2 {
            self.note(|| "merge what pays".into());
            let merged = testing::merge(self.engine.as_ref().unwrap());
            return match merged {
                Ok(has_merged) => {
                    self.deeds.merges += u32::from(has_merged);
                    self.read_all("behind a merge")
                }
                Err(error) => self.excuse(before, &error, "a merge"),
            };
        }
        let shape = [Shape::Samples, Shape::Lines][choice % 2];
        let is_frozen = choice < 4 && self.freeze_one(tenant, shape)?;
        if self.is_dead() {
            return Ok(());
        }
        self.note(|| format!("merge {tenant} {shape:?}"));
        let before = self.before();
        let opened = self.engine.as_ref().unwrap().tenant(TENANTS[tenant]);
        let merged: Result<u64> = opened.and_then(|tenant| {
            let (metrics, logs) = (tenant.metrics()?, tenant.logs()?);
            let count = || metrics.stats().merges + logs.stats().merges;
            let before = count();
            match shape {
                Shape::Samples => metrics.compact()?,
                _ => logs.compact()?,
            }
            Ok(count() - before)
        });
        self.deeds.merges += u32::from(matches!(merged, Ok(1..)));
        match merged.map(drop) {
            Ok(()) if is_frozen => {
                self.must_be_applied(tenant, shape)?;
                self.read_all("behind a merge")
            }
            Ok(()) => self.read_all("behind a merge"),
            Err(error) => self.excuse(before, &error, "a merge"),
        }
    }

    /// Behind a freeze and a merge to the end nothing is left that a deletion hides.
    fn must_be_applied(&mut self, tenant: usize, shape: Shape) -> Check {
        let engine = self.engine.as_ref().unwrap();
        let listed = show::deletions(engine, tenant, shape).map_err(|error| error.to_string())?;
        let left = listed.iter().find(|found| found.blocks_left > 0);
        match left {
            Some(found) if show::damage(engine, tenant, shape).is_empty() => Err(format!(
                "{found:?} still hides something in blocks of {tenant} {shape:?}"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn check_deletions(&mut self, tenant: usize, shape: Shape) -> Check {
        let before = self.before();
        let at = self.shelf(tenant, shape);
        match show::deletions(self.engine.as_ref().unwrap(), tenant, shape) {
            Ok(listed) => self.shelves[at].compare_deletions(&listed),
            Err(error) => self.excuse(before, &error, "listing deletions"),
        }
    }

    fn choose_deletable(&mut self) -> (usize, Shape) {
        let shape = match self.dice.below(8) {
            0..4 => Shape::Samples,
            4..7 => Shape::Lines,
            _ => Shape::Exemplars,
        };
        (usize::from(self.dice.below(4) == 0), shape)
    }

    pub(super) fn delete(&mut self) -> Check {
        let (tenant, shape) = self.choose_deletable();
        let at = self.shelf(tenant, shape);
        let number = self.shelves[at].removals.len();
        let mut removal = Removal::choose(&mut self.dice, &self.shelves[at], number);
        if self.shelves[at].open_removals() >= OPEN_MAX {
            return Ok(());
        }
        self.note(|| format!("delete {tenant} {shape:?} {removal:?}"));
        let before = self.before();
        let deletion = removal.deletion(shape);
        let opened = self.engine.as_ref().unwrap().tenant(TENANTS[tenant]);
        let deleted = opened.and_then(|tenant| match shape {
            Shape::Samples => tenant.metrics()?.delete(&deletion),
            Shape::Lines => tenant.logs()?.delete(&deletion),
            _ => tenant.delete_exemplars(&deletion),
        });
        // The head was cut, whatever came of it.
        self.shelves[at].forget_window();
        match &deleted {
            Ok(id) => {
                self.deeds.deletes += 1;
                removal.id = Some(*id);
            }
            Err(_) => removal.standing = Standing::Open { is_in_force: false },
        }
        self.shelves[at].removals.push(removal);
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => self.excuse(before, &error, "a delete"),
        }
    }

    /// Takes back a deletion: possible as long as no merge has begun to apply it.
    pub(super) fn cancel(&mut self) -> Check {
        let (tenant, shape) = self.choose_deletable();
        let at = self.shelf(tenant, shape);
        let shelf = &self.shelves[at];
        let is_chosen = |removal: &&Removal| removal.is_in_force() && removal.id.is_some();
        let choices: Vec<(usize, u64)> = shelf
            .removals
            .iter()
            .filter(is_chosen)
            .filter_map(|removal| Some((removal.number, removal.id?)))
            .collect();
        if choices.is_empty() || shelf.is_clouded || shelf.open_removals() >= OPEN_MAX {
            return Ok(());
        }
        let (number, id) = choices[self.dice.below(choices.len())];
        self.note(|| format!("cancel deletion {number} of {tenant} {shape:?}"));
        let before = self.before();
        let engine = self.engine.as_ref().unwrap();
        let listed = show::deletions(engine, tenant, shape);
        let cancelled = engine
            .tenant(TENANTS[tenant])
            .and_then(|tenant| match shape {
                Shape::Samples => tenant.metrics()?.cancel_delete(id),
                Shape::Lines => tenant.logs()?.cancel_delete(id),
                _ => tenant.cancel_exemplar_deletion(id),
            });
        let (listed, is_cancelled) = match listed.and_then(|listed| Ok((listed, cancelled?))) {
            Ok(both) => both,
            Err(error) => {
                self.shelves[at].removals[number].standing = Standing::Open { is_in_force: true };
                return self.excuse(before, &error, "cancelling a delete");
            }
        };
        let found = listed.iter().find(|found| found.number == number);
        let can_cancel = found.is_some_and(|found| !found.is_begun);
        self.deeds.cancels += u32::from(is_cancelled);
        self.deeds.late_cancels += u32::from(!is_cancelled);
        self.shelves[at].removals[number].standing = match is_cancelled {
            true => Standing::Gone,
            false => Standing::InForce,
        };
        match is_cancelled == can_cancel {
            true => Ok(()),
            false => Err(format!(
                "deletion {number} of {tenant} {shape:?}, listed as {found:?}: cancelled is \
                 {is_cancelled}"
            )),
        }
    }

    // Backups.

    fn whole(&self) -> Vec<Content> {
        self.shelves.iter().map(Shelf::now).collect()
    }

    /// Backs up; opens the backup as the disk would be after a power loss right then; sometimes
    /// goes on from it.
    pub(super) fn back_up(&mut self) -> Check {
        self.backups_begun += 1;
        let target = format!("/backups/{}", self.backups_begun);
        self.note(|| format!("back up into {target}"));
        let expected = self.whole();
        let before = self.before();
        match self.engine.as_ref().unwrap().backup(&target) {
            // What a loss that durability allows has left behind may look like damage.
            Ok(report) if !report.damage.is_empty() && !self.may_lose() => {
                return Err(format!("a backup has damage: {:?}", report.damage));
            }
            Ok(_) => {}
            Err(error) => {
                self.excuse(before, &error, "a backup")?;
                self.deeds.cut_backups += 1;
                self.begun_backup = Some((target, expected));
                return match self.is_dead() {
                    true => Ok(()),
                    false => self.check_begun_backup(),
                };
            }
        }
        self.deeds.backups += 1;
        let synced = self.stage.disk.copy_of_synced();
        self.check_backup(synced, &target, &expected)
            .map_err(|what| format!("the backup {target}: {what}"))?;
        match self.dice.below(3) {
            0 => self.go_on_from(target),
            _ => Ok(()),
        }
    }

    /// A backup that failed, or that a crash cut short, does not open, or is complete.
    pub(super) fn check_begun_backup(&mut self) -> Check {
        let Some((target, expected)) = self.begun_backup.take() else {
            return Ok(());
        };
        let has_files = |disk: &SimDisk| {
            let files = disk.files();
            let in_target = |path: &Path| path.starts_with(&target) && !path.ends_with("LOCK");
            files.iter().any(|(path, _)| in_target(path))
        };
        let disk = self.stage.disk.copy();
        if !has_files(&disk) {
            return Ok(());
        }
        let stage = self.on(disk.copy());
        match stage.open_at(&target, &self.options) {
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(()),
            Err(error) => Err(format!("an unfinished backup: {error}")),
            Ok(_) => self
                .check_backup(disk, &target, &expected)
                .map_err(|what| format!("a backup that was cut short: {what}")),
        }
    }

    fn on(&self, disk: SimDisk) -> Stage {
        Stage {
            disk,
            clock: self.stage.clock.clone(),
        }
    }

    /// Opens a backup, compares all of it, reads every byte, and restores it elsewhere.
    fn check_backup(&mut self, disk: SimDisk, target: &str, expected: &[Content]) -> Check {
        let stage = self.on(disk);
        let told = |error| format!("{error}");
        let may_lose = self.may_lose();
        let engine = stage.open_at(target, &self.options).map_err(told)?;
        let compare = |engine: &_, what: &str| -> Check {
            for (at, expected) in expected.iter().enumerate() {
                let (tenant, shape) = (at / SHAPES.len(), SHAPES[at % SHAPES.len()]);
                let read = show::read(engine, tenant, shape).map_err(told)?;
                check::same(&format!("{what} {tenant} {shape:?}"), &read, expected)?;
                let damage = show::damage(engine, tenant, shape);
                if !damage.is_empty() && !may_lose {
                    return Err(format!("{what} is damaged: {damage:?}"));
                }
            }
            Ok(())
        };
        compare(&engine, "opened,")?;
        let found = engine.verify().map_err(told)?;
        if !found.is_sound() && !may_lose {
            return Err(format!("verifying it found {:?}", found.damage));
        }
        if self.dice.below(4) > 0 {
            return Ok(());
        }
        engine.backup("/restored").map_err(told)?;
        drop(engine);
        let restored = stage.open_at("/restored", &self.options).map_err(told)?;
        compare(&restored, "restored,")
    }

    /// The data directory is lost: the backup takes its place.
    fn go_on_from(&mut self, target: String) -> Check {
        self.note(|| format!("go on from {target}"));
        let before = self.before();
        self.engine = None;
        self.deeds.restores += 1;
        self.root = target;
        self.shelves.iter_mut().for_each(Shelf::go_on_from_copy);
        match self.open() {
            Ok(engine) => self.engine = Some(engine),
            Err(error) => self.excuse(before, &error, "opening a backup")?,
        }
        if self.is_dead() {
            return Ok(());
        }
        self.lift_keeping(before)?;
        if self.engine.is_none() {
            let opened = self.open();
            self.engine = Some(opened.map_err(|error| format!("opening a backup: {error}"))?);
        }
        self.settle(Death::Kill)?;
        if self.setup.strike.is_none() {
            self.plan_crash();
        }
        Ok(())
    }
}
