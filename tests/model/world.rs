//! One run: an engine on a simulated disk, the model beside it, and the dice that drive both.

use std::path::Path;

use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::Samples;
use chronolith_engine::testing::{self, Fault, ManualClock, Plant, SimDisk, Stage};
use chronolith_engine::{BatchMode, Durability, Engine, Error, Options, Report, Result, Snapshot};
use chronolith_tests::Random;

use super::check::{self, Check};
use super::choose;
use super::keep::Keep;
use super::send::{send_exemplars, send_lines, send_notes, send_samples};
use super::shelf::{Content, Entry, Fate, SHAPES, Shape, Shelf};
use super::show::{self, TENANTS};
use super::years::Deeds;

/// How a run dies, and what is left then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The power goes, at random disk calls.
    Power,
    /// The process dies, at random disk calls; the operating system lives on.
    Kill,
}

/// A bug to be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    Engine(Plant),
    LogNotSynced,
    LogDirectoryNotSynced,
}

/// What struck a run at one disk call, in place of random faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    pub operation: u64,
    pub fault: Fault,
}

/// All that a run follows from.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub seed: u64,
    pub steps: usize,
    pub durability: Durability,
    pub death: Death,
    pub bug: Option<Bug>,
    /// With one, nothing else goes wrong; without, everything may.
    pub strike: Option<Option<Strike>>,
}

/// A snapshot that is held open, with what it must go on showing.
struct Held {
    snapshot: HeldSnapshot,
    expected: Content,
}

enum HeldSnapshot {
    Samples(Snapshot<Samples>),
    Lines(Snapshot<Lines>),
}

pub struct World {
    pub(super) setup: Setup,
    pub(super) dice: Random,
    pub(super) stage: Stage,
    /// The data directory: a backup, once the run has gone on from one.
    pub(super) root: String,
    pub(super) options: Options,
    pub(super) engine: Option<Engine>,
    pub(super) shelves: Vec<Shelf>,
    /// A backup that was not finished, and what it would hold.
    pub(super) begun_backup: Option<(String, Vec<Content>)>,
    pub(super) backups_begun: u32,
    held: Vec<Held>,
    crash_at: Option<u64>,
    faults: Vec<u64>,
    read_faults: Vec<u64>,
    pub(super) is_squeezed: bool,
    pub deeds: Deeds,
    /// Disk calls before the last death.
    pub longest: u64,
    /// What was done, for whoever has to find out why.
    pub trace: Vec<String>,
}

/// The disk's counters before a call: a fault between excuses an error.
pub type Before = (u64, u64);

const BASE_NANOS: i64 = 1_700_000_000 * 1_000_000_000;
const MINUTE_NANOS: i64 = 60 * 1_000_000_000;

/// Bytes in the log or head from which the model stops to write: twice the bound, a writer would
/// wait for a housekeeper that nobody runs.
const BYTES_MAX: u64 = 90 << 10;

/// Batches of unknown fate that one store may have: their subsets are tried one by one.
const DOUBTS_MAX: usize = 7;

impl World {
    pub fn new(setup: Setup) -> Self {
        let mut dice = Random::new(setup.seed);
        let stage = Stage {
            disk: SimDisk::new(dice.draw()),
            clock: ManualClock::new(BASE_NANOS + dice.below(1 << 42) as i64),
        };
        let keep = Keep::choose(&mut dice);
        if dice.below(4) == 0 {
            stage.disk.refuse_links();
        }
        let options = Options {
            durability: setup.durability,
            limits: keep.limits(),
            wal_bytes_max: 64 << 10,
            head_bytes_max: 64 << 10,
            cache_bytes_max: 64 << 10,
            ..Options::default()
        };
        let shelves = TENANTS
            .iter()
            .flat_map(|_| SHAPES)
            .map(|shape| Shelf::new(shape, keep.clone(), stage.clock.nanos()))
            .collect();
        World {
            setup,
            dice,
            stage,
            root: "/data".into(),
            options,
            engine: None,
            shelves,
            begun_backup: None,
            backups_begun: 0,
            held: Vec::new(),
            crash_at: None,
            faults: Vec::new(),
            read_faults: Vec::new(),
            is_squeezed: false,
            deeds: Deeds::default(),
            longest: 0,
            trace: Vec::new(),
        }
    }

