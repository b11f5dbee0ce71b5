//! Retention: which rules hold, what a snapshot may show of what is older, and the dropping of
//! blocks.
//!
//! Rules are settings and are not written down; what is durable is the class that each block was
//! written under (`class_table`). Promises: a snapshot shows nothing that was expired when it was
//! taken, and goes on showing what it did (I24); a class number has one meaning as long as a block,
//! a rule or a job uses it (I25). Which blocks go is decided in `compact/expire.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::compact::expire::{Bounds, Holding, Horizons, expired, holding, plan, share};
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::labels::classes::{Classes, Rule, Terms};
use crate::labels::set::Labels;
use crate::manifest::{BlockEntry, Change, Version};
use crate::store::class_table::{CLASS_DEFAULT, CLASS_WAITING, ClassTable};
use crate::store::shared::Shared;
use crate::store::{Core, State};
use crate::time::{Keep, Moment, TickRange, Ticks};

/// How often a store is looked through for blocks to drop, by the engine's clock. Nor is anything
/// dropped sooner after the open: a program sets the limits of its stores in that time.
const EVERY_SECONDS: i64 = 60;

/// What a store knows of its retention.
pub(crate) struct Retention {
    registry: RwLock<Registry>,
    schedule: Mutex<Schedule>,
    dropped_blocks: AtomicU64,
    dropped_bytes: AtomicU64,
}

/// The rules in force, and those before that somebody still works with.
struct Registry {
    limits: Arc<Limits>,
    current: Arc<Classes>,
    earlier: Vec<Weak<Classes>>,
}

/// When to look for blocks to drop.
struct Schedule {
    opened: Ticks,
    last: Ticks,
    /// Whether a freeze has made blocks since.
    is_wanted: bool,
}

impl Retention {
    pub(crate) fn new<K: Kind>(
        limits: Arc<Limits>,
        version: &Version,
        now: Ticks,
    ) -> Result<Retention> {
        let known = ClassTable::of(version)?.terms;
        let current = Arc::new(number_rules::<K>(&limits, known));
        Ok(Retention {
            registry: RwLock::new(Registry {
                limits,
                current,
                earlier: Vec::new(),
            }),
            schedule: Mutex::new(Schedule {
                opened: now,
                last: now,
                is_wanted: false,
            }),
            dropped_blocks: AtomicU64::new(0),
            dropped_bytes: AtomicU64::new(0),
        })
    }

    /// Asks for a look at the next round of the keeper.
    pub(crate) fn want(&self) {
        self.schedule.lock().is_wanted = true;
    }

    /// Blocks and bytes dropped since the store was opened.
    pub(crate) fn dropped(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        (load(&self.dropped_blocks), load(&self.dropped_bytes))
    }

    fn take_turn(&self, now: Ticks, ticks_per_second: i64) -> bool {
        let mut schedule = self.schedule.lock();
        // Away from it in either direction: a clock that was set back must not stop retention.
        let has_passed = |since: Ticks| {
            now.0.abs_diff(since.0) / ticks_per_second as u64 >= EVERY_SECONDS as u64
        };
        let is_due =
            has_passed(schedule.opened) && (schedule.is_wanted || has_passed(schedule.last));
        if is_due {
            schedule.last = now;
            schedule.is_wanted = false;
        }
        is_due
    }
}

impl Registry {
    /// Takes new rules: those with terms that are known keep their number.
    fn adopt<K: Kind>(&mut self, limits: Arc<Limits>, version: &Version) {
        self.earlier.push(Arc::downgrade(&self.current));
        self.earlier.retain(|classes| classes.strong_count() > 0);
        // Read without an error when the store was opened, and since then written by this process.
        let mut known = ClassTable::of(version).unwrap_or_default().terms;
        for classes in self.earlier.iter().filter_map(Weak::upgrade) {
            known.extend(classes.terms().map(|(class, terms)| (class, terms.clone())));
        }
        self.current = Arc::new(number_rules::<K>(&limits, known));
        self.limits = limits;
    }

    /// What a class means that some rule has, now or in a job still at work.
    fn terms(&self, class: u8) -> Option<Terms> {
        let earlier = self.earlier.iter().filter_map(Weak::upgrade);
        let mut at_work = std::iter::once(Arc::clone(&self.current)).chain(earlier);
        at_work.find_map(|classes| {
            let mut terms = classes.terms();
            let found = terms.find(|(number, _)| *number == class);
            found.map(|(_, terms)| terms.clone())
        })
    }
}

