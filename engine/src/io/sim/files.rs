//! Open files and locks of the simulated disk.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use super::super::{Lock, Mapped, ReadFile, WriteFile};
use super::faults::{Fault, Verdict};
use super::tree::FileNode;
use super::{SimDisk, State};

pub(super) struct SimWriter {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
    pub(super) file: FileNode,
}

impl SimWriter {
    fn sync_now(&self, state: &mut State) {
        if !state.ignored_syncs.is_some_and(|test| test(&self.path)) {
            self.file.lock().sync();
        }
        state.syncs += 1;
    }
}

impl WriteFile for SimWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let fault = match state.plan.operation()? {
            Verdict::Go => return state.append(&self.file, bytes),
            Verdict::Fail(fault) => fault,
        };
        let written = match fault {
            Fault::Eio | Fault::Enospc => 0,
            Fault::ShortWriteThenEio => bytes.len() / 2,
            Fault::CrashHere => state.dice.below_len(bytes.len() + 1),
        };
        // The planned fault is what the caller sees, whatever else went wrong.
        let _ = state.append(&self.file, &bytes[..written]);
        Err(fault.error())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut guard = self.disk.state.lock();
        let state = &mut *guard;
        match state.plan.operation()? {
            Verdict::Go => {
                self.sync_now(state);
                Ok(())
            }
            Verdict::Fail(Fault::CrashHere) => {
                if state.dice.coin() {
                    self.sync_now(state);
                }
                Err(Fault::CrashHere.error())
            }
            Verdict::Fail(fault) => {
                self.file.lock().fail_sync(&mut state.dice);
                Err(fault.error())
            }
        }
    }
}

pub(super) struct SimReader {
    disk: SimDisk,
    file: FileNode,
}

impl SimReader {
    pub(super) fn new(disk: SimDisk, file: FileNode) -> Self {
        disk.state.lock().open_files += 1;
        SimReader { disk, file }
    }

    fn with_range<T>(&self, range: Range<u64>, read: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        self.disk.observe(|_| {
            let file = self.file.lock();
            let start = usize::try_from(range.start).unwrap_or(usize::MAX);
            let end = usize::try_from(range.end).unwrap_or(usize::MAX);
            match file.bytes.get(start..end) {
                Some(bytes) => Ok(read(bytes)),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        })
    }
}

impl Drop for SimReader {
    fn drop(&mut self) {
        self.disk.state.lock().open_files -= 1;
    }
}

impl ReadFile for SimReader {
    fn length(&self) -> io::Result<u64> {
        self.disk
            .observe(|_| Ok(self.file.lock().bytes.len() as u64))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        self.with_range(offset..end, |bytes| buffer.copy_from_slice(bytes))
    }

    fn map(&self, range: Range<u64>) -> io::Result<Mapped> {
        self.with_range(range, |bytes| Mapped::heap(bytes.to_vec()))
    }
}

pub(super) struct SimLock {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state.lock().locks.remove(&self.path);
    }
}