    /// The whole run: work, deaths and recoveries, and a last death at the end.
    pub fn run(&mut self) -> Check {
        self.plant_disk();
        match self.setup.strike {
            Some(Some(strike)) => self.strike(strike),
            Some(None) => {}
            None => self.plan_crash(),
        }
        let before = self.before();
        match self.open() {
            Ok(engine) => self.engine = Some(engine),
            Err(error) => self.excuse(before, &error, "the first open")?,
        }
        if self.engine.is_none() || self.is_dead() {
            self.recover()?;
        }
        for _ in 0..self.setup.steps {
            self.step()?;
            if self.is_dead() {
                self.recover()?;
            }
        }
        self.lift();
        self.longest = self.operations();
        self.read_all("at the end")?;
        self.recover()
    }

    /// How many disk calls there were since the last boot.
    pub fn operations(&self) -> u64 {
        self.stage.disk.operations()
    }

    fn step(&mut self) -> Check {
        match self.dice.below(100) {
            0..41 => self.append(),
            41..42 => self.sync(),
            42..47 => self.append_group(),
            47..54 => self.read_all("a read"),
            54..58 => self.hold(),
            58..63 => self.look_back(),
            63..69 => self.freeze(),
            69..73 => self.tend(),
            73..77 => {
                self.pass_time();
                Ok(())
            }
            77..79 => self.reopen(),
            79..81 => self.read_beside(),
            81..84 => {
                self.squeeze();
                Ok(())
            }
            84..87 => {
                self.arm();
                Ok(())
            }
            87..92 => self.merge(),
            92..96 => self.delete(),
            96..98 => self.cancel(),
            _ => self.back_up(),
        }
    }

    /// Lets the clock go on: what is in memory grows old, and some of what is there expires.
    fn pass_time(&mut self) {
        let minutes = 1 + self.dice.below(200) as i64;
        self.stage.clock.advance(minutes * MINUTE_NANOS);
        let now_nanos = self.stage.clock.nanos();
        let shelves = self.shelves.iter_mut();
        shelves.for_each(|shelf| shelf.now_nanos = now_nanos);
        self.note(|| format!("{minutes} minutes pass"));
    }

    // What goes wrong.

    fn plant_disk(&self) {
        let is_log = |path: &Path| path.components().any(|part| part.as_os_str() == "wal");
        match self.setup.bug {
            Some(Bug::LogNotSynced) => self.stage.disk.ignore_sync_of(is_log),
            Some(Bug::LogDirectoryNotSynced) => self.stage.disk.ignore_sync_dir(is_log),
            _ => {}
        }
    }

    pub(super) fn open(&self) -> Result<Engine> {
        let engine = self.stage.open_at(&self.root, &self.options)?;
        if let Some(Bug::Engine(plant)) = self.setup.bug {
            testing::plant(&engine, plant);
        }
        // In half of the runs merges carry pages that they would otherwise pack again.
        if self.setup.seed.is_multiple_of(2) {
            testing::keep_small_pages(&engine);
        }
        Ok(engine)
    }

    fn strike(&mut self, strike: Strike) {
        self.stage.disk.fail_at(strike.operation, strike.fault);
        match strike.fault {
            Fault::CrashHere => self.crash_at = Some(strike.operation),
            _ => self.faults.push(strike.operation),
        }
    }

    pub(super) fn plan_crash(&mut self) {
        let operation = self.operations() + self.dice.below(250) as u64;
        self.strike(Strike {
            operation,
            fault: Fault::CrashHere,
        });
    }

    fn arm(&mut self) {
        let (draw, near, far) = (self.dice.below(4), self.dice.below(12), self.dice.below(40));
        if self.setup.strike.is_some() {
            return;
        }
        let fault = [Fault::Eio, Fault::ShortWriteThenEio, Fault::Enospc][draw % 3];
        let operation = self.operations() + near as u64;
        if draw == 3 {
            let read = self.stage.disk.reads() + far as u64;
            self.stage.disk.fail_read_at(read, Fault::Eio);
            self.read_faults.push(read);
        } else if self.crash_at != Some(operation) {
            self.strike(Strike { operation, fault });
        }
        self.note(|| format!("armed {draw} {fault:?} at {operation}"));
    }

    fn squeeze(&mut self) {
        let room = self.dice.below(6000) as u64;
        if self.setup.strike.is_some() {
            return;
        }
        self.is_squeezed = !self.is_squeezed;
        let capacity = if self.is_squeezed {
            self.stage.disk.used() + room
        } else {
            u64::MAX
        };
        self.stage.disk.capacity(capacity);
        self.note(|| format!("capacity {capacity}"));
    }