/// Compiles the rules. One whose terms are known gets their number, others one that nobody uses.
pub(crate) fn number_rules<K: Kind>(limits: &Limits, known: BTreeMap<u8, Terms>) -> Classes {
    let ticks_per_second = <K::Time as Moment>::PER_SECOND;
    let mut numbers = known;
    let mut rules = Vec::with_capacity(limits.retention_rules.len());
    for rule in limits.retention_rules.iter() {
        let terms = Terms {
            matchers: rule.text().into(),
            keep_nanos: rule.keep.map(nanos_of),
        };
        let equal = numbers.iter().find(|(_, known)| **known == terms);
        let class = equal.map(|(class, _)| *class).or_else(|| {
            let mut free = CLASS_DEFAULT + 1..CLASS_WAITING;
            free.find(|class| !numbers.contains_key(class))
        });
        let class = class.unwrap_or(CLASS_WAITING);
        if class != CLASS_WAITING {
            numbers.insert(class, terms.clone());
        }
        rules.push(Rule {
            matchers: rule.matchers.clone(),
            keep: Keep::new(rule.keep, ticks_per_second),
            class,
            terms,
        });
    }
    Classes::new(Keep::new(limits.retention, ticks_per_second), rules)
}

/// Nanoseconds as the class table has them, at most 2^64 - 2: more than any clock will see.
fn nanos_of(keep: Duration) -> u64 {
    u64::try_from(keep.as_nanos())
        .unwrap_or(u64::MAX)
        .min(u64::MAX - 1)
}

/// What a snapshot shows of what is old: fixed when it is taken (I24).
pub(crate) struct Retained {
    now: Ticks,
    classes: Arc<Classes>,
    horizons: Horizons,
    /// The horizons of the head's series lie between these.
    oldest: Ticks,
    newest: Ticks,
}

impl Retained {
    fn new<K: Kind>(classes: Arc<Classes>, version: &Version, now: Ticks) -> Self {
        let horizon = |rule| classes.keep(rule).horizon(now);
        let of_rules = || classes.rules().map(horizon);
        let (oldest, newest) = (of_rules().min(), of_rules().max());
        Retained {
            now,
            horizons: horizons::<K>(&classes, version, now),
            oldest: oldest.unwrap_or(Ticks(i64::MIN)),
            newest: newest.unwrap_or(Ticks(i64::MIN)),
            classes,
        }
    }

    /// The part of `range` that a block has entries in and may show.
    pub(crate) fn in_block(&self, block: &BlockEntry, range: TickRange) -> Option<TickRange> {
        let start = range.start.max(self.horizons.of(block.class));
        let part = TickRange::new(start, range.end);
        (start <= range.end && block.range.overlaps(&part)).then_some(part)
    }

    /// The part of `range` that the head may show of some series.
    pub(crate) fn in_head(&self, range: TickRange) -> TickRange {
        TickRange::new(range.start.max(self.oldest), range.end)
    }

    /// Whether an entry of this time may be expired in the head, whatever its series. Most heads
    /// have none so old, and then nobody need ask for the rule of a series.
    pub(crate) fn may_hide(&self, time: Ticks) -> bool {
        time < self.newest
    }

    /// The oldest tick that the head may show of a series, if its oldest entry has this time.
    pub(crate) fn head_start(&self, labels: Labels<'_>, oldest_entry: Ticks) -> Ticks {
        if !self.may_hide(oldest_entry) {
            return Ticks(i64::MIN);
        }
        let rule = self.classes.rule_of(labels);
        self.classes.keep(rule).horizon(self.now)
    }
}

/// The horizon of each class that a block of the version may have.
fn horizons<K: Kind>(classes: &Classes, version: &Version, now: Ticks) -> Horizons {
    let default = classes.keep(crate::labels::classes::RuleNumber::NONE);
    // Read without an error when the store was opened, and since then written by this process. A
    // class without terms is kept for ever.
    let table = ClassTable::of(version).unwrap_or_default();
    let of_terms = |(class, terms): (u8, Terms)| {
        let keep = terms.keep_nanos.map(Duration::from_nanos);
        let keep = Keep::new(keep, <K::Time as Moment>::PER_SECOND);
        (class, keep.horizon(now))
    };
    let of_classes = table.terms.into_iter().map(of_terms).collect();
    Horizons::new(default.horizon(now), of_classes)
}

/// What retention has left and what it has yet to do.
pub(crate) struct RetentionCounts {
    pub(crate) expired_blocks: u64,
    pub(crate) expired_bytes: u64,
    pub(crate) oldest: Option<Ticks>,
}

