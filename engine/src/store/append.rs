//! Append: judged and kept by the head, made durable by the log, then seen.

use std::sync::Arc;

use crate::error::Result;
use crate::head::append::{Appended, Gate};
use crate::head::batch::{Batch, Report};
use crate::kind::Kind;
use crate::store::{Store, now};
use crate::time::Ticks;
use crate::wal::Wal;

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
        let wal = core.log_for_writing()?;
        let appended = core.begin_append(batch, &wal)?;
        core.finish_append(appended, &wal)
    }
}

impl<K: Kind> crate::store::Core<K> {
    /// The log, revived if it had failed, once there is room for more.
    pub(crate) fn log_for_writing(&self) -> Result<Arc<Wal>> {
        self.shared.reserve.admit()?;
        self.shared.wait_for_room()?;
        let wal = self.own_log()?;
        if wal.health().is_some() {
            self.shared.revive_log()?;
        }
        self.shared.bury_dropped()?;
        self.shared.log_again(&wal)?;
        wal.admit(&self.tenant, 0)?;
        Ok(wal)
    }

    /// Judges a batch, keeps it in the head and hands its record to the log.
    pub(crate) fn begin_append(&self, batch: &Batch<'_, K>, wal: &Wal) -> Result<Appended> {
        let (limits, classes) = (self.limits(), self.classes());
        let gate = Gate {
            limits: &limits,
            classes: &classes,
            now: self.now(),
            wal,
            tenant: &self.tenant,
            tag: self.tag,
        };
        self.head.append(batch, &gate)
    }

    /// Waits until the log has the batch, then lets readers see it (I1, I9).
    pub(crate) fn finish_append(&self, appended: Appended, wal: &Wal) -> Result<Report> {
        if let Some((seq, lsn)) = appended.ticket {
            #[cfg(feature = "testing")]
            if self
                .shared
                .is_planted(crate::store::plant::Plant::EarlyAcknowledgement)
            {
                self.head.publish(seq);
                return Ok(appended.report);
            }
            match wal.wait(lsn) {
                Ok(()) => self.head.publish(seq),
                Err(error) => {
                    self.head.settle_failure(wal);
                    return Err(error.context("the batch was not stored"));
                }
            }
        }
        self.shared.call_keeper_if_needed(wal);
        Ok(appended.report)
    }

    /// The clock in ticks of this kind.
    pub(crate) fn now(&self) -> Ticks {
        now::<K>(&self.shared)
    }
}
