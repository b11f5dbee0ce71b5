//! A disk in memory that crashes, tears, fills up and fails on command.
//!
//! Promises to be no kinder than a real disk: bytes need a sync of their file, names a sync of
//! their directory, and a failed sync leaves nobody knowing what was written (a second one succeeds
//! regardless). The same seed and the same calls give the same outcome. Knows no formats.

mod crash;
mod faults;
mod files;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Fs, Lock, ReadFile, WriteFile};
use crash::Survival;
pub(crate) use faults::{Dice, Fault};
use faults::{Plan, Verdict, no_space};
use files::{SimLock, SimReader, SimWriter};
use tree::{DirNode, FileNode, Node, SimDir, SimFile, find_dir, find_file, find_parent, names};

/// Which paths a planted bug applies to.
pub(crate) type PathTest = fn(&Path) -> bool;

/// The simulated disk. Clones are handles to the same disk.
#[derive(Clone)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    root: DirNode,
    plan: Plan,
    dice: Dice,
    capacity: u64,
    used: u64,
    syncs: u64,
    /// Handles for reading.
    open_files: usize,
    are_links_refused: bool,
    locks: BTreeSet<PathBuf>,
    ignored_syncs: Option<PathTest>,
    ignored_dir_syncs: Option<PathTest>,
}

impl SimDisk {
    /// An empty disk without a capacity limit.
    pub(crate) fn new(seed: u64) -> Self {
        SimDisk::with_root(Arc::new(Mutex::new(SimDir::default())), Dice::new(seed))
    }

    fn with_root(root: DirNode, dice: Dice) -> Self {
        let disk = SimDisk {
            state: Arc::new(Mutex::new(State {
                root,
                plan: Plan::default(),
                dice,
                capacity: u64::MAX,
                used: 0,
                syncs: 0,
                open_files: 0,
                are_links_refused: false,
                locks: BTreeSet::new(),
                ignored_syncs: None,
                ignored_dir_syncs: None,
            })),
        };
        let used = disk.files().iter().map(|(_, length)| length).sum();
        disk.state.lock().used = used;
        disk
    }

    /// Cuts the power: what the next boot finds. Every handle of this disk fails from here on.
    pub(crate) fn crash(&self, seed: u64) -> SimDisk {
        self.boot(Survival::Dice, Dice::new(seed))
    }

    /// As [`SimDisk::crash`], in the hardest way: nothing survives that was not synced.
    pub(crate) fn crash_to_synced(&self) -> SimDisk {
        self.boot(Survival::Synced, Dice::new(0))
    }

    fn boot(&self, survival: Survival, mut dice: Dice) -> SimDisk {
        let mut state = self.state.lock();
        state.plan.kill();
        let root = crash::image(&state.root, survival, &mut dice);
        drop(state);
        SimDisk::with_root(root, dice)
    }

    /// An independent copy of what programs see now, all of it durable. This disk lives on.
    pub(crate) fn copy(&self) -> SimDisk {
        self.image(Survival::All)
    }

    /// An independent copy of what is durable. This disk lives on.
    #[cfg(feature = "testing")]
    pub(crate) fn copy_of_synced(&self) -> SimDisk {
        self.image(Survival::Synced)
    }

    fn image(&self, survival: Survival) -> SimDisk {
        let state = self.state.lock();
        let mut dice = state.dice.clone();
        let root = crash::image(&state.root, survival, &mut dice);
        drop(state);
        SimDisk::with_root(root, dice)
    }

    /// Starts the next process after one that died: what was written is there, and what was not
    /// synced still is not.
    pub(crate) fn restart(&self) {
        let mut state = self.state.lock();
        state.plan.restart();
        // A dead process holds no lock, not even one that it died in taking.
        state.locks.clear();
    }

    /// How many calls have changed the disk or tried to: what [`SimDisk::fail_at`] counts by.
    pub(crate) fn operations(&self) -> u64 {
        self.state.lock().plan.operations()
    }

    /// How many reads there were: what [`SimDisk::fail_read_at`] counts by.
    pub(crate) fn reads(&self) -> u64 {
        self.state.lock().plan.reads()
    }

