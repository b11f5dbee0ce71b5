//! What stands in the log and may not be on stable storage, whatever is synced: an earlier process
//! wrote it and may have seen a sync fail, or a sync of this one has failed.
//!
//! Readers see such records, and identical entries count as stored. So under [`Durability::Always`]
//! those of an earlier process are logged once more before anything new (I19). Under the others the
//! log claims nothing about them until blocks have them.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::config::Durability;
use crate::error::Result;
use crate::head::record::ENTRIES;
use crate::store::shared::{Shared, Taken};
use crate::wal::{Frame, Wal};

/// Records to be logged once more.
#[derive(Default)]
pub(crate) struct Unproven {
    records: Mutex<Vec<Record>>,
    is_due: AtomicBool,
}

struct Record {
    tenant: Box<str>,
    kind: u8,
    record: u8,
    body: Box<[u8]>,
}

impl Unproven {
    /// Notes a record that recovery took.
    pub(crate) fn note(&self, frame: &Frame<'_>) {
        self.records.lock().push(Record {
            tenant: frame.tenant.into(),
            kind: frame.kind,
            record: frame.record,
            body: frame.body.into(),
        });
        self.is_due.store(true, Ordering::Release);
    }
}

impl Shared {
    /// Notes a record that recovery took and nobody proved, if it must be made safe before anything
    /// new.
    pub(crate) fn note_unproven(&self, frame: &Frame<'_>, taken: Taken) {
        match taken {
            _ if self.options.durability != Durability::Always => {}
            Taken::Yes => self.unproven.note(frame),
            Taken::UntilFrozen => self.unproven.is_due.store(true, Ordering::Release),
            Taken::No => {}
        }
    }

    /// Before anything new is logged: logs the unproven once more, behind the freezes that stand in
    /// for it. Where that fails the log has failed, and the next caller tries again.
    pub(crate) fn log_again(&self, wal: &Wal) -> Result<()> {
        if !self.unproven.is_due.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut records = loop {
            self.bury_dropped()?;
            let records = self.unproven.records.lock();
            // Not if a delete came between. What is left out must not pass for proven.
            if !self.has_dropped.load(Ordering::Acquire) {
                break records;
            }
        };
        let mut last = None;
        for record in &*records {
            let (tenant, kind) = (&record.tenant, record.kind);
            last = Some(wal.submit(wal.era(), tenant, kind, record.record, &record.body)?);
        }
        if let Some(last) = last {
            wal.wait(last)?;
            wal.close_gap();
            // The next segment's header says that all of this is durable. Without it a process that
            // logs nothing else would leave the copies unproven beside the originals, and the next
            // one would log both: twice as much each time.
            wal.begin_segment()?;
        }
        *records = Vec::new();
        wal.close_gap();
        self.unproven.is_due.store(false, Ordering::Release);
        Ok(())
    }

    /// Before a delete: the entries of its store that wait to be logged once more are frozen
    /// instead, before anything new is logged. Behind the tombstone their copies would be there
    /// again (I22), and to log them first may take room that there is not.
    pub(crate) fn freeze_unproven(&self, tenant: &str, kind: u8, has_dropped: &AtomicBool) {
        let mut records = self.unproven.records.lock();
        let count = records.len();
        records.retain(|held| (&*held.tenant, held.kind, held.record) != (tenant, kind, ENTRIES));
        if records.len() < count {
            has_dropped.store(true, Ordering::Release);
            self.has_dropped.store(true, Ordering::Release);
        }
    }

    /// Notes whether a store must still let go of what the log has: a delete may have come while
    /// others did.
    pub(crate) fn note_dropped(&self) {
        let _no_delete = self.unproven.records.lock();
        let is_left = self.stores().iter().any(|store| store.has_dropped());
        self.has_dropped.store(is_left, Ordering::Release);
    }

    /// Makes safe what no sync can make safe: logs it once more, or moves it to blocks.
    pub(crate) fn settle_gap(&self, wal: &Wal) -> Result<()> {
        self.bury_dropped()?;
        self.log_again(wal)?;
        if wal.has_gap() {
            for store in self.stores() {
                store.freeze()?;
            }
            self.release_log()?;
        }
        Ok(())
    }

    /// Makes everything acknowledged so far durable, of a log that had failed too.
    pub(crate) fn sync(&self) -> Result<()> {
        self.revive_log()?;
        let wal = self.wal()?;
        self.settle_gap(&wal)?;
        wal.sync()
    }
}
