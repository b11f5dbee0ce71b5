//! Merging in the background: one thread for all stores, which rests between its steps.
//!
//! It takes a share of one core, so that writers and readers keep theirs, and all of it while
//! blocks pile up. It ends within a step when the engine closes.

use std::time::{Duration, Instant};

use crate::error::{ErrorKind, Result};
use crate::store::shared::Shared;

/// Work between two rests.
const STEP: Duration = Duration::from_millis(10);

/// The longest single rest: closing waits for it.
const REST_MAX: Duration = Duration::from_millis(100);

/// How long to wait when there is nothing to merge, and after an error such as a full disk.
const IDLE: Duration = Duration::from_secs(1);
const TROUBLE: Duration = Duration::from_secs(10);

/// With so many blocks straight from the head in one store there is no resting.
const CROWD: usize = 64;

impl Shared {
    /// The compactor's life.
    pub(crate) fn merge_in_background(&self) {
        while self.check_running().is_ok() {
            let pause = match self.merge_round() {
                Ok(true) => continue,
                Ok(false) => IDLE,
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(_) => TROUBLE,
            };
            self.pause(pause);
        }
    }

    /// One merge of each store that has one due; true if there was any. Whoever asks for
    /// [`Engine::background_errors`](crate::Engine::background_errors) learns why one failed.
    pub(crate) fn merge_round(&self) -> Result<bool> {
        let outcome = self.merge_each();
        match &outcome {
            Ok(_) => *self.merge_error.lock() = None,
            // Closing is no trouble.
            Err(error) if error.kind() == ErrorKind::Closed => {}
            Err(error) => *self.merge_error.lock() = Some(error.clone()),
        }
        outcome
    }

    fn merge_each(&self) -> Result<bool> {
        let mut worked = false;
        for store in self.stores() {
            let share = match store.fresh_blocks() {
                ..CROWD => self.options.compaction_percent,
                _ => 100,
            };
            let mut step = Step::begin(share);
            worked |= store.compact(&mut |_| step.rest_if_due())?;
        }
        Ok(worked)
    }

    /// Waits, in pieces that closing can end.
    fn pause(&self, whole: Duration) {
        let end = Instant::now() + whole;
        while self.check_running().is_ok() && Instant::now() < end {
            std::thread::sleep(REST_MAX.min(whole));
        }
    }
}

/// Work since the last rest, and how much rest it is to be followed by.
struct Step {
    begun: Instant,
    share_percent: u32,
}

impl Step {
    fn begin(share_percent: u8) -> Self {
        Step {
            begun: Instant::now(),
            share_percent: u32::from(share_percent.clamp(1, 100)),
        }
    }

    fn rest_if_due(&mut self) {
        let worked = self.begun.elapsed();
        if worked < STEP {
            return;
        }
        let rest = worked * (100 - self.share_percent) / self.share_percent;
        if !rest.is_zero() {
            std::thread::sleep(rest.min(REST_MAX));
        }
        self.begun = Instant::now();
    }
}
