//! Planned failures of the simulated disk, the operation counter that they are planned by, and its
//! dice.

use std::collections::BTreeMap;
use std::io;

/// What happens to one operation instead of succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The device fails. A failed sync leaves the unsynced bytes in an unknown state.
    Eio,
    /// No space is left; nothing of the operation happens.
    Enospc,
    /// An append writes half of its bytes, then the device fails. Elsewhere the same as `Eio`.
    ShortWriteThenEio,
    /// The process dies here: the operation happens, half happens or does not, and everything
    /// afterwards fails.
    CrashHere,
}

/// What the plan says about the operation at hand.
pub(super) enum Verdict {
    Go,
    Fail(Fault),
}

/// Counts operations and knows which of them fail.
#[derive(Default)]
pub(super) struct Plan {
    operations: u64,
    reads: u64,
    faults: BTreeMap<u64, Fault>,
    read_faults: BTreeMap<u64, Fault>,
    dead: bool,
}

impl Plan {
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn reads(&self) -> u64 {
        self.reads
    }

    pub(super) fn fail_at(&mut self, operation: u64, fault: Fault) {
        self.faults.insert(operation, fault);
    }

    pub(super) fn fail_read_at(&mut self, read: u64, fault: Fault) {
        self.read_faults.insert(read, fault);
    }

    pub(super) fn forget(&mut self) {
        self.faults.clear();
        self.read_faults.clear();
    }

    pub(super) fn kill(&mut self) {
        self.dead = true;
    }

    pub(super) fn restart(&mut self) {
        self.forget();
        self.dead = false;
    }

    /// Fails where the disk's machine has crashed.
    pub(super) fn alive(&self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the simulated machine has crashed"));
        }
        Ok(())
    }

    /// Counts an operation that changes the disk.
    pub(super) fn operation(&mut self) -> io::Result<Verdict> {
        self.alive()?;
        let number = self.operations;
        self.operations += 1;
        let Some(fault) = self.faults.remove(&number) else {
            return Ok(Verdict::Go);
        };
        if fault == Fault::CrashHere {
            self.dead = true;
        }
        Ok(Verdict::Fail(fault))
    }

    /// Counts a read.
    pub(super) fn read(&mut self) -> io::Result<()> {
        self.alive()?;
        let number = self.reads;
        self.reads += 1;
        match self.read_faults.remove(&number) {
            None => Ok(()),
            Some(fault) => {
                if fault == Fault::CrashHere {
                    self.dead = true;
                }
                Err(fault.error())
            }
        }
    }
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::Eio | Fault::ShortWriteThenEio => io::Error::other("simulated device error"),
            Fault::Enospc => no_space(),
            Fault::CrashHere => io::Error::other("simulated crash"),
        }
    }
}

pub(super) fn no_space() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "simulated disk is full")
}

/// splitmix64: small, seeded, the same on every machine. Not for anything that must be unguessable.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 where the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// As [`Dice::below`], for lengths and positions.
    pub(crate) fn below_len(&mut self, bound: usize) -> usize {
        // The result is below a usize.
        self.below(bound as u64) as usize
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
