//! Retire: the files of blocks that a commit took out of the manifest.
//!
//! A snapshot or a backup may still read them, through descriptors that are closed and opened again
//! by name. So a file keeps its name until the last reader has gone, and only then is unlinked; a
//! crash in between leaves litter for the next open.

use std::collections::BTreeSet;
use std::sync::Arc;

#[cfg(feature = "testing")]
use crate::error::Result;
use crate::kind::Kind;
#[cfg(feature = "testing")]
use crate::manifest::Change;
use crate::manifest::Version;
use crate::store::{Core, State};

impl<K: Kind> Core<K> {
    /// Lets go of the files of these blocks, which are in `before` and not in the state any more.
    pub(crate) fn retire(&self, before: &State<K>, numbers: &[u64]) {
        for number in numbers {
            let open = before
                .blocks
                .iter()
                .find(|block| block.entry.number == *number);
            match open {
                Some(block) => block.reader.unlink_when_dropped(),
                // It could not be opened, so nobody reads it.
                None => self.remove_blocks(&[*number]),
            }
        }
    }

    /// Takes the block with the oldest log range out of the store, for tests of what follows.
    #[cfg(feature = "testing")]
    pub(crate) fn drop_oldest_block(&self) -> Result<()> {
        let plan = |version: &Version| {
            Ok(Change {
                remove_blocks: version.blocks.iter().take(1).map(|b| b.number).collect(),
                ..Change::default()
            })
        };
        self.commit(&[], plan, |version| {
            self.change_state(|state| state.narrowed_to(version));
        })
    }
}

impl<K: Kind> State<K> {
    /// Without the blocks that the version does not name.
    pub(crate) fn narrowed_to(&self, version: Arc<Version>) -> Self {
        let named: BTreeSet<u64> = version.blocks.iter().map(|block| block.number).collect();
        let blocks = self.blocks.iter();
        State {
            blocks: blocks
                .filter(|block| named.contains(&block.entry.number))
                .cloned()
                .collect(),
            windows: self.windows.clone(),
            tombstones: self.tombstones.kept_in(&version),
            version,
        }
    }
}
