//! What is left on a simulated disk after the power went, and exact copies of one.
//!
//! Synced bytes under synced names are always left. Of the rest a seeded part survives: any sectors
//! of an unsynced tail, any of the unsynced creations, links and removals, each for itself.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::faults::Dice;
use super::tree::{DirNode, FileNode, Node, SECTOR_BYTES, SimDir, SimFile};

/// Which part of the unsynced state is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Survival {
    /// Everything: a copy of what programs see, as after a clean unmount.
    All,
    /// Only what was synced: the hardest case, and a deterministic one.
    Synced,
    /// What the dice say.
    Dice,
}

/// Builds the tree that the next boot finds.
pub(super) fn image(root: &DirNode, survival: Survival, dice: &mut Dice) -> DirNode {
    let mut builder = Builder {
        survival,
        dice,
        files: HashMap::new(),
    };
    builder.dir(root)
}

struct Builder<'a> {
    survival: Survival,
    dice: &'a mut Dice,
    /// New files by the address of the old one, so that names of one file stay names of one file.
    files: HashMap<usize, FileNode>,
}

impl Builder<'_> {
    fn dir(&mut self, old: &DirNode) -> DirNode {
        let old = old.lock();
        let entries = match self.survival {
            Survival::All => old.visible.clone(),
            Survival::Synced => old.durable.clone(),
            Survival::Dice => {
                let mut entries = old.durable.clone();
                for (name, change) in &old.pending {
                    if !self.dice.coin() {
                        continue;
                    }
                    match change {
                        Some(node) => entries.insert(name.clone(), node.clone()),
                        None => entries.remove(name),
                    };
                }
                entries
            }
        };
        drop(old);
        let mut new = SimDir::default();
        for (name, node) in entries {
            let node = match node {
                Node::Dir(dir) => Node::Dir(self.dir(&dir)),
                Node::File(file) => Node::File(self.file(&file)),
            };
            new.insert(&name, node);
        }
        new.sync();
        Arc::new(Mutex::new(new))
    }

    fn file(&mut self, old: &FileNode) -> FileNode {
        let address = Arc::as_ptr(old).addr();
        if let Some(known) = self.files.get(&address) {
            known.lock().links += 1;
            return known.clone();
        }
        let bytes = self.bytes(&old.lock());
        let mut new = SimFile {
            bytes,
            links: 1,
            ..SimFile::default()
        };
        new.sync();
        let new = Arc::new(Mutex::new(new));
        self.files.insert(address, new.clone());
        new
    }

    fn bytes(&mut self, old: &SimFile) -> Vec<u8> {
        if self.survival == Survival::All {
            return old.bytes.clone();
        }
        let unsynced = old.bytes.len() - old.synced;
        let (length, torn) = match (self.survival, self.dice.below(4)) {
            (Survival::Synced, _) | (_, 0) => (old.synced, false),
            (_, 1) => (old.bytes.len(), false),
            _ => (old.synced + self.dice.below_len(unsynced + 1), true),
        };
        let mut bytes = old.bytes[..length].to_vec();
        for range in &old.lost {
            if let Some(lost) = bytes.get_mut(range.start..range.end.min(length)) {
                lost.fill(0);
            }
        }
        if torn {
            self.tear(&mut bytes, old.synced);
        }
        bytes
    }

    /// Loses some of the sectors from `start` on: they read as zeros or as whatever was there
    /// before. The part of a sector that was synced is safe, as the device writes a sector whole or
    /// not at all.
    fn tear(&mut self, bytes: &mut [u8], mut start: usize) {
        while start < bytes.len() {
            let end = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(bytes.len());
            if self.dice.below(3) == 0 {
                let garbage = self.dice.coin();
                for byte in &mut bytes[start..end] {
                    // The low byte of a dice throw is as good as any.
                    *byte = if garbage { self.dice.next() as u8 } else { 0 };
                }
            }
            start = end;
        }
    }
}