    /// From now on files cannot be linked, as if every folder lay on a disk of its own.
    pub(crate) fn refuse_links(&self) {
        self.state.lock().are_links_refused = true;
    }

    /// How many files are open for reading.
    pub(crate) fn open_files(&self) -> usize {
        self.state.lock().open_files
    }

    /// How many file syncs succeeded.
    #[cfg(test)]
    pub(crate) fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Lets the operation with this number (the first is 0) fail.
    pub(crate) fn fail_at(&self, operation: u64, fault: Fault) {
        self.state.lock().plan.fail_at(operation, fault);
    }

    /// Lets the read with this number (the first is 0) fail.
    pub(crate) fn fail_read_at(&self, read: u64, fault: Fault) {
        self.state.lock().plan.fail_read_at(read, fault);
    }

    /// Takes back every planned fault that has not struck.
    pub(crate) fn heal(&self) {
        self.state.lock().plan.forget();
    }

    /// Sets how many bytes all files together may take.
    pub(crate) fn capacity(&self, bytes: u64) {
        self.state.lock().capacity = bytes;
    }

    /// How many bytes all files together take, with what is reserved.
    pub(crate) fn used(&self) -> u64 {
        self.state.lock().used
    }

    /// Plants a bug: syncs of these files claim success and do nothing.
    pub(crate) fn ignore_sync_of(&self, test: PathTest) {
        self.state.lock().ignored_syncs = Some(test);
    }

    /// Plants a bug: syncs of these directories claim success and do nothing.
    pub(crate) fn ignore_sync_dir(&self, test: PathTest) {
        self.state.lock().ignored_dir_syncs = Some(test);
    }

    /// Flips bits of one byte, on the platter too.
    pub(crate) fn corrupt(&self, path: &Path, offset: u64, xor: u8) {
        let file = find_file(&self.state.lock().root, path).expect("the file to damage exists");
        let offset = usize::try_from(offset).expect("offsets fit in memory");
        file.lock().bytes[offset] ^= xor;
    }

    /// Cuts a file, on the platter too.
    pub(crate) fn truncate(&self, path: &Path, length: u64) {
        let mut state = self.state.lock();
        let file = find_file(&state.root, path).expect("the file to cut exists");
        let mut file = file.lock();
        let before = file.charge();
        file.reserved = 0;
        file.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        state.used = state.used - before + file.charge();
    }

    /// Puts a file there as if it had always been: synced, with its directories.
    pub(crate) fn plant(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let names = names(path).expect("a planted path is plain");
        let (name, parents) = names.split_last().expect("a planted file has a name");
        let mut dir = state.root.clone();
        for parent in parents {
            let node = dir.lock().visible.get(*parent).cloned();
            let next = match node {
                Some(Node::Dir(next)) => next,
                _ => DirNode::default(),
            };
            dir.lock().insert(parent, Node::Dir(next.clone()));
            dir.lock().sync();
            dir = next;
        }
        let mut file = SimFile {
            bytes: bytes.to_vec(),
            links: 1,
            ..SimFile::default()
        };
        file.sync();
        state.used += file.charge();
        dir.lock()
            .insert(name, Node::File(Arc::new(Mutex::new(file))));
        dir.lock().sync();
    }

    /// Removes a file as if it had never been.
    pub(crate) fn erase(&self, path: &Path) {
        let mut state = self.state.lock();
        let (dir, name) = find_parent(&state.root, path).expect("the file to erase has a folder");
        let mut dir = dir.lock();
        if let Some(Node::File(file)) = dir.remove(name) {
            state.used -= file.lock().charge();
        }
        dir.sync();
    }