    /// Takes back all that may go wrong, a planned crash included.
    fn lift(&mut self) {
        self.stage.disk.heal();
        self.stage.disk.capacity(u64::MAX);
        self.is_squeezed = false;
        self.crash_at = None;
        self.faults.clear();
        self.read_faults.clear();
    }

    /// As [`World::lift`]; an engine that was opened while a read failed is opened again.
    pub(super) fn lift_keeping(&mut self, before: Before) -> Check {
        let has_failed = self.has_read_failed(before);
        self.lift();
        if has_failed && let Some(engine) = self.engine.take() {
            self.must_name_damage(&engine)?;
        }
        Ok(())
    }

    pub(super) fn is_dead(&self) -> bool {
        self.crash_at.is_some_and(|at| self.operations() > at)
    }

    pub(super) fn before(&self) -> Before {
        (self.operations(), self.stage.disk.reads())
    }

    /// An error is a violation unless something was made to go wrong meanwhile.
    pub(super) fn excuse(&mut self, before: Before, error: &Error, what: &str) -> Check {
        let now = self.before();
        let struck = self.faults.iter().any(|at| (before.0..now.0).contains(at));
        let struck_read = self.has_read_failed(before);
        self.note(|| format!("{what} failed: {error}"));
        match struck || struck_read || self.is_squeezed || self.is_dead() {
            true => Ok(()),
            false => Err(format!("{what} failed though nothing was wrong: {error}")),
        }
    }

    /// Whether this run loses what its durability does not promise to keep.
    pub(super) fn may_lose(&self) -> bool {
        self.setup.durability != Durability::Always && self.setup.death == Death::Power
    }

    pub(super) fn has_read_failed(&self, before: Before) -> bool {
        let now = self.before();
        self.read_faults
            .iter()
            .any(|at| (before.1..now.1).contains(at))
    }

    /// A block that could not be read when a store was opened is missing from its answers, and
    /// named.
    pub(super) fn must_name_damage(&self, engine: &Engine) -> Check {
        let stores = || (0..TENANTS.len()).flat_map(|t| SHAPES.map(|shape| (t, shape)));
        // What the exemplars' own store says of damage cannot be asked for.
        let askable = || stores().filter(|(_, shape)| *shape != Shape::Exemplars);
        let has_all = askable().all(|(tenant, shape)| {
            let read = show::read(engine, tenant, shape).ok();
            let listed = show::deletions(engine, tenant, shape).ok();
            let shelf = &self.shelves[self.shelf(tenant, shape)];
            let booted = listed.and_then(|listed| shelf.after_boot(&listed).ok());
            let mut booted = booted.into_iter().flatten();
            read.is_some_and(|read| booted.any(|shelf| shelf.explain(&read).is_some()))
        });
        let is_named =
            || stores().any(|(tenant, shape)| !show::damage(engine, tenant, shape).is_empty());
        match has_all || is_named() {
            true => Ok(()),
            false => {
                Err("a read failed while opening: entries are missing, nothing says so".into())
            }
        }
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let text = format!("[{}] {}", self.operations(), text());
        self.trace.push(text);
    }

    // Work.

    pub(super) fn shelf(&self, tenant: usize, shape: Shape) -> usize {
        let place = SHAPES.iter().position(|other| *other == shape).unwrap();
        tenant * SHAPES.len() + place
    }

    fn choose_shelf(&mut self) -> (usize, Shape) {
        let shape = match self.dice.below(20) {
            0..10 => Shape::Samples,
            10..16 => Shape::Lines,
            16..18 => Shape::Exemplars,
            _ => Shape::Notes,
        };
        (usize::from(self.dice.below(4) == 0), shape)
    }

    fn now_ms(&self) -> i64 {
        self.stage.clock.nanos() / 1_000_000
    }

    /// Makes room first where the store would otherwise wait for it.
    fn has_room(&mut self, shelf: usize) -> Check<bool> {
        for _ in 0..20 {
            let stats = self.engine.as_ref().unwrap().stats();
            if stats.wal_bytes.max(stats.head_bytes) < BYTES_MAX {
                return Ok(self.shelves[shelf].doubts().len() < DOUBTS_MAX);
            }
            self.tend()?;
        }
        Ok(false)
    }

