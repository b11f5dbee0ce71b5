//! One run: an engine on a simulated disk, the model beside it, and the dice that drive both.

use std::path::Path;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{
    Exemplar, Histogram, MetricMetadata, Sample, SampleValue, Samples,
};
use chronolith_engine::testing::{self, Fault, ManualClock, Plant, SimDisk, Stage};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{
    Batch, BatchMode, Durability, Engine, Error, Options, Report, Result, Snapshot,
};
use chronolith_tests::Random;

use super::check::{self, Check};
use super::choose;
use super::shelf::{Content, Entry, Fate, SHAPES, Shape, Shelf};
use super::show::{self, TENANTS};
use super::value::{Value, histogram};

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
    setup: Setup,
    dice: Random,
    stage: Stage,
    options: Options,
    engine: Option<Engine>,
    shelves: Vec<Shelf>,
    held: Vec<Held>,
    crash_at: Option<u64>,
    faults: Vec<u64>,
    read_faults: Vec<u64>,
    is_squeezed: bool,
    pub deaths: u32,
    /// Disk calls before the last death.
    pub longest: u64,
    /// What was done, for whoever has to find out why.
    pub trace: Vec<String>,
}

/// The disk's counters before a call: a fault between excuses an error.
type Before = (u64, u64);

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
        let options = Options {
            durability: setup.durability,
            wal_bytes_max: 64 << 10,
            head_bytes_max: 64 << 10,
            cache_bytes_max: 64 << 10,
            ..Options::default()
        };
        let shelves = TENANTS
            .iter()
            .flat_map(|_| SHAPES.map(Shelf::new))
            .collect();
        World {
            setup,
            dice,
            stage,
            options,
            engine: None,
            shelves,
            held: Vec::new(),
            crash_at: None,
            faults: Vec::new(),
            read_faults: Vec::new(),
            is_squeezed: false,
            deaths: 0,
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
            0..51 => self.append(),
            51..52 => self.sync(),
            52..58 => self.append_group(),
            58..66 => self.read_all("a read"),
            66..71 => self.hold(),
            71..76 => self.look_back(),
            76..82 => self.freeze(),
            82..87 => self.tend(),
            87..90 => {
                let minutes = 1 + self.dice.below(200) as i64;
                self.stage.clock.advance(minutes * MINUTE_NANOS);
                Ok(())
            }
            90..92 => self.reopen(),
            92..94 => self.read_beside(),
            94..97 => {
                self.squeeze();
                Ok(())
            }
            _ => {
                self.arm();
                Ok(())
            }
        }
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

    fn open(&self) -> Result<Engine> {
        let engine = self.stage.open(&self.options)?;
        if let Some(Bug::Engine(plant)) = self.setup.bug {
            testing::plant(&engine, plant);
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

    fn plan_crash(&mut self) {
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
    fn lift_keeping(&mut self, before: Before) -> Check {
        let has_failed = self.has_read_failed(before);
        self.lift();
        if has_failed && let Some(engine) = self.engine.take() {
            self.must_name_damage(&engine)?;
        }
        Ok(())
    }

    fn is_dead(&self) -> bool {
        self.crash_at.is_some_and(|at| self.operations() > at)
    }

    fn before(&self) -> Before {
        (self.operations(), self.stage.disk.reads())
    }

    /// An error is a violation unless something was made to go wrong meanwhile.
    fn excuse(&mut self, before: Before, error: &Error, what: &str) -> Check {
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
    fn may_lose(&self) -> bool {
        self.setup.durability != Durability::Always && self.setup.death == Death::Power
    }

    fn has_read_failed(&self, before: Before) -> bool {
        let now = self.before();
        self.read_faults
            .iter()
            .any(|at| (before.1..now.1).contains(at))
    }

    /// A block that could not be read when a store was opened is missing from its answers, and
    /// named.
    fn must_name_damage(&self, engine: &Engine) -> Check {
        let stores = || (0..TENANTS.len()).flat_map(|t| SHAPES.map(|shape| (t, shape)));
        // What the exemplars' own store says of damage cannot be asked for.
        let askable = || stores().filter(|(_, shape)| *shape != Shape::Exemplars);
        let has_all = askable().all(|(tenant, shape)| {
            let read = show::read(engine, tenant, shape).ok();
            read.is_some_and(|read| {
                self.shelves[self.shelf(tenant, shape)]
                    .explain(&read)
                    .is_some()
            })
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

    fn note(&mut self, text: impl FnOnce() -> String) {
        let text = format!("[{}] {}", self.operations(), text());
        self.trace.push(text);
    }

    // Work.

    fn shelf(&self, tenant: usize, shape: Shape) -> usize {
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
        outcome.or_else(|error| self.excuse(before, &error, "a freeze"))
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

    fn read_all(&mut self, what: &str) -> Check {
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

    fn check_names(&mut self, tenant: usize, shape: Shape, read: &Content) -> Check {
        if !matches!(shape, Shape::Samples | Shape::Lines) {
            return Ok(());
        }
        let before = self.before();
        match show::names(self.engine.as_ref().unwrap(), tenant, shape) {
            Ok(found) if found == show::names_of(shape, read) => Ok(()),
            Ok(found) => Err(format!(
                "label names of {tenant} {shape:?}: {found:?}, the data has {:?}",
                show::names_of(shape, read)
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
        let reader = match self.stage.open_read_only(&self.options) {
            Ok(reader) => reader,
            Err(error) => return self.excuse(before, &error, "opening read-only"),
        };
        if self.has_read_failed(before) {
            return self.must_name_damage(&reader);
        }
        for tenant in 0..TENANTS.len() {
            for shape in SHAPES {
                let before = self.before();
                let shelf = self.shelf(tenant, shape);
                match show::read(&reader, tenant, shape) {
                    Ok(read) if self.shelves[shelf].explain(&read).is_some() => {}
                    Ok(read) => {
                        let what = format!("read-only, {tenant} {shape:?}");
                        check::same(&what, &read, &self.shelves[shelf].now())?;
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
        self.deaths += 1;
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
    fn settle(&mut self, death: Death) -> Check {
        let may_lose = self.may_lose() && death == Death::Power;
        for tenant in 0..TENANTS.len() {
            for shape in SHAPES {
                let at = self.shelf(tenant, shape);
                let engine = self.engine.as_ref().unwrap();
                let read = show::read(engine, tenant, shape)
                    .map_err(|error| format!("after recovery {tenant} {shape:?}: {error}"))?;
                self.shelves[at].forget_window();
                let is_explained = match may_lose {
                    true => self.settle_losses(at, &read),
                    false => self.settle_doubts(at, &read, death),
                };
                if !is_explained {
                    let damage = show::damage(self.engine.as_ref().unwrap(), tenant, shape);
                    self.trace.push(format!("damage: {damage:?}"));
                    let shelf = &self.shelves[at];
                    let torn = shelf.torn(&read);
                    self.trace.push(format!("torn: {torn:?}"));
                    let what = format!("after {death:?}, {tenant} {shape:?}");
                    let what = format!("{what}, doubts are {:?}", shelf.doubts());
                    check::same(&what, &read, &shelf.now())?;
                    return Err(format!(
                        "{what}: no set of whole batches explains what is there"
                    ));
                }
                self.check_names(tenant, shape, &read)?;
            }
        }
        Ok(())
    }

    /// Learns which doubtful batches are there; false where none of their sets explains what was
    /// read.
    fn settle_doubts(&mut self, at: usize, read: &Content, death: Death) -> bool {
        let shelf = &mut self.shelves[at];
        let fate = match death {
            Death::Power => Fate::Acknowledged,
            // What was written but not synced may still be lost with the power.
            Death::Kill => Fate::Doubt { is_seen: true },
        };
        let found = shelf.explain(read);
        if let Some(there) = &found {
            shelf.settle(read, there, fate);
        }
        found.is_some()
    }

    fn settle_losses(&mut self, at: usize, read: &Content) -> bool {
        match self.shelves[at].survivors(read) {
            Some(left) => {
                self.shelves[at] = left;
                true
            }
            None => false,
        }
    }
}

fn left_over(is_hard: bool) -> &'static str {
    if is_hard {
        "nothing unsynced is left"
    } else {
        "some of the unsynced is left"
    }
}

/// The batches of a group as the engine takes them, each series once for neighbouring entries.
fn send_samples(
    engine: &Engine,
    tenant: usize,
    group: &[(BatchMode, Vec<Entry>)],
) -> Vec<Result<Report>> {
    let entries = || group.iter().flat_map(|(_, entries)| entries);
    let labels: Vec<LabelSet> = entries()
        .map(|entry| show::labels(Shape::Samples, entry.series))
        .collect();
    let histograms: Vec<Option<Histogram>> = entries()
        .map(|entry| match entry.value {
            Value::Histogram(number, _) => Some(histogram(number)),
            _ => None,
        })
        .collect();
    let (mut batches, mut at) = (Vec::new(), 0);
    for (mode, entries) in group {
        let mut batch = Batch::<Samples>::with_mode(*mode);
        for (place, entry) in entries.iter().enumerate() {
            if place == 0 || entries[place - 1].series != entry.series {
                batch.series(labels[at].as_labels().as_bytes());
            }
            let (start, value) = match (&entry.value, &histograms[at]) {
                (Value::Histogram(_, start), Some(histogram)) => {
                    (*start, SampleValue::Histogram(histogram))
                }
                (Value::Float(bits, start), _) => {
                    (*start, SampleValue::Float(f64::from_bits(*bits)))
                }
                _ => unreachable!("samples are floats or histograms"),
            };
            batch.entry(Sample {
                time: Millis(entry.time),
                start: start.map(Millis),
                value,
            });
            at += 1;
        }
        batches.push(batch);
    }
    let store = match engine
        .tenant(TENANTS[tenant])
        .and_then(|tenant| tenant.metrics())
    {
        Ok(store) => store,
        Err(error) => return batches.iter().map(|_| Err(error.clone())).collect(),
    };
    match &batches[..] {
        [batch] => vec![store.append(batch)],
        _ => testing::append_together(&store, &batches),
    }
}

fn send_lines(
    engine: &Engine,
    tenant: usize,
    group: &[(BatchMode, Vec<Entry>)],
) -> Vec<Result<Report>> {
    let entries = || group.iter().flat_map(|(_, entries)| entries);
    let labels: Vec<LabelSet> = entries()
        .map(|entry| show::labels(Shape::Lines, entry.series))
        .collect();
    let (mut batches, mut at) = (Vec::new(), 0);
    for (mode, entries) in group {
        let mut batch = Batch::<Lines>::with_mode(*mode);
        for entry in entries {
            let Value::Line(text, metadata) = &entry.value else {
                unreachable!("lines are lines")
            };
            let line = Line {
                time: Nanos(entry.time),
                text,
                metadata: metadata.as_labels(),
            };
            batch.push(labels[at].as_labels(), line);
            at += 1;
        }
        batches.push(batch);
    }
    let store = match engine
        .tenant(TENANTS[tenant])
        .and_then(|tenant| tenant.logs())
    {
        Ok(store) => store,
        Err(error) => return batches.iter().map(|_| Err(error.clone())).collect(),
    };
    match &batches[..] {
        [batch] => vec![store.append(batch)],
        _ => testing::append_together(&store, &batches),
    }
}

fn send_exemplars(engine: &Engine, tenant: usize, entries: &[Entry]) -> Result<Report> {
    let labels: Vec<LabelSet> = entries
        .iter()
        .map(|entry| show::labels(Shape::Exemplars, entry.series))
        .collect();
    let exemplars: Vec<_> = entries
        .iter()
        .zip(&labels)
        .map(|(entry, labels)| {
            let Value::Line(text, metadata) = &entry.value else {
                unreachable!("exemplars are lines of the model")
            };
            let value = f64::from_bits(u64::from_str_radix(text, 16).unwrap());
            let exemplar = Exemplar {
                time: Millis(entry.time),
                value,
                labels: metadata.clone(),
            };
            (labels.as_labels(), exemplar)
        })
        .collect();
    engine.tenant(TENANTS[tenant])?.append_exemplars(&exemplars)
}

fn send_notes(engine: &Engine, tenant: usize, entries: &[Entry]) -> Result<Report> {
    let names: Vec<String> = entries
        .iter()
        .map(|entry| show::family(entry.series))
        .collect();
    let families: Vec<(&str, MetricMetadata)> = names
        .iter()
        .zip(entries)
        .map(|(name, entry)| {
            let help = entry.value.show();
            (
                name.as_str(),
                MetricMetadata {
                    help,
                    ..MetricMetadata::default()
                },
            )
        })
        .collect();
    engine.tenant(TENANTS[tenant])?.set_metadata(&families)?;
    Ok(Report::default())
}