impl<K: Kind> Core<K> {
    /// The rules in force. Whoever writes blocks keeps this until the manifest names them and
    /// readers see it: so long no number is given to another class (I25).
    pub(crate) fn classes(&self) -> Arc<Classes> {
        {
            let registry = self.retention.registry.read();
            if Arc::ptr_eq(&registry.limits, &self.limits()) {
                return Arc::clone(&registry.current);
            }
        }
        let mut registry = self.retention.registry.write();
        // Asked for again under the lock: of two changes the later one counts.
        let limits = self.limits();
        if !Arc::ptr_eq(&registry.limits, &limits) {
            registry.adopt::<K>(limits, &self.state().version);
        }
        Arc::clone(&registry.current)
    }

    /// What a class means that is at work.
    pub(crate) fn terms_at_work(&self, class: u8) -> Option<Terms> {
        self.retention.registry.read().terms(class)
    }

    /// What a snapshot of this version, taken now, shows of what is old.
    pub(crate) fn retained(&self, version: &Version) -> Retained {
        Retained::new::<K>(self.classes(), version, self.now())
    }

    /// Plain figures about retention.
    pub(crate) fn retention_counts(&self, state: &State<K>) -> RetentionCounts {
        let retained = self.retained(&state.version);
        let due = || expired(&state.version, &retained.horizons);
        let blocks = state.version.blocks.iter();
        let shown = |block: &BlockEntry| {
            let part = retained.in_block(block, block.range)?;
            Some(part.start)
        };
        let windows = state.windows.iter().filter(|window| window.entries() > 0);
        let windows = windows.map(|window| retained.in_head(window.range()));
        let windows = windows.filter(|range| range.start <= range.end);
        RetentionCounts {
            expired_blocks: due().count() as u64,
            expired_bytes: due().map(|block| block.bytes).sum(),
            oldest: blocks
                .filter_map(shown)
                .chain(windows.map(|range| range.start))
                .min(),
        }
    }

    fn horizons_now(&self, version: &Version) -> Horizons {
        horizons::<K>(&self.classes(), version, self.now())
    }