    fn append(&mut self) -> Check {
        let (tenant, shape) = self.choose_shelf();
        let shelf = self.shelf(tenant, shape);
        let now_ms = self.now_ms();
        let entries = choose::entries(&mut self.dice, &self.shelves[shelf], now_ms);
        let is_strict = self.dice.below(5) == 0 && matches!(shape, Shape::Samples | Shape::Lines);
        let mode = if is_strict {
            BatchMode::AllOrNothing
        } else {
            BatchMode::Each
        };
        if !self.has_room(shelf)? {
            return Ok(());
        }
        self.note(|| format!("append {mode:?} {tenant} {shape:?} {entries:?}"));
        let before = self.before();
        let engine = self.engine.as_ref().unwrap();
        let outcome = match shape {
            Shape::Samples => send_samples(engine, tenant, &[(mode, entries.clone())]).remove(0),
            Shape::Lines => send_lines(engine, tenant, &[(mode, entries.clone())]).remove(0),
            Shape::Exemplars => send_exemplars(engine, tenant, &entries),
            Shape::Notes => send_notes(engine, tenant, &entries),
        };
        if outcome.is_ok() {
            self.shelves.iter_mut().for_each(Shelf::void_unseen);
        }
        self.take(before, shelf, mode, entries, outcome)
    }

    fn append_group(&mut self) -> Check {
        let tenant = usize::from(self.dice.below(4) == 0);
        let shape = if self.dice.below(2) == 0 {
            Shape::Samples
        } else {
            Shape::Lines
        };
        let shelf = self.shelf(tenant, shape);
        let count = 2 + self.dice.below(2);
        let batches: Vec<(BatchMode, Vec<Entry>)> = (0..count)
            .map(|_| {
                let shelf = &self.shelves[shelf];
                let now_ms = self.stage.clock.nanos() / 1_000_000;
                (
                    BatchMode::Each,
                    choose::entries(&mut self.dice, shelf, now_ms),
                )
            })
            .collect();
        if !self.has_room(shelf)? || self.shelves[shelf].doubts().len() + count > DOUBTS_MAX {
            return Ok(());
        }
        self.note(|| format!("append together {tenant} {shape:?} {batches:?}"));
        let before = self.before();
        let engine = self.engine.as_ref().unwrap();
        let outcomes = match shape {
            Shape::Samples => send_samples(engine, tenant, &batches),
            _ => send_lines(engine, tenant, &batches),
        };
        if outcomes.iter().any(Result::is_ok) {
            self.shelves.iter_mut().for_each(Shelf::void_unseen);
        }
        self.shelves[shelf].begin_group();
        for ((mode, entries), outcome) in batches.into_iter().zip(outcomes) {
            self.take(before, shelf, mode, entries, outcome)?;
        }
        self.shelves[shelf].end_group();
        Ok(())
    }

    /// Notes what became of a batch.
    fn take(
        &mut self,
        before: Before,
        shelf: usize,
        mode: BatchMode,
        mut entries: Vec<Entry>,
        outcome: Result<Report>,
    ) -> Check {
        let shape = self.shelves[shelf].shape;
        let newest = choose::newest_taken(shape, self.now_ms());
        let mut judged = self.shelves[shelf].judge(&entries, newest);
        let must_fail =
            mode == BatchMode::AllOrNothing && judged.iter().any(|allowed| allowed.must_refuse());
        let refused = match &outcome {
            Ok(report) if shape != Shape::Notes => {
                self.note(|| format!("  {report:?}"));
                check::report(report, &judged, mode)?;
                report.refused.iter().map(|refused| refused.entry).collect()
            }
            Ok(_) => Vec::new(),
            Err(_) => {
                let refused = judged.iter().enumerate().filter(|(_, a)| a.must_refuse());
                refused.map(|(at, _)| at).collect::<Vec<usize>>()
            }
        };
        let fate = match &outcome {
            Ok(_) if mode == BatchMode::AllOrNothing && !refused.is_empty() => Fate::Void,
            Err(_) if must_fail => Fate::Void,
            Ok(_) => Fate::Acknowledged,
            Err(_) => Fate::Doubt { is_seen: false },
        };
        for at in refused.iter().rev() {
            entries.remove(*at);
            judged.remove(*at);
        }
        match outcome {
            Ok(_) => {}
            Err(error) => self.excuse(before, &error, "an append")?,
        }
        for (entry, allowed) in entries.iter_mut().zip(&judged) {
            entry.is_repeat = allowed.duplicate;
        }
        if !entries.is_empty() {
            self.shelves[shelf].add(fate, entries, &judged);
        }
        Ok(())
    }

