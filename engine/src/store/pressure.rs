//! Backpressure and housekeeping: when to freeze, whom, and when writers must wait for it; and the
//! round that also drops what retention has done with.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::store::shared::{Keeping, Shared};
use crate::wal::Wal;

/// A bound is acted on when this share of it is used, in quarters.
const ACT_AT_QUARTERS: u64 = 3;

/// Writers wait when this many times the bound is used: the keeper is behind.
const WAIT_AT_TIMES: u64 = 2;

/// At the cap on series, a window older than this is frozen to find the idle ones.
const SPAN_AT_SERIES_CAP_SECONDS: i64 = 30;

/// Rounds of the keeper that a writer waits for before it gives up.
const ROUNDS_MAX: u64 = 1_000;

impl Shared {
    /// Wakes the keeper if memory or the log is near its bound.
    pub(crate) fn call_keeper_if_needed(&self, wal: &Wal) {
        if self.is_near_bound(wal) {
            let mut keeping = self.keeping.lock();
            if !keeping.is_wanted {
                keeping.is_wanted = true;
                self.work.notify_one();
            }
        }
    }

    fn is_near_bound(&self, wal: &Wal) -> bool {
        let near = |used: u64, max: u64| used / ACT_AT_QUARTERS >= max / 4;
        near(self.budget.bytes(), self.budget.bytes_max)
            || near(wal.size_bytes(), self.options.wal_bytes_max)
    }

    fn is_far_beyond_bound(&self) -> bool {
        let Ok(wal) = self.wal() else { return false };
        self.budget.bytes() > self.budget.bytes_max * WAIT_AT_TIMES
            || wal.size_bytes() > self.options.wal_bytes_max * WAIT_AT_TIMES
    }

    /// Lets a writer in, after the keeper has caught up if it is far behind. Where it cannot (a
    /// full disk), the writer gets the keeper's error.
    pub(crate) fn wait_for_room(&self) -> Result<()> {
        if !self.is_far_beyond_bound() {
            return Ok(());
        }
        let mut keeping = self.keeping.lock();
        let begun = keeping.rounds;
        while !keeping.is_closing && self.is_far_beyond_bound() {
            if keeping.rounds > begun
                && let Some(error) = &keeping.last_error
            {
                return Err(error.clone().context("memory cannot be freed"));
            }
            if keeping.rounds > begun + ROUNDS_MAX {
                return Err(Error::new(
                    ErrorKind::Limit,
                    "options.head_bytes_max is in use",
                ));
            }
            if keeping.has_thread {
                keeping.is_wanted = true;
                self.work.notify_one();
                self.relief.wait(&mut keeping);
            } else {
                let outcome = parking_lot::MutexGuard::unlocked(&mut keeping, || self.tend());
                self.note_round(&mut keeping, &outcome);
            }
        }
        Ok(())
    }

    /// One round of housekeeping; true if there may be more to do.
    pub(crate) fn tend(&self) -> Result<bool> {
        let Ok(wal) = self.wal() else {
            return Ok(false);
        };
        // First, and whatever comes of the rest: on a full disk this is what makes room.
        let expired = self.expire();
        self.keep_reserve(&wal);
        match self.keep_bounds(&wal)? {
            true => Ok(true),
            false => expired.map(|()| false),
        }
    }

    /// Keeps memory and log below their bounds, and the log sound; true if there may be more to
    /// do.
    fn keep_bounds(&self, wal: &Arc<Wal>) -> Result<bool> {
        if wal.health().is_some() {
            self.revive_log()?;
        }
        let outcome = self.relieve(wal);
        self.settle_gap(wal)?;
        outcome
    }

    /// Freezes the store that memory, log or age call for; true if there may be more to do.
    fn relieve(&self, wal: &Wal) -> Result<bool> {
        for store in self.stores() {
            store.evict();
            // Where that fails they hide nothing for longer, and the next round tries again.
            let _ = store.retire_tombstones();
        }
        let stores = self.stores();
        let span = match self.budget.series() < self.budget.series_max {
            true => self.options.window_span_max.as_secs() as i64,
            // Only behind a freeze can idle series be told and forgotten; but not at every refusal.
            false => SPAN_AT_SERIES_CAP_SECONDS,
        };
        let aged = stores
            .iter()
            .find(|store| store.window_age_seconds() > span);
        let chosen = match self.is_near_bound(wal) {
            false => aged.cloned(),
            true if self.is_log_the_bound(wal) => stores
                .iter()
                .filter(|store| store.log_floor().is_some())
                .min_by_key(|store| store.log_floor())
                .cloned(),
            true => stores
                .iter()
                .max_by_key(|store| store.freezable_bytes())
                .cloned(),
        };
        let Some(store) = chosen else {
            return Ok(false);
        };
        let before = (self.budget.bytes(), wal.size_bytes());
        store.freeze()?;
        self.release_log()?;
        store.evict();
        Ok((self.budget.bytes(), wal.size_bytes()) != before && self.is_near_bound(wal))
    }

    /// Takes the reserve, or takes it again.
    fn keep_reserve(&self, wal: &Wal) {
        let stores = self.stores();
        let blocks: u64 = stores.iter().map(|store| store.block_bytes()).sum();
        let stored = blocks.saturating_add(wal.size_bytes());
        self.reserve.take_when_due(self.clock.now(), stored);
    }

    fn is_log_the_bound(&self, wal: &Wal) -> bool {
        let share = |used: u64, max: u64| used as f64 / max as f64;
        share(wal.size_bytes(), self.options.wal_bytes_max)
            >= share(self.budget.bytes(), self.budget.bytes_max)
    }

    /// The keeper's life: sleeps until there is work or a second has passed.
    pub(crate) fn keep(&self) {
        loop {
            let outcome = self.tend();
            let mut keeping = self.keeping.lock();
            self.note_round(&mut keeping, &outcome);
            if keeping.is_closing {
                return;
            }
            let has_more = matches!(outcome, Ok(true));
            if !has_more && !keeping.is_wanted {
                let second = std::time::Duration::from_secs(1);
                self.work.wait_for(&mut keeping, second);
            } else if outcome.is_err() {
                let pause = std::time::Duration::from_millis(100);
                self.work.wait_for(&mut keeping, pause);
            }
            keeping.is_wanted = false;
            if keeping.is_closing {
                return;
            }
        }
    }

    pub(crate) fn note_round(&self, keeping: &mut Keeping, outcome: &Result<bool>) {
        keeping.rounds += 1;
        keeping.last_error = outcome.as_ref().err().cloned();
        self.relief.notify_all();
    }
}
