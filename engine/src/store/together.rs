//! Several batches in one group of the log: what many threads do by chance, done on purpose.

use crate::error::Result;
use crate::head::batch::{Batch, Report};
use crate::kind::Kind;
use crate::store::Store;

impl<K: Kind> Store<K> {
    /// Hands all batches to the log before waiting for any of them.
    pub(crate) fn append_together(&self, batches: &[Batch<'_, K>]) -> Vec<Result<Report>> {
        let core = &*self.core;
        let wal = match core.log_for_writing() {
            Ok(wal) => wal,
            Err(error) => return batches.iter().map(|_| Err(error.clone())).collect(),
        };
        let begun: Vec<_> = batches
            .iter()
            .map(|batch| core.begin_append(batch, &wal))
            .collect();
        begun
            .into_iter()
            .map(|begun| core.finish_append(begun?, &wal))
            .collect()
    }
}