    fn hold(&mut self) -> Check {
        let tenant = usize::from(self.dice.below(4) == 0);
        let is_samples = self.dice.below(2) == 0;
        let before = self.before();
        let found = self
            .engine
            .as_ref()
            .unwrap()
            .tenant(TENANTS[tenant])
            .and_then(|tenant| {
                Ok(match is_samples {
                    true => HeldSnapshot::Samples(tenant.metrics()?.snapshot()),
                    false => HeldSnapshot::Lines(tenant.logs()?.snapshot()),
                })
            });
        let snapshot = match found {
            Ok(snapshot) => snapshot,
            Err(error) => return self.excuse(before, &error, "opening a store"),
        };
        let shape = if is_samples {
            Shape::Samples
        } else {
            Shape::Lines
        };
        let expected = self.shelves[self.shelf(tenant, shape)].now();
        self.note(|| format!("hold a snapshot of {tenant} {shape:?}"));
        if self.held.len() == 4 {
            self.held.remove(0);
        }
        self.held.push(Held { snapshot, expected });
        Ok(())
    }

    /// Reads a snapshot that was taken earlier; some are then let go.
    fn look_back(&mut self) -> Check {
        if self.held.is_empty() {
            return Ok(());
        }
        let place = self.dice.below(self.held.len());
        let before = self.before();
        let held = &self.held[place];
        let read = match &held.snapshot {
            HeldSnapshot::Samples(snapshot) => show::samples(snapshot),
            HeldSnapshot::Lines(snapshot) => show::lines(snapshot),
        };
        match read {
            Ok(read) => check::same("a snapshot held open", &read, &held.expected)?,
            Err(error) => self.excuse(before, &error, "reading a snapshot")?,
        }
        if self.dice.below(2) == 0 {
            self.held.remove(place);
        }
        self.note(|| "looked back".into());
        Ok(())
    }

    fn freeze(&mut self) -> Check {
        let tenant = usize::from(self.dice.below(4) == 0);
        let shape = if self.dice.below(2) == 0 {
            Shape::Samples
        } else {
            Shape::Lines
        };
        self.freeze_one(tenant, shape).map(drop)
    }

    /// Freezes a store; whether that went well.
    pub(super) fn freeze_one(&mut self, tenant: usize, shape: Shape) -> Check<bool> {
        self.note(|| format!("freeze {tenant} {shape:?}"));
        let before = self.before();
        let opened = self.engine.as_ref().unwrap().tenant(TENANTS[tenant]);
        let outcome = opened.and_then(|tenant| match shape {
            Shape::Samples => tenant.metrics()?.freeze(),
            _ => tenant.logs()?.freeze(),
        });
        let shelf = self.shelf(tenant, shape);
        self.shelves[shelf].forget_window();
        if outcome.is_ok() {
            self.shelves[shelf].freeze();
            if shape == Shape::Samples {
                let notes = self.shelf(tenant, Shape::Notes);
                self.shelves[notes].freeze();
            }
        }
        match outcome {
            Ok(()) => Ok(true),
            Err(error) => self.excuse(before, &error, "a freeze").map(|()| false),
        }
    }

    fn sync(&mut self) -> Check {
        self.note(|| "sync".into());
        let before = self.before();
        let outcome = self.engine.as_ref().unwrap().sync();
        // What no sync makes safe may be frozen.
        self.shelves.iter_mut().for_each(Shelf::forget_window);
        match outcome {
            Ok(()) => self.shelves.iter_mut().for_each(Shelf::make_safe),
            Err(error) => self.excuse(before, &error, "a sync")?,
        }
        Ok(())
    }

