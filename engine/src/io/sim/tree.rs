//! The simulated disk's files and directories, each as programs see it and as the platter holds it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::Arc;

use parking_lot::Mutex;

use super::faults::Dice;

/// What a crash tears a write into.
pub(super) const SECTOR_BYTES: usize = 512;

/// A file's bytes, and how much of them a power loss would leave.
#[derive(Default)]
pub(super) struct SimFile {
    /// What readers see.
    pub(super) bytes: Vec<u8>,
    /// The length that the last good sync made durable.
    pub(super) synced: usize,
    /// Where the bytes start that the cache still has to write.
    pub(super) dirty_from: usize,
    /// Ranges that a failed sync dropped: the cache calls them clean, the platter never got them.
    pub(super) lost: Vec<Range<usize>>,
    /// The length up to which space is set aside.
    pub(super) reserved: usize,
    /// How many names lead to the file.
    pub(super) links: u32,
}

impl SimFile {
    /// The space that the file takes while it has a name.
    pub(super) fn charge(&self) -> u64 {
        self.bytes.len().max(self.reserved) as u64
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.bytes.len();
        self.dirty_from = self.synced;
    }

    /// A sync that failed: each dirty sector reached the platter or did not, and the cache forgets
    /// which, so a second sync has nothing left to write and succeeds.
    pub(super) fn fail_sync(&mut self, dice: &mut Dice) {
        let end = self.bytes.len();
        let mut start = self.dirty_from;
        while start < end {
            let next = (start / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let range = start..next.min(end);
            start = range.end;
            if dice.below(4) != 0 {
                self.lost.push(range);
            }
        }
        self.dirty_from = end;
    }

    /// Changes bytes under the programs' feet, on the platter too.
    pub(super) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        let length = self.bytes.len();
        self.synced = self.synced.min(length);
        self.dirty_from = self.dirty_from.min(length);
        self.lost.retain(|range| range.end <= length);
    }
}

/// A directory's entries as seen, as durable, and the changes in between.
#[derive(Default)]
pub(super) struct SimDir {
    pub(super) visible: BTreeMap<String, Node>,
    pub(super) durable: BTreeMap<String, Node>,
    /// Each may or may not happen in a crash, whatever the others do.
    pub(super) pending: Vec<(String, Option<Node>)>,
}

impl SimDir {
    pub(super) fn insert(&mut self, name: &str, node: Node) {
        self.visible.insert(name.to_owned(), node.clone());
        self.pending.push((name.to_owned(), Some(node)));
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Node> {
        let node = self.visible.remove(name)?;
        self.pending.push((name.to_owned(), None));
        Some(node)
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.visible.clone();
        self.pending.clear();
    }
}

/// Shared with open handles; only ever locked while the disk's own lock is held, so order cannot
/// matter.
pub(super) type FileNode = Arc<Mutex<SimFile>>;
pub(super) type DirNode = Arc<Mutex<SimDir>>;

#[derive(Clone)]
pub(super) enum Node {
    File(FileNode),
    Dir(DirNode),
}

/// The names that a path is made of; a leading `/` means nothing here.
pub(super) fn names(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(
                name.to_str()
                    .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?,
            ),
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
    }
    Ok(names)
}

pub(super) fn find_dir(root: &DirNode, names: &[&str]) -> io::Result<DirNode> {
    let mut dir = root.clone();
    for name in names {
        let node = dir.lock().visible.get(*name).cloned();
        match node {
            Some(Node::Dir(next)) => dir = next,
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
    }
    Ok(dir)
}

/// The directory that holds the path's last name, and that name.
pub(super) fn find_parent<'a>(root: &DirNode, path: &'a Path) -> io::Result<(DirNode, &'a str)> {
    let names = names(path)?;
    let Some((name, parents)) = names.split_last() else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    Ok((find_dir(root, parents)?, name))
}

pub(super) fn find_file(root: &DirNode, path: &Path) -> io::Result<FileNode> {
    let (dir, name) = find_parent(root, path)?;
    let node = dir.lock().visible.get(name).cloned();
    match node {
        Some(Node::File(file)) => Ok(file),
        Some(Node::Dir(_)) => Err(io::ErrorKind::IsADirectory.into()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}