    /// A file's bytes as programs see them.
    pub(crate) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let file = find_file(&self.state.lock().root, path).ok()?;
        let bytes = file.lock().bytes.clone();
        Some(bytes)
    }

    /// Every file with its length, in the order of their paths.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        let mut unvisited = vec![(PathBuf::from("/"), self.state.lock().root.clone())];
        while let Some((path, dir)) = unvisited.pop() {
            for (name, node) in &dir.lock().visible {
                match node {
                    Node::Dir(next) => unvisited.push((path.join(name), next.clone())),
                    Node::File(file) => {
                        found.push((path.join(name), file.lock().bytes.len() as u64));
                    }
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// Counts an operation and performs it unless the plan says otherwise. One that the machine
    /// dies in happens as often as not: its caller cannot know.
    fn operate<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        match state.plan.operation()? {
            Verdict::Go => act(&mut state),
            Verdict::Fail(fault) => {
                if fault == Fault::CrashHere && state.dice.coin() {
                    // Its outcome is lost with the process.
                    let _ = act(&mut state);
                }
                Err(fault.error())
            }
        }
    }

    fn observe<T>(&self, look: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        state.plan.read()?;
        look(&state)
    }

    fn writer(&self, path: &Path, file: FileNode) -> Box<dyn WriteFile> {
        Box::new(SimWriter {
            disk: self.clone(),
            path: path.to_path_buf(),
            file,
        })
    }
}

impl State {
    fn create(&mut self, path: &Path) -> io::Result<FileNode> {
        let (dir, name) = find_parent(&self.root, path)?;
        let mut dir = dir.lock();
        if dir.visible.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = FileNode::default();
        file.lock().links = 1;
        dir.insert(name, Node::File(file.clone()));
        Ok(file)
    }

    /// Lets a file grow by what fits; the rest is lost, as with a real short write.
    fn append(&mut self, file: &FileNode, bytes: &[u8]) -> io::Result<()> {
        let mut file = file.lock();
        let spare = file.reserved.saturating_sub(file.bytes.len()) as u64;
        let room = spare.saturating_add(self.capacity.saturating_sub(self.used));
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let before = file.charge();
        file.bytes.extend_from_slice(&bytes[..fits]);
        if file.links > 0 {
            self.used += file.charge() - before;
        }
        if fits < bytes.len() {
            return Err(no_space());
        }
        Ok(())
    }
}

impl Fs for SimDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.operate(|state| {
            let mut dir = state.root.clone();
            for name in names(path)? {
                let node = dir.lock().visible.get(name).cloned();
                let next = match node {
                    Some(Node::Dir(next)) => next,
                    Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                    None => {
                        let next = DirNode::default();
                        dir.lock().insert(name, Node::Dir(next.clone()));
                        next
                    }
                };
                dir = next;
            }
            Ok(())
        })
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = self.operate(|state| state.create(path))?;
        Ok(self.writer(path, file))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        let file = self.observe(|state| find_file(&state.root, path))?;
        Ok(Arc::new(SimReader::new(self.clone(), file)))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.observe(|state| {
            let dir = find_dir(&state.root, &names(path)?)?;
            let found = dir.lock().visible.keys().cloned().collect();
            Ok(found)
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.operate(|state| {
            let file = find_file(&state.root, path)?;
            let (dir, name) = find_parent(&state.root, path)?;
            dir.lock().remove(name);
            let mut file = file.lock();
            file.links -= 1;
            if file.links == 0 {
                state.used -= file.charge();
            }
            Ok(())
        })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|state| {
            if state.are_links_refused {
                return Err(io::ErrorKind::CrossesDevices.into());
            }
            let file = find_file(&state.root, from)?;
            let (dir, name) = find_parent(&state.root, to)?;
            let mut dir = dir.lock();
            if dir.visible.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            file.lock().links += 1;
            dir.insert(name, Node::File(file));
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.operate(|state| {
            let dir = find_dir(&state.root, &names(path)?)?;
            if !state.ignored_dir_syncs.is_some_and(|test| test(path)) {
                dir.lock().sync();
            }
            Ok(())
        })
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let file = self.observe(|state| find_file(&state.root, path))?;
        self.writer(path, file).sync()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.operate(|state| {
            if let Err(error) = find_file(&state.root, path) {
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(error);
                }
                state.create(path)?;
            }
            if !state.locks.insert(path.to_path_buf()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        })?;
        Ok(Box::new(SimLock {
            disk: self.clone(),
            path: path.to_path_buf(),
        }))
    }
}
