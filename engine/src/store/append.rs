//! Append: judged and kept by the head, made durable by the log, then seen.

use crate::error::Result;
use crate::head::append::Gate;
use crate::head::batch::{Batch, Report};
use crate::kind::{Kind, Parts};
use crate::store::Store;
use crate::time::{Moment, Ticks};

impl<K: Kind> Store<K> {
    /// Stores a batch and returns what became of each entry.
    ///
    /// When this returns `Ok`, what the report calls accepted is as durable as
    /// [`Durability`](crate::Durability) says, and every later snapshot sees it. An error means
    /// that nothing of the batch was acknowledged: it may be sent again.
    ///
    /// ```
    /// use chronolith_engine::{Batch, Engine, Options};
    /// use chronolith_engine::labels::LabelSet;
    /// use chronolith_engine::metrics::{Sample, Samples};
    /// use chronolith_engine::time::Millis;
    ///
    /// # let name = format!("chronolith-append-{}", std::process::id());
    /// # let directory = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&directory);
    /// let engine = Engine::open(&directory, Options::default())?;
    /// let up = LabelSet::from_pairs([("__name__", "up"), ("job", "node")])?;
    /// let mut batch = Batch::<Samples>::new();
    /// batch.push(up.as_labels(), Sample::float(Millis(1_700_000_000_000), 1.0));
    /// let report = engine.metrics()?.append(&batch)?;
    /// assert_eq!(report.accepted, 1);
    /// engine.close()?;
    /// # std::fs::remove_dir_all(&directory).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    pub fn append(&self, batch: &Batch<'_, K>) -> Result<Report> {
        let core = &*self.core;
        core.shared.wait_for_room()?;
        let wal = core.shared.wal()?;
        if wal.health().is_some() {
            core.shared.revive_log()?;
        }
        wal.admit(&core.tenant, 0)?;
        let limits = core.limits();
        let gate = Gate {
            limits: &limits,
            now: core.now(),
            wal: &wal,
            tenant: &core.tenant,
            tag: core.tag,
        };
        let appended = core.head.append(batch, &gate)?;
        if let Some((seq, lsn)) = appended.ticket {
            match wal.wait(lsn) {
                Ok(()) => core.head.publish(seq),
                Err(error) => {
                    core.head.settle_failure(&wal);
                    return Err(error.context("the batch was not stored"));
                }
            }
        }
        core.shared.call_keeper_if_needed(&wal);
        Ok(appended.report)
    }
}

impl<K: Kind> crate::store::Core<K> {
    /// The clock in ticks of this kind.
    pub(crate) fn now(&self) -> Ticks {
        let nanos_per_tick = 1_000_000_000 / <<K as Parts>::Time as Moment>::PER_SECOND;
        Ticks(self.shared.clock.now().0 / nanos_per_tick)
    }
}