    /// Drops the blocks that retention has done with, and those that end at or before `until` but
    /// for the newest.
    pub(crate) fn expire(&self, until: Option<Ticks>) -> Result<()> {
        let bounds = Bounds {
            bytes_max: self.limits().retention_bytes_max,
            until,
        };
        let (mut blocks, mut bytes) = (0, 0);
        let change = |version: &Version| {
            let due = self.due(version, bounds);
            let is_due = |block: &&BlockEntry| due.binary_search(&block.number).is_ok();
            blocks = due.len() as u64;
            bytes = version.blocks.iter().filter(is_due).map(|b| b.bytes).sum();
            match blocks {
                0 => Err(Error::invalid("nothing has expired")),
                _ => Ok(Change {
                    remove_blocks: due,
                    ..Change::default()
                }),
            }
        };
        let show = |version| self.change_state(|state| state.narrowed_to(version));
        // After a failed commit the blocks are as live as before: a crash may bring up either
        // version, so their files stay until a commit has succeeded.
        match self.commit(&[], change, show) {
            Err(_) if blocks == 0 => return Ok(()),
            outcome => {
                outcome.map_err(|error| error.context("dropping blocks that have expired"))?
            }
        }
        let counts = &self.retention;
        counts.dropped_blocks.fetch_add(blocks, Ordering::AcqRel);
        counts.dropped_bytes.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// The blocks to drop, sorted. What a merge is at work on it takes away itself, and leaves out
    /// what has expired; by size nothing goes while that would take some of it.
    fn due(&self, version: &Version, bounds: Bounds) -> Vec<u64> {
        let horizons = self.horizons_now(version);
        let due = plan(version, &horizons, bounds);
        let merging = self.merging.lock();
        if !due.iter().any(|number| merging.contains(number)) {
            return due;
        }
        let by_time = Bounds {
            bytes_max: None,
            until: None,
        };
        let mut due = plan(version, &horizons, by_time);
        due.retain(|number| !merging.contains(number));
        due
    }

    /// Whether it is time to look for blocks to drop. Asking takes the turn.
    pub(crate) fn is_expiry_due(&self) -> bool {
        let ticks_per_second = <K::Time as Moment>::PER_SECOND;
        self.retention.take_turn(self.now(), ticks_per_second)
    }

    /// What this store could give where all stores together take too much.
    pub(crate) fn holding(&self) -> Holding {
        let version = &self.state().version;
        let horizons = self.horizons_now(version);
        holding(version, &horizons, <K::Time as Moment>::PER_SECOND)
    }
}

impl Shared {
    /// Drops what retention has done with in the stores whose turn it is. One that cannot does not
    /// keep the others from it; the first error is returned.
    pub(crate) fn expire(&self) -> Result<()> {
        let mut outcome = Ok(());
        let stores = self.stores();
        let mut has_looked = false;
        for store in &stores {
            if store.is_expiry_due() {
                has_looked = true;
                outcome = outcome.and(store.expire(None));
            }
        }
        let Some(bytes_max) = self.options.retention_bytes_max else {
            return outcome;
        };
        if !has_looked {
            return outcome;
        }
        let holdings: Vec<Holding> = stores.iter().map(|store| store.holding()).collect();
        for (store, until) in stores.iter().zip(share(&holdings, bytes_max)) {
            if until.is_some() {
                outcome = outcome.and(store.expire(until));
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RetentionRule;
    use crate::kind::samples::Samples;
    use crate::labels::matcher::{MatchOp, Matcher};

    /// Rules on values of `app`, each with its hours.
    fn limits(rules: &[(&str, u64)]) -> Arc<Limits> {
        let rule = |(app, hours): &(&str, u64)| RetentionRule {
            matchers: vec![Matcher::new(MatchOp::Equal, "app", app).expect("a sound matcher")],
            keep: Some(Duration::from_secs(hours * 3600)),
        };
        Arc::new(Limits {
            retention_rules: rules.iter().map(rule).collect(),
            ..Limits::default()
        })
    }

    fn numbers(classes: &Classes) -> Vec<u8> {
        classes.terms().map(|(class, _)| class).collect()
    }

    fn known(classes: &Classes) -> BTreeMap<u8, Terms> {
        let terms = classes.terms();
        terms.map(|(class, terms)| (class, terms.clone())).collect()
    }

    #[test]
    fn rules_with_known_terms_keep_their_number_and_others_get_a_free_one() {
        let first = number_rules::<Samples>(&limits(&[("a", 1), ("b", 2)]), BTreeMap::new());
        assert_eq!(numbers(&first), [1, 2]);
        let changed = limits(&[("b", 2), ("a", 9), ("c", 1), ("b", 2), ("a", 1)]);
        let second = number_rules::<Samples>(&changed, known(&first));
        assert_eq!(numbers(&second), [2, 3, 4, 2, 1]);
        let forgotten = number_rules::<Samples>(&changed, BTreeMap::new());
        assert_eq!(numbers(&forgotten), [1, 2, 3, 1, 4]);
    }

    #[test]
    fn the_order_of_a_rule_s_matchers_is_no_change() {
        let matcher = |name: &str| Matcher::new(MatchOp::NotEqual, name, "").expect("sound");
        let of = |names: &[&str]| RetentionRule {
            matchers: names.iter().map(|name| matcher(name)).collect(),
            keep: None,
        };
        assert_eq!(of(&["b", "a", "b"]).text(), "{a!=\"\", b!=\"\"}");
        assert_eq!(of(&["b", "a"]).text(), of(&["a", "b"]).text());
        assert_eq!(of(&[]).text(), "{}");
    }

    #[test]
    fn where_no_number_is_free_a_rule_waits() {
        let terms = |class: u8| Terms {
            matchers: format!("{{n=\"{class}\"}}").into(),
            keep_nanos: None,
        };
        let mut taken: BTreeMap<u8, Terms> = (1..CLASS_WAITING).map(|c| (c, terms(c))).collect();
        let rules = limits(&[("a", 1), ("b", 1)]);
        let full = number_rules::<Samples>(&rules, taken.clone());
        assert_eq!(numbers(&full), [CLASS_WAITING, CLASS_WAITING]);
        taken.remove(&77);
        let one = number_rules::<Samples>(&rules, taken);
        assert_eq!(numbers(&one), [77, CLASS_WAITING]);
    }

    #[test]
    fn a_number_is_not_given_away_while_a_job_works_under_it() {
        let version = Version::default();
        let retention = Retention::new::<Samples>(limits(&[("a", 1)]), &version, Ticks(0));
        let retention = retention.expect("an empty version has no table");
        let mut registry = retention.registry.write();
        let job = Arc::clone(&registry.current);
        registry.adopt::<Samples>(limits(&[("b", 1)]), &version);
        assert_eq!(numbers(&registry.current), [2]);
        assert!(
            registry.terms(1).is_some(),
            "the job can still say what 1 means"
        );
        registry.adopt::<Samples>(limits(&[("a", 1), ("c", 1)]), &version);
        assert_eq!(numbers(&registry.current), [1, 3]);
        registry.adopt::<Samples>(limits(&[("d", 1)]), &version);
        drop(job);
        registry.adopt::<Samples>(limits(&[("e", 1)]), &version);
        assert_eq!(
            numbers(&registry.current),
            [1],
            "nobody works under it any more"
        );
        assert!(registry.terms(3).is_none());
    }
}
