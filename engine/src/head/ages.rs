//! How old the entries of each series may be, where rules of retention tell series apart.
//!
//! The rule of a series is worked out when its first entry comes under these rules, and remembered
//! by a byte. Without rules nothing is asked and nothing kept.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::head::index::SeriesIndex;
use crate::labels::classes::{Classes, RuleNumber};
use crate::labels::set::Labels;
use crate::time::Ticks;

/// Stands for a series whose rule was not worked out yet.
const UNKNOWN: u8 = u8::MAX;

/// The rules of a head's series, as far as they are known.
#[derive(Default)]
pub(crate) struct Ages {
    /// The rules that the numbers below are of; absent where there are none.
    classes: Option<Arc<Classes>>,
    /// The rule of each series by its number.
    rules: Vec<u8>,
    /// The oldest tick that each rule keeps, for the batch at hand.
    horizons: Vec<Ticks>,
    labels: Vec<u8>,
}

impl Ages {
    /// Before a batch: what was known under other rules is forgotten.
    pub(crate) fn begin(&mut self, classes: &Arc<Classes>, now: Ticks) {
        if !classes.has_rules() {
            *self = Ages::default();
            return;
        }
        let is_same = |known: &Arc<Classes>| Arc::ptr_eq(known, classes);
        if !self.classes.as_ref().is_some_and(is_same) {
            self.classes = Some(Arc::clone(classes));
            self.rules.clear();
        }
        let horizon = |rule| classes.keep(rule).horizon(now);
        self.horizons.clear();
        self.horizons.extend(classes.rules().map(horizon));
    }

    /// A number that may be given to another series.
    pub(crate) fn forget(&mut self, series: u32) {
        if let Some(rule) = self.rules.get_mut(series as usize) {
            *rule = UNKNOWN;
        }
    }

    /// The oldest tick that is taken of a series; `None` where the default counts for all.
    #[inline]
    pub(crate) fn oldest(&mut self, series: u32, index: &RwLock<SeriesIndex>) -> Option<Ticks> {
        self.classes.as_ref()?;
        let known = self.rules.get(series as usize).copied();
        let rule = known.filter(|rule| *rule != UNKNOWN);
        let rule = rule.unwrap_or_else(|| self.work_out(series, index));
        Some(self.horizons[usize::from(rule)])
    }

    #[cold]
    fn work_out(&mut self, series: u32, index: &RwLock<SeriesIndex>) -> u8 {
        self.labels.clear();
        index.read().labels(series, &mut self.labels);
        let labels = Labels::trusted(&self.labels);
        let rule_of = |classes: &Arc<Classes>| classes.rule_of(labels);
        let RuleNumber(rule) = self.classes.as_ref().map_or(RuleNumber::NONE, rule_of);
        let place = series as usize;
        if self.rules.len() <= place {
            self.rules.resize(place + 1, UNKNOWN);
        }
        self.rules[place] = rule;
        rule
    }
}
