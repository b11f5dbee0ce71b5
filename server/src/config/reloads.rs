//! How the configuration is read again, and how that went last.

use std::sync::Mutex;
use std::time::SystemTime;

use crate::settings::Settings;

/// How settings are read again; the error is what is wrong with them.
pub(crate) type Load = Box<dyn Fn() -> Result<Settings, String> + Send + Sync>;

/// How the configuration was read last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastReload {
    pub(crate) succeeded: bool,
    /// When it was last read without a fault.
    pub(crate) success: SystemTime,
}

/// How the configuration is read again, one at a time.
pub(crate) struct Reloads {
    load: Load,
    turn: Mutex<()>,
    last: Mutex<LastReload>,
}

impl Reloads {
    pub(crate) fn new(load: Load) -> Self {
        let now = LastReload {
            succeeded: true,
            success: SystemTime::now(),
        };
        Reloads {
            load,
            turn: Mutex::new(()),
            last: Mutex::new(now),
        }
    }

    /// How it went last.
    pub(crate) fn last(&self) -> LastReload {
        match self.last.lock() {
            Ok(last) => *last,
            Err(poisoned) => *poisoned.into_inner(),
        }
    }

    /// Reads the configuration, hands it to `put_in_force`, and notes how that went.
    pub(crate) fn reload<T>(
        &self,
        put_in_force: impl FnOnce(Settings) -> Result<T, String>,
    ) -> Result<T, String> {
        let _turn = self.turn.lock();
        let outcome = (self.load)().and_then(put_in_force);
        let mut last = match self.last.lock() {
            Ok(last) => last,
            Err(poisoned) => poisoned.into_inner(),
        };
        last.succeeded = outcome.is_ok();
        if outcome.is_ok() {
            last.success = SystemTime::now();
        }
        outcome
    }
}
