//! Settings of the store: plain values, each with its default.

use std::time::Duration;

/// What an acknowledged write has survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// It is on stable storage: a power loss cannot take it. Writers share their syncs.
    #[default]
    Always,
    /// The operating system has it; a sync follows within this time. A crash of the process cannot
    /// take it, a power loss takes at most about this much.
    Interval(Duration),
    /// The operating system has it and writes it when it likes.
    Never,
}