    fn tend(&mut self) -> Check {
        self.note(|| "tend".into());
        let before = self.before();
        let outcome = testing::tend(self.engine.as_ref().unwrap());
        self.shelves.iter_mut().for_each(Shelf::forget_window);
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => {
                let excused = self.excuse(before, &error, "housekeeping");
                if self.is_squeezed {
                    self.squeeze();
                }
                excused
            }
        }
    }

    // Reading.

    pub(super) fn read_all(&mut self, what: &str) -> Check {
        self.note(|| "read".into());
        for tenant in 0..TENANTS.len() {
            for shape in SHAPES {
                let before = self.before();
                let engine = self.engine.as_ref().unwrap();
                match show::read(engine, tenant, shape) {
                    Ok(read) => {
                        let expected = self.shelves[self.shelf(tenant, shape)].now();
                        check::same(&format!("{what} of {tenant} {shape:?}"), &read, &expected)?;
                        self.check_names(tenant, shape, &read)?;
                        self.check_deletions(tenant, shape)?;
                    }
                    Err(error) => self.excuse(before, &error, what)?,
                }
                if self.is_dead() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Every name and value that the data has is listed, and none that only deleted entries had.
    /// Those of expired ones may be.
    pub(super) fn check_names(&mut self, tenant: usize, shape: Shape, read: &Content) -> Check {
        if !matches!(shape, Shape::Samples | Shape::Lines) {
            return Ok(());
        }
        let before = self.before();
        let most = show::names_of(shape, &self.shelves[self.shelf(tenant, shape)].unexpired());
        let least = show::names_of(shape, read);
        self.deeds.expiries += u32::from(least != most);
        let is_between = |found: &[String], least: &[String], most: &[String]| {
            least.iter().all(|name| found.contains(name))
                && found.iter().all(|name| most.contains(name))
        };
        match show::names(self.engine.as_ref().unwrap(), tenant, shape) {
            Ok((names, hosts))
                if is_between(&names, &least.0, &most.0)
                    && is_between(&hosts, &least.1, &most.1) =>
            {
                Ok(())
            }
            Ok(found) => Err(format!(
                "label names of {tenant} {shape:?}: {found:?}, the data has {least:?}, with what \
                 has expired {most:?}"
            )),
            Err(error) => self.excuse(before, &error, "reading label names"),
        }
    }

    /// Reads everything through a second engine beside the writer.
    fn read_beside(&mut self) -> Check {
        if self.may_lose() {
            // After a loss that durability allows, a reader may see less than the writer:
            // docs/testing.md.
            return Ok(());
        }
        self.note(|| "read beside the writer".into());
        let before = self.before();
        let opened = self.stage.open_read_only_at(&self.root, &self.options);
        let reader = match opened {
            Ok(reader) => reader,
            Err(error) => return self.excuse(before, &error, "opening read-only"),
        };
        if self.has_read_failed(before) {
            return self.must_name_damage(&reader);
        }
        for tenant in 0..TENANTS.len() {
            for shape in SHAPES {
                let before = self.before();
                let shelf = &self.shelves[self.shelf(tenant, shape)];
                let listed = show::deletions(&reader, tenant, shape);
                let read = show::read(&reader, tenant, shape);
                match listed.and_then(|listed| Ok((listed, read?))) {
                    Ok((listed, read)) => {
                        let booted = shelf.after_boot(&listed)?;
                        if !booted.iter().any(|shelf| shelf.explain(&read).is_some()) {
                            let what = format!("read-only, {tenant} {shape:?}");
                            check::same(&what, &read, &booted[0].now())?;
                            return Err(format!("{what}: doubts do not explain what is there"));
                        }
                    }
                    Err(error) => self.excuse(before, &error, "reading read-only")?,
                }
            }
        }
        Ok(())
    }

    // Dying and coming back.

    fn reopen(&mut self) -> Check {
        self.note(|| "close and reopen".into());
        let before = self.before();
        let has_doubts = self.shelves.iter().any(|shelf| !shelf.doubts().is_empty());
        let engine = self.engine.take().unwrap();
        match engine.close() {
            Ok(()) => self.shelves.iter_mut().for_each(Shelf::make_safe),
            Err(_) if has_doubts => {}
            Err(error) => self.excuse(before, &error, "closing")?,
        }
        if !self.is_dead() {
            match self.open() {
                Ok(engine) => self.engine = Some(engine),
                Err(error) => self.excuse(before, &error, "reopening")?,
            }
        }
        if self.is_dead() {
            return Ok(());
        }
        self.lift_keeping(before)?;
        if self.engine.is_none() {
            let opened = self.open();
            self.engine = Some(opened.map_err(|error| format!("reopening: {error}"))?);
        }
        self.settle(Death::Kill)?;
        if self.setup.strike.is_none() {
            self.plan_crash();
        }
        Ok(())
    }

    /// Dies if that has not happened, and comes back.
    fn recover(&mut self) -> Check {
        self.deeds.deaths += 1;
        let mut may_die_again = self.setup.strike.is_none() && self.dice.below(3) == 0;
        loop {
            self.held.clear();
            // What a dying process would still write, the dead disk refuses.
            if self.setup.death == Death::Power || !self.is_dead() {
                self.cut_power();
            } else {
                self.engine = None;
                self.lift();
                self.stage.disk.restart();
                self.note(|| "killed".into());
            }
            if may_die_again {
                let operation = self.operations() + self.dice.below(40) as u64;
                self.strike(Strike {
                    operation,
                    fault: Fault::CrashHere,
                });
                may_die_again = false;
            }
            let before = self.before();
            match self.open() {
                Ok(engine) => self.engine = Some(engine),
                Err(error) => self.excuse(before, &error, "recovery")?,
            }
            if !self.is_dead() {
                break;
            }
        }
        self.lift();
        self.settle(self.setup.death)?;
        self.check_begun_backup()?;
        if self.setup.strike.is_none() {
            self.plan_crash();
        }
        Ok(())
    }

    fn cut_power(&mut self) {
        let seed = self.dice.draw();
        let is_hard = self.setup.death == Death::Power && self.dice.below(4) == 0;
        let disk = match (self.setup.death, is_hard) {
            (Death::Power, true) => self.stage.disk.crash_to_synced(),
            (Death::Power, false) => self.stage.disk.crash(seed),
            (Death::Kill, _) => {
                // Nothing was planned at this call: the process just stops.
                let operation = self.operations();
                self.stage.disk.fail_at(operation, Fault::CrashHere);
                self.engine = None;
                self.stage.disk.restart();
                self.stage.disk.clone()
            }
        };
        self.engine = None;
        self.lift();
        self.stage.disk = disk;
        self.plant_disk();
        self.note(|| format!("dead {:?}", left_over(is_hard)));
    }

    /// Compares everything after a boot, and learns the fate of what was in doubt.
    pub(super) fn settle(&mut self, death: Death) -> Check {
        let may_lose = self.may_lose() && death == Death::Power;
        for tenant in 0..TENANTS.len() {
            for shape in SHAPES {
                let at = self.shelf(tenant, shape);
                let engine = self.engine.as_ref().unwrap();
                let read = show::read(engine, tenant, shape)
                    .map_err(|error| format!("after recovery {tenant} {shape:?}: {error}"))?;
                let listed = show::deletions(engine, tenant, shape)
                    .map_err(|error| format!("after recovery {tenant} {shape:?}: {error}"))?;
                self.shelves[at].forget_window();
                let booted = self.shelves[at].after_boot(&listed)?;
                let left = booted.iter().find_map(|shelf| match may_lose {
                    true => shelf.survivors(&read),
                    false => settle_doubts(shelf, &read, death),
                });
                let Some(left) = left else {
                    return self.unexplained(at, &booted[0], &read, death);
                };
                self.shelves[at] = left;
                self.check_names(tenant, shape, &read)?;
            }
        }
        Ok(())
    }

    /// Says what was expected where nothing explains what was read.
    fn unexplained(&mut self, at: usize, shelf: &Shelf, read: &Content, death: Death) -> Check {
        let (tenant, shape) = (at / SHAPES.len(), shelf.shape);
        let damage = show::damage(self.engine.as_ref().unwrap(), tenant, shape);
        self.trace.push(format!("damage: {damage:?}"));
        self.trace.push(format!("torn: {:?}", shelf.torn(read)));
        self.trace.push(format!("deletions: {:?}", shelf.removals));
        let what = format!("after {death:?}, {tenant} {shape:?}");
        let what = format!("{what}, doubts are {:?}", shelf.doubts());
        check::same(&what, read, &shelf.now())?;
        Err(format!(
            "{what}: no set of whole batches explains what is there"
        ))
    }
}

/// Learns which doubtful batches are there; nothing where none of their sets explains what was
/// read.
fn settle_doubts(shelf: &Shelf, read: &Content, death: Death) -> Option<Shelf> {
    let fate = match death {
        Death::Power => Fate::Acknowledged,
        // What was written but not synced may still be lost with the power.
        Death::Kill => Fate::Doubt { is_seen: true },
    };
    let there = shelf.explain(read)?;
    let mut left = shelf.clone();
    left.settle(read, &there, fate);
    Some(left)
}

fn left_over(is_hard: bool) -> &'static str {
    if is_hard {
        "nothing unsynced is left"
    } else {
        "some of the unsynced is left"
    }
}
